//! Messages: the words two peers exchange.

use crate::base::Claim;

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
    /// A message whose id we do not know; its payload was stepped over.
    Unknown(u8),
}

/// A rule that a peer broke: reason enough to close the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// The first bytes are not a BitTorrent handshake.
    NotBitTorrent,
    /// A message of this id may not have this length.
    BadLength { id: u8, len: u32 },
}
