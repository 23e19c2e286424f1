//! The handshake: the first 68 bytes each side says.
//!
//! ```text
//!  0         1                     20         28          48          68
//!  | 19      | BitTorrent protocol | reserved | info_hash | peer_id   |
//! ```
//! Whoever dials speaks first. The one who was called may wait for the first 48 bytes to learn
//! which torrent is meant, and answers with the same info-hash or hangs up.
//!
//! The eight reserved bytes are 64 switches. A switch means "I speak this extension"; it is used
//! only where both sides set it. We set those of `OURS`.
//!
//! # Spec
//! BEP 3, "peer protocol"; BEP 4 for the assigned bits.

use crate::base::{InfoHash, PeerId};

use super::message::Violation;

/// How long a handshake is, in bytes.
pub const HANDSHAKE_BYTES: usize = 68;

/// What every handshake begins with: the length of the protocol's name, and the name.
pub const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// What a peer says of itself before the first message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    pub reserved: [u8; 8],
    pub info_hash: InfoHash,
    pub peer_id: PeerId,
}

/// One of the 64 reserved bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReservedBit {
    byte: usize,
    mask: u8,
}

/// Extension protocol: message 20 and its own handshake (BEP 10).
pub const EXTENSION_PROTOCOL: ReservedBit = ReservedBit { byte: 5, mask: 0x10 };
/// Fast extension: messages 13 to 17 (BEP 6).
pub const FAST: ReservedBit = ReservedBit { byte: 7, mask: 0x04 };
/// The peer runs a DHT node: message 9 tells its port (BEP 5).
pub const DHT: ReservedBit = ReservedBit { byte: 7, mask: 0x01 };
/// The peer could upgrade a hybrid torrent to version 2 (BEP 52). Never acted upon: a version 1
/// torrent has nothing to upgrade to, and taking the bit at its word has crashed other clients.
pub const UPGRADE_TO_V2: ReservedBit = ReservedBit { byte: 7, mask: 0x10 };

/// What we speak.
pub const OURS: [ReservedBit; 2] = [EXTENSION_PROTOCOL, FAST];

impl Handshake {
    /// A handshake without any extension.
    pub fn new(info_hash: InfoHash, peer_id: PeerId) -> Handshake {
        Handshake { reserved: [0; 8], info_hash, peer_id }
    }

    /// The same with the extensions that we speak.
    pub fn ours(info_hash: InfoHash, peer_id: PeerId) -> Handshake {
        let mut handshake = Handshake::new(info_hash, peer_id);
        OURS.iter().for_each(|bit| handshake.reserved[bit.byte] |= bit.mask);
        handshake
    }

    /// The same with this bit set, too.
    pub fn with(mut self, bit: ReservedBit) -> Handshake {
        self.reserved[bit.byte] |= bit.mask;
        self
    }

    /// Whether the peer set this bit.
    pub fn has(&self, bit: ReservedBit) -> bool {
        self.reserved[bit.byte] & bit.mask != 0
    }

    /// Reads the 68 bytes. Unknown reserved bits are kept and mean nothing.
    ///
    /// Violation: `NotBitTorrent` if they do not begin with the protocol's name.
    pub fn parse(bytes: &[u8; HANDSHAKE_BYTES]) -> Result<Handshake, Violation> {
        if !begins_well(bytes) {
            return Err(Violation::NotBitTorrent);
        }
        let mut handshake =
            Handshake { reserved: [0; 8], info_hash: InfoHash([0; 20]), peer_id: PeerId([0; 20]) };
        handshake.reserved.copy_from_slice(&bytes[20..28]);
        handshake.info_hash.0.copy_from_slice(&bytes[28..48]);
        handshake.peer_id.0.copy_from_slice(&bytes[48..68]);
        Ok(handshake)
    }

    /// Appends the 68 bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PROTOCOL);
        out.extend_from_slice(&self.reserved);
        out.extend_from_slice(&self.info_hash.0);
        out.extend_from_slice(&self.peer_id.0);
    }
}

/// Whether `bytes`, the first few (or all) of a stream, may still become a handshake.
///
/// A stranger who speaks something else (a browser, a port scanner, an obfuscated stream) is
/// known by the first byte; there is no reason to wait for 68 of them.
pub fn begins_well(bytes: &[u8]) -> bool {
    bytes.iter().zip(PROTOCOL).all(|(said, expected)| said == expected)
}
