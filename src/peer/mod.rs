//! Floor 3: one conversation with one peer.
//!
//! `session` keeps what both sides said of themselves and tells what each message means;
//! `pipeline` keeps the blocks we asked for, `fast` and `extensions` what peers tell that speak
//! more than BEP 3. What they asked of us waits in the link, which is
//! where it leaves from; the session only counts it.
//!
//! Nothing here decides what to fetch or whom to serve: that is the torrent's business, one floor
//! up, which sees all conversations at once.

pub mod extensions;
pub mod fast;
pub mod pipeline;
pub mod session;

pub use pipeline::Pipeline;
pub use session::{News, Session, Stance};
