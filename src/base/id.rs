//! Identities: six things that must never be mistaken for one another.
//!
//! Three of them come from the protocol and are 20 raw bytes (`InfoHash`, `PeerId`, `NodeId`);
//! three are our own handles (`ConnId`, `TorrentId`, `PieceIndex`). Each has its own type, so that the compiler
//! refuses a connection where a torrent is meant.
//!
//! # Why
//! Peer ids and info-hashes both being `[u8; 20]`, and all handles being `usize`, is how other
//! clients came to swap them silently.

use std::cmp::Ordering;
use std::fmt;

/// The SHA-1 of the raw bytes of a torrent's `info` dictionary: the torrent's name in the swarm.
///
/// Source: BEP 3, "metainfo files".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InfoHash(pub [u8; 20]);

impl Ord for InfoHash {
    /// Byte by byte. The first eight as one number, for they decide nearly always: a tracker of ten
    /// thousand torrents compares some twenty times to find one.
    fn cmp(&self, other: &InfoHash) -> Ordering {
        let front = |hash: &InfoHash| {
            u64::from_be_bytes(*hash.0.first_chunk().expect("there are twenty bytes"))
        };
        front(self).cmp(&front(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for InfoHash {
    fn partial_cmp(&self, other: &InfoHash) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The 20 bytes that a peer calls itself; chosen anew at each start.
///
/// Source: BEP 3, "peer protocol"; BEP 20 for the customary `-XX0000-` prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

/// The place of a DHT node in the space of info-hashes.
///
/// Source: BEP 5, "overview". Not a `PeerId`: a peer speaks over TCP, a node over UDP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 20]);

/// One open connection: a slot in the world's table and the slot's generation.
///
/// The generation makes a stale handle harmless: it names a connection that is gone, never the
/// stranger who moved into its slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnId {
    pub slot: u32,
    pub generation: u32,
}

impl Ord for ConnId {
    /// By slot, and then by generation. As one number, for this is asked more often than anything
    /// else: every message looks its session up.
    fn cmp(&self, other: &ConnId) -> Ordering {
        let number = |conn: &ConnId| u64::from(conn.slot) << 32 | u64::from(conn.generation);
        number(self).cmp(&number(other))
    }
}

impl PartialOrd for ConnId {
    fn partial_cmp(&self, other: &ConnId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One torrent of this node, numbered from 1 in the order of arrival, never reused in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub u32);

/// The index of a piece that exists.
///
/// Only `Layout` makes one from a number that a peer said, so whoever holds a `PieceIndex` need
/// not ask about bounds again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(u32);

impl InfoHash {
    /// Reads 40 hexadecimal digits of either case; `None` for anything else.
    pub fn parse_hex(text: &str) -> Option<InfoHash> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(InfoHash(bytes))
    }
}

impl NodeId {
    /// The place of a torrent: those nodes that are near keep its peers.
    pub fn of(info_hash: InfoHash) -> NodeId {
        NodeId(info_hash.0)
    }

    /// How far two places are apart: the exclusive or, read as a number. Smaller is nearer.
    pub fn distance(self, other: NodeId) -> [u8; 20] {
        let mut distance = self.0;
        distance.iter_mut().zip(other.0).for_each(|(byte, other)| *byte ^= other);
        distance
    }

    /// How many leading bits two places share, 0 to 160.
    pub fn shared_bits(self, other: NodeId) -> usize {
        let distance = self.distance(other);
        let same = distance.iter().take_while(|byte| **byte == 0).count();
        let rest = distance.get(same).map_or(0, |byte| byte.leading_zeros());
        same * 8 + usize::try_from(rest).expect("at most eight")
    }
}

impl PieceIndex {
    /// A piece index that the caller has compared with the piece count.
    pub fn checked(index: u32) -> PieceIndex {
        PieceIndex(index)
    }

    /// The number as the wire says it.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The number as a place in a vector. A `u32` fits a `usize` on every host that we build for.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

const _: () = assert!(usize::BITS >= u32::BITS, "PieceIndex::at would lose bits");

/// The 40 lower-case hexadecimal digits that people know a torrent by.
impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&InfoHash(self.0), f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Printable ASCII as it is, everything else as `.`: a peer chooses these bytes, and a terminal
/// must not obey them.
impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in &self.0 {
            let shown = if byte.is_ascii_graphic() { byte } else { b'.' };
            write!(f, "{}", char::from(shown))?;
        }
        Ok(())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.slot, self.generation)
    }
}

impl fmt::Debug for TorrentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl fmt::Debug for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}
