//! Diet: a node that runs short of memory has fewer peers and asks them for less, and still
//! everything arrives.

use swarmlet::base::Span;
use swarmlet::lab::{Action, Lab, NodeId, SourceId};

use crate::over_seeds;

const SEED: NodeId = NodeId(0);
const FILE: SourceId = SourceId(0);
const PEERS: usize = 14;

fn connected(lab: &Lab) -> usize {
    (1..=PEERS).map(|peer| lab.connections(SEED, NodeId(peer))).sum()
}

fn all_have_it(lab: &Lab) -> bool {
    (1..=PEERS).all(|peer| lab.has(NodeId(peer), FILE))
}

#[test]
fn a_seed_short_of_memory_keeps_a_few_peers_and_all_get_the_file() {
    over_seeds("a_seed_short_of_memory_keeps_a_few_peers_and_all_get_the_file", |seed| {
        let mut lab = Lab::new(seed);
        let file = lab.source("file", 32 * 1024, &[2_000_000]);
        let seed = lab.seed("seed", file);
        for number in 0..PEERS {
            let peer = lab.peer(&format!("peer{number}"), file);
            lab.knows(peer, file, seed);
        }
        lab.net.set_line(seed, swarmlet::lab::Line { up: Some(50_000), down: None });
        lab.run_for(Span::from_secs(10))?;
        assert_eq!(connected(&lab), PEERS);
        for secs in [0, 3, 6, 9] {
            lab.at(Span::from_secs(secs), Action::Weigh(SEED, 100, 100));
        }
        lab.run_for(Span::from_secs(12))?;
        assert!(connected(&lab) <= 4, "{} peers", connected(&lab));
        // There is room again, step by step.
        for secs in 0..20 {
            lab.at(Span::from_secs(3 * secs), Action::Weigh(SEED, 10, 100));
        }
        lab.run_until(all_have_it, Span::from_secs(3_000))?;
        lab.verify()
    });
}

#[test]
fn who_asks_for_little_gets_everything_all_the_same() {
    over_seeds("who_asks_for_little_gets_everything_all_the_same", |seed| {
        let mut lab = Lab::new(seed);
        let file = lab.source("file", 32 * 1024, &[2_000_000]);
        let seed = lab.seed("seed", file);
        let peer = lab.peer("peer", file);
        lab.knows(peer, file, seed);
        lab.at(Span::from_millis(1), Action::Weigh(peer, 100, 100));
        for _ in 0..200 {
            lab.run_for(Span::from_millis(50))?;
            let engine = lab.node_named(peer).engine().expect("it is on");
            for id in engine.torrents() {
                let torrent = engine.look_at(id).expect("it is here");
                assert!(torrent.sessions().all(|(_, session)| session.pipeline.len() <= 4));
            }
        }
        lab.run_until(|lab| lab.has(peer, FILE), Span::from_secs(600))?;
        lab.verify()
    });
}
