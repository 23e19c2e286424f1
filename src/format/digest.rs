//! Digest: SHA-1, from whichever implementation suits the processor.
//!
//! Info-hashes and pieces are SHA-1 (BEP 3). With the feature `sha-hw` (on by default) the `sha1`
//! crate finds out at run time whether the processor has SHA instructions: 0.56 CPU seconds per
//! GiB with them, 1.34 with the portable `sha1_smol`, which is what is left without the feature.
//!
//! A `Digest` is about a hundred bytes and `Clone` is a snapshot: take one where a block begins,
//! and when the block is cut off in the middle, the snapshot is the way back.

/// A SHA-1 computation that can be fed in parts.
#[derive(Clone, Default)]
pub struct Digest(Inner);

#[cfg(feature = "sha-hw")]
type Inner = sha1::Sha1;
#[cfg(not(feature = "sha-hw"))]
type Inner = sha1_smol::Sha1;

impl Digest {
    pub fn new() -> Digest {
        Digest::default()
    }

    /// The SHA-1 of one slice.
    pub fn of(bytes: &[u8]) -> [u8; 20] {
        let mut digest = Digest::new();
        digest.update(bytes);
        digest.finish()
    }

    #[cfg(feature = "sha-hw")]
    pub fn update(&mut self, bytes: &[u8]) {
        sha1::Digest::update(&mut self.0, bytes);
    }

    #[cfg(feature = "sha-hw")]
    pub fn finish(self) -> [u8; 20] {
        sha1::Digest::finalize(self.0).into()
    }

    #[cfg(not(feature = "sha-hw"))]
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[cfg(not(feature = "sha-hw"))]
    pub fn finish(self) -> [u8; 20] {
        self.0.digest().bytes()
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}
