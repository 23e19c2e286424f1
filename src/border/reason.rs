//! Reason: why the engine decided as it did, in words for people who learn.
//!
//! Most who run an engine want to know what it does; who studies one wants to know why. An engine
//! that was told to explain (`Settings::explain`) says so with `Output::Because`, right before
//! the request, choke or unchoke that follows from it. One that was not makes no reason at all.
//!
//! # Interface
//! `Display` makes one line of each; the table in `lab/record.rs` lists the words.

use std::fmt;

use crate::base::{Block, PieceIndex};

/// Why something was decided about one peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// This peer is asked for this piece from now on, block after block.
    Piece {
        piece: PieceIndex,
        pick: Pick,
        /// How many connected peers have it, of how many.
        holders: u32,
        peers: usize,
        /// Nobody else may help: it failed its hash before, and this shows who lies.
        alone: bool,
    },
    /// The end game: a block that so many others were asked for is asked of this peer too.
    Block { block: Block, others: usize },
    /// It is unchoked; `stays`: it was already.
    Unchoke { why: Why, stays: bool, rank: Rank },
    /// It is choked from now on.
    Choke { why: WhyNot, rank: Rank },
}

/// Which rule chose a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pick {
    /// This peer alone has it to give, seeds aside.
    Unique,
    /// Begun by somebody who does not go on with it.
    Orphan,
    /// The rarest that this peer has; chance decides among equals.
    Rarest,
    /// Any that this peer has: the first few, to have something to trade soon.
    Random,
    /// The next one in the order of the torrent, as a person wants it.
    Sequential,
    /// It chokes us, and lets us have this piece all the same (BEP 6).
    Allowed,
    /// It said that this one would be good to fetch from it (BEP 6).
    Suggested,
    /// Nothing is left to begin with this peer; it helps with what another is at.
    Shared,
}

/// Why a peer is unchoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It gives us more than others do.
    Fast,
    /// It gives us much and wants nothing; it may begin at once should it want something.
    /// Takes up no place.
    FastIdle,
    /// By lot, to find out.
    Optimistic,
    /// Nobody else wanted the place.
    FreePlace,
    /// We are a seed, and it is this peer's turn.
    SeedTurn,
}

/// Why a peer that was unchoked is so no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhyNot {
    /// It wants nothing, or has everything: a place is of no use to it.
    WantsNothing,
    /// It lets us wait for blocks that it was asked for.
    Snubs,
    /// Its time by lot is over, and it earned no other place.
    LotOver,
    /// We are a seed, and others wait.
    TurnOver,
    /// Others give us more, or have waited longer for a free place.
    Outdone,
}

/// How a peer compares with the others that are connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rank {
    /// Bytes of payload per second that it gives us; of a seed: that it takes.
    pub rate: u64,
    /// 1 is whoever gives (takes) most.
    pub place: usize,
    pub of: usize,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Piece { piece, pick, holders, peers, alone } => {
                let piece = piece.get();
                write!(f, "piece {piece}: {pick}, {holders} of {peers} have it")?;
                f.write_str(if alone { ", from this peer alone: it failed before" } else { "" })
            }
            Reason::Block { block, others } => {
                let (piece, begin, len) = (block.piece().get(), block.begin(), block.len());
                write!(f, "block {piece}+{begin}+{len}: end game, asked of {others} already")
            }
            Reason::Unchoke { why, stays, rank } => {
                write!(f, "{}: {why}, {rank}", if stays { "stays" } else { "unchoke" })
            }
            Reason::Choke { why, rank } => write!(f, "choke: {why}, {rank}"),
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pick::Unique => "unique",
            Pick::Orphan => "orphan",
            Pick::Rarest => "rarest first",
            Pick::Random => "random first",
            Pick::Sequential => "sequential",
            Pick::Allowed => "allowed while choked",
            Pick::Suggested => "suggested",
            Pick::Shared => "shared",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Fast => "gives much",
            Why::FastIdle => "gives much, wants nothing",
            Why::Optimistic => "by lot",
            Why::FreePlace => "free place",
            Why::SeedTurn => "its turn",
        })
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WhyNot::WantsNothing => "wants nothing",
            WhyNot::Snubs => "keeps us waiting",
            WhyNot::LotOver => "lot is over",
            WhyNot::TurnOver => "turn is over",
            WhyNot::Outdone => "others go first",
        })
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes/s, rank {} of {}", self.rate, self.place, self.of)
    }
}
