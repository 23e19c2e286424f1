//! Floor 6: traces, the dialogue of a node with its peers as text, a line for each thing said.
//!
//! ```text
//!     0.104 c5.0   192.0.2.7:51413       says       request 3+16384+16384
//!     │     │      │                     │          │
//!     │     │      │                     │          what it is about, in the words of the BEPs
//!     │     │      │                     what happened (below)
//!     │     │      with whom
//!     │     the connection (`-`: none)
//!     seconds since the node began
//! ```
//! A trace is written while a node runs (`recorder`), laid out for people (`ladder`) and played
//! again to an engine (`replay`), which must then say the same. For that everything stands in it
//! that an engine is told, but for the payload of blocks: whoever replays it has the data.
//!
//! | word | then | what happened |
//! |---|---|---|
//! | `begins` | settings | the node, and from which seed it draws |
//! | `adds`, `seeks` | torrent, wishes | it takes a torrent on, or follows a link |
//! | `torrent` | torrent, info-hash, pieces, name | what is known of one from now on |
//! | `stops`, `ticks` | | it says good-bye; a deadline has passed |
//! | `dials` | torrent | it opens a connection … |
//! | `connected`, `refused` | torrent | … and this came of it |
//! | `accepts` | | somebody connected to it |
//! | `says`, `hears` | message | as in the BEP, blocks as `piece+begin+len` |
//! | `serves`, `unqueues` | block, or `all` | a block is queued to be sent, or taken back |
//! | `sent` | bytes, blocks that wait | so much payload left |
//! | `because` | reason | why the next words to this peer are what they are |
//! | `closes`, `lost` | why | it ended the connection; the connection ended from outside |
//! | `unreadable` | torrent, fault | a promised block could not be read; the connection is gone |
//! | `moved` | URL | a web seed sends us elsewhere |
//! | `announces`, `told` | torrent, tracker | it asks a tracker; what it was told |
//! | `surveys`, `prepares`, `writes`, `reads`, `saves`, `removes` | torrent, outcome | disk jobs |
//! | `receives` | bytes | a datagram |
//!
//! The lab's record (`lab/record.rs`) uses the same words.
//!
//! # Interface
//! `Line::parse` for whoever reads a trace; a line that is damaged is refused with its number.
//!
//! # Invariants
//! A trace is visible ASCII but for the names of torrents, which are clean: whatever a peer says is
//! escaped.

pub mod ladder;
pub mod line;
pub mod recorder;
pub mod replay;
pub mod words;

pub use ladder::{Choice, Ladder};
pub use line::{Damaged, Line, Word};
pub use recorder::{Overheard, Recorder};
pub use replay::{Difference, Played, replay};

/// The first line of every trace.
pub const HEAD: &str = "# swarmlet trace 1";

/// What a person needs to read a trace that lies before them in a file.
pub const LEGEND: &str = "\
# 'swarmlet trace FILE' lays it out. Columns: seconds, connection, with whom, what happened, about.
# says, hears, serves, sent: messages in the words of BEP 3, blocks as piece+begin+len
# because: why the next words to that peer are what they are
# dials, connected, refused, accepts, closes, lost: connections; announces, told: trackers
# surveys, prepares, writes, reads, saves: disk jobs; ticks: a deadline has passed
";
