//! Remote control: a person stops, starts, verifies and removes in the middle of everything.

use swarmlet::base::{Random, Span};
use swarmlet::engine::Phase;
use swarmlet::engine::control::Control;
use swarmlet::lab::{Action, DiskChange, Failure, Lab, Line, NodeId, SourceId};

use crate::over_seeds;

const FILE: SourceId = SourceId(0);
const SEED: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);

/// A seed that needs ten seconds for the file, and a peer that knows it.
fn pair(seed: u64) -> Lab {
    let mut lab = Lab::new(seed);
    let file = lab.source("file", 32 * 1024, &[600_000, 0, 400_000]);
    let seed = lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    lab.knows(peer, file, seed);
    lab.net.set_line(seed, Line { up: Some(100_000), down: None });
    lab
}

fn at(lab: &mut Lab, millis: u64, node: NodeId, control: Control) {
    lab.at(Span::from_millis(millis), Action::Control(node, FILE, control));
}

fn finish(lab: &mut Lab) -> Result<(), Failure> {
    lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(300))?;
    lab.verify()
}

fn requests(lab: &Lab) -> usize {
    lab.record().count("peer", "says", "request")
}

fn phase(lab: &Lab, node: NodeId, source: SourceId) -> Option<Phase> {
    let engine = lab.node_named(node).engine()?;
    engine.phase(engine.find(lab.source_named(source).info_hash())?)
}

#[test]
fn a_stop_in_the_middle_of_a_download_and_a_start_cost_nothing_but_time() {
    over_seeds("a_stop_in_the_middle_of_a_download_and_a_start_cost_nothing_but_time", |seed| {
        let mut lab = pair(seed);
        let tracker = lab.tracker("tracker");
        at(&mut lab, 5_000, PEER, Control::Stop);
        lab.run_for(Span::from_secs(15))?;
        assert_eq!(phase(&lab, PEER, FILE), Some(Phase::Stopped));
        assert_eq!(lab.connections(SEED, PEER), 0, "who rests has no peers");
        assert_eq!(
            lab.node_named(tracker).engine().and_then(|e| e.service()).map(|s| s.counts().peers),
            Some(1),
            "the tracker was told"
        );
        assert!(!lab.has(PEER, FILE));
        let reads = lab.record().count("peer", "reads", "Check");
        at(&mut lab, 0, PEER, Control::Start);
        finish(&mut lab)?;
        assert_eq!(lab.record().count("peer", "reads", "Check"), reads, "the record is believed");
        // Sixty-two blocks make the file; what was on its way at the stop is asked again.
        assert!(requests(&lab) <= 62 + 40, "{} requests", requests(&lab));
        Ok(())
    });
}

#[test]
fn a_start_before_the_farewell_is_over_goes_on_at_once() {
    over_seeds("a_start_before_the_farewell_is_over_goes_on_at_once", |seed| {
        let mut lab = pair(seed);
        let tracker = lab.tracker("tracker");
        lab.at(Span::from_secs(4), Action::Tracker(tracker, swarmlet::lab::Mood::Silent));
        at(&mut lab, 5_000, PEER, Control::Stop);
        at(&mut lab, 5_100, PEER, Control::Start);
        lab.at(Span::from_secs(6), Action::Tracker(tracker, swarmlet::lab::Mood::Well));
        lab.run_for(Span::from_secs(7))?;
        assert_ne!(phase(&lab, PEER, FILE), Some(Phase::Stopped));
        finish(&mut lab)?;
        lab.run_for(Span::from_secs(60))?;
        let counts = lab.node_named(tracker).engine().and_then(|e| e.service()).map(|s| s.counts());
        assert_eq!(counts.map(|counts| counts.peers), Some(2), "the tracker knows both again");
        Ok(())
    });
}

#[test]
fn a_torrent_removed_while_blocks_are_under_way_is_gone_with_its_files_and_with_no_others() {
    over_seeds(
        "a_torrent_removed_while_blocks_are_under_way_is_gone_with_its_files_and_with_no_others",
        |seed| {
            let mut lab = pair(seed);
            let other = lab.source("other", 32 * 1024, &[300_000]);
            lab.order(SEED, other, true);
            lab.order(PEER, other, false);
            lab.knows(PEER, other, SEED);
            at(&mut lab, 5_000, PEER, Control::Remove { erase: true });
            lab.run_until(|lab| lab.has(PEER, other), Span::from_secs(60))?;
            let peer = lab.node_named(PEER);
            let engine = peer.engine().expect("it is on");
            assert_eq!(engine.torrents().len(), 1, "one is gone, one is here");
            let gone = lab.source_named(FILE).info_hash();
            assert!(engine.find(gone).is_none());
            assert!((0..3).all(|file| peer.disk.file(gone, file).is_none()), "files are left");
            assert!(peer.disk.resume(gone).is_none(), "a record is left");
            assert!(peer.disk.file(lab.source_named(other).info_hash(), 0).is_some());
            // It may come back, and begins from nothing.
            lab.at(Span::from_millis(1), Action::Add(PEER, FILE));
            let addr = lab.node_named(SEED).addr;
            at(&mut lab, 2, PEER, Control::Connect(addr));
            finish(&mut lab)
        },
    );
}

#[test]
fn a_torrent_removed_without_its_data_leaves_it_and_takes_it_up_again() {
    over_seeds("a_torrent_removed_without_its_data_leaves_it_and_takes_it_up_again", |seed| {
        let mut lab = pair(seed);
        at(&mut lab, 6_000, PEER, Control::Remove { erase: false });
        lab.run_for(Span::from_secs(10))?;
        let hash = lab.source_named(FILE).info_hash();
        assert!(lab.node_named(PEER).disk.file(hash, 0).is_some(), "the data is left");
        let before = requests(&lab);
        lab.at(Span::from_millis(1), Action::Add(PEER, FILE));
        let addr = lab.node_named(SEED).addr;
        at(&mut lab, 2, PEER, Control::Connect(addr));
        finish(&mut lab)?;
        assert!(requests(&lab) - before < 62, "what was there was found by a check");
        Ok(())
    });
}

#[test]
fn who_verifies_while_downloading_reads_all_and_downloads_the_rest() {
    over_seeds("who_verifies_while_downloading_reads_all_and_downloads_the_rest", |seed| {
        let mut lab = pair(seed);
        at(&mut lab, 5_000, PEER, Control::Verify);
        finish(&mut lab)?;
        assert!(lab.record().count("peer", "reads", "Check") > 5, "nothing was read");
        assert!(requests(&lab) <= 62 + 40, "{} requests", requests(&lab));
        Ok(())
    });
}

#[test]
fn a_seed_that_verifies_finds_the_rotten_bit_and_fetches_that_piece() {
    over_seeds("a_seed_that_verifies_finds_the_rotten_bit_and_fetches_that_piece", |seed| {
        let mut lab = Lab::new(seed);
        let file = lab.source("file", 32 * 1024, &[1_000_000]);
        let good = lab.seed("seed", file);
        let rotten = lab.seed("peer", file);
        lab.knows(rotten, file, good);
        let flip = DiskChange::Flip { source: file, file: 0, offset: 500_000 };
        lab.at(Span::from_secs(5), Action::Disk(rotten, flip));
        lab.at(Span::from_secs(6), Action::Control(rotten, file, Control::Verify));
        lab.run_for(Span::from_secs(30))?;
        assert_eq!(requests(&lab), 2, "one piece of two blocks");
        assert_eq!(phase(&lab, rotten, file), Some(Phase::Seeding));
        lab.verify()
    });
}

#[test]
fn who_is_started_and_verified_during_the_farewell_is_verified_and_goes_on() {
    let name = "who_is_started_and_verified_during_the_farewell_is_verified_and_goes_on";
    over_seeds(name, |seed| {
        for orders in [[Control::Start, Control::Verify], [Control::Verify, Control::Start]] {
            let mut lab = pair(seed);
            at(&mut lab, 5_000, PEER, Control::Stop);
            orders.into_iter().for_each(|order| at(&mut lab, 5_000, PEER, order));
            finish(&mut lab)?;
            assert!(lab.record().count("peer", "reads", "Check") > 5, "nothing was read");
        }
        Ok(())
    });
}

#[test]
fn who_rests_and_is_verified_rests_again_and_knows_what_it_has() {
    over_seeds("who_rests_and_is_verified_rests_again_and_knows_what_it_has", |seed| {
        let mut lab = pair(seed);
        at(&mut lab, 6_000, PEER, Control::Stop);
        at(&mut lab, 12_000, PEER, Control::Verify);
        lab.run_for(Span::from_secs(30))?;
        assert_eq!(phase(&lab, PEER, FILE), Some(Phase::Stopped));
        assert_eq!(lab.connections(SEED, PEER), 0);
        let engine = lab.node_named(PEER).engine().expect("it is on");
        let have = engine.have(lab.source_named(FILE).info_hash()).expect("it is here");
        assert!(have.count() > 5, "{} pieces", have.count());
        at(&mut lab, 0, PEER, Control::Start);
        finish(&mut lab)
    });
}

#[test]
fn a_person_who_cannot_decide_gets_the_file_all_the_same() {
    over_seeds("a_person_who_cannot_decide_gets_the_file_all_the_same", |seed| {
        let mut lab = pair(seed);
        lab.tracker("tracker");
        let mut random = Random::new(seed);
        let mut millis = 0;
        for _ in 0..25 {
            millis += random.below(900) as u64;
            let node = if random.below(3) == 0 { SEED } else { PEER };
            match random.below(8) {
                0..=2 => at(&mut lab, millis, node, Control::Stop),
                3..=4 => at(&mut lab, millis, node, Control::Start),
                5 => at(&mut lab, millis, node, Control::Verify),
                6 => at(&mut lab, millis, node, Control::Reannounce),
                _ => {
                    let erase = random.below(2) == 0;
                    at(&mut lab, millis, PEER, Control::Remove { erase });
                    millis += random.below(200) as u64;
                    lab.at(Span::from_millis(millis), Action::Add(PEER, FILE));
                }
            }
        }
        lab.run_for(Span::from_millis(millis + 20_000))?;
        let addr = lab.node_named(SEED).addr;
        lab.at(Span::from_millis(1), Action::Add(PEER, FILE));
        for node in [SEED, PEER] {
            at(&mut lab, 2, node, Control::Start);
        }
        at(&mut lab, 3, PEER, Control::Connect(addr));
        lab.run_until(|lab| phase(lab, PEER, FILE) == Some(Phase::Seeding), Span::from_secs(300))?;
        lab.verify()
    });
}
