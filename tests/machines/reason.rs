//! Reasons: each in the words that the record shows.

use swarmlet::base::{Claim, Random};
use swarmlet::border::reason::{Pick, Rank, Reason, Why, WhyNot};
use swarmlet::format::layout::Layout;
use swarmlet::lab::Source;

fn layout() -> Layout {
    Source::new("file", 32_768, &[100_000], &mut Random::new(1)).layout().clone()
}

fn piece(pick: Pick, alone: bool) -> Reason {
    let piece = layout().piece(2).expect("there are four");
    Reason::Piece { piece, pick, holders: 3, peers: 20, alone }
}

#[test]
fn a_piece_names_the_rule_and_its_holders() {
    let rows = [
        (piece(Pick::Rarest, false), "piece 2: rarest first, 3 of 20 have it"),
        (piece(Pick::Random, false), "piece 2: random first, 3 of 20 have it"),
        (piece(Pick::Sequential, false), "piece 2: sequential, 3 of 20 have it"),
        (piece(Pick::Unique, false), "piece 2: unique, 3 of 20 have it"),
        (piece(Pick::Orphan, false), "piece 2: orphan, 3 of 20 have it"),
        (piece(Pick::Shared, false), "piece 2: shared, 3 of 20 have it"),
        (
            piece(Pick::Rarest, true),
            "piece 2: rarest first, 3 of 20 have it, from this peer alone: it failed before",
        ),
    ];
    for (reason, words) in rows {
        assert_eq!(reason.to_string(), words);
    }
}

#[test]
fn a_block_of_the_end_game_names_how_many_were_asked() {
    let claim = Claim { piece: 1, begin: 16_384, len: 16_384 };
    let block = layout().block(claim).expect("in range");
    let reason = Reason::Block { block, others: 2 };
    assert_eq!(reason.to_string(), "block 1+16384+16384: end game, asked of 2 already");
}

#[test]
fn a_choke_or_unchoke_names_the_reason_the_rate_and_the_rank() {
    let rank = Rank { rate: 5000, place: 2, of: 9 };
    let served = [
        (Why::Fast, false, "unchoke: gives much"),
        (Why::FastIdle, false, "unchoke: gives much, wants nothing"),
        (Why::Optimistic, false, "unchoke: by lot"),
        (Why::FreePlace, true, "stays: free place"),
        (Why::SeedTurn, true, "stays: its turn"),
    ];
    for (why, stays, words) in served {
        let reason = Reason::Unchoke { why, stays, rank };
        assert_eq!(reason.to_string(), format!("{words}, 5000 bytes/s, rank 2 of 9"));
    }
    let choked = [
        (WhyNot::WantsNothing, "wants nothing"),
        (WhyNot::Snubs, "keeps us waiting"),
        (WhyNot::LotOver, "lot is over"),
        (WhyNot::TurnOver, "turn is over"),
        (WhyNot::Outdone, "others go first"),
    ];
    for (why, words) in choked {
        let reason = Reason::Choke { why, rank };
        assert_eq!(reason.to_string(), format!("choke: {words}, 5000 bytes/s, rank 2 of 9"));
    }
}
