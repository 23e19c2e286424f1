//! Gather: which slices of the receive buffer can leave in one write.
//!
//! Blocks lie in the receive buffer with message heads between them, and in the file side by
//! side. A *run* is a list of slices that follow one another in one file: one system call.
//!
//! ```text
//!  buffer   [head][ block 0 ][head][ block 1 ][head][ block 2 ]
//!                     │               │            ┌─────┴────┐
//!  files    …a……[     0     ][        1       ][ 2 ]          [2 ]…b…
//!                └────────────── run ─────────────┘            └ run
//! ```
//!
//! Padding (BEP 47) is hashed and served but never stored: its bytes are stepped over here.

use crate::base::limits::WRITE_SLICES_MAX;
use crate::base::{PieceIndex, TorrentId};
use crate::format::layout::Layout;

/// Bytes that belong at `begin` of a piece.
#[derive(Clone, Copy, Debug)]
pub struct Write<'b> {
    pub torrent: TorrentId,
    pub piece: PieceIndex,
    /// Byte offset inside the piece.
    pub begin: u32,
    /// Not beyond the piece's end.
    pub bytes: &'b [u8],
}

/// Neighbouring slices of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run<'b> {
    pub torrent: TorrentId,
    /// Index into `Layout::files`.
    pub file: usize,
    /// Byte offset of the first slice inside that file.
    pub offset: u64,
    /// In file order, 1 to `WRITE_SLICES_MAX` of them.
    pub parts: Vec<Part<'b>>,
}

/// One slice of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'b> {
    /// Which of the writes it comes from. A write across a file border has several parts.
    pub write: usize,
    pub bytes: &'b [u8],
}

/// Sorts `writes` into runs, keeping their order. A write whose torrent `layouts` does not know
/// has no part in any run.
///
/// Only neighbours in the list are joined. Bytes of one connection arrive in file order nearly
/// always, and keeping the order means that of two writes to one place the later one wins.
pub fn gather<'b, 'l>(
    writes: &[Write<'b>],
    layouts: impl Fn(TorrentId) -> Option<&'l Layout>,
) -> Vec<Run<'b>> {
    let mut runs: Vec<Run<'b>> = Vec::new();
    for (number, write) in writes.iter().enumerate() {
        let Some(layout) = layouts(write.torrent) else { continue };
        let len = u32::try_from(write.bytes.len()).expect("a write is no longer than a piece");
        let mut rest = write.bytes;
        for span in layout.spans(write.piece, write.begin, len) {
            let (bytes, after) = rest.split_at(span.len as usize);
            rest = after;
            if layout.files()[span.file].pad {
                continue;
            }
            let part = Part { write: number, bytes };
            match runs.last_mut() {
                Some(run) if run.continues(write.torrent, span.file, span.offset) => {
                    run.parts.push(part);
                }
                Some(_) | None => runs.push(Run {
                    torrent: write.torrent,
                    file: span.file,
                    offset: span.offset,
                    parts: vec![part],
                }),
            }
        }
        assert!(rest.is_empty(), "the layout places every byte of a piece");
    }
    runs
}

impl Run<'_> {
    /// How many bytes the run has. Bounded by the buffer that the slices lie in.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }

    /// Never: a run has at least one slice, and a slice at least one byte.
    pub fn is_empty(&self) -> bool {
        false
    }

    fn continues(&self, torrent: TorrentId, file: usize, offset: u64) -> bool {
        self.torrent == torrent
            && self.file == file
            && self.offset + self.len() as u64 == offset
            && self.parts.len() < WRITE_SLICES_MAX
    }
}
