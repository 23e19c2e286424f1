//! Record: a run as text, one line per event.
//!
//! ```text
//!     0.020000 peer-2    says      c0.0 request 3+16384+16384
//!     │        │         │         │
//!     │        │         │         what it is about
//!     │        │         what happened (below)
//!     │        who, as the scenario named it
//!     seconds of virtual time, to the microsecond
//! ```
//! Same scenario, same seed, same bytes: two runs are compared with `==`, and the last lines before
//! a failure tell how it came about.
//!
//! A run that nobody will read keeps no lines (`Record::off`); should it fail, the same seed plays
//! it again with all of them.
//!
//! | word | then | what happened |
//! |---|---|---|
//! | `starts`, `leaves`, `gone` | | the node comes up, says good-bye, has said it |
//! | `crashes`, `vanishes` | | it loses its power, or only its life |
//! | `dials` | torrent, address | it opens a connection … |
//! | `connected`, `refused` | connection or address | … and this came of it |
//! | `accepts` | connection, address | somebody connected to it |
//! | `says` | connection, message | a message is queued: words as in the BEP, `piece+begin+len` |
//! | `because` | connection, whose, reason | why the next words to this peer are what they are |
//! | `serves` | connection, block | a block is queued |
//! | `unqueues` | connection, block or `all` | queued blocks are taken back |
//! | `sent` | connection, bytes | so much payload left |
//! | `hears` | connection, bytes | so many bytes arrived |
//! | `closes` | connection, why | it ended the connection |
//! | `lost` | connection, how | the connection ended from outside |
//! | `surveys`, `prepares`, `writes`, `reads`, `saves` | torrent, what, outcome | a disk job |
//! | `announces` | torrent, tracker, event | it asks a tracker … |
//! | `told` | torrent, peers or refusal | … and heard this |
//! | `sends`, `receives` | address, bytes | a datagram |
//! | `answers` | bytes | the tracker at this node answered |
//! | `mishap` | | its next effect goes wrong |
//! | `event` | as the engine words it | news for a person |
//! | `world` | a scheduled action | what the scenario made happen |
//!
//! A trace of a real node (`trace/mod.rs`) has the same words, and their spelling is the same code.
//! Reasons are told in `LEGEND`, which stands at the head of each record that is written to a
//! file.

use std::fmt;

use super::clock::Moment;

/// What a person needs to read a record that lies before them in a file.
pub const LEGEND: &str = "\
# seconds   who       what       about
#
# starts, leaves, gone, crashes, vanishes: the node itself; world: the scenario made it happen
# dials, connected, refused, accepts, closes, lost: connections (c3.0 is a node's name for one)
# says, hears, serves, unqueues, sent: messages in the words of BEP 3, blocks as piece+begin+len
# surveys, prepares, writes, reads, saves: disk jobs; announces, told, answers: trackers
# event: news for a person
# because: why the next words to that peer are what they are
#   piece P: rarest first   the rarest of those that this peer has, and how many have it
#            random first   one of our first few, any of them: something to trade soon
#            unique         nobody else but seeds has it: all wait for this peer to give it
#            orphan         begun, and whoever was at it does not go on
#            shared         nothing is left to begin with this peer: it helps another
#            ... alone      it failed its hash before; this will show who lies
#   block B: end game       nothing is left to ask: whoever brings it first wins
#   unchoke, stays: gives much (tit for tat), by lot (optimistic), free place, its turn (of a
#            seed); what it gives us (a seed: takes) and its rank among all who are connected
#   choke:   others go first, lot is over, turn is over, keeps us waiting, wants nothing
#
";

/// The lines of one run.
#[derive(Debug, Default)]
pub struct Record {
    text: String,
    lines: usize,
    is_off: bool,
}

impl Record {
    pub fn new() -> Record {
        Record::default()
    }

    /// A record that stays empty.
    pub fn off() -> Record {
        Record { is_off: true, ..Record::default() }
    }

    pub fn is_on(&self) -> bool {
        !self.is_off
    }

    pub fn line(&mut self, at: Moment, who: &str, word: &str, rest: fmt::Arguments<'_>) {
        use fmt::Write;
        if self.is_off {
            return;
        }
        let (seconds, micros) = (at.as_micros() / 1_000_000, at.as_micros() % 1_000_000);
        // Writing into a `String` cannot fail.
        let _ = writeln!(self.text, "{seconds:5}.{micros:06} {who:9} {word:10} {rest}");
        self.lines += 1;
    }

    /// All lines so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines
    }

    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> &str {
        let mut ends = self.text.match_indices('\n').rev().map(|(at, _)| at + 1).skip(count);
        &self.text[ends.next().unwrap_or(0)..]
    }

    /// How many lines of one node say `word` and hold `rest`: `count("peer-1", "says", "unchoke")`.
    pub fn count(&self, who: &str, word: &str, rest: &str) -> usize {
        self.matching(who, word, rest).count()
    }

    /// Those lines.
    pub fn matching<'r>(
        &'r self,
        who: &'r str,
        word: &'r str,
        rest: &'r str,
    ) -> impl Iterator<Item = &'r str> {
        self.text.lines().filter(move |line| {
            let mut columns = line.split_whitespace().skip(1);
            columns.next() == Some(who) && columns.next() == Some(word) && line.contains(rest)
        })
    }
}

/// How a disk job went.
pub struct Outcome<'r, E>(pub &'r Result<(), E>);

impl<E: fmt::Display> fmt::Display for Outcome<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(()) => f.write_str("ok"),
            Err(fault) => write!(f, "FAILED: {fault}"),
        }
    }
}
