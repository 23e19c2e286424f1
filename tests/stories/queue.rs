//! The queue: with two dozen seconds of work for each of several torrents, who runs and who waits.

use swarmlet::base::Span;
use swarmlet::engine::Phase;
use swarmlet::engine::control::Control;
use swarmlet::engine::queue::Limits;
use swarmlet::lab::{Action, Lab, Line, NodeId, SourceId};

use crate::over_seeds;

const PEER: NodeId = NodeId(1);

/// A seed that needs ten seconds for each of `count` files, and a peer that wants them all and may
/// download one at a time.
fn stage(seed: u64, count: usize, limits: Limits) -> (Lab, Vec<SourceId>) {
    let mut lab = Lab::new(seed);
    let files: Vec<SourceId> =
        (0..count).map(|n| lab.source(&format!("file{n}"), 32 * 1024, &[1_000_000])).collect();
    let seed = lab.seed("seed", files[0]);
    let peer = lab.peer("peer", files[0]);
    for &file in &files[1..] {
        lab.order(seed, file, true);
        lab.order(peer, file, false);
    }
    for &file in &files {
        lab.knows(peer, file, seed);
    }
    lab.net.set_line(seed, Line { up: Some(100_000), down: None });
    lab.at(Span::from_millis(1), Action::Queue(PEER, limits));
    (lab, files)
}

fn downloads(download: usize) -> Limits {
    Limits { download: Some(download), ..Limits::default() }
}

fn phase(lab: &Lab, source: SourceId) -> Option<Phase> {
    let engine = lab.node_named(PEER).engine()?;
    engine.phase(engine.find(lab.source_named(source).info_hash())?)
}

fn count(lab: &Lab, files: &[SourceId], wanted: &Phase) -> usize {
    files.iter().filter(|&&file| phase(lab, file).as_ref() == Some(wanted)).count()
}

#[test]
fn one_download_at_a_time_and_each_gets_its_turn_in_order() {
    over_seeds("one_download_at_a_time_and_each_gets_its_turn_in_order", |seed| {
        let (mut lab, files) = stage(seed, 3, downloads(1));
        let mut done: Vec<SourceId> = Vec::new();
        for _ in 0..600 {
            lab.run_for(Span::from_millis(100))?;
            assert!(count(&lab, &files, &Phase::Downloading) <= 1, "two run at once");
            for &file in &files {
                if lab.has(PEER, file) && !done.contains(&file) {
                    done.push(file);
                }
            }
        }
        assert_eq!(done, files, "in their order");
        assert_eq!(count(&lab, &files, &Phase::Seeding), 3, "seeding has no limit");
        lab.verify()
    });
}

#[test]
fn who_is_complete_and_finds_no_place_among_the_seeds_waits() {
    over_seeds("who_is_complete_and_finds_no_place_among_the_seeds_waits", |seed| {
        let limits = Limits { download: None, seed: Some(1), stalled_after: None };
        let (mut lab, files) = stage(seed, 3, limits);
        let tracker = lab.tracker("tracker");
        let all_here = |lab: &Lab, files: &[SourceId]| files.iter().all(|&f| lab.has(PEER, f));
        lab.run_until(|lab| all_here(lab, &files), Span::from_secs(200))?;
        lab.run_for(Span::from_secs(10))?;
        assert_eq!(count(&lab, &files, &Phase::Seeding), 1);
        assert_eq!(count(&lab, &files, &Phase::Waiting), 2);
        let counts = lab.node_named(tracker).engine().and_then(|e| e.service()).map(|s| s.counts());
        assert_eq!(counts.map(|counts| counts.peers), Some(4), "three of the seed, one of ours");
        // The one that seeds stops: another one takes its place.
        let first = files.iter().find(|&&f| phase(&lab, f) == Some(Phase::Seeding)).expect("one");
        lab.at(Span::from_millis(1), Action::Control(PEER, *first, Control::Stop));
        lab.run_for(Span::from_secs(10))?;
        assert_eq!(phase(&lab, *first), Some(Phase::Stopped));
        assert_eq!(count(&lab, &files, &Phase::Seeding), 1);
        assert_eq!(count(&lab, &files, &Phase::Waiting), 1);
        lab.verify()
    });
}

#[test]
fn a_dead_torrent_does_not_hold_up_the_others() {
    over_seeds("a_dead_torrent_does_not_hold_up_the_others", |seed| {
        let mut lab = Lab::new(seed);
        let dead = lab.source("dead", 32 * 1024, &[1_000_000]);
        let file = lab.source("file", 32 * 1024, &[1_000_000]);
        let seed = lab.seed("seed", file);
        let peer = lab.peer("peer", dead);
        lab.order(peer, file, false);
        lab.knows(peer, file, seed);
        let limits = Limits { stalled_after: Some(Span::from_secs(60)), ..downloads(1) };
        lab.at(Span::from_millis(1), Action::Queue(peer, limits));
        lab.run_for(Span::from_secs(55))?;
        assert_eq!(phase(&lab, file), Some(Phase::Waiting));
        lab.run_until(|lab| lab.has(peer, file), Span::from_secs(60))?;
        assert_eq!(phase(&lab, dead), Some(Phase::Downloading), "it goes on hoping");
        Ok(())
    });
}

#[test]
fn started_now_means_now_and_a_changed_mind_costs_only_time() {
    over_seeds("started_now_means_now_and_a_changed_mind_costs_only_time", |seed| {
        let (mut lab, files) = stage(seed, 4, downloads(1));
        lab.run_for(Span::from_secs(3))?;
        assert_eq!(phase(&lab, files[3]), Some(Phase::Waiting));
        lab.at(Span::from_millis(1), Action::Control(PEER, files[3], Control::StartNow));
        lab.run_for(Span::from_secs(1))?;
        assert_eq!(count(&lab, &files, &Phase::Downloading), 2, "past the queue");
        // Raised, lowered, stopped and started, verified: whatever comes, all arrive.
        for (secs, limits) in [(2, downloads(3)), (5, downloads(1)), (9, Limits::default())] {
            lab.at(Span::from_secs(secs), Action::Queue(PEER, limits));
        }
        lab.at(Span::from_secs(3), Action::Control(PEER, files[1], Control::Stop));
        lab.at(Span::from_secs(6), Action::Control(PEER, files[0], Control::Verify));
        lab.at(Span::from_secs(7), Action::Control(PEER, files[1], Control::Start));
        lab.at(Span::from_secs(12), Action::Queue(PEER, downloads(1)));
        lab.run_for(Span::from_millis(5_500))?;
        assert_eq!(count(&lab, &files, &Phase::Downloading), 1, "lowered");
        let all_here = |lab: &Lab| files.iter().all(|&file| lab.has(PEER, file));
        lab.run_until(all_here, Span::from_secs(300))?;
        lab.run_for(Span::from_secs(5))?;
        assert_eq!(count(&lab, &files, &Phase::Seeding), 4);
        lab.verify()
    });
}

#[test]
fn existing_data_is_checked_by_one_torrent_at_a_time() {
    over_seeds("existing_data_is_checked_by_one_torrent_at_a_time", |seed| {
        let (mut lab, files) = stage(seed, 3, Limits::default());
        lab.run_until(|lab| files.iter().all(|&file| lab.has(PEER, file)), Span::from_secs(300))?;
        for &file in &files {
            lab.at(Span::from_secs(1), Action::Control(PEER, file, Control::Verify));
        }
        for _ in 0..400 {
            lab.run_for(Span::from_millis(10))?;
            let engine = lab.node_named(PEER).engine().expect("it is on");
            let torrents = engine.torrents();
            let torrents = torrents.iter().filter_map(|&id| engine.look_at(id));
            let checking: usize = torrents.filter(|torrent| torrent.under_way().checks > 0).count();
            assert!(checking <= 1, "{checking} check at once");
        }
        lab.run_for(Span::from_secs(20))?;
        assert_eq!(count(&lab, &files, &Phase::Seeding), 3);
        lab.verify()
    });
}
