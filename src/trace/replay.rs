//! Replay: a trace played to an engine, which must then say what the trace says it said.
//!
//! ```text
//!  a line of what it was told ──▶ the engine ──▶ outputs wait in order
//!  a line of what it wanted   ◀── compared, as text, with the first that waits
//! ```
//! The same seed, the same settings, the same inputs at the same times: an engine is a function, so
//! one output too many, too few or other than before is a change of its behaviour. The payload of
//! blocks is not in a trace; `source` gives it, from the files or wherever they come from.
//!
//! # Limits
//! What moves an engine and is in no trace (remote control, the DHT, a limit of memory) cannot be
//! replayed: `begins` names it, and the replay is refused. A run in which a peer sent other bytes
//! than those of the torrent differs where the bad piece was judged; and a trace that was changed
//! by hand may say what no world would, against which an engine asserts.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::line::{Damaged, Line, Word};
use super::recorder::{Recorder, choice_letter, purpose_word};
use super::words::{
    Part, fields, hex, parse_handshake, parse_message, parse_outcome, parse_range, unquote, value,
};
use crate::base::{Bits, Claim, InfoHash, PieceIndex, Time, TorrentId};
use crate::engine::prospects::Quest;
use crate::engine::{Closed, DiskFault, Engine, Input, Order, Output, ReadFor, ReadJob, Settings};
use crate::format::announce::{Refusal, Reply};
use crate::format::magnet::{LocalPeers, Magnet};
use crate::format::metainfo::Metainfo;
use crate::format::resume::{FileStamp, Resume};
use crate::torrent::selection::{Choice, Wishes};
use crate::wire::{Frame, Violation};

/// Why a replay ends before its trace does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// A line that no recorder wrote.
    Damaged(Damaged),
    /// It cannot be replayed: what is missing.
    Unknown { line: usize, what: String },
    /// The engine says something else than the trace, or nothing.
    Other { line: usize, trace: String, engine: Option<String> },
    /// The trace is over, and the engine says more.
    More { engine: String },
}

/// What a replay has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Played {
    pub inputs: usize,
    pub outputs: usize,
}

/// Plays a trace. `torrents`: those that it is about. `source`: fills its last argument with the
/// bytes of a piece from a begin on.
pub fn replay(
    trace: &str,
    torrents: &[Metainfo],
    source: impl FnMut(InfoHash, PieceIndex, u32, &mut [u8]),
) -> Result<Played, Difference> {
    let mut player = Player {
        torrents,
        source,
        engine: None,
        out: VecDeque::new(),
        recorder: Recorder::default(),
        bytes: Vec::new(),
        played: Played::default(),
    };
    for (number, text) in (1..).zip(trace.lines()) {
        if let Some(line) = Line::parse(number, text)? {
            player.on_line(&line)?;
        }
    }
    match player.next_said(Time::START) {
        Some(engine) => Err(Difference::More { engine }),
        None => Ok(player.played),
    }
}

struct Player<'m, S> {
    torrents: &'m [Metainfo],
    source: S,
    engine: Option<Engine>,
    /// What the engine wants and the trace has not told yet.
    out: VecDeque<Output>,
    /// Puts it into words.
    recorder: Recorder,
    /// Payload of a block.
    bytes: Vec<u8>,
    played: Played,
}

impl<S: FnMut(InfoHash, PieceIndex, u32, &mut [u8])> Player<'_, S> {
    fn on_line(&mut self, line: &Line<'_>) -> Result<(), Difference> {
        if line.word.is_output() {
            return self.compare(line);
        }
        match line.word {
            Word::Begins => return self.begin(line),
            Word::Torrent => return Ok(()),
            _a_thing_that_happened => self.played.inputs += 1,
        }
        let Some(mut engine) = self.engine.take() else {
            return Err(line.damaged("nothing has begun").into());
        };
        let mut out = Vec::new();
        let told = self.tell(&mut engine, line, &mut out);
        self.engine = Some(engine);
        self.out.extend(out);
        told
    }

    /// What the engine says next must be what the line says.
    fn compare(&mut self, line: &Line<'_>) -> Result<(), Difference> {
        let engine = self.next_said(line.at);
        let trace = line.to_string();
        if engine.as_ref() != Some(&trace) {
            return Err(Difference::Other { line: line.number, trace, engine });
        }
        self.played.outputs += 1;
        Ok(())
    }

    /// The first of what the engine wants that leaves a line.
    fn next_said(&mut self, now: Time) -> Option<String> {
        while let Some(output) = self.out.pop_front() {
            self.recorder.output(now, &output);
            if !self.recorder.is_empty() {
                return Some(self.recorder.take().trim_end_matches('\n').to_owned());
            }
        }
        None
    }

    fn begin(&mut self, line: &Line<'_>) -> Result<(), Difference> {
        let what = value(line.rest, "beyond").unwrap_or_default();
        if what != "nothing" {
            let what = format!("what moved the node beyond this trace: {what}");
            return Err(Difference::Unknown { line: line.number, what });
        }
        let (settings, seed) =
            parse_settings(line.rest).ok_or_else(|| line.damaged("these are no settings"))?;
        self.engine = Some(Engine::new(settings, seed));
        Ok(())
    }

    /// Tells the engine what the line says that it was told.
    fn tell(
        &mut self,
        engine: &mut Engine,
        line: &Line<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Difference> {
        match line.word {
            Word::Adds => {
                let order = self.order(line)?;
                self.must_be(line, engine.add(line.at, order, out))
            }
            Word::Seeks => {
                let quest =
                    parse_quest(line.rest).ok_or_else(|| line.damaged("this is no link"))?;
                self.must_be(line, engine.seek(line.at, quest))
            }
            Word::Stops => {
                engine.stop(line.at, out);
                Ok(())
            }
            Word::Ticks => {
                engine.tick(line.at, out);
                Ok(())
            }
            Word::Hears => self.hear(engine, line, out),
            Word::Reads => self.read(engine, line, out),
            _a_plain_input => {
                let input =
                    parse_input(line).ok_or_else(|| line.damaged("this cannot be understood"))?;
                // For it is this that the lines of what the engine wants are about.
                self.note(line, &input);
                engine.handle(line.at, input, out);
                Ok(())
            }
        }
    }

    /// Keeps in mind who is at the other end of which connection.
    fn note(&mut self, line: &Line<'_>, input: &Input<'_>) {
        self.recorder.input(line.at, input);
        self.recorder.take();
    }

    fn hear(
        &mut self,
        engine: &mut Engine,
        line: &Line<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Difference> {
        let damaged = || line.damaged("no peer says that");
        let conn = line.conn.ok_or_else(damaged)?;
        let frame = if let Some(part) = Part::parse(line.rest) {
            let Part { block, from, len } = part;
            let begin = block.begin.checked_add(from).ok_or_else(damaged)?;
            let range = Claim { piece: block.piece, begin, len };
            let torrent = engine.torrent_of(conn);
            self.load(torrent.and_then(|torrent| engine.metainfo(torrent)), range);
            Frame::Payload { block, from, bytes: &self.bytes }
        } else if let Some(handshake) = parse_handshake(line.rest) {
            Frame::Handshake(handshake)
        } else {
            Frame::Message(parse_message(line.rest).ok_or_else(damaged)?)
        };
        engine.handle(line.at, Input::Frame { conn, frame, at: 0 }, out);
        Ok(())
    }

    fn read(
        &mut self,
        engine: &mut Engine,
        line: &Line<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Difference> {
        let (job, result) =
            parse_read(line.rest).ok_or_else(|| line.damaged("this cannot be understood"))?;
        let range = Claim { piece: job.piece.get(), begin: job.begin, len: job.len };
        self.load(engine.metainfo(job.torrent), range);
        let result = result.map(|()| &self.bytes[..]);
        engine.handle(line.at, Input::Read { job, result }, out);
        Ok(())
    }

    /// Gets bytes of a piece; of one that does not exist, nothing but zeros.
    fn load(&mut self, metainfo: Option<&Metainfo>, range: Claim) {
        self.bytes.clear();
        self.bytes.resize(range.len.min(LOADED_BYTES_MAX) as usize, 0);
        let Some(metainfo) = metainfo else { return };
        let layout = &metainfo.layout;
        let piece = PieceIndex::checked(range.piece);
        let is_there = range.piece < layout.piece_count() && {
            let end = u64::from(range.begin) + u64::from(range.len);
            end <= u64::from(layout.piece_len(piece))
        };
        if is_there {
            (self.source)(metainfo.info_hash, piece, range.begin, &mut self.bytes);
        }
    }

    fn order(&self, line: &Line<'_>) -> Result<Order, Difference> {
        let mut words = fields(line.rest).skip(1);
        let hash = words.next().and_then(InfoHash::parse_hex);
        let hash = hash.ok_or_else(|| line.damaged("an info-hash is missing"))?;
        let found = self.torrents.iter().find(|metainfo| metainfo.info_hash == hash);
        let metainfo = found.ok_or_else(|| Difference::Unknown {
            line: line.number,
            what: format!("the torrent {hash}"),
        })?;
        let (wishes, peers) =
            parse_wishes(line.rest).ok_or_else(|| line.damaged("these are no wishes"))?;
        let trackers = values(line.rest, "tracker").map(parse_text).collect::<Option<_>>();
        Ok(Order {
            trackers: trackers.ok_or_else(|| line.damaged("this is no tracker"))?,
            peers,
            whole: has(line.rest, "whole"),
            paused: has(line.rest, "paused"),
            super_seed: has(line.rest, "super-seed"),
            wishes,
            ..Order::new(metainfo.clone())
        })
    }

    /// The engine must give a torrent the number that it had.
    fn must_be(&self, line: &Line<'_>, id: Option<TorrentId>) -> Result<(), Difference> {
        let engine = id.map(|id| format!("{id:?}"));
        let trace = fields(line.rest).next().unwrap_or_default().to_owned();
        if engine.as_ref() == Some(&trace) {
            return Ok(());
        }
        Err(Difference::Other { line: line.number, trace, engine })
    }
}

impl From<Damaged> for Difference {
    fn from(damaged: Damaged) -> Difference {
        Difference::Damaged(damaged)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Damaged(damaged) => damaged.fmt(f),
            Difference::Unknown { line, what } => write!(f, "line {line}: needs {what}"),
            Difference::Other { line, trace, engine } => {
                let engine = engine.as_deref().unwrap_or("nothing");
                write!(f, "line {line}:\n  the trace says  {trace}\n  the engine says {engine}")
            }
            Difference::More { engine } => write!(f, "at the end the engine says\n  {engine}"),
        }
    }
}

// ── Reading inputs ──────────────────────────────────────────────────────────────────────────

/// A line whose input needs nothing but the line.
fn parse_input(line: &Line<'_>) -> Option<Input<'static>> {
    let Line { conn, peer, rest, .. } = *line;
    let torrent = || fields(rest).next().and_then(parse_torrent);
    let web = || value(rest, "web").map(|web| web.parse::<usize>().ok());
    let outcome = |place| fields(rest).nth(place).and_then(parse_outcome);
    Some(match line.word {
        Word::Accepts => Input::Accepted { conn: conn?, addr: peer? },
        Word::Connected => match web() {
            Some(web) => {
                Input::WebConnected { conn: conn?, torrent: torrent()?, web: web?, addr: peer? }
            }
            None => Input::Connected { conn: conn?, torrent: torrent()?, addr: peer? },
        },
        Word::Refused => match web() {
            Some(web) => Input::WebFailed { torrent: torrent()?, web: web? },
            None => Input::ConnectFailed { torrent: torrent()?, addr: peer? },
        },
        Word::Moved => Input::WebMoved { conn: conn?, url: parse_text(rest)? },
        Word::Sent => {
            let payload = fields(rest).next()?.parse().ok()?;
            Input::Sent { conn: conn?, payload, waiting: value(rest, "waiting")?.parse().ok()? }
        }
        Word::Lost => Input::Closed { conn: conn?, why: parse_ending(rest)? },
        Word::Unreadable => {
            Input::SendFailed { conn: conn?, torrent: torrent()?, fault: outcome(1)?.err()? }
        }
        // Without a node of the DHT no datagram means anything.
        Word::Receives => Input::Datagram { from: peer?, bytes: &[] },
        Word::Surveys => parse_survey(torrent()?, outcome(1)?, rest)?,
        Word::Prepares => Input::Prepared { torrent: torrent()?, result: outcome(1)? },
        Word::Writes => {
            let Claim { piece, begin, len } = parse_range(fields(rest).nth(1)?)?;
            let piece = PieceIndex::checked(piece);
            Input::Written { torrent: torrent()?, piece, begin, len, result: outcome(2)? }
        }
        // What was recorded is the world's business; the engine asks only whether it is.
        Word::Saves => {
            Input::Saved { torrent: torrent()?, have: Bits::none(1), result: outcome(1)? }
        }
        Word::Removes => Input::Removed { torrent: torrent()?, result: outcome(1)? },
        Word::Told => parse_told(torrent()?, rest)?,
        Word::Begins
        | Word::Adds
        | Word::Seeks
        | Word::Torrent
        | Word::Stops
        | Word::Ticks
        | Word::Hears
        | Word::Reads
        | Word::Dials
        | Word::Says
        | Word::Serves
        | Word::Unqueues
        | Word::Because
        | Word::Closes
        | Word::Announces => return None,
    })
}

fn parse_settings(rest: &str) -> Option<(Settings, u64)> {
    let number = |key| value(rest, key)?.parse::<u64>().ok();
    let size = |key| usize::try_from(number(key)?).ok();
    let settings = Settings {
        port: u16::try_from(number("port")?).ok()?,
        connections_max: size("connections")?,
        connections_per_torrent_max: size("per-torrent")?,
        unchoked_max: size("unchoked")?,
        seed: value(rest, "shares")?.parse().ok()?,
        explain: value(rest, "explains")?.parse().ok()?,
    };
    Some((settings, number("seed")?))
}

fn parse_quest(rest: &str) -> Option<Quest> {
    let link = parse_text(value(rest, "link")?)?;
    let magnet = Magnet::parse(&link, LocalPeers::Keep).ok()?;
    let (wishes, peers) = parse_wishes(rest)?;
    let (paused, then_rest) = (has(rest, "paused"), has(rest, "then-rests"));
    Some(Quest { magnet, peers, paused, then_rest, wishes })
}

fn parse_wishes(rest: &str) -> Option<(Wishes, Vec<SocketAddr>)> {
    let choice = |letter| {
        let all = [Choice::Skip, Choice::Low, Choice::Normal, Choice::High];
        all.into_iter().find(|choice| choice_letter(*choice) == letter)
    };
    let files = value(rest, "files").unwrap_or_default().chars().map(choice).collect::<Option<_>>();
    let wishes = Wishes { files: files?, sequential: has(rest, "sequential") };
    Some((wishes, parse_peers(rest)?))
}

fn parse_survey(
    torrent: TorrentId,
    outcome: Result<(), DiskFault>,
    rest: &str,
) -> Option<Input<'static>> {
    let stamp = |text: &str| -> Option<Option<FileStamp>> {
        if text == "-" {
            return Some(None);
        }
        let (len, nanos) = text.split_once('@')?;
        Some(Some(FileStamp { len: len.parse().ok()?, modified_nanos: nanos.parse().ok()? }))
    };
    let files: Option<Vec<Option<FileStamp>>> = values(rest, "file").map(stamp).collect();
    let files = files?;
    let resume = match value(rest, "resume") {
        Some(text) => Some(Resume::parse(&hex(text)?).ok()?),
        None => None,
    };
    Some(Input::Surveyed { torrent, result: outcome.map(|()| files), resume })
}

fn parse_read(rest: &str) -> Option<(ReadJob, Result<(), DiskFault>)> {
    let mut words = fields(rest);
    let torrent = parse_torrent(words.next()?)?;
    let Claim { piece, begin, len } = parse_range(words.next()?)?;
    let word = words.next()?;
    let purposes = [ReadFor::Check, ReadFor::Hash, ReadFor::Blame];
    let purpose = purposes.into_iter().find(|purpose| purpose_word(*purpose) == word)?;
    let job = ReadJob { torrent, piece: PieceIndex::checked(piece), begin, len, purpose };
    Some((job, parse_outcome(words.next()?)?))
}

fn parse_told(torrent: TorrentId, rest: &str) -> Option<Input<'static>> {
    let tracker = fields(rest).nth(1)?.parse().ok()?;
    let from: Option<IpAddr> = match value(rest, "from") {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    let number = |key| value(rest, key).and_then(|text| text.parse().ok());
    let result = if has(rest, "ok") {
        Ok(Reply {
            interval_secs: number("interval"),
            min_interval_secs: number("min-interval"),
            seeds: number("seeds"),
            leechers: number("leechers"),
            peers: parse_peers(rest)?,
            tracker_id: value(rest, "id").and_then(unquote),
            warning: value(rest, "warning").and_then(parse_text),
            external_ip: value(rest, "external").and_then(|text| text.parse().ok()),
            wants_have: has(rest, "wants-have"),
        })
    } else {
        let reason = parse_text(value(rest, "reason")?)?;
        let (retry_secs, never) = (number("retry"), has(rest, "never"));
        Err(match has(rest, "refused") {
            true => Refusal::Failure { reason, retry_secs, never },
            false => Refusal::Unreachable(reason),
        })
    };
    Some(Input::Announced { torrent, tracker, from, result })
}

fn parse_ending(rest: &str) -> Option<Closed> {
    match rest {
        "by them" => return Some(Closed::ByThem),
        "broken" => return Some(Closed::Broken),
        _ => {}
    }
    if let Some(status) = rest.strip_prefix("answer ") {
        let status = status.parse().ok()?;
        return Some(Closed::Violation(Violation::WebAnswer { status }));
    }
    // To an engine it is all the same which rule of the link it was.
    rest.starts_with("violation: ").then_some(Closed::Violation(Violation::NotBitTorrent))
}

fn parse_torrent(word: &str) -> Option<TorrentId> {
    word.strip_prefix('t')?.parse().ok().map(TorrentId)
}

fn parse_peers(rest: &str) -> Option<Vec<SocketAddr>> {
    values(rest, "peer").map(|addr| addr.parse().ok()).collect()
}

fn parse_text(quoted: &str) -> Option<String> {
    String::from_utf8(unquote(quoted)?).ok()
}

/// All values of a key that may stand there several times.
fn values<'t>(rest: &'t str, key: &'t str) -> impl Iterator<Item = &'t str> {
    fields(rest).filter_map(move |field| field.strip_prefix(key)?.strip_prefix('='))
}

fn has(rest: &str, word: &str) -> bool {
    fields(rest).any(|field| field == word)
}

/// No read and no block is longer.
const LOADED_BYTES_MAX: u32 = 1024 * 1024;
