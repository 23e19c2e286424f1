//! Making a torrent: what `create` and `share` have in common.
//!
//! ```text
//!  PATH ──survey──▶ Source: files, sizes, layout ──hash──▶ Made: the .torrent and what it means
//!       (names, warnings; quick)              (reads everything; a progress bar)
//! ```
//!
//! Whatever can be refused is refused by the survey, before an hour of hashing.

use std::path::{Path, PathBuf};

use super::events::Line;
use super::progress::{Meter, counted};
use super::{Arguments, Failure, Screen, files};
use crate::base::limits::{
    BLOCK_BYTES, PIECE_BYTES_MAX, TORRENT_FILE_BYTES_MAX, TRACKERS_MAX, WARNINGS_MAX, WEBS_MAX,
};
use crate::format::draft::Draft;
use crate::format::layout::{File, Layout, piece_bytes_for};
use crate::format::metainfo::Metainfo;
use crate::format::query::{Scheme, TrackerUrl};
use crate::format::text;
use crate::world::hashing::{self, Found, Tree, Trouble};
use crate::world::sys;

/// What the person wants of the torrent.
#[derive(Clone, Default)]
pub struct Wishes {
    /// Another name than that of the file or directory.
    pub name: Option<String>,
    pub trackers: Vec<Vec<String>>,
    pub web_seeds: Vec<String>,
    pub private: bool,
    pub comment: Option<String>,
    /// `None`: chosen for the size.
    pub piece_bytes: Option<u32>,
    /// Each file begins with a piece of its own.
    pub pad: bool,
}

/// Data that a torrent can be made of.
pub struct Source {
    /// The file or directory.
    path: PathBuf,
    tree: Tree,
    /// As the torrent will say it, everything but the hashes.
    draft: Draft,
}

/// A torrent just made.
pub struct Made {
    /// The .torrent.
    pub bytes: Vec<u8>,
    pub metainfo: Metainfo,
    /// The directory in which the data lies.
    pub parent: PathBuf,
}

/// Looks at what `path` holds.
///
/// Failure: it cannot be read, holds nothing, or has a name or a size that no torrent takes.
pub fn survey(screen: &mut Screen, path: &Path, wishes: &Wishes) -> Result<Source, Failure> {
    // `.`, `..` and symbolic links say nothing about the name and the place of what they lead to.
    let path = path.canonicalize().map_err(|error| files::cannot("read", path, &error))?;
    let mut tree = hashing::walk(&path).map_err(|trouble| unreadable(&trouble))?;
    tree.warnings.iter().take(WARNINGS_MAX).for_each(|warning| screen.warn(warning));
    if let Some(more) = tree.warnings.len().checked_sub(WARNINGS_MAX).filter(|more| *more > 0) {
        screen.warn(&format!("left out {more} more of that kind"));
    }
    if tree.bytes == 0 {
        let message = format!("{} holds no data", files::shown(&path));
        return Err(Failure::new(message, "a torrent needs at least one byte"));
    }
    let name = match &wishes.name {
        Some(name) => name.clone(),
        None => name_of(&path)?,
    };
    let piece_bytes = wishes.piece_bytes.unwrap_or_else(|| piece_bytes_for(tree.bytes));
    if wishes.pad {
        tree.pad(piece_bytes);
    }
    let draft = Draft {
        layout: lay_out(&tree, &name, piece_bytes)?,
        piece_hashes: Vec::new(),
        private: wishes.private,
        trackers: wishes.trackers.clone(),
        web_seeds: wishes.web_seeds.clone(),
        comment: wishes.comment.clone(),
        created_by: Some(concat!("swarmlet ", env!("CARGO_PKG_VERSION")).into()),
        creation_date: Some(sys::wall_clock_secs()),
    };
    match draft.unsafe_name() {
        None => Ok(Source { path, tree, draft }),
        Some(name) => Err(Failure::new(
            format!("'{name}' is no name that every client could store"),
            "rename it: no control characters, no backslash, at most 255 bytes",
        )),
    }
}

impl Source {
    /// What the torrent will be called.
    pub fn name(&self) -> &str {
        &self.draft.layout.files()[0].path[0]
    }

    /// Refuses to put the .torrent inside of what it describes: it would change that, and so be
    /// wrong as soon as it is there.
    pub fn must_not_hold(&self, target: &Path) -> Result<(), Failure> {
        let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new(".")).canonicalize();
        let place = dir.ok().zip(target.file_name()).map(|(dir, name)| dir.join(name));
        if place.is_none_or(|place| !place.starts_with(&self.path)) {
            return Ok(());
        }
        Err(Failure::new(
            format!("{} would lie inside of what it describes", files::shown(target)),
            "run this from another directory, such as the one above",
        ))
    }

    /// Reads and hashes everything.
    pub fn hash(mut self, screen: &mut Screen) -> Result<Made, Failure> {
        let mut meter = Meter::new(self.tree.bytes);
        let piece_bytes = self.draft.layout.piece_bytes();
        let hashes = hashing::hash_pieces(&self.path, &self.tree.files, piece_bytes, |more| {
            meter.add(screen, more);
        });
        screen.clear();
        self.draft.piece_hashes = hashes.map_err(|trouble| unreadable(&trouble))?;
        let mut bytes = Vec::new();
        self.draft.write(&mut bytes);
        if bytes.len() > TORRENT_FILE_BYTES_MAX {
            return Err(Failure::new(
                format!("the .torrent would have {} bytes, more than clients read", bytes.len()),
                "make the pieces larger with --piece-length",
            ));
        }
        let metainfo = Metainfo::parse(&bytes).expect("a draft with safe names can be read back");
        let parent = self.path.parent().expect("what has a name lies in a directory").into();
        Ok(Made { bytes, metainfo, parent })
    }
}

/// The tiers that `--tracker` asks for: each URL is one.
pub fn trackers(arguments: &Arguments, screen: &mut Screen) -> Result<Vec<Vec<String>>, Failure> {
    let urls = arguments.texts("tracker")?;
    if urls.len() > TRACKERS_MAX {
        return Err(arguments.wrong(format!("more than {TRACKERS_MAX} trackers")));
    }
    for url in &urls {
        if let Err(malformed) = TrackerUrl::parse_any(url) {
            return Err(arguments.wrong(format!("--tracker {url}: {}", malformed.what)));
        }
        if let Err(malformed) = TrackerUrl::parse(url) {
            screen.warn(&format!("--tracker {url}: swarmlet cannot ask it: {}", malformed.what));
        }
    }
    Ok(urls.into_iter().map(|url| vec![url]).collect())
}

/// The values of `--web-seed`.
pub fn web_seeds(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let urls = arguments.texts("web-seed")?;
    if urls.len() > WEBS_MAX {
        return Err(arguments.wrong(format!("more than {WEBS_MAX} web seeds")));
    }
    for url in &urls {
        let why = match TrackerUrl::parse_any(url) {
            Ok(url) if url.scheme == Scheme::Udp => "web servers are not asked over udp".into(),
            Ok(_) => continue,
            Err(malformed) => malformed.into_what(),
        };
        return Err(arguments.wrong(format!("--web-seed {url}: {why}")));
    }
    Ok(urls)
}

/// The value of `--piece-length`, if it is there.
pub fn piece_length(arguments: &Arguments, screen: &mut Screen) -> Result<Option<u32>, Failure> {
    let Some(word) = arguments.text("piece-length")? else { return Ok(None) };
    let wrong = |why: &str| arguments.wrong(format!("--piece-length {word}: {why}"));
    let bytes = parse_size(&word).ok_or_else(|| wrong("not a number of bytes"))?;
    let bytes = u32::try_from(bytes)
        .ok()
        .filter(|bytes| (BLOCK_BYTES..=PIECE_BYTES_MAX).contains(bytes))
        .ok_or_else(|| wrong("not between 16384 (16 KiB) and 536870912 (512 MiB)"))?;
    if !bytes.is_power_of_two() {
        screen.warn(&format!(
            "--piece-length {word}: clients expect a power of two, and not all take this"
        ));
    }
    Ok(Some(bytes))
}

/// The file that a torrent of this name is written to, unless told otherwise.
pub fn file_name(name: &str) -> PathBuf {
    PathBuf::from(format!("{name}.torrent"))
}

/// Tells of a torrent that now lies in `file`; `verb` says how it came there.
pub fn tell(screen: &mut Screen, verb: &str, file: &Path, metainfo: &Metainfo) {
    let layout = &metainfo.layout;
    if !screen.is_terminal() {
        let line = Line::new(verb)
            .with("file", file.display())
            .with("name", &metainfo.name)
            .with("info_hash", metainfo.info_hash)
            .with("bytes", layout.total_bytes())
            .with("pieces", layout.piece_count())
            .with("piece_bytes", layout.piece_bytes());
        return screen.line(&line.into_string());
    }
    screen.line(&format!("{verb} {}", file.display()));
    screen.line(&format!("  info-hash {}", metainfo.info_hash));
}

/// Size, files and pieces of a torrent, for a person.
pub fn dimensions(metainfo: &Metainfo) -> String {
    let layout = &metainfo.layout;
    let files = layout.files().iter().filter(|file| !file.pad).count();
    format!(
        "{} in {}, {} of {}",
        text::size(layout.total_bytes()),
        counted(files, "file"),
        counted(layout.piece_count().try_into().unwrap_or(usize::MAX), "piece"),
        text::size(u64::from(layout.piece_bytes())),
    )
}

/// What the torrent is called unless told otherwise.
fn name_of(path: &Path) -> Result<String, Failure> {
    let Some(name) = path.file_name() else {
        return Err(Failure::new("the root directory has no name", "name a directory in it"));
    };
    name.to_str().map(String::from).ok_or_else(|| {
        let message = format!("the name of {} is not UTF-8", files::shown(path));
        Failure::new(message, "rename it, or give the torrent another name with --name")
    })
}

fn lay_out(tree: &Tree, name: &str, piece_bytes: u32) -> Result<Layout, Failure> {
    let path = |below: &[String]| [&[name.to_string()], below].concat();
    let file = |found: &Found| File { pad: found.pad, ..File::new(path(&found.path), found.len) };
    Layout::new(piece_bytes, tree.files.iter().map(file).collect()).map_err(|misfit| {
        Failure::new(format!("no torrent can hold this: {misfit}"), "divide it, or see -l")
    })
}

fn unreadable(trouble: &Trouble) -> Failure {
    files::cannot("read", &trouble.path, &trouble.error)
}

/// `262144`, `256K` or `1M`, in bytes.
pub(super) fn parse_size(word: &str) -> Option<u64> {
    let (digits, unit) = match word.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1024),
        None => match word.strip_suffix(['M', 'm']) {
            Some(digits) => (digits, 1024 * 1024),
            None => (word, 1),
        },
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
