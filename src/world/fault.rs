//! Fault: what an error of the operating system means for a torrent.
//!
//! The engine does not know error numbers; it knows six reasons why the disk did not do what was
//! asked, and each leads to another sentence for the person and another way on. This table is the
//! only place where the one becomes the other.
//!
//! ```text
//!  ENOENT, end of file            Missing     it was never here, or somebody took it away
//!  ENOSPC, EDQUOT, EFBIG          Full        make room, and it goes on
//!  EACCES, EPERM, EROFS           Denied      a person must allow it
//!  ENOTDIR, EISDIR, ELOOP, …      WrongKind   a person must look at what stands there
//!  EMFILE, ENFILE                 Busy        try again later
//!  everything else                Failed
//! ```
//!
//! `EFBIG` arrives only because `sys::take_file_size_signal` keeps `SIGXFSZ` from ending us.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

use crate::border::DiskFault;

/// Says what `error` means for a torrent.
pub fn fault(error: &io::Error) -> DiskFault {
    match Errno::from_io_error(error) {
        Some(errno) => fault_of_errno(errno),
        // Errors that std makes itself carry no number: `read_exact_at` met the end of a file.
        None if error.kind() == ErrorKind::UnexpectedEof => DiskFault::Missing,
        None => DiskFault::Failed,
    }
}

/// Whether the descriptor table, ours or the whole host's, is full.
pub fn is_table_full(error: &io::Error) -> bool {
    fault(error) == DiskFault::Busy
}

fn fault_of_errno(errno: Errno) -> DiskFault {
    match errno {
        Errno::NOENT => DiskFault::Missing,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => DiskFault::Full,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => DiskFault::Denied,
        Errno::NOTDIR | Errno::ISDIR | Errno::LOOP => DiskFault::WrongKind,
        // A file where a directory is to be made; a socket that is opened like a file.
        Errno::EXIST | Errno::NXIO => DiskFault::WrongKind,
        Errno::MFILE | Errno::NFILE => DiskFault::Busy,
        _ => DiskFault::Failed,
    }
}
