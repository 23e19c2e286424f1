//! Bad inputs to the real binary: what it refuses costs no memory, what it shows is clean, and what
//! it writes stays inside of the download directory.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::workdir::{Running, SWARMLET, Workdir, lines_of, one_clean_line, value};

const HEX: &str = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a";

/// Address space enough for the program and the largest .torrent that it reads, and for no claim.
const ROOM_KIB: u32 = 48 * 1024;

#[test]
fn rows_1_to_18_what_is_refused_is_refused_in_little_memory() {
    let dir = Workdir::new("little-memory");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut paths = Vec::new();
    for folder in ["torrents/bad", "bencode/bad"] {
        let entries = fs::read_dir(fixtures.join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    assert!(paths.iter().any(|path| path.ends_with("length-2222222222.torrent")));
    // Row 3, as long as it may be, and row 9.
    paths.push(dir.write("lists", &vec![b'l'; 10 << 20]));
    paths.push(dir.write("dictionaries", &b"d1:a".repeat(2 << 20)));
    paths.push(dir.path("sparse"));
    fs::File::create(dir.path("sparse")).unwrap().set_len(1 << 40).unwrap();
    for path in paths {
        let script = format!("ulimit -v {ROOM_KIB}; exec \"$0\" info \"$1\"");
        let mut command = Command::new("sh");
        let output = command.args(["-c", &script, SWARMLET]).arg(&path).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}: {err}", path.display());
        one_clean_line(&err);
    }
}

#[test]
fn row_26_no_text_of_a_torrent_commands_a_terminal() {
    let dir = Workdir::new("clean-text");
    let nasty = "a\u{1b}[2Jb\u{9b}2Jc\u{202e}d\u{200b}e\u{feff}f\u{7}";
    let field = |key: &str| format!("{}:{key}{}:{nasty}", key.len(), nasty.len());
    let torrent = format!(
        "d{}{}4:infod6:lengthi1e{}12:piece lengthi16384e6:pieces20:{}ee",
        field("comment"),
        field("created by"),
        field("name"),
        "x".repeat(20),
    );
    dir.write("nasty.torrent", torrent.as_bytes());
    fs::create_dir(dir.path("there")).unwrap();
    let verify: &[&str] = &["verify", "nasty.torrent", "-d", "there"];
    let shown: &[&[&str]] = &[
        &["info", "nasty.torrent"],
        &["info", "--json", "nasty.torrent"],
        &["magnet", "nasty.torrent"],
        verify,
    ];
    for words in shown {
        let ran = dir.run(words);
        assert_eq!(ran.code, Some(i32::from(*words == verify)), "{words:?}: {ran:?}");
        for text in [ran.out, ran.err] {
            let bad = |letter: char| {
                letter != '\n' && letter.is_control() || "\u{202e}\u{200b}\u{feff}".contains(letter)
            };
            assert!(!text.contains(bad), "{words:?}: {text:?}");
        }
    }
}

#[test]
fn rows_35_to_38_bad_magnet_links_are_refused_and_bad_names_are_cleaned() {
    let dir = Workdir::new("magnets");
    let link = |rest: &str| format!("magnet:?xt=urn:btih:{rest}");
    let other = HEX.replace('c', "d");
    let large = "x".repeat(70_000);
    for (link, told) in [
        (link(&HEX[1..]), "40 hex or 32 base32"),
        (link(&format!("{HEX}0")), "40 hex or 32 base32"),
        (link(&format!("zz{}", &HEX[2..])), "40 hex or 32 base32"),
        (link(&"A".repeat(31)), "40 hex or 32 base32"),
        ("magnet:?dn=x".into(), "no info-hash"),
        (link(&format!("{HEX}&xt=urn:btih:{other}")), "two different info-hashes"),
        ("magnet:?xt=urn:btmh:1220aabb".into(), "only version 1"),
        (link(&format!("{HEX}&dn={large}")), "more than 65536 bytes"),
    ] {
        let line = dir.fails(1, &["info", &link]);
        assert!(line.contains(told), "{link:.80}\n  says {line}\n  not  {told}");
    }
    let long = "%c3%a4".repeat(5_000);
    for name in ["%00%1b%5b31mred", "%e2%80%aegnp.exe", "50%zz", "%ff", &long] {
        let out = dir.ok(&["info", &link(&format!("{HEX}&dn={name}"))]);
        assert!(
            !out.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')),
            "{out:?}"
        );
        assert!(out.len() < 600, "{out}");
    }
    let many: String = (0..3_000).map(|number| format!("&tr=http://t{number}/")).collect();
    let out = dir.ok(&["info", &link(&format!("{HEX}{many}"))]);
    assert!(out.contains("http://t63/") && !out.contains("http://t64/"), "{out}");
}

#[test]
fn row_29_nothing_is_written_through_a_link_that_stands_in_the_way() {
    let dir = Workdir::new("links-out");
    let album = dir.album();
    let mut sharer = dir.start(&["share", album, "--listen", "127.0.0.1:0"]);
    let addr = sharer.ready("listen");
    // A link where a file, where a sub-directory and where the torrent's own folder should be.
    for at in ["album/one.flac", "album/scans", "album"] {
        let _ = fs::remove_dir_all(dir.path("copy"));
        let _ = fs::remove_dir_all(dir.path("outside"));
        fs::create_dir_all(dir.path("outside")).unwrap();
        fs::create_dir_all(dir.path("copy").join(at).parent().unwrap()).unwrap();
        let target = match at {
            "album/one.flac" => dir.write("outside/precious", b"precious"),
            _a_directory => dir.path("outside"),
        };
        symlink(&target, dir.path("copy").join(at)).unwrap();
        let get = ["get", "album.torrent", "-d", "copy", "-l", "127.0.0.1:0", "--peer", &addr];
        let mut getter = dir.start(&get);
        let trouble = getter.wait_for("disk-trouble ");
        assert!(value(&trouble, "reason").contains("something else stands"), "{at}: {trouble}");
        assert_eq!(getter.stop(), Some(1), "{at}");
        let names: Vec<_> = fs::read_dir(dir.path("outside")).unwrap().collect();
        assert_eq!(names.len(), usize::from(at == "album/one.flac"), "{at}: {names:?}");
        if at == "album/one.flac" {
            assert_eq!(dir.read("outside/precious"), b"precious");
        }
        // Nor is what lies behind the link taken for ours, or shared.
        assert!(fs::symlink_metadata(dir.path("copy").join(at)).unwrap().is_symlink());
        dir.fails(1, &["verify", "album.torrent", "--dir", "copy"]);
    }
    assert_eq!(sharer.stop(), Some(0));
}

#[test]
fn row_74_idle_connections_keep_nobody_out_however_few_descriptors_there_are() {
    let script = "ulimit -n 100; exec \"$0\" tracker --http 127.0.0.1:0";
    let mut command = Command::new("sh");
    let mut child = command.args(["-c", script, SWARMLET]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    let mut tracker = Running { child, lines, seen: Vec::new() };
    let addr = tracker.ready("http");
    let began = Instant::now();
    let idle: Vec<_> = (0..150).map(|_| TcpStream::connect(&addr).unwrap()).collect();
    let mut stream = TcpStream::connect(&addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
    stream.write_all(b"GET /x HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    // Not because the others had become too old.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    drop(idle);
    assert_eq!(tracker.stop(), Some(0));
}
