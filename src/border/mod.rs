//! Floor 3: the words that cross the border between the core and the worlds.
//!
//! `Input` is everything that can happen to a node, `Output` everything it can want. The core
//! (torrent, engine) is a function from the one to the other; the two worlds that drive it, the
//! real one and the lab, are everything else. Neither sockets nor files nor clocks can be said in
//! these words, and that is their point.

pub mod input;
pub mod output;
pub mod reason;

pub use input::{Closed, DiskFault, Input};
pub use output::{Event, Output, ReadFor, ReadJob, Whom};
pub use reason::Reason;
