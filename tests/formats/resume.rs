//! Resume records: read back as written, and not at all if one bit differs.

use proptest::prelude::*;
use swarmlet::base::{Bits, InfoHash};
use swarmlet::format::bencode::{Dict, Item, Strictness, Writer};
use swarmlet::format::digest::Digest;
use swarmlet::format::layout::Layout;
use swarmlet::format::resume::{FileStamp, Resume};

fn example() -> Resume {
    let layout = Layout::single(16384, "a", 16384 * 10).expect("legal");
    let mut have = Bits::none(10);
    for index in [0, 3, 9] {
        have.set(layout.piece(index).expect("there"));
    }
    let stamp = FileStamp { len: 163_840, modified_nanos: 1_700_000_000_123_456_789 };
    Resume {
        info_hash: InfoHash([7; 20]),
        have,
        files: vec![Some(stamp), None],
        clean: true,
        uploaded: 5,
        downloaded: 1 << 40,
    }
}

fn written(resume: &Resume) -> Vec<u8> {
    let mut out = Vec::new();
    resume.write(&mut out);
    out
}

/// A record with this body and a checksum that fits it.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.begin_dict().key("body").bytes(body).key("check").bytes(Digest::of(body)).end();
    out
}

/// The body of the example.
fn body() -> Vec<u8> {
    let bytes = written(&example());
    let root = Dict::parse(&bytes, Strictness::Strict).expect("canonical");
    root.get("body").and_then(Item::bytes).expect("there").to_vec()
}

#[test]
fn a_record_is_read_back_as_written() {
    let bytes = written(&example());
    assert_eq!(Resume::parse(&bytes).expect("our own"), example());
    assert_eq!(sealed(&body()), bytes, "the seal is what this test thinks it is");
    let expected = b"d5:cleani1e10:downloadedi1099511627776e\
        5:fileslli163840ei1700000000123456789eelee4:have2:\x90\x409:info_hash20:";
    assert!(body().starts_with(expected), "{}", body().escape_ascii());
}

#[test]
fn every_truncation_and_every_changed_bit_is_refused() {
    let bytes = written(&example());
    for len in 0..bytes.len() {
        assert!(Resume::parse(&bytes[..len]).is_err(), "cut at {len}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(Resume::parse(&changed).is_err(), "bit {bit} of byte {at}");
        }
    }
    assert!(Resume::parse(&[&bytes[..], b"\n"].concat()).is_err(), "something behind the end");
}

#[test]
fn a_record_that_fits_its_checksum_may_still_be_nonsense() {
    assert!(Resume::parse(&sealed(&body())).is_ok());
    let replacements: [(&[u8], &[u8]); 14] = [
        (b"7:versioni1e", b"7:versioni2e"),
        (b"7:versioni1e", b"7:versioni-1e"),
        (b"7:versioni1e", b""),
        (b"7:versioni1e", b"7:versioni1e1:xi1e"),
        (b"5:cleani1e", b"5:cleani2e"),
        (b"6:piecesi10e", b"6:piecesi17e"),
        (b"6:piecesi10e", b"6:piecesi9e"),
        (b"6:piecesi10e", b"6:piecesi4294967295e"),
        (b"6:piecesi10e", b"6:piecesi-1e"),
        (b"4:have2:\x90\x40", b"4:have2:\x90\x41"),
        (b"4:have2:\x90\x40", b"4:have1:\x90"),
        (b"8:uploadedi5e", b"8:uploadedi-5e"),
        (b"li163840e", b"li-163840e"),
        (b"li163840e", b"li163840ei1e"),
    ];
    for (from, to) in replacements {
        let text = body();
        let at = text.windows(from.len()).position(|part| part == from);
        let at = at.unwrap_or_else(|| panic!("{} is there", from.escape_ascii()));
        let changed = [&text[..at], to, &text[at + from.len()..]].concat();
        assert!(Resume::parse(&sealed(&changed)).is_err(), "{}", to.escape_ascii());
    }
    for body in [&b""[..], b"de", b"le", b"i1e", b"not bencode"] {
        assert!(Resume::parse(&sealed(body)).is_err());
    }
}

proptest! {
    #[test]
    fn any_record_is_read_back(
        hash: [u8; 20],
        bits in prop::collection::vec(any::<bool>(), 0..70),
        stamps in prop::collection::vec(prop::option::of((0..u64::MAX / 2, any::<i64>())), 0..5),
        clean: bool,
        uploaded in 0..u64::MAX / 2,
        downloaded in 0..u64::MAX / 2,
    ) {
        let count = u32::try_from(bits.len()).expect("few");
        let mut wire = vec![0u8; bits.len().div_ceil(8)];
        for (at, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
            wire[at / 8] |= 0x80 >> (at % 8);
        }
        let stamp = |(len, modified_nanos)| FileStamp { len, modified_nanos };
        let resume = Resume {
            info_hash: InfoHash(hash),
            have: Bits::from_wire(&wire, count).expect("no spare bits"),
            files: stamps.into_iter().map(|said| said.map(stamp)).collect(),
            clean,
            uploaded,
            downloaded,
        };
        prop_assert_eq!(Resume::parse(&written(&resume)).expect("our own"), resume);
    }
}
