//! Floor 0: words that every other floor uses.
//!
//! A word lives here when three rooms or more speak it: ids, time, blocks, have-maps, limits,
//! randomness. Everything is plain data over `std`; nothing here knows what a torrent is.

pub mod bits;
pub mod block;
pub mod id;
pub mod limits;
pub mod order;
pub mod random;
pub mod rate;
pub mod set;
pub mod shelf;
pub mod slots;
pub mod time;

pub use bits::Bits;
pub use block::{Block, Claim};
pub use id::{ConnId, InfoHash, NodeId, PeerId, PieceIndex, TorrentId};
pub use random::Random;
pub use rate::Rate;
pub use set::Set;
pub use shelf::Shelf;
pub use slots::Slots;
pub use time::{Span, Time};
