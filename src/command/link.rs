//! Links: a magnet link where a command takes a torrent.

use std::path::Path;

use super::Failure;
use crate::format::magnet::{LocalPeers, Magnet};

/// The link that a word is; `None` if it is the path of a file.
///
/// Failure: it begins like a link and is none that can be used.
pub fn parse(path: &Path, local: LocalPeers) -> Result<Option<Magnet>, Failure> {
    if !is_magnet(path) {
        return Ok(None);
    }
    let unusable = |why: &dyn std::fmt::Display| {
        let message = format!("the magnet link is not usable: {why}");
        Failure::new(message, "copy it anew, whole, and put it in quotes")
    };
    let text = path.to_str().ok_or_else(|| unusable(&"it is not UTF-8"))?;
    Magnet::parse(text, local).map(Some).map_err(|malformed| unusable(&malformed))
}

/// Whether a word is a magnet link rather than the path of a file.
pub fn is_magnet(path: &Path) -> bool {
    let start = path.as_os_str().as_encoded_bytes().get(.."magnet:".len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"magnet:"))
}
