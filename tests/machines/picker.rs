//! Picker: rarest first, whatever order peers come, gain pieces and leave in.

use proptest::prelude::*;
use swarmlet::base::{Bits, PieceIndex, Random};
use swarmlet::torrent::picker::Picker;

fn piece(index: u32) -> PieceIndex {
    PieceIndex::checked(index)
}

fn bits(count: u32, set: &[u32]) -> Bits {
    let mut bits = Bits::none(count);
    set.iter().for_each(|&index| assert!(bits.set(piece(index))));
    bits
}

fn wanting_all(count: u32, random: &mut Random) -> Picker {
    let mut picker = Picker::new(count);
    (0..count).for_each(|index| picker.want(piece(index), random));
    picker
}

#[test]
fn the_rarest_piece_that_the_peer_has_is_picked() {
    let mut random = Random::new(1);
    let mut picker = wanting_all(4, &mut random);
    let peers = [bits(4, &[0, 1, 2]), bits(4, &[0, 1]), bits(4, &[0, 3])];
    peers.iter().for_each(|have| picker.on_join(have));
    picker.check(peers.iter());
    // Holders: piece 0 has three, piece 1 two, pieces 2 and 3 one each.
    assert_eq!(picker.pick(&peers[0], false, |_| true, &mut random), Some(piece(2)));
    assert_eq!(picker.pick(&peers[1], false, |_| true, &mut random), Some(piece(1)));
    assert_eq!(picker.pick(&peers[2], false, |_| true, &mut random), Some(piece(3)));
    picker.withdraw(piece(1));
    assert_eq!(picker.pick(&peers[1], false, |_| true, &mut random), Some(piece(0)));
    assert_eq!(picker.holders(piece(0)), 3);
}

#[test]
fn a_piece_is_unique_while_seeds_and_one_peer_at_most_have_it() {
    let mut picker = Picker::new(3);
    let (seed, ours, theirs) = (Bits::all(3), bits(3, &[0, 1]), bits(3, &[1]));
    picker.on_join(&ours);
    picker.on_join(&theirs);
    let unique = |picker: &Picker, have: &Bits| -> Vec<u32> {
        (0..3).filter(|&i| have.has(piece(i)) && picker.is_unique(piece(i), have)).collect()
    };
    assert_eq!(unique(&picker, &ours), [0], "piece 1 has two");
    assert!(unique(&picker, &theirs).is_empty());
    picker.on_join(&seed);
    assert_eq!(unique(&picker, &seed), [2], "only seeds have it");
    assert!(unique(&picker, &ours).is_empty(), "the seed has it, too");
    picker.on_join(&seed);
    assert_eq!(unique(&picker, &seed), [2], "seeds are asked alike");
}

#[test]
fn a_peer_with_nothing_of_use_gets_no_pick() {
    let mut random = Random::new(1);
    let mut picker = Picker::new(3);
    assert_eq!(picker.pick(&Bits::all(3), false, |_| true, &mut random), None, "nothing is wanted");
    picker.want(piece(2), &mut random);
    assert_eq!(picker.pick(&bits(3, &[0, 1]), false, |_| true, &mut random), None);
    assert_eq!(picker.pick(&bits(3, &[0, 1]), true, |_| true, &mut random), None);
    assert_eq!(picker.pick(&Bits::all(3), true, |_| true, &mut random), Some(piece(2)));
}

#[test]
fn equals_are_picked_by_chance() {
    let first_picks: std::collections::BTreeSet<_> = (0..64)
        .map(|seed| {
            let mut random = Random::new(seed);
            let picker = wanting_all(8, &mut random);
            picker.pick(&Bits::all(8), false, |_| true, &mut random)
        })
        .collect();
    assert_eq!(first_picks.len(), 8, "every piece comes first for some seed");
}

#[test]
fn a_peer_that_completes_counts_as_a_seed() {
    let mut random = Random::new(7);
    let mut picker = wanting_all(2, &mut random);
    let mut have = bits(2, &[0]);
    picker.on_join(&have);
    have.set(piece(1));
    picker.on_have(piece(1), &have);
    picker.check([&have].into_iter());
    assert_eq!((picker.holders(piece(0)), picker.holders(piece(1))), (1, 1));
    picker.on_leave(&have);
    picker.check(std::iter::empty());
}

/// One thing that happens in a swarm.
#[derive(Clone, Debug)]
enum Act {
    Want(u32),
    Withdraw(u32),
    Join(Vec<bool>),
    Have(usize, u32),
    Leave(usize),
}

const PIECES: u32 = 13;

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..PIECES).prop_map(Act::Want),
        (0..PIECES).prop_map(Act::Withdraw),
        proptest::collection::vec(any::<bool>(), PIECES as usize).prop_map(Act::Join),
        (any::<usize>(), 0..PIECES).prop_map(|(peer, index)| Act::Have(peer, index)),
        any::<usize>().prop_map(Act::Leave),
    ]
}

proptest! {
    /// The books are right after any history, and the pick is one of the rarest.
    #[test]
    fn any_history_keeps_the_books(acts in proptest::collection::vec(act(), 0..120)) {
        let mut random = Random::new(3);
        let mut picker = Picker::new(PIECES);
        let mut peers: Vec<Bits> = Vec::new();
        for act in acts {
            match act {
                Act::Want(index) => picker.want(piece(index), &mut random),
                Act::Withdraw(index) => picker.withdraw(piece(index)),
                Act::Join(flags) => {
                    let set: Vec<u32> = (0..PIECES).filter(|&i| flags[i as usize]).collect();
                    let have = bits(PIECES, &set);
                    picker.on_join(&have);
                    peers.push(have);
                }
                Act::Have(peer, index) if !peers.is_empty() => {
                    let peer = peer % peers.len();
                    if peers[peer].set(piece(index)) {
                        picker.on_have(piece(index), &peers[peer]);
                    }
                }
                Act::Leave(peer) if !peers.is_empty() => {
                    let have = peers.remove(peer % peers.len());
                    picker.on_leave(&have);
                }
                Act::Have(..) | Act::Leave(_) => {}
            }
            picker.check(peers.iter());
            let wanted = || (0..PIECES).map(piece).filter(|&p| picker.is_wanted(p));
            let pick = picker.pick(&Bits::all(PIECES), false, |_| true, &mut random);
            prop_assert_eq!(
                pick.map(|p| picker.holders(p)),
                wanted().map(|p| picker.holders(p)).min()
            );
        }
    }
}

#[test]
fn one_missing_piece_is_seen_wherever_it_is() {
    for len in [1, 7, 8, 9, 63, 64, 65, 130] {
        let all = Bits::all(len);
        assert!(!all.any_missing_in(&all), "of {len}");
        for index in 0..len {
            let mut lacking = Bits::all(len);
            lacking.clear(piece(index));
            assert!(all.any_missing_in(&lacking), "{index} of {len}");
            assert!(!lacking.any_missing_in(&all), "{index} of {len}");
        }
    }
}
