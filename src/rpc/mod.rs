//! Floor 6: remote control, in the words that existing remote controls speak.
//!
//! ```text
//!  request ─▶ gate ─▶ JSON ─▶ Call ─▶ Rpc::carry_out ─▶ answer (JSON)
//!              │ 401, 403, 404,        │  ▲                 its changes to the book,
//!              │ 405, 409, 421         ▼  │ Facts           to be written first
//!              ▼                      engine (Control)
//! ```
//! The protocol is Transmission's older one (`rpc-version` 17): an object with `method`,
//! `arguments` and perhaps a `tag` comes in a POST, and one with `result`, `arguments` and the
//! same tag goes back; an error of the method is a `result` other than `success`, with status 200.
//!
//! This room is pure as the engine is. What it must know of the world (the time of day, free
//! space, a file's bytes) are `Facts` that the world brings along; what the world is to do are
//! `Effects`. Beyond the torrents themselves it keeps the `book`: dates, totals and wishes, which
//! survive restarts.
//!
//! # Interface
//! For each request `receive`; it answers at once or returns a `Call`, for which the world brings
//! the facts that `Call::needs`, and then `carry_out`. `restore` once at the start, `adopt` for
//! torrents of the command line, `on_event` for all news, `save` now and then and at the end.
//!
//! # Invariants
//! Every torrent of the engine that is not being removed has its entry in the book.
//!
//! # Limits
//! `RPC_BODY_BYTES_MAX`, `RPC_VALUES_MAX`; those of `gate`.

mod adding;
pub mod book;
mod fields;
pub mod gate;
pub mod hours;
mod limits;
mod links;
pub mod session;
mod torrents;
mod wishes;

use crate::base::order;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use self::book::{Book, Entry, Page, Seen};
use self::gate::{Gate, Login};
use self::hours::Hours;
use crate::base::limits::{RPC_BODY_BYTES_MAX, RPC_SAVE_EVERY, RPC_VALUES_MAX};
use crate::base::{InfoHash, Span, Time, TorrentId};
use crate::border::Event;
use crate::dht::Figures;
use crate::engine::control::Control;
use crate::engine::{Adopted, Engine, Order, Output};
use crate::format::Malformed;
use crate::format::http::{Request, ResponseHead, Status};
use crate::format::magnet::{LocalPeers, Magnet};
use crate::format::metainfo::Metainfo;
use crate::format::{json, text};
use crate::torrent::goal::Earlier;

/// What becomes of a method: what it has to say, or why it failed.
pub type Answer<T> = Result<T, String>;

/// What remote control is to be.
#[derive(Debug)]
pub struct Options {
    /// Where new torrents go; absolute. Only directories below it (or below one of `roots`) may be
    /// named.
    pub dir: PathBuf,
    pub roots: Vec<PathBuf>,
    /// Where copies and the book are kept, for people.
    pub state_dir: PathBuf,
    pub login: Option<Login>,
    /// Names of this host that a `Host` may say.
    pub names: Vec<String>,
    /// Bytes that nobody can guess.
    pub secret: Vec<u8>,
    /// Where peers reach us.
    pub peer_port: u16,
    /// What the command line says of the session, by the names that remote controls use. It goes
    /// before what is remembered, until remote control says something else.
    pub usual: Map<String, Value>,
}

/// What the world knows and this room cannot.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Facts {
    /// Seconds since 1970.
    pub unix: i64,
    pub longest_turn: Span,
    /// Of the directory that the call names, or else of the usual one: bytes free, and in all.
    pub space: Option<(u64, u64)>,
    /// The file that the call names, or why it cannot be read.
    pub file: Option<Answer<Vec<u8>>>,
}

/// What a call must be told before it can be carried out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// How much room there is in this directory.
    pub space_of: Option<PathBuf>,
    /// The bytes of the file at these components below this directory.
    pub file: Option<(PathBuf, Vec<String>)>,
}

/// What the world is to do, in this order.
#[derive(Debug, Default)]
pub struct Effects {
    /// New torrents, and the directories of their files.
    pub places: Vec<(TorrentId, PathBuf)>,
    /// Of the engine.
    pub out: Vec<Output>,
    /// To be written or removed below the state directory, durably, before the answer is given.
    pub keep: Vec<Keep>,
    /// A person wants the program to end.
    pub close: bool,
}

/// A change to a file below the state directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keep {
    pub path: Vec<String>,
    /// `None`: it is to be removed.
    pub bytes: Option<Vec<u8>>,
}

/// A request that passed the gate.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    method: String,
    arguments: Map<String, Value>,
    tag: Option<Value>,
    keep_alive: bool,
}

/// What is said to a call.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    /// The whole response.
    pub response: Vec<u8>,
    tag: Option<Value>,
    keep_alive: bool,
}

/// What was found in the state directory of one torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    pub torrent: Vec<u8>,
    pub page: Option<Vec<u8>>,
}

/// Remote control of one engine.
#[derive(Debug)]
pub struct Rpc {
    options: Options,
    gate: Gate,
    book: Book,
    session: book::Session,
    /// Removed torrents, and when, for who asks what has changed.
    removed: Vec<(Time, TorrentId)>,
    /// Payload of this run of torrents that are removed: up, down.
    gone: (u64, u64),
    started: Time,
    saved: Time,
    body_bytes_max: usize,
    hours: Hours,
}

impl Rpc {
    pub fn new(now: Time, mut options: Options) -> Rpc {
        let login = options.login.take();
        let names = std::mem::take(&mut options.names);
        let gate = Gate::new(login, names, &std::mem::take(&mut options.secret));
        Rpc {
            options,
            gate,
            book: Book::new(),
            session: book::Session::default(),
            removed: Vec::new(),
            gone: (0, 0),
            started: now,
            saved: now,
            body_bytes_max: RPC_BODY_BYTES_MAX,
            hours: Hours::default(),
        }
    }

    /// No request is to have a longer body than this.
    pub fn limit_bodies(&mut self, bytes_max: usize) {
        self.body_bytes_max = self.body_bytes_max.min(bytes_max);
    }

    /// Where a new torrent goes that nobody says anything of, and whether it rests at first.
    pub fn place(&self) -> (PathBuf, bool) {
        (self.options.dir.clone(), !session::is_set(&self.session, "start-added-torrents"))
    }

    // ── Requests ────────────────────────────────────────────────────────────────────────────

    /// How many bytes the body of a request may have, of which `head` is the head; or the status
    /// that it is refused with before any of it is read.
    pub fn body_bytes_max(
        &mut self,
        now: Time,
        from: SocketAddr,
        head: &Request<'_>,
    ) -> Result<usize, Status> {
        match self.gate.admit(now, from, head) {
            // Who has not heard the session word yet sends now what it will send again.
            Ok(()) | Err(Status::Conflict) => Ok(self.body_bytes_max),
            Err(status) => Err(status),
        }
    }

    /// Takes a request. `None`: the whole response, a refusal, is in `answer`.
    pub fn receive(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
        answer: &mut Vec<u8>,
    ) -> Option<Call> {
        if let Err(status) = self.gate.admit(now, from, request) {
            self.refuse(status, request.keep_alive, answer);
            return None;
        }
        match Call::parse(request) {
            Ok(call) => Some(call),
            Err(why) => {
                let body = json!({ "result": why, "arguments": {} });
                respond(&body, request.keep_alive, answer);
                None
            }
        }
    }

    /// Appends the response to a request that may not pass.
    pub fn refuse(&self, status: Status, keep_alive: bool, answer: &mut Vec<u8>) {
        let word = self.gate.session();
        let (mut body, mut extra) = (format!("{} {}\n", status.code(), status.reason()), vec![]);
        if status == Status::Unauthorized {
            extra.push(("WWW-Authenticate", "Basic realm=\"Transmission\""));
        } else if status == Status::Conflict {
            // Some read it in the head, some in the body.
            extra.push((gate::SESSION_HEADER, word));
            body.push_str(&format!("{}: {word}\n", gate::SESSION_HEADER));
        } else if status == Status::MethodNotAllowed {
            extra.push(("Allow", "POST"));
        }
        extra.extend_from_slice(HARDENING);
        let content_type = "text/plain; charset=UTF-8";
        ResponseHead { status, content_type, keep_alive, extra: &extra }.write(body.len(), answer);
        answer.extend_from_slice(body.as_bytes());
    }

    /// Does what a call wants. Its effects are to be carried out; what is said is true once what
    /// is to be kept is safe.
    pub fn carry_out(
        &mut self,
        now: Time,
        call: Call,
        facts: &Facts,
        engine: &mut Engine,
        effects: &mut Effects,
    ) -> Said {
        self.look(now, facts.unix, engine);
        let Call { method, arguments, tag, keep_alive } = call;
        let mut desk = Desk { now, facts, engine, effects };
        let done = self.method(&method, &arguments, &mut desk);
        let (result, arguments) = match done {
            Ok(arguments) => ("success".to_owned(), arguments),
            Err(why) => (text::clean(why), Map::new()),
        };
        let mut body = json!({ "result": result, "arguments": arguments });
        if let (Some(tag), Some(body)) = (&tag, body.as_object_mut()) {
            body.insert("tag".to_owned(), tag.clone());
        }
        let mut response = Vec::new();
        respond(&body, keep_alive, &mut response);
        Said { response, tag, keep_alive }
    }

    fn method(
        &mut self,
        method: &str,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        match method {
            "session-get" => Ok(self.session_get(arguments, desk)),
            "session-set" => self.session_set(arguments, desk),
            "session-stats" => Ok(self.session_stats(desk)),
            "session-close" => {
                desk.effects.close = true;
                Ok(Map::new())
            }
            "torrent-get" => self.torrent_get(arguments, desk),
            "torrent-add" => self.torrent_add(arguments, desk),
            "torrent-set" => self.torrent_set(arguments, desk),
            "torrent-start" => self.torrent_start(arguments, &Control::Start, desk),
            "torrent-start-now" => self.torrent_start(arguments, &Control::StartNow, desk),
            "torrent-stop" => self.torrent_stop(arguments, desk),
            "torrent-verify" => self.torrent_verify(arguments, desk),
            "torrent-reannounce" => self.torrent_reannounce(arguments, desk),
            "torrent-remove" => self.torrent_remove(arguments, desk),
            "torrent-set-location" => Err("moving a torrent is not supported yet".to_owned()),
            "torrent-rename-path" => rename_path(arguments),
            "queue-move-top" | "queue-move-up" | "queue-move-down" | "queue-move-bottom" => {
                self.queue_move(method, arguments, desk)
            }
            "free-space" => self.free_space(arguments, desk),
            // Nobody outside is asked; who was called by somebody can be reached.
            "port-test" => Ok(object(json!({ "port-is-open": self.was_called(desk) }))),
            "blocklist-update" => Ok(object(json!({ "blocklist-size": 0 }))),
            "group-get" => Ok(object(json!({ "group": [] }))),
            "group-set" => Ok(Map::new()),
            _ => Err("method name not recognized".to_owned()),
        }
    }

    // ── The session ─────────────────────────────────────────────────────────────────────────

    fn session_get(&self, arguments: &Map<String, Value>, desk: &Desk<'_>) -> Map<String, Value> {
        let mut all = session::describe(&self.session);
        let (free, _) = desk.facts.space.unwrap_or((0, 0));
        let text = |path: &Path| json!(path.to_string_lossy());
        all.insert("download-dir".to_owned(), text(&self.options.dir));
        all.insert("incomplete-dir".to_owned(), text(&self.options.dir));
        all.insert("config-dir".to_owned(), text(&self.options.state_dir));
        all.insert("download-dir-free-space".to_owned(), json!(free));
        all.insert("peer-port".to_owned(), json!(self.options.peer_port));
        all.insert("dht-enabled".to_owned(), json!(desk.engine.has_dht()));
        all.insert("lpd-enabled".to_owned(), json!(desk.engine.calls_locally()));
        all.insert("session-id".to_owned(), json!(self.gate.session()));
        if let Some(fields) = arguments.get("fields").and_then(Value::as_array) {
            all.retain(|key, _| fields.iter().any(|field| field.as_str() == Some(key)));
        }
        all
    }

    fn session_set(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        let dir = match arguments.get("download-dir").and_then(Value::as_str) {
            Some(dir) => Some(self.allowed_dir(dir)?),
            None => None,
        };
        session::set(&mut self.session, arguments)?;
        if let Some(dir) = dir {
            self.session.wishes.insert("download-dir".to_owned(), json!(dir.to_string_lossy()));
            self.options.dir = dir;
        }
        if arguments.keys().any(|key| key.starts_with("alt-speed-time-")) {
            self.set_hours_anew();
        }
        self.mind_hours(desk.now, desk.facts.unix, desk.engine, desk.effects);
        self.limit_node(desk.now, desk.engine);
        self.limit_queue(desk.now, desk.engine, desk.effects);
        self.aim_all(desk.engine);
        self.limit_connections(desk.now, desk.engine, desk.effects);
        self.mind_exchange(desk.now, desk.engine, desk.effects);
        self.keep_session(desk.now, desk.effects);
        Ok(Map::new())
    }

    fn session_stats(&self, desk: &mut Desk<'_>) -> Map<String, Value> {
        let mut paused = 0;
        let (mut down, mut up) = (0, 0);
        let ids: Vec<TorrentId> = self.book.keys().copied().collect();
        for status in ids.iter().filter_map(|&id| desk.engine.status(desk.now, id)) {
            use crate::engine::Phase;
            paused += usize::from(matches!(status.phase, Phase::Stopped | Phase::Stopping));
            down += status.rate_down;
            up += status.rate_up;
        }
        let now = self.totals(desk.now);
        let stats = |of: &book::Session| {
            json::object([
                ("uploadedBytes", Value::from(of.uploaded)),
                ("downloadedBytes", Value::from(of.downloaded)),
                ("filesAdded", Value::from(of.added)),
                ("secondsActive", Value::from(of.active_secs)),
                ("sessionCount", Value::from(of.runs)),
            ])
        };
        let current = book::Session {
            uploaded: now.uploaded - self.session.uploaded,
            downloaded: now.downloaded - self.session.downloaded,
            active_secs: now.active_secs - self.session.active_secs,
            runs: 1,
            added: 0,
            ..book::Session::default()
        };
        object(json::object([
            ("activeTorrentCount", Value::from(self.book.len() - paused)),
            ("pausedTorrentCount", Value::from(paused)),
            ("torrentCount", Value::from(self.book.len())),
            ("downloadSpeed", Value::from(down)),
            ("uploadSpeed", Value::from(up)),
            ("cumulative-stats", stats(&now)),
            ("current-stats", stats(&current)),
            ("longestTurn", Value::from(desk.facts.longest_turn.as_millis())),
            (
                "dht",
                Value::from(desk.engine.dht_figures(desk.now).map(|figures| dht_words(&figures))),
            ),
        ]))
    }

    fn free_space(
        &self,
        arguments: &Map<String, Value>,
        desk: &Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        let path = arguments.get("path").and_then(Value::as_str).ok_or("no path")?;
        let dir = self.allowed_dir(path)?;
        let (free, total) = desk.facts.space.ok_or("the file system does not tell")?;
        Ok(object(json::object([
            ("path", Value::from(dir.to_string_lossy())),
            ("size-bytes", Value::from(free)),
            ("total_size", Value::from(total)),
        ])))
    }

    /// Whether somebody who is connected called us.
    fn was_called(&self, desk: &mut Desk<'_>) -> bool {
        let mut ids = self.book.keys();
        ids.any(|&id| desk.engine.torrent(id).is_some_and(|torrent| torrent.callers().1 > 0))
    }

    // ── The book ────────────────────────────────────────────────────────────────────────────

    /// Takes on everything that an earlier run knew. Returns what a person should hear.
    pub fn restore(
        &mut self,
        now: Time,
        unix: i64,
        session: Option<&[u8]>,
        stored: Vec<Stored>,
        engine: &mut Engine,
        effects: &mut Effects,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(bytes) = session {
            match json::read(bytes) {
                Ok(session) => self.session = session,
                Err(error) => warnings.push(format!("{}: {error}", book::SESSION_FILE)),
            }
        }
        let usual = std::mem::take(&mut self.options.usual);
        self.session.set_usual(usual);
        self.session.runs += 1;
        if let Some(dir) = self.session.wishes.get("download-dir").and_then(Value::as_str) {
            match self.allowed_dir(dir) {
                Ok(dir) => self.options.dir = dir,
                Err(why) => warnings.push(format!("the remembered directory {dir}: {why}")),
            }
        }
        let mut found = Vec::new();
        for Stored { torrent, page } in stored {
            let known = match Known::parse(&torrent) {
                Ok(known) => known,
                Err(malformed) => {
                    warnings.push(format!("a remembered torrent is unusable: {malformed}"));
                    continue;
                }
            };
            let usual = Page { dir: self.options.dir.clone(), added: unix, ..Page::default() };
            let page = page.map(|bytes| json::read(&bytes));
            let page = match page {
                Some(Ok(page)) => page,
                None => usual,
                Some(Err(error)) => {
                    warnings.push(format!("{}: its page is unusable: {error}", known.name()));
                    usual
                }
            };
            found.push((known, page));
        }
        order::sort_by_key(&mut found, |(_, page): &(Known, Page)| (page.position, page.added));
        // Before anybody runs.
        self.limit_queue(now, engine, effects);
        self.limit_connections(now, engine, effects);
        self.mind_exchange(now, engine, effects);
        for (known, page) in found {
            match known {
                Known::Torrent(metainfo) => {
                    self.take_on(now, Order::new(*metainfo), page, engine, effects);
                }
                Known::Link(magnet) => {
                    self.take_on_link(now, *magnet, page, engine, effects);
                }
            }
        }
        self.limit_node(now, engine);
        self.keep_session(now, effects);
        warnings.iter().map(text::clean).collect()
    }

    /// Takes on a torrent of the command line. `bytes`: its file. `was_found`: nobody named it, it
    /// merely lies there; then it stays away if it was removed before.
    pub fn adopt(
        &mut self,
        now: Time,
        unix: i64,
        torrent: Adopted,
        engine: &mut Engine,
        effects: &mut Effects,
    ) -> Option<TorrentId> {
        let Adopted { order, dir, bytes, was_found } = torrent;
        let info_hash = order.metainfo.info_hash;
        let word = info_hash.to_string();
        if let Some(known) = engine.find(info_hash) {
            return Some(known);
        }
        if was_found && self.session.removed.contains(&word) {
            return None;
        }
        self.session.removed.remove(&word);
        let page = Page { dir, added: unix, paused: order.paused, ..Page::default() };
        let id = self.take_on(now, order, page, engine, effects)?;
        self.session.added += 1;
        self.keep_copy(info_hash, bytes, effects);
        self.keep_page(id, effects);
        Some(id)
    }

    /// Hands a torrent to the engine, with what its page says.
    fn take_on(
        &mut self,
        now: Time,
        mut order: Order,
        mut page: Page,
        engine: &mut Engine,
        effects: &mut Effects,
    ) -> Option<TorrentId> {
        let info_hash = order.metainfo.info_hash;
        order.paused = page.paused;
        let files = order.metainfo.layout.files().iter().filter(|file| !file.pad).count();
        page.forget_files_beyond(files);
        order.wishes = page.choices();
        let id = engine.add(now, order, &mut effects.out)?;
        effects.places.push((id, page.dir.clone()));
        let torrent = engine.torrent(id).expect("added a moment ago");
        if let Some(tiers) = &page.trackers {
            torrent.set_trackers(now, tiers);
        }
        let usual = session::number(&self.session, "peer-limit-per-torrent");
        let peers_max = page.peers_max.map_or(usual, i64::from);
        torrent.set_peers_max(usize::try_from(peers_max).unwrap_or(1).max(1));
        let (uploaded, downloaded) = (page.uploaded, page.downloaded);
        torrent.set_earlier(Earlier { uploaded, downloaded });
        page.position = self.book.len() as u64;
        self.book.insert(id, Entry::new(now, info_hash, page));
        self.limit_torrent(now, id, engine);
        self.aim(id, engine);
        Some(id)
    }

    /// News of the engine that the book is about.
    pub fn on_event(
        &mut self,
        now: Time,
        unix: i64,
        event: &Event,
        engine: &mut Engine,
        effects: &mut Effects,
    ) {
        match event {
            Event::Complete { torrent, downloaded, .. } => {
                let Some(entry) = self.book.get_mut(torrent) else { return };
                if entry.page.done == 0 && *downloaded {
                    entry.page.done = unix;
                }
                entry.changed = now;
                self.keep_page(*torrent, effects);
            }
            Event::Finished { torrent } => {
                let Some(entry) = self.book.get_mut(torrent) else { return };
                (entry.page.paused, entry.page.finished) = (true, true);
                entry.changed = now;
                self.keep_page(*torrent, effects);
            }
            Event::PieceFailed { torrent, piece } => {
                let len = engine.layout(*torrent).map_or(0, |layout| layout.piece_len(*piece));
                if let Some(entry) = self.book.get_mut(torrent) {
                    entry.page.corrupt = entry.page.corrupt.saturating_add(len.into());
                    entry.is_dirty = true;
                }
            }
            Event::Learned { torrent } => self.on_learned(now, *torrent, engine, effects),
            Event::Unusable { .. }
            | Event::Checked { .. }
            | Event::Banned { .. }
            | Event::DiskTrouble { .. }
            | Event::DiskRecovered { .. }
            | Event::TrackerOk { .. }
            | Event::TrackerFailed { .. }
            | Event::Stopped { .. }
            | Event::Added { .. }
            | Event::Removed { .. }
            | Event::StateTrouble { .. }
            | Event::WatchTrouble { .. }
            | Event::HookTrouble { .. }
            | Event::Host { .. }
            | Event::Told { .. }
            | Event::TrackerTrouble { .. } => {}
        }
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Time> {
        self.save_deadline().into_iter().chain(self.hours_deadline()).min()
    }

    fn save_deadline(&self) -> Option<Time> {
        (!self.book.is_empty()).then(|| self.saved + RPC_SAVE_EVERY)
    }

    /// Does what is due: totals are saved now and then, and the clock switches rates.
    pub fn tick(&mut self, now: Time, unix: i64, engine: &mut Engine, effects: &mut Effects) {
        if self.save_deadline().is_some_and(|at| at <= now) {
            self.save(now, unix, engine, effects);
        }
        self.mind_hours(now, unix, engine, effects);
    }

    /// Writes what has changed since it was last written.
    pub fn save(&mut self, now: Time, unix: i64, engine: &mut Engine, effects: &mut Effects) {
        self.look(now, unix, engine);
        self.saved = now;
        let dirty: Vec<TorrentId> =
            self.book.iter().filter(|(_, entry)| entry.is_dirty).map(|(&id, _)| id).collect();
        let is_news = !dirty.is_empty();
        dirty.into_iter().for_each(|id| self.keep_page(id, effects));
        if is_news {
            self.keep_session(now, effects);
        }
    }

    /// Takes note of how all torrents are.
    fn look(&mut self, now: Time, unix: i64, engine: &mut Engine) {
        for (&id, entry) in self.book.iter_mut() {
            let Some(status) = engine.status(now, id) else { continue };
            let seen = Seen {
                phase: status.phase,
                have_bytes: status.have_bytes,
                peers: status.peers,
                uploaded: status.uploaded,
                downloaded: status.downloaded,
            };
            entry.look(now, unix, seen);
        }
        self.removed.retain(|(since, _)| now.since(*since) <= RECENT);
    }

    fn keep_copy(&self, info_hash: InfoHash, bytes: Vec<u8>, effects: &mut Effects) {
        let [copy, _] = book::paths(info_hash);
        effects.keep.push(Keep { path: copy.to_vec(), bytes: Some(bytes) });
    }

    fn keep_page(&mut self, id: TorrentId, effects: &mut Effects) {
        let Some(entry) = self.book.get_mut(&id) else { return };
        entry.is_dirty = false;
        let [_, page] = book::paths(entry.info_hash);
        effects.keep.push(Keep { path: page.to_vec(), bytes: Some(entry.written()) });
    }

    fn keep_session(&self, now: Time, effects: &mut Effects) {
        let bytes = serde_json::to_vec_pretty(&self.totals(now));
        let bytes = bytes.expect("a session has string keys and finite numbers");
        effects.keep.push(Keep { path: vec![book::SESSION_FILE.to_owned()], bytes: Some(bytes) });
    }

    /// The session with the totals of this run.
    fn totals(&self, now: Time) -> book::Session {
        let mut session = self.session.clone();
        let sum = |of: fn(&Entry) -> u64| self.book.values().map(of).sum::<u64>();
        session.uploaded += self.gone.0 + sum(|entry| entry.uploaded);
        session.downloaded += self.gone.1 + sum(|entry| entry.downloaded);
        session.active_secs += now.since(self.started).as_secs();
        session
    }

    /// The directory that a person named, if it may be used.
    ///
    /// Error: it is not absolute, climbs, or lies outside the directories that we may write to.
    fn allowed_dir(&self, dir: &str) -> Answer<PathBuf> {
        allowed(&self.options, Path::new(dir))
    }
}

/// What an earlier run knew of a torrent.
enum Known {
    Torrent(Box<Metainfo>),
    Link(Box<Magnet>),
}

impl Known {
    fn parse(bytes: &[u8]) -> Result<Known, Malformed> {
        match str::from_utf8(bytes).ok().filter(|text| text.starts_with("magnet:")) {
            // Ours, so it may name whom it likes.
            Some(link) => Magnet::parse(link.trim_end(), LocalPeers::Keep)
                .map(|magnet| Known::Link(Box::new(magnet))),
            None => Metainfo::parse(bytes).map(|metainfo| Known::Torrent(Box::new(metainfo))),
        }
    }

    fn name(&self) -> String {
        match self {
            Known::Torrent(metainfo) => metainfo.name.clone(),
            Known::Link(magnet) => magnet.info_hash.to_string(),
        }
    }
}

/// What a method works with.
struct Desk<'d> {
    now: Time,
    facts: &'d Facts,
    engine: &'d mut Engine,
    effects: &'d mut Effects,
}

impl Call {
    /// Reads the body of a request.
    ///
    /// Error: why it is no call, to be answered as `result`.
    fn parse(request: &Request<'_>) -> Answer<Call> {
        let Value::Object(mut map) = json::parse(request.body, RPC_VALUES_MAX)? else {
            return Err("not an object".to_owned());
        };
        let Some(Value::String(method)) = map.remove("method") else {
            return Err("no method name".to_owned());
        };
        // Some say null or a number where they have nothing to say.
        let arguments = match map.remove("arguments") {
            Some(Value::Object(arguments)) => arguments,
            Some(_) | None => Map::new(),
        };
        let tag = map.remove("tag").filter(Value::is_number);
        Ok(Call { method, arguments, tag, keep_alive: request.keep_alive })
    }

    /// What the world is asked for first.
    pub fn needs(&self, rpc: &Rpc) -> Needs {
        let text = |key: &str| self.arguments.get(key).and_then(Value::as_str);
        match self.method.as_str() {
            "session-get" => Needs { space_of: Some(rpc.options.dir.clone()), file: None },
            "free-space" => {
                let dir = text("path").and_then(|path| rpc.allowed_dir(path).ok());
                Needs { space_of: dir, file: None }
            }
            "torrent-add" if text("metainfo").is_none() => {
                let file = text("filename").and_then(|name| adding::local_file(rpc, name).ok());
                Needs { space_of: None, file }
            }
            _ => Needs::default(),
        }
    }
}

impl Said {
    /// The response instead, if what was done could not be kept.
    pub fn unkept(&self, why: &str) -> Vec<u8> {
        let result = format!("it is done, but a restart will not know of it: {why}");
        let mut body = json!({ "result": text::clean(result), "arguments": {} });
        if let (Some(tag), Some(body)) = (&self.tag, body.as_object_mut()) {
            body.insert("tag".to_owned(), tag.clone());
        }
        let mut response = Vec::new();
        respond(&body, self.keep_alive, &mut response);
        response
    }
}

/// The directory, if it is absolute, climbs nowhere and lies where we may write.
fn allowed(options: &Options, dir: &Path) -> Answer<PathBuf> {
    if !dir.is_absolute() {
        return Err("the directory is not absolute".to_owned());
    }
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if !dir.components().all(is_plain) {
        return Err("the directory climbs".to_owned());
    }
    let mut roots = options.roots.iter();
    if !roots.any(|root| dir.starts_with(root)) {
        return Err("the directory is outside of those that may be used".to_owned());
    }
    // Without doubled and last slashes.
    Ok(dir.components().collect())
}

/// Renaming is refused, a bad name for its own sake.
fn rename_path(arguments: &Map<String, Value>) -> Answer<Map<String, Value>> {
    let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err("a name is one component".to_owned());
    }
    Err("renaming is not supported yet".to_owned())
}

/// Appends a response.
fn respond(body: &Value, keep_alive: bool, answer: &mut Vec<u8>) {
    let body = serde_json::to_vec(body).expect("a value has string keys");
    let content_type = "application/json; charset=UTF-8";
    let status = Status::Ok;
    ResponseHead { status, content_type, keep_alive, extra: HARDENING }.write(body.len(), answer);
    answer.extend_from_slice(&body);
}

/// What a node of the DHT knows and does; nodes as IPv4 and IPv6.
fn dht_words(figures: &Figures) -> Value {
    json::object([
        ("id", Value::from(figures.id.to_string())),
        ("joined", Value::from(figures.joined)),
        ("readOnly", Value::from(figures.read_only)),
        ("externalIp", Value::from(figures.external_ip.map(|ip| ip.to_string()))),
        ("nodes", Value::from(figures.nodes)),
        ("good", Value::from(figures.good)),
        ("storedPeers", Value::from(figures.stored_peers)),
        ("asked", Value::from(figures.asked)),
        ("heard", Value::from(figures.heard)),
        ("served", Value::from(figures.served)),
    ])
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => unreachable!("written as an object: {other}"),
    }
}

/// What tells a browser to make nothing of an answer but text.
const HARDENING: &[(&str, &str)] = &[
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cache-Control", "no-store"),
];

/// What counts as changed lately.
const RECENT: Span = Span::from_secs(60);
