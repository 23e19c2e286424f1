//! Goals: a torrent that has given enough stops by itself, and goes on when a person says so.

use swarmlet::base::Span;
use swarmlet::engine::Phase;
use swarmlet::engine::control::Control;
use swarmlet::lab::{Action, Lab, NodeId, SourceId};
use swarmlet::torrent::goal::Goal;

use crate::over_seeds;

const FILE: SourceId = SourceId(0);
const SEED: NodeId = NodeId(0);

fn phase(lab: &Lab, node: NodeId) -> Option<Phase> {
    let engine = lab.node_named(node).engine()?;
    engine.phase(engine.find(lab.source_named(FILE).info_hash())?)
}

fn given(lab: &Lab) -> u64 {
    lab.node_named(SEED).engine().map_or(0, |engine| {
        let ids = engine.torrents();
        let torrents = ids.iter().filter_map(|&id| engine.look_at(id));
        torrents.map(|torrent| torrent.sessions().map(|(_, s)| s.uploaded).sum::<u64>()).sum()
    })
}

fn swarm(seed: u64, peers: usize, goal: Goal) -> Lab {
    let mut lab = Lab::new(seed);
    let file = lab.source("file", 32 * 1024, &[1_000_000]);
    let seed = lab.seed("seed", file);
    lab.tracker("tracker");
    for number in 0..peers {
        let peer = lab.peer(&format!("peer{number}"), file);
        lab.knows(peer, file, seed);
    }
    lab.at(Span::from_millis(1), Action::Control(seed, file, Control::Goal(goal)));
    lab
}

#[test]
fn who_gave_twice_what_it_has_stops_and_a_start_goes_on() {
    over_seeds("who_gave_twice_what_it_has_stops_and_a_start_goes_on", |seed| {
        let goal = Goal { ratio: Some(500), idle: None };
        let mut lab = swarm(seed, 1, goal);
        lab.run_until(|lab| phase(lab, SEED) == Some(Phase::Stopped), Span::from_secs(300))?;
        assert_eq!(lab.record().count("seed", "event", "Finished"), 1);
        assert!(!lab.has(NodeId(2), FILE), "half of it, and a little");
        lab.run_for(Span::from_secs(100))?;
        assert_eq!(phase(&lab, SEED), Some(Phase::Stopped), "nothing starts it again");
        lab.at(Span::from_millis(1), Action::Control(SEED, FILE, Control::Start));
        lab.run_until(|lab| lab.has(NodeId(2), FILE), Span::from_secs(400))?;
        assert_eq!(phase(&lab, SEED), Some(Phase::Seeding), "the ratio does not count any more");
        assert_eq!(lab.record().count("seed", "event", "Finished"), 1);
        lab.verify()
    });
}

#[test]
fn a_seed_that_nobody_wants_anything_of_stops_and_one_at_work_does_not() {
    over_seeds("a_seed_that_nobody_wants_anything_of_stops_and_one_at_work_does_not", |seed| {
        let goal = Goal { ratio: None, idle: Some(Span::from_secs(60)) };
        let mut lab = swarm(seed, 2, goal);
        let all = |lab: &Lab| (2..4).all(|peer| lab.has(NodeId(peer), FILE));
        lab.run_until(all, Span::from_secs(300))?;
        assert_eq!(phase(&lab, SEED), Some(Phase::Seeding));
        lab.run_for(Span::from_secs(70))?;
        assert_eq!(phase(&lab, SEED), Some(Phase::Stopped));
        assert_eq!(given(&lab), 0, "nobody is connected");
        // Started again it is there for as long again.
        lab.at(Span::from_millis(1), Action::Control(SEED, FILE, Control::Start));
        lab.run_for(Span::from_secs(50))?;
        assert_eq!(phase(&lab, SEED), Some(Phase::Seeding));
        lab.run_for(Span::from_secs(15))?;
        assert_eq!(phase(&lab, SEED), Some(Phase::Stopped));
        // Who still downloads never has given enough.
        let goal = Goal { ratio: Some(0), idle: Some(Span::from_secs(1)) };
        let mut lab = swarm(seed, 1, goal);
        let peer = NodeId(2);
        lab.at(Span::from_millis(2), Action::Control(peer, FILE, Control::Goal(goal)));
        lab.run_for(Span::from_secs(30))?;
        assert_eq!(phase(&lab, peer), Some(Phase::Downloading), "its seed has left");
        Ok(())
    });
}
