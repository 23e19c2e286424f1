//! Magnet links where a torrent is taken: `info --fetch`, `get`, `add`, and a daemon that is
//! killed before and after it has learnt what a link means.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::workdir::{PATIENCE, Workdir, noise, value};

const LOCAL: &str = "127.0.0.1:0";

#[test]
fn a_link_is_looked_at_got_given_to_a_daemon_and_survives_its_end() {
    let dir = Workdir::new("magnet-story");
    let data = noise(5, 700_000);
    dir.write("shared/film.mkv", &data);
    let mut tracker = dir.start(&["tracker", "--http", LOCAL]);
    let announce = format!("http://{}/announce", tracker.ready("http"));
    let create = ["create", "shared/film.mkv", "-t", &announce, "-o", "film.torrent"];
    dir.ok(&create);
    let link = dir.ok(&["magnet", "film.torrent"]).trim_end().to_owned();
    let hash = link["magnet:?xt=urn:btih:".len()..][..40].to_owned();

    // A daemon takes a link that nobody can explain yet, and still has it after kill -9.
    fs::create_dir_all(dir.path("d")).unwrap();
    let words = ["peer", "--dir", "d", "--listen", LOCAL, "--rpc", LOCAL];
    let mut daemon = dir.start(&words);
    let rpc = daemon.ready("rpc");
    let with_seed = format!("{link}&ws=http%3A%2F%2F127.0.0.1%3A9%2Ffilm.mkv");
    let out = dir.ok(&["add", &with_seed, "--rpc", &rpc]);
    assert_eq!((value(&out, "name"), value(&out, "new")), ("film.mkv".into(), "true".into()));
    let out = dir.ok(&["add", &link, "--rpc", &rpc]);
    assert_eq!(value(&out, "new"), "false");
    daemon.signal(Signal::KILL);
    let kept = |ending: &str| dir.path(&format!("d/.swarmlet/torrents/{hash}.{ending}")).exists();
    assert!(kept("magnet") && kept("json") && !kept("torrent"));
    let mut daemon = dir.start(&words);
    daemon.wait_for("magnet name=film.mkv");

    // Now somebody comes who knows.
    let mut share = dir.start(&["share", "film.torrent", "--dir", "shared", "--listen", LOCAL]);
    let seed = share.ready("listen");
    let out = dir.ok(&["info", "--fetch", "--json", "--peer", &seed, &link]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((told["name"].as_str(), told["bytes"].as_u64()), (Some("film.mkv"), Some(700_000)));
    assert!(!dir.path("film.mkv").exists(), "it is looked at, not fetched");

    let out = dir.ok(&["get", &link, "--dir", "got", "--listen", LOCAL]);
    assert!(out.contains("\nlearned name=film.mkv\n"), "{out}");
    assert!(dir.read("got/film.mkv") == data);

    // The daemon learns it, too, once a peer is named, and never asks again.
    let rpc = daemon.ready("rpc");
    dir.ok(&["connect", "film", &seed, "--rpc", &rpc]);
    daemon.wait_for("learned name=film.mkv");
    daemon.wait_for("complete name=film.mkv");
    assert!(dir.read("d/film.mkv") == data);
    let end = Instant::now() + PATIENCE;
    while kept("magnet") || !kept("torrent") {
        assert!(Instant::now() < end, "the torrent takes the link's place");
        std::thread::yield_now();
    }
    // The web server that the link named is kept, too.
    let file = dir.read(&format!("d/.swarmlet/torrents/{hash}.torrent"));
    assert!(file.ends_with(b"8:url-listl27:http://127.0.0.1:9/film.mkvee"));
    daemon.signal(Signal::KILL);
    share.signal(Signal::KILL);
    let mut daemon = dir.start(&words);
    daemon.wait_for("complete name=film.mkv");
}

#[test]
fn a_link_names_a_peer_by_its_host_and_a_person_some_of_its_files() {
    let dir = Workdir::new("magnet-select");
    let album = dir.album();
    dir.ok(&["create", album, "-o", "album.torrent"]);
    let mut share = dir.start(&["share", "album.torrent", "--dir", ".", "--listen", LOCAL]);
    let addr = share.ready("listen");
    let (_, port) = addr.rsplit_once(':').expect("host and port");
    let link = dir.ok(&["magnet", "album.torrent"]).trim_end().to_owned();
    let link = format!("{link}&x.pe=localhost:{port}");
    // Who listens on this host alone may be sent to this host; anybody else may not.
    let get = ["get", &link, "--listen", LOCAL, "--dir"];
    let out = dir.ok(&[&get[..], &["got", "--select", "scans"]].concat());
    assert!(out.contains("\nlearned name=album\n"), "{out}");
    let picture = "album/scans/front page.png";
    assert!(dir.read(&format!("got/{picture}")) == dir.read(picture));
    let rest = fs::metadata(dir.path("got/album/one.flac")).map_or(0, |file| file.blocks() * 512);
    assert!(rest < 100_000, "{rest} bytes of a file that nobody wanted");
    let said = dir.fails(1, &[&get[..], &["other", "--select", "*.mp3"]].concat());
    assert!(said.contains("--select: ") && said.contains("names no file"), "{said}");
    assert!(!dir.path("other/album/one.flac").exists(), "nothing was fetched");
    assert_eq!(share.stop(), Some(0));
}
