//! `swarmlet edit`: new trackers or another comment for a torrent, in a file or in a daemon.

use std::path::Path;

use serde_json::json;

use super::remote::edit_running;
use super::{Arguments, Command, Failure, Screen, files, info, making};
use crate::base::Set;
use crate::format::draft::{self, Edit};
use crate::format::metainfo::Metainfo;

const USAGE: &str = concat!(
    "\
change the trackers or the comment of a torrent

usage: swarmlet edit [options] FILE|ID

What the torrent is about, and so its info-hash, stays as it is, byte for byte: the swarm remains
the same. Without -o, FILE itself is replaced, in one step. Where there is no such file, it is a
torrent of a daemon (an ID as in 'swarmlet status'), which has other trackers from now on, also
after a restart; then into a pipe or a file it prints one line: edited id= name= info_hash=

options:
  -t, --tracker URL...    announce here; several make tiers, asked in this order; all trackers
                          that stood there before are gone; an empty URL removes them all
      --instead-of URL    only this tracker goes, and those of -t take its place
  -c, --comment TEXT      what people shall know; an empty TEXT removes it
  -o, --output FILE       write here instead
      --force             replace the file of -o if there is one
",
    "{json}\n{daemon}\n",
    "
examples:
  swarmlet edit --tracker http://tracker.example/announce holiday.torrent
  swarmlet edit --instead-of http://old.example/announce -t http://new.example/announce holiday
  swarmlet edit --comment '' -o clean.torrent holiday.torrent
"
);

pub const COMMAND: Command = Command {
    name: "edit",
    summary: "change the trackers or the comment of a torrent, also of a running one",
    usage: USAGE,
    runs_node: false,
    run,
};

/// What is to be changed.
pub struct Wishes {
    trackers: Option<Vec<Vec<String>>>,
    instead_of: Option<String>,
    comment: Option<String>,
}

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("FILE or ID")?;
    let trackers = match arguments.texts("tracker")?.as_slice() {
        [] => None,
        [none] if none.is_empty() => Some(Vec::new()),
        [..] => Some(making::trackers(arguments, screen)?),
    };
    let instead_of = arguments.text("instead-of")?;
    let comment = arguments.text("comment")?;
    if trackers.is_none() && (comment.is_none() || instead_of.is_some()) {
        return Err(arguments.wrong("nothing to change: give --tracker or --comment"));
    }
    let wishes = Wishes { trackers, instead_of, comment };
    let is_of_file = wishes.comment.is_some() || arguments.has("output");
    if is_of_file || path.exists() || files::is_torrent_name(&path) {
        return edit_file(&path, wishes, arguments, screen);
    }
    edit_running(&wishes, arguments, screen)
}

fn edit_file(
    path: &Path,
    wishes: Wishes,
    arguments: &Arguments,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let (bytes, before) = files::read_torrent(path)?;
    let trackers = wishes.tiers(&before.trackers)?;
    let edited = draft::edit(&bytes, &Edit { trackers, comment: wishes.comment });
    let edited = edited.map_err(|malformed| {
        Failure::new(format!("cannot edit {}: {malformed}", files::shown(path)), "")
    })?;
    let after = Metainfo::parse(&edited).expect("what was written anew can be read");
    assert_eq!(before.info_hash, after.info_hash, "editing changed the torrent itself");
    let replace = arguments.has("force") || !arguments.has("output");
    let target = arguments.path("output").unwrap_or(path.to_path_buf());
    files::write_torrent(&target, &edited, replace)?;
    if arguments.has("json") {
        let (wrote, info_hash) = (target.display().to_string(), after.info_hash.to_string());
        return info::show_json(screen, &json!({ "wrote": wrote, "info_hash": info_hash }));
    }
    screen.line(&format!("wrote {}, info-hash {} as before", target.display(), after.info_hash));
    Ok(())
}

impl Wishes {
    /// The trackers afterwards; `None`: as before.
    ///
    /// Failure: the one that is to go is not there.
    pub fn tiers(&self, before: &[Vec<String>]) -> Result<Option<Vec<Vec<String>>>, Failure> {
        let (Some(new), Some(old)) = (&self.trackers, &self.instead_of) else {
            return Ok(self.trackers.clone());
        };
        if !before.iter().flatten().any(|url| url == old) {
            let there: Vec<&str> = before.iter().flatten().map(String::as_str).collect();
            let hint = match there.is_empty() {
                true => "it has no trackers".to_owned(),
                false => format!("its trackers are {}", there.join(" ")),
            };
            return Err(Failure::new(format!("'{old}' is none of its trackers"), hint));
        }
        // One that stood there already stays where it stood first.
        let mut seen = Set::new();
        let mut tiers: Vec<Vec<String>> = Vec::new();
        for tier in before {
            let urls = tier.iter().flat_map(|url| match url == old {
                true => new.iter().flatten().collect(),
                false => vec![url],
            });
            tiers.push(urls.filter(|url| seen.insert(*url)).cloned().collect());
        }
        tiers.retain(|tier| !tier.is_empty());
        Ok(Some(tiers))
    }
}
