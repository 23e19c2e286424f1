//! DHT: how the node of a daemon is doing.

use serde::Deserialize;
use serde_json::json;

use super::{Remote, cleaned};
use crate::command::events::Line;
use crate::command::{Arguments, Failure, Screen};

/// A daemon's node, as remote control tells of it; nodes of IPv4, then of IPv6.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Live {
    #[serde(deserialize_with = "cleaned")]
    id: String,
    joined: bool,
    nodes: [u64; 2],
    good: [u64; 2],
    asked: u64,
    heard: u64,
    served: u64,
    #[serde(rename = "storedPeers")]
    peers: u64,
}

/// What a daemon says of itself, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    dht: Option<Live>,
}

/// Shows how the node of a running daemon is doing: `swarmlet dht --rpc`.
pub fn ask_daemon(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let mut remote = Remote::of(arguments)?;
    let stats: Stats = remote.call("session-stats", &json!({}))?;
    let Some(live) = stats.dht else {
        let message = format!("the daemon at {} keeps out of the DHT", remote.name());
        return Err(Failure::new(message, "start it with --dht"));
    };
    let line = Line::new("dht").with("id", &live.id).with("joined", live.joined);
    let line = line.with("nodes", live.nodes[0]).with("good", live.good[0]);
    let line = line.with("nodes6", live.nodes[1]).with("good6", live.good[1]);
    let line = line.with("asked", live.asked).with("heard", live.heard);
    let line = line.with("served", live.served).with("peers", live.peers);
    screen.line(&line.into_string());
    Ok(())
}
