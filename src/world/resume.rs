//! Resume: the records of what we have, kept in the download directory.

/// The directory of our own inside a download directory.
pub const RECORD_DIR: &str = ".swarmlet";
