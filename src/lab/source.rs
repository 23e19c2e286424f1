//! Source: what a torrent's files really hold, the truth that every copy is compared with.
//!
//! The bytes are random, so no piece is like another and a block in the wrong place cannot pass
//! for the right one.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::base::InfoHash;
use crate::base::{Block, Claim, PieceIndex, Random};
use crate::format::digest::{Digest, Hashing};
use crate::format::draft::Draft;
use crate::format::layout::{File, Layout};
use crate::format::metainfo::Metainfo;

/// A torrent of this run, numbered from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub usize);

/// A torrent and the true bytes of its files.
#[derive(Debug)]
pub struct Source {
    pub metainfo: Metainfo,
    /// As in the layout, one after the other.
    pub files: Vec<Stretch>,
    /// All files end to end.
    bytes: Stretch,
}

/// A range of true bytes, which never change: to clone it is to point at them.
#[derive(Clone)]
pub struct Stretch {
    whole: Arc<[u8]>,
    begin: usize,
    len: usize,
}

impl Source {
    /// Makes files of these lengths; at least one must hold a byte. A torrent of one file bears
    /// its name, one of several is a folder of `0`, `1` and so on.
    pub fn new(name: &str, piece_bytes: u32, lens: &[u64], random: &mut Random) -> Source {
        Source::hashed(Hashing::Sha1, name, piece_bytes, lens, random)
    }

    /// The same, with pieces hashed by SHA-1 or by the stand-in, which is much faster.
    pub fn hashed(
        hashing: Hashing,
        name: &str,
        piece_bytes: u32,
        lens: &[u64],
        random: &mut Random,
    ) -> Source {
        let file = |(number, &len): (usize, &u64)| match lens.len() {
            1 => File::new([name.to_owned()], len),
            _ => File::new([name.to_owned(), number.to_string()], len),
        };
        let laid = lens.iter().enumerate().map(file).collect();
        let layout = Layout::new(piece_bytes, laid).expect("a scenario names sensible lengths");
        let total = usize::try_from(layout.total_bytes()).expect("files in memory");
        let mut bytes = vec![0; total];
        random.fill(&mut bytes);

        let bytes = Stretch::from(bytes);
        let mut files = Vec::new();
        let mut begin = 0;
        for file in layout.files() {
            let len = usize::try_from(file.len).expect("in memory");
            files.push(bytes.part(begin, len));
            begin += len;
        }
        let piece_len = usize::try_from(piece_bytes).expect("a piece fits memory");
        let hash = |piece: &[u8]| {
            let mut digest = Digest::by(hashing);
            digest.update(piece);
            digest.finish()
        };
        let piece_hashes: Vec<[u8; 20]> = bytes.chunks(piece_len).map(hash).collect();
        let mut metainfo = drafted(layout, piece_hashes);
        if hashing == Hashing::StandIn {
            // No file can say so: what was read from one is always hashed by SHA-1.
            metainfo.layout = metainfo.layout.with_stand_in_hashes();
        }
        Source { metainfo, files, bytes }
    }

    pub fn info_hash(&self) -> InfoHash {
        self.metainfo.info_hash
    }

    pub fn layout(&self) -> &Layout {
        &self.metainfo.layout
    }

    /// The true bytes of a piece.
    pub fn piece(&self, piece: PieceIndex) -> &[u8] {
        let begin = piece.at() * self.layout().piece_bytes() as usize;
        &self.bytes[begin..begin + self.layout().piece_len(piece) as usize]
    }

    /// The true bytes that a request asks for; `None` if it is out of range.
    pub fn block(&self, claim: Claim) -> Option<&[u8]> {
        let block: Block = self.layout().block(claim)?;
        Some(&self.piece(block.piece())[block.begin() as usize..block.end() as usize])
    }
}

/// A torrent as a person would have made it: its metadata can be passed on.
fn drafted(layout: Layout, piece_hashes: Vec<[u8; 20]>) -> Metainfo {
    let draft = Draft {
        layout,
        piece_hashes,
        private: false,
        trackers: Vec::new(),
        comment: None,
        web_seeds: Vec::new(),
        created_by: None,
        creation_date: None,
    };
    let mut file = Vec::new();
    draft.write(&mut file);
    Metainfo::parse(&file).expect("a scenario names sensible files")
}

impl Stretch {
    /// `len` of its bytes, from `begin` on.
    pub fn part(&self, begin: usize, len: usize) -> Stretch {
        assert!(begin + len <= self.len, "{begin}+{len} of {} bytes", self.len);
        Stretch { whole: Arc::clone(&self.whole), begin: self.begin + begin, len }
    }

    /// Whether it is the very same range of the very same source.
    pub fn is_same(&self, other: &Stretch) -> bool {
        Arc::ptr_eq(&self.whole, &other.whole) && (self.begin, self.len) == (other.begin, other.len)
    }
}

impl From<Vec<u8>> for Stretch {
    fn from(bytes: Vec<u8>) -> Stretch {
        let len = bytes.len();
        Stretch { whole: bytes.into(), begin: 0, len }
    }
}

impl Default for Stretch {
    fn default() -> Stretch {
        Stretch::from(Vec::new())
    }
}

impl Deref for Stretch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.whole[self.begin..self.begin + self.len]
    }
}

impl fmt::Debug for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} true bytes from {}", self.len, self.begin)
    }
}
