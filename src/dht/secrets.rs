//! Secrets: what strangers must not be able to guess, made from one secret that came from above.
//!
//! A *token* shows that who announces an address can receive at it: it was sent there minutes
//! ago. We do not remember tokens; we make them again from the address and compare. A
//! *transaction id* ties an answer to a question, so that nobody can answer for others blindly.
//!
//! ```text
//!  token        SHA-1( secret, "token", five-minute period, address, info-hash )   first 8 bytes
//!  transaction  SHA-1( secret, "query", count )                                    first 4 bytes
//! ```
//!
//! # Spec
//! BEP 5, "overview": tokens change every five minutes and hold for ten.

use std::net::IpAddr;

use crate::base::limits::DHT_TOKEN_FRESH;
use crate::base::{InfoHash, Time};
use crate::format::digest::Digest;

/// Makes tokens and transaction ids.
#[derive(Clone)]
pub struct Secrets {
    secret: [u8; 20],
    /// Queries so far.
    count: u64,
}

/// What a node shows when it announces.
pub type Token = [u8; 8];

impl Secrets {
    /// `secret`: random bytes that nobody else can know.
    pub fn new(secret: [u8; 20]) -> Secrets {
        Secrets { secret, count: 0 }
    }

    /// The token of `ip` for this torrent, as of now.
    pub fn token(&self, now: Time, ip: IpAddr, info_hash: InfoHash) -> Token {
        self.token_of(period(now), ip, info_hash)
    }

    /// Whether a token was given out in this period or the one before.
    pub fn accepts(&self, now: Time, token: &[u8], ip: IpAddr, info_hash: InfoHash) -> bool {
        let now = period(now);
        let before = now.checked_sub(1);
        [Some(now), before]
            .into_iter()
            .flatten()
            .any(|period| self.token_of(period, ip, info_hash) == token)
    }

    /// A transaction id that was not used lately and cannot be foretold.
    pub fn transaction(&mut self) -> [u8; 4] {
        self.count += 1;
        let [a, b, c, d, ..] = self.hash(b"query", &[&self.count.to_be_bytes()]);
        [a, b, c, d]
    }

    fn token_of(&self, period: u64, ip: IpAddr, info_hash: InfoHash) -> Token {
        let ip = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let hash = self.hash(b"token", &[&period.to_be_bytes(), &ip, &info_hash.0]);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        [a, b, c, d, e, f, g, h]
    }

    fn hash(&self, what: &[u8], parts: &[&[u8]]) -> [u8; 20] {
        let mut digest = Digest::new();
        digest.update(&self.secret);
        digest.update(what);
        parts.iter().for_each(|part| digest.update(part));
        digest.finish()
    }
}

/// Shows nothing of the secret.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("count", &self.count).finish_non_exhaustive()
    }
}

fn period(now: Time) -> u64 {
    now.as_millis() / DHT_TOKEN_FRESH.as_millis()
}
