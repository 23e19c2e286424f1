//! Scratch: a directory for one test, removed at its end.

use std::fs;
use std::path::PathBuf;

/// An empty directory of its own below the system's temporary one.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// `name`: of the test, unlike that of any other.
    pub fn new(name: &str) -> Scratch {
        let root = std::env::temp_dir().join(format!("swarmlet-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir(&root).unwrap();
        Scratch(root)
    }

    /// A path below it; the directory itself for an empty one.
    pub fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.0.clone() } else { self.0.join(path) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0).or_else(|_| fs::remove_file(&self.0));
    }
}
