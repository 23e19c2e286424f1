//! Hashing: files on disk become pieces, and pieces on disk are compared with what they should be.
//!
//! The first half makes torrents: `walk` lists what lies below a path, `hash_pieces` reads all of
//! it once, from end to end, through one buffer. The second half checks data against a torrent:
//! `verify` reads piece by piece through the `Store`, so it sees files and padding exactly as a
//! node would.
//!
//! # Limits
//! `FILES_MAX`, `PATH_DEPTH_MAX`; memory is one buffer and 20 bytes per piece, however large the
//! files are.

use crate::base::order;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::folder::{Access, Folder};
use super::resume::RECORD_DIR;
use super::store::Store;
use crate::base::limits::{FILES_MAX, PATH_DEPTH_MAX};
use crate::base::{Bits, PieceIndex, TorrentId};
use crate::border::DiskFault;
use crate::format::digest::Digest;
use crate::format::layout::Layout;
use crate::format::text;

/// What lies below a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    /// Sorted by their components, byte by byte: the same tree always makes the same torrent.
    pub files: Vec<Found>,
    /// The lengths of all files.
    pub bytes: u64,
    /// What was left out, one clean line each.
    pub warnings: Vec<String>,
}

/// One plain file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Found {
    /// Components below the path that was walked; none if that path is the file itself.
    pub path: Vec<String>,
    pub len: u64,
    /// Zeros that stand between two files, and in no file at all (BEP 47).
    pub pad: bool,
}

/// A file or directory that cannot be read, and why.
#[derive(Debug)]
pub struct Trouble {
    pub path: PathBuf,
    pub error: io::Error,
}

/// Lists the plain files below `path`, or `path` itself if it is one.
///
/// `path` may be a symbolic link (the person chose it); below it links, pipes, devices and
/// sockets are left out with a warning, and so are names that a torrent cannot carry. Empty
/// directories leave no trace: torrents know only files.
///
/// Trouble: the first directory that cannot be read; more than `FILES_MAX` files.
pub fn walk(path: &Path) -> Result<Tree, Trouble> {
    let trouble = |error| Trouble { path: path.to_path_buf(), error };
    let metadata = fs::metadata(path).map_err(trouble)?;
    let mut tree = Tree { files: Vec::new(), bytes: 0, warnings: Vec::new() };
    if metadata.is_file() {
        tree.add(Vec::new(), metadata.len()).map_err(trouble)?;
        return Ok(tree);
    }
    if !metadata.is_dir() {
        return Err(trouble(io::Error::other("neither a file nor a directory")));
    }
    // Directories still to be read; a list, since a deep tree must not exhaust our stack.
    let mut dirs = vec![Vec::new()];
    while let Some(dir) = dirs.pop() {
        let here = dir.iter().fold(path.to_path_buf(), |at, name| at.join(name));
        tree.read_dir(&here, &dir, &mut dirs).map_err(|error| Trouble { path: here, error })?;
    }
    order::sort(&mut tree.files);
    Ok(tree)
}

/// Hashes all `files` of the walked `path`, laid end to end, in pieces of `piece_bytes`.
///
/// `progress` is told how many more bytes were read, a few times per MiB.
/// Trouble: a file that cannot be read, or that is no longer as long as it was.
pub fn hash_pieces(
    path: &Path,
    files: &[Found],
    piece_bytes: u32,
    mut progress: impl FnMut(u64),
) -> Result<Vec<[u8; 20]>, Trouble> {
    let folder = Folder::new(path.to_path_buf());
    let mut pieces = Pieces::new(piece_bytes);
    let mut buffer = vec![0; BUFFER_BYTES];
    for found in files {
        if found.pad {
            pieces.add_zeros(found.len, &mut buffer);
            continue;
        }
        let hashed = open(&folder, found)
            .and_then(|mut file| pieces.add_file(&mut file, found.len, &mut buffer, &mut progress));
        let at = || found.path.iter().fold(path.to_path_buf(), |at, name| at.join(name));
        hashed.map_err(|error| Trouble { path: at(), error })?;
    }
    Ok(pieces.finish())
}

/// Compares every piece on disk with its hash. Returns which ones are right.
///
/// `hashes`: one per piece. `progress` is told how many bytes each piece had, after it.
/// A file that is missing, short, or no file at all makes its pieces wrong. Fault: anything else.
pub fn verify(
    store: &mut Store,
    torrent: TorrentId,
    layout: &Layout,
    hashes: &[[u8; 20]],
    mut progress: impl FnMut(u64),
) -> Result<Bits, DiskFault> {
    let mut right = Bits::none(layout.piece_count());
    let mut buffer = vec![0; BUFFER_BYTES];
    for (piece, hash) in layout.pieces().zip(hashes) {
        match piece_hash(store, torrent, layout, piece, &mut buffer) {
            Ok(found) if found == *hash => {
                right.set(piece);
            }
            Ok(_) | Err(DiskFault::Missing | DiskFault::WrongKind) => {}
            Err(fault) => return Err(fault),
        }
        progress(u64::from(layout.piece_len(piece)));
    }
    Ok(right)
}

/// The files whose SHA-1 is not what the torrent says beside its pieces (BEP 47), of those that
/// `is_here` says are whole.
///
/// Fault: as `Store::read`.
pub fn other_sums(
    store: &mut Store,
    torrent: TorrentId,
    layout: &Layout,
    is_here: impl Fn(usize) -> bool,
) -> Result<Vec<usize>, DiskFault> {
    let mut sums = Sums::new(torrent);
    let mut buffer = vec![0; BUFFER_BYTES];
    while !sums.step(store, layout, &is_here, &mut buffer)? {}
    Ok(sums.others)
}

/// A comparison of files with their own SHA-1 that goes on as far as it gets time.
#[derive(Debug)]
pub struct Sums {
    pub torrent: TorrentId,
    /// The file that is read, and how many bytes of it were.
    number: usize,
    at: u64,
    digest: Digest,
    /// Files that have another one.
    pub others: Vec<usize>,
}

impl Sums {
    pub fn new(torrent: TorrentId) -> Sums {
        Sums { torrent, number: 0, at: 0, digest: Digest::new(), others: Vec::new() }
    }

    /// Reads on, at most a buffer full. Returns whether it is done.
    ///
    /// Fault: as `Store::read`.
    pub fn step(
        &mut self,
        store: &mut Store,
        layout: &Layout,
        is_here: impl Fn(usize) -> bool,
        buffer: &mut [u8],
    ) -> Result<bool, DiskFault> {
        let files = layout.files();
        let is_meant = |number: &usize| {
            let file = &files[*number];
            !file.pad && file.sha1.is_some() && is_here(*number)
        };
        let Some(number) = (self.number..files.len()).find(is_meant) else { return Ok(true) };
        self.number = number;
        let file = &files[number];
        if self.at < file.len {
            let len = self.read(store, layout, buffer)?;
            self.digest.update(&buffer[..len]);
            self.at += len as u64;
        }
        if self.at == file.len {
            let found = std::mem::take(&mut self.digest).finish();
            if file.sha1.as_deref() != Some(&found) {
                self.others.push(number);
            }
            (self.number, self.at) = (number + 1, 0);
        }
        Ok(false)
    }

    /// Reads what comes next of the file, up to the end of its piece. Returns how much it was.
    fn read(
        &self,
        store: &mut Store,
        layout: &Layout,
        buffer: &mut [u8],
    ) -> Result<usize, DiskFault> {
        let file = &layout.files()[self.number];
        let offset = file.offset + self.at;
        let (piece, begin) = layout.place_of(offset);
        let in_piece = u64::from(layout.piece_len(piece) - begin);
        let len = in_piece.min(file.len - self.at).min(buffer.len() as u64);
        let len = usize::try_from(len).expect("at most the buffer");
        store.read(self.torrent, layout, piece, begin, &mut buffer[..len])?;
        Ok(len)
    }
}

/// What to say of files whose pieces are right and whose own SHA-1 is another.
pub fn contradiction(name: &str, files: usize) -> String {
    let files = if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") };
    format!(
        "{name}: {files} right by the pieces, and not by the sha1 that the torrent gives: its \
         maker contradicts himself"
    )
}

/// The SHA-1 of one piece on disk, read through `buffer`, which must not be empty.
///
/// Fault: as `Store::read`.
pub fn piece_hash(
    store: &mut Store,
    torrent: TorrentId,
    layout: &Layout,
    piece: PieceIndex,
    buffer: &mut [u8],
) -> Result<[u8; 20], DiskFault> {
    let len = layout.piece_len(piece);
    let step = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    assert!(step > 0, "a piece cannot be read through an empty buffer");
    let mut digest = Digest::new();
    let mut begin = 0;
    while begin < len {
        let part = &mut buffer[..step.min(len - begin) as usize];
        store.read(torrent, layout, piece, begin, part)?;
        digest.update(part);
        begin += step.min(len - begin);
    }
    Ok(digest.finish())
}

impl Tree {
    /// Puts padding behind each file that ends inside a piece, so that the next one begins with a
    /// piece of its own. Behind the last file there is none, nor behind an empty one.
    ///
    /// Source: BEP 47, "padding files"; the path is the recommended one.
    pub fn pad(&mut self, piece_bytes: u32) {
        let piece_bytes = u64::from(piece_bytes);
        let last = self.files.iter().rposition(|found| found.len > 0).unwrap_or(0);
        let mut padded = Vec::new();
        for (number, found) in std::mem::take(&mut self.files).into_iter().enumerate() {
            let gap = found.len.next_multiple_of(piece_bytes) - found.len;
            padded.push(found);
            if gap > 0 && number < last {
                let path = vec![".pad".to_owned(), gap.to_string()];
                padded.push(Found { path, len: gap, pad: true });
            }
        }
        self.files = padded;
    }

    /// Sorts the entries of one directory into files, further directories, and what is left out.
    fn read_dir(
        &mut self,
        here: &Path,
        dir: &[String],
        dirs: &mut Vec<Vec<String>>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(here)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = match entry.file_name().into_string() {
                // A name that cleaning would change is another name on every other host, and on
                // this one, too, as soon as the torrent is shared.
                Ok(name) if text::component(&name) == name => name,
                Ok(_) | Err(_) => {
                    self.leave_out(&entry.path(), "a torrent cannot carry its name");
                    continue;
                }
            };
            if dir.is_empty() && name == RECORD_DIR {
                continue;
            }
            let path: Vec<String> = dir.iter().cloned().chain([name]).collect();
            if kind.is_symlink() {
                self.leave_out(&entry.path(), "a symbolic link");
            } else if !kind.is_file() && !kind.is_dir() {
                self.leave_out(&entry.path(), "neither a file nor a directory");
            } else if path.len() >= PATH_DEPTH_MAX {
                // One component more stands before these: the torrent's name.
                self.leave_out(&entry.path(), "too deep");
            } else if kind.is_dir() {
                dirs.push(path);
            } else {
                self.add(path, entry.metadata()?.len())?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: Vec<String>, len: u64) -> io::Result<()> {
        if self.files.len() >= FILES_MAX {
            return Err(io::Error::other(format!("more than {FILES_MAX} files")));
        }
        self.bytes = self.bytes.saturating_add(len);
        self.files.push(Found { path, len, pad: false });
        Ok(())
    }

    fn leave_out(&mut self, path: &Path, why: &str) {
        self.warnings.push(format!("left out {}: {why}", shown(path)));
    }
}

/// Pieces that fill as bytes are added.
struct Pieces {
    piece_bytes: u64,
    digest: Digest,
    /// Bytes in the piece that fills, less than `piece_bytes`.
    filled: u64,
    hashes: Vec<[u8; 20]>,
}

impl Pieces {
    fn new(piece_bytes: u32) -> Pieces {
        assert!(piece_bytes > 0, "pieces hold at least one byte");
        let piece_bytes = u64::from(piece_bytes);
        Pieces { piece_bytes, digest: Digest::new(), filled: 0, hashes: Vec::new() }
    }

    /// Adds a file that must have `len` bytes.
    fn add_file(
        &mut self,
        file: &mut File,
        len: u64,
        buffer: &mut [u8],
        progress: &mut impl FnMut(u64),
    ) -> io::Result<()> {
        let mut left = len;
        loop {
            let count = match file.read(buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // At the end all is read, and before the end something was left to read.
            let changed = if count == 0 { left > 0 } else { count as u64 > left };
            if changed {
                return Err(io::Error::other("its length changed while it was read"));
            }
            if count == 0 {
                return Ok(());
            }
            left -= count as u64;
            self.add(&buffer[..count]);
            progress(count as u64);
        }
    }

    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.piece_bytes - self.filled).unwrap_or(usize::MAX);
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.digest.update(part);
            self.filled += part.len() as u64;
            if self.filled == self.piece_bytes {
                self.end_piece();
            }
            bytes = rest;
        }
    }

    fn add_zeros(&mut self, len: u64, buffer: &mut [u8]) {
        buffer.fill(0);
        let mut left = len;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            self.add(&buffer[..count]);
            left -= count as u64;
        }
    }

    fn finish(mut self) -> Vec<[u8; 20]> {
        if self.filled > 0 {
            self.end_piece();
        }
        self.hashes
    }

    fn end_piece(&mut self) {
        self.hashes.push(std::mem::take(&mut self.digest).finish());
        self.filled = 0;
    }
}

fn open(folder: &Folder, found: &Found) -> io::Result<File> {
    match found.path.as_slice() {
        [] => File::open(folder.root()),
        path => Ok(folder.open(path, Access::Read)?.file),
    }
}

/// A path for people; names of files may hold anything.
fn shown(path: &Path) -> String {
    text::clean(path.as_os_str().as_encoded_bytes())
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.path), self.error)
    }
}

/// What was read stays in the processor's nearest caches until it is hashed: four hundredths faster
/// than steps of 256 KiB. Smaller ones lose by their calls what they win.
const BUFFER_BYTES: usize = 64 * 1024;
