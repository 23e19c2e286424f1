//! Source: what a torrent's files really hold, the truth that every copy is compared with.
//!
//! The bytes are random, so no piece is like another and a block in the wrong place cannot pass
//! for the right one.

use crate::base::InfoHash;
use crate::base::{Block, Claim, PieceIndex, Random};
use crate::format::digest::Digest;
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
    pub files: Vec<Vec<u8>>,
    /// All files end to end.
    bytes: Vec<u8>,
}

impl Source {
    /// Makes files of these lengths; at least one must hold a byte. A torrent of one file bears
    /// its name, one of several is a folder of `0`, `1` and so on.
    pub fn new(name: &str, piece_bytes: u32, lens: &[u64], random: &mut Random) -> Source {
        let file = |(number, &len): (usize, &u64)| match lens.len() {
            1 => File::new([name.to_owned()], len),
            _ => File::new([name.to_owned(), number.to_string()], len),
        };
        let laid = lens.iter().enumerate().map(file).collect();
        let layout = Layout::new(piece_bytes, laid).expect("a scenario names sensible lengths");
        let total = usize::try_from(layout.total_bytes()).expect("files in memory");
        let mut bytes = vec![0; total];
        random.fill(&mut bytes);

        let mut rest = &bytes[..];
        let mut files = Vec::new();
        for file in layout.files() {
            let (own, behind) = rest.split_at(usize::try_from(file.len).expect("in memory"));
            files.push(own.to_vec());
            rest = behind;
        }
        let piece_len = usize::try_from(piece_bytes).expect("a piece fits memory");
        let piece_hashes: Vec<[u8; 20]> = bytes.chunks(piece_len).map(Digest::of).collect();
        let info_hash = InfoHash(Digest::of(piece_hashes.as_flattened()));
        let metainfo = Metainfo {
            info_hash,
            name: name.to_owned(),
            layout,
            piece_hashes,
            private: false,
            trackers: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
            warnings: Vec::new(),
        };
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
