//! Mutants: faults planted on purpose, each of which the judge or a story must find.
//!
//! A test that never fails proves nothing, and a judge who never finds anything may be asleep. So
//! bugs of the kind that people write (a count off by one, a word forgotten, a check left out) are
//! put into a copy of the source, and the stories are told with it:
//!
//! ```text
//!  src/ tests/stories/ ─▶ a copy below target/ ─▶ each fault: its one line is replaced
//!                                │                in the copy by `good or, if planted, bad`
//!                                ▼
//!                  one build of all faults, all asleep ─▶ the stories pass
//!                                └─ PLANTED=name ───────▶ this story fails, saying this
//! ```
//! The source itself knows nothing of it: no feature, no switch. All faults share one build, because
//! a build takes half a minute and a story a tenth of a second. Each fault names its line by its
//! text, which must be there exactly once; whoever changes that line mends the table (`faults`).
//!
//! Slow the first time (it builds the few dependencies again), some twenty seconds after a change.

mod faults;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use faults::{FAULTS, Fault};

/// What is copied, below the package.
const COPIED: &[&str] = &["src", "tests/stories", "fixtures/seeds.txt", "fixtures/sim"];

/// The library's switch, in the copy only.
const SWITCH: &str = "
/// Whether this fault is awake.
pub fn planted(name: &str) -> bool {
    static NAME: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    NAME.get_or_init(|| std::env::var(\"PLANTED\").ok()).as_deref() == Some(name)
}
";

/// Only what hashes has to be quick.
const PROFILE: &str = "
[workspace]

[profile.dev]
opt-level = 1
debug = false

[profile.dev.package.\"*\"]
opt-level = 0

[profile.dev.package.sha1]
opt-level = 3

[profile.dev.package.sha1_smol]
opt-level = 3
";

#[test]
fn every_planted_fault_is_found() {
    let copy = plant();
    let stories = build(&copy);
    let names = stories_named();
    let told = tell(&stories, &copy, None, &names);
    assert!(told.status.success(), "with all faults asleep:\n{}", text_of(&told));

    let survivors = Mutex::new(Vec::new());
    let next = Mutex::new(FAULTS.iter());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(fault) = next.lock().unwrap().next() else { return };
                    if let Err(why) = hunt(&stories, &copy, fault) {
                        survivors.lock().unwrap().push(format!("{}: {why}", fault.name));
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(survivors.is_empty(), "not found:\n{}", survivors.join("\n"));
}

/// Wakes one fault and tells its story.
fn hunt(stories: &Path, copy: &Path, fault: &Fault) -> Result<(), String> {
    let told = tell(stories, copy, Some(fault.name), &[fault.story]);
    let text = text_of(&told);
    if told.status.success() {
        return Err(format!("{} passes", fault.story));
    }
    if !text.contains(fault.says) {
        let end = text.len().saturating_sub(700);
        let end = (end..).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        return Err(format!("nobody says {:?}, but:\n{}", fault.says, &text[end..]));
    }
    Ok(())
}

fn tell(stories: &Path, copy: &Path, fault: Option<&str>, names: &[&str]) -> Output {
    let mut command = Command::new(stories);
    command.args(names).arg("--exact").current_dir(copy);
    command.env("SEEDS", "3").env_remove("SEED").env_remove("PLANTED");
    if let Some(name) = fault {
        command.env("PLANTED", name);
    }
    command.output().expect("the stories were built a moment ago")
}

fn stories_named() -> Vec<&'static str> {
    let mut names: Vec<&str> = FAULTS.iter().map(|fault| fault.story).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn text_of(told: &Output) -> String {
    let both = [&told.stdout[..], &told.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

// ── The copy ────────────────────────────────────────────────────────────────────────────────

/// Makes the copy, with all faults in it, asleep. Returns where it is.
fn plant() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let mut kept = Vec::new();
    for from in COPIED {
        for file in files_below(&here.join(from)) {
            let name = file.strip_prefix(here).expect("below the package");
            let text = fs::read_to_string(&file).expect("the source is text");
            kept.push(put(&copy, name, &with_faults(name, text)));
        }
    }
    let cargo = fs::read_to_string(here.join("Cargo.toml")).expect("there is one");
    let lock = fs::read_to_string(here.join("Cargo.lock")).expect("there is one");
    put(&copy, Path::new("Cargo.toml"), &manifest(&cargo));
    put(&copy, Path::new("Cargo.lock"), &lock);
    // What was renamed or removed since the last time must not be built again.
    for file in files_below(&copy.join("src")).into_iter().chain(files_below(&copy.join("tests"))) {
        if !kept.contains(&file) {
            fs::remove_file(file).expect("ours to remove");
        }
    }
    copy
}

fn with_faults(name: &Path, mut text: String) -> String {
    for fault in FAULTS.iter().filter(|fault| Path::new("src").join(fault.file) == name) {
        let count = text.matches(fault.good).count();
        let (story, file, good) = (fault.name, fault.file, fault.good);
        assert_eq!(
            count, 1,
            "{story}: {good:?} is in src/{file} {count} times; see where this is done now, and \
             mend the line in tests/mutants/faults.rs"
        );
        let awake = format!("crate::planted({story:?})");
        text = text.replace(fault.good, &fault.bad.replace("PLANTED", &awake));
    }
    if name == Path::new("src/lib.rs") {
        text.push_str(SWITCH);
    }
    text
}

/// The package's own, but built quickly, and without what only other tests need.
fn manifest(cargo: &str) -> String {
    let end = cargo.find("[dev-dependencies]").expect("the manifest has such a part");
    format!("{}{PROFILE}", &cargo[..end])
}

/// Writes a file, unless it says so already: what did not change is not built again.
fn put(copy: &Path, name: &Path, text: &str) -> PathBuf {
    let path = copy.join(name);
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return path;
    }
    fs::create_dir_all(path.parent().expect("it has a name")).expect("a directory for the copy");
    fs::write(&path, text).expect("room for a copy");
    path
}

/// All files below a directory, or the file itself.
fn files_below(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else {
        return if path.is_file() { vec![path.to_owned()] } else { Vec::new() };
    };
    let entries = entries.map(|entry| entry.expect("a readable entry").path());
    entries.flat_map(|entry| files_below(&entry)).collect()
}

/// Builds the stories of the copy. Returns the program.
fn build(copy: &Path) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["test", "--no-run", "--offline", "--quiet", "--test", "stories"])
        .args(["--message-format", "json"])
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env_remove("RUSTFLAGS")
        .current_dir(copy)
        .output()
        .expect("cargo runs this very test");
    assert!(built.status.success(), "the copy does not build:\n{}", text_of(&built));
    let text = String::from_utf8_lossy(&built.stdout);
    let program =
        text.lines().filter_map(|line| line.split("\"executable\":\"").nth(1)).next_back();
    let program = program.and_then(|rest| rest.split('"').next()).expect("cargo names the program");
    PathBuf::from(program)
}
