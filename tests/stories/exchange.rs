//! Peer exchange: swarms that find themselves when nobody else tells them.

use swarmlet::base::Span;
use swarmlet::lab::{Act, Action, Lab, Line, Mood, NodeId};
use swarmlet::wire::Message;
use swarmlet::wire::extended::{Extension, Hello, Pex};

use crate::over_seeds;

#[test]
fn a_swarm_whose_tracker_dies_lives_on_by_what_peers_tell_each_other() {
    over_seeds("a_swarm_whose_tracker_dies", |number| {
        let mut lab = Lab::new(number);
        let file = lab.source("file", 16 * 1024, &[1_500_000]);
        let tracker = lab.tracker("tracker");
        let seed = lab.seed("seed", file);
        let first: Vec<NodeId> = (1..=5).map(|n| lab.peer(&format!("first-{n}"), file)).collect();
        lab.at(Span::from_secs(3), Action::Tracker(tracker, Mood::Down));
        // Those who come later know one peer each, and that one goes before they are done.
        let mut later = Vec::new();
        for n in 0..6u64 {
            let peer = lab.peer(&format!("later-{n}"), file);
            lab.keeps_secret(peer, file);
            lab.knows(peer, file, first[0]);
            lab.starts_at(peer, Span::from_secs(5 + 2 * n));
            later.push(peer);
        }
        for id in [&[seed], &first[..], &later[..]].concat() {
            lab.net.set_line(id, Line { up: Some(40_000), down: Some(160_000) });
        }
        lab.at(Span::from_secs(30), Action::Retire(first[0]));
        lab.run_for(Span::from_secs(28))?;
        assert!(
            !later.iter().any(|&peer| lab.has(peer, file)),
            "the one they know leaves too late"
        );
        let all_later = |lab: &Lab| later.iter().all(|&peer| lab.has(peer, file));
        lab.run_until(all_later, Span::from_secs(600))?;
        // Nobody but peers can have told them of each other.
        let others = later.iter().filter(|&&peer| {
            let record = lab.record();
            record.count(&lab.node_named(peer).name, "dials", "") > 1
        });
        assert!(
            others.count() >= 4,
            "most of them called somebody whom they were not told by hand"
        );
        lab.verify()
    });
}

#[test]
fn row_66_who_tells_of_peers_every_second_is_sent_away_and_home_networks_are_not_called() {
    over_seeds("row_66_who_tells_of_peers_every_second", |number| {
        let mut lab = Lab::new(number);
        let file = lab.source("file", 16 * 1024, &[300_000]);
        let told = Pex {
            // Nobody's, and a service of the host itself.
            added: ["127.0.0.1:22", "0.0.0.0:80", "224.0.0.1:80", "10.9.9.9:0"]
                .map(|addr| (addr.parse().expect("an address"), 0))
                .to_vec(),
            dropped: Vec::new(),
        };
        let say = |id: u8, write: &dyn Fn(&mut Vec<u8>)| {
            let mut payload = Vec::new();
            write(&mut payload);
            Act::Say(Message::Extended { id, payload })
        };
        let hello = Hello { ids: [Some(1), None, None, None], ..Hello::default() };
        let mut acts = vec![Act::Greet, say(0, &|out| hello.write(out))];
        for _ in 0..20 {
            acts.push(say(Extension::Pex.our_id(), &|out| told.write(out)));
            acts.push(Act::Pause(Span::from_secs(1)));
        }
        let gossip = lab.scripted("gossip", file, acts);
        let peer = lab.peer("peer", file);
        lab.knows(peer, file, gossip);
        lab.run_for(Span::from_secs(30))?;
        assert!(lab.record().count("peer", "closes", "broke the protocol") >= 1);
        let dials = lab.record().count("peer", "dials", "");
        let again = lab.record().count("peer", "dials", &lab.node_named(gossip).addr.to_string());
        assert_eq!(dials, again, "nobody else is called");
        Ok(())
    });
}

#[test]
fn peers_of_a_peer_are_told_once_and_that_they_left() {
    over_seeds("peers_of_a_peer_are_told_once", |number| {
        let mut lab = Lab::new(number);
        let file = lab.source("file", 16 * 1024, &[3_000_000]);
        let hub = lab.seed("hub", file);
        let peers: Vec<NodeId> = (0..3).map(|n| lab.peer(&format!("peer-{n}"), file)).collect();
        for &peer in &peers {
            lab.knows(peer, file, hub);
            lab.keeps_secret(peer, file);
        }
        lab.net.set_line(hub, Line { up: Some(5_000), down: None });
        lab.at(Span::from_secs(20), Action::Retire(peers[2]));
        lab.run_for(Span::from_secs(150))?;
        assert!(lab.connections(peers[0], peers[1]) == 1, "they were told of each other");
        let said = |rest: &str| lab.record().count("hub", "says", rest);
        assert!((2..=7).contains(&said("5:added")), "{}", said("5:added"));
        assert!(said("7:dropped6:") >= 1, "and that one left");
        Ok(())
    });
}
