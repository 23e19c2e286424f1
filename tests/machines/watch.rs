//! Watch: what lies in the directory on the left, what is to be done on the right.

use swarmlet::base::Shelf;

use swarmlet::base::limits::{WATCH_ADDED_PER_LOOK, WATCH_FILES_MAX};
use swarmlet::world::watch::{Ledger, Stamp, Step};

/// A directory, as `name length` each.
fn listed(files: &[(&str, u64)]) -> Shelf<String, Stamp> {
    let stamp = |len| Stamp { len, modified_nanos: 7 };
    files.iter().map(|(name, len)| ((*name).to_owned(), stamp(*len))).collect()
}

fn steps(ledger: &mut Ledger, files: &[(&str, u64)]) -> Vec<(String, Step)> {
    ledger.settle(&listed(files))
}

fn read(name: &str) -> (String, Step) {
    (name.to_owned(), Step::Read)
}

#[test]
fn a_file_is_read_when_it_was_the_same_twice() {
    let mut ledger = Ledger::default();
    assert_eq!(steps(&mut ledger, &[("a", 1)]), []);
    assert_eq!(steps(&mut ledger, &[("a", 2), ("b", 5)]), [], "a grows");
    assert_eq!(steps(&mut ledger, &[("a", 2), ("b", 6)]), [read("a")]);
    let written_anew = Shelf::from_iter([("b".to_owned(), Stamp { len: 6, modified_nanos: 8 })]);
    assert_eq!(ledger.settle(&written_anew), [], "of the same length, but later");
    assert_eq!(ledger.settle(&written_anew), [read("b")]);
}

#[test]
fn what_was_taken_is_renamed_and_what_was_refused_is_left_until_it_changes() {
    let mut ledger = Ledger::default();
    let files = [("bad", 3), ("good", 4)];
    steps(&mut ledger, &files);
    assert_eq!(steps(&mut ledger, &files), [read("bad"), read("good")]);
    ledger.refuse("bad");
    ledger.take("good");
    for _ in 0..2 {
        // Once more, should the book not be safe yet.
        assert_eq!(steps(&mut ledger, &files), [("good".to_owned(), Step::Rename)]);
    }
    ledger.leave("good");
    assert_eq!(steps(&mut ledger, &files), [], "it cannot be renamed");
    assert_eq!(steps(&mut ledger, &[("bad", 9), ("good", 4)]), []);
    assert_eq!(steps(&mut ledger, &[("bad", 9)]), [read("bad")], "mended");
    // Who was away is new.
    assert_eq!(steps(&mut ledger, &files), []);
    assert_eq!(steps(&mut ledger, &files), [read("bad"), read("good")]);
}

#[test]
fn thousands_of_files_are_taken_a_few_at_a_time_and_never_more_are_known() {
    let names: Vec<String> = (0..WATCH_FILES_MAX + 5).map(|n| format!("{n:06}")).collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let mut ledger = Ledger::default();
    let mut left = files.clone();
    let mut taken = 0;
    assert_eq!(steps(&mut ledger, &left), []);
    for _ in 0..20 {
        let steps = steps(&mut ledger, &left);
        assert_eq!(steps.len(), WATCH_ADDED_PER_LOOK);
        for (name, _) in &steps {
            ledger.take(name);
            taken += 1;
        }
        left.retain(|(name, _)| !steps.iter().any(|(step, _)| step == name));
    }
    assert_eq!(taken, 20 * WATCH_ADDED_PER_LOOK);
}
