//! Explain: in a record, nobody is asked, choked or unchoked without a reason.

use std::collections::BTreeMap;

use swarmlet::lab::Line;
use swarmlet::lab::experiment::{Keep, Setup, find};

/// Enough peers that not everybody has a place.
fn record(name: &str) -> String {
    let line = Line { up: Some(128 * 1024), down: Some(1024 * 1024) };
    let setup = Setup { peers: 16, bytes: 2_000_000, line, ..Setup::default() };
    let experiment = find(name).expect("it is on the list");
    let played = experiment.play(&setup, 3, Keep { record: true, film: false });
    assert_eq!(played.verdict, Ok(()), "{name}");
    played.lab.record().text().to_owned()
}

/// The last reasons that one node gave about one connection.
#[derive(Default)]
struct Given<'r> {
    piece: &'r str,
    block: &'r str,
    choking: &'r str,
}

/// Reads a record line by line, and requires what it says to follow from its reasons.
fn require_reasons(name: &str, text: &str) {
    let mut given: BTreeMap<(&str, &str), Given> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let (Some(&who), Some(&word), Some(&conn)) = (words.first(), words.get(1), words.get(2))
        else {
            continue;
        };
        let given = given.entry((who, conn)).or_default();
        match (word, words.get(3), words.get(4)) {
            ("because", Some(_whose), Some(&"piece")) => given.piece = words[5],
            ("because", Some(_whose), Some(&"block")) => given.block = words[5],
            ("because", Some(_whose), Some(&what)) => given.choking = what,
            ("says", Some(&"request"), Some(&range)) => {
                let (piece, _) = range.split_once('+').expect("piece+begin+len");
                let is_piece = given.piece == format!("{piece}:");
                assert!(is_piece || given.block == format!("{range}:"), "{name}: {line}");
            }
            ("says", Some(&said @ ("choke" | "unchoke")), _) => {
                assert_eq!(given.choking, format!("{said}:"), "{name}: {line}");
            }
            _ => {}
        }
    }
}

#[test]
fn whoever_is_asked_or_choked_can_read_why() {
    for name in ["swarm", "free-riders", "last-block", "slow-seed", "poison"] {
        require_reasons(name, &record(name));
    }
}

#[test]
fn each_rule_of_the_picker_and_the_choker_shows_in_some_record() {
    let texts: String = ["slow-seed", "free-riders", "poison"].map(record).concat();
    let reasons = [
        "rarest first",
        "random first",
        "unique",
        "orphan",
        "end game",
        "unchoke: free place",
        "unchoke: its turn",
        "unchoke: by lot",
        "unchoke: gives much",
        "stays: gives much",
        "choke: turn is over",
        "choke: others go first",
    ];
    for reason in reasons {
        assert!(texts.contains(reason), "nobody ever says: {reason}");
    }
}
