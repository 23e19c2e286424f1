//! Session: what concerns all torrents, as remote controls see it.
//!
//! Every key that they know is here, for some of them refuse to speak to a server that lacks one.
//! A key is *fixed* (we say how it is) or a *wish*: it is remembered, and obeyed as far as this
//! program can. Which wishes are obeyed stands in the table.
//!
//! # Why
//! A program's name begins with the version whose words we speak, because that is where remote
//! controls look for it; the one that wants less than 2.40 of it has not been written.

use serde_json::{Map, Value, json};

use super::Answer;
use super::book;
use crate::engine::queue::Limits;
use crate::format::json;
use crate::torrent::goal::Goal;

/// What a wish may be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool(bool),
    /// At least, at most, and unless somebody says otherwise.
    Int(i64, i64, i64),
    Real(f64),
    Text(&'static str),
    /// The first is usual.
    Word(&'static [&'static str]),
}

const NUMBER: i64 = u32::MAX as i64;

/// Wishes. Obeyed are: `download-dir`, `start-added-torrents`, `peer-limit-per-torrent` (all three
/// for torrents added from then on), the limits of rates and the hours of `alt-speed`, those of
/// the queue, goals, `peer-limit-global` and `pex-enabled`. The others are remembered.
const WISHES: &[(&str, Kind)] = &[
    ("alt-speed-down", Kind::Int(0, NUMBER, 50)),
    ("alt-speed-enabled", Kind::Bool(false)),
    ("alt-speed-time-begin", Kind::Int(0, 1439, 540)),
    ("alt-speed-time-day", Kind::Int(0, 127, 127)),
    ("alt-speed-time-enabled", Kind::Bool(false)),
    ("alt-speed-time-end", Kind::Int(0, 1439, 1020)),
    ("alt-speed-up", Kind::Int(0, NUMBER, 50)),
    ("download-queue-enabled", Kind::Bool(false)),
    ("download-queue-size", Kind::Int(0, NUMBER, 5)),
    ("encryption", Kind::Word(&["tolerated", "preferred", "required"])),
    ("idle-seeding-limit", Kind::Int(0, NUMBER, 30)),
    ("idle-seeding-limit-enabled", Kind::Bool(false)),
    ("peer-limit-global", Kind::Int(1, NUMBER, 200)),
    ("peer-limit-per-torrent", Kind::Int(1, NUMBER, 60)),
    ("pex-enabled", Kind::Bool(true)),
    ("queue-stalled-enabled", Kind::Bool(true)),
    ("queue-stalled-minutes", Kind::Int(0, NUMBER, 30)),
    ("seed-queue-enabled", Kind::Bool(false)),
    ("seed-queue-size", Kind::Int(0, NUMBER, 10)),
    ("seedRatioLimit", Kind::Real(2.0)),
    ("seedRatioLimited", Kind::Bool(false)),
    ("speed-limit-down", Kind::Int(0, NUMBER, 100)),
    ("speed-limit-down-enabled", Kind::Bool(false)),
    ("speed-limit-up", Kind::Int(0, NUMBER, 100)),
    ("speed-limit-up-enabled", Kind::Bool(false)),
    ("start-added-torrents", Kind::Bool(true)),
    ("trash-original-torrent-files", Kind::Bool(false)),
    ("default-trackers", Kind::Text("")),
];

/// Keys that run programs or write where nobody looks: not by remote control.
const FORBIDDEN: &[&str] = &[
    "script-torrent-added-enabled",
    "script-torrent-added-filename",
    "script-torrent-done-enabled",
    "script-torrent-done-filename",
    "script-torrent-done-seeding-enabled",
    "script-torrent-done-seeding-filename",
    "incomplete-dir",
    "incomplete-dir-enabled",
];

/// What is as it is: functions that we lack are switched off.
fn fixed() -> Value {
    json::object([
        ("blocklist-enabled", Value::from(false)),
        ("blocklist-size", Value::from(0)),
        ("blocklist-url", Value::from("")),
        ("cache-size-mb", Value::from(0)),
        ("incomplete-dir-enabled", Value::from(false)),
        ("peer-port-random-on-start", Value::from(false)),
        ("port-forwarding-enabled", Value::from(false)),
        ("rename-partial-files", Value::from(false)),
        ("rpc-version", Value::from(17)),
        ("rpc-version-minimum", Value::from(14)),
        ("rpc-version-semver", Value::from("5.3.0")),
        ("script-torrent-added-enabled", Value::from(false)),
        ("script-torrent-added-filename", Value::from("")),
        ("script-torrent-done-enabled", Value::from(false)),
        ("script-torrent-done-filename", Value::from("")),
        ("script-torrent-done-seeding-enabled", Value::from(false)),
        ("script-torrent-done-seeding-filename", Value::from("")),
        ("tcp-enabled", Value::from(true)),
        ("utp-enabled", Value::from(false)),
        ("version", Value::from(concat!("4.0.6 (swarmlet ", env!("CARGO_PKG_VERSION"), ")"))),
        (
            "units",
            json!({
                "speed-units": ["kB/s", "MB/s", "GB/s", "TB/s", "PB/s"], "speed-bytes": 1000,
                "size-units": ["kB", "MB", "GB", "TB", "PB"], "size-bytes": 1000,
                "memory-units": ["KiB", "MiB", "GiB", "TiB", "PiB"], "memory-bytes": 1024,
            }),
        ),
    ])
}

/// All keys but those that only the caller knows (directories, ports, free space, DHT).
pub fn describe(session: &book::Session) -> Map<String, Value> {
    let mut all = match fixed() {
        Value::Object(map) => map,
        other => unreachable!("written as an object: {other}"),
    };
    for (key, kind) in WISHES {
        all.insert((*key).to_owned(), wish(session, key, *kind));
    }
    all
}

/// A wish that is a number; as it stands in the table unless a person set it.
pub fn number(session: &book::Session, key: &str) -> i64 {
    named(session, key).and_then(|value| value.as_i64()).unwrap_or(0)
}

/// A wish that is yes or no.
pub fn is_set(session: &book::Session, key: &str) -> bool {
    named(session, key).and_then(|value| value.as_bool()).unwrap_or(false)
}

/// A wish that is a number with a fraction.
pub fn real(session: &book::Session, key: &str) -> f64 {
    named(session, key).and_then(|value| value.as_f64()).unwrap_or(0.0)
}

/// What a command line says, in the words of remote controls.
pub fn words_for(queue: &Limits, goal: &Goal, no_pex: bool) -> Map<String, Value> {
    let mut words = Map::new();
    let mut say = |switch: &str, key: &str, value: Option<Value>| {
        if let Some(value) = value {
            words.insert(switch.to_owned(), json!(true));
            words.insert(key.to_owned(), value);
        }
    };
    say("download-queue-enabled", "download-queue-size", queue.download.map(Value::from));
    say("seed-queue-enabled", "seed-queue-size", queue.seed.map(Value::from));
    // Exact for all ratios that anybody means.
    let ratio = goal.ratio.map(|thousandths| json!(thousandths as f64 / 1000.0));
    say("seedRatioLimited", "seedRatioLimit", ratio);
    let minutes = goal.idle.map(|idle| json!(idle.as_secs() / 60));
    say("idle-seeding-limit-enabled", "idle-seeding-limit", minutes);
    if no_pex {
        words.insert("pex-enabled".to_owned(), json!(false));
    }
    words
}

/// Switches the second set of rates on or off, as a person could.
pub fn switch_turtle(session: &mut book::Session, is_on: bool) {
    session.wishes.insert("alt-speed-enabled".to_owned(), json!(is_on));
}

/// Takes the wishes of a request in. Returns whether one of them is new.
///
/// Error: a value that cannot be, or a key that is not for remote controls; nothing is changed.
pub fn set(session: &mut book::Session, arguments: &Map<String, Value>) -> Answer<bool> {
    let mut wishes = session.wishes.clone();
    for (key, value) in arguments {
        if FORBIDDEN.contains(&key.as_str()) {
            return Err(format!("{key} cannot be set by remote control"));
        }
        let Some((_, kind)) = WISHES.iter().find(|(known, _)| known == key) else { continue };
        let value = check(*kind, value).ok_or_else(|| format!("{key}: not a possible value"))?;
        wishes.insert(key.clone(), value);
    }
    let is_new = wishes != session.wishes;
    session.wishes = wishes;
    Ok(is_new)
}

fn named(session: &book::Session, key: &str) -> Option<Value> {
    let (_, kind) = WISHES.iter().find(|(known, _)| *known == key)?;
    Some(wish(session, key, *kind))
}

/// What a person set, if it can be; a file may say anything.
fn wish(session: &book::Session, key: &str, kind: Kind) -> Value {
    let said = |map: &Map<String, Value>| map.get(key).and_then(|value| check(kind, value));
    said(&session.wishes).or_else(|| said(&session.usual)).unwrap_or_else(|| match kind {
        Kind::Bool(usual) => json!(usual),
        Kind::Int(_, _, usual) => json!(usual),
        Kind::Real(usual) => json!(usual),
        Kind::Text(usual) => json!(usual),
        Kind::Word(words) => json!(words[0]),
    })
}

/// The value, in the type that it is to have; remote controls mix 1 and true.
fn check(kind: Kind, value: &Value) -> Option<Value> {
    match kind {
        Kind::Bool(_) => as_bool(value).map(Value::from),
        Kind::Int(least, most, _) => {
            as_int(value).filter(|int| (least..=most).contains(int)).map(Value::from)
        }
        Kind::Real(_) => value.as_f64().filter(|real| *real >= 0.0).map(Value::from),
        Kind::Text(_) => value.as_str().filter(|text| text.len() <= 4096).map(Value::from),
        Kind::Word(words) => value.as_str().filter(|word| words.contains(word)).map(Value::from),
    }
}

/// A yes or no, however it is said.
pub fn as_bool(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_i64().map(|int| int != 0))
}

/// A whole number, however it is said.
pub fn as_int(value: &Value) -> Option<i64> {
    if let Some(is_set) = value.as_bool() {
        return Some(i64::from(is_set));
    }
    // A real that is whole: 3.0, of those who have no other numbers.
    let whole = |real: f64| (real.fract() == 0.0 && real.abs() < 1e15).then_some(real as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}
