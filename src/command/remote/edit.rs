//! Edit: other trackers for a torrent that a daemon has.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Remote, tell};
use crate::command::edit::Wishes;
use crate::command::{Arguments, Failure, Screen};

/// `swarmlet edit ID`.
pub fn edit_running(
    wishes: &Wishes,
    arguments: &Arguments,
    screen: &mut Screen,
) -> Result<(), Failure> {
    /// A URL in a line, a blank line between tiers.
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default)]
    struct Torrent {
        #[serde(rename(deserialize = "trackerList"))]
        trackers: String,
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
