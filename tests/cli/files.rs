//! Commands that work on files: create, info, magnet, verify, edit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::workdir::{Workdir, noise, one_clean_line, value};

// ── create ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn create_writes_a_torrent_and_says_what_is_in_it() {
    let dir = Workdir::new("create");
    let out = dir.ok(&["create", dir.album()]);
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.starts_with("made file=album.torrent name=album info_hash="), "{out}");
    assert_eq!(value(&out, "bytes"), (100_000 + 70_001 + 10).to_string());
    assert_eq!(value(&out, "pieces"), "11");
    assert_eq!(value(&out, "piece_bytes"), "16384");
    let info = dir.ok(&["info", "album.torrent"]);
    assert!(info.contains(&value(&out, "info_hash")), "{info}");
    assert!(info.contains("album/scans/front page.png"), "{info}");
    assert!(info.contains("album/empty.log"), "{info}");
}

#[test]
fn the_same_data_makes_the_same_torrent() {
    let dir = Workdir::new("create-again");
    let album = dir.album();
    let first = dir.ok(&["create", album]);
    let again = dir.ok(&["create", "-o", "b.torrent", &format!("./{album}/")]);
    assert_eq!(value(&first, "info_hash"), value(&again, "info_hash"));
    let private = dir.ok(&["create", "--private", "-o", "c.torrent", album]);
    assert_ne!(value(&first, "info_hash"), value(&private, "info_hash"));
}

#[test]
fn a_padded_torrent_has_each_file_at_the_beginning_of_a_piece() {
    let dir = Workdir::new("create-pad");
    dir.album();
    let plain = dir.ok(&["create", "album", "-o", "plain.torrent"]);
    let padded = dir.ok(&["create", "album", "--pad"]);
    assert_ne!(value(&plain, "info_hash"), value(&padded, "info_hash"));
    // 100,000 and 70,001 and 10 bytes: 7 and 5 and 1 pieces.
    assert_eq!(value(&padded, "pieces"), "13");
    assert_eq!(value(&padded, "bytes"), (12 * 16_384 + 10).to_string());
    let info = dir.ok(&["info", "album.torrent"]);
    assert!(!info.contains(".pad") && info.contains("album/one.flac"), "{info}");
    dir.ok(&["verify", "--dir", ".", "album.torrent"]);
    let mut sharer = dir.start(&["share", "--listen", "127.0.0.1:0", "album.torrent"]);
    let ready = sharer.wait_for("ready ");
    let get = ["get", "album.torrent", "-d", "got", "--listen", "127.0.0.1:0"];
    dir.ok(&[&get[..], &["--peer", &value(&ready, "listen")]].concat());
    for name in ["one.flac", "empty.log", "scans/front page.png", "zz.txt"] {
        assert_eq!(dir.read(&format!("got/album/{name}")), dir.read(&format!("album/{name}")));
    }
    assert!(!dir.0.join("got/album/.pad").exists(), "padding is stored nowhere");
    // A single file needs none.
    let single = dir.ok(&["create", "album/one.flac", "--pad"]);
    assert_eq!(value(&single, "bytes"), "100000");
}

#[test]
fn a_torrent_that_contradicts_itself_is_told_of_once_and_its_pieces_count() {
    let dir = Workdir::new("sums");
    dir.write("data/right", b"right");
    dir.write("data/wrong", b"wrong");
    let sum = |bytes: &[u8]| swarmlet::format::digest::Digest::of(bytes);
    let mut info = b"d5:filesl".to_vec();
    for (name, said) in [("right", &b"right"[..]), ("wrong", b"other")] {
        info.extend(format!("d4:attr1:x6:lengthi5e4:pathl5:{name}e4:sha120:").bytes());
        info.extend(sum(said));
        info.extend(b"e");
    }
    info.extend(b"e4:name4:data12:piece lengthi16384e6:pieces20:");
    info.extend(sum(b"rightwrong"));
    info.extend(b"e");
    dir.write("data.torrent", &[b"d4:info", &info[..], b"e"].concat());

    let ran = dir.run(&["verify", "--dir", ".", "data.torrent"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("whole                   data/right"), "{ran:?}");
    assert!(ran.out.contains("whole, another sha1     data/wrong"), "{ran:?}");
    let told = "data: 1 file is right by the pieces, and not by the sha1 that the torrent gives";
    assert_eq!(ran.err.matches(told).count(), 1, "{ran:?}");

    let mut sharer = dir.start(&["share", "--listen", "127.0.0.1:0", "data.torrent"]);
    let ready = sharer.wait_for("ready ");
    let peer = value(&ready, "listen");
    let get = ["get", "data.torrent", "-d", "got", "--listen", "127.0.0.1:0", "--peer", &peer];
    let ran = dir.run(&get);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.err.matches(told).count(), 1, "{ran:?}");
    // Who stays tells of it, too.
    let stay = ["get", "data.torrent", "-d", "stay", "--listen", "127.0.0.1:0", "--peer", &peer];
    let line = dir.start(&[&stay[..], &["--seed"]].concat()).wait_for("host what=sha1");
    assert!(line.contains(told), "{line}");
    let mode = fs::metadata(dir.0.join("got/data/right")).unwrap().permissions().mode();
    assert_eq!(mode & 0o100, 0o100, "a program may be run");
}

#[test]
fn create_takes_every_wish() {
    let dir = Workdir::new("create-wishes");
    dir.album();
    #[rustfmt::skip]
    dir.ok(&[
        "create", "album", "-o", "out.torrent", "--name", "Other Name", "--comment", "a b",
        "--tracker", "http://one.example/announce", "-t", "http://two.example:81/x",
        "--private", "--piece-length", "32K",
    ]);
    let json = dir.ok(&["info", "--json", "out.torrent"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["name"], "Other Name");
    assert_eq!(json["comment"], "a b");
    assert_eq!(json["private"], true);
    assert_eq!(json["piece_bytes"], 32 * 1024);
    assert_eq!(json["pieces"], 6);
    let tiers = serde_json::json!([["http://one.example/announce"], ["http://two.example:81/x"]]);
    assert_eq!(json["trackers"], tiers);
    assert_eq!(json["files"][0]["path"], "Other Name/empty.log");
    assert_eq!(json["files"][0]["bytes"], 0);
    assert_eq!(json["files"].as_array().unwrap().len(), 4);
}

#[test]
fn create_finds_the_name_behind_dots() {
    let dir = Workdir::new("create-dots");
    dir.write("here/data.bin", b"data");
    dir.write("here/below/more.bin", b"more");
    assert_eq!(value(&dir.ok(&["create", "here/below/.."]), "name"), "here");
}

#[test]
fn create_never_writes_into_what_it_describes() {
    let dir = Workdir::new("create-inside");
    dir.write("box/data.bin", b"data");
    for words in [
        &["create", "."] as &[&str],
        &["create", "box", "-o", "box/x.torrent"],
        &["create", "box/data.bin", "--force", "-o", "box/data.bin"],
        &["share", "."],
    ] {
        let line = dir.fails(1, words);
        assert!(line.contains("would lie inside of what it describes"), "{words:?}: {line}");
    }
    assert_eq!(dir.read("box/data.bin"), b"data");
}

#[test]
fn create_replaces_nothing_unless_forced() {
    let dir = Workdir::new("create-force");
    dir.write("x.torrent", b"precious");
    dir.write("x", b"data");
    let line = dir.fails(1, &["create", "x"]);
    assert!(line.contains("'x.torrent' exists already; ") && line.contains("--force"), "{line}");
    assert_eq!(dir.read("x.torrent"), b"precious");
    dir.ok(&["create", "--force", "x"]);
    dir.ok(&["info", "x.torrent"]);
    let names: Vec<_> = fs::read_dir(&dir.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left over: {names:?}");
}

#[test]
fn create_leaves_out_links_and_says_so() {
    let dir = Workdir::new("create-links");
    dir.write("box/real", b"data");
    std::os::unix::fs::symlink("/etc/passwd", dir.path("box/link")).unwrap();
    let ran = dir.run(&["create", "box"]);
    assert_eq!(ran.code, Some(0));
    let warning = one_clean_line(&ran.err);
    assert!(warning.starts_with("swarmlet: warning: left out ") && warning.contains("link"));
    assert!(!dir.ok(&["info", "box.torrent"]).contains("box/link"));
}

#[test]
fn create_refuses_what_no_torrent_can_be() {
    let dir = Workdir::new("create-refuses");
    dir.write("x", b"data");
    dir.write("empty", b"");
    dir.write("back\\slash", b"data");
    fs::create_dir(dir.path("bare")).unwrap();
    #[rustfmt::skip]
    let table: &[(i32, &[&str], &str)] = &[
        (1, &["create", "nowhere"],                  "cannot read 'nowhere': no such file"),
        (1, &["create", "empty"],                    "holds no data"),
        (1, &["create", "bare"],                     "holds no data"),
        (1, &["create", "/"],                        "cannot"),
        (1, &["create", "back\\slash"],              "no backslash"),
        (1, &["create", "x", "-n", "a/b"],           "'a/b' is no name"),
        (1, &["create", "x", "-n", ""],              "'' is no name"),
        (1, &["create", "x", "-n", "\x1b[2J"],       "is no name"),
        (1, &["create", "x", "-o", "no/such/dir.torrent"], "cannot write 'no/such/dir.torrent'"),
        (1, &["create", "x", "--force", "-o", "."],  "'.'"),
        (2, &["create", "x", "-l", "16383"],         "not between 16384"),
        (2, &["create", "x", "-l", "0"],             "not between 16384"),
        (2, &["create", "x", "-l", "1024M"],         "536870912 (512 MiB)"),
        (2, &["create", "x", "-l", "99999999999999999999"], "not a number of bytes"),
        (2, &["create", "x", "-l", "big"],           "not a number of bytes"),
        (2, &["create", "x", "-t", "file:///etc/passwd"], "not a URL of http://, https:// or udp://"),
        (2, &["create", "x", "-t", "tracker.example"],    "not a URL"),
        (2, &["create", "x", "-t", "http://a b/"],        "--tracker http://a b/: "),
    ];
    for (code, words, told) in table {
        if words[1] == "/" {
            continue; // Would read the whole host first.
        }
        let line = dir.fails(*code, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
    let torrents = fs::read_dir(&dir.0).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(torrents.filter(|path| path.extension().is_some()).count(), 0);
}

#[test]
fn a_piece_length_that_is_no_power_of_two_is_taken_with_a_warning() {
    let dir = Workdir::new("create-odd");
    dir.write("x", &noise(3, 100_000));
    let ran = dir.run(&["create", "x", "-l", "40000"]);
    assert_eq!(ran.code, Some(0));
    assert!(one_clean_line(&ran.err).contains("power of two"), "{}", ran.err);
    assert_eq!(value(&ran.out, "pieces"), "3");
}

// ── info, magnet ────────────────────────────────────────────────────────────────────────────

#[test]
fn info_and_magnet_agree() {
    let dir = Workdir::new("magnet");
    dir.write("a & b.bin", b"data");
    let url = "http://tracker.example/announce?key=1&b=2";
    let made = dir.ok(&["create", "a & b.bin", "--tracker", url]);
    let hash = value(&made, "info_hash");
    let link = dir.ok(&["magnet", "a & b.bin.torrent"]);
    assert!(link.starts_with(&format!("magnet:?xt=urn:btih:{hash}&")), "{link}");
    let shown = dir.ok(&["info", "--json", link.trim_end()]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["info_hash"], hash);
    assert_eq!(shown["name"], "a & b.bin");
    assert_eq!(shown["trackers"], serde_json::json!([url]));
    let json = dir.ok(&["info", "--json", "a & b.bin.torrent"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["magnet"], link.trim_end());
}

#[test]
fn info_refuses_what_is_no_torrent_in_one_line() {
    let dir = Workdir::new("info-refuses");
    dir.write("text", b"not a torrent");
    dir.write("empty", b"");
    dir.write("large", &vec![b'i'; 11 << 20]);
    #[rustfmt::skip]
    let table: &[(&[&str], &str)] = &[
        (&["info", "nowhere"],    "cannot read 'nowhere': no such file"),
        (&["info", "."],          "cannot read '.': is a directory"),
        (&["info", "text/x"],     "not a directory"),
        (&["info", "text"],       "'text' is not a usable torrent"),
        (&["info", "empty"],      "'empty' is not a usable torrent"),
        (&["info", "large"],      "larger than 10485760 bytes"),
        (&["info", "/dev/zero"],  "larger than 10485760 bytes"),
        (&["info", "a\x1b[2Jb"],  "cannot read"),
        (&["magnet", "text"],     "'text' is not a usable torrent"),
        (&["info", "magnet:?xt=urn:btih:123"],  "magnet"),
        (&["info", "magnet:?dn=nothing"],       "magnet"),
        (&["info", "magnet:"],                  "magnet"),
    ];
    for (words, told) in table {
        let line = dir.fails(1, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
}

#[test]
fn every_good_fixture_is_shown_and_every_bad_one_refused() {
    let dir = Workdir::new("fixtures");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/torrents");
    let good = torrents_in(&fixtures.join("good"));
    let bad = torrents_in(&fixtures.join("bad"));
    assert!(good.len() >= 5 && bad.len() >= 20, "{} good, {} bad", good.len(), bad.len());
    let hashes = fs::read_to_string(fixtures.join("good/HASHES")).unwrap();
    for path in &good {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        let row = hashes.lines().find(|row| row.split_whitespace().nth(1) == Some(name));
        let hash = row.expect(name).split_whitespace().next().unwrap().to_string();
        for words in [&["info", path] as &[&str], &["info", "--json", path], &["magnet", path]] {
            let out = dir.ok(words);
            let control = |letter: char| letter.is_control() && letter != '\n';
            assert!(!out.contains(control), "{path}: raw bytes: {out:?}");
            assert!(out.contains(hash.as_str()), "{path}: not {hash}: {out}");
            if words.contains(&"--json") {
                serde_json::from_str::<serde_json::Value>(&out).expect(path);
            }
        }
    }
    for path in &bad {
        let line = dir.fails(1, &["info", path]);
        assert!(line.contains("is not a usable torrent: "), "{path}: {line}");
    }
}

fn torrents_in(dir: &Path) -> Vec<String> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let torrents = paths.filter(|path| path.extension().is_some_and(|kind| kind == "torrent"));
    let mut torrents: Vec<_> = torrents.map(|path| path.to_str().unwrap().to_string()).collect();
    torrents.sort();
    torrents
}

// ── verify ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn verify_tells_of_each_file_whether_it_is_whole() {
    let dir = Workdir::new("verify");
    dir.ok(&["create", dir.album()]);
    let verify = ["verify", "album.torrent", "--dir", "."];
    let out = dir.ok(&verify);
    assert_eq!(out.matches("whole").count(), 5, "four files and the sum: {out}");

    let mut bytes = dir.read("album/one.flac");
    bytes[50_000] ^= 1;
    dir.write("album/one.flac", &bytes);
    fs::remove_file(dir.path("album/empty.log")).unwrap();
    dir.write("album/zz.txt", b"last words and more");
    let ran = dir.run(&verify);
    assert_eq!(ran.code, Some(1));
    let row = |name: &str| ran.out.lines().find(|line| line.ends_with(name)).unwrap();
    assert!(row("album/one.flac").starts_with("damaged 1/7 pieces"), "{}", ran.out);
    assert!(row("album/empty.log").starts_with("missing"), "{}", ran.out);
    assert!(row("album/zz.txt").starts_with("too long by 9 B"), "{}", ran.out);
    assert!(row("album/scans/front page.png").starts_with("whole"), "{}", ran.out);
    let line = one_clean_line(&ran.err);
    assert!(
        line.contains("3 of 4 files not whole; 'swarmlet get album.torrent --dir .'"),
        "{line}"
    );
}

#[test]
fn verify_refuses_a_place_that_is_no_directory() {
    let dir = Workdir::new("verify-refuses");
    dir.write("x", b"data");
    dir.ok(&["create", "x"]);
    let line = dir.fails(1, &["verify", "x.torrent", "--dir", "nowhere"]);
    assert!(line.contains("'nowhere' is no directory"), "{line}");
    let line = dir.fails(1, &["verify", "x.torrent", "--dir", "x"]);
    assert!(line.contains("'x' is no directory"), "{line}");
    fs::create_dir(dir.path("elsewhere")).unwrap();
    let ran = dir.run(&["verify", "x.torrent", "--dir", "elsewhere"]);
    assert_eq!((ran.code, ran.out.starts_with("missing ")), (Some(1), true), "{ran:?}");
}

#[test]
fn verify_follows_no_link_out_of_the_directory() {
    let dir = Workdir::new("verify-link");
    dir.write("x", b"data");
    dir.ok(&["create", "x"]);
    fs::create_dir(dir.path("there")).unwrap();
    std::os::unix::fs::symlink(dir.path("x"), dir.path("there/x")).unwrap();
    dir.fails(1, &["verify", "x.torrent", "--dir", "there"]);
}

// ── edit ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn edit_changes_trackers_and_comment_but_never_the_info_hash() {
    let dir = Workdir::new("edit");
    dir.write("x", b"data");
    let made = dir.ok(&["create", "x", "-t", "http://old.example/announce", "-c", "old"]);
    let shown = |file: &str| -> serde_json::Value {
        serde_json::from_str(&dir.ok(&["info", "--json", file])).unwrap()
    };
    let before = dir.read("x.torrent");

    dir.ok(&["edit", "x.torrent", "-t", "http://new.example/announce", "-o", "y.torrent"]);
    assert_eq!(dir.read("x.torrent"), before, "-o leaves the original alone");
    let edited = shown("y.torrent");
    assert_eq!(edited["trackers"], serde_json::json!([["http://new.example/announce"]]));
    assert_eq!(edited["comment"], "old");
    assert_eq!(edited["info_hash"], value(&made, "info_hash"));

    dir.ok(&["edit", "x.torrent", "--tracker", "", "--comment", ""]);
    let edited = shown("x.torrent");
    assert_eq!(edited["trackers"], serde_json::json!([]));
    assert_eq!(edited["comment"], serde_json::Value::Null);
    assert_eq!(edited["info_hash"], value(&made, "info_hash"));

    let line = dir.fails(1, &["edit", "x.torrent", "-c", "new", "-o", "y.torrent"]);
    assert!(line.contains("'y.torrent' exists already"), "{line}");
    dir.ok(&["edit", "x.torrent", "-c", "new", "-o", "y.torrent", "--force"]);
    assert_eq!(shown("y.torrent")["comment"], "new");
}

#[test]
fn edit_refuses_what_it_cannot_read_or_announce_to() {
    let dir = Workdir::new("edit-refuses");
    dir.write("text", b"not a torrent");
    dir.fails(1, &["edit", "text", "-c", "x"]);
    assert_eq!(dir.read("text"), b"not a torrent");
    dir.fails(1, &["edit", "nowhere", "-c", "x"]);
    dir.fails(2, &["edit", "text", "-t", "gopher://x/announce"]);
}
