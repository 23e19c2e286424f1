//! Priority: a number that both ends of a connection compute alike, to know whom to keep.
//!
//! In a swarm where everybody is full, newcomers find no place, and whoever calls most often gets
//! what becomes free. So each pair of addresses has a number that neither end can choose. Who has
//! to decide between two connections prefers the higher number; then everybody has the same
//! chance with everybody, and a crowd of strangers gets no more places than its share.
//!
//! ```text
//!   us    123.213. 32. 10   & ff.ff.55.55 ─▶ 7bd50000 ┐ smaller first
//!   them   98. 76. 54. 32   & ff.ff.55.55 ─▶ 624c1400 ┴─▶ crc32c(624c1400 7bd50000) = ec2d7224
//! ```
//! The more of their addresses two have in common, the more of them counts; of one and the same
//! address, the ports.
//!
//! # Why
//! Neighbours in one network get a mask of every other bit, so that whoever owns a whole network
//! does not get as many numbers as it has addresses.
//!
//! # Spec
//! BEP 40.

use std::net::{IpAddr, SocketAddr};

use crate::format::crc32c::crc32c;

/// Leading bytes of an address that always count whole.
const V4_WHOLE_BYTES: usize = 2;
const V6_WHOLE_BYTES: usize = 6;

/// What of the further bytes counts.
const MASK: u8 = 0x55;

/// The number of two addresses, the same from either side. Higher goes first.
///
/// The ports matter only between two of one address. `None` for addresses of different families,
/// which cannot be the two ends of a connection.
pub fn priority(one: SocketAddr, other: SocketAddr) -> Option<u32> {
    let sum = match (one.ip().to_canonical(), other.ip().to_canonical()) {
        (one_ip, other_ip) if one_ip == other_ip => {
            of_sorted(one.port().to_be_bytes(), other.port().to_be_bytes())
        }
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let (one, other) = (one.octets(), other.octets());
            let whole = whole_bytes(&one, &other, V4_WHOLE_BYTES);
            of_sorted(masked(one, whole), masked(other, whole))
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let (one, other) = (one.octets(), other.octets());
            let whole = whole_bytes(&one, &other, V6_WHOLE_BYTES);
            of_sorted(masked(one, whole), masked(other, whole))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    Some(sum)
}

/// How many leading bytes count whole: `least`, or one more than the two have in common.
fn whole_bytes(one: &[u8], other: &[u8], least: usize) -> usize {
    let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    if common < least { least } else { common + 1 }
}

fn masked<const N: usize>(mut bytes: [u8; N], whole: usize) -> [u8; N] {
    bytes.iter_mut().skip(whole).for_each(|byte| *byte &= MASK);
    bytes
}

fn of_sorted<const N: usize>(one: [u8; N], other: [u8; N]) -> u32 {
    crc32c(&[one.min(other), one.max(other)].concat())
}
