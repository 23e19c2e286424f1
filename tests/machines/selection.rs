//! Selection: files that a person chose become pieces to be fetched.

use swarmlet::base::limits::BLOCK_BYTES;
use swarmlet::base::{Bits, PieceIndex, Random};
use swarmlet::format::layout::Layout;
use swarmlet::lab::Source;
use swarmlet::torrent::selection::Choice::{High, Low, Normal, Skip};
use swarmlet::torrent::selection::{Choice, Selection, Wishes};

/// Files of 2½, 1, 0, 3½ and 1 pieces; eight pieces in all.
fn layout() -> Layout {
    let block = u64::from(BLOCK_BYTES);
    let lens = [5 * block / 2, block, 0, 7 * block / 2, block];
    Source::new("d", BLOCK_BYTES, &lens, &mut Random::new(1)).layout().clone()
}

fn selection(files: &[Choice]) -> Selection {
    Selection::new(&layout(), &Wishes { files: files.to_vec(), sequential: false })
}

/// One letter a piece: its rank, or a dot for none.
fn letters(selection: &Selection) -> String {
    let ranks: Vec<_> = selection.ranks().collect();
    let letter = |piece: PieceIndex| {
        let found = ranks.iter().position(|rank| rank(piece));
        assert_eq!(found.is_some(), selection.wants(piece), "{piece:?}");
        found.map_or('.', |rank| ['1', '2', '3'][rank])
    };
    layout().pieces().map(letter).collect()
}

#[test]
fn a_piece_is_as_important_as_the_most_important_file_in_it() {
    let table: [(&[Choice], &str); 8] = [
        // Nothing is said, or nothing of interest: one rank for all.
        (&[], "11111111"),
        (&[Normal, Normal], "11111111"),
        // Ranks are high, normal, low. Piece 2 is shared by the first two files.
        (&[High], "11122222"),
        (&[Skip], "..222222"),
        (&[Normal, Skip, Skip, Skip, Skip], "222....."),
        (&[Skip, Skip, Normal, Skip, Skip], "........"),
        (&[Low, High, Skip, Skip, Normal], "3311...2"),
        (&[Skip, Skip, Skip, Skip, Skip], "........"),
    ];
    for (files, expected) in table {
        assert_eq!(letters(&selection(files)), expected, "{files:?}");
    }
}

#[test]
fn it_is_known_what_is_missing_and_who_has_it() {
    let layout = layout();
    let block = u64::from(BLOCK_BYTES);
    let first = selection(&[Normal, Skip, Skip, Skip, Skip]);
    let mut have = Bits::none(8);
    assert_eq!(
        (first.bytes(&layout), first.bytes_missing(&layout, &have, 0)),
        (3 * block, 3 * block)
    );
    assert!(!first.is_met_by(&have));
    let mut theirs = Bits::none(8);
    theirs.set(PieceIndex::checked(5));
    assert!(!first.is_served_by(&theirs, &have), "what nobody wants");
    theirs.set(PieceIndex::checked(2));
    assert!(first.is_served_by(&theirs, &have));
    (0..3).for_each(|piece| {
        have.set(PieceIndex::checked(piece));
    });
    assert!(first.is_met_by(&have));
    assert!(!first.is_served_by(&theirs, &have), "what is here");
    assert_eq!(first.bytes_missing(&layout, &have, 3 * block), 0);
    assert_eq!(selection(&[]).bytes_missing(&layout, &have, 3 * block), 5 * block);
}
