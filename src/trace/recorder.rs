//! Recorder: what an engine is told and what it wants, as the lines of a trace.
//!
//! # Interface
//! `begins` first; then `input` before the engine is told, and `output` when what it wants is
//! carried out, in that order. `take` for the lines so far. `overhear` stands between a link and
//! `engine::feed`, so that what a peer says is written down before the engine hears it.
//!
//! # Why
//! Whoever traces nothing has no recorder, and then nothing is put into words: the way of a block
//! has one question more for a whole buffer of them.

use crate::base::Shelf;
use std::fmt::{self, Write};
use std::net::SocketAddr;

use super::line::{Line, Word};
use super::words::{Greeting, Hex, Outcome, Part, Quoted, Range, Worded};
use super::{HEAD, LEGEND};
use crate::base::{Claim, ConnId, InfoHash, Time, TorrentId};
use crate::engine::prospects::Quest;
use crate::engine::{Closed, Input, Order, Output, ReadFor, ReadJob, Settings};
use crate::format::announce::{Announce, Event, Refusal, Reply};
use crate::format::resume::{FileStamp, Resume};
use crate::format::text;
use crate::torrent::selection::{Choice, Wishes};
use crate::wire::link::Segment;
use crate::wire::{Frame, Speech, Violation};

/// The lines of a trace, as they come.
#[derive(Debug, Default)]
pub struct Recorder {
    text: String,
    /// Who is at the other end.
    peers: Shelf<ConnId, SocketAddr>,
}

impl Recorder {
    /// A recorder whose trace begins with what explains it.
    pub fn new() -> Recorder {
        let text = format!("{HEAD}\n{LEGEND}");
        Recorder { text, peers: Shelf::new() }
    }

    /// The lines since the last call.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Bytes that wait to be taken.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    // ── What a node is made of ──────────────────────────────────────────────────────────────

    /// The node. `beyond`: what moves it and is in no trace, such as remote control.
    pub fn begins(&mut self, now: Time, settings: &Settings, seed: u64, beyond: &[&str]) {
        let Settings {
            port,
            connections_max,
            connections_per_torrent_max,
            unchoked_max,
            seed: seeds,
            explain,
        } = settings;
        let beyond = if beyond.is_empty() { "nothing".to_owned() } else { beyond.join(",") };
        let rest = format_args!(
            "seed={seed} port={port} connections={connections_max} \
             per-torrent={connections_per_torrent_max} unchoked={unchoked_max} \
             shares={seeds} explains={explain} beyond={beyond}"
        );
        self.line(now, None, Word::Begins, rest);
    }

    /// A torrent is taken on.
    pub fn adds(&mut self, now: Time, id: TorrentId, order: &Order) {
        let Order { metainfo, trackers, peers, whole, paused, wishes, super_seed } = order;
        let mut rest = format!("{id:?} {}", metainfo.info_hash);
        rest.push_str(if *whole { " whole" } else { "" });
        rest.push_str(if *paused { " paused" } else { "" });
        rest.push_str(if *super_seed { " super-seed" } else { "" });
        add_wishes(&mut rest, wishes, peers);
        trackers.iter().for_each(|url| add(&mut rest, format_args!(" tracker={}", quoted(url))));
        self.line(now, None, Word::Adds, format_args!("{rest}"));
    }

    /// A link is followed.
    pub fn seeks(&mut self, now: Time, id: TorrentId, quest: &Quest) {
        let Quest { magnet, peers, paused, then_rest, wishes } = quest;
        let mut rest = format!("{id:?} link={}", quoted(&magnet.to_string()));
        rest.push_str(if *paused { " paused" } else { "" });
        rest.push_str(if *then_rest { " then-rests" } else { "" });
        add_wishes(&mut rest, wishes, peers);
        self.line(now, None, Word::Seeks, format_args!("{rest}"));
    }

    /// What is known of a torrent from now on.
    pub fn torrent(&mut self, now: Time, id: TorrentId, hash: InfoHash, pieces: u32, name: &str) {
        let rest = format_args!("{id:?} {hash} pieces={pieces} {}", text::clean(name));
        self.line(now, None, Word::Torrent, rest);
    }

    /// It says good-bye.
    pub fn stops(&mut self, now: Time) {
        self.line(now, None, Word::Stops, format_args!(""));
    }

    /// A deadline has passed.
    pub fn ticks(&mut self, now: Time) {
        self.line(now, None, Word::Ticks, format_args!(""));
    }

    // ── What it is told ─────────────────────────────────────────────────────────────────────

    /// What the engine is told.
    pub fn input(&mut self, now: Time, input: &Input<'_>) {
        match input {
            Input::Accepted { conn, addr } => {
                self.peers.insert(*conn, *addr);
                self.line(now, Some(*conn), Word::Accepts, format_args!(""));
            }
            Input::Connected { conn, torrent, addr } => {
                self.peers.insert(*conn, *addr);
                self.line(now, Some(*conn), Word::Connected, format_args!("{torrent:?}"));
            }
            Input::ConnectFailed { torrent, addr } => {
                self.line_of(now, None, Some(*addr), Word::Refused, format_args!("{torrent:?}"));
            }
            Input::WebConnected { conn, torrent, web, addr } => {
                self.peers.insert(*conn, *addr);
                let rest = format_args!("{torrent:?} web={web}");
                self.line(now, Some(*conn), Word::Connected, rest);
            }
            Input::WebFailed { torrent, web } => {
                self.line(now, None, Word::Refused, format_args!("{torrent:?} web={web}"));
            }
            Input::WebMoved { conn, url } => {
                self.line(now, Some(*conn), Word::Moved, format_args!("{}", quoted(url)));
                self.peers.remove(conn);
            }
            Input::Frame { conn, frame, at: _ } => self.hears(now, *conn, frame),
            Input::Sent { conn, payload, waiting } => {
                let rest = format_args!("{payload} waiting={waiting}");
                self.line(now, Some(*conn), Word::Sent, rest);
            }
            Input::Closed { conn, why } => {
                self.line(now, Some(*conn), Word::Lost, format_args!("{}", Ending(why)));
                self.peers.remove(conn);
            }
            Input::SendFailed { conn, torrent, fault } => {
                let rest = format_args!("{torrent:?} {}", Outcome(Err(*fault)));
                self.line(now, Some(*conn), Word::Unreadable, rest);
                self.peers.remove(conn);
            }
            Input::Datagram { from, bytes } | Input::Notice { from, bytes } => {
                let rest = format_args!("{} bytes", bytes.len());
                self.line_of(now, None, Some(*from), Word::Receives, rest);
            }
            Input::Surveyed { torrent, result, resume } => {
                let outcome = Outcome(result.as_ref().map(|_| ()).map_err(|fault| *fault));
                let mut rest = format!("{torrent:?} {outcome}");
                add_survey(&mut rest, result.as_deref().unwrap_or_default(), resume.as_ref());
                self.line(now, None, Word::Surveys, format_args!("{rest}"));
            }
            Input::Prepared { torrent, result } => {
                let rest = format_args!("{torrent:?} {}", Outcome(*result));
                self.line(now, None, Word::Prepares, rest);
            }
            Input::Written { torrent, piece, begin, len, result } => {
                let range = Range(Claim { piece: piece.get(), begin: *begin, len: *len });
                let rest = format_args!("{torrent:?} {range} {}", Outcome(*result));
                self.line(now, None, Word::Writes, rest);
            }
            Input::Read { job, result } => {
                let ReadJob { torrent, piece, begin, len, purpose } = *job;
                let range = Range(Claim { piece: piece.get(), begin, len });
                let outcome = Outcome(result.map(|_| ()));
                let rest = format_args!("{torrent:?} {range} {} {outcome}", purpose_word(purpose));
                self.line(now, None, Word::Reads, rest);
            }
            Input::Saved { torrent, have: _, result } => {
                let rest = format_args!("{torrent:?} {}", Outcome(*result));
                self.line(now, None, Word::Saves, rest);
            }
            Input::Removed { torrent, result } => {
                let rest = format_args!("{torrent:?} {}", Outcome(*result));
                self.line(now, None, Word::Removes, rest);
            }
            Input::Announced { torrent, tracker, from, result } => {
                let mut rest = format!("{torrent:?} {tracker}");
                if let Some(from) = from {
                    add(&mut rest, format_args!(" from={from}"));
                }
                match result {
                    Ok(reply) => add_reply(&mut rest, reply),
                    Err(refusal) => add_refusal(&mut rest, refusal),
                }
                self.line(now, None, Word::Told, format_args!("{rest}"));
            }
        }
    }

    /// Something that a peer said.
    fn hears(&mut self, now: Time, conn: ConnId, frame: &Frame<'_>) {
        let conn = Some(conn);
        match frame {
            Frame::Handshake(theirs) => {
                self.line(now, conn, Word::Hears, format_args!("{}", Greeting(theirs)));
            }
            Frame::Message(message) => {
                self.line(now, conn, Word::Hears, format_args!("{}", Worded(message)));
            }
            Frame::Payload { block, from, bytes } => {
                let len = u32::try_from(bytes.len()).expect("a part of a block");
                let part = Part { block: *block, from: *from, len };
                self.line(now, conn, Word::Hears, format_args!("{part}"));
            }
        }
    }

    /// Writes down what comes out of a link before the engine hears it.
    pub fn overhear<'r, S: Speech>(
        &'r mut self,
        now: Time,
        conn: ConnId,
        speech: &'r mut S,
    ) -> Overheard<'r, S> {
        Overheard { recorder: self, now, conn, speech }
    }

    // ── What it wants ───────────────────────────────────────────────────────────────────────

    /// What the engine wants, if it is something that a peer or a tracker notices, or why.
    pub fn output(&mut self, now: Time, output: &Output) {
        match output {
            Output::Connect { torrent, addr } => {
                self.line_of(now, None, Some(*addr), Word::Dials, format_args!("{torrent:?}"));
            }
            Output::CallWeb { torrent, web, url, sent_by: _ } => {
                let rest = format_args!("{torrent:?} web={web} {}", quoted(url));
                self.line(now, None, Word::Dials, rest);
            }
            Output::SendHandshake { conn, handshake } => {
                self.line(now, Some(*conn), Word::Says, format_args!("{}", Greeting(handshake)));
            }
            Output::Send { conn, message } => {
                self.line(now, Some(*conn), Word::Says, format_args!("{}", Worded(message)));
            }
            Output::SendBlock { conn, torrent: _, block } => {
                let range = Range::from(*block);
                self.line(now, Some(*conn), Word::Serves, format_args!("piece {range}"));
            }
            Output::CancelBlock { conn, block } => {
                let range = Range::from(*block);
                self.line(now, Some(*conn), Word::Unqueues, format_args!("{range}"));
            }
            Output::DropBlocks { conn } => {
                self.line(now, Some(*conn), Word::Unqueues, format_args!("all"));
            }
            Output::Close { conn, why } => {
                self.line(now, Some(*conn), Word::Closes, format_args!("{why}"));
                self.peers.remove(conn);
            }
            Output::Because { conn, reason } => {
                self.line(now, Some(*conn), Word::Because, format_args!("{reason}"));
            }
            Output::Announce { torrent, tracker, url, announce, timeout: _ } => {
                let what = Announced(announce);
                let rest = format_args!("{torrent:?} {tracker} {what} url={}", quoted(url));
                self.line(now, None, Word::Announces, rest);
            }
            Output::Survey { .. }
            | Output::Prepare { .. }
            | Output::Write { .. }
            | Output::Read(_)
            | Output::Save { .. }
            | Output::Remove { .. }
            | Output::SendDatagram { .. }
            | Output::LookUp { .. }
            | Output::Event(_) => {}
        }
    }

    fn line(&mut self, at: Time, conn: Option<ConnId>, word: Word, rest: fmt::Arguments<'_>) {
        let peer = conn.and_then(|conn| self.peers.get(&conn)).copied();
        self.line_of(at, conn, peer, word, rest);
    }

    fn line_of(
        &mut self,
        at: Time,
        conn: Option<ConnId>,
        peer: Option<SocketAddr>,
        word: Word,
        rest: fmt::Arguments<'_>,
    ) {
        let rest = &rest.to_string();
        add(&mut self.text, format_args!("{}\n", Line { number: 0, at, conn, peer, word, rest }));
    }
}

/// A link that is listened to.
#[derive(Debug)]
pub struct Overheard<'r, S> {
    recorder: &'r mut Recorder,
    now: Time,
    conn: ConnId,
    speech: &'r mut S,
}

impl<S: Speech> Speech for Overheard<'_, S> {
    fn feed<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation> {
        let frame = self.speech.feed(input)?;
        if let Some(frame) = &frame {
            self.recorder.hears(self.now, self.conn, frame);
        }
        Ok(frame)
    }

    fn expect_pieces(&mut self, piece_count: u32) {
        self.speech.expect_pieces(piece_count);
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.speech.segments()
    }

    fn sent(&mut self, bytes: usize) -> u64 {
        self.speech.sent(bytes)
    }

    fn is_idle(&self) -> bool {
        self.speech.is_idle()
    }
}

/// Appends to a text, which cannot fail.
fn add(text: &mut String, more: fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a string takes every write");
}

fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text.as_bytes())
}

/// What a person wants of a torrent's files, and whom to call.
fn add_wishes(rest: &mut String, wishes: &Wishes, peers: &[SocketAddr]) {
    if wishes.sequential {
        rest.push_str(" sequential");
    }
    if !wishes.files.is_empty() {
        rest.push_str(" files=");
        rest.extend(wishes.files.iter().map(|choice| choice_letter(*choice)));
    }
    peers.iter().for_each(|addr| add(rest, format_args!(" peer={addr}")));
}

/// How each choice is written.
pub(super) fn choice_letter(choice: Choice) -> char {
    match choice {
        Choice::Skip => '-',
        Choice::Low => 'l',
        Choice::Normal => 'n',
        Choice::High => 'h',
    }
}

/// Each file's length and time (`-`: not there), and the record of an earlier run.
fn add_survey(rest: &mut String, files: &[Option<FileStamp>], resume: Option<&Resume>) {
    for file in files {
        match file {
            Some(FileStamp { len, modified_nanos }) => {
                add(rest, format_args!(" file={len}@{modified_nanos}"));
            }
            None => rest.push_str(" file=-"),
        }
    }
    if let Some(resume) = resume {
        let mut bytes = Vec::new();
        resume.write(&mut bytes);
        add(rest, format_args!(" resume={}", Hex(&bytes)));
    }
}

fn add_reply(rest: &mut String, reply: &Reply) {
    let Reply {
        interval_secs,
        min_interval_secs,
        seeds,
        leechers,
        peers,
        tracker_id,
        warning,
        external_ip,
        wants_have,
    } = reply;
    rest.push_str(" ok");
    let numbers = [
        ("interval", interval_secs),
        ("min-interval", min_interval_secs),
        ("seeds", seeds),
        ("leechers", leechers),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            add(rest, format_args!(" {key}={number}"));
        }
    }
    if let Some(ip) = external_ip {
        add(rest, format_args!(" external={ip}"));
    }
    rest.push_str(if *wants_have { " wants-have" } else { "" });
    if let Some(id) = tracker_id {
        add(rest, format_args!(" id={}", Quoted(id)));
    }
    if let Some(warning) = warning {
        add(rest, format_args!(" warning={}", quoted(warning)));
    }
    peers.iter().for_each(|addr| add(rest, format_args!(" peer={addr}")));
}

fn add_refusal(rest: &mut String, refusal: &Refusal) {
    match refusal {
        Refusal::Failure { reason, retry_secs, never } => {
            rest.push_str(" refused");
            if let Some(retry) = retry_secs {
                add(rest, format_args!(" retry={retry}"));
            }
            rest.push_str(if *never { " never" } else { "" });
            add(rest, format_args!(" reason={}", quoted(reason)));
        }
        Refusal::Unreachable(reason) => {
            add(rest, format_args!(" unreachable reason={}", quoted(reason)));
        }
    }
}

/// What a tracker is told.
struct Announced<'a>(&'a Announce);

impl fmt::Display for Announced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Announce { uploaded, downloaded, left, event, numwant, have, .. } = self.0;
        f.write_str(match event {
            Event::Regular => "regular",
            Event::Started => "started",
            Event::Completed => "completed",
            Event::Stopped => "stopped",
        })?;
        write!(f, " up={uploaded} down={downloaded} left={left}")?;
        if let Some(numwant) = numwant {
            write!(f, " numwant={numwant}")?;
        }
        match have {
            Some(have) => write!(f, " have={}", Hex(have)),
            None => Ok(()),
        }
    }
}

/// How a connection ended.
struct Ending<'c>(&'c Closed);

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Closed::ByThem => f.write_str("by them"),
            Closed::Broken => f.write_str("broken"),
            Closed::Violation(Violation::WebAnswer { status }) => write!(f, "answer {status}"),
            Closed::Violation(violation) => write!(f, "violation: {violation}"),
        }
    }
}

pub(super) fn purpose_word(purpose: ReadFor) -> &'static str {
    match purpose {
        ReadFor::Check => "check",
        ReadFor::Hash => "hash",
        ReadFor::Blame => "blame",
    }
}
