//! Ladder: a trace laid out for people, a ladder for each connection and each tracker.
//!
//! ```text
//!  127.0.0.1:51413 · holiday · libtorrent 2.0.9 · we called
//!             us                                                         them
//!      0.104  │ handshake ──────────────────────────────────────────────▶ │
//!      0.105  │ ◀───────────────────────────────── bitfield: 64 of 64 pieces │
//!             │ · piece 3: rarest first, 2 of 3 have it                    │
//!      0.107  │ 64 requests: pieces 3 to 6, 1.0 MiB ────────────────────▶ │
//!             ╵ they closed the connection
//! ```
//! What comes in bulk is summed up: a stretch in which there is nothing but requests, blocks and
//! the like becomes one step for each kind and side. A stretch ends with any other word, and after
//! `STRETCH`. `all` leaves every word a step of its own.
//!
//! # Limits
//! `LADDER_STEPS_MAX` steps are held, of those who were chosen only.

use crate::base::Shelf;
use std::net::SocketAddr;

use super::line::{Damaged, Line, Word};
use super::words::{Part, fields, parse_handshake, parse_message, unquote, value};
use crate::base::limits::LADDER_STEPS_MAX;
use crate::base::{Claim, ConnId, InfoHash, Span, Time};
use crate::format::{client, text};
use crate::wire::extended::{self, Extension, Hello, Metadata};
use crate::wire::handshake::{DHT, EXTENSION_PROTOCOL, FAST};
use crate::wire::{Handshake, Message};

/// What to show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Choice {
    /// Only whoever is at this address, `HOST` or `HOST:PORT`, or this connection, `c5.0`.
    pub peer: Option<String>,
    /// Only this torrent: its number, its info-hash or the beginning of it, a part of its name.
    pub torrent: Option<String>,
    /// Sum nothing up.
    pub all: bool,
}

/// A trace as ladders.
#[derive(Debug, Default)]
pub struct Ladder {
    choice: Choice,
    talks: Vec<Talk>,
    /// The talk of each connection that is open.
    of_conn: Shelf<ConnId, usize>,
    /// And of each tracker of each torrent: their names in the trace.
    of_tracker: Shelf<(String, String), usize>,
    torrents: Shelf<InfoHash, Known>,
    /// The same by its number in the trace.
    numbered: Shelf<String, InfoHash>,
    /// Calls that nobody took, and how often.
    unreached: Shelf<SocketAddr, u64>,
    steps: usize,
}

/// What a trace says of a torrent.
#[derive(Debug)]
struct Known {
    name: String,
    pieces: u32,
}

/// One ladder.
#[derive(Debug)]
struct Talk {
    who: Who,
    torrent: Option<InfoHash>,
    client: Option<String>,
    /// Their numbers for our extensions, once they said them.
    their_ids: [Option<u8>; 4],
    steps: Vec<Step>,
    /// Where the stretch begins that goes on.
    stretch: usize,
}

/// With whom.
#[derive(Debug)]
enum Who {
    Peer { conn: ConnId, addr: Option<SocketAddr>, we_called: bool },
    Tracker { url: String },
}

/// One rung, or several in one.
#[derive(Debug)]
struct Step {
    at: Time,
    side: Side,
    kind: Kind,
    /// What the first says.
    text: String,
    count: u64,
    bytes: u64,
    /// The lowest and the highest piece.
    pieces: Option<(u32, u32)>,
    /// How often each rule chose.
    rules: Shelf<String, u64>,
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Us,
    Them,
    /// Nobody: a remark.
    Remark,
    /// Nobody: it is over.
    End,
}

/// What comes in bulk, and what does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Request,
    Block,
    Have,
    Cancel,
    Reject,
    KeepAlive,
    /// Why a piece is asked for.
    Pick,
    Single,
}

impl Ladder {
    pub fn new(choice: Choice) -> Ladder {
        Ladder { choice, ..Ladder::default() }
    }

    /// Takes a line in.
    ///
    /// Damaged: it cannot be understood, or there are more steps than are held.
    pub fn add(&mut self, line: &Line<'_>) -> Result<(), Damaged> {
        if self.steps > LADDER_STEPS_MAX {
            return Err(line.damaged("too much to lay out: choose with --peer or --torrent"));
        }
        match line.word {
            Word::Torrent => self.on_torrent(line),
            Word::Accepts | Word::Connected => self.on_opened(line),
            Word::Refused => {
                if let Some(addr) = line.peer {
                    *self.unreached.get_or_insert_with(addr, || 0) += 1;
                }
                Some(())
            }
            Word::Says | Word::Serves => self.on_word(line, Side::Us),
            Word::Hears => self.on_word(line, Side::Them),
            Word::Because => self.on_reason(line),
            Word::Unqueues if line.rest == "all" => {
                self.on_remark(line, "takes back all blocks that wait")
            }
            Word::Unqueues => self.on_remark(line, &format!("takes back {}", line.rest)),
            Word::Closes => self.on_end(line, &format!("we close: {}", line.rest)),
            Word::Lost => self.on_end(line, &ending(line.rest)),
            Word::Moved => self.on_end(line, "sent elsewhere"),
            Word::Unreadable => self.on_end(line, "we close: a block cannot be read"),
            Word::Announces => self.on_announce(line),
            Word::Told => self.on_told(line),
            Word::Begins
            | Word::Adds
            | Word::Seeks
            | Word::Stops
            | Word::Ticks
            | Word::Dials
            | Word::Sent
            | Word::Surveys
            | Word::Prepares
            | Word::Writes
            | Word::Reads
            | Word::Saves
            | Word::Removes
            | Word::Receives => Some(()),
        }
        .ok_or_else(|| line.damaged("this cannot be understood"))
    }

    /// All of it, in lines that are narrower than `width` columns.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let width = width.clamp(WIDTH_MIN, WIDTH_MAX);
        let mut lines = Vec::new();
        for talk in self.talks.iter().filter(|talk| self.is_chosen(talk)) {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(fitted(&self.title(talk), width - 1));
            let room = width - 1 - MARGIN - 4;
            lines.push(format!("{:MARGIN$}us{:>room$}", "", "them"));
            draw(&talk.steps, width, &mut lines);
        }
        if self.choice.torrent.is_none() {
            self.draw_unreached(&mut lines);
        }
        lines
    }

    // ── Lines ───────────────────────────────────────────────────────────────────────────────

    fn on_torrent(&mut self, line: &Line<'_>) -> Option<()> {
        let mut words = line.rest.splitn(4, ' ');
        let (number, hash) = (words.next()?, InfoHash::parse_hex(words.next()?)?);
        let pieces = words.next()?.strip_prefix("pieces=")?.parse().ok()?;
        let name = text::clean(words.next().unwrap_or_default());
        self.numbered.insert(number.to_owned(), hash);
        self.torrents.insert(hash, Known { name, pieces });
        Some(())
    }

    fn on_opened(&mut self, line: &Line<'_>) -> Option<()> {
        let conn = line.conn?;
        let we_called = line.word == Word::Connected;
        let torrent = fields(line.rest).next().and_then(|number| self.numbered.get(number));
        let who = Who::Peer { conn, addr: line.peer, we_called };
        if !self.is_chosen_peer(&who) || torrent.is_some_and(|hash| self.is_unwanted(*hash)) {
            return Some(());
        }
        self.of_conn.insert(conn, self.talks.len());
        self.talks.push(Talk::new(who, torrent.copied()));
        Some(())
    }

    fn on_word(&mut self, line: &Line<'_>, side: Side) -> Option<()> {
        let all = self.choice.all;
        let Some(talk) = Self::talk(&mut self.talks, &self.of_conn, line) else { return Some(()) };
        if let Some(part) = Part::parse(line.rest) {
            return self.on_block(line, side, &part);
        }
        if let Some(handshake) = parse_handshake(line.rest) {
            if self.is_unwanted(handshake.info_hash) {
                // Only now it is known what it is about; what was said so far is not much.
                self.of_conn.remove(&line.conn?);
                return Some(());
            }
            let talk = Self::talk(&mut self.talks, &self.of_conn, line)?;
            talk.torrent = Some(handshake.info_hash);
            let step = Step::new(line.at, side, Kind::Single, talk.greeting(side, &handshake));
            self.steps += talk.push(step, all);
            return Some(());
        }
        let message = parse_message(line.rest)?;
        let known = talk.torrent.and_then(|hash| self.torrents.get(&hash));
        let step = talk.step(line, side, &message, known.map(|known| known.pieces));
        self.steps += talk.push(step, all);
        Some(())
    }

    /// Parts of a block are told once, with the last of them.
    fn on_block(&mut self, line: &Line<'_>, side: Side, part: &Part) -> Option<()> {
        let all = self.choice.all;
        let Some(talk) = Self::talk(&mut self.talks, &self.of_conn, line) else { return Some(()) };
        let mut step = Step::new(line.at, side, Kind::Block, line.rest.to_owned());
        step.count = u64::from(part.is_last());
        step.bytes = part.len.into();
        step.pieces = Some((part.block.piece, part.block.piece));
        self.steps += talk.push(step, all);
        Some(())
    }

    fn on_reason(&mut self, line: &Line<'_>) -> Option<()> {
        let all = self.choice.all;
        let Some(talk) = Self::talk(&mut self.talks, &self.of_conn, line) else { return Some(()) };
        let picked = line.rest.strip_prefix("piece ").and_then(|rest| rest.split_once(": "));
        let kind = if picked.is_some() { Kind::Pick } else { Kind::Single };
        let mut step = Step::new(line.at, Side::Remark, kind, text::clean(line.rest));
        if let Some((piece, why)) = picked {
            let piece = piece.parse().ok()?;
            step.pieces = Some((piece, piece));
            let rule = why.split(',').next().unwrap_or(why);
            step.rules.insert(text::clean(rule), 1);
        }
        self.steps += talk.push(step, all);
        Some(())
    }

    fn on_remark(&mut self, line: &Line<'_>, what: &str) -> Option<()> {
        if let Some(talk) = Self::talk(&mut self.talks, &self.of_conn, line) {
            let step = Step::new(line.at, Side::Remark, Kind::Single, text::clean(what));
            self.steps += talk.push(step, self.choice.all);
        }
        Some(())
    }

    fn on_end(&mut self, line: &Line<'_>, what: &str) -> Option<()> {
        if let Some(talk) = Self::talk(&mut self.talks, &self.of_conn, line) {
            let step = Step::new(line.at, Side::End, Kind::Single, text::clean(what));
            self.steps += talk.push(step, self.choice.all);
        }
        self.of_conn.remove(&line.conn?);
        Some(())
    }

    fn on_announce(&mut self, line: &Line<'_>) -> Option<()> {
        let mut words = fields(line.rest).skip(2);
        let event = words.next()?;
        let left: u64 = value(line.rest, "left")?.parse().ok()?;
        let url = text::clean(unquote(value(line.rest, "url")?)?);
        let wants = value(line.rest, "numwant").map_or(String::new(), |n| format!(", wants {n}"));
        let what = format!("announce: {event}, {} left{wants}", text::size(left));
        self.with_tracker(line, Some(url), Side::Us, what)
    }

    fn on_told(&mut self, line: &Line<'_>) -> Option<()> {
        let rest = line.rest;
        let what = if fields(rest).any(|word| word == "ok") {
            let peers = fields(rest).filter(|word| word.starts_with("peer=")).count();
            let number = |key, noun: &str| {
                let number = value(rest, key).and_then(|number| number.parse().ok());
                number.map_or(String::new(), |number| format!(", {}", counted(number, noun)))
            };
            let again = value(rest, "interval").and_then(|secs| secs.parse().ok());
            let again = again.map_or(String::new(), |secs| {
                format!(", again in {}", text::duration(Span::from_secs(secs)))
            });
            let (seeds, leechers) = (number("seeds", "seed"), number("leechers", "leecher"));
            format!("{}{seeds}{leechers}{again}", counted(peers as u64, "peer"))
        } else {
            let reason = text::clean(unquote(value(rest, "reason")?)?);
            let verb =
                if fields(rest).any(|word| word == "refused") { "refused" } else { "no answer" };
            format!("{verb}: {reason}")
        };
        self.with_tracker(line, None, Side::Them, what)
    }

    fn with_tracker(
        &mut self,
        line: &Line<'_>,
        url: Option<String>,
        side: Side,
        what: String,
    ) -> Option<()> {
        let mut words = fields(line.rest);
        let key = (words.next()?.to_owned(), words.next()?.to_owned());
        let torrent = self.numbered.get(&key.0).copied();
        if self.choice.peer.is_some() || torrent.is_some_and(|hash| self.is_unwanted(hash)) {
            return Some(());
        }
        let at = *self.of_tracker.get_or_insert_with(key, || {
            let url = url.unwrap_or_default();
            self.talks.push(Talk::new(Who::Tracker { url }, torrent));
            self.talks.len() - 1
        });
        let talk = self.talks.get_mut(at)?;
        self.steps += talk.push(Step::new(line.at, side, Kind::Single, what), self.choice.all);
        Some(())
    }

    /// The talk that a line belongs to; `None`: its connection is over.
    fn talk<'l>(
        talks: &'l mut [Talk],
        of_conn: &Shelf<ConnId, usize>,
        line: &Line<'_>,
    ) -> Option<&'l mut Talk> {
        talks.get_mut(*of_conn.get(&line.conn?)?)
    }

    // ── Drawing ─────────────────────────────────────────────────────────────────────────────

    fn is_chosen(&self, talk: &Talk) -> bool {
        let is_torrent = match (&self.choice.torrent, talk.torrent) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(hash)) => self.is_called(hash, wanted),
        };
        is_torrent && self.is_chosen_peer(&talk.who)
    }

    /// Whether a torrent is known, and not chosen. (The name of one may come late, with a link.)
    fn is_unwanted(&self, hash: InfoHash) -> bool {
        let wanted = self.choice.torrent.as_ref().filter(|_| self.torrents.contains_key(&hash));
        wanted.is_some_and(|wanted| !self.is_called(hash, wanted))
    }

    fn is_chosen_peer(&self, who: &Who) -> bool {
        match (&self.choice.peer, who) {
            (None, _) => true,
            (Some(_), Who::Tracker { .. }) => false,
            (Some(wanted), Who::Peer { conn, addr, .. }) => {
                let is_addr = addr.is_some_and(|addr| {
                    addr.to_string() == *wanted || addr.ip().to_string() == *wanted
                });
                is_addr || format!("{conn:?}") == *wanted
            }
        }
    }

    fn is_called(&self, hash: InfoHash, wanted: &str) -> bool {
        let wanted = wanted.to_lowercase();
        let number = |name: &str| self.numbered.get(name) == Some(&hash);
        let is_name = |known: &Known| known.name.to_lowercase().contains(&wanted);
        number(&wanted)
            || number(&format!("t{wanted}"))
            || hash.to_string().starts_with(&wanted)
            || self.torrents.get(&hash).is_some_and(is_name)
    }

    fn title(&self, talk: &Talk) -> String {
        let torrent = talk.torrent.map(|hash| match self.torrents.get(&hash) {
            Some(known) => known.name.clone(),
            None => hash.to_string()[..8].to_owned(),
        });
        let parts = match &talk.who {
            Who::Tracker { url } => vec![Some(format!("tracker {url}")), torrent],
            Who::Peer { conn, addr, we_called } => {
                let addr = addr.map_or("somebody".to_owned(), |addr| addr.to_string());
                let how = if *we_called { "we called" } else { "they called" };
                let (how, conn) = (Some(how.to_owned()), Some(format!("{conn:?}")));
                vec![Some(addr), torrent, talk.client.clone(), how, conn]
            }
        };
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn draw_unreached(&self, lines: &mut Vec<String>) {
        let wanted = |addr: &SocketAddr| match &self.choice.peer {
            None => true,
            Some(wanted) => addr.to_string() == *wanted || addr.ip().to_string() == *wanted,
        };
        let missed: Vec<_> = self.unreached.iter().filter(|(addr, _)| wanted(addr)).collect();
        if !missed.is_empty() {
            lines.extend((!lines.is_empty()).then(String::new));
            lines.push("not reached".to_owned());
        }
        for (addr, count) in missed {
            lines.push(format!("{:MARGIN$}{addr}  {}", "", counted(*count, "call")));
        }
    }
}

impl Talk {
    fn new(who: Who, torrent: Option<InfoHash>) -> Talk {
        let their_ids = [None; 4];
        Talk { who, torrent, client: None, their_ids, steps: Vec::new(), stretch: 0 }
    }

    /// Adds a step, to one that says the same if it goes on with a stretch. Returns how many steps
    /// there are more.
    fn push(&mut self, step: Step, all: bool) -> usize {
        let is_bulk = step.kind != Kind::Single;
        let first = self.steps.get(self.stretch);
        if !is_bulk || first.is_some_and(|first| step.at.since(first.at) >= STRETCH) {
            self.stretch = self.steps.len();
        }
        let same = |other: &&mut Step| (other.side, other.kind) == (step.side, step.kind);
        if is_bulk
            && !all
            && let Some(other) = self.steps[self.stretch..].iter_mut().find(same)
        {
            other.take_in(step);
            return 0;
        }
        self.steps.push(step);
        if !is_bulk {
            self.stretch = self.steps.len();
        }
        1
    }

    /// A handshake in words: which program, and what it speaks.
    fn greeting(&mut self, side: Side, handshake: &Handshake) -> String {
        let bits = [(FAST, "fast"), (EXTENSION_PROTOCOL, "extensions"), (DHT, "dht")];
        let spoken: Vec<&str> =
            bits.into_iter().filter(|(bit, _)| handshake.has(*bit)).map(|(_, name)| name).collect();
        let name = client::name(handshake.peer_id);
        if side == Side::Them {
            self.client = Some(text::clean(&name));
        }
        let spoken = if spoken.is_empty() { "no extension".to_owned() } else { spoken.join(", ") };
        format!("handshake: {}; {spoken}", text::clean(name))
    }

    /// A message in words.
    fn step(
        &mut self,
        line: &Line<'_>,
        side: Side,
        message: &Message,
        pieces: Option<u32>,
    ) -> Step {
        let mut step = Step::new(line.at, side, Kind::Single, line.rest.to_owned());
        match message {
            Message::Request(claim) => step.about(Kind::Request, *claim),
            Message::Cancel(claim) => step.about(Kind::Cancel, *claim),
            Message::Reject(claim) => step.about(Kind::Reject, *claim),
            Message::Have(piece) => {
                step.kind = Kind::Have;
                step.pieces = Some((*piece, *piece));
            }
            Message::KeepAlive => step.kind = Kind::KeepAlive,
            Message::Bitfield(bytes) => {
                let here: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
                let of = pieces.map_or(String::new(), |pieces| format!(" of {pieces}"));
                step.text = format!("bitfield: {here}{of} pieces");
            }
            Message::Extended { id, payload } => step.text = self.extended(side, *id, payload),
            Message::Choke
            | Message::Unchoke
            | Message::Interested
            | Message::NotInterested
            | Message::HaveAll
            | Message::HaveNone
            | Message::Suggest(_)
            | Message::AllowedFast(_)
            | Message::Port(_)
            | Message::Unknown(_) => {}
        }
        step
    }

    /// A message of an extension in words.
    fn extended(&mut self, side: Side, id: u8, payload: &[u8]) -> String {
        if id == extended::HELLO {
            return self.hello(side, payload);
        }
        // Whoever hears it chose the number.
        let extension = Extension::ALL.into_iter().find(|extension| match side {
            Side::Us => self.their_ids[extension.at()] == Some(id),
            Side::Them | Side::Remark | Side::End => extension.our_id() == id,
        });
        let Some(extension) = extension else {
            return format!("extended {id}: {} bytes", payload.len());
        };
        let word = extended::Word::parse(extension.our_id(), payload);
        let what = match word {
            Some(extended::Word::Pex(pex)) => {
                format!(
                    "{} more, {} gone",
                    counted(pex.added.len() as u64, "peer"),
                    pex.dropped.len()
                )
            }
            Some(extended::Word::Metadata(Metadata::Request { piece })) => {
                format!("request {piece}")
            }
            Some(extended::Word::Metadata(Metadata::Data { piece, bytes, .. })) => {
                format!("piece {piece}, {}", text::size(bytes.len() as u64))
            }
            Some(extended::Word::Metadata(Metadata::Reject { piece })) => format!("reject {piece}"),
            Some(extended::Word::UploadOnly(says)) => format!("{says}"),
            Some(extended::Word::DontHave(piece)) => format!("{piece}"),
            Some(extended::Word::Hello(_)) | None => format!("{} bytes", payload.len()),
        };
        format!("{}: {what}", short_name(extension))
    }

    /// The handshake of extensions in words.
    fn hello(&mut self, side: Side, payload: &[u8]) -> String {
        let Some(hello) = Hello::parse(payload) else {
            return "extended: not understood".to_owned();
        };
        if side == Side::Them {
            self.their_ids = hello.ids;
            self.client = hello.client.clone().or(self.client.take());
        }
        let named = Extension::ALL.into_iter().filter(|known| hello.ids[known.at()].is_some());
        let mut words: Vec<String> = named.map(short_name).collect();
        let bytes = hello.metadata_bytes.map(|bytes| text::size(bytes.into()));
        words.extend(bytes.map(|bytes| format!("metadata has {bytes}")));
        match hello.client.filter(|_| side == Side::Them) {
            Some(client) => format!("extended: {}; {client}", words.join(", ")),
            None => format!("extended: {}", words.join(", ")),
        }
    }
}

impl Step {
    fn new(at: Time, side: Side, kind: Kind, text: String) -> Step {
        let rules = Shelf::new();
        Step { at, side, kind, text, count: 1, bytes: 0, pieces: None, rules }
    }

    fn about(&mut self, kind: Kind, claim: Claim) {
        self.kind = kind;
        self.bytes = claim.len.into();
        self.pieces = Some((claim.piece, claim.piece));
    }

    /// Sums up.
    fn take_in(&mut self, other: Step) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.pieces = match (self.pieces, other.pieces) {
            (Some((low, high)), Some((lower, higher))) => Some((low.min(lower), high.max(higher))),
            (ours, theirs) => ours.or(theirs),
        };
        for (rule, count) in other.rules {
            *self.rules.get_or_insert_with(rule, || 0) += count;
        }
    }

    /// What stands on the rung.
    fn label(&self) -> String {
        if self.count == 0 {
            return format!("a part of {}", self.text.split(" part ").next().unwrap_or_default());
        }
        if self.count == 1 {
            return self.text.split(" part ").next().unwrap_or_default().to_owned();
        }
        let pieces = match self.pieces {
            Some((low, high)) if low == high => format!("piece {low}"),
            Some((low, high)) => format!("pieces {low} to {high}"),
            None => String::new(),
        };
        let size = text::size(self.bytes);
        match self.kind {
            Kind::Request => format!("{} requests: {pieces}, {size}", self.count),
            Kind::Block => format!("{} blocks: {pieces}, {size}", self.count),
            Kind::Cancel => format!("{} cancels: {pieces}", self.count),
            Kind::Reject => format!("{} rejects: {pieces}, {size}", self.count),
            Kind::Have => format!("{} haves: {pieces}", self.count),
            Kind::KeepAlive => format!("{} keep-alives", self.count),
            Kind::Pick => {
                let rules: Vec<String> =
                    self.rules.iter().map(|(rule, count)| format!("{count} {rule}")).collect();
                format!("{} pieces chosen: {}", self.count, rules.join(", "))
            }
            Kind::Single => self.text.clone(),
        }
    }
}

/// Draws the rungs.
fn draw(steps: &[Step], width: usize, lines: &mut Vec<String>) {
    let body = width - 1 - MARGIN - 4;
    let mut before: Option<Time> = None;
    for step in steps {
        if let Some(before) = before
            && step.at.since(before) >= SILENCE
        {
            let silence = format!("{} later", text::duration(step.at.since(before)));
            lines.push(format!("{:MARGIN$}┊ {silence:^body$} ┊", ""));
        }
        let millis = step.at.as_millis();
        let time = match before == Some(step.at) {
            true => String::new(),
            false => format!("{}.{:03}", millis / 1000, millis % 1000),
        };
        before = Some(step.at);
        let margin = MARGIN - 2;
        let label = fitted(&step.label(), body - 4);
        let rest = body - label.chars().count();
        lines.push(match step.side {
            Side::Us => format!("{time:>margin$}  │ {label} {}▶ │", "─".repeat(rest - 2)),
            Side::Them => format!("{time:>margin$}  │ ◀{} {label} │", "─".repeat(rest - 2)),
            Side::Remark => {
                format!("{time:>margin$}  │ · {label}{:blank$} │", "", blank = rest - 2)
            }
            Side::End => format!("{time:>margin$}  ╵ {label}{:rest$} ╵", ""),
        });
    }
}

/// As much of a text as fits into so many columns; letters of East Asia are two columns wide.
fn fitted(text: &str, columns: usize) -> String {
    let width = |letter: char| if letter < '\u{1100}' { 1 } else { 2 };
    if text.chars().map(width).sum::<usize>() <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let kept = text.chars().take_while(|letter| {
        used += width(*letter);
        used <= columns
    });
    kept.chain(['…']).collect()
}

fn ending(rest: &str) -> String {
    match rest {
        "by them" => "they closed the connection".to_owned(),
        "broken" => "the connection broke".to_owned(),
        other => format!("we close: {other}"),
    }
}

/// Without the letters of the program that had it first.
fn short_name(extension: Extension) -> String {
    let name = extension.name();
    name.split_once('_').filter(|(who, _)| who.len() == 2).map_or(name, |(_, rest)| rest).to_owned()
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Columns in front of the left rail: the time and two blanks.
const MARGIN: usize = 11;

/// Narrower than this nothing can be read, and wider nothing need be.
const WIDTH_MIN: usize = 50;
const WIDTH_MAX: usize = 160;

/// A stretch of bulk is summed up for at most so long.
const STRETCH: Span = Span::from_secs(10);

/// A silence that is worth a line.
const SILENCE: Span = Span::from_secs(10);
