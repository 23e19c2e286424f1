//! `swarmlet edit`: new trackers or another comment for a torrent.

use super::{Arguments, Command, Failure, Screen, files, making};
use crate::format::draft::{self, Edit};
use crate::format::metainfo::Metainfo;

const USAGE: &str = "\
change the trackers or the comment of a torrent

usage: swarmlet edit [options] FILE

What the torrent is about, and so its info-hash, stays as it is, byte for byte: the swarm remains
the same. Without -o, FILE itself is replaced, in one step.

options:
  -t, --tracker URL...   announce here; several make tiers, asked in this order; all trackers
                         that stood there before are gone; an empty URL removes them all
  -c, --comment TEXT     what people shall know; an empty TEXT removes it
  -o, --output FILE      write here instead
  --force                replace the file of -o if there is one
  -h, --help             this text

examples:
  swarmlet edit --tracker http://tracker.example/announce holiday.torrent
  swarmlet edit --comment '' -o clean.torrent holiday.torrent
";

pub const COMMAND: Command = Command {
    name: "edit",
    summary: "change the trackers or the comment of a torrent",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("FILE")?;
    let trackers = match arguments.texts("tracker")?.as_slice() {
        [] => None,
        [none] if none.is_empty() => Some(Vec::new()),
        [..] => Some(making::trackers(arguments, screen)?),
    };
    let comment = arguments.text("comment")?;
    if trackers.is_none() && comment.is_none() {
        return Err(arguments.wrong("nothing to change: give --tracker or --comment"));
    }
    let (bytes, before) = files::read_torrent(&path)?;
    let edited = draft::edit(&bytes, &Edit { trackers, comment });
    let edited = edited.map_err(|malformed| {
        Failure::new(format!("cannot edit {}: {malformed}", files::shown(&path)), "")
    })?;
    let after = Metainfo::parse(&edited).expect("what was written anew can be read");
    assert_eq!(before.info_hash, after.info_hash, "editing changed the torrent itself");
    let replace = arguments.has("force") || !arguments.has("output");
    let target = arguments.path("output").unwrap_or(path);
    files::write_torrent(&target, &edited, replace)?;
    screen.line(&format!("wrote {}, info-hash {} as before", target.display(), after.info_hash));
    Ok(())
}
