//! `swarmlet status`: how the torrents of a daemon are doing.

use serde::Serialize;
use serde_json::json;

use super::table::{Table, amount, ratio, share, whole_percent};
use super::{Remote, seconds, unless_negative};
use crate::base::Span;
use crate::base::limits::WATCH_EVERY;
use crate::command::ask::real;
use crate::command::events::Line;
use crate::command::progress::{counted, per_cent};
use crate::command::{Arguments, Command, Failure, Screen, info};
use crate::format::json::{Fields, Record};
use crate::format::text;

const USAGE: &str = concat!(
    "\
how the torrents of a daemon are doing

usage: swarmlet status [options] [ID...]

Shows every torrent of the daemon, or those that are named: how much of it is here, how fast it
comes and goes, what was given for what was got, how many peers are connected, how long it will
take; below, the sums, and the longest time for which the daemon's loop was busy with one turn.
Into a pipe or a file it prints one line for each torrent, and one for all:
torrent id= name= info_hash= state= percent= bytes= left= down= up= ratio= peers= seconds_left=
sums torrents= active= down= up= longest_turn_ms=

",
    "{ids}\n",
    "
options:
  -w, --watch             look again every second, until Ctrl-C
",
    "{json}\n{daemon}\n",
    "
examples:
  swarmlet status
  swarmlet status --watch --rpc nas:9091
"
);

pub const COMMAND: Command = Command {
    name: "status",
    summary: "how the torrents of a daemon are doing: rates, peers, time left",
    usage: USAGE,
    runs_node: false,
    run,
};

/// What a torrent is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Stopped,
    /// It waits for its turn.
    Queued,
    Checking,
    Downloading,
    Seeding,
}

/// A torrent in the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub id: u64,
    pub name: String,
    pub info_hash: String,
    pub state: State,
    /// Why it does not go on; empty if all is well.
    pub trouble: String,
    pub bytes: u64,
    pub left_bytes: u64,
    /// How much of its metadata is here: less than 1 only of a link.
    pub metadata: f64,
    /// How much of it was read, while it is checked: 1 is all.
    pub checked: f64,
    /// Bytes per second.
    pub rate_down: u64,
    pub rate_up: u64,
    pub ratio: Option<f64>,
    pub peers: u64,
    pub seconds_left: Option<u64>,
}

impl Record for Row {
    fn read(fields: &mut Fields<'_>) -> Row {
        Row {
            id: fields.get("id"),
            name: fields.clean("name"),
            info_hash: fields.get("hashString"),
            state: State::from(fields.get::<u8>("status")),
            trouble: fields.clean("errorString"),
            bytes: fields.get("sizeWhenDone"),
            left_bytes: fields.get("leftUntilDone"),
            metadata: fields.get_or("metadataPercentComplete", 1.0),
            checked: fields.get("recheckProgress"),
            rate_down: fields.get("rateDownload"),
            rate_up: fields.get("rateUpload"),
            ratio: unless_negative(fields.get("uploadRatio")),
            peers: fields.get("peersConnected"),
            seconds_left: seconds(fields.get("eta")),
        }
    }
}

/// All torrents together.
#[derive(Clone, Debug, Serialize)]
struct Sums {
    torrents: u64,
    active: u64,
    rate_down: u64,
    rate_up: u64,
    /// Only daemons of ours tell.
    longest_turn_millis: Option<u64>,
}

impl Record for Sums {
    fn read(fields: &mut Fields<'_>) -> Sums {
        Sums {
            torrents: fields.get("torrentCount"),
            active: fields.get("activeTorrentCount"),
            rate_down: fields.get("downloadSpeed"),
            rate_up: fields.get("uploadSpeed"),
            longest_turn_millis: fields.get("longestTurn"),
        }
    }
}

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let words = arguments.words()?;
    let mut remote = Remote::of(arguments)?;
    let is_watched = arguments.has("watch");
    if is_watched && screen.is_terminal() {
        // A page of its own, below what is there.
        screen.text("\x1b[2J");
    }
    loop {
        let rows: Vec<Row> = match &words[..] {
            [] => remote.all()?,
            named => {
                let which = remote.choose(named)?;
                remote.each(&which)?
            }
        };
        let sums: Sums = remote.call("session-stats", &json!({}))?;
        if arguments.has("json") {
            info::show_json(screen, &json!({ "torrents": rows, "sums": sums }))?;
        } else if !screen.is_terminal() {
            rows.iter().for_each(|row| screen.line(&plain(row)));
            screen.line(&plain_sums(&sums));
        } else {
            let lines = spoken(&rows, &sums, screen.width().saturating_sub(1));
            match is_watched {
                true => screen.page(&lines),
                false => lines.iter().for_each(|line| screen.line(line)),
            }
        }
        if !is_watched || screen.is_broken() {
            return Ok(());
        }
        std::thread::sleep(real(WATCH_EVERY));
    }
}

fn spoken(rows: &[Row], sums: &Sums, width: usize) -> Vec<String> {
    let heads = ["ID", "DONE", "SIZE", "DOWN/s", "UP/s", "RATIO", "PEERS", "LEFT", "<NAME"];
    let mut table = Table::new(&heads);
    for row in rows {
        table.row(vec![
            row.id.to_string(),
            row.done(),
            amount(row.bytes),
            amount(row.rate_down),
            amount(row.rate_up),
            ratio(row.ratio),
            row.peers.to_string(),
            row.left(),
            row.name.clone(),
        ]);
    }
    let mut lines = match rows.is_empty() {
        true => vec!["no torrents yet; 'swarmlet add' and 'swarmlet seed' bring some".to_owned()],
        false => table.lines(width),
    };
    for row in rows.iter().filter(|row| !row.trouble.is_empty()) {
        lines.push(format!("{}: {}", row.id, row.trouble));
    }
    let count = usize::try_from(sums.torrents).unwrap_or(usize::MAX);
    let turn = sums.longest_turn_millis.map(|millis| format!("; longest turn {millis} ms"));
    lines.push(format!(
        "{}, {} active; down {}/s, up {}/s{}",
        counted(count, "torrent"),
        sums.active,
        text::size(sums.rate_down),
        text::size(sums.rate_up),
        turn.unwrap_or_default(),
    ));
    lines
}

fn plain(row: &Row) -> String {
    let percent = if row.is_link() { 0 } else { per_cent(row.have_bytes(), row.bytes) };
    let line = Line::new("torrent")
        .with("id", row.id)
        .with("name", &row.name)
        .with("info_hash", &row.info_hash)
        .with("state", row.state.word())
        .with("percent", percent)
        .with("bytes", row.bytes)
        .with("left", row.left_bytes)
        .with("down", row.rate_down)
        .with("up", row.rate_up)
        .with("ratio", ratio(row.ratio))
        .with("peers", row.peers);
    let left = row.seconds_left.map_or("-".to_owned(), |seconds| seconds.to_string());
    let line = line.with("seconds_left", left);
    match row.trouble.is_empty() {
        true => line.into_string(),
        false => line.with("trouble", &row.trouble).into_string(),
    }
}

fn plain_sums(sums: &Sums) -> String {
    let line = Line::new("sums")
        .with("torrents", sums.torrents)
        .with("active", sums.active)
        .with("down", sums.rate_down)
        .with("up", sums.rate_up);
    match sums.longest_turn_millis {
        Some(millis) => line.with("longest_turn_ms", millis).into_string(),
        None => line.into_string(),
    }
}

impl Row {
    fn have_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.left_bytes)
    }

    /// Whether nobody knows yet what is in it; nothing of it is here then, and not all of nothing.
    fn is_link(&self) -> bool {
        self.metadata < 1.0
    }

    fn done(&self) -> String {
        if self.is_link() { "0%".to_owned() } else { share(self.have_bytes(), self.bytes) }
    }

    /// How long it will take, or what it is at if that is not waiting.
    fn left(&self) -> String {
        match (self.state, self.seconds_left) {
            (State::Downloading, _) if self.is_link() => {
                format!("metadata {}", whole_percent(self.metadata))
            }
            (State::Checking, _) => format!("check {}", whole_percent(self.checked)),
            (State::Downloading, Some(seconds)) => text::duration(Span::from_secs(seconds)),
            (State::Downloading, None) => "?".to_owned(),
            (State::Stopped | State::Queued | State::Seeding, _) => self.state.word().to_owned(),
        }
    }
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Queued => "queued",
            State::Checking => "checking",
            State::Downloading => "downloading",
            State::Seeding => "seeding",
        }
    }
}

impl From<u8> for State {
    /// From the number that remote controls are told.
    fn from(status: u8) -> State {
        match status {
            1 | 3 | 5 => State::Queued,
            2 => State::Checking,
            4 => State::Downloading,
            6 => State::Seeding,
            _ => State::Stopped,
        }
    }
}
