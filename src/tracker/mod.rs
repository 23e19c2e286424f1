//! Floor 3: the other end of announce; and our own end of it, where that needs a conversation.
//!
//! The simplest room, and a good one to read first: a request comes in, an answer goes out, in
//! one call.
//!
//! ```text
//!  Service   requests ⇄ answers, limits, the sweep       one
//!  Swarm     peers of one torrent: take out, pick, put in  one for each torrent
//!  Hall      those of one kind, in one table or in many    up to four for each swarm
//!  Table     peers in memory, 8 bytes for each
//!
//!  udp       the same over UDP: datagrams, and who may ask
//!
//!  asking    what we ask of others over UDP
//!
//!  pages     everything but announces: lists, publishing; over page, crowd, figures
//!  Library   the torrents that were published, as far as a list and a search need them
//!  Holders   who holds which pieces, as far as peers tell
//!  census    who is there, written down in parts: what survives a restart
//! ```

pub mod asking;
pub mod census;
mod crowd;
mod figures;
pub mod hall;
pub mod holders;
pub mod library;
mod page;
mod pages;
pub mod service;
pub mod swarm;
pub mod table;
pub mod udp;

pub use asking::{Answered, Asking, QuestionId, Step, What};
pub use census::Part;
pub use library::{Errand, Kept, Library, Rules, Work};
pub use service::{Counts, Policy, Service};
pub use udp::{Proof, UdpCounts};
