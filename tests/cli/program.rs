//! What all commands have in common: help, usage, odd arguments, and where output goes.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use crate::workdir::{Workdir, one_clean_line};

const COMMANDS: &[&str] = &[
    "create",
    "edit",
    "info",
    "magnet",
    "verify",
    "tracker",
    "share",
    "get",
    "peer",
    "lab",
    "trace",
    "publish",
    "search",
    "fetch",
    "swarm",
    "add",
    "seed",
    "leech",
    "status",
    "show",
    "files",
    "peers",
    "pieces",
    "start",
    "stop",
    "remove",
    "reannounce",
    "connect",
    "limit",
    "select",
    "ping",
    "shutdown",
    "shell",
    "config",
    "unit",
];

#[test]
fn help_names_every_command_and_every_command_has_help() {
    let dir = Workdir::new("help");
    let overview = dir.ok(&["help"]);
    assert_eq!(overview, dir.ok(&["--help"]));
    for &command in COMMANDS {
        assert!(overview.contains(&format!("\n  {command} ")), "{command} is not listed");
        let help = dir.ok(&["help", command]);
        assert!(help.starts_with(&format!("swarmlet {command}: ")), "{help}");
        assert!(help.contains(&format!("\nusage: swarmlet {command} ")), "{help}");
        assert_eq!(help, dir.ok(&[command, "--help"]));
        assert_eq!(help, dir.ok(&[command, "some", "words", "-h"]));
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{command}: {widest:?} columns");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let dir = Workdir::new("version");
    assert_eq!(dir.ok(&["--version"]), format!("swarmlet {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_exits_2_with_one_line_that_says_what_to_do() {
    let dir = Workdir::new("usage");
    #[rustfmt::skip]
    let table: &[(&[&str], &str)] = &[
        (&["crate"],                   "no command 'crate'; did you mean 'create'?"),
        (&["shar"],                    "did you mean 'share'?"),
        (&["xyzzy"],                   "no command 'xyzzy'; 'swarmlet help' lists"),
        (&["\x1b[2J"],                 "no command '"),
        (&[""],                        "no command ''"),
        (&["help", "crate"],           "did you mean 'create'?"),
        (&["help", "get", "peer"],     "help takes one command"),
        (&["info"],                    "info: FILE or MAGNET is missing; see 'swarmlet help info'"),
        (&["info", "a", "b"],          "only one FILE or MAGNET"),
        (&["info", "--bogus", "a"],    "unknown option --bogus"),
        (&["info", "--json=x", "a"],   "--json takes no value"),
        (&["create", "x", "-o"],       "-o needs a value"),
        (&["create", "x", "-o", "a", "-o", "b"], "--output is given twice"),
        (&["verify", "x.torrent"],     "verify: --dir is missing"),
        (&["verify"],                  "verify: ID is missing"),
        (&["add"],                     "add: TORRENT is missing"),
        (&["leech"],                   "leech: TORRENT is missing"),
        (&["seed"],                    "seed: PATH is missing"),
        (&["stop"],                    "stop: ID is missing; 'all' means every torrent"),
        (&["peers"],                   "peers: ID is missing"),
        (&["files", "1", "2"],         "files: only one ID at a time"),
        (&["connect", "1"],            "connect: takes an ID and HOST:PORT"),
        (&["connect", "1", "peer"],    "connect: peer: the port is missing"),
        (&["connect", "1", "[::1]:0"], "connect: [::1]:0: no peer has port 0"),
        (&["limit", "--up", "fast"],   "limit: --up fast: not a rate"),
        (&["limit", "--up", "999"],    "limit: --up 999: not a rate"),
        (&["select", "1"],             "select: nothing to change"),
        (&["select", "1", "--want", "3-1"], "'3-1' is no file's number"),
        (&["ping", "x"],               "ping: does not know what to do with 'x'"),
        (&["ping", "--rpc", "a b"],    "'a b' is no address of a daemon"),
        (&["ping", "--rpc", "h:70000"], "'h:70000' is no address of a daemon"),
        (&["ping", "--rpc-user", "me"], "--rpc-user needs a password"),
        (&["edit", "x"],               "nothing to change"),
        (&["tracker", "x"],            "'x'"),
        (&["tracker", "--http", "8000"],           "the port is missing"),
        (&["tracker", "--http", ":8000"],          "the host is missing"),
        (&["tracker", "--http", "::1:8000"],       "in brackets"),
        (&["tracker", "--http", "127.0.0.1:65536"], "from 0 to 65535"),
        (&["tracker", "--http", "127.0.0.1:http"], "from 0 to 65535"),
        (&["get"],                     "get: TORRENT is missing"),
        (&["get", "x", "--peer", "127.0.0.1:0"],   "no peer has port 0"),
        (&["get", "x", "--listen", "127.0.0.1"],   "the port is missing"),
        (&["share"],                   "PATH or TORRENT is missing"),
        (&["lab", "swram"],            "lab: there is no scenario 'swram'; 'swarmlet lab list'"),
        (&["lab", "swarm", "poison"],  "only one SCENARIO"),
        (&["lab", "--peers", "0"],     "--peers 0: not from 1 to 10000"),
        (&["lab", "--peers", "many"],  "--peers many: not a number"),
        (&["lab", "--up", "0"],        "--up 0: not from 1"),
        (&["lab", "--size", "2000M"],  "--size 2000M: not from 1"),
        (&["lab", "--piece-length", "1K"], "--piece-length 1K: not between"),
    ];
    for (words, told) in table {
        let line = dir.fails(2, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
}

#[test]
fn no_command_at_all_shows_the_list_and_exits_2() {
    let ran = Workdir::new("nothing").run::<&str>(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.out.contains("\n  create "), "{}", ran.out);
    one_clean_line(&ran.err);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = Workdir::new("pipe");
    let album = dir.album();
    dir.ok(&["create", album]);
    for words in [&["help"] as &[&str], &["info", "album.torrent"], &["create", "--force", album]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = dir.command();
        let mut child = command.args(words).stdout(writer).spawn().unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{words:?}: {err}");
        assert_eq!(err, "", "{words:?}");
    }
}

#[test]
fn a_full_standard_output_is_a_failure() {
    let dir = Workdir::new("full");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = dir.command().arg("help").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line = one_clean_line(&String::from_utf8(output.stderr).unwrap());
    assert!(line.contains("cannot write to standard output: no space left"), "{line}");
}

#[test]
fn names_that_are_not_utf8_are_paths_like_any_other() {
    let dir = Workdir::new("bytes");
    let odd = OsStr::from_bytes(b"caf\xe9.torrent");
    dir.write("cafe", b"beans");
    let ran = dir.run(&[OsStr::new("create"), OsStr::new("cafe"), OsStr::new("-o"), odd]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(dir.0.join(odd).is_file());
    let ran = dir.run(&[OsStr::new("info"), odd]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = dir.run(&[OsStr::new("info"), OsStr::from_bytes(b"\xff\xfe")]);
    assert_eq!(ran.code, Some(1));
    one_clean_line(&ran.err);
    let text = OsStr::from_bytes(b"--comment=\xff");
    let ran = dir.run(&[OsStr::new("create"), OsStr::new("cafe"), text]);
    assert_eq!(ran.code, Some(2));
    assert!(one_clean_line(&ran.err).contains("--comment is not UTF-8"), "{}", ran.err);
}
