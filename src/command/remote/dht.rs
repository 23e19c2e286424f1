//! DHT: how the node of a daemon is doing.

use serde_json::json;

use super::Remote;
use crate::command::events::Line;
use crate::command::{Arguments, Failure, Screen};
use crate::format::json::{Fields, Record};

/// A daemon's node, as remote control tells of it; nodes of IPv4, then of IPv6.
#[derive(Debug)]
struct Live {
    id: String,
    joined: bool,
    nodes: [u64; 2],
    good: [u64; 2],
    asked: u64,
    heard: u64,
    served: u64,
    peers: u64,
}

impl Record for Live {
    fn read(fields: &mut Fields<'_>) -> Live {
        Live {
            id: fields.clean("id"),
            joined: fields.get("joined"),
            nodes: fields.get("nodes"),
            good: fields.get("good"),
            asked: fields.get("asked"),
            heard: fields.get("heard"),
            served: fields.get("served"),
            peers: fields.get("storedPeers"),
        }
    }
}

/// What a daemon says of itself, as far as it matters here.
#[derive(Debug)]
struct Stats {
    dht: Option<Live>,
}

impl Record for Stats {
    fn read(fields: &mut Fields<'_>) -> Stats {
        Stats { dht: fields.get("dht") }
    }
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
