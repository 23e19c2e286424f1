//! The options of `get`, `share` and `peer` about the DHT.
//!
//! It is off unless somebody says otherwise: a node of the DHT speaks with strangers all day, and
//! nobody who fetches one file from a tracker asked for that. And no address of a node is built
//! in: whom to ask first is the person's choice, or that of the peers who tell us.

use std::path::Path;

use super::{Arguments, Failure, left_out};
use crate::world::dht::DhtOptions;

/// What `--dht`, `--dht-node`, `--dht-read-only` and `--no-dht` say. `state`: the directory for
/// what is remembered between two runs.
pub fn options(arguments: &Arguments, state: &Path) -> Result<Option<DhtOptions>, Failure> {
    let nodes = arguments.peers("dht-node")?;
    let read_only = arguments.has("dht-read-only");
    let is_on = arguments.has("dht") || read_only || !nodes.is_empty();
    if is_on && !cfg!(feature = "dht") {
        return Err(left_out("the DHT", "dht"));
    }
    let options = DhtOptions { nodes, record: Some(state.join("dht")), read_only };
    Ok((is_on && !arguments.has("no-dht")).then_some(options))
}
