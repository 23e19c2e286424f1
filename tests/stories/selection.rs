//! Selection: some files of several, some first, one after the other; and minds that change.

use swarmlet::base::{PieceIndex, Span};
use swarmlet::engine::Phase;
use swarmlet::engine::control::Control;
use swarmlet::lab::{Action, Failure, Lab, Line, NodeId, SourceId};
use swarmlet::torrent::selection::Choice::{High, Low, Normal, Skip};
use swarmlet::torrent::selection::{Choice, Wishes};

use crate::over_seeds;

const FILE: SourceId = SourceId(0);
const PEER: NodeId = NodeId(1);

/// Pieces of 32 KiB, and files of 12½, 4 and 12½ of them.
const LENS: [u64; 3] = [400 * 1024, 128 * 1024, 400 * 1024];
const PIECES: u32 = 29;

/// A seed, and a peer that wants these files of its torrent.
fn pair(seed: u64, wishes: Wishes) -> Lab {
    let mut lab = Lab::new(seed);
    let file = lab.source("file", 32 * 1024, &LENS);
    let seed = lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    lab.knows(peer, file, seed);
    lab.chooses(peer, file, wishes);
    lab.net.set_line(seed, Line { up: Some(100_000), down: None });
    lab
}

fn files(files: &[Choice]) -> Wishes {
    Wishes { files: files.to_vec(), sequential: false }
}

fn phase(lab: &Lab) -> Option<Phase> {
    let engine = lab.node_named(PEER).engine()?;
    engine.phase(engine.find(lab.source_named(FILE).info_hash())?)
}

/// The pieces that the peer has.
fn have(lab: &Lab) -> Vec<u32> {
    let engine = lab.node_named(PEER).engine().expect("it runs");
    let id = engine.find(lab.source_named(FILE).info_hash()).expect("it has the torrent");
    engine.look_at(id).expect("it has the torrent").have().iter().map(PieceIndex::get).collect()
}

fn until_seeding(lab: &mut Lab) -> Result<(), Failure> {
    lab.run_until(|lab| phase(lab) == Some(Phase::Seeding), Span::from_secs(300))
}

fn bytes_from_seed(lab: &Lab) -> usize {
    lab.record().count("peer", "says", "request")
}

#[test]
fn only_what_is_wanted_is_fetched_and_then_it_is_done() {
    over_seeds("only_what_is_wanted_is_fetched_and_then_it_is_done", |seed| {
        let mut lab = pair(seed, files(&[Skip, Normal, Skip]));
        until_seeding(&mut lab)?;
        assert_eq!(have(&lab), [12, 13, 14, 15, 16], "the five pieces that the file is in");
        assert_eq!(bytes_from_seed(&lab), 10, "two blocks for each");
        assert!(!lab.has(PEER, FILE), "it does not have the torrent");
        assert_eq!(lab.connections(NodeId(0), PEER), 0, "a seed has nothing more for it");
        lab.run_for(Span::from_secs(600))?;
        assert_eq!(have(&lab).len(), 5);
        Ok(())
    });
}

#[test]
fn whoever_wants_more_later_gets_it_and_whoever_wants_less_is_done_sooner() {
    let name = "whoever_wants_more_later_gets_it_and_whoever_wants_less_is_done_sooner";
    over_seeds(name, |seed| {
        let mut lab = pair(seed, files(&[Skip, Normal, Skip]));
        until_seeding(&mut lab)?;
        let choose = |wishes| Action::Control(PEER, FILE, Control::Choose(wishes));
        lab.at(Span::ZERO, choose(files(&[])));
        lab.run_until(|lab| have(lab).len() > 12, Span::from_secs(300))?;
        assert_eq!(phase(&lab), Some(Phase::Downloading));
        // In the middle of it the last file is no longer wanted; what was begun is finished.
        lab.at(Span::ZERO, choose(files(&[Normal, Normal, Skip])));
        until_seeding(&mut lab)?;
        assert!((17..PIECES as usize).contains(&have(&lab).len()), "{:?}", have(&lab));
        lab.at(Span::ZERO, choose(files(&[])));
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(300))?;
        lab.verify()
    });
}

/// In which order pieces were finished.
fn order(lab: &mut Lab) -> Result<Vec<u32>, Failure> {
    let mut order: Vec<u32> = Vec::new();
    while !lab.has(PEER, FILE) {
        lab.run_for(Span::from_millis(50))?;
        if lab.node_named(PEER).engine().is_some() {
            let new: Vec<u32> = have(lab).into_iter().filter(|p| !order.contains(p)).collect();
            order.extend(new);
        }
        assert!(order.len() <= PIECES as usize);
    }
    Ok(order)
}

#[test]
fn important_files_come_first_and_the_others_last() {
    over_seeds("important_files_come_first_and_the_others_last", |seed| {
        let mut lab = pair(seed, files(&[Low, Normal, High]));
        let order = order(&mut lab)?;
        let rank = |piece: &u32| match piece {
            0..12 => 3,
            12..16 => 2,
            _ => 1,
        };
        let ranks: Vec<u32> = order.iter().map(rank).collect();
        assert!(ranks.is_sorted(), "{order:?}");
        lab.verify()
    });
}

#[test]
fn whoever_wants_it_in_order_gets_it_in_order() {
    over_seeds("whoever_wants_it_in_order_gets_it_in_order", |seed| {
        let mut lab = pair(seed, Wishes { files: Vec::new(), sequential: true });
        let order = order(&mut lab)?;
        assert!(order.is_sorted(), "{order:?}");
        lab.verify()
    });
}

#[test]
fn a_choice_outlives_a_stop_a_check_and_what_is_not_wanted_is_not_missed() {
    let name = "a_choice_outlives_a_stop_a_check_and_what_is_not_wanted_is_not_missed";
    over_seeds(name, |seed| {
        let mut lab = pair(seed, files(&[Skip, Normal, Skip]));
        until_seeding(&mut lab)?;
        for control in [Control::Stop, Control::Start, Control::Verify] {
            lab.at(Span::ZERO, Action::Control(PEER, FILE, control));
            lab.run_for(Span::from_secs(30))?;
        }
        assert_eq!(phase(&lab), Some(Phase::Seeding));
        assert_eq!(have(&lab), [12, 13, 14, 15, 16]);
        Ok(())
    });
}
