//! Edit: other trackers for a torrent that a daemon has.

use serde_json::json;

use super::{Remote, tell};
use crate::command::edit::Wishes;
use crate::command::{Arguments, Failure, Screen};
use crate::format::json::{Fields, Record};

/// `swarmlet edit ID`.
pub fn edit_running(
    wishes: &Wishes,
    arguments: &Arguments,
    screen: &mut Screen,
) -> Result<(), Failure> {
    /// A URL in a line, a blank line between tiers.
    struct Torrent {
        trackers: String,
    }

    impl Record for Torrent {
        fn read(fields: &mut Fields<'_>) -> Torrent {
            Torrent { trackers: fields.get("trackerList") }
        }
    }
    let mut remote = Remote::of(arguments)?;
    let known = remote.only(arguments)?;
    let Torrent { trackers } = remote.one(&known)?;
    let before: Vec<Vec<String>> =
        trackers.split("\n\n").map(|tier| tier.lines().map(str::to_owned).collect()).collect();
    let after = wishes.tiers(&before)?.unwrap_or(before);
    let list: Vec<String> = after.iter().map(|tier| tier.join("\n")).collect();
    let known = [known];
    remote.act("torrent-set", &known, json!({ "trackerList": list.join("\n\n") }))?;
    tell(screen, arguments, "edited", &known)
}
