//! Metainfo and drafts: torrent files that must load, that must not, and that we write.
//!
//! The fixtures' info-hashes in `HASHES` were computed by another program, over the raw bytes.

use std::fs;

use proptest::prelude::*;
use swarmlet::base::limits::TORRENT_NODES_MAX;
use swarmlet::base::limits::{
    DUPLICATE_NAMES_MAX, FILES_MAX, TORRENT_FILE_BYTES_MAX, TRACKERS_MAX, URL_BYTES_MAX,
    WARNINGS_MAX,
};
use swarmlet::format::bencode::{Dict, Item, Strictness, Writer, scan};
use swarmlet::format::draft::{Draft, Edit, edit};
use swarmlet::format::layout::{File, Layout};
use swarmlet::format::metainfo::Metainfo;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/torrents");

fn fixture(kind: &str, name: &str) -> Vec<u8> {
    fs::read(format!("{FOLDER}/{kind}/{name}")).expect("a readable fixture")
}

/// The lines of a table in the fixtures' folder, cut in two at `separator`.
fn table(path: &str, separator: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(format!("{FOLDER}/{path}")).expect("a readable table");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(separator).expect("two columns"))
        .map(|(left, right)| (left.to_string(), right.to_string()))
        .collect()
}

/// The names of all torrents in a fixtures' folder, sorted.
fn names(kind: &str) -> Vec<String> {
    let entries = fs::read_dir(format!("{FOLDER}/{kind}")).expect("the fixtures are there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII"))
        .filter(|name| name.ends_with(".torrent"))
        .collect();
    names.sort();
    names
}

fn good(name: &str) -> Metainfo {
    let metainfo = Metainfo::parse(&fixture("good", &format!("{name}.torrent"))).expect(name);
    metainfo.layout.check();
    metainfo
}

/// The files that are stored: path and length.
fn stored(metainfo: &Metainfo) -> Vec<(String, u64)> {
    let files = metainfo.layout.files().iter().filter(|file| !file.pad);
    files.map(|file| (file.path.join("/"), file.len)).collect()
}

fn expect_stored(metainfo: &Metainfo, expected: &[(&str, u64)]) {
    let expected: Vec<_> = expected.iter().map(|&(path, len)| (path.to_string(), len)).collect();
    assert_eq!(stored(metainfo), expected);
}

/// A .torrent made of raw parts: `outer` goes before the key `info`, `info` into it.
fn torrent(outer: &[u8], info: &[u8]) -> Vec<u8> {
    [b"d", outer, b"4:infod", info, b"ee"].concat()
}

/// The `info` of a multi-file torrent of one piece, with raw `files`.
fn info_of(files: &[u8]) -> Vec<u8> {
    let rest = b"4:name1:n12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxx";
    [b"5:filesl", files, b"e", &rest[..]].concat()
}

/// The `info` of a small single-file torrent with this name.
fn info_named(name: &[u8]) -> Vec<u8> {
    let mut info = b"6:lengthi1e4:name".to_vec();
    info.extend_from_slice(format!("{}:", name.len()).as_bytes());
    info.extend_from_slice(name);
    info.extend_from_slice(b"12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxx");
    info
}

/// One file dictionary of length 1.
fn file(components: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.begin_dict().key("length").int(1).key("path").begin_list();
    for component in components {
        writer.bytes(component);
    }
    writer.end().end();
    out
}

fn refusal(bytes: &[u8]) -> String {
    Metainfo::parse(bytes).expect_err("refused").to_string()
}

#[test]
fn good_fixtures_have_the_info_hash_that_others_compute() {
    let hashes = table("good/HASHES", "  ");
    let listed: Vec<&String> = hashes.iter().map(|(_, name)| name).collect();
    assert_eq!(listed, names("good").iter().collect::<Vec<_>>(), "each fixture has its hash");
    for (hash, name) in &hashes {
        let metainfo = Metainfo::parse(&fixture("good", name)).expect(name);
        assert_eq!(metainfo.info_hash.to_string(), *hash, "{name}");
        assert_eq!(metainfo.piece_hashes.len(), metainfo.layout.piece_count() as usize);
    }
}

#[test]
fn bad_fixtures_are_refused_with_their_reason() {
    let reasons = table("bad/REASONS", ": ");
    let listed: Vec<&String> = reasons.iter().map(|(name, _)| name).collect();
    assert_eq!(listed, names("bad").iter().collect::<Vec<_>>(), "each fixture has its reason");
    for (name, reason) in &reasons {
        let why = refusal(&fixture("bad", name));
        assert!(why.contains(reason), "{name}: {why:?} does not say {reason:?}");
        assert!(!why.contains('\n') && why.len() < 200, "{name}: {why:?}");
    }
}

#[test]
fn a_single_file_is_read_field_by_field() {
    let metainfo = good("single");
    assert_eq!(metainfo.name, "single.bin");
    expect_stored(&metainfo, &[("single.bin", 100_000)]);
    assert_eq!(metainfo.layout.piece_bytes(), 16384);
    assert_eq!(metainfo.layout.piece_count(), 7);
    assert!(!metainfo.private);
    assert_eq!(metainfo.trackers, [["http://127.0.0.1:8000/announce"]]);
    assert_eq!(metainfo.comment, None);
    assert_eq!(metainfo.created_by.as_deref(), Some("fixture"));
    assert_eq!(metainfo.creation_date, Some(1_700_000_000));
    assert_eq!(metainfo.warnings, Vec::<String>::new());
}

#[test]
fn many_files_lie_below_the_name() {
    let metainfo = good("many");
    let expected = [("many/a.txt", 1000), ("many/sub/b.bin", 50_000), ("many/sub/deeper/c", 7)];
    expect_stored(&metainfo, &expected);
    assert_eq!(metainfo.comment.as_deref(), Some("three files"));
    let expected = [("empty/first", 20_000), ("empty/nothing", 0), ("empty/last", 20_000)];
    expect_stored(&good("empty-in-the-middle"), &expected);
    assert_eq!(good("piece-length-12345").layout.piece_bytes(), 12345);
    assert!(good("private").private);
}

#[test]
fn tiers_keep_their_order() {
    assert_eq!(
        good("tiers").trackers,
        [
            vec!["http://127.0.0.1:8000/announce", "udp://127.0.0.1:8001"],
            vec!["https://tracker.example/announce"]
        ]
    );
}

#[test]
fn names_in_any_script_stay_as_they_are() {
    let metainfo = good("unicode");
    let expected = [
        ("Grüße/日本語.txt", 10),
        ("Grüße/émoji 👩\u{200d}💻.bin", 20),
        ("Grüße/نمی\u{200c}خواهم", 30),
    ];
    expect_stored(&metainfo, &expected);
    assert_eq!(metainfo.comment.as_deref(), Some("Grüße · 你好"));
    assert_eq!(metainfo.warnings, Vec::<String>::new());
}

#[test]
fn padding_is_laid_but_not_listed_and_a_hybrid_is_read_as_version_1() {
    for name in ["pad-files", "hybrid"] {
        let metainfo = good(name);
        let root = &metainfo.name;
        expect_stored(&metainfo, &[(&format!("{root}/a"), 10_000), (&format!("{root}/b"), 5_000)]);
        let pad = &metainfo.layout.files()[1];
        assert!(pad.pad);
        assert_eq!((pad.offset, pad.len), (10_000, 6384));
    }
    // BEP 47 does not ask for a path.
    let info = info_of(b"d6:lengthi1e4:pathl1:aeed4:attr1:p6:lengthi9ee");
    let metainfo = Metainfo::parse(&torrent(b"", &info)).expect("a pad file without a path");
    expect_stored(&metainfo, &[("n/a", 1)]);
}

#[test]
fn attributes_and_hashes_of_files_are_read_and_what_is_odd_about_them_means_nothing() {
    let sum = "20:abcdefghijabcdefghij";
    let cases = [
        ("4:attr1:x6:lengthi9e", "", true, false),
        ("4:attr2:hx6:lengthi9e", sum, true, true),
        ("4:attr1:h6:lengthi9e", sum, false, true),
        ("4:attr3:?zq6:lengthi9e", "", false, false),
        ("4:attri7e6:lengthi9e", "19:abcdefghijabcdefghi", false, false),
        ("6:lengthi9e", "i20e", false, false),
        // A link is never made, nor what it would have led to judged.
        ("4:attr2:lx6:lengthi9e", sum, false, false),
    ];
    for (head, sum, executable, has_sum) in cases {
        let sum = if sum.is_empty() { String::new() } else { format!("4:sha1{sum}") };
        let many = info_of(format!("d{head}4:pathl1:ae{sum}e").as_bytes());
        let rest = "4:name1:n12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxx";
        let single = format!("{head}{rest}{sum}").into_bytes();
        for info in [many, single] {
            let metainfo = Metainfo::parse(&torrent(b"", &info)).expect(head);
            let file = &metainfo.layout.files()[0];
            assert_eq!(file.executable, executable, "{head}");
            let expected = has_sum.then(|| Box::new(*b"abcdefghijabcdefghij"));
            assert_eq!(file.sha1, expected, "{head}{sum}");
        }
    }
}

#[test]
fn oddities_load_with_a_warning() {
    let cases = [
        ("unsorted-info", "keys out of order, at byte 73"),
        ("trailing-bytes", "bytes after the end, at byte 162"),
        ("leading-zero", "a number with a leading zero, at byte 59"),
        ("slash-in-name", "the name was changed to \"Haiku R1_beta6 (x86_64)\""),
        ("icon-cr", "1 file names were changed to be safe"),
        ("climbing-paths", "4 file names were changed to be safe"),
        ("clashing-names", "3 file names were taken and got a number"),
        ("symlink", "a symbolic link is replaced by a plain file"),
    ];
    for (name, warning) in cases {
        assert_eq!(good(name).warnings, [warning], "{name}");
    }
}

#[test]
fn paths_never_leave_the_torrents_own_folder() {
    let expected = [
        ("climb/_/_/etc/passwd", 10),
        ("climb/a_.._.._b", 20),
        ("climb/_etc_passwd", 30),
        ("climb/C:_x", 40),
    ];
    expect_stored(&good("climbing-paths"), &expected);
    expect_stored(&good("slash-in-name"), &[("Haiku R1_beta6 (x86_64)", 20_000)]);
    expect_stored(&good("icon-cr"), &[("Mac/Icon_", 100), ("Mac/a", 100)]);
    expect_stored(&good("symlink"), &[("linked/a", 10), ("linked/link", 0)]);
    let table: &[(&[&[u8]], &str)] = &[
        (&[b""], "n/_"),
        (&[b"."], "n/_"),
        (&[b"a", b"..", b"b"], "n/a/_/b"),
        (&[b"\0"], "n/_"),
        (&[b"\xff"], "n/_"),
        (&[b"\xc0\xaf"], "n/__"),
        (&[b"\xed\xa0\x80"], "n/___"),
        (&[b"\x1b[2J"], "n/_[2J"),
        (&[b"\x9b2J"], "n/_2J"),
        (&["a\u{202e}b\u{200b}c\u{feff}".as_bytes()], "n/abc"),
    ];
    for (components, expected) in table {
        let metainfo =
            Metainfo::parse(&torrent(b"", &info_of(&file(components)))).expect("cleaned");
        expect_stored(&metainfo, &[(expected, 1)]);
    }
}

#[test]
fn a_name_that_is_missing_or_empty_is_the_info_hash() {
    let unnamed = b"6:lengthi1e12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxx".to_vec();
    for info in [unnamed, info_named(b"")] {
        let metainfo = Metainfo::parse(&torrent(b"", &info)).expect("loads");
        assert_eq!(metainfo.name, metainfo.info_hash.to_string());
        expect_stored(&metainfo, &[(&metainfo.name, 1)]);
    }
    for name in [&b"."[..], b"..", b"\xe2\x80\x8b", b"/"] {
        assert_eq!(Metainfo::parse(&torrent(b"", &info_named(name))).expect("loads").name, "_");
    }
}

#[test]
fn a_long_name_is_cut_and_keeps_its_extension() {
    let long = ["ä".repeat(2048), ".mkv".to_string()].concat();
    let name = Metainfo::parse(&torrent(b"", &info_named(long.as_bytes()))).expect("loads").name;
    assert!(name.len() <= 255 && name.len() > 250, "{} bytes", name.len());
    assert!(name.starts_with("ää") && name.ends_with("ä.mkv"), "{name}");
}

#[test]
fn a_name_in_utf8_goes_before_one_in_another_charset() {
    let info = b"6:lengthi1e4:name2:\xe4\xf610:name.utf-84:\xc3\xa4\xc3\xb612:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxx";
    assert_eq!(Metainfo::parse(&torrent(b"", info)).expect("loads").name, "äö");
}

#[test]
fn texts_for_people_cannot_command_a_terminal() {
    let nasty = "\u{1b}[2Jab\u{9b}c\u{202e}d\u{200b}e\u{feff}\nf";
    let outer = format!("7:comment{}:{nasty}10:created by{}:{nasty}", nasty.len(), nasty.len());
    let metainfo = Metainfo::parse(&torrent(outer.as_bytes(), &info_named(b"a"))).expect("loads");
    assert_eq!(metainfo.comment.as_deref(), Some("[2Jabcde f"));
    assert_eq!(metainfo.created_by.as_deref(), Some("[2Jabcde f"));
    for line in Metainfo::parse(&torrent(b"", &info_named(nasty.as_bytes()))).expect("").warnings {
        assert!(!line.chars().any(|letter| letter.is_control()), "{line:?}");
    }
}

#[test]
fn clashing_names_are_numbered() {
    let expected = [
        ("clash/a", 10),
        ("clash/a.1/b", 20),
        ("clash/a.2", 30),
        ("clash/x.txt", 1),
        ("clash/x.1.txt", 2),
    ];
    expect_stored(&good("clashing-names"), &expected);
    // The folder first; names that are equal only once they are clean; a name like a number.
    let files: [&[&[u8]]; 6] =
        [&[b"a", b"b"], &[b"a"], &[b"c/d"], &[b"c\\d"], &[b"c_d.1"], &[b"a", b"e"]];
    let files: Vec<u8> = files.iter().flat_map(|components| file(components)).collect();
    let metainfo = Metainfo::parse(&torrent(b"", &info_of(&files))).expect("loads");
    let expected =
        [("n/a/b", 1), ("n/a.1", 1), ("n/c_d", 1), ("n/c_d.1", 1), ("n/c_d.1.1", 1), ("n/a/e", 1)];
    expect_stored(&metainfo, &expected);
}

#[test]
fn more_clashes_than_the_limit_are_refused() {
    let most = info_of(&file(&[b"same"]).repeat(DUPLICATE_NAMES_MAX + 1));
    let metainfo = Metainfo::parse(&torrent(b"", &most)).expect("as many as allowed");
    assert_eq!(metainfo.layout.files().len(), DUPLICATE_NAMES_MAX + 1);
    let more = info_of(&file(&[b"same"]).repeat(DUPLICATE_NAMES_MAX + 2));
    assert!(refusal(&torrent(b"", &more)).starts_with("more than 500 file names clash"));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_kept() {
    let huge = vec![b'x'; 25_000_000];
    let why = refusal(&huge);
    assert!(why.starts_with("25000000 bytes; TORRENT_FILE_BYTES_MAX allows 10485760"), "{why}");
    let files = b"de".repeat(FILES_MAX + 1);
    let why = refusal(&torrent(b"", &info_of(&files)));
    assert!(why.starts_with("more than 1000000 files"), "{why}");
    // As many empty dictionaries as are allowed are refused for what they are.
    let files = b"de".repeat(FILES_MAX);
    assert!(
        refusal(&torrent(b"", &info_of(&files))).starts_with("`path` is missing")
            || refusal(&torrent(b"", &info_of(&files))).starts_with("`length` is missing")
    );
}

#[test]
fn what_fills_the_whole_file_is_read_in_passing() {
    let room = TORRENT_FILE_BYTES_MAX - 1000;
    let lists = b"le".repeat(room / 2);
    for (key, kind) in [("announce-list", "l"), ("comment", "l"), ("creation date", "l")] {
        let outer = [format!("{}:{key}{kind}", key.len()).as_bytes(), &lists, b"e"].concat();
        let metainfo = Metainfo::parse(&torrent(&outer, &info_named(b"a"))).expect(key);
        assert!(metainfo.trackers.is_empty() && metainfo.comment.is_none());
    }
    let path = [b"d6:lengthi1e4:pathl".as_slice(), &b"0:".repeat(room / 2), b"ee"].concat();
    assert!(refusal(&torrent(b"", &info_of(&path))).starts_with("a path deeper than 100"));
}

#[test]
fn the_first_trackers_are_kept_and_the_rest_counted() {
    let mut outer = b"13:announce-listl".to_vec();
    for number in 0..10_000 {
        let url = format!("http://t{number}/");
        outer.extend_from_slice(format!("l{}:{url}e", url.len()).as_bytes());
    }
    outer.push(b'e');
    outer.extend_from_slice(
        [b"8:url-listl".as_slice(), &b"5:http:".repeat(10_000), b"e"].concat().as_slice(),
    );
    // `info` comes before `url-list`; as a whole the file is only unsorted, which is a warning.
    let metainfo = Metainfo::parse(&torrent(&outer, &info_named(b"a"))).expect("loads");
    assert_eq!(metainfo.trackers.len(), TRACKERS_MAX);
    assert_eq!(metainfo.trackers[63], ["http://t63/"]);
    assert!(metainfo.warnings.contains(&"9936 trackers beyond the first 64".to_string()));
}

#[test]
fn trackers_that_nobody_can_reach_are_ignored_with_their_reason() {
    let longest = format!("http://a/{}", "b".repeat(URL_BYTES_MAX - 9));
    let table: &[(&str, Option<&str>)] = &[
        ("http://a/announce", None),
        ("HTTPS://A/announce?passkey=1", None),
        ("udp://a:1", None),
        (&longest, None),
        (&format!("{longest}b"), Some("the URL is too long")),
        ("file:///etc/passwd", Some("not a URL of http")),
        ("javascript:x", Some("not a URL of http")),
        ("wss://a/", Some("not a URL of http")),
        ("http://a\r\nX: y", Some("non-ASCII character in a URL")),
        ("http://a b/", Some("non-ASCII character in a URL")),
        ("http://a/\0", Some("non-ASCII character in a URL")),
        ("http://ä/", Some("non-ASCII character in a URL")),
        ("http://", Some("a URL without a host")),
        ("http:///announce", Some("a URL without a host")),
    ];
    for (url, reason) in table {
        let outer = format!("8:announce{}:{url}", url.len());
        let metainfo =
            Metainfo::parse(&torrent(outer.as_bytes(), &info_named(b"a"))).expect("loads");
        assert_eq!(metainfo.trackers.concat(), if reason.is_none() { vec![*url] } else { vec![] });
        assert_eq!(metainfo.warnings.len(), usize::from(reason.is_some()), "{url:?}");
        for (line, reason) in metainfo.warnings.iter().zip(reason) {
            assert!(line.contains(reason) && line.len() < 250, "{line:?}");
            assert!(line.chars().all(|letter| !letter.is_control()), "{line:?}");
        }
    }
}

#[test]
fn odd_lists_of_trackers_are_read_as_far_as_they_go() {
    let table: &[(&[u8], &[&[&str]])] = &[
        (b"", &[]),
        (b"8:announcei1e", &[]),
        (b"8:announce0:", &[]),
        (b"8:announce12: http://a/\n ", &[&["http://a/"]]),
        (b"8:announce9:http://a/13:announce-listle", &[&["http://a/"]]),
        (b"8:announce9:http://a/13:announce-list4:none", &[&["http://a/"]]),
        (
            b"8:announce9:http://a/13:announce-listl9:http://b/9:http://c/e",
            &[&["http://b/"], &["http://c/"]],
        ),
        (
            b"8:announce9:http://a/13:announce-listll9:http://b/i1ed1:a0:eeleli2eee",
            &[&["http://b/"]],
        ),
        (
            b"8:announce9:http://a/13:announce-listll9:http://b/9:http://b/el9:http://b/ee",
            &[&["http://b/"]],
        ),
        (b"8:announce9:http://a/13:announce-listll6:file:/ee", &[&["http://a/"]]),
    ];
    for (outer, expected) in table {
        let metainfo = Metainfo::parse(&torrent(outer, &info_named(b"a"))).expect("loads");
        assert_eq!(metainfo.trackers, *expected, "{}", outer.escape_ascii());
    }
}

#[test]
fn warnings_are_bounded() {
    let mut outer = b"13:announce-listl".to_vec();
    outer.extend_from_slice(&b"6:file:/".repeat(10_000));
    outer.push(b'e');
    let metainfo = Metainfo::parse(&torrent(&outer, &info_named(b"a"))).expect("loads");
    assert_eq!(metainfo.warnings.len(), WARNINGS_MAX + 1);
    assert_eq!(metainfo.warnings[WARNINGS_MAX], "and 9980 more warnings");
}

#[test]
fn odd_values_of_little_weight_are_dropped_alone() {
    let date = |value: &str| {
        let outer = format!("13:creation date{value}");
        let metainfo = Metainfo::parse(&torrent(outer.as_bytes(), &info_named(b"a")));
        metainfo.expect("loads").creation_date
    };
    assert_eq!(date("i0e"), Some(0));
    assert_eq!(date("i1700000000e"), Some(1_700_000_000));
    for odd in ["i-1e", "i1152921504606846976e", "4:2024", "le", "de"] {
        assert_eq!(date(odd), None, "{odd}");
    }
    let private = |value: &str| {
        let info = [&info_named(b"a"), format!("7:private{value}").as_bytes()].concat();
        Metainfo::parse(&torrent(b"", &info)).expect("loads").private
    };
    assert!(!private("i0e"));
    for odd in ["i1e", "1:1", "1:0", "i2e", "i-1e", "le"] {
        assert!(private(odd), "{odd}");
    }
    let odd = b"7:commenti1e10:created byle";
    let metainfo = Metainfo::parse(&torrent(odd, &info_named(b"a"))).expect("loads");
    assert_eq!((metainfo.comment, metainfo.created_by), (None, None));
}

#[test]
fn every_truncation_of_every_good_fixture_is_refused() {
    for name in names("good") {
        let bytes = fixture("good", &name);
        let end = scan(&bytes, Strictness::Lenient).expect("good").root.raw().len();
        for len in 0..end {
            assert!(Metainfo::parse(&bytes[..len]).is_err(), "{name} cut at {len}");
        }
    }
}

#[test]
fn no_changed_byte_of_any_fixture_panics_or_leaves_the_root() {
    for name in names("good") {
        let bytes = fixture("good", &name);
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            let flips = (0..8).map(|bit| bytes[at] ^ (1 << bit));
            for value in flips.chain(*b"0198:ildep-./\\\0") {
                changed[at] = value;
                let Ok(metainfo) = Metainfo::parse(&changed) else { continue };
                metainfo.layout.check();
                for file in metainfo.layout.files() {
                    assert_eq!(file.path[0], metainfo.name);
                    assert!(file.path.iter().all(|name| is_harmless(name)), "{:?}", file.path);
                }
            }
            changed[at] = bytes[at];
        }
    }
}

fn is_harmless(name: &str) -> bool {
    let dangerous = |letter: char| letter.is_control() || letter == '/' || letter == '\\';
    !["", ".", ".."].contains(&name) && name.len() <= 255 && !name.contains(dangerous)
}

fn draft(files: Vec<File>, piece_bytes: u32) -> Draft {
    let layout = Layout::new(piece_bytes, files).expect("a legal layout");
    let piece_hashes = layout.pieces().map(|piece| [piece.get() as u8; 20]).collect();
    Draft {
        layout,
        piece_hashes,
        private: false,
        trackers: vec![],
        comment: None,
        web_seeds: Vec::new(),
        created_by: None,
        creation_date: None,
    }
}

fn written(draft: &Draft) -> Vec<u8> {
    let mut out = Vec::new();
    draft.write(&mut out);
    out
}

#[test]
fn a_draft_is_written_in_canonical_order() {
    let mut draft = draft(vec![File::new(["a"], 5)], 16384);
    let plain = b"d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ee";
    assert_eq!(written(&draft), plain);
    draft.private = true;
    draft.trackers = vec![vec!["http://a/".into()], vec!["http://b/".into()]];
    draft.comment = Some("c".into());
    draft.created_by = Some("d".into());
    draft.creation_date = Some(1);
    let bytes = written(&draft);
    assert!(bytes.starts_with(
        b"d8:announce9:http://a/13:announce-listll9:http://a/el9:http://b/ee7:comment1:c10:created by1:d13:creation datei1e4:infod6:length"
    ));
    assert!(bytes.ends_with(b"7:privatei1eee"));
    assert!(Dict::parse(&bytes, Strictness::Strict).is_ok());
}

#[test]
fn a_draft_knows_names_that_would_not_survive() {
    let unsafe_name = |path: &[&str]| {
        let draft = draft(vec![File::new(path.iter().copied(), 5)], 16384);
        draft.unsafe_name().map(str::to_string)
    };
    assert_eq!(unsafe_name(&["a", "b.txt"]), None);
    assert_eq!(unsafe_name(&["a", "b\\c"]).as_deref(), Some("b\\c"));
    assert_eq!(unsafe_name(&["a\n"]).as_deref(), Some("a\n"));
}

#[test]
fn editing_never_touches_info() {
    let change = Edit {
        trackers: Some(vec![vec!["http://new/".into(), "udp://new:1".into()]]),
        comment: Some("new".into()),
    };
    for name in names("good") {
        let before = fixture("good", &name);
        let after = edit(&before, &change).expect(&name);
        let info = |bytes| {
            let root = Dict::parse(bytes, Strictness::Lenient).expect("readable");
            root.get("info").map(Item::raw).expect("there")
        };
        assert_eq!(info(&before), info(&after), "{name}");
        let (before, after) = (Metainfo::parse(&before), Metainfo::parse(&after));
        let (before, after) = (before.expect("good"), after.expect("still good"));
        assert_eq!(before.info_hash, after.info_hash, "{name}");
        assert_eq!(after.trackers, [["http://new/", "udp://new:1"]]);
        assert_eq!(after.comment.as_deref(), Some("new"));
        assert_eq!(
            (after.created_by, after.creation_date),
            (before.created_by, before.creation_date)
        );
    }
}

#[test]
fn an_edit_changes_only_what_it_names() {
    let before =
        b"d8:announce9:http://a/13:announce-listll9:http://a/ee7:comment3:old4:infode1:zi7ee";
    let trackers = |urls: &[&str]| Some(vec![urls.iter().map(|url| url.to_string()).collect()]);
    let table: [(Edit, &[u8]); 5] = [
        (Edit::default(), before),
        (
            Edit { comment: Some("new".into()), ..Edit::default() },
            b"d8:announce9:http://a/13:announce-listll9:http://a/ee7:comment3:new4:infode1:zi7ee",
        ),
        (
            Edit { comment: Some(String::new()), ..Edit::default() },
            b"d8:announce9:http://a/13:announce-listll9:http://a/ee4:infode1:zi7ee",
        ),
        (
            Edit { trackers: trackers(&["http://b/"]), ..Edit::default() },
            b"d8:announce9:http://b/7:comment3:old4:infode1:zi7ee",
        ),
        (Edit { trackers: Some(vec![]), ..Edit::default() }, b"d7:comment3:old4:infode1:zi7ee"),
    ];
    for (change, expected) in table {
        assert_eq!(edit(before, &change).expect("edited"), expected, "{change:?}");
    }
    // Keys out of order are put in order, what follows the end is left out.
    let odd = b"d4:infod1:bi1e1:ai01ee1:ci1eegarbage";
    assert_eq!(edit(odd, &Edit::default()).expect("edited"), b"d1:ci1e4:infod1:bi1e1:ai01eee");
    assert!(edit(b"d4:infoi1ee", &Edit::default()).is_err());
    assert!(edit(b"de", &Edit::default()).is_err());
    assert!(edit(b"d4:infode1:a", &Edit::default()).is_err());
}

proptest! {
    #[test]
    fn what_a_draft_says_is_read_back(
        lens in prop::collection::vec(0u64..100_000, 1..8),
        piece_bytes in 1000u32..70_000,
        private: bool,
        urls in prop::collection::vec("http://[a-z]{1,8}/", 0..4),
        comment in prop::option::of("[ -~]{1,40}"),
    ) {
        prop_assume!(lens.iter().sum::<u64>() > 0);
        let files = lens.iter().enumerate();
        let files = files.map(|(at, &len)| File::new(["top".into(), format!("f{at}")], len));
        let mut urls = urls;
        urls.sort();
        urls.dedup();
        let draft = Draft {
            private,
            trackers: urls.into_iter().map(|url| vec![url]).collect(),
            comment,
            creation_date: Some(7),
            ..draft(files.collect(), piece_bytes)
        };
        let metainfo = Metainfo::parse(&written(&draft)).expect("our own");
        prop_assert_eq!(metainfo.layout, draft.layout);
        prop_assert_eq!(metainfo.piece_hashes, draft.piece_hashes);
        prop_assert_eq!(metainfo.private, draft.private);
        prop_assert_eq!(metainfo.trackers, draft.trackers);
        prop_assert_eq!(metainfo.comment, draft.comment);
        prop_assert_eq!(metainfo.creation_date, draft.creation_date);
        prop_assert_eq!(metainfo.warnings, Vec::<String>::new());
    }
}

#[test]
fn nodes_are_hints_kept_up_to_a_limit_and_never_of_a_private_torrent() {
    let info = "4:infod6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    let nodes_of = |private: &str, nodes: &str| -> Vec<String> {
        let file = format!("d{info}{private}e{nodes}e");
        let read = Metainfo::parse(file.as_bytes()).unwrap_or_else(|why| panic!("{file}: {why}"));
        read.nodes.iter().map(ToString::to_string).collect()
    };
    let good = "5:nodesll9:127.0.0.1i6881eel4:hosti4804eel11:2001:db8::1i65535eee";
    let told = ["127.0.0.1:6881", "host:4804", "[2001:db8::1]:65535"];
    assert_eq!(nodes_of("", good), told);
    assert_eq!(nodes_of("7:privatei1e", good), [""; 0]);
    let table: [(&[&str], &[&str]); 5] = [
        (&[], &[]),
        // What is no pair of a text and a number.
        (&["i1e", "4:host", "le", "l4:hoste", "l4:host4:6881e", "li1e4:hoste", "de"], &[]),
        // Ports that nobody has, hosts that are none.
        (&["l4:hosti0ee", "l4:hosti65536ee", "l4:hosti-1ee", "l0:i1ee"], &[]),
        (&["l5:a b:ci1ee", "l2:\u{1b}[i1ee", "l3:a/bi1ee", "l2:\u{fc}i1ee"], &[]),
        // A good one among them, once; what comes behind a pair is not looked at.
        (&["le", "l1:ai7ee", "l1:ai7e3:fooe", "i1e"], &["a:7"]),
    ];
    for (items, expected) in table {
        assert_eq!(nodes_of("", &format!("5:nodesl{}e", items.concat())), expected, "{items:?}");
    }
    for no_list in ["5:nodesi5e", "5:nodesde", "5:nodes4:host"] {
        assert_eq!(nodes_of("", no_list), [""; 0]);
    }
    let long = format!("5:nodesll254:{}i1eee", "a".repeat(254));
    assert_eq!(nodes_of("", &long), [""; 0]);
    let many: String = (0..10_000).map(|number| format!("l5:{number:05}i1ee")).collect();
    assert_eq!(nodes_of("", &format!("5:nodesl{many}e")).len(), TORRENT_NODES_MAX);
}
