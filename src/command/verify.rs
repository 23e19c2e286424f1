//! `swarmlet verify`: checks the data of a torrent.

use std::fmt;
use std::path::Path;

use super::progress::{Meter, counted};
use super::remote;
use super::{Arguments, Command, Failure, Screen, files};
use crate::base::{PieceIndex, TorrentId};
use crate::format::layout::File;
use crate::format::metainfo::Metainfo;
use crate::format::resume::FileStamp;
use crate::world::hashing;
use crate::world::store::Store;

const USAGE: &str = concat!(
    "\
check the data of a torrent

usage: swarmlet verify --dir DIR FILE
       swarmlet verify [options] ID...

With --dir it reads all the data in DIR that belongs to the torrent FILE, compares every piece with
its hash, and tells of each file whether it is whole. Nothing is changed. Exits 0 only if all is
whole. A piece may reach over the border of two files: if it is damaged, both are called damaged.
Where the torrent gives a file a sha1 of its own, too, and the whole file has another, that is told;
what counts are the pieces.

Without, it has a daemon check what it has of these torrents, and get anew what is damaged;
'swarmlet status' shows how far it is. Into a pipe or a file it prints one line for each:
verifying id= name= info_hash=

options:
  -d, --dir DIR           the directory that holds the torrent's file or directory
",
    "{json}\n{daemon}\n",
    "\nexamples:\n  swarmlet verify --dir downloads debian.iso.torrent\n  swarmlet verify holiday\n"
);

pub const COMMAND: Command = Command {
    name: "verify",
    summary: "check the data of a torrent, or have a daemon do so",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let Some(dir) = arguments.path("dir") else {
        // Who names a file means the first of the two, and forgot something.
        return match arguments.paths().iter().any(|path| files::is_torrent_name(path)) {
            true => Err(arguments.wrong("--dir is missing")),
            false => remote::verify(arguments, screen),
        };
    };
    let path = arguments.only_path("FILE")?;
    let (_, metainfo) = files::read_torrent(&path)?;
    if !dir.is_dir() {
        let message = format!("{} is no directory", files::shown(&dir));
        return Err(Failure::new(message, "give the one that holds the data to --dir"));
    }
    let verdicts = judge(screen, &metainfo, &dir)?;
    let (mut broken, mut others) = (0, 0);
    for (file, verdict) in &verdicts {
        let path = file.path.join("/");
        screen.line(&format!("{:<22}  {path}", verdict.to_string()));
        broken += usize::from(!matches!(verdict, Verdict::Whole | Verdict::WholeOtherSum));
        others += usize::from(*verdict == Verdict::WholeOtherSum);
    }
    if others > 0 {
        screen.warn(&hashing::contradiction(&metainfo.name, others));
    }
    if broken == 0 {
        screen.line(&format!("all of {} is whole", metainfo.name));
        return Ok(());
    }
    let message = format!("{broken} of {} not whole", counted(verdicts.len(), "file"));
    let again = format!("'swarmlet get {} --dir {}' mends it", path.display(), dir.display());
    Err(Failure::new(message, again))
}

/// What is to be said of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Whole,
    /// Every piece is right, and the file's own sha1 (BEP 47) is another.
    WholeOtherSum,
    Missing,
    /// So many of its pieces have the wrong hash.
    Damaged {
        wrong: usize,
        pieces: usize,
    },
    /// Every piece is right, but something stands behind the end.
    TooLong {
        bytes: u64,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Whole => f.write_str("whole"),
            Verdict::WholeOtherSum => f.write_str("whole, another sha1"),
            Verdict::Missing => f.write_str("missing"),
            Verdict::Damaged { wrong, pieces } => write!(f, "damaged {wrong}/{pieces} pieces"),
            Verdict::TooLong { bytes } => write!(f, "too long by {bytes} B"),
        }
    }
}

/// Reads everything; one verdict for each file that is stored.
fn judge<'m>(
    screen: &mut Screen,
    metainfo: &'m Metainfo,
    dir: &Path,
) -> Result<Vec<(&'m File, Verdict)>, Failure> {
    let Metainfo { layout, piece_hashes, .. } = metainfo;
    let torrent = TorrentId(1);
    let mut store = Store::new();
    store.add(torrent, dir.to_path_buf());
    let unreadable = |fault| {
        let message = format!("cannot check {} in {}: {fault}", metainfo.name, files::shown(dir));
        Failure::new(message, "look at what is there")
    };
    let stamps = store.survey(torrent, layout).map_err(unreadable)?;
    let mut meter = Meter::new(layout.total_bytes());
    let right = hashing::verify(&mut store, torrent, layout, piece_hashes, |more| {
        meter.add(screen, more);
    });
    screen.clear();
    let right = right.map_err(unreadable)?;
    let verdict = |(number, stamp): (usize, Option<FileStamp>)| {
        let wrong = |piece: &u32| !right.has(PieceIndex::checked(*piece));
        let pieces = layout.pieces_of(number);
        let len = layout.files()[number].len;
        match (stamp, pieces.clone().filter(wrong).count()) {
            (None, _) => Verdict::Missing,
            (Some(stamp), 0) if stamp.len == len => Verdict::Whole,
            (Some(stamp), 0) => Verdict::TooLong { bytes: stamp.len.saturating_sub(len) },
            (Some(_), wrong) => Verdict::Damaged { wrong, pieces: pieces.len() },
        }
    };
    let mut verdicts: Vec<Verdict> = (0..).zip(stamps).map(verdict).collect();
    let is_whole = |number: usize| verdicts[number] == Verdict::Whole;
    let others = hashing::other_sums(&mut store, torrent, layout, is_whole);
    for other in others.map_err(unreadable)? {
        verdicts[other] = Verdict::WholeOtherSum;
    }
    Ok(layout.files().iter().zip(verdicts).filter(|(file, _)| !file.pad).collect())
}
