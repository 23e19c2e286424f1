//! The program without its features: it does the rest, and says what it was built without.
//!
//! Built with some of them, only what it says of the others is looked at.

use std::process::{Command, Output};

fn swarmlet(words: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_swarmlet"));
    program.args(words).output().expect("the program runs")
}

#[test]
fn what_was_left_out_is_named_with_the_feature_that_brings_it() {
    // Words, what is missing, and the feature; exit 2 for wrong usage, 1 for what came to nothing.
    let table: &[(&[&str], &str, &str, i32, bool)] = &[
        (&["status"], "'status'", "remote", 2, cfg!(feature = "remote")),
        (&["verify", "3"], "remote control", "remote", 2, cfg!(feature = "remote")),
        (&["peer", "--rpc", "127.0.0.1:1"], "--rpc", "remote", 2, cfg!(feature = "remote")),
        (&["peer", "--watch", "."], "--watch", "remote", 2, cfg!(feature = "remote")),
        (&["dht"], "'dht'", "dht", 2, cfg!(feature = "dht")),
        (&["peer", "--dht"], "the DHT", "dht", 2, cfg!(feature = "dht")),
        (&["lab"], "'lab'", "lab", 2, cfg!(feature = "lab")),
        (&["trace", "x"], "'trace'", "trace", 2, cfg!(feature = "trace")),
    ];
    for &(words, what, feature, code, is_in) in table {
        if is_in {
            continue;
        }
        let Output { status, stdout, stderr } = swarmlet(words);
        let said = String::from_utf8(stderr).expect("text");
        assert_eq!((status.code(), stdout.len()), (Some(code), 0), "{words:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        let expected = format!("this swarmlet was built without {what}");
        assert!(said.contains(&expected), "{words:?}: {said}");
        assert!(said.contains(&format!("--features {feature}")), "{words:?}: {said}");
    }
}

#[test]
fn the_version_says_what_is_missing() {
    let said = String::from_utf8(swarmlet(&["--version"]).stdout).expect("text");
    let features = [
        ("dht", cfg!(feature = "dht")),
        ("lab", cfg!(feature = "lab")),
        ("remote", cfg!(feature = "remote")),
        ("sha-hw", cfg!(feature = "sha-hw")),
        ("trace", cfg!(feature = "trace")),
    ];
    let (name, missing) = said.trim_end().split_once(", without ").unwrap_or((said.trim_end(), ""));
    assert_eq!(name, concat!("swarmlet ", env!("CARGO_PKG_VERSION")));
    let expected = features.iter().filter(|(_, is_in)| !is_in).map(|(name, _)| *name);
    assert_eq!(missing, expected.collect::<Vec<_>>().join(", "));
}
