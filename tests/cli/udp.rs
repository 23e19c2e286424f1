//! Trackers over UDP by commands alone: `tracker --udp`, torrents that name it, and `probe`.

use std::net::UdpSocket;
use std::time::Duration;

use crate::workdir::{Running, Workdir, noise, value};

const LOCAL: &str = "127.0.0.1:0";
const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A tracker, its URL over HTTP, and over UDP.
fn tracker(dir: &Workdir) -> (Running, String, String) {
    let mut tracker = dir.start(&["tracker", "--http", LOCAL, "--udp", LOCAL]);
    let ready = tracker.wait_for("ready ");
    let (http, udp) = (value(&ready, "announce"), value(&ready, "udp"));
    (tracker, http, format!("udp://{udp}"))
}

#[test]
fn what_is_shared_through_a_udp_tracker_is_got_and_probed() {
    let dir = Workdir::new("udp");
    let album = dir.album();
    let (tracker, http, udp) = tracker(&dir);
    let mut sharer = dir.start(&["share", album, "--tracker", &udp, "--listen", LOCAL]);
    let listen = sharer.ready("listen");
    sharer.wait_for("tracker-ok ");

    for url in [&udp, &format!("{udp}/announce?key=1"), &http] {
        let told = dir.ok(&["probe", url, "album.torrent"]);
        assert_eq!(value(&told, "seeds"), "1", "{told}");
        assert_eq!(value(&told, "peers"), "1", "{told}");
        assert!(told.ends_with(&format!("peer addr={listen}\n")), "{told}");
        // Who asked has taken its leave.
        let counted = dir.ok(&["probe", "--scrape", url, "album.torrent"]);
        assert_eq!(
            (value(&counted, "seeds"), value(&counted, "leechers")),
            ("1".into(), "0".into())
        );
        let json = dir.ok(&["probe", url, "album.torrent", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["peers"], serde_json::json!([listen]));
    }
    let unknown = dir.ok(&["probe", "--scrape", &udp, HASH, "--json"]);
    let unknown: serde_json::Value = serde_json::from_str(&unknown).unwrap();
    assert_eq!((&unknown["seeds"], &unknown["completed"]), (&0.into(), &0.into()));

    dir.ok(&["get", "album.torrent", "--dir", "copy", "--listen", LOCAL]);
    assert_eq!(dir.read("copy/album/one.flac"), dir.read("album/one.flac"));
    let counted = dir.ok(&["probe", "--scrape", &udp, "album.torrent"]);
    assert_eq!(value(&counted, "completed"), "1", "{counted}");
    assert_eq!(sharer.stop(), Some(0));
    let counted = dir.ok(&["probe", "--scrape", &udp, "album.torrent"]);
    assert_eq!(value(&counted, "seeds"), "0", "its farewell arrived: {counted}");
    assert_eq!(tracker.stop(), Some(0));
}

#[test]
fn a_question_that_brings_nothing_is_told_in_one_line() {
    let dir = Workdir::new("udp-nothing");
    dir.write("blocked", HASH.as_bytes());
    let mut tracker =
        dir.start(&["tracker", "--http", LOCAL, "--udp", LOCAL, "--block", "blocked"]);
    let udp = format!("udp://{}", tracker.ready("udp"));
    let nobody = {
        let socket = UdpSocket::bind(LOCAL).unwrap();
        format!("udp://{}", socket.local_addr().unwrap())
    };
    let rows: &[(&[&str], i32, &str)] = &[
        (&["probe", &udp, HASH], 1, "refuses: this torrent is blocked here"),
        (&["probe", &nobody, HASH], 1, "connection refused"),
        (&["probe", "udp://127.0.0.1", HASH], 2, "a udp URL without a port"),
        (&["probe", "ftp://127.0.0.1", HASH], 2, "is no tracker's URL"),
        (&["probe", &udp], 2, "takes a tracker's URL and one INFOHASH or TORRENT"),
        (&["probe", &udp, "none.torrent"], 1, "cannot read 'none.torrent'"),
        (&["probe", &udp, HASH, "--port", "0"], 2, "--port 0: not from 1 to 65535"),
        (&["probe", "--scrape", "http://127.0.0.1:1/other", HASH], 1, "cannot be scraped"),
        (&["tracker", "--http", LOCAL, "--udp", &udp[6..]], 1, "choose another with --udp"),
        (&["search", "x", "--tracker", &udp], 2, "udp trackers answer announces alone"),
    ];
    for (words, code, what) in rows {
        let told = dir.fails(*code, words);
        assert!(told.contains(what), "{words:?}: {told}");
    }
}

#[test]
fn junk_is_met_with_silence_and_stops_nobody() {
    let dir = Workdir::new("udp-junk");
    let album = dir.album();
    let (_tracker, _, udp) = tracker(&dir);
    let mut sharer = dir.start(&["share", album, "--tracker", &udp, "--listen", LOCAL]);
    let listen = sharer.ready("listen");
    sharer.wait_for("tracker-ok ");

    let socket = UdpSocket::bind(LOCAL).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // An announce and a scrape with ids that were guessed; the largest datagram; none of a tracker.
    let forged = [[7; 8].as_slice(), &[0, 0, 0, 1], &noise(1, 200)].concat();
    let scrape = [[7; 8].as_slice(), &[0, 0, 0, 2], &noise(2, 1_600)].concat();
    for to in [&udp["udp://".len()..], &listen] {
        for round in 0..200 {
            socket.send_to(&noise(round, usize::try_from(round * 7).unwrap()), to).unwrap();
            socket.send_to(&forged[..], to).unwrap();
            socket.send_to(&scrape[..], to).unwrap();
        }
        socket.send_to(&noise(3, 65_507), to).unwrap();
        socket.send_to(b"", to).unwrap();
    }
    let answer = socket.recv_from(&mut [0; 2_000]);
    assert!(answer.is_err(), "{answer:?}");

    let counted = dir.ok(&["probe", "--scrape", &udp, "album.torrent"]);
    assert_eq!((value(&counted, "seeds"), value(&counted, "leechers")), ("1".into(), "0".into()));
    dir.ok(&["get", "album.torrent", "--dir", "copy", "--listen", LOCAL]);
    assert_eq!(dir.read("copy/album/one.flac"), dir.read("album/one.flac"));
}
