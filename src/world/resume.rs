//! Resume: the records of what we have, kept in the download directory.
pub const RECORD_DIR: &str = ".swarmlet";
