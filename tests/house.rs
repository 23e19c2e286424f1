//! The house rules, as a test.
//!
//! What this program promises about its own shape (floors, purity, no hidden sharing) is checked
//! here by reading the source, line by line. Each failure prints the place, the rule, and why the
//! rule is there. Exceptions stand in one list, each with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms, by floor. A room may name rooms of lower floors, and itself.
const FLOORS: &[(u32, &[&str])] = &[
    (0, &["base"]),
    (1, &["format"]),
    (2, &["wire"]),
    (3, &["border", "dht", "peer", "tracker"]),
    (4, &["torrent"]),
    (5, &["engine"]),
    (6, &["rpc", "trace"]),
    (7, &["world", "lab"]),
    (8, &["command"]),
];

/// Words that reach for the operating system: only in `world` and `command`.
const WORLDLY: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::thread",
    "Instant",
    "SystemTime",
    "mio::",
    "rustix::",
    "nix::",
    "signal_hook",
    "std::process",
    "std::env",
];

/// Words that share or hide state: not on floors 0 to 6.
const SHARING: &[&str] =
    &["Rc<", "RefCell", "Mutex", "Arc<", "RwLock", "dyn ", "Box<dyn", "static mut"];

/// Files that may take `out: &mut Vec<Output>`: the front doors, where effects are decided.
const FRONT_DOORS: &[&str] = &[
    "torrent/mod.rs",
    "torrent/life.rs",
    "torrent/fetch.rs",
    "torrent/gains.rs",
    "torrent/goal.rs",
    "torrent/serve.rs",
    "torrent/superseed.rs",
    "torrent/turn.rs",
    "torrent/webs.rs",
    "torrent/will.rs",
    "torrent/exchange.rs",
    "torrent/extend.rs",
    "torrent/prospect.rs",
    "engine/",
    "trace/replay.rs",
    "lab/",
    "world/",
];

/// (file, word, reason): places where a rule does not hold, and may not.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "base/order.rs",
    "dyn ",
    "a comparison that lives for one call, so that one sort does for all",
)];

struct Source {
    /// Path below `src/`, with `/`.
    path: String,
    room: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&src).expect("below src").to_string_lossy().into_owned();
            let room = path.split('/').next().expect("a first part").to_string();
            Source { text: fs::read_to_string(&file).expect("readable source"), path, room }
        })
        .collect()
}

/// The code of a line: without a trailing comment, and empty for a comment line.
fn code(line: &str) -> &str {
    let code = line.split("//").next().unwrap_or("");
    code.trim_end()
}

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|&(floor, _)| floor)
}

/// Runs `find` on each line of code; it returns the offending word. Reports all of them at once.
fn forbid(rule: &str, why: &str, find: impl Fn(&Source, &str) -> Option<String>) {
    let mut offences = Vec::new();
    for source in sources() {
        for (number, line) in (1..).zip(source.text.lines()) {
            let Some(word) = find(&source, code(line)) else { continue };
            let excused = EXCEPTIONS.iter().any(|(p, w, _)| *p == source.path && *w == word);
            if !excused {
                offences.push(format!("src/{}:{number}: {word}", source.path));
            }
        }
    }
    assert!(offences.is_empty(), "{rule}\n  why: {why}\n  {}", offences.join("\n  "));
}

#[test]
fn imports_go_down_only() {
    forbid(
        "a room names only rooms of lower floors, or itself",
        "a reader of a floor needs only the floors below it, and no cycle can hide",
        |source, line| {
            let here = floor(&source.room)?;
            let rest = line.split("crate::").skip(1);
            for part in rest {
                let named: String =
                    part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let there = floor(&named)?;
                if named != source.room && there >= here {
                    return Some(format!("crate::{named} (floor {there}) from floor {here}"));
                }
            }
            None
        },
    );
}

#[test]
fn every_room_has_a_floor() {
    for source in sources() {
        if source.path.contains('/') {
            assert!(floor(&source.room).is_some(), "src/{}: its room has no floor", source.path);
        }
    }
}

#[test]
fn the_operating_system_is_met_in_world_and_command_only() {
    forbid(
        "no socket, file, clock or thread outside world/ and command/",
        "what decides is pure, so that the lab can run it in virtual time, and a test can print it",
        |source, line| {
            let worldly = ["world", "command", "main.rs"].contains(&source.room.as_str());
            let word = WORLDLY.iter().find(|word| line.contains(**word))?;
            (!worldly).then(|| word.to_string())
        },
    );
}

#[test]
fn nothing_is_shared_on_the_lower_floors() {
    forbid(
        "no Rc, RefCell, Mutex, Arc, dyn on floors 0 to 6",
        "whoever owns a thing is the only one who can change it: no lock order, no borrow panics",
        |source, line| {
            let low = floor(&source.room).is_some_and(|floor| floor <= 6);
            let word = SHARING.iter().find(|word| line.contains(**word))?;
            low.then(|| word.to_string())
        },
    );
}

#[test]
fn real_torrents_are_hashed_by_sha_1_alone() {
    forbid(
        "the stand-in for SHA-1 is named in format/ and lab/ only",
        "a checksum that anybody can forge must never judge a piece that came from a stranger",
        |source, line| {
            let words = ["with_stand_in_hashes", "StandIn", "stand_in::", "Hashing::"];
            let word = words.into_iter().find(|word| line.contains(word))?;
            let where_it_is_made = ["format/stand_in.rs", "format/digest.rs", "format/layout.rs"];
            let allowed = source.room == "lab" || where_it_is_made.contains(&source.path.as_str());
            (!allowed).then(|| word.to_string())
        },
    );
}

#[test]
fn hash_maps_are_not_walked_on_the_lower_floors() {
    forbid(
        "no HashMap or HashSet on floors 0 to 6",
        "their order differs between runs; the same seed must give the same run",
        |source, line| {
            let low = floor(&source.room).is_some_and(|floor| floor <= 6);
            let word = ["HashMap", "HashSet"].into_iter().find(|word| line.contains(word))?;
            low.then(|| word.to_string())
        },
    );
}

#[test]
fn effects_are_decided_at_front_doors() {
    forbid(
        "out: &mut Vec<Output> only in front doors",
        "a leaf that cannot act cannot act at the wrong moment: it returns what it found",
        |source, line| {
            let front = FRONT_DOORS.iter().any(|door| source.path.starts_with(door));
            (!front && line.contains("&mut Vec<Output>")).then(|| "&mut Vec<Output>".to_string())
        },
    );
}

#[test]
fn nothing_is_unwrapped_and_nothing_is_unsafe() {
    forbid(
        "no unwrap(), no unsafe in src",
        "expect says why it cannot fail; unsafe code is forbidden at the crate root as well",
        |_, line| {
            let words = [".unwrap()", "unsafe ", "todo!(", "unimplemented!(", "dbg!("];
            words.into_iter().find(|word| line.contains(word)).map(str::to_string)
        },
    );
    let root = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    assert!(root.contains("#![forbid(unsafe_code)]"), "src/lib.rs must forbid unsafe code");
}

#[test]
fn printing_never_panics() {
    forbid(
        "no print! and println! in src",
        "they panic when standard output is a closed pipe; use writeln! and look at the result",
        |_, line| {
            let words = ["print!(", "println!(", "eprint!(", "eprintln!("];
            words.into_iter().find(|word| line.contains(word)).map(str::to_string)
        },
    );
}

#[test]
fn every_file_says_what_it_is() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "src/{} does not open with //!", source.path);
        let stub = source.text.contains(&["(to be", " written"].concat());
        assert!(!stub, "src/{} is a stub", source.path);
    }
    let mut tests = Vec::new();
    rust_files(&root().join("tests"), &mut tests);
    for file in tests {
        let text = fs::read_to_string(&file).expect("readable test");
        assert!(text.starts_with("//! "), "{} does not open with //!", file.display());
        // Put together here, so that this very line does not count.
        let stub = ["(to be", " written)"].concat();
        assert!(!text.contains(&stub), "{} is a stub", file.display());
    }
}

/// Paths like `wire/link.rs` that a text names.
fn named_files(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_alphanumeric() || "/_.-".contains(c)))
        .filter(|word| word.ends_with(".rs") && word.contains('/'))
        .map(|word| word.trim_start_matches("src/").to_string())
        .collect()
}

#[test]
fn the_map_and_the_tour_name_files_that_exist() {
    let map = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let files = [named_files(&map), named_files(&readme)].concat_sets();
    assert!(files.len() > 10, "the tour is missing");
    for file in files {
        let exists = root().join("src").join(&file).exists() || root().join(&file).exists();
        assert!(exists, "{file} is named in the map or in the README and does not exist");
    }
}

trait ConcatSets {
    fn concat_sets(self) -> BTreeSet<String>;
}

impl ConcatSets for [BTreeSet<String>; 2] {
    fn concat_sets(self) -> BTreeSet<String> {
        self.into_iter().flatten().collect()
    }
}

/// Numbers after the word BEP.
fn beps(text: &str) -> BTreeSet<u32> {
    text.split("BEP ")
        .skip(1)
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

#[test]
fn every_bep_named_in_code_is_in_the_readme_and_the_reverse() {
    let code: BTreeSet<u32> = sources().iter().flat_map(|source| beps(&source.text)).collect();
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let table: BTreeSet<u32> = beps(&readme);
    let unlisted: Vec<_> = code.difference(&table).collect();
    let unknown: Vec<_> = table.difference(&code).collect();
    assert!(unlisted.is_empty(), "named in code, not in README: {unlisted:?}");
    assert!(unknown.is_empty(), "named in README, not in code: {unknown:?}");
}

#[test]
fn every_bad_fixture_has_its_reason() {
    let dir = root().join("fixtures/torrents/bad");
    let reasons = fs::read_to_string(dir.join("REASONS")).expect("fixtures/torrents/bad/REASONS");
    for entry in fs::read_dir(&dir).expect("fixtures/torrents/bad") {
        let name = entry.expect("a readable entry").file_name().to_string_lossy().into_owned();
        if name.ends_with(".torrent") {
            let told = reasons.lines().any(|line| line.starts_with(&format!("{name}:")));
            assert!(told, "{name} has no line in fixtures/torrents/bad/REASONS");
        }
    }
}

#[test]
fn every_row_of_bad_inputs_names_tests_that_exist() {
    let mut files = Vec::new();
    rust_files(&root().join("tests"), &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("readable test");
        for after in text.split("#[test]\n").skip(1) {
            // `#[should_panic]` may stand between.
            let line = after.lines().map(str::trim_start).find(|line| !line.starts_with("#["));
            let name = line.and_then(|line| line.strip_prefix("fn ")?.split_once('('));
            tests.extend(name.map(|(name, _)| name.to_owned()));
        }
    }
    let rows = fs::read_to_string(root().join("fixtures/rows.txt")).expect("fixtures/rows.txt");
    let mut last = 0;
    for line in rows.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [row, _what, named] = line.splitn(3, " | ").collect::<Vec<_>>()[..] else {
            panic!("not `row | what comes | tests`: {line}");
        };
        let row: u32 = row.parse().expect("a number");
        assert!(row > last, "row {row} comes after row {last}");
        last = row;
        for name in named.split(", ") {
            assert!(tests.contains(name), "row {row} names {name}, which is no test");
        }
    }
    // The other way round: a test that is called after a row stands in the table.
    let is_of_row = |name: &&String| {
        let rest = name.strip_prefix("rows_").or_else(|| name.strip_prefix("row_"));
        rest.is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
    };
    for name in tests.iter().filter(is_of_row) {
        assert!(rows.contains(name.as_str()), "{name} does not stand in fixtures/rows.txt");
    }
}
