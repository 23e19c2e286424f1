//! Census: who was in which swarm, as a tracker remembers it between two runs.
//!
//! ```text
//!  head    "swarmlet census 1\n"  when (8)
//!  swarm   1  info-hash (20)  completed (4)  heard (2)  four counts (4 each)  peers …
//!  peer       address and port as on the wire (6 or 18)   age and flag (2)
//!  end     0  SHA-1 of everything before it (20)
//! ```
//!
//! *When* is in seconds since 1970; *heard* and *age* are minutes before the swarm was written;
//! the flag, the highest bit of an age, says that this peer's `completed` was counted. The four
//! counts are those of IPv4 seeds, IPv4 leechers, IPv6 seeds and IPv6 leechers, and the peers stand
//! in that order. All numbers are big-endian.
//!
//! A census is written in parts, so that a tracker of a million peers goes on answering. Each
//! swarm is whole, but two swarms may be a second apart.
//!
//! # Why
//! It is our own file, written often and read once: so it is as flat as the tables that it comes
//! from. Like any record of ours it is believed whole or not at all.

use super::{Malformed, digest::Digest};
use crate::base::InfoHash;

/// What every census begins with.
pub const MAGIC: &[u8; 18] = b"swarmlet census 1\n";

/// Ages are counted up to this; the bit above is the flag.
pub const AGE_MINS_MAX: u16 = (1 << 15) - 1;

/// What is said of a swarm before its peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwarmHead {
    pub info_hash: InfoHash,
    pub completed: u32,
    /// Minutes since the last announce.
    pub heard_mins: u16,
    /// IPv4 seeds and leechers, IPv6 seeds and leechers.
    pub counts: [u32; 4],
}

/// A whole census that has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Census<'b> {
    /// Seconds since 1970.
    pub taken_secs: u64,
    swarms: &'b [u8],
}

/// One swarm of a census: its peers as they were written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwarmRecord<'b> {
    pub head: SwarmHead,
    pub v4_seeds: &'b [[u8; 8]],
    pub v4_leechers: &'b [[u8; 8]],
    pub v6_seeds: &'b [[u8; 20]],
    pub v6_leechers: &'b [[u8; 20]],
}

/// Appends the head.
pub fn write_head(taken_secs: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&taken_secs.to_be_bytes());
}

/// Appends the end. `digest`: of everything before.
pub fn write_end(mut digest: Digest, out: &mut Vec<u8>) {
    out.push(END);
    digest.update(&[END]);
    out.extend_from_slice(&digest.finish());
}

impl SwarmHead {
    /// Appends the head of a swarm; as many peers as it counts must follow.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(SWARM);
        out.extend_from_slice(&self.info_hash.0);
        out.extend_from_slice(&self.completed.to_be_bytes());
        out.extend_from_slice(&self.heard_mins.to_be_bytes());
        self.counts.iter().for_each(|count| out.extend_from_slice(&count.to_be_bytes()));
    }
}

/// Bytes of an age and its flag.
pub const AGE_BYTES: usize = 2;

/// Appends one peer. `addr`: address and port as in a compact answer.
#[inline]
pub fn write_peer(addr: &[u8], age_mins: u16, completed: bool, out: &mut Vec<u8>) {
    let flag = if completed { AGE_MINS_MAX + 1 } else { 0 };
    out.extend_from_slice(addr);
    out.extend_from_slice(&(age_mins.min(AGE_MINS_MAX) | flag).to_be_bytes());
}

/// Takes the last two bytes of a peer apart: minutes, and whether its `completed` was counted.
pub fn read_age(bytes: [u8; 2]) -> (u16, bool) {
    let both = u16::from_be_bytes(bytes);
    (both & AGE_MINS_MAX, both > AGE_MINS_MAX)
}

impl<'b> Census<'b> {
    /// Checks a whole census: its ends, its digest, and every count in it.
    ///
    /// Malformed: anything but what was written.
    pub fn parse(bytes: &'b [u8]) -> Result<Census<'b>, Malformed> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err(Malformed::new("not a census of this version", 0));
        };
        let (Some((taken, _)), Some((body, digest))) =
            (rest.split_first_chunk::<8>(), bytes.split_last_chunk::<20>())
        else {
            return Err(Malformed::new("the census is cut off", bytes.len()));
        };
        if Digest::of(body) != *digest || body.last() != Some(&END) {
            return Err(Malformed::new("the checksum is wrong", 0));
        }
        let swarms = body.get(MAGIC.len() + 8..body.len() - 1).unwrap_or_default();
        let census = Census { taken_secs: u64::from_be_bytes(*taken), swarms };
        let mut records = Records { bytes: swarms };
        while records.next().is_some() {}
        if !records.bytes.is_empty() {
            let at = bytes.len() - records.bytes.len();
            return Err(Malformed::new("a swarm that is none", at));
        }
        Ok(census)
    }

    /// All swarms, in the order in which they were written.
    pub fn swarms(self) -> impl Iterator<Item = SwarmRecord<'b>> {
        Records { bytes: self.swarms }
    }
}

/// Walks the swarms; stops at the first that is cut off or none.
struct Records<'b> {
    bytes: &'b [u8],
}

impl<'b> Iterator for Records<'b> {
    type Item = SwarmRecord<'b>;

    fn next(&mut self) -> Option<SwarmRecord<'b>> {
        let (record, rest) = read_swarm(self.bytes)?;
        self.bytes = rest;
        Some(record)
    }
}

fn read_swarm(bytes: &[u8]) -> Option<(SwarmRecord<'_>, &[u8])> {
    let (tag, rest) = bytes.split_first_chunk::<1>()?;
    let (info_hash, rest) = rest.split_first_chunk()?;
    let (completed, rest) = rest.split_first_chunk()?;
    let (heard, mut rest) = rest.split_first_chunk()?;
    let mut counts = [0; 4];
    for count in &mut counts {
        let (four, after) = rest.split_first_chunk()?;
        *count = u32::from_be_bytes(*four);
        rest = after;
    }
    let (v4_seeds, rest) = take_peers(rest, counts[0])?;
    let (v4_leechers, rest) = take_peers(rest, counts[1])?;
    let (v6_seeds, rest) = take_peers(rest, counts[2])?;
    let (v6_leechers, rest) = take_peers(rest, counts[3])?;
    let head = SwarmHead {
        info_hash: InfoHash(*info_hash),
        completed: u32::from_be_bytes(*completed),
        heard_mins: u16::from_be_bytes(*heard),
        counts,
    };
    let record = SwarmRecord { head, v4_seeds, v4_leechers, v6_seeds, v6_leechers };
    (*tag == [SWARM]).then_some((record, rest))
}

fn take_peers<const N: usize>(bytes: &[u8], count: u32) -> Option<(&[[u8; N]], &[u8])> {
    let len = usize::try_from(count).ok()?.checked_mul(N)?;
    let (peers, rest) = bytes.split_at_checked(len)?;
    Some((peers.as_chunks().0, rest))
}

const SWARM: u8 = 1;
const END: u8 = 0;
