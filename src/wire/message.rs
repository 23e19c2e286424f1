//! Messages: the words two peers exchange, and the rules they can break.
//!
//! `TABLE` is the protocol, a line for each message: its number, its name, and how long it may be. The
//! length is judged as soon as the number is known, after five bytes, so nobody can make us wait
//! for (or store) a message that would be refused anyway.
//!
//! The payload of `piece` is no part of a `Message`: it streams past in `link`, cut anywhere.
//!
//! # Limits
//! `REQUEST_BYTES_MAX` for `piece`, `BITFIELD_BYTES_MAX` for `bitfield` while the number of
//! pieces is not known, `EXTENDED_BYTES_MAX` for `extended`, `UNKNOWN_MESSAGE_BYTES_MAX` for
//! numbers we do not know.
//!
//! # Spec
//! BEP 3, "peer messages"; BEP 5, "BitTorrent protocol extension" for `port`; BEP 6 for 13 to 17;
//! BEP 10 for `extended`.

use std::fmt;

use crate::base::Claim;
use crate::base::bits::bytes_for;
use crate::base::limits::{
    BITFIELD_BYTES_MAX, EXTENDED_BYTES_MAX, REQUEST_BYTES_MAX, UNKNOWN_MESSAGE_BYTES_MAX,
};

/// One message, without the payload of `piece` (see `link`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    /// A piece number as the peer said it; not yet compared with the torrent.
    Have(u32),
    /// The raw bytes; `Bits::from_wire` judges them.
    Bitfield(Vec<u8>),
    Request(Claim),
    Cancel(Claim),
    /// Their DHT port (BEP 5).
    Port(u16),
    /// They think that we would do well to fetch this piece from them now (BEP 6).
    Suggest(u32),
    /// In place of a bitfield: every piece, or none (BEP 6).
    HaveAll,
    HaveNone,
    /// This request will not be answered (BEP 6).
    Reject(Claim),
    /// This piece we may ask for although they choke us (BEP 6).
    AllowedFast(u32),
    /// A message of an extension, by the number that its receiver gave it; 0 is the extensions'
    /// own handshake (BEP 10). `wire/extended.rs` reads the payload.
    Extended {
        id: u8,
        payload: Vec<u8>,
    },
    /// A message whose id we do not know; its payload was stepped over.
    Unknown(u8),
}

/// The first byte of each message that has one.
pub mod id {
    pub const CHOKE: u8 = 0;
    pub const UNCHOKE: u8 = 1;
    pub const INTERESTED: u8 = 2;
    pub const NOT_INTERESTED: u8 = 3;
    pub const HAVE: u8 = 4;
    pub const BITFIELD: u8 = 5;
    pub const REQUEST: u8 = 6;
    pub const PIECE: u8 = 7;
    pub const CANCEL: u8 = 8;
    pub const PORT: u8 = 9;
    pub const SUGGEST: u8 = 13;
    pub const HAVE_ALL: u8 = 14;
    pub const HAVE_NONE: u8 = 15;
    pub const REJECT: u8 = 16;
    pub const ALLOWED_FAST: u8 = 17;
    pub const EXTENDED: u8 = 20;
}

/// What the four bytes in front of a message may say. They count the id, but not themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    Exactly(u32),
    /// 1 and one bit for each piece of the torrent, in whole bytes.
    OfBitfield,
    /// 9 and at least one byte of payload.
    OfBlock,
    /// The id, the extension's id, and as much as the extension has to say.
    OfExtension,
}

/// One line of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    pub id: u8,
    /// As its BEP spells it.
    pub name: &'static str,
    pub length: Length,
}

/// Every message with an id that we know.
pub const TABLE: [Row; 16] = [
    Row { id: id::CHOKE, name: "choke", length: Length::Exactly(1) },
    Row { id: id::UNCHOKE, name: "unchoke", length: Length::Exactly(1) },
    Row { id: id::INTERESTED, name: "interested", length: Length::Exactly(1) },
    Row { id: id::NOT_INTERESTED, name: "not interested", length: Length::Exactly(1) },
    Row { id: id::HAVE, name: "have", length: Length::Exactly(5) },
    Row { id: id::BITFIELD, name: "bitfield", length: Length::OfBitfield },
    Row { id: id::REQUEST, name: "request", length: Length::Exactly(13) },
    Row { id: id::PIECE, name: "piece", length: Length::OfBlock },
    Row { id: id::CANCEL, name: "cancel", length: Length::Exactly(13) },
    Row { id: id::PORT, name: "port", length: Length::Exactly(3) },
    Row { id: id::SUGGEST, name: "suggest piece", length: Length::Exactly(5) },
    Row { id: id::HAVE_ALL, name: "have all", length: Length::Exactly(1) },
    Row { id: id::HAVE_NONE, name: "have none", length: Length::Exactly(1) },
    Row { id: id::REJECT, name: "reject request", length: Length::Exactly(13) },
    Row { id: id::ALLOWED_FAST, name: "allowed fast", length: Length::Exactly(5) },
    Row { id: id::EXTENDED, name: "extended", length: Length::OfExtension },
];

/// Bytes in front of the payload of a `piece` message: length, id, piece, begin.
pub const PIECE_HEAD_BYTES: usize = 13;

/// A rule that a peer broke: reason enough to close the connection.
///
/// The first five are found by `Link`, which sees single messages; the others by the
/// conversation, which remembers what was said before and knows the torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// The first bytes are not a BitTorrent handshake (BEP 3, "peer protocol").
    NotBitTorrent,
    /// A message of this id may not have this length (BEP 3, "peer messages").
    BadLength { id: u8, len: u32 },
    /// A message of an unknown id is longer than we care to step over. BEP 3 sets no bound; no
    /// extension in use comes near ours.
    TooLong { id: u8, len: u32 },

    /// A bitfield whose spare bits are set, or (told too late to measure it on arrival) whose
    /// length does not fit the torrent (BEP 3, "peer messages", bitfield).
    BadBitfield,
    /// `have` of a piece that the torrent does not contain (BEP 3, "peer messages", have).
    BadHave { piece: u32 },
    /// More requests than `REQUESTS_QUEUED_MAX` wait for an answer (BEP 3: requests are queued
    /// in memory; ours ends somewhere).
    TooManyRequests,
    /// More than `BAD_REQUESTS_MAX` requests out of range or for pieces that we lack (BEP 3,
    /// "peer messages", request).
    TooManyBadRequests,
    /// More payload that nobody asked for than `WASTE_BYTES_MAX` forgives (BEP 3, "peer
    /// messages", piece: some of it is normal, in bulk it is an attack).
    TooMuchWaste,
    /// A web server answers something else than the bytes that were asked for (BEP 19); status 0:
    /// nothing that is an answer at all.
    WebAnswer { status: u16 },
    /// Peer exchange far more often than once a minute (BEP 11).
    TooMuchExchange,
}

impl Message {
    /// The number in front of it; `None` for a keep-alive, which is a length of zero and no more.
    pub fn id(&self) -> Option<u8> {
        match self {
            Message::KeepAlive => None,
            Message::Choke => Some(id::CHOKE),
            Message::Unchoke => Some(id::UNCHOKE),
            Message::Interested => Some(id::INTERESTED),
            Message::NotInterested => Some(id::NOT_INTERESTED),
            Message::Have(_) => Some(id::HAVE),
            Message::Bitfield(_) => Some(id::BITFIELD),
            Message::Request(_) => Some(id::REQUEST),
            Message::Cancel(_) => Some(id::CANCEL),
            Message::Port(_) => Some(id::PORT),
            Message::Suggest(_) => Some(id::SUGGEST),
            Message::HaveAll => Some(id::HAVE_ALL),
            Message::HaveNone => Some(id::HAVE_NONE),
            Message::Reject(_) => Some(id::REJECT),
            Message::AllowedFast(_) => Some(id::ALLOWED_FAST),
            Message::Extended { .. } => Some(id::EXTENDED),
            Message::Unknown(id) => Some(*id),
        }
    }

    /// The message's name as its BEP spells it.
    pub fn name(&self) -> &'static str {
        self.id().map_or("keep-alive", name_of)
    }

    /// Reads the payload (what follows the id) of a message whose length `check_len` accepted.
    ///
    /// `piece` is not read here: its payload never lies in one place. It comes out as `Unknown`,
    /// like every id without a row.
    ///
    /// Violation: `BadLength` if the payload is longer or shorter than the message's numbers.
    pub fn parse(id: u8, payload: &[u8]) -> Result<Message, Violation> {
        // `None`: the payload is not exactly the numbers that the message consists of.
        let message = match id {
            id::CHOKE => numbers(payload).map(|[]| Message::Choke),
            id::UNCHOKE => numbers(payload).map(|[]| Message::Unchoke),
            id::INTERESTED => numbers(payload).map(|[]| Message::Interested),
            id::NOT_INTERESTED => numbers(payload).map(|[]| Message::NotInterested),
            id::HAVE => numbers(payload).map(|[piece]| Message::Have(piece)),
            id::BITFIELD => Some(Message::Bitfield(payload.to_vec())),
            id::REQUEST => claim(payload).map(Message::Request),
            id::CANCEL => claim(payload).map(Message::Cancel),
            id::PORT => payload.try_into().ok().map(u16::from_be_bytes).map(Message::Port),
            id::SUGGEST => numbers(payload).map(|[piece]| Message::Suggest(piece)),
            id::HAVE_ALL => numbers(payload).map(|[]| Message::HaveAll),
            id::HAVE_NONE => numbers(payload).map(|[]| Message::HaveNone),
            id::REJECT => claim(payload).map(Message::Reject),
            id::ALLOWED_FAST => numbers(payload).map(|[piece]| Message::AllowedFast(piece)),
            id::EXTENDED => payload
                .split_first()
                .map(|(&id, rest)| Message::Extended { id, payload: rest.to_vec() }),
            unknown => Some(Message::Unknown(unknown)),
        };
        message.ok_or(Violation::BadLength { id, len: length_of(payload) })
    }

    /// Appends the message with its length to `out`.
    ///
    /// `Unknown` has lost its payload and is written without one; nobody has reason to.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend(self.id());
        match self {
            Message::KeepAlive
            | Message::Choke
            | Message::Unchoke
            | Message::Interested
            | Message::NotInterested
            | Message::HaveAll
            | Message::HaveNone
            | Message::Unknown(_) => {}
            Message::Have(piece) | Message::Suggest(piece) | Message::AllowedFast(piece) => {
                out.extend_from_slice(&piece.to_be_bytes());
            }
            Message::Bitfield(bytes) => out.extend_from_slice(bytes),
            Message::Request(claim) | Message::Cancel(claim) | Message::Reject(claim) => {
                out.extend_from_slice(&claim.piece.to_be_bytes());
                out.extend_from_slice(&claim.begin.to_be_bytes());
                out.extend_from_slice(&claim.len.to_be_bytes());
            }
            Message::Port(port) => out.extend_from_slice(&port.to_be_bytes()),
            Message::Extended { id, payload } => {
                out.push(*id);
                out.extend_from_slice(payload);
            }
        }
        let len = u32::try_from(out.len() - start - 4).expect("a bitfield has at most 256 KiB");
        out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    }
}

/// Judges the length of a message as soon as its id is known.
///
/// `len`: as the wire says it, at least 1. `piece_count`: `None` while it is not known.
///
/// Violation: `BadLength` or `TooLong`.
pub fn check_len(id: u8, len: u32, piece_count: Option<u32>) -> Result<(), Violation> {
    let Some(row) = row_of(id) else {
        let fits = len <= UNKNOWN_MESSAGE_BYTES_MAX;
        return if fits { Ok(()) } else { Err(Violation::TooLong { id, len }) };
    };
    let fits = match row.length {
        Length::Exactly(expected) => len == expected,
        Length::OfExtension => (2..=2 + EXTENDED_BYTES_MAX).contains(&len),
        Length::OfBlock => (10..=9 + REQUEST_BYTES_MAX).contains(&len),
        Length::OfBitfield => match piece_count {
            Some(count) => u64::from(len) == 1 + bytes_for(count) as u64,
            None => (2..=1 + BITFIELD_BYTES_MAX).contains(&len),
        },
    };
    if fits { Ok(()) } else { Err(Violation::BadLength { id, len }) }
}

/// Whether the table has a row for this id.
pub fn is_known(id: u8) -> bool {
    row_of(id).is_some()
}

fn row_of(id: u8) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.id == id)
}

/// What stands in front of the payload of a `piece` message.
pub fn piece_head(block: Claim) -> [u8; PIECE_HEAD_BYTES] {
    assert!((1..=REQUEST_BYTES_MAX).contains(&block.len), "no answer is that long: {block:?}");
    let mut head = [0; PIECE_HEAD_BYTES];
    head[0..4].copy_from_slice(&(9 + block.len).to_be_bytes());
    head[4] = id::PIECE;
    head[5..9].copy_from_slice(&block.piece.to_be_bytes());
    head[9..13].copy_from_slice(&block.begin.to_be_bytes());
    head
}

/// The payload as exactly `N` big-endian numbers; `None` if it is longer or shorter.
pub(super) fn numbers<const N: usize>(payload: &[u8]) -> Option<[u32; N]> {
    let (words, rest) = payload.as_chunks::<4>();
    let words: &[[u8; 4]; N] = words.try_into().ok()?;
    rest.is_empty().then(|| words.map(u32::from_be_bytes))
}

fn claim(payload: &[u8]) -> Option<Claim> {
    numbers(payload).map(|[piece, begin, len]| Claim { piece, begin, len })
}

/// The length as the wire would have said it.
fn length_of(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).map_or(u32::MAX, |len| len.saturating_add(1))
}

fn name_of(id: u8) -> &'static str {
    row_of(id).map_or("unknown", |row| row.name)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Violation::NotBitTorrent => write!(f, "does not speak BitTorrent"),
            Violation::BadLength { id, len } => {
                write!(f, "{} message of length {len}", name_of(id))
            }
            Violation::TooLong { id, len } => write!(f, "unknown message {id} of length {len}"),
            Violation::BadBitfield => write!(f, "a bitfield that does not fit the torrent"),
            Violation::BadHave { piece } => write!(f, "has piece {piece}, which does not exist"),
            Violation::TooManyRequests => write!(f, "too many requests at a time"),
            Violation::TooManyBadRequests => write!(f, "too many impossible requests"),
            Violation::TooMuchExchange => write!(f, "tells of other peers without end"),
            Violation::TooMuchWaste => write!(f, "too many blocks that nobody asked for"),
            Violation::WebAnswer { status: 0 } => write!(f, "a web server without an answer"),
            Violation::WebAnswer { status } => write!(f, "a web server answers status {status}"),
        }
    }
}

impl std::error::Error for Violation {}
