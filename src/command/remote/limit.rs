//! `swarmlet limit`: how fast a daemon may be, in all and per torrent.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Known, Remote};
use crate::command::events::Line;
use crate::command::{Arguments, Command, Failure, Screen, info, making};
use crate::format::json::{Fields, Record};

const USAGE: &str = concat!(
    "\
show or set how fast a daemon may be

usage: swarmlet limit [options] [ID...]

Without an ID it is about all torrents together, with one about that torrent. Without --up or --down
it shows what is set. The daemon remembers limits over a restart. It counts in kB, thousands of
bytes, so a rate is rounded down to those. Into a pipe or a file it prints one line for each:
limit id= name= down= up=   (bytes per second, or off; id=all for all together)

",
    "{ids}\n",
    "
options:
      --up RATE           send at most so many bytes per second: 500K, 2M, or off
      --down RATE         receive at most so many
",
    "{json}\n{daemon}\n",
    "\nexamples:\n  swarmlet limit --up 500K\n  swarmlet limit holiday --down off\n"
);

pub const COMMAND: Command = Command {
    name: "limit",
    summary: "show or set how fast a daemon may be",
    usage: USAGE,
    runs_node: false,
    run,
};

/// Limits of one torrent or of all, in thousands of bytes per second.
#[derive(Clone, Debug)]
struct Torrent {
    id: u64,
    name: String,
    down: u64,
    has_down: bool,
    up: u64,
    has_up: bool,
}

impl Record for Torrent {
    fn read(fields: &mut Fields<'_>) -> Torrent {
        Torrent {
            id: fields.get("id"),
            name: fields.clean("name"),
            down: fields.get("downloadLimit"),
            has_down: fields.get("downloadLimited"),
            up: fields.get("uploadLimit"),
            has_up: fields.get("uploadLimited"),
        }
    }
}

#[derive(Clone, Debug)]
struct Session {
    speed_limit_down: u64,
    speed_limit_down_enabled: bool,
    speed_limit_up: u64,
    speed_limit_up_enabled: bool,
}

impl Record for Session {
    fn read(fields: &mut Fields<'_>) -> Session {
        Session {
            speed_limit_down: fields.get("speed-limit-down"),
            speed_limit_down_enabled: fields.get("speed-limit-down-enabled"),
            speed_limit_up: fields.get("speed-limit-up"),
            speed_limit_up_enabled: fields.get("speed-limit-up-enabled"),
        }
    }
}

/// What is shown of either: bytes per second, or none.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    /// `None`: all together.
    id: Option<u64>,
    name: Option<String>,
    down: Option<u64>,
    up: Option<u64>,
}

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let (up, down) = (rate(arguments, "up")?, rate(arguments, "down")?);
    let words = arguments.words()?;
    let mut remote = Remote::of(arguments)?;
    let which = match words.is_empty() {
        true => None,
        false => Some(remote.choose(&words)?),
    };
    set(&mut remote, which.as_deref(), up, down)?;
    let shown = match &which {
        None => vec![Shown::of_all(&remote.call("session-get", &json!({}))?)],
        Some(which) => remote.each(which)?.into_iter().map(Shown::of).collect(),
    };
    if arguments.has("json") {
        return info::show_json(screen, &json!({ "limits": shown }));
    }
    for limits in &shown {
        let line = if screen.is_terminal() { limits.spoken() } else { limits.plain() };
        screen.line(&line);
    }
    Ok(())
}

/// Thousands of bytes per second that an option asks for; `Some(None)` is none.
fn rate(arguments: &Arguments, option: &str) -> Result<Option<Option<u32>>, Failure> {
    let Some(word) = arguments.text(option)? else { return Ok(None) };
    if word == "off" {
        return Ok(Some(None));
    }
    let bytes = making::parse_size(&word);
    // The protocol counts in thousands: less than one would mean none at all.
    let thousands = bytes.filter(|bytes| *bytes >= 1000).map(|bytes| bytes / 1000);
    let thousands = thousands.and_then(|thousands| u32::try_from(thousands).ok());
    thousands.map(|thousands| Some(Some(thousands))).ok_or_else(|| {
        arguments.wrong(format!("--{option} {word}: not a rate such as 500K or 2M, nor off"))
    })
}

fn set(
    remote: &mut Remote,
    which: Option<&[Known]>,
    up: Option<Option<u32>>,
    down: Option<Option<u32>>,
) -> Result<(), Failure> {
    let names = match which {
        None => [
            ("speed-limit-up", "speed-limit-up-enabled", up),
            ("speed-limit-down", "speed-limit-down-enabled", down),
        ],
        Some(_) => {
            [("uploadLimit", "uploadLimited", up), ("downloadLimit", "downloadLimited", down)]
        }
    };
    let mut wishes = json!({});
    for (rate, is_on, wish) in names {
        match wish {
            None => {}
            Some(None) => wishes[is_on] = json!(false),
            Some(Some(thousands)) => {
                wishes[is_on] = json!(true);
                wishes[rate] = json!(thousands);
            }
        }
    }
    match (wishes.as_object().is_some_and(|wishes| wishes.is_empty()), which) {
        (true, _) => Ok(()),
        (false, None) => remote.ask("session-set", &wishes).map(|_| ()),
        (false, Some(which)) => remote.act("torrent-set", which, Value::take(&mut wishes)),
    }
}

impl Shown {
    fn of(torrent: Torrent) -> Shown {
        Shown {
            id: Some(torrent.id),
            name: Some(torrent.name),
            down: torrent.has_down.then(|| torrent.down.saturating_mul(1000)),
            up: torrent.has_up.then(|| torrent.up.saturating_mul(1000)),
        }
    }

    fn of_all(session: &Session) -> Shown {
        let bytes = |is_on: bool, thousands: u64| is_on.then(|| thousands.saturating_mul(1000));
        Shown {
            id: None,
            name: None,
            down: bytes(session.speed_limit_down_enabled, session.speed_limit_down),
            up: bytes(session.speed_limit_up_enabled, session.speed_limit_up),
        }
    }

    fn spoken(&self) -> String {
        let words = |rate: Option<u64>| match rate {
            None => "no limit".to_owned(),
            Some(rate) => format!("{} kB/s", rate / 1000),
        };
        let who = match (&self.id, &self.name) {
            (Some(id), Some(name)) => format!("{id}: {name}"),
            _ => "all together".to_owned(),
        };
        format!("{who}: down {}, up {}", words(self.down), words(self.up))
    }

    fn plain(&self) -> String {
        let word = |rate: Option<u64>| rate.map_or("off".to_owned(), |rate| rate.to_string());
        Line::new("limit")
            .with("id", self.id.map_or("all".to_owned(), |id| id.to_string()))
            .with("name", self.name.as_deref().unwrap_or_default())
            .with("down", word(self.down))
            .with("up", word(self.up))
            .into_string()
    }
}
