//! Picker: which piece to begin next.
//!
//! *Rarest first*: the piece that the fewest peers have. It keeps rare pieces from dying out with
//! the one peer that holds them, and gives every peer something that others lack, so that all
//! have something to trade. Among equally rare pieces chance decides, or all newcomers would go
//! for the same one.
//!
//! The pieces that may be begun stand in one vector, sorted by how many peers have them; `ends`
//! says where each group ends. When a peer gains a piece, that piece changes places with the last
//! of its group and the border moves by one: no sorting, ever.
//!
//! ```text
//!  order   │ 7 2 9 │ 4 │ 0 5 8 1 │ 3 6 │
//!  holders │   0   │ 1 │    2    │  3  │
//!  ends        3     4      8       10
//! ```
//! Peers that have everything raise all groups alike, so they are counted apart (`seeds`) and
//! cost nothing: the usual swarm has many seeds and few others.
//!
//! # Invariants
//! `order[place[p]] == p` for each piece in it · `ends` ascends · a piece stands in the group of
//! its `holders`. Memory: ten bytes a piece.
//!
//! # Spec
//! BEP 3, "peer protocol" (random order, rarest first); the order of the first few pieces is
//! random, to have something to trade soon.

use crate::base::{Bits, PieceIndex, Random};

/// A piece that stands nowhere in `order`: had, being fetched, or not wanted yet.
const NOWHERE: u32 = u32::MAX;

/// The pieces that may be begun, rarest first.
#[derive(Debug)]
pub struct Picker {
    /// Pieces, grouped by holders, ascending.
    order: Vec<PieceIndex>,
    /// By piece: its index in `order`, or `NOWHERE`.
    place: Vec<u32>,
    /// By piece: how many connected peers have it, seeds not counted.
    holders: Vec<u16>,
    /// By number of holders: index in `order` just behind that group.
    ends: Vec<u32>,
    /// Connected peers that have every piece.
    seeds: u32,
    /// How often a piece was offered: who searched in vain need not search again until it grows.
    offers: u64,
}

impl Picker {
    /// A picker for `count` pieces of which none is wanted yet.
    pub fn new(count: u32) -> Picker {
        let count = count as usize;
        Picker {
            order: Vec::new(),
            place: vec![NOWHERE; count],
            holders: vec![0; count],
            ends: Vec::new(),
            seeds: 0,
            offers: 0,
        }
    }

    /// Offers a piece for picking: it is missing, and nobody fetches it.
    ///
    /// Chance decides where among equals it stands.
    pub fn want(&mut self, piece: PieceIndex, random: &mut Random) {
        if self.place[piece.at()] != NOWHERE {
            return;
        }
        self.offers += 1;
        // It enters as if it had all the holders of the last group, then walks down.
        let group = usize::from(self.holders[piece.at()]);
        self.make_group(group);
        self.place[piece.at()] = to_u32(self.order.len());
        self.order.push(piece);
        let last = self.ends.len() - 1;
        self.ends[last] += 1;
        for border in (group..last).rev() {
            self.swap(self.place[piece.at()], self.ends[border]);
            self.ends[border] += 1;
        }
        let start = self.start(group);
        let size = (self.ends[group] - start) as usize;
        self.swap(self.place[piece.at()], start + to_u32(random.below(size)));
    }

    /// Withdraws a piece: it is being fetched, or here.
    pub fn withdraw(&mut self, piece: PieceIndex) {
        if self.place[piece.at()] == NOWHERE {
            return;
        }
        // It walks up through the borders to the very end.
        for border in usize::from(self.holders[piece.at()])..self.ends.len() {
            self.ends[border] -= 1;
            self.swap(self.place[piece.at()], self.ends[border]);
        }
        let last = self.order.pop();
        debug_assert_eq!(last, Some(piece));
        self.place[piece.at()] = NOWHERE;
    }

    /// A connected peer got this piece. `have`: its have-map, with that piece.
    pub fn on_have(&mut self, piece: PieceIndex, have: &Bits) {
        if !have.is_all() {
            self.raise(piece);
            return;
        }
        // So far it was counted piece by piece; from now on it counts as a seed.
        have.iter().filter(|&other| other != piece).for_each(|other| self.lower(other));
        self.seeds += 1;
    }

    /// A connected peer lost this piece. `have`: its have-map, without that piece.
    pub fn on_lost(&mut self, piece: PieceIndex, have: &Bits) {
        if have.count() + 1 < have.len() {
            self.lower(piece);
            return;
        }
        // So far it counted as a seed; from now on it is counted piece by piece.
        self.seeds -= 1;
        have.iter().for_each(|other| self.raise(other));
    }

    /// A connected peer has more pieces than `before`: those of `have`.
    ///
    /// However often it says so, each piece is counted once.
    pub fn on_have_more(&mut self, before: &Bits, have: &Bits) {
        if have.is_all() {
            self.on_leave(before);
            self.seeds += 1;
        } else {
            have.beyond(before).for_each(|piece| self.raise(piece));
        }
    }

    /// A peer with this have-map joined.
    pub fn on_join(&mut self, have: &Bits) {
        if have.is_all() {
            self.seeds += 1;
        } else {
            have.iter().for_each(|piece| self.raise(piece));
        }
    }

    /// A peer with this have-map left.
    pub fn on_leave(&mut self, have: &Bits) {
        if have.is_all() {
            self.seeds -= 1;
        } else {
            have.iter().for_each(|piece| self.lower(piece));
        }
    }

    /// Among the pieces that pass `may`, the rarest that this peer has, or a random one of those
    /// it has.
    ///
    /// The search ends at the first hit. In vain it goes the whole length of the vector, so it is
    /// not to be repeated for a peer before that peer or `offers` has changed.
    pub fn pick(
        &self,
        have: &Bits,
        anywhere: bool,
        may: impl Fn(PieceIndex) -> bool,
        random: &mut Random,
    ) -> Option<PieceIndex> {
        if self.order.is_empty() {
            return None;
        }
        let start = if anywhere { random.below(self.order.len()) } else { 0 };
        let (before, from) = self.order.split_at(start);
        from.iter().chain(before).copied().find(|&piece| have.has(piece) && may(piece))
    }

    /// The first piece in the order of the torrent that this peer has and that passes `may`.
    pub fn first(&self, have: &Bits, may: impl Fn(PieceIndex) -> bool) -> Option<PieceIndex> {
        let wanted = self.order.iter().copied();
        wanted.filter(|&piece| have.has(piece) && may(piece)).min()
    }

    /// How often a piece was offered so far.
    pub fn offers(&self) -> u64 {
        self.offers
    }

    /// How many connected peers have this piece.
    pub fn holders(&self, piece: PieceIndex) -> u32 {
        u32::from(self.holders[piece.at()]) + self.seeds
    }

    /// Whether a peer with this have-map can have pieces that are nobody else's, seeds aside.
    pub fn may_be_unique(&self, have: &Bits) -> bool {
        have.is_all() || self.seeds == 0
    }

    /// A piece that may be begun and that, seeds aside, only a peer with this have-map has.
    pub fn pick_unique(&self, have: &Bits) -> Option<PieceIndex> {
        if !self.may_be_unique(have) {
            return None;
        }
        let group = usize::from(!have.is_all());
        let end = *self.ends.get(group)? as usize;
        let pieces = &self.order[self.start(group) as usize..end];
        pieces.iter().copied().find(|&piece| have.has(piece))
    }

    /// Whether, seeds aside, nobody else than a peer with this have-map has the piece.
    pub fn is_unique(&self, piece: PieceIndex, have: &Bits) -> bool {
        let itself = u16::from(!have.is_all());
        self.may_be_unique(have) && self.holders[piece.at()] == itself
    }

    /// How many pieces may be begun.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn is_wanted(&self, piece: PieceIndex) -> bool {
        self.place[piece.at()] != NOWHERE
    }

    /// Recounts everything. `haves`: the have-maps of the connected peers.
    pub fn check<'h>(&self, haves: impl Iterator<Item = &'h Bits>) {
        let mut holders = vec![0u16; self.holders.len()];
        let mut seeds = 0;
        for have in haves {
            if have.is_all() {
                seeds += 1;
            } else {
                have.iter().for_each(|piece| holders[piece.at()] += 1);
            }
        }
        assert_eq!(self.seeds, seeds, "seeds");
        assert_eq!(self.holders, holders, "holders");
        let mut group = 0;
        for (index, &piece) in self.order.iter().enumerate() {
            while self.ends[group] as usize <= index {
                group += 1;
            }
            assert_eq!(self.place[piece.at()] as usize, index, "place of {piece:?}");
            assert_eq!(usize::from(self.holders[piece.at()]), group, "group of {piece:?}");
        }
        assert_eq!(self.ends.last().map_or(0, |&end| end as usize), self.order.len());
        assert_eq!(self.place.iter().filter(|&&p| p != NOWHERE).count(), self.order.len());
    }

    fn raise(&mut self, piece: PieceIndex) {
        let group = usize::from(self.holders[piece.at()]);
        self.holders[piece.at()] += 1;
        if self.place[piece.at()] == NOWHERE {
            return;
        }
        self.make_group(group + 1);
        self.ends[group] -= 1;
        self.swap(self.place[piece.at()], self.ends[group]);
    }

    fn lower(&mut self, piece: PieceIndex) {
        self.holders[piece.at()] -= 1;
        let group = usize::from(self.holders[piece.at()]);
        if self.place[piece.at()] == NOWHERE {
            return;
        }
        self.swap(self.place[piece.at()], self.ends[group]);
        self.ends[group] += 1;
    }

    /// Where this group begins in `order`.
    fn start(&self, group: usize) -> u32 {
        if group == 0 { 0 } else { self.ends[group - 1] }
    }

    /// Sees to it that the borders reach up to this group.
    fn make_group(&mut self, group: usize) {
        if self.ends.len() <= group {
            self.ends.resize(group + 1, to_u32(self.order.len()));
        }
    }

    fn swap(&mut self, one: u32, other: u32) {
        self.order.swap(one as usize, other as usize);
        self.place[self.order[one as usize].at()] = one;
        self.place[self.order[other as usize].at()] = other;
    }
}

/// An index into `order`, which has at most `PIECES_MAX` entries.
fn to_u32(index: usize) -> u32 {
    u32::try_from(index).expect("at most PIECES_MAX pieces")
}
