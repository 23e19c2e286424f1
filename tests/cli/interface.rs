//! `--interface`: everything goes through one network interface, or nowhere.
//!
//! ```text
//!   near                                          far
//!     in0   10.77.1.1 ──────── 10.77.1.2   ┐ a sharer who listens everywhere,
//!     out0  10.77.2.1 ──────── 10.77.2.2   ┘ and whom both ways reach
//! ```
//! Two network namespaces that the test makes for itself. A route by `out0` leads to everything
//! that `in0` leads to: whoever is not bound takes it as soon as `in0` is down.

use std::path::Path;
use std::process::Command;

use super::workdir::{SWARMLET, Workdir};

/// Makes the two namespaces, then runs `STORY` in the near one.
const STAGE: &str = r#"
set -eu
for all in all default; do echo 1 > /proc/sys/net/ipv6/conf/$all/disable_ipv6; done
ip link set lo up
ip link add in0 type veth peer name far0
ip link add out0 type veth peer name far1
unshare -n sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo > far-ready; exec sleep 120' &
FAR=$!
trap 'kill $FAR $SHARER 2>/dev/null' EXIT
SHARER=
until [ -e far-ready ]; do sleep 0.05; done
ip link set far0 netns $FAR
ip link set far1 netns $FAR
far() { nsenter -t $FAR -n "$@"; }
far ip link set lo up
ip addr add 10.77.1.1/24 dev in0; ip link set in0 up
ip addr add 10.77.2.1/24 dev out0; ip link set out0 up
far ip addr add 10.77.1.2/24 dev far0; far ip link set far0 up
far ip addr add 10.77.2.2/24 dev far1; far ip link set far1 up
ip route add 10.77.1.0/24 via 10.77.2.2 metric 900
far sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.far0.rp_filter=0 net.ipv4.conf.far1.rp_filter=0
far ip route add 10.77.2.0/24 dev far1 metric 5 2>/dev/null || true
sent() { cat /sys/class/net/$1/statistics/tx_packets; }
nsenter -t $FAR -n "$SWARMLET" share album --listen 0.0.0.0:7000 --dht > far.log &
SHARER=$!
until grep -q '^ready' far.log; do sleep 0.05; done
get() { dir=$1; shift; timeout 20 "$SWARMLET" get album.torrent -d $dir --listen 0.0.0.0:7001 "$@"; }
. ./story
"#;

/// Runs a story; `None` where the host lets nobody make namespaces.
fn play(dir: &Workdir, story: &str) -> Option<String> {
    let may = Command::new("unshare").args(["-rnm", "ip", "link"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        return None;
    }
    dir.album();
    dir.ok(&["create", "album", "--tracker", "http://10.77.2.2:7000/announce"]);
    dir.write("stage", STAGE.as_bytes());
    dir.write("story", story.as_bytes());
    // /sys shows the interfaces of the namespace in which it was mounted.
    let inside = "mount -t sysfs sysfs /sys && exec sh ./stage";
    let mut shell = Command::new("unshare");
    shell.args(["-rnm", "sh", "-c", inside]).current_dir(Path::new(&dir.0));
    let output = shell.env("SWARMLET", SWARMLET).output().expect("unshare ran before");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let odd = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{odd}");
    Some(said + &odd)
}

#[test]
fn everything_goes_through_the_interface() {
    let dir = Workdir::new("interface");
    let story = "
        before=$(sent out0)
        get through --interface in0 --peer 10.77.1.2:7000 --peer 10.77.2.2:7000 \
            --dht-node 10.77.1.2:7000 --dht-node 10.77.2.2:7000
        # What leads elsewhere (the tracker, a peer, a node of the DHT) was asked by in0 or not at all.
        echo leaked $(( $(sent out0) - before ))
        test $(sent in0) -gt 10
    ";
    let Some(said) = play(&dir, story) else { return };
    assert!(said.contains("complete name=album"), "{said}");
    assert!(said.contains("leaked 0"), "{said}");
    assert!(dir.0.join("through/album/one.flac").exists());
}

#[test]
fn an_interface_that_is_down_or_gone_lets_nothing_out_elsewhere() {
    let dir = Workdir::new("interface-down");
    let story = "
        # It is under way, slowly, when the interface goes down, and another way is open.
        before=$(sent out0)
        get slow --interface in0 --peer 10.77.1.2:7000 --down 16K > slow.log 2> slow.err &
        SLOW=$!
        until grep -q '^ready' slow.log; do sleep 0.05; done
        sleep 1
        ip link set in0 down
        until grep -q '^host' slow.log; do sleep 0.2; done
        sleep 1
        echo leaked $(( $(sent out0) - before ))
        get late --interface in0 --peer 10.77.1.2:7000 || echo refused $?
        ip link del in0
        wait $SLOW || echo left $?
        cat slow.log slow.err
        get late --interface in0 --peer 10.77.1.2:7000 || echo refused $?
        echo leaked $(( $(sent out0) - before ))
        # Whoever is not bound takes the other way: there is one.
        get open --peer 10.77.2.2:7000
        echo otherwise $(( $(sent out0) - before > 10 ))
    ";
    let Some(said) = play(&dir, story) else { return };
    assert!(said.contains("in0 is down; nothing goes out until it is back"), "{said}");
    assert!(said.contains("cannot use the interface 'in0': it is down"), "{said}");
    assert!(said.contains("left 1\n") && said.contains("the interface in0 is gone"), "{said}");
    assert!(said.contains("cannot use the interface 'in0': there is none; there are "), "{said}");
    assert_eq!(said.matches("refused 1\n").count(), 2, "{said}");
    assert_eq!(said.matches("leaked 0\n").count(), 2, "{said}");
    assert!(said.contains("otherwise 1"), "{said}");
}

#[test]
fn names_are_not_looked_up_by_whoever_keeps_to_an_interface() {
    let dir = Workdir::new("interface-names");
    dir.album();
    let url = "http://tracker.example/announce";
    dir.ok(&["create", "album", "--tracker", url]);
    let get = ["get", "album.torrent", "-d", "got", "--interface"];
    let peer = ["lo", "--peer", "peer.example:1"];
    let line = dir.fails(2, &[&get[..], &peer].concat());
    assert!(line.contains("--peer peer.example:1: with --interface, names are not"), "{line}");
    let line = dir.fails(1, &[&get[..], &["none0"]].concat());
    assert!(line.contains("cannot use the interface 'none0': there is none; there are "), "{line}");
    let listen = ["lo", "--listen", "127.0.0.1:0"];
    let mut node = dir.start(&[&get[..], &listen].concat());
    let line = node.wait_for("tracker-failed");
    assert!(line.contains("tracker.example: names are not looked up with --interface"), "{line}");
}

#[test]
fn a_tracker_and_remote_control_keep_their_places() {
    let dir = Workdir::new("interface-serves");
    let mut tracker = dir.start(&["tracker", "--interface", "lo", "--http", "127.0.0.1:0"]);
    let ready = tracker.wait_for("ready ");
    let url = ready.split("announce=").nth(1).expect("an URL").split(' ').next().expect("a word");
    dir.album();
    dir.ok(&["create", "album", "--tracker", url]);
    let words = ["peer", "--interface", "lo", "--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0"];
    let mut peer = dir.start(&[&words[..], &["album.torrent"]].concat());
    peer.wait_for("tracker-ok");
}
