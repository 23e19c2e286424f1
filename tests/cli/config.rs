//! Options in a file: what is in force, and who is to blame for a wrong one.

use serde_json::Value;

use crate::workdir::{Workdir, value};

const LOCAL: &str = "127.0.0.1:0";

#[test]
fn the_command_line_goes_before_the_file_and_the_file_before_the_default() {
    let dir = Workdir::new("config-layers");
    dir.write(
        "my.ini",
        b"# ours\n[tracker]\nhttp = 127.0.0.1:7001\nonly-published = false\ninterval = 600 # s\n\
          [peer]\nup = 500K\nroot = \"/a # b\"\nroot = /c\nrpc-open = true\nrpc-password = x\n",
    );
    let all: Value =
        serde_json::from_str(&dir.ok(&["config", "--config", "my.ini", "--json"])).unwrap();
    let told = |command: &str, key: &str| all[command][key].to_string();
    assert_eq!(told("tracker", "http"), r#"[{"from":"my.ini","line":3,"value":"127.0.0.1:7001"}]"#);
    assert_eq!(told("tracker", "interval"), r#"[{"from":"my.ini","line":5,"value":"600"}]"#);
    assert_eq!(told("tracker", "only-published"), r#"[{"from":"default","value":"false"}]"#);
    assert_eq!(told("tracker", "numwant"), r#"[{"from":"default","value":"200"}]"#);
    assert_eq!(told("peer", "rpc"), r#"[{"from":"default","value":"127.0.0.1:9091"}]"#);
    assert_eq!(told("peer", "dir"), r#"[{"from":"default","value":"the current directory"}]"#);
    assert_eq!(
        told("peer", "root"),
        r##"[{"from":"my.ini","line":8,"value":"/a # b"},{"from":"my.ini","line":9,"value":"/c"}]"##
    );
    assert_eq!(told("peer", "rpc-open"), r#"[{"from":"my.ini","line":10,"value":"true"}]"#);
    assert!(told("peer", "rpc-password").contains('…'), "not for the screen");
    assert_eq!(
        told("create", "piece-length"),
        r#"[{"from":"default","value":"chosen for the size: 16 KiB to 16 MiB"}]"#
    );

    let out = dir.ok(&[
        "config",
        "peer",
        "--config",
        "my.ini",
        "--up",
        "1M",
        "--root",
        "/d",
        "--no-rpc-open",
    ]);
    for line in [
        "[peer]",
        "up = 1M                           # command line",
        "root = /d                         # command line",
        "rpc-open = false                  # command line",
        "#down =                           # not set",
        "#rpc =                            # default: 127.0.0.1:9091",
    ] {
        assert!(out.lines().any(|told| told == line), "{line}\n{out}");
    }
    assert!(!out.contains("[tracker]") && !out.contains("root = /c"), "{out}");
}

#[test]
fn what_config_prints_is_a_file_of_settings() {
    let dir = Workdir::new("config-round");
    let printed = dir.ok(&["config", "tracker", "--http", LOCAL, "--library", "a #1"]);
    dir.write("printed.ini", printed.as_bytes());
    let again = dir.ok(&["config", "tracker", "--config", "printed.ini"]);
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with(['#', '[']) && !line.is_empty());
        lines.map(|line| line.rsplit_once('#').unwrap().0.trim().to_owned()).collect()
    };
    assert_eq!(values(&printed), values(&again));
    assert_eq!(values(&again).len(), 2, "{again}");
    // All of it, with nothing said: a beginning for a file, in which nothing is set.
    let template = dir.ok(&["config"]);
    dir.write("template.ini", template.as_bytes());
    assert_eq!(dir.ok(&["config", "--config", "template.ini"]), template);
    assert_eq!(values(&template), Vec::<String>::new(), "{template}");
}

#[test]
fn a_wrong_line_is_named_with_its_file() {
    let dir = Workdir::new("config-wrong");
    #[rustfmt::skip]
    let table: &[(i32, &str, &[&str], &str)] = &[
        (1, "[peer]\nlsten = x",          &["peer"],    "'x.ini', line 2: [peer] has no key 'lsten'; did you mean 'listen'?"),
        (1, "[peer]\nlsten = x",          &["tracker"], "'x.ini', line 2: [peer] has no key 'lsten'"),
        (1, "[peer]\nxyzzy = x",          &["peer"],    "'swarmlet config' lists the keys"),
        (1, "[peer]\nhelp = true",        &["peer"],    "[peer] has no key 'help'"),
        (1, "[peer]\nconfig = x",         &["peer"],    "[peer] has no key 'config'"),
        (1, "\n[status]\nwatch = true",   &["peer"],    "line 2: no section [status]; there are "),
        (1, "[peer]\nup = 1K\n\nup = 2K", &["peer"],    "line 4: 'up' stands in line 2 already"),
        (1, "[peer]\nrpc-open = yes",     &["peer"],    "line 2: rpc-open = yes: it is true or false"),
        (1, "up = 1K",                    &["peer"],    "line 1: a key before the first section"),
        (1, "[peer]\n\x1b[2J = 1",        &["peer"],    "line 2: a control character"),
        (2, "[peer]\nlisten = nowhere",   &["peer"],    "'x.ini', line 2: peer: --listen nowhere: the port is missing"),
        (2, "[peer]\n\ndown = fast",      &["peer"],    "'x.ini', line 3: peer: --down fast: not a number"),
        (2, "[tracker]\ninterval = 5",    &["tracker"], "'x.ini', line 2: tracker: --interval 5: not from 30 to 86400"),
        (2, "[tracker]\nonly-published = true", &["tracker"], "'x.ini', line 2: tracker: --only-published needs a --library"),
        (1, "[peer]\ndir = .\nroot = missing", &["peer", "--rpc", LOCAL], "'x.ini', line 3: cannot use 'missing'"),
        (2, "[peer]\nup = 2K\ndown = 9K", &["peer", "--up", "7"], "swarmlet: peer: --up 7: not from"),
        (1, "[seed]\ntracker = a\ntracker = b\nprivate = 1", &["peer"], "line 4: private = 1"),
    ];
    for (code, text, words, told) in table {
        dir.write("x.ini", text.as_bytes());
        let line = dir.fails(*code, &[*words, &["--config", "x.ini"]].concat());
        assert!(line.contains(told), "{text:?} {words:?}\n  says {line}\n  not  {told}");
    }
    dir.write("x.ini", b"[peer]\n# \xff\n");
    assert!(dir.fails(1, &["peer", "--config", "x.ini"]).contains("cannot read 'x.ini'"));
    dir.write("x.ini", &b"# long\n".repeat(20_000));
    assert!(dir.fails(1, &["peer", "--config", "x.ini"]).contains("too long"));
    assert!(dir.fails(1, &["config", "--config", "none.ini"]).contains("no such file"));
    assert!(dir.fails(2, &["config", "status"]).contains("none of the commands"));
    assert!(dir.fails(2, &["config", "peer", "--bogus"]).contains("unknown option --bogus"));
}

#[test]
fn programs_run_as_their_file_says() {
    let dir = Workdir::new("config-runs");
    dir.write(
        "my.ini",
        format!(
            "[tracker]\nhttp = {LOCAL}\nlibrary = lib\nnumwant = 1\nswarm-max = 2\n\
             [peer]\ndir = data\nlisten = {LOCAL}\nrpc = {LOCAL}\n\
             [seed]\nunlisted = true\npiece-length = 32K\n"
        )
        .as_bytes(),
    );
    dir.write("data/x", &[7; 100_000]);
    let mut tracker = dir.start(&["tracker", "--config", "my.ini"]);
    let announce = tracker.ready("announce");
    assert!(dir.path("lib").is_dir());
    let mut peer = dir.start(&["peer", "--config", "my.ini"]);
    let rpc = peer.ready("rpc");
    let out = dir.ok(&["seed", "data/x", "--config", "my.ini", "-t", &announce, "--rpc", &rpc]);
    assert!(dir.path("data/.swarmlet").is_dir());
    assert_eq!(value(&out, "piece_bytes"), "32768");
    assert!(!out.contains("published"), "{out}");
    let config = ["seed", "data/x", "--config", "my.ini", "-t", &announce, "--rpc", &rpc];
    let out = dir.ok(&[&config[..], &["--no-unlisted"]].concat());
    assert!(out.contains("published"), "the command line has the last word: {out}");
}
