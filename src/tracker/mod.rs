//! Floor 3: the other end of announce.
//!
//! The simplest room, and a good one to read first: a request comes in, an answer goes out, in
//! one call.
//!
//! ```text
//!  Service   requests ⇄ answers, limits, the sweep       one
//!  Swarm     peers of one torrent: take out, pick, put in  one for each torrent
//!  Table     those peers in memory, 8 bytes for each       up to four for each swarm
//! ```

pub mod service;
pub mod swarm;
pub mod table;

pub use service::{Counts, Policy, Service};
