//! Terms of the loads: whom they may ask, and about what.
//!
//! Both announce the same made-up torrents, whose info-hashes follow from their numbers alone.

use std::net::{IpAddr, SocketAddr};

/// An address of this host, where alone a load may go.
pub fn local(addr: &str) -> SocketAddr {
    let addr: SocketAddr = addr.parse().expect("an address and port");
    let is_here = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_loopback());
    assert!(is_here, "only 127.0.0.0/8 is loaded");
    addr
}

/// The info-hash of a torrent.
pub fn hash(torrent: u64) -> [u8; 20] {
    let mut state = torrent ^ 0x1234_5678;
    let mut hash = [0; 20];
    for part in hash.chunks_mut(8) {
        let word = next(&mut state).to_be_bytes();
        part.copy_from_slice(&word[..part.len()]);
    }
    hash
}

/// SplitMix64.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}
