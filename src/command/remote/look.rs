//! `swarmlet files` and `swarmlet peers`: what a torrent consists of, and who is connected.

use serde::Serialize;
use serde_json::json;

use super::table::{Table, amount, share};
use super::{Known, Remote};
use crate::command::events::Line;
use crate::command::{Arguments, Command, Failure, Screen, info};
use crate::format::json::{Fields, Record};

const FILES: &str = concat!(
    "\
show the files of a torrent of a daemon

usage: swarmlet files [options] ID

Shows every file with its number ('swarmlet select' takes them), how much of it is here, and whether
it is wanted. Into a pipe or a file it prints one line for each:
file number= path= bytes= have= wanted= priority=

",
    "{ids}\n",
    "\noptions:\n",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet files holiday\n"
);

const PEERS: &str = concat!(
    "\
show who is connected to a torrent of a daemon

usage: swarmlet peers [options] ID

Shows every peer: its program, how much it has, how fast it gives and takes, what it gave and took
since it is connected. The flags: D they give to us, d they would but choke us; U they take from us,
u they would but we choke them; O we serve them by lot; I they called us; K they would give, we want
nothing; ? we would give, they want nothing. Into a pipe or a file it prints one line for each:
peer addr= client= flags= percent= down= up= downloaded= uploaded= piece= why_up= why_down=

",
    "{ids}\n",
    "\noptions:\n  \
       --why                   say of each why it is served or not, and asked or not\n",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet peers holiday --why\n"
);

pub const FILES_COMMAND: Command = Command {
    name: "files",
    summary: "show the files of a torrent of a daemon",
    usage: FILES,
    runs_node: false,
    run: files,
};

pub const PEERS_COMMAND: Command = Command {
    name: "peers",
    summary: "show who is connected to a torrent of a daemon",
    usage: PEERS,
    runs_node: false,
    run: peers,
};

/// The files of one torrent, in two lists, as the protocol has them.
#[derive(Clone, Debug)]
struct Contents {
    files: Vec<Content>,
    file_stats: Vec<Wish>,
}

impl Record for Contents {
    fn read(fields: &mut Fields<'_>) -> Contents {
        Contents { files: fields.get("files"), file_stats: fields.get("fileStats") }
    }
}

#[derive(Clone, Debug)]
struct Content {
    name: String,
    length: u64,
    bytes_completed: u64,
}

impl Record for Content {
    fn read(fields: &mut Fields<'_>) -> Content {
        Content {
            name: fields.clean("name"),
            length: fields.get("length"),
            bytes_completed: fields.get("bytesCompleted"),
        }
    }
}

#[derive(Clone, Debug)]
struct Wish {
    wanted: bool,
    priority: i8,
}

impl Record for Wish {
    fn read(fields: &mut Fields<'_>) -> Wish {
        Wish { wanted: fields.get("wanted"), priority: fields.get("priority") }
    }
}

/// Both together.
#[derive(Clone, Debug, Serialize)]
struct FileShown {
    number: usize,
    path: String,
    bytes: u64,
    have: u64,
    wanted: bool,
    /// `low`, `normal` or `high`.
    priority: &'static str,
}

/// Who is connected to one torrent.
#[derive(Clone, Debug)]
struct Company {
    peers: Vec<Peer>,
}

impl Record for Company {
    fn read(fields: &mut Fields<'_>) -> Company {
        Company { peers: fields.get("peers") }
    }
}

/// A peer. What only daemons of ours tell is zero or empty for others.
#[derive(Clone, Debug, Serialize)]
pub struct Peer {
    pub address: String,
    pub port: u16,
    pub client: String,
    pub flags: String,
    /// 1 is all.
    pub progress: f64,
    pub rate_down: u64,
    pub rate_up: u64,
    pub downloaded: u64,
    pub uploaded: u64,
    /// The bytes of its `bitfield`, in base64.
    pub pieces: String,
    /// What it is asked for; -1 for nothing.
    pub piece: Option<i64>,
    /// Why it is served or not, and why it is asked or not.
    pub reasons: Vec<String>,
}

impl Record for Peer {
    fn read(fields: &mut Fields<'_>) -> Peer {
        Peer {
            address: fields.clean("address"),
            port: fields.get("port"),
            client: fields.clean("clientName"),
            flags: fields.clean("flagStr"),
            progress: fields.get("progress"),
            rate_down: fields.get("rateToClient"),
            rate_up: fields.get("rateToPeer"),
            downloaded: fields.get("downloaded"),
            uploaded: fields.get("uploaded"),
            pieces: fields.get("pieces"),
            piece: fields.get("piece"),
            reasons: fields.get("reasons"),
        }
    }
}

fn files(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let mut remote = Remote::of(arguments)?;
    let known = remote.only(arguments)?;
    let contents: Contents = remote.one(&known)?;
    let shown = both(&contents);
    if arguments.has("json") {
        return info::show_json(screen, &with_files(&known, &shown));
    }
    if !screen.is_terminal() {
        shown.iter().for_each(|file| screen.line(&file.plain()));
        return Ok(());
    }
    let mut table = Table::new(&["NO", "DONE", "SIZE", "<WANTED", "<NAME"]);
    for file in &shown {
        let wanted = if file.wanted { file.priority } else { "no" };
        table.row(vec![
            file.number.to_string(),
            share(file.have, file.bytes),
            amount(file.bytes),
            wanted.to_owned(),
            file.path.clone(),
        ]);
    }
    let lines = table.lines(screen.width().saturating_sub(1));
    lines.iter().for_each(|line| screen.line(line));
    Ok(())
}

fn with_files(known: &Known, files: &[FileShown]) -> serde_json::Value {
    json!({ "id": known.id, "name": known.name, "info_hash": known.info_hash, "files": files })
}

fn both(contents: &Contents) -> Vec<FileShown> {
    // A daemon that says nothing of wishes wants all.
    let usual = Wish { wanted: true, priority: 0 };
    let wishes = contents.file_stats.iter().chain(std::iter::repeat(&usual));
    let pairs = contents.files.iter().zip(wishes).enumerate();
    let shown = pairs.map(|(number, (file, wish))| FileShown {
        number,
        path: file.name.clone(),
        bytes: file.length,
        have: file.bytes_completed,
        wanted: wish.wanted,
        priority: match wish.priority {
            ..0 => "low",
            0 => "normal",
            1.. => "high",
        },
    });
    shown.collect()
}

impl FileShown {
    fn plain(&self) -> String {
        Line::new("file")
            .with("number", self.number)
            .with("path", &self.path)
            .with("bytes", self.bytes)
            .with("have", self.have)
            .with("wanted", self.wanted)
            .with("priority", self.priority)
            .into_string()
    }
}

fn peers(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let mut remote = Remote::of(arguments)?;
    let known = remote.only(arguments)?;
    let Company { peers } = remote.one(&known)?;
    if arguments.has("json") {
        let Known { id, name, info_hash } = &known;
        let shown = json!({ "id": id, "name": name, "info_hash": info_hash, "peers": peers });
        return info::show_json(screen, &shown);
    }
    if !screen.is_terminal() {
        peers.iter().for_each(|peer| screen.line(&peer.plain()));
        return Ok(());
    }
    if peers.is_empty() {
        screen.line(&format!("{}: nobody is connected", known.name));
        return Ok(());
    }
    let heads = ["<ADDRESS", "<FLAGS", "HAS", "DOWN/s", "UP/s", "GAVE", "TOOK", "<CLIENT"];
    let mut table = Table::new(&heads);
    for peer in &peers {
        table.row(vec![
            peer.addr(),
            peer.flags.clone(),
            peer.percent(),
            amount(peer.rate_down),
            amount(peer.rate_up),
            amount(peer.downloaded),
            amount(peer.uploaded),
            peer.client.clone(),
        ]);
    }
    let lines = table.lines(screen.width().saturating_sub(1));
    for (at, line) in lines.iter().enumerate() {
        screen.line(line);
        if arguments.has("why") && at > 0 {
            peers[at - 1].reasons.iter().for_each(|why| screen.line(&format!("    {why}")));
        }
    }
    Ok(())
}

impl Peer {
    /// HOST:PORT.
    pub fn addr(&self) -> String {
        match self.address.contains(':') {
            true => format!("[{}]:{}", self.address, self.port),
            false => format!("{}:{}", self.address, self.port),
        }
    }

    /// How much it has; 100 only if it is all.
    fn percent(&self) -> String {
        let tenths = (self.progress.clamp(0.0, 1.0) * 1000.0).floor();
        if tenths >= 1000.0 {
            "100%".to_owned()
        } else {
            format!("{:.0}%", (tenths / 10.0).floor())
        }
    }

    fn plain(&self) -> String {
        let reason = |at: usize| self.reasons.get(at).map_or("", String::as_str);
        let piece = self.piece.filter(|piece| *piece >= 0);
        Line::new("peer")
            .with("addr", self.addr())
            .with("client", &self.client)
            .with("flags", &self.flags)
            .with("percent", self.percent().trim_end_matches('%'))
            .with("down", self.rate_down)
            .with("up", self.rate_up)
            .with("downloaded", self.downloaded)
            .with("uploaded", self.uploaded)
            .with("piece", piece.map_or("-".to_owned(), |piece| piece.to_string()))
            .with("why_up", reason(0))
            .with("why_down", reason(1))
            .into_string()
    }
}
