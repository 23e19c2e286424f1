//! Pieces: blocks come in order, out of order, twice, cut off; the verdict is always the hash of
//! what is on disk.

use std::net::SocketAddr;

use proptest::prelude::*;
use swarmlet::base::limits::{BLOCK_BYTES, BLOCK_SLOW};
use swarmlet::base::{Block, ConnId, PieceIndex, Time};
use swarmlet::format::digest::Digest;
use swarmlet::format::layout::Layout;
use swarmlet::torrent::pieces::{Pieces, Source, Step, Taken};

const BLOCK: usize = BLOCK_BYTES as usize;

/// Pieces of one torrent whose only piece has three blocks and a bit, and a disk under it.
struct Bench {
    layout: Layout,
    piece: PieceIndex,
    pieces: Pieces,
    content: Vec<u8>,
    disk: Vec<u8>,
    now: Time,
}

fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

fn source(slot: u32) -> Source {
    Source { conn: conn(slot), addr: SocketAddr::from(([127, 0, 0, 1], 1000 + slot as u16)) }
}

impl Bench {
    fn new(alone: bool) -> Bench {
        let len = 3 * BLOCK + 100;
        let piece_bytes = 4 * BLOCK_BYTES;
        let layout = Layout::single(piece_bytes, "file", len as u64).expect("a valid layout");
        let piece = layout.piece(0).expect("there is one piece");
        let content: Vec<u8> = (0..len).map(|i| (i * 7 + i / 256) as u8).collect();
        let mut pieces = Pieces::new();
        pieces.open(&layout, piece, alone);
        let disk = vec![0; content.len()];
        Bench { layout, piece, pieces, disk, content, now: Time::START }
    }

    fn block(&self, number: u32) -> Block {
        self.layout.block_at(self.piece, number)
    }

    fn ask(&mut self, slot: u32) -> Option<Block> {
        self.pieces.ask(&self.layout, self.piece, conn(slot))
    }

    /// Bytes `from .. to` of a block arrive from this peer, and are written.
    fn arrive(&mut self, slot: u32, number: u32, from: usize, to: usize) -> Taken {
        let block = self.block(number);
        let begin = block.begin() as usize;
        let bytes = self.content[begin + from..begin + to].to_vec();
        let taken = self.pieces.on_payload(self.now, source(slot), block, from as u32, &bytes);
        if taken != Taken::Unwanted {
            self.disk[begin + from..begin + to].copy_from_slice(&bytes);
            self.pieces.on_written(self.piece, bytes.len() as u32);
        }
        if taken == Taken::Whole {
            self.pieces.release(block);
        }
        self.pieces.check(&self.layout);
        taken
    }

    fn whole(&mut self, slot: u32, number: u32) -> Taken {
        self.arrive(slot, number, 0, self.block(number).len() as usize)
    }

    fn step(&mut self) -> Step {
        self.pieces.step(&self.layout, self.piece)
    }

    /// Carries out a read.
    fn read_back(&mut self, begin: u32, len: u32) {
        let range = begin as usize..(begin + len) as usize;
        self.pieces.on_read(self.piece, &self.disk[range]);
        self.pieces.check(&self.layout);
    }

    /// Steps until there is a verdict; how many bytes were read back on the way.
    fn finish(&mut self) -> (Option<[u8; 20]>, u32) {
        let mut reread = 0;
        loop {
            match self.step() {
                Step::Wait => return (None, reread),
                Step::ReadBack { begin, len } => {
                    reread += len;
                    self.read_back(begin, len);
                }
                Step::Done(verdict) => return (Some(verdict.hash), reread),
            }
        }
    }
}

#[test]
fn blocks_in_order_are_judged_without_reading_anything_back() {
    let mut bench = Bench::new(false);
    for number in 0..4 {
        assert_eq!(bench.ask(1), Some(bench.block(number)));
    }
    assert_eq!(bench.ask(1), None, "all blocks are asked");
    for number in 0..4 {
        assert_eq!(bench.step(), Step::Wait);
        assert_eq!(bench.whole(1, number), Taken::Whole);
    }
    assert_eq!(bench.finish(), (Some(Digest::of(&bench.content)), 0));
    assert!(!bench.pieces.is_open(bench.piece));
}

#[test]
fn a_block_out_of_order_is_read_back_when_its_turn_comes() {
    let mut bench = Bench::new(false);
    (0..4).for_each(|_| assert!(bench.ask(1).is_some()));
    bench.whole(1, 1);
    bench.whole(1, 2);
    assert_eq!(bench.step(), Step::Wait, "block 0 is missing");
    bench.whole(1, 0);
    let read = Step::ReadBack { begin: BLOCK_BYTES, len: 2 * BLOCK_BYTES };
    assert_eq!(bench.step(), read, "neighbours come back in one read");
    assert_eq!(bench.step(), Step::Wait, "the read is under way");
    // What arrives meanwhile cannot be hashed yet.
    bench.whole(1, 3);
    bench.read_back(BLOCK_BYTES, 2 * BLOCK_BYTES);
    assert_eq!(bench.finish(), (Some(Digest::of(&bench.content)), 100));
}

#[test]
fn a_block_cut_off_in_the_middle_leaves_no_trace() {
    let mut bench = Bench::new(false);
    (0..4).for_each(|_| assert!(bench.ask(1).is_some()));
    bench.whole(1, 0);
    assert_eq!(bench.arrive(1, 1, 0, 5000), Taken::Part);
    // The peer vanishes; its requests are taken back.
    (1..4).for_each(|number| bench.pieces.release(bench.block(number)));
    bench.pieces.on_gone(conn(1));
    bench.pieces.check(&bench.layout);
    assert_eq!(bench.ask(2), Some(bench.block(1)), "the block is free again");
    bench.whole(2, 1);
    for number in 2..4 {
        assert_eq!(bench.ask(2), Some(bench.block(number)));
        bench.whole(2, number);
    }
    assert_eq!(bench.finish(), (Some(Digest::of(&bench.content)), 0));
}

#[test]
fn what_is_here_already_is_unwanted() {
    let mut bench = Bench::new(false);
    bench.ask(1);
    bench.whole(1, 0);
    assert_eq!(bench.whole(2, 0), Taken::Unwanted);
    assert_eq!(bench.arrive(1, 1, 100, 200), Taken::Unwanted, "its beginning never came");
    assert_eq!(bench.arrive(1, 1, 0, 100), Taken::Part);
    assert_eq!(bench.arrive(2, 1, 0, 100), Taken::Unwanted, "another peer is faster");
    assert_eq!(bench.arrive(1, 1, 100, BLOCK), Taken::Whole);
}

#[test]
fn a_piece_under_suspicion_comes_from_one_peer_alone() {
    let mut bench = Bench::new(true);
    let first = bench.ask(1).expect("a free block");
    assert_eq!(bench.ask(2), None, "peer 1 has the piece to itself");
    bench.pieces.release(first);
    bench.pieces.release_alone(bench.piece, conn(1));
    assert_eq!(bench.ask(2), Some(first), "peer 1 gave it up");
    assert_eq!(bench.ask(1), None);
}

#[test]
fn the_end_game_asks_for_what_others_were_asked_for() {
    let mut bench = Bench::new(false);
    (0..4).for_each(|_| assert!(bench.ask(1).is_some()));
    bench.whole(1, 0);
    let again =
        bench.pieces.ask_again(bench.now, &bench.layout, bench.piece, 1, conn(2), |_, _| true);
    assert_eq!(again, Some(bench.block(1)));
    assert_eq!(bench.pieces.asked(bench.block(1)), Some(2));
    let next =
        bench.pieces.ask_again(bench.now, &bench.layout, bench.piece, 1, conn(3), |_, _| true);
    assert_eq!(next, Some(bench.block(2)), "a block with fewer askers comes first");
}

#[test]
fn wrong_bytes_make_a_wrong_hash_and_name_their_givers() {
    let mut bench = Bench::new(false);
    (0..4).for_each(|_| assert!(bench.ask(1).is_some()));
    let right = Digest::of(&bench.content);
    bench.content[BLOCK + 5] ^= 1;
    (0..4).for_each(|number| {
        bench.whole(if number == 1 { 2 } else { 1 }, number);
    });
    let Step::Done(verdict) = bench.step() else { panic!("all is here") };
    assert_ne!(verdict.hash, right);
    assert_eq!(verdict.sources, [source(1), source(2)]);
    assert_eq!(verdict.givers, [0, 1, 0, 0]);
}

proptest! {
    /// Whatever the order, the cuts and the vanishing: the verdict is the hash of the content.
    #[test]
    fn any_order_and_any_cuts_end_in_the_right_hash(
        order in Just([0u32, 1, 2, 3]).prop_shuffle(),
        cuts in proptest::collection::vec(1..BLOCK, 4),
        vanish in proptest::collection::vec(any::<bool>(), 4),
    ) {
        let mut bench = Bench::new(false);
        (0..4).for_each(|_| assert!(bench.ask(1).is_some()));
        let mut hash = None;
        for &number in &order {
            let len = bench.block(number).len() as usize;
            let cut = cuts[number as usize].min(len - 1);
            prop_assert_eq!(bench.arrive(1, number, 0, cut), Taken::Part);
            if vanish[number as usize] {
                bench.pieces.on_gone(conn(1));
                prop_assert_eq!(bench.whole(2, number), Taken::Whole);
            } else {
                prop_assert_eq!(bench.arrive(1, number, cut, len), Taken::Whole);
            }
            match bench.step() {
                Step::Wait => {}
                Step::ReadBack { begin, len } => bench.read_back(begin, len),
                Step::Done(verdict) => hash = Some(verdict.hash),
            }
        }
        let hash = hash.or_else(|| bench.finish().0);
        prop_assert_eq!(hash, Some(Digest::of(&bench.content)));
    }
}

#[test]
fn a_slow_block_may_be_begun_by_another_peer_and_a_quick_one_not() {
    let mut bench = Bench::new(false);
    (0..4).for_each(|number| assert_eq!(bench.ask(1), Some(bench.block(number))));
    assert_eq!(bench.arrive(1, 0, 0, 100), Taken::Part);
    (1..4).for_each(|number| assert_eq!(bench.whole(1, number), Taken::Whole));
    let ask_again =
        |b: &mut Bench| b.pieces.ask_again(b.now, &b.layout, b.piece, 1, conn(2), |_, _| true);
    assert_eq!(ask_again(&mut bench), None, "it has only just begun");
    assert_eq!(bench.whole(2, 0), Taken::Unwanted);
    bench.now += BLOCK_SLOW;
    assert_eq!(ask_again(&mut bench), Some(bench.block(0)));
    assert_eq!(bench.arrive(2, 0, 0, BLOCK - 1), Taken::Part);
    assert_eq!(bench.arrive(1, 0, 100, 200), Taken::Unwanted, "it was overtaken");
    assert_eq!(bench.arrive(2, 0, BLOCK - 1, BLOCK), Taken::Whole);
    let Step::ReadBack { begin, len } = bench.step() else { panic!("three blocks to read back") };
    bench.read_back(begin, len);
    let Step::Done(verdict) = bench.step() else { panic!("all is here") };
    assert_eq!(verdict.hash, Digest::of(&bench.content));
    assert_eq!(verdict.sources.len(), 2);
}
