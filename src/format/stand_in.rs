//! Stand-in: a fast checksum in the place of SHA-1, for simulated swarms and nothing else.
//!
//! A thousand simulated peers who fetch 64 MiB each would hash 64 GiB, and SHA-1 alone would take
//! most of the run. In a simulation nobody forges pieces, so a sum that any change alters does as
//! well: four lanes of 64 bits, each word mixed in by a multiplication that loses nothing.
//!
//! ```text
//!   bytes   │ word 0 │ word 1 │ word 2 │ word 3 │ word 4 │ …
//!   lane        0        1        2        3        0      …      lane = rotate((lane ^ word) × k)
//! ```
//! Each step is a bijection of the lane, and of the word. So one changed word is always seen, and
//! words that changed places are.
//!
//! # Why it never judges a real torrent
//! A torrent's hashes are as its `Layout` says, every layout begins with SHA-1, and the only
//! function that says otherwise (`Layout::with_stand_in_hashes`) may be named by the lab alone:
//! `tests/house.rs` reads the source for it.

use std::fmt;

/// Bytes that the four lanes take in at a time.
const ROUND_BYTES: usize = 32;

/// Odd, so that multiplying by them loses nothing; else without a meaning (digits of π).
const FACTORS: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

/// A sum that can be fed in parts.
#[derive(Clone)]
pub struct StandIn {
    lanes: [u64; 4],
    /// What did not fill a round.
    rest: [u8; ROUND_BYTES],
    total: u64,
}

impl StandIn {
    pub fn new() -> StandIn {
        StandIn { lanes: FACTORS, rest: [0; ROUND_BYTES], total: 0 }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        let filled = self.filled();
        self.total += bytes.len() as u64;
        let (begin, bytes) = bytes.split_at(bytes.len().min((ROUND_BYTES - filled) % ROUND_BYTES));
        self.rest[filled..filled + begin.len()].copy_from_slice(begin);
        if filled > 0 && filled + begin.len() == ROUND_BYTES {
            mix(&mut self.lanes, &self.rest);
        }
        let (rounds, rest) = bytes.as_chunks::<ROUND_BYTES>();
        let mut lanes = self.lanes;
        rounds.iter().for_each(|round| mix(&mut lanes, round));
        self.lanes = lanes;
        if !rest.is_empty() {
            self.rest[..rest.len()].copy_from_slice(rest);
        }
    }

    /// As long as a SHA-1, and each byte of it depends on all that was fed.
    pub fn finish(mut self) -> [u8; 20] {
        let filled = self.filled();
        self.rest[filled..].fill(0);
        mix(&mut self.lanes, &self.rest);
        let mut state = self.total;
        let mut sum = [0; 20];
        for (part, number) in sum.chunks_mut(8).zip(1u64..) {
            for lane in self.lanes {
                state = blend(state ^ lane.wrapping_mul(number | 1));
            }
            part.copy_from_slice(&state.to_le_bytes()[..part.len()]);
        }
        sum
    }

    fn filled(&self) -> usize {
        // Below 32, whatever the total.
        (self.total % ROUND_BYTES as u64) as usize
    }
}

/// Written out lane by lane: as a loop it takes four times as long. And inline, so that the lanes
/// stay in registers: as a call, half as long again, a twentieth of all that a large swarm takes.
#[inline(always)]
fn mix(lanes: &mut [u64; 4], round: &[u8; ROUND_BYTES]) {
    let (words, _) = round.as_chunks::<8>();
    let step = |lane: u64, word: [u8; 8], factor: u64| {
        (lane ^ u64::from_le_bytes(word)).wrapping_mul(factor).rotate_left(29)
    };
    *lanes = [
        step(lanes[0], words[0], FACTORS[0]),
        step(lanes[1], words[1], FACTORS[1]),
        step(lanes[2], words[2], FACTORS[2]),
        step(lanes[3], words[3], FACTORS[3]),
    ];
}

/// Spreads every bit over all others (the last steps of splitmix64).
fn blend(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl Default for StandIn {
    fn default() -> Self {
        StandIn::new()
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandIn")
    }
}
