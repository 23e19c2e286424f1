//! Local discovery: peers of one network that nobody tells of each other.

use swarmlet::base::Span;
use swarmlet::lab::{Lab, NodeId};

use crate::over_seeds;

#[test]
fn neighbours_find_each_other_with_no_tracker_and_no_dht() {
    over_seeds("neighbours_find_each_other_with_no_tracker_and_no_dht", |number| {
        let mut lab = Lab::new(number);
        let file = lab.source("file", 16 * 1024, &[500_000]);
        let seed = lab.seed("seed", file);
        let peers: Vec<NodeId> = (1..=4).map(|n| lab.peer(&format!("peer-{n}"), file)).collect();
        let link = lab.peer("link", file);
        lab.has_link_only(link, file);
        for &node in [seed, link].iter().chain(&peers) {
            lab.calls_locally(node);
        }
        // One comes when the first notices are long forgotten.
        lab.starts_at(peers[3], Span::from_secs(200));
        let all = |lab: &Lab| lab.has(link, file) && peers.iter().all(|&peer| lab.has(peer, file));
        lab.run_until(all, Span::from_secs(260))?;
        lab.verify()
    });
}

#[test]
fn who_does_not_call_is_not_found_and_private_torrents_are_not_called() {
    over_seeds("who_does_not_call_is_not_found_and_private_torrents_are_not_called", |number| {
        for (silent, private) in [(true, false), (false, true)] {
            let mut lab = Lab::new(number);
            let file = lab.source("file", 16 * 1024, &[500_000]);
            if private {
                lab.make_private(file);
            }
            let (seed, peer) = (lab.seed("seed", file), lab.peer("peer", file));
            lab.calls_locally(seed);
            if !silent {
                lab.calls_locally(peer);
            }
            lab.run_for(Span::from_secs(700))?;
            assert!(!lab.has(peer, file));
            // The seed goes on calling for the public one: every five minutes.
            let calls = lab.record().count("seed", "sends", "239.192.152.143:6771");
            assert_eq!(calls, if private { 0 } else { 3 });
            lab.verify()?;
        }
        Ok(())
    });
}
