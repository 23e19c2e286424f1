//! Torrent files on disk: read with clear complaints, written whole or not at all.
//!
//! # Why
//! A .torrent is small and precious: it is written beside its place under a name of its own and
//! moved there in one step, so that no reader and no crash ever sees half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::Failure;
use super::failure::{advice, reason};
use crate::base::limits::TORRENT_FILE_BYTES_MAX;
use crate::format::metainfo::Metainfo;

/// Reads the .torrent at `path`: its bytes, and what they mean.
///
/// Failure: it cannot be read, is too large, or is no torrent; the message says where.
pub fn read_torrent(path: &Path) -> Result<(Vec<u8>, Metainfo), Failure> {
    let bytes = read_bounded(path).map_err(|error| cannot("read", path, &error))?;
    if bytes.len() > TORRENT_FILE_BYTES_MAX {
        return Err(Failure::new(
            format!("{} is larger than {TORRENT_FILE_BYTES_MAX} bytes", shown(path)),
            "TORRENT_FILE_BYTES_MAX in base/limits.rs is the limit; is it a .torrent at all?",
        ));
    }
    match Metainfo::parse(&bytes) {
        Ok(metainfo) => Ok((bytes, metainfo)),
        Err(malformed) => Err(Failure::new(
            format!("{} is not a usable torrent: {malformed}", shown(path)),
            "get it anew from where it came from",
        )),
    }
}

/// Writes a .torrent. An existing file is replaced only if `replace` says so.
pub fn write_torrent(path: &Path, bytes: &[u8], replace: bool) -> Result<(), Failure> {
    must_be_free(path, replace)?;
    let beside = beside(path);
    let written = write_whole(&beside, bytes).and_then(|()| match replace {
        true => fs::rename(&beside, path),
        // Unlike a rename, a link never replaces what somebody put there meanwhile.
        false => fs::hard_link(&beside, path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            // Some file systems (FAT, for one) have no links.
            _ => fs::rename(&beside, path),
        }),
    });
    // After a rename it is gone already; after a failure it should be.
    let _ = fs::remove_file(&beside);
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => cannot("write", path, &error),
    })
}

/// Refuses a path where something stands already, unless it may be replaced.
pub fn must_be_free(path: &Path, replace: bool) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(_) if !replace => Err(exists(path)),
        Ok(there) if there.is_dir() => Err(cannot("replace", path, &is_a_directory())),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes a directory for downloads, and those above it.
pub fn make_dir(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| cannot("make the directory", dir, &error))
}

/// Whether a path is called like a torrent: `share` takes it for one, not for data.
pub fn is_torrent_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("torrent"))
}

/// What could not be done to `path`, and why.
pub fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {verb} {}: {}", shown(path), reason(error)), advice(error))
}

/// A path as a person reads it.
pub fn shown(path: &Path) -> String {
    format!("'{}'", path.display())
}

fn exists(path: &Path) -> Failure {
    let message = format!("{} exists already", shown(path));
    Failure::new(message, "choose another name with -o, or replace it with --force")
}

fn is_a_directory() -> io::Error {
    io::ErrorKind::IsADirectory.into()
}

/// At most one byte more than a torrent may have, whatever the file says of its size.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(is_a_directory());
    }
    let bound = u64::try_from(TORRENT_FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(bound).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The name under which `path` is written before it is moved into place.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Long names stay within what a file system takes.
    let name: String = name.chars().take(40).collect();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
