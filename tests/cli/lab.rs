//! `lab`: the same words print the same bytes, and its files say the same.

use swarmlet::lab::experiment::EXPERIMENTS;

use crate::workdir::Workdir;

const SMALL: [&str; 7] = ["lab", "swarm", "--peers", "4", "--size", "1M", "--json"];

#[test]
fn every_scenario_is_in_the_help_and_explained_in_the_list() {
    let dir = Workdir::new("lab-list");
    let (help, list) = (dir.ok(&["help", "lab"]), dir.ok(&["lab", "list"]));
    for experiment in EXPERIMENTS {
        let (name, summary) = (experiment.name, experiment.summary);
        assert!(help.contains(&format!("\n  {name:12}  {summary}")), "{name} is not in the help");
        assert!(list.contains(&format!("{name}: {summary}\n\n    ")), "{name} is not in the list");
    }
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
}

#[test]
fn the_same_seed_prints_and_writes_the_same_bytes() {
    let dir = Workdir::new("lab-same");
    let run = |log: &str, seed: &str| {
        let mut words = SMALL.to_vec();
        words.extend(["--seed", seed, "--log", log]);
        (dir.ok(&words), dir.read(log))
    };
    let (first, again, other) = (run("a.log", "7"), run("b.log", "7"), run("c.log", "8"));
    assert!(first == again, "the same command told two stories");
    assert!(first.1 != other.1, "two seeds wrote the same record");
    let log = String::from_utf8(first.1).expect("a record is text");
    assert!(log.contains(" peer-4    event      Complete"), "{}", log.len());
}

#[test]
fn json_and_table_tell_the_same_figures() {
    let dir = Workdir::new("lab-figures");
    let json: serde_json::Value = serde_json::from_str(&dir.ok(&SMALL)).expect("JSON");
    assert_eq!((&json["scenario"], &json["peers"]), (&"swarm".into(), &4.into()));
    assert_eq!(json["groups"][1]["nodes"], 4);
    let last = json["last_micros"].as_u64().expect("a number");
    assert_eq!(json["groups"][1]["done_micros"]["most"], last);
    assert!(last >= json["bound"]["micros"].as_u64().expect("a number"));

    let table = dir.ok(&SMALL[..6]);
    let seconds = format!("{}.{:03} s", last / 1_000_000, last / 1000 % 1000);
    assert!(table.contains(&format!("last peer    {seconds} after")), "{table}");
    assert!(table.contains("\npeers            4 "), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
}

#[test]
fn a_picture_is_written_beside_the_figures() {
    let dir = Workdir::new("lab-svg");
    let plain = dir.ok(&SMALL);
    let mut words = SMALL.to_vec();
    words.extend(["--svg", "run.svg"]);
    assert_eq!(dir.ok(&words), plain);
    let svg = String::from_utf8(dir.read("run.svg")).expect("SVG is text");
    assert!(svg.contains(">peer-4</text>") && svg.ends_with("</svg>\n"), "{svg}");
}

#[test]
fn a_log_that_cannot_be_written_is_told_before_the_run() {
    let dir = Workdir::new("lab-log");
    let line = dir.fails(1, &["lab", "--size", "1000M", "--peers", "9000", "--log", "no/such/dir"]);
    assert!(
        line.contains("cannot write 'no/such/dir'") && line.contains("check the path"),
        "{line}"
    );
}

#[test]
fn an_option_that_makes_no_sense_is_one_line_that_says_so() {
    let dir = Workdir::new("lab-options");
    let rows = [
        (["--loss", "51"], "--loss 51: more than 50"),
        (["--loss", "0.123"], "--loss 0.123: not a percentage with up to two places"),
        (["--loss", "-1"], "--loss -1: not a percentage"),
        (["--loss", "1,5"], "--loss 1,5: not a percentage"),
        (["--loss", "99999999999999"], "--loss 99999999999999: more than 50"),
        (["--churn", "often"], "--churn often: not a number of seconds, 0 to 100000"),
        (["--churn", "1.2345"], "--churn 1.2345: not a number of seconds"),
        (["--leave", "soon"], "--leave soon: not a number of seconds"),
        (["--leave", "200000"], "--leave 200000: not a number of seconds, 0 to 100000"),
        (["--arrive", "late"], "--arrive late: not at-once, rush:SECONDS or poisson:SECONDS"),
        (["--arrive", "at-once:3"], "--arrive at-once:3: not at-once, rush:SECONDS"),
        (["--arrive", "rush:"], "--arrive rush:: not a number of seconds"),
        (["--arrive", "poisson:x"], "--arrive poisson:x: not a number of seconds"),
        (["--jitter", "x"], "--jitter x: not a number"),
        (["--jitter", "20000"], "--jitter 20000: not from 0 to 10000"),
    ];
    for (words, says) in rows {
        let line = dir.fails(2, &["lab", words[0], words[1]]);
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn the_head_of_the_table_says_what_the_network_is_like() {
    let dir = Workdir::new("lab-network");
    let table = dir.ok(&["lab", "--peers", "2", "--size", "1M", "--loss", "0.5", "--jitter", "5"]);
    assert!(table.contains(", 20 to 25 ms between any two, 0.50 % lost\n"), "{table}");
}

#[test]
fn the_table_says_how_peers_come_and_go_and_what_came_of_it() {
    let dir = Workdir::new("lab-churn");
    let small = ["lab", "--peers", "4", "--size", "1M", "--up", "128K"];
    let rows: [(&[&str], &str); 4] = [
        (&["--arrive", "rush:2.5"], "\npeers: come within 2.500 s, stay\n"),
        (&["--leave", "done"], "\npeers: come at once, leave when they are done\n"),
        (&["--churn", "3"], "\npeers: come at once, stay, vanish after 3 s on average\n"),
        (
            &["--arrive", "poisson:1", "--leave", "5"],
            "\npeers: come one by one, 1 s apart, leave 5 s after they came\n",
        ),
    ];
    for (options, says) in rows {
        let table = dir.ok(&[&small, options].concat());
        assert!(table.contains(says), "{table}");
    }
    let table = dir.ok(&[&small[..], &["--leave", "2"]].concat());
    assert!(table.contains("\npeers            4     0         -         -         -"), "{table}");
    assert!(table.contains("lower bound  none: not everybody has the file in the end"), "{table}");
    assert!(table.contains("0 times vanished, 4 peers left without the file"), "{table}");
}
