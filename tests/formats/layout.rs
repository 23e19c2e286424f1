//! Layout: geometry on the left, numbers on the right.

use proptest::prelude::*;
use swarmlet::base::limits::{
    BLOCK_BYTES, FILES_MAX, PIECE_BYTES_MAX, PIECES_MAX, REQUEST_BYTES_MAX,
};
use swarmlet::base::{Block, Claim};
use swarmlet::format::layout::{File, FileSpan, Layout, Misfit, piece_bytes_for};

fn layout(piece_bytes: u32, lens: &[u64]) -> Layout {
    let files = lens.iter().enumerate().map(|(at, &len)| File::new([format!("f{at}")], len));
    let layout = Layout::new(piece_bytes, files.collect()).expect("a legal layout");
    layout.check();
    layout
}

fn spans(layout: &Layout, piece: u32, begin: u32, len: u32) -> Vec<(usize, u64, u32)> {
    let piece = layout.piece(piece).expect("a piece that exists");
    let short = |span: FileSpan| (span.file, span.offset, span.len);
    layout.spans(piece, begin, len).map(short).collect()
}

#[test]
fn pieces_divide_the_total_and_the_last_is_what_is_left() {
    // piece bytes, total → piece lengths
    let table: &[(u32, u64, &[u32])] = &[
        (16384, 1, &[1]),
        (16384, 16384, &[16384]),
        (16384, 16385, &[16384, 1]),
        (12345, 24691, &[12345, 12345, 1]),
        (1, 3, &[1, 1, 1]),
        (PIECE_BYTES_MAX, 1 << 30, &[PIECE_BYTES_MAX, PIECE_BYTES_MAX]),
    ];
    for &(piece_bytes, total, expected) in table {
        let layout = Layout::single(piece_bytes, "a", total).expect("legal");
        let lens: Vec<u32> = layout.pieces().map(|piece| layout.piece_len(piece)).collect();
        assert_eq!(lens, expected, "{total} in pieces of {piece_bytes}");
        assert_eq!(layout.total_bytes(), total);
        layout.check();
    }
}

#[test]
fn numbers_that_make_no_torrent_are_refused() {
    let one = |len| vec![File::new(["a"], len)];
    let table = [
        (0, one(1), Misfit::PieceLength(0)),
        (PIECE_BYTES_MAX + 1, one(1), Misfit::PieceLength(PIECE_BYTES_MAX + 1)),
        (16384, vec![], Misfit::NoData),
        (16384, vec![File::new(["a"], 0), File::new(["b"], 0)], Misfit::NoData),
        (PIECE_BYTES_MAX, one(1 << 63), Misfit::Total),
        (PIECE_BYTES_MAX, [one(1 << 63), one(1 << 63)].concat(), Misfit::Total),
        (16384, one(16384 * (1 << 21) + 1), Misfit::Pieces((1 << 21) + 1)),
        (1, one(u64::from(u32::MAX) + 2), Misfit::Pieces(u64::from(u32::MAX) + 2)),
        (1, vec![File::new(["a"], 1); FILES_MAX + 1], Misfit::Files(FILES_MAX + 1)),
    ];
    for (piece_bytes, files, expected) in table {
        assert_eq!(Layout::new(piece_bytes, files).expect_err("refused"), expected);
    }
    let most = Layout::single(16384, "a", 16384 * u64::from(PIECES_MAX)).expect("the most");
    assert_eq!(most.piece_count(), PIECES_MAX);
}

#[test]
fn a_claim_becomes_a_block_only_inside_a_piece() {
    // Two pieces: 200,000 bytes and 50,000.
    let layout = layout(200_000, &[250_000]);
    let table = [
        (0, 0, 16384, true),
        (0, 200_000 - 16384, 16384, true),
        (0, 200_000 - 16384, 16385, false),
        (1, 49_999, 1, true),
        (1, 49_999, 2, false),
        (1, 50_000, 1, false),
        (2, 0, 1, false),
        (u32::MAX, 0, 1, false),
        (0, 0, 0, false),
        (0, 0, REQUEST_BYTES_MAX, true),
        (0, 0, REQUEST_BYTES_MAX + 1, false),
        // begin + len wraps in 32 bits
        (0, 0xffff_c000, 0x4000, false),
        (0, u32::MAX, 1, false),
        (0, 1, u32::MAX, false),
    ];
    for (piece, begin, len, expected) in table {
        let claim = Claim { piece, begin, len };
        let block = layout.block(claim);
        assert_eq!(block.is_some(), expected, "{claim:?}");
        assert_eq!(block.map(Block::claim), expected.then_some(claim));
    }
}

#[test]
fn blocks_of_a_piece_follow_each_other_and_the_last_is_short() {
    let layout = layout(40_000, &[45_000]);
    let claims: Vec<(u32, u32, u32)> = layout
        .pieces()
        .flat_map(|piece| (0..layout.block_count(piece)).map(move |number| (piece, number)))
        .map(|(piece, number)| layout.block_at(piece, number).claim())
        .map(|claim| (claim.piece, claim.begin, claim.len))
        .collect();
    let expected = [(0, 0, 16384), (0, 16384, 16384), (0, 32768, 40_000 - 32768), (1, 0, 5_000)];
    assert_eq!(claims, expected);
}

#[test]
fn spans_cross_files_and_step_over_empty_ones() {
    //  a: 0..10   b: empty   c: 10..13   d, e: empty   f: 13..40
    let layout = layout(16, &[10, 0, 3, 0, 0, 27]);
    assert_eq!(layout.piece_count(), 3);
    assert_eq!(spans(&layout, 0, 0, 16), [(0, 0, 10), (2, 0, 3), (5, 0, 3)]);
    assert_eq!(spans(&layout, 0, 9, 2), [(0, 9, 1), (2, 0, 1)]);
    assert_eq!(spans(&layout, 0, 10, 3), [(2, 0, 3)]);
    assert_eq!(spans(&layout, 1, 0, 16), [(5, 3, 16)]);
    assert_eq!(spans(&layout, 2, 7, 1), [(5, 26, 1)]);
    assert_eq!(spans(&layout, 2, 8, 0), []);
    let pieces: Vec<_> = (0..6).map(|file| layout.pieces_of(file)).collect();
    assert_eq!(pieces, [0..1, 0..0, 0..1, 0..0, 0..0, 0..3]);
}

#[test]
#[should_panic(expected = "8+1 in p2")]
fn a_range_outside_the_piece_is_our_own_mistake() {
    let layout = layout(16, &[40]);
    spans(&layout, 2, 8, 1);
}

#[test]
fn files_beyond_4_gib_keep_their_offsets() {
    let layout = layout(PIECE_BYTES_MAX, &[5 << 30, 1]);
    assert_eq!(layout.piece_count(), 11);
    assert_eq!(spans(&layout, 9, 7, 1), [(0, 9 * u64::from(PIECE_BYTES_MAX) + 7, 1)]);
    assert_eq!(spans(&layout, 10, 0, 1), [(1, 0, 1)]);
    assert_eq!(layout.pieces_of(1), 10..11);
}

#[test]
fn the_chosen_piece_length_gives_one_to_two_thousand_pieces() {
    const KIB: u64 = 1024;
    const GIB: u64 = 1024 * 1024 * KIB;
    let table = [
        (1, 16 * KIB),
        (2_000 * 16 * KIB, 16 * KIB),
        (2_000 * 16 * KIB + 1, 32 * KIB),
        (GIB, 1024 * KIB),
        (32 * GIB, 16 * 1024 * KIB),
        (1 << 62, 16 * 1024 * KIB),
    ];
    for (total, expected) in table {
        assert_eq!(u64::from(piece_bytes_for(total)), expected, "{total} bytes");
    }
}

proptest! {
    /// Whatever the files, the spans of all blocks are all bytes, each once, in order.
    #[test]
    fn spans_of_all_blocks_cover_every_byte_once(
        piece_bytes in 1u32..60_000,
        lens in prop::collection::vec(prop_oneof![Just(0u64), 1u64..100_000], 1..12),
    ) {
        prop_assume!(lens.iter().sum::<u64>() > 0);
        let layout = layout(piece_bytes, &lens);
        let mut seen = vec![0u64; lens.len()];
        for piece in layout.pieces() {
            for number in 0..layout.block_count(piece) {
                let block = layout.block_at(piece, number);
                prop_assert!(block.len() <= BLOCK_BYTES);
                prop_assert_eq!(layout.block(block.claim()), Some(block));
                for span in layout.spans(piece, block.begin(), block.len()) {
                    prop_assert!(span.len > 0);
                    prop_assert_eq!(span.offset, seen[span.file]);
                    prop_assert!(layout.pieces_of(span.file).contains(&piece.get()));
                    seen[span.file] += u64::from(span.len);
                }
            }
        }
        prop_assert_eq!(seen, lens);
    }
}
