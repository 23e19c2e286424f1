//! `swarmlet probe`: one question to a tracker, and its answer.

use std::net::SocketAddr;

use serde::Serialize;

use super::events::Line;
use super::question::{self, Asked};
use super::swarm::hash_of;
use super::{Arguments, Command, Failure, Screen, info};
use crate::base::{InfoHash, PeerId};
use crate::format::announce::{Announce, Event, Reply, Tally};
use crate::format::query::TrackerUrl;
use crate::world::sys;

const USAGE: &str = "\
ask a tracker once, and show its answer

usage: swarmlet probe [options] URL INFOHASH or TORRENT

Announces as a peer that begins a download, shows whom the tracker names, and takes its leave. With
--scrape it only asks how many there are. URL: http://HOST:PORT/announce or udp://HOST:PORT. Into a
pipe or a file it prints
answer from= millis= seeds= leechers= interval= min_interval= peers=
peer addr=
and for a scrape: answer from= millis= seeds= leechers= completed=

options:
  --scrape            ask for numbers, not for peers
  --port PORT         the port to name as ours (6881); nobody listens there
  --json              as one JSON object
  -h, --help          this text

examples:
  swarmlet probe udp://tracker.example:6969 holiday.torrent
  swarmlet probe --scrape http://tracker.example/announce holiday.torrent
";

pub const COMMAND: Command = Command {
    name: "probe",
    summary: "ask a tracker once, over HTTP or UDP, and show its answer",
    usage: USAGE,
    runs_node: false,
    run,
};

/// An answer as `--json` shows it.
#[derive(Serialize)]
struct Shown {
    url: String,
    from: String,
    millis: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leechers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_secs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_interval_secs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// Of an announce.
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Vec<String>>,
}

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let words = arguments.words()?;
    let [url, torrent] = &words[..] else {
        return Err(arguments.wrong("takes a tracker's URL and one INFOHASH or TORRENT"));
    };
    let hash = hash_of(torrent)?;
    let port = arguments.number("port", 1..=65_535)?.unwrap_or(DEFAULT_PORT);
    let url = TrackerUrl::parse(url).map_err(|bad| {
        Failure::usage(
            format!("'{url}' is no tracker's URL: {}", bad.what),
            "it looks like http://tracker.example/announce or udp://tracker.example:6969",
        )
    })?;
    let shown = match arguments.has("scrape") {
        true => scrape(&url, hash)?,
        false => announce(&url, hash, u16::try_from(port).expect("compared a moment ago"))?,
    };
    if arguments.has("json") {
        return info::show_json(screen, &shown);
    }
    match screen.is_terminal() {
        true => tell_person(screen, &shown),
        false => tell_script(screen, &shown),
    }
    Ok(())
}

fn scrape(url: &TrackerUrl, hash: InfoHash) -> Result<Shown, Failure> {
    let Asked { from, took, answer } = question::scrape(url, hash)?;
    let Tally { seeds, leechers, completed } = answer;
    Ok(Shown {
        seeds: Some(seeds.into()),
        leechers: Some(leechers.into()),
        completed: Some(completed.into()),
        ..shown(url, from, took.as_millis())
    })
}

fn announce(url: &TrackerUrl, hash: InfoHash, port: u16) -> Result<Shown, Failure> {
    let mut announce = Announce {
        info_hash: hash,
        peer_id: peer_id()?,
        port,
        uploaded: 0,
        downloaded: 0,
        // Who lacks nothing is given no seeds.
        left: 1,
        event: Event::Started,
        numwant: None,
        key: None,
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        have: None,
    };
    let Asked { from, took, answer } = question::announce(url, &announce)?;
    // Nobody listens there: whoever comes next shall not be sent to us. If that fails, it is
    // forgotten within the hour.
    announce.event = Event::Stopped;
    let _ = question::announce(url, &announce);
    let Reply { interval_secs, min_interval_secs, seeds, leechers, peers, .. } = answer;
    Ok(Shown {
        seeds,
        leechers,
        interval_secs,
        min_interval_secs,
        external_ip: answer.external_ip.map(|ip| ip.to_string()),
        warning: answer.warning,
        peers: Some(peers.iter().map(SocketAddr::to_string).collect()),
        ..shown(url, from, took.as_millis())
    })
}

fn shown(url: &TrackerUrl, from: SocketAddr, millis: u64) -> Shown {
    Shown {
        url: url.to_string(),
        from: from.to_string(),
        millis,
        seeds: None,
        leechers: None,
        completed: None,
        interval_secs: None,
        min_interval_secs: None,
        external_ip: None,
        warning: None,
        peers: None,
    }
}

fn peer_id() -> Result<PeerId, Failure> {
    let mut id = PeerId(*b"-SL0100-            ");
    sys::random_bytes(&mut id.0[8..])
        .map_err(|_| Failure::new("cannot get random numbers", "is /dev mounted?"))?;
    Ok(id)
}

fn tell_person(screen: &mut Screen, shown: &Shown) {
    let Shown { from, millis, seeds, leechers, completed, .. } = shown;
    screen.line(&format!("{from} answers within {millis} ms"));
    let mut parts = Vec::new();
    let counts = [(seeds, "seeds"), (leechers, "getting it"), (completed, "downloads in all")];
    for (count, what) in counts {
        parts.extend(count.map(|count| format!("{count} {what}")));
    }
    if let Some(secs) = shown.interval_secs {
        parts.push(format!("come again in {secs} s"));
    }
    if let Some(ip) = &shown.external_ip {
        parts.push(format!("sees us at {ip}"));
    }
    if !parts.is_empty() {
        screen.line(&format!("  {}", parts.join(", ")));
    }
    if let Some(warning) = &shown.warning {
        screen.warn(&format!("the tracker warns: {warning}"));
    }
    for peer in shown.peers.iter().flatten() {
        screen.line(&format!("  {peer}"));
    }
}

fn tell_script(screen: &mut Screen, shown: &Shown) {
    let mut line = Line::new("answer").with("from", &shown.from).with("millis", shown.millis);
    let numbers = [
        ("seeds", shown.seeds),
        ("leechers", shown.leechers),
        ("completed", shown.completed),
        ("interval", shown.interval_secs),
        ("min_interval", shown.min_interval_secs),
        ("peers", shown.peers.as_ref().map(|peers| peers.len() as u64)),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            line = line.with(key, number);
        }
    }
    screen.line(&line.into_string());
    if let Some(warning) = &shown.warning {
        screen.warn(&format!("the tracker warns: {warning}"));
    }
    for peer in shown.peers.iter().flatten() {
        screen.line(&Line::new("peer").with("addr", peer).into_string());
    }
}

/// Where clients usually listen: some trackers refuse ports below 1024.
const DEFAULT_PORT: u64 = 6881;
