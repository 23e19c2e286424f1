//! Filter: how many addresses were put in, without telling which.
//!
//! Peers of one torrent are scattered over a dozen nodes, each with some of them. Lists of them
//! would have to be compared to be counted; these filters are laid over each other instead (two
//! bits out of 2,048 for each address), and the count is estimated from the bits that stay zero.
//!
//! # Spec
//! BEP 33.

use std::net::IpAddr;

use crate::format::digest::Digest;

/// Bits of a filter, and bits set for each address.
const BITS: usize = 256 * 8;
const BITS_EACH: f64 = 2.0;

/// A set of addresses, roughly.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filter([u8; 256]);

impl Filter {
    pub fn new() -> Filter {
        Filter([0; 256])
    }

    pub fn from_bytes(bytes: [u8; 256]) -> Filter {
        Filter(bytes)
    }

    pub fn bytes(&self) -> &[u8; 256] {
        &self.0
    }

    pub fn insert(&mut self, ip: IpAddr) {
        let hash = match ip {
            IpAddr::V4(ip) => Digest::of(&ip.octets()),
            IpAddr::V6(ip) => Digest::of(&ip.octets()),
        };
        for pair in [[hash[0], hash[1]], [hash[2], hash[3]]] {
            let bit = usize::from(u16::from_le_bytes(pair)) % BITS;
            self.0[bit / 8] |= 1 << (bit % 8);
        }
    }

    /// Puts in whatever is in `other`.
    pub fn unite(&mut self, other: &Filter) {
        self.0.iter_mut().zip(other.0).for_each(|(byte, other)| *byte |= other);
    }

    /// How many addresses are in it; wrong by some per cent, and by any amount above 6,000.
    pub fn estimate(&self) -> f64 {
        let zeros: u32 = self.0.iter().map(|byte| byte.count_zeros()).sum();
        let bits = f64::from(2048u16);
        let zeros = f64::from(zeros).clamp(1.0, bits);
        ln(zeros / bits) / (BITS_EACH * ln(1.0 - 1.0 / bits))
    }
}

/// The natural logarithm of a number that is above 0 and at most 1.
///
/// Our own, for the sake of memory: it would be all that we use of the library of mathematics
/// (libm), of which a third of a MiB would be resident.
fn ln(number: f64) -> f64 {
    // number = m · 2^e, with m in ½ … 1, and ln m = 2 artanh ((m − 1) / (m + 1)), a series.
    let (mut mantissa, mut exponent) = (number, 0.0);
    while mantissa < 0.5 {
        mantissa *= 2.0;
        exponent -= 1.0;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let (mut power, mut sum) = (ratio, 0.0);
    for odd in (1..36u8).step_by(2) {
        sum += power / f64::from(odd);
        power *= ratio * ratio;
    }
    exponent * std::f64::consts::LN_2 + 2.0 * sum
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::new()
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filter(about {:.0})", self.estimate())
    }
}
