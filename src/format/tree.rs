//! Tree: the files and folders that a torrent will make, so that no two get in each other's way.
//!
//! A .torrent may name one file twice, or a file and a folder alike, or two files that differ
//! only in characters that we clean away. Each gets a place of its own: the later one a number.
//!
//! # Limits
//! `DUPLICATE_NAMES_MAX` names that were taken, in the whole torrent: looking for a free number
//! is quadratic. `PATH_BYTES_MAX` for a whole path.

use std::collections::BTreeMap;

use super::text;
use crate::base::limits::{DUPLICATE_NAMES_MAX, PATH_BYTES_MAX};

/// The files and folders that a torrent makes, to find names that clash.
#[derive(Default)]
pub(super) struct Tree {
    taken: BTreeMap<String, Kind>,
    /// Paths that had to be cleaned.
    pub(super) changed: usize,
    /// Names that were taken.
    pub(super) numbered: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

impl Tree {
    /// Cleans a path and finds it a place where no other file is: `a` and `a/b`, or twice `a`,
    /// become `a` and `a.1/b`, or `a` and `a.1`. Returns it with `name` in front.
    pub(super) fn place(&mut self, name: &str, said: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut path = vec![name.to_string()];
        let mut joined = String::new();
        let mut changed = false;
        for (depth, component) in said.iter().enumerate() {
            let kind = if depth + 1 < said.len() { Kind::Folder } else { Kind::File };
            let clean = text::component(component);
            changed |= clean.as_bytes() != *component;
            let free = self.free_name(&joined, clean, kind)?;
            joined.push('/');
            joined.push_str(&free);
            if name.len() + joined.len() > PATH_BYTES_MAX {
                return Err(format!("a path longer than {PATH_BYTES_MAX} bytes"));
            }
            self.taken.insert(joined.clone(), kind);
            path.push(free);
        }
        self.changed += usize::from(changed);
        Ok(path)
    }

    /// `clean`, or the first numbered form of it that nothing of another kind has inside
    /// `folder`. Two folders of one name are one folder.
    fn free_name(&mut self, folder: &str, clean: String, kind: Kind) -> Result<String, String> {
        let is_free = |name: &str| match self.taken.get(&format!("{folder}/{name}")) {
            None => true,
            Some(there) => (*there, kind) == (Kind::Folder, Kind::Folder),
        };
        if is_free(&clean) {
            return Ok(clean);
        }
        // Each clash looks at no more names than there were clashes before, and a few more.
        let numbered = (1..=DUPLICATE_NAMES_MAX)
            .map(|number| text::numbered(&clean, number))
            .find(|name| is_free(name));
        self.numbered += 1;
        match numbered {
            Some(name) if self.numbered <= DUPLICATE_NAMES_MAX => Ok(name),
            Some(_) | None => Err(format!("more than {DUPLICATE_NAMES_MAX} file names clash")),
        }
    }
}
