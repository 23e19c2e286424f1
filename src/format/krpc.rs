//! KRPC: what DHT nodes say to each other, one bencoded dictionary in each datagram.
//!
//! ```text
//!  query     d 1:a d 2:id 20:… further arguments e 1:q 4:ping 1:t 2:aa 1:y 1:q e
//!  response  d 1:r d 2:id 20:… return values     e            1:t 2:aa 1:y 1:r e
//!  error     d 1:e l i203e 9:bad token           e            1:t 2:aa 1:y 1:e e
//!
//!  contact   id (20)  address (4 or 16)  port (2)      many in one string: `nodes`, `nodes6`
//!  peer               address (4 or 16)  port (2)      each a string of its own: `values`
//! ```
//! `t` is chosen by who asks and comes back with the answer. Beside these keys the dictionary may
//! hold `v`, the program's version; `ro`, I answer nobody (BEP 43); and `ip`, the address under
//! which we see you (BEP 42).
//!
//! # Interface
//! `Message::parse` and `Message::write`. A query that cannot be served is a `Refusal` that knows
//! which error to answer; everything else that cannot be read deserves silence.
//!
//! # Limits
//! `DHT_DATAGRAM_BYTES_MAX`, `DHT_DEPTH_MAX`, and those named `DHT_ANSWER_…`. Contacts and peers
//! are counted in the bytes that are there; no length in a message makes us allocate anything.
//!
//! # Spec
//! BEP 5, "KRPC protocol"; BEP 32 (`want`, `nodes6`); BEP 33 (`seed`, `scrape`); BEP 42 (`ip`);
//! BEP 43 (`ro`).

mod compact;
mod parse;
mod write;

use std::net::SocketAddr;

pub use compact::{Contact, addr_bytes, contacts, parse_addr, write_contacts};

use crate::base::{InfoHash, NodeId};
use crate::format::Malformed;

/// One datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'b> {
    /// Chosen by who asks; at most `DHT_TRANSACTION_BYTES_MAX` bytes.
    pub transaction: &'b [u8],
    pub body: Body<'b>,
    /// Who says this answers no queries (BEP 43).
    pub read_only: bool,
    /// Where the reader seems to be, as the writer sees it (BEP 42).
    pub seen_at: Option<SocketAddr>,
    /// The writer's program: two letters and two bytes of version, mostly.
    pub version: Option<&'b [u8]>,
}

/// What a message is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body<'b> {
    Query(Query<'b>),
    Response(Response<'b>),
    /// `text` is as it came: clean it before anybody sees it.
    Error {
        code: i64,
        text: &'b [u8],
    },
}

/// A question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'b> {
    /// Who asks.
    pub id: NodeId,
    pub ask: Ask<'b>,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask<'b> {
    Ping,
    /// Which nodes are nearest to `target`?
    FindNode {
        target: NodeId,
        want: Want,
    },
    /// Who shares this torrent, and who might know?
    GetPeers {
        info_hash: InfoHash,
        want: Want,
        /// No seeds, if possible (BEP 33).
        no_seed: bool,
        /// How many seeds and peers, as two filters (BEP 33)?
        scrape: bool,
    },
    /// I share this torrent.
    AnnouncePeer {
        info_hash: InfoHash,
        /// `None`: at the port from which this datagram comes.
        port: Option<u16>,
        token: &'b [u8],
        seed: bool,
    },
}

/// Which contacts an answer should hold; neither means those of the datagram's own family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    pub v4: bool,
    pub v6: bool,
}

/// An answer. Which of the values are there tells what was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response<'b> {
    /// Who answers.
    pub id: NodeId,
    /// IPv4 contacts, and IPv6 contacts. `None`: not said.
    pub nodes: Option<Vec<Contact>>,
    pub nodes6: Option<Vec<Contact>>,
    /// To be shown when we announce; at most `DHT_TOKEN_BYTES_MAX` bytes.
    pub token: Option<&'b [u8]>,
    pub values: Vec<SocketAddr>,
    /// Filters of seeds and of peers (BEP 33).
    pub filters: Option<[&'b [u8; 256]; 2]>,
}

/// Why a datagram cannot be acted upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal<'b> {
    /// A query that deserves an error: its transaction, the code, and what is wrong.
    Answer { transaction: &'b [u8], code: i64, text: &'static str },
    /// Noise, or an answer that breaks the rules: silence.
    Drop(Malformed),
}

/// Arguments are missing or wrong, or a token is.
pub const PROTOCOL_ERROR: i64 = 203;
/// A query of another protocol than ours.
pub const METHOD_UNKNOWN: i64 = 204;

impl<'b> Message<'b> {
    /// A message without any of the extras.
    pub fn new(transaction: &'b [u8], body: Body<'b>) -> Message<'b> {
        Message { transaction, body, read_only: false, seen_at: None, version: None }
    }

    /// Reads one datagram.
    pub fn parse(bytes: &'b [u8]) -> Result<Message<'b>, Refusal<'b>> {
        parse::message(bytes)
    }

    /// Appends the datagram.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::message(self, out);
    }
}

impl Response<'_> {
    /// An answer that says nothing but who answers.
    pub fn new(id: NodeId) -> Response<'static> {
        Response { id, nodes: None, nodes6: None, token: None, values: Vec::new(), filters: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_as_the_specification_writes_it() {
        let id = NodeId(*b"abcdefghij0123456789");
        let ping = Message::new(b"aa", Body::Query(Query { id, ask: Ask::Ping }));
        let mut bytes = Vec::new();
        ping.write(&mut bytes);
        assert_eq!(bytes, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
        assert_eq!(Message::parse(&bytes), Ok(ping));
    }
}
