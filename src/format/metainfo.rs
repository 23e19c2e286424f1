//! Metainfo: a .torrent file as a value, and back.

use super::layout::Layout;
use crate::base::InfoHash;

/// Everything we use of a .torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metainfo {
    pub info_hash: InfoHash,
    /// Cleaned; safe as a path component and on a terminal.
    pub name: String,
    pub layout: Layout,
    /// One per piece.
    pub piece_hashes: Vec<[u8; 20]>,
    pub private: bool,
    /// Tiers of announce URLs (BEP 12); a lone `announce` is one tier of one.
    pub trackers: Vec<Vec<String>>,
    pub comment: Option<String>,
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
    /// What was odd but mended, one clean line each.
    pub warnings: Vec<String>,
}
