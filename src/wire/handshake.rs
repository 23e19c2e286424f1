//! The handshake: the first 68 bytes each side says.

use crate::base::{InfoHash, PeerId};

/// What a peer says of itself before the first message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    pub reserved: [u8; 8],
    pub info_hash: InfoHash,
    pub peer_id: PeerId,
}
