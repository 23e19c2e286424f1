//! `swarmlet seed`: makes a torrent, publishes it, and has a daemon share it.
//!
//! ```text
//!  PATH ─▶ NAME.torrent ─▶ daemon: shares what lies beside PATH
//!                └───────▶ the tracker's library, unless it is private
//! ```
//! The daemon comes before the library: what others find there can be got at once.

use serde_json::json;

use super::Remote;
use super::add::{absolute, hand_over, tell};
use crate::command::ask::Site;
use crate::command::making::{self, Made, Wishes};
use crate::command::{Arguments, Command, Failure, Screen, files, publish, share};

const USAGE: &str = concat!(
    "\
make a torrent of a file or directory, publish it, and have a daemon share it

usage: swarmlet seed [options] PATH

Makes NAME.torrent in the current directory (or uses the one that is there, if it is of the same
content), has the daemon share PATH where it lies, and puts the .torrent into the library of the
first tracker, so that others find it with 'swarmlet search'; a private one is not published. PATH
must be on the daemon's host, below its directory or one of its --root. Into a pipe or a file it
prints: made file= …   added id= name= info_hash= new=   published tracker=

options:
  -t, --tracker URL...    announce here; several make tiers, asked in this order
  -l, --piece-length BYTES
                          such as 256K or 1M (chosen for the size)
      --private           for this tracker only: peers come from there, nothing is published
      --unlisted          announce there, but do not publish
      --config FILE       options from this file, section [seed]; see 'swarmlet help config'
",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet seed holiday --tracker http://tracker.example:8000/announce\n"
);

pub const COMMAND: Command = Command {
    name: "seed",
    summary: "make a torrent, publish it, and have a daemon share it",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("PATH")?;
    let wishes = Wishes {
        web_seeds: Vec::new(),
        trackers: making::trackers(arguments, screen)?,
        private: arguments.has("private"),
        piece_bytes: making::piece_length(arguments, screen)?,
        ..Wishes::default()
    };
    if files::is_torrent_name(&path) {
        let hint = "'swarmlet add TORRENT --dir DIR' shares what it describes, if DIR holds that";
        return Err(Failure::new(format!("{} is a torrent already", files::shown(&path)), hint));
    }
    let mut remote = Remote::of(arguments)?;
    // An hour of hashing for a daemon that is not there would be an hour lost.
    remote.greet()?;
    let is_quiet = arguments.has("json");
    let Made { bytes, parent, .. } = share::make(screen, &path, &wishes, is_quiet)?;
    let place = json!({ "download-dir": absolute(&parent)?, "paused": false });
    let added = hand_over(&mut remote, &bytes, &place)?;
    tell(arguments, screen, &[added])?;
    let first = wishes.trackers.first().and_then(|tier| tier.first());
    let Some(url) = first.filter(|_| !wishes.private && !arguments.has("unlisted")) else {
        return Ok(());
    };
    // It is shared all the same: a tracker without a library is a tracker.
    match Site::parse(url).and_then(|site| publish::publish(&[site], &bytes)) {
        Ok(_) if is_quiet => {}
        Ok((site, published)) => publish::tell(screen, &site, &published),
        Err(failure) => screen.warn(&format!("shared, but not published: {failure}")),
    }
    Ok(())
}
