//! Random: a small generator whose seed comes from above.
//!
//! Choices in a swarm must differ between peers and be the same for the same seed, so that a
//! simulated run can be replayed. SplitMix64 does that in four lines. It is *not* for secrets:
//! what must not be guessed comes from the operating system, through `world::sys`.

/// A deterministic stream of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// The next 64 bits. Source: SplitMix64 (Steele, Lea, Flood 2014), constants as published.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; `bound` must not be 0.
    ///
    /// The high half of a 128-bit product: biased by less than 2^-32 for any bound we use.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing to choose from");
        let product = u128::from(self.next_u64()) * (bound as u128);
        usize::try_from(product >> 64).expect("below a usize bound")
    }

    /// Puts a slice into random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Fills `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}
