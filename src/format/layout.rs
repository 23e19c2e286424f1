//! Layout: what a torrent looks like as numbers.
//!
//! All files are laid end to end in the order of the .torrent; the row of bytes is cut into
//! pieces, each piece is asked for in blocks. Nobody cares where a file ends: a piece may hold
//! the end of one and the beginning of the next.
//!
//! ```text
//!  files    ├──── a ────┤├ b ┤├──────────── c ───────────┤
//!  pieces   ├─── 0 ───┤├─── 1 ───┤├─── 2 ───┤├─── 3 ─┤      the last one is often short
//!  blocks   ├┼┼┼┼┼┼┼┼┼┤                                     16 KiB, the last of a piece shorter
//! ```
//!
//! This is the only file that divides. Everybody else asks it.
//!
//! # Invariants
//! `1 ≤ piece_bytes ≤ PIECE_BYTES_MAX` · `1 ≤ piece_count ≤ PIECES_MAX` · file offsets ascend
//! without gaps from 0 to `total_bytes` · `total_bytes < 2^63`.
//!
//! # Spec
//! BEP 3, "info dictionary"; BEP 47, padding files.

use std::fmt;
use std::ops::Range;

use super::digest::Hashing;
use crate::base::limits::{BLOCK_BYTES, FILES_MAX, PIECE_BYTES_MAX, PIECES_MAX, REQUEST_BYTES_MAX};
use crate::base::{Block, Claim, PieceIndex};

/// Pieces, blocks and files of one torrent. The only place that divides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    piece_bytes: u32,
    total_bytes: u64,
    piece_count: u32,
    files: Vec<File>,
    /// The files that hold bytes, ascending. Looking up a range here costs nothing for however
    /// many empty files a .torrent strews in between.
    filled: Vec<u32>,
    hashing: Hashing,
}

/// One file of a torrent, as laid end to end with the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Cleaned components below the download directory; the first is the torrent's name.
    pub path: Vec<String>,
    /// Where the file begins in the torrent's bytes.
    pub offset: u64,
    pub len: u64,
    /// BEP 47 padding: zeros that are hashed and served but never stored or listed.
    pub pad: bool,
    /// A program: made with the right to be run, as far as the host grants it (BEP 47).
    pub executable: bool,
    /// What the torrent's maker says that its SHA-1 is: a hint, for the pieces alone are judged
    /// (BEP 47). In a box: few have one, and there may be a million files.
    pub sha1: Option<Box<[u8; 20]>>,
}

/// A range of bytes of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileSpan {
    /// Index into `Layout::files`.
    pub file: usize,
    /// Byte offset inside that file.
    pub offset: u64,
    /// At least 1.
    pub len: u32,
}

/// Why some files and a piece length make no torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// Not within 1 to `PIECE_BYTES_MAX`.
    PieceLength(u32),
    /// No file holds a byte.
    NoData,
    /// More than `FILES_MAX`.
    Files(usize),
    /// The lengths add up to 2^63 or more.
    Total,
    /// More than `PIECES_MAX`.
    Pieces(u64),
}

/// Piece lengths that `piece_bytes_for` chooses from; every client reads these.
const CHOSEN_PIECE_BYTES: Range<u32> = 16 * 1024..16 * 1024 * 1024;

/// `piece_bytes_for` doubles the piece length until there are no more pieces than this.
const CHOSEN_PIECES_MAX: u64 = 2_000;

impl File {
    /// A file to be laid; `Layout::new` finds its offset.
    pub fn new<S: Into<String>>(path: impl IntoIterator<Item = S>, len: u64) -> File {
        let path = path.into_iter().map(Into::into).collect();
        File { path, offset: 0, len, pad: false, executable: false, sha1: None }
    }
}

impl Layout {
    /// Lays `files` end to end, whatever their `offset` says.
    ///
    /// `piece_bytes`: length of every piece but the last; any number, not only powers of two.
    /// Misfit: as its variants say.
    pub fn new(piece_bytes: u32, mut files: Vec<File>) -> Result<Layout, Misfit> {
        if !(1..=PIECE_BYTES_MAX).contains(&piece_bytes) {
            return Err(Misfit::PieceLength(piece_bytes));
        }
        if files.len() > FILES_MAX {
            return Err(Misfit::Files(files.len()));
        }
        let mut total_bytes = 0u64;
        let mut filled = Vec::new();
        for (number, file) in (0u32..).zip(&mut files) {
            file.offset = total_bytes;
            total_bytes = total_bytes.checked_add(file.len).ok_or(Misfit::Total)?;
            if file.len > 0 {
                filled.push(number);
            }
        }
        if total_bytes == 0 {
            return Err(Misfit::NoData);
        }
        if i64::try_from(total_bytes).is_err() {
            return Err(Misfit::Total);
        }
        let pieces = total_bytes.div_ceil(u64::from(piece_bytes));
        let piece_count = match u32::try_from(pieces) {
            Ok(count) if count <= PIECES_MAX => count,
            Ok(_) | Err(_) => return Err(Misfit::Pieces(pieces)),
        };
        let hashing = Hashing::Sha1;
        Ok(Layout { piece_bytes, total_bytes, piece_count, files, filled, hashing })
    }

    /// The same layout, of a torrent whose pieces are hashed by the stand-in. For the lab alone.
    pub fn with_stand_in_hashes(self) -> Layout {
        Layout { hashing: Hashing::StandIn, ..self }
    }

    /// How the pieces are hashed.
    pub fn hashing(&self) -> Hashing {
        self.hashing
    }

    /// The layout of a single file: what most tests want.
    pub fn single(piece_bytes: u32, name: &str, len: u64) -> Result<Layout, Misfit> {
        Layout::new(piece_bytes, vec![File::new([name], len)])
    }

    /// How many bytes a whole piece has (the last one may be shorter).
    pub fn piece_bytes(&self) -> u32 {
        self.piece_bytes
    }

    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Turns a number that a peer said into a piece that exists.
    pub fn piece(&self, index: u32) -> Option<PieceIndex> {
        (index < self.piece_count).then(|| PieceIndex::checked(index))
    }

    /// All pieces, ascending.
    pub fn pieces(&self) -> impl Iterator<Item = PieceIndex> + use<> {
        (0..self.piece_count).map(PieceIndex::checked)
    }

    /// Where the piece begins in the torrent's bytes.
    pub fn piece_offset(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.get()) * u64::from(self.piece_bytes)
    }

    /// The piece that holds this byte of the torrent, and where in the piece it stands.
    ///
    /// Panics if there is no such byte.
    pub fn place_of(&self, offset: u64) -> (PieceIndex, u32) {
        assert!(offset < self.total_bytes, "byte {offset} of {}", self.total_bytes);
        let piece_bytes = u64::from(self.piece_bytes);
        let fits = |number: u64| u32::try_from(number).expect("no more than the piece count");
        (PieceIndex::checked(fits(offset / piece_bytes)), fits(offset % piece_bytes))
    }

    /// Bytes of this piece.
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        assert!(piece.get() < self.piece_count, "{piece:?} of {} pieces", self.piece_count);
        let left = self.total_bytes - self.piece_offset(piece);
        // What is left of the torrent, if it is less than a whole piece.
        u32::try_from(left).map_or(self.piece_bytes, |left| left.min(self.piece_bytes))
    }

    /// Turns a peer's claim into a block: piece exists, length at least 1 and at most
    /// `REQUEST_BYTES_MAX`, end inside the piece (summed in 64 bits).
    pub fn block(&self, claim: Claim) -> Option<Block> {
        let piece = self.piece(claim.piece)?;
        let end = u64::from(claim.begin) + u64::from(claim.len);
        let fits =
            (1..=REQUEST_BYTES_MAX).contains(&claim.len) && end <= u64::from(self.piece_len(piece));
        fits.then(|| Block::checked(piece, claim.begin, claim.len))
    }

    /// How many blocks of `BLOCK_BYTES` (the last may be shorter) a piece is asked in.
    pub fn block_count(&self, piece: PieceIndex) -> u32 {
        self.piece_len(piece).div_ceil(BLOCK_BYTES)
    }

    /// Block number `number` of a piece, as we ask for it.
    ///
    /// Panics if `number` is not below `block_count`.
    pub fn block_at(&self, piece: PieceIndex, number: u32) -> Block {
        let piece_len = self.piece_len(piece);
        assert!(number < piece_len.div_ceil(BLOCK_BYTES), "block {number} of {piece:?}");
        let begin = number * BLOCK_BYTES;
        Block::checked(piece, begin, BLOCK_BYTES.min(piece_len - begin))
    }

    /// The files that hold `len` bytes of `piece` from `begin` on, in order; padding included.
    ///
    /// Costs the logarithm of the number of files, and then a step per span. Panics if the range
    /// does not lie inside the piece.
    pub fn spans(
        &self,
        piece: PieceIndex,
        begin: u32,
        len: u32,
    ) -> impl Iterator<Item = FileSpan> + '_ {
        let piece_len = self.piece_len(piece);
        assert!(begin <= piece_len && len <= piece_len - begin, "{begin}+{len} in {piece:?}");
        let start = self.piece_offset(piece) + u64::from(begin);
        let end = start + u64::from(len);
        let first = self.filled.partition_point(|&number| self.file_end(number) <= start);
        self.filled[first..].iter().map_while(move |&number| {
            let file = &self.files[number as usize];
            let from = start.max(file.offset);
            let to = end.min(file.offset + file.len);
            let len = u32::try_from(to.checked_sub(from)?).expect("no longer than the range");
            let file_span = FileSpan { file: number as usize, offset: from - file.offset, len };
            (len > 0).then_some(file_span)
        })
    }

    /// The pieces that hold at least one byte of file number `file`; empty for an empty file.
    pub fn pieces_of(&self, file: usize) -> Range<u32> {
        let file = &self.files[file];
        if file.len == 0 {
            return 0..0;
        }
        let piece_bytes = u64::from(self.piece_bytes);
        let fits = |index: u64| u32::try_from(index).expect("no more than the piece count");
        let end = (file.offset + file.len).div_ceil(piece_bytes);
        fits(file.offset / piece_bytes)..fits(end)
    }

    /// Recounts what the constructor promised.
    pub fn check(&self) {
        let mut offset = 0;
        for file in &self.files {
            assert_eq!(file.offset, offset, "a gap before {:?}", file.path);
            offset += file.len;
        }
        assert_eq!(offset, self.total_bytes);
        let filled = self.files.iter().filter(|file| file.len > 0).count();
        assert_eq!(filled, self.filled.len());
        let pieces: u64 = self.pieces().map(|piece| u64::from(self.piece_len(piece))).sum();
        assert_eq!(pieces, self.total_bytes);
    }

    /// Offset in the torrent's bytes of the first byte after a file.
    fn file_end(&self, number: u32) -> u64 {
        let file = &self.files[number as usize];
        file.offset + file.len
    }
}

/// The piece length for a new torrent of this size: a power of two from 16 KiB to 16 MiB, so
/// that there are between one and two thousand pieces.
///
/// More pieces make the .torrent and every `bitfield` longer; fewer make a peer wait longer until
/// it has something to give. Below 16 MiB of data there are fewer, and above 32 GiB more.
pub fn piece_bytes_for(total_bytes: u64) -> u32 {
    let mut piece_bytes = CHOSEN_PIECE_BYTES.start;
    while piece_bytes < CHOSEN_PIECE_BYTES.end
        && total_bytes.div_ceil(u64::from(piece_bytes)) > CHOSEN_PIECES_MAX
    {
        piece_bytes *= 2;
    }
    piece_bytes
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::PieceLength(bytes) => {
                write!(f, "piece length {bytes} is not between 1 and {PIECE_BYTES_MAX}")
            }
            Misfit::NoData => f.write_str("no data: the files are all empty"),
            Misfit::Files(count) => write!(f, "{count} files, the limit is {FILES_MAX}"),
            Misfit::Total => f.write_str("the file lengths add up to 2^63 or more"),
            Misfit::Pieces(count) => write!(f, "{count} pieces, the limit is {PIECES_MAX}"),
        }
    }
}

impl std::error::Error for Misfit {}

const _: () = assert!(FILES_MAX <= u32::MAX as usize, "Layout::filled holds file numbers");
