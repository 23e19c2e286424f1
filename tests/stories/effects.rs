//! Fail the n-th effect, for all n: a short download, told once for each thing that may go wrong.
//!
//! An effect is whatever a node does to the world: a connect, a word, a block, bytes that leave, a
//! disk job, a call to a tracker. The story is played once undisturbed, to count them; then once
//! for each of them with that one failing, and once for each with the node's power cut right before
//! it. Every time the state afterwards is a clear one (the judge looks at it after each step; the
//! trouble has a name, or there is none), the download comes to its end, and a rerun from the disk
//! that is left has the true file, at once or by fetching what was lost.

use swarmlet::base::Span;
use swarmlet::engine::{DiskFault, Phase};
use swarmlet::lab::disk::Loss;
use swarmlet::lab::{Action, Failure, Lab, Line, Mishap, NodeId};

const SEED: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);
const FRIEND: NodeId = NodeId(3);

/// A tracker, a seed, a peer, and a friend who fetches at the same time; six pieces in three files.
fn cast() -> Lab {
    let mut lab = Lab::new(11);
    let file = lab.source("file", 20_000, &[70_000, 0, 45_000]);
    lab.tracker("tracker");
    lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    let friend = lab.peer("friend", file);
    lab.knows(peer, file, SEED);
    lab.knows(friend, file, peer);
    // Slow enough for records to be saved on the way.
    lab.net.set_line(SEED, Line { up: Some(12_000), down: None });
    lab
}

fn all_have_it(lab: &Lab) -> bool {
    lab.has_all(PEER) && lab.has_all(FRIEND) && lab.has_all(SEED)
}

/// The download, a farewell, and a rerun.
fn play(lab: &mut Lab) -> Result<(), Failure> {
    lab.run_until(all_have_it, Span::from_secs(1_500))?;
    lab.verify()?;
    lab.at(Span::from_secs(1), Action::Leave(PEER));
    lab.at(Span::from_secs(10), Action::Start(PEER));
    lab.run_for(Span::from_secs(11))?;
    lab.run_until(all_have_it, Span::from_secs(1_500))?;
    // Whatever trouble there was is over, and said to be.
    lab.run_for(Span::from_secs(700))?;
    let engine = lab.node_named(PEER).engine().expect("it was started");
    for torrent in engine.torrents() {
        assert_eq!(engine.phase(torrent), Some(Phase::Seeding));
    }
    lab.verify()
}

/// How many effects a node has in the undisturbed story.
fn effects_of(node: NodeId) -> u64 {
    let mut lab = cast();
    play(&mut lab).unwrap_or_else(|failure| panic!("undisturbed: {failure}"));
    lab.effects(node)
}

/// Tells the story once for each effect of each node, struck by this.
fn strike_each(mishap: Mishap) {
    for node in [SEED, PEER] {
        let count = effects_of(node);
        assert!(count > 30, "{count} effects are too few to be all");
        for n in 1..=count {
            let mut lab = cast();
            lab.strike(node, n, mishap);
            let name = lab.node_named(node).name.clone();
            let told = play(&mut lab);
            told.unwrap_or_else(|failure| panic!("{mishap:?} at {name}'s effect {n}: {failure}"));
            assert_eq!(lab.record().count(&name, "mishap", ""), 1, "it did happen, at {n}");
        }
    }
}

#[test]
fn any_one_effect_may_fail() {
    for fault in [DiskFault::Failed, DiskFault::Full, DiskFault::Busy] {
        strike_each(Mishap::Fails(fault));
    }
}

#[test]
fn a_crash_may_come_before_any_effect() {
    strike_each(Mishap::Crash(Loss::All));
    strike_each(Mishap::Crash(Loss::Some));
}

#[test]
fn a_kill_may_come_before_any_effect() {
    strike_each(Mishap::Crash(Loss::Nothing));
}
