//! Blame: one giver is convicted at once, several only by comparison.

use std::net::SocketAddr;

use swarmlet::base::limits::BLOCK_BYTES;
use swarmlet::base::{ConnId, PieceIndex};
use swarmlet::format::layout::Layout;
use swarmlet::torrent::blame::{Blame, Finding, Outcome};
use swarmlet::torrent::pieces::{Source, Verdict};

const PIECE: fn() -> PieceIndex = || PieceIndex::checked(0);
const LEN: u32 = 3 * BLOCK_BYTES;

fn layout() -> Layout {
    Layout::single(4 * BLOCK_BYTES, "f", u64::from(LEN)).expect("a valid layout")
}

fn addr(host: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, host], 6881))
}

/// A piece whose blocks came from these hosts.
fn verdict(givers: &[u8]) -> Verdict {
    let mut hosts = givers.to_vec();
    hosts.dedup();
    let conn = ConnId { slot: 0, generation: 0 };
    let sources = hosts.iter().map(|&host| Source { conn, addr: addr(host) }).collect();
    let index = |host| hosts.iter().position(|known| known == host).expect("listed above");
    let givers = givers.iter().map(|host| index(host) as u16).collect();
    Verdict { hash: [0; 20], sources, givers }
}

#[test]
fn a_single_giver_is_guilty_at_once() {
    let mut blame = Blame::new();
    let finding = blame.on_failed(&layout(), PIECE(), &verdict(&[7, 7, 7]));
    assert_eq!(finding, Finding::Guilty(addr(7)));
    assert!(!blame.is_suspect(PIECE()));
}

#[test]
fn of_several_givers_only_those_whose_blocks_differ_are_guilty() {
    let (layout, mut blame) = (layout(), Blame::new());
    let bad = vec![1u8; LEN as usize];
    let mut good = bad.clone();
    good[BLOCK_BYTES as usize + 9] = 2; // so the middle block was bad
    let finding = blame.on_failed(&layout, PIECE(), &verdict(&[1, 2, 3]));
    assert_eq!(finding, Finding::Read(vec![(0, LEN)]));
    assert_eq!(blame.on_read(&layout, PIECE(), 0, Some(&bad)), Outcome::FetchAgain);
    assert!(blame.is_suspect(PIECE()));
    assert_eq!(blame.on_right(&layout, PIECE()), Finding::Read(vec![(0, LEN)]));
    let outcome = blame.on_read(&layout, PIECE(), 0, Some(&good));
    assert_eq!(outcome, Outcome::Guilty(vec![addr(2)]));
    assert!(!blame.is_suspect(PIECE()), "the case is closed");
}

#[test]
fn failing_again_convicts_the_one_who_gave_it_alone_and_keeps_the_case() {
    let (layout, mut blame) = (layout(), Blame::new());
    blame.on_failed(&layout, PIECE(), &verdict(&[1, 2, 2]));
    blame.on_read(&layout, PIECE(), 0, Some(&vec![1; LEN as usize]));
    let again = blame.on_failed(&layout, PIECE(), &verdict(&[3, 3, 3]));
    assert_eq!(again, Finding::Guilty(addr(3)));
    assert!(blame.is_suspect(PIECE()));
}

#[test]
fn what_cannot_be_read_makes_no_case() {
    let (layout, mut blame) = (layout(), Blame::new());
    blame.on_failed(&layout, PIECE(), &verdict(&[1, 2, 2]));
    assert_eq!(blame.on_read(&layout, PIECE(), 0, None), Outcome::FetchAgain);
    assert!(!blame.is_suspect(PIECE()));
    assert_eq!(blame.on_right(&layout, PIECE()), Finding::Nothing);
}
