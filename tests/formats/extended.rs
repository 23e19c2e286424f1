//! The payloads of extension messages: each field judged alone, and nothing believed by its size.

use std::net::{IpAddr, SocketAddr};

use swarmlet::base::limits::{METADATA_BYTES_MAX, PEX_PEERS_MAX};
use swarmlet::wire::extended::{Extension, Hello, Metadata, Pex, Word};

fn written(write: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0xaa];
    write(&mut out);
    assert_eq!(out.remove(0), 0xaa, "write appends");
    out
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

// ── The handshake ───────────────────────────────────────────────────────────────────────────

/// Bytes of libtorrent 2 and of Transmission 4, shortened where they repeat.
#[test]
fn what_others_say_is_read() {
    let libtorrent = b"d12:complete_agoi-1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e\
        12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei132e1:pi6882e4:reqqi2000e\
        1:v16:libtorrent/2.1.16:yourip4:\x7f\0\0\x01e";
    let expected = Hello {
        ids: [Some(1), Some(2), Some(3), Some(7)],
        client: Some("libtorrent/2.1.1".into()),
        port: Some(6882),
        requests_max: Some(2000),
        your_ip: ip("127.0.0.1"),
        metadata_bytes: Some(132),
        upload_only: None,
    };
    assert_eq!(Word::parse(0, libtorrent), Some(Word::Hello(expected)));
    let transmission = b"d1:ei0e4:ipv64:abcd1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei0e\
        1:pi51413e4:reqqi512e11:upload_onlyi1e1:v17:Transmission 4.0.e";
    let expected = Hello {
        ids: [Some(1), Some(3), None, None],
        client: Some("Transmission 4.0.".into()),
        port: Some(51413),
        requests_max: Some(512),
        upload_only: Some(true),
        ..Hello::default()
    };
    assert_eq!(Word::parse(0, transmission), Some(Word::Hello(expected)));
}

#[test]
fn row_63_each_bad_field_is_ignored_alone() {
    let good = Hello { client: Some("x".into()), ..Hello::default() };
    let long = format!("d1:pi70000e1:v{}:{}e", 20_000, "y".repeat(20_000));
    let named = Hello { client: Some(format!("{}…", "y".repeat(59))), ..Hello::default() };
    let table: Vec<(&[u8], Hello)> = vec![
        (b"d1:md11:ut_metadatai300ee1:v1:xe", good.clone()),
        (b"d1:md11:ut_metadatai-1ee1:v1:xe", good.clone()),
        (b"d1:md11:ut_metadata1:7e1:v1:xe", good.clone()),
        (b"d1:mle1:v1:xe", good.clone()),
        (b"d13:metadata_sizei-1e1:v1:xe", good.clone()),
        (b"d13:metadata_sizei0e1:v1:xe", good.clone()),
        (b"d13:metadata_sizei1099511627776e1:v1:xe", good.clone()),
        (b"d13:metadata_sizei8388609e1:v1:xe", good.clone()),
        (b"d13:metadata_sizei9223372036854775807e1:v1:xe", good.clone()),
        (b"d4:reqqi0e1:v1:xe", good.clone()),
        (b"d4:reqqi-5e1:v1:xe", good.clone()),
        (b"d1:pi70000e1:v1:xe", good.clone()),
        (b"d1:pi0e1:v1:xe", good.clone()),
        (b"d1:pi-1e1:v1:xe", good.clone()),
        (b"d1:v1:x6:yourip5:abcdee", good.clone()),
        (b"d1:v1:x6:youripi7ee", good.clone()),
        (b"d11:upload_only3:yes1:v1:xe", good.clone()),
        // Unsorted, and bytes behind the end.
        (b"d1:v1:x1:md6:ut_pexi0eee trailing", Hello { ids: [Some(0), None, None, None], ..good }),
        (b"d1:v0:e", Hello::default()),
        (b"d1:v3:\x1b[me", Hello { client: Some("[m".into()), ..Hello::default() }),
        (long.as_bytes(), named),
        (b"de", Hello::default()),
    ];
    for (said, expected) in table {
        let shown = said[..said.len().min(60)].escape_ascii();
        assert!(Hello::parse(said) == Some(expected), "{shown}");
    }
    for nonsense in [&b"le"[..], b"i5e", b"", b"d", b"d1:md", b"4:abcd", &[0xff; 60]] {
        assert_eq!(Word::parse(0, nonsense), None, "{}", nonsense.escape_ascii());
    }
    let deep = "l".repeat(10_000);
    assert_eq!(Hello::parse(format!("d1:m{deep}").as_bytes()), None);
}

#[test]
fn ours_is_sorted_and_comes_back_the_same() {
    let hello = Hello {
        ids: Extension::ALL.map(|extension| Some(extension.our_id())),
        client: Some("swarmlet".into()),
        port: Some(6881),
        requests_max: Some(512),
        your_ip: ip("10.0.0.7"),
        metadata_bytes: Some(METADATA_BYTES_MAX),
        upload_only: Some(true),
    };
    let bytes = written(|out| hello.write(out));
    let expected = b"d1:md11:lt_donthavei4e11:upload_onlyi3e11:ut_metadatai2e6:ut_pexi1ee\
        13:metadata_sizei8388608e1:pi6881e4:reqqi512e11:upload_onlyi1e1:v8:swarmlet\
        6:yourip4:\x0a\0\0\x07e";
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert_eq!(Hello::parse(&bytes), Some(hello));
    let six = Hello { your_ip: ip("2001:db8::1"), ..Hello::default() };
    assert_eq!(Hello::parse(&written(|out| six.write(out))), Some(six));
    for cut in 0..bytes.len() {
        assert_eq!(Hello::parse(&bytes[..cut]), None, "cut at {cut}");
    }
}

#[test]
fn numbers_are_ours_for_what_comes() {
    assert_eq!(Word::parse(3, &[1]), Some(Word::UploadOnly(true)));
    assert_eq!(Word::parse(3, &[0]), Some(Word::UploadOnly(false)));
    assert_eq!(Word::parse(3, &[]), None);
    assert_eq!(Word::parse(4, &[0, 0, 1, 0]), Some(Word::DontHave(256)));
    assert_eq!(Word::parse(4, &[0, 0, 1]), None);
    assert_eq!(Word::parse(4, &[0, 0, 1, 0, 0]), None);
    assert_eq!(Word::parse(5, b"de"), None);
    assert_eq!(Word::parse(255, b"de"), None);
}

// ── Metadata ────────────────────────────────────────────────────────────────────────────────

#[test]
fn metadata_messages_are_written_as_bep_9_shows_and_read_back() {
    let data = Metadata::Data { piece: 0, total_bytes: Some(3425), bytes: b"xxe" };
    let table: [(Metadata<'_>, &[u8]); 3] = [
        (Metadata::Request { piece: 0 }, b"d8:msg_typei0e5:piecei0ee"),
        (data, b"d8:msg_typei1e5:piecei0e10:total_sizei3425eexxe"),
        (Metadata::Reject { piece: 7 }, b"d8:msg_typei2e5:piecei7ee"),
    ];
    for (message, bytes) in table {
        assert_eq!(written(|out| message.write(out)), bytes);
        assert_eq!(Word::parse(2, bytes), Some(Word::Metadata(message)));
    }
}

#[test]
fn row_64_odd_metadata_messages_say_nothing() {
    let table: [&[u8]; 8] = [
        b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei0e5:piecei4294967296ee",
        b"d8:msg_typei3e5:piecei0ee",
        b"d8:msg_type1:05:piecei0ee",
        b"d5:piecei0ee",
        b"d8:msg_typei0ee",
        b"i0e",
        b"",
    ];
    for bytes in table {
        assert_eq!(Word::parse(2, bytes), None, "{}", bytes.escape_ascii());
    }
    // A number that no metadata has is the torrent's to judge.
    let far = Word::Metadata(Metadata::Request { piece: 1 << 31 });
    assert_eq!(Word::parse(2, b"d8:msg_typei0e5:piecei2147483648ee"), Some(far));
    let unsaid = Metadata::Data { piece: 1, total_bytes: None, bytes: b"" };
    let said = b"d8:msg_typei1e5:piecei1e10:total_sizei-1ee";
    assert_eq!(Word::parse(2, said), Some(Word::Metadata(unsaid)));
}

// ── Peer exchange ───────────────────────────────────────────────────────────────────────────

#[test]
fn peers_of_both_families_go_there_and_back() {
    let pex = Pex {
        added: vec![(addr("10.0.0.1:6881"), 0x10), (addr("[2001:db8::2]:80"), 2)],
        dropped: vec![addr("10.0.0.3:1"), addr("[2001:db8::4]:2")],
    };
    let bytes = written(|out| pex.write(out));
    assert!(bytes.starts_with(b"d5:added6:\x0a\0\0\x01\x1a\xe17:added.f1:\x106:added618:"));
    assert_eq!(Word::parse(1, &bytes), Some(Word::Pex(pex)));
    let none = Pex::default();
    assert_eq!(written(|out| none.write(out)), b"d5:added0:7:added.f0:e");
}

#[test]
fn row_66_of_odd_peer_lists_only_what_is_whole_counts() {
    let one = |flags| Pex { added: vec![(addr("1.2.3.4:5"), flags)], dropped: vec![] };
    let table: [(&[u8], Pex); 7] = [
        (b"d5:added7:abcdefge", Pex::default()),
        (b"d5:added6:\x01\x02\x03\x04\0\x057:added.f1:\x02e", one(2)),
        // Flags for more or fewer peers than there are, or of another kind: none.
        (b"d5:added6:\x01\x02\x03\x04\0\x057:added.f0:e", one(0)),
        (b"d5:added6:\x01\x02\x03\x04\0\x057:added.f2:\x02\x02e", one(0)),
        (b"d5:added6:\x01\x02\x03\x04\0\x057:added.fi2ee", one(0)),
        (b"d5:added6:\x01\x02\x03\x04\0\x056:added617:aaaaaaaaaaaaaaaaae", one(0)),
        (b"d5:addedi7e7:dropped5:abcdee", Pex::default()),
    ];
    for (bytes, expected) in table {
        assert_eq!(Pex::parse(bytes), Some(expected), "{}", bytes.escape_ascii());
    }
    let many: Vec<u8> =
        (0..5_000u32).flat_map(|n| [n.to_be_bytes().to_vec(), vec![1, 1]].concat()).collect();
    let said = [format!("d5:added{}:", many.len()).as_bytes(), &many, b"e"].concat();
    let pex = Pex::parse(&said).expect("a dictionary");
    assert_eq!(pex.added.len(), PEX_PEERS_MAX, "the first fifty");
}
