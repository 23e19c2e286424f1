//! `--trace` and `trace`: what was said is written down, drawn, and refused if it is damaged.

use super::workdir::Workdir;

#[test]
fn a_download_is_traced_and_shown_as_a_ladder() {
    let dir = Workdir::new("trace");
    dir.album();
    let mut sharer = dir.start(&["share", "album", "--listen", "127.0.0.1:0", "--trace", "theirs"]);
    let ready = sharer.wait_for("ready ");
    let addr = ready.split("listen=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let get = ["get", "album.torrent", "-d", "got", "--listen", "127.0.0.1:0", "--peer", addr];
    dir.ok(&[&get[..], &["--trace", "ours"]].concat());
    let shown = dir.ok(&["trace", "ours"]);
    for rung in [
        &format!("{addr} · album · swarmlet"),
        "│ interested ──",
        "── unchoke │",
        "requests: pieces 0 to",
        "blocks: pieces 0 to",
        "╵ we close: stopping",
    ] {
        assert!(shown.contains(rung), "{rung}: {shown}");
    }
    assert!(dir.ok(&["trace", "theirs"]).contains("they closed the connection"));
    let all = dir.ok(&["trace", "--all", "--peer", addr, "--torrent", "album", "ours"]);
    assert!(all.lines().count() > shown.lines().count(), "{all}");
    let line = dir.fails(1, &["trace", "--peer", "192.0.2.1", "ours"]);
    assert!(line.contains("tells of nobody like that"), "{line}");

    // A trace takes the place of an older one, and of nothing else.
    dir.ok(&[&get[..], &["--trace", "ours"]].concat());
    let line = dir.fails(1, &[&get[..], &["--trace", "album.torrent"]].concat());
    assert!(line.contains("what stands there is no trace"), "{line}");
    let line = dir.fails(1, &[&get[..], &["--trace", "no/such/dir"]].concat());
    assert!(line.contains("cannot write the trace"), "{line}");
}

#[test]
fn a_damaged_trace_is_refused_with_the_number_of_the_line() {
    let dir = Workdir::new("trace-damaged");
    let head = "# swarmlet trace 1\n0.000 c1.0 192.0.2.7:1 accepts\n";
    for (name, text, complaint) in [
        ("empty", "", "is not a trace, or an empty one"),
        ("other", "d8:announce0:e", "is not a trace, or an empty one"),
        ("word", &format!("{head}0.001 c1.0 192.0.2.7:1 sings\n"), "line 3: an unknown word"),
        ("text", &format!("{head}0.001 c1.0 - hears x\n"), "line 3: this cannot be understood"),
    ] {
        dir.write(name, text.as_bytes());
        let line = dir.fails(1, &["trace", name]);
        assert!(line.contains(complaint), "{name}: {line}");
    }
    dir.write("bytes", &[head.as_bytes(), b"0.001 c1.0 - says \xff\n"].concat());
    assert!(dir.fails(1, &["trace", "bytes"]).contains("line 3: this is no text"));
    // Whoever wrote it was killed in the middle of a line.
    dir.write("cut", format!("{head}0.001 c1.0 192.0.2.7:1 sa").as_bytes());
    assert!(dir.ok(&["trace", "cut"]).contains("192.0.2.7:1"));
}
