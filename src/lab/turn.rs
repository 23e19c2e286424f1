//! Turn: what a node hears, what it wants then, and how that is carried out.
//!
//! The lab's counterpart of the real reactor's turn, in the same order:
//!
//! ```text
//!   1. one event            bytes arrived, a disk job is done, a deadline passed …
//!   2. engine.handle/tick   → outputs
//!   3. act                  connects, disk jobs, words and blocks queued in links
//!   4. flush                links with something to send fill their windows → Sent → 2.
//!   5. settle               engine.check, the judge's rules, the next deadline is noted
//! ```
//! Outputs are carried out after the machine has returned, while the received bytes are still
//! there; what a disk job answers is an event of its own, later. So nothing re-enters, and an
//! engine cannot tell this world from the other.

use std::net::SocketAddr;

use super::clock::Moment;
use super::mishap::Mishap;
use super::net::{Arrival, EndId, Ending, Key, NodeId};
use super::node::{Node, Role, Talk, Voice, Wanted};
use super::record::Outcome;
use super::scripted::Part;
use super::{Cut, Happening, Job, Lab};
use crate::base::{Block, ConnId, InfoHash, TorrentId};
use crate::engine::{self, Closed, DiskFault, Event, Input, Output, ReadJob, Reason};
use crate::format::layout::Layout;
use crate::trace::words::{Range, Worded};
use crate::wire::{Link, Message};

impl Lab {
    // ── 1. What happened ────────────────────────────────────────────────────────────────────

    pub(super) fn on_arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Accepted(end) => self.on_accepted(end),
            Arrival::Connected(end) => self.on_connected(end),
            Arrival::Failed { key, node } => self.on_connect_failed(key, node),
            Arrival::Bytes { end, .. } => self.read(end),
            Arrival::Room(end) => {
                if let Some((id, conn)) = self.holder(end) {
                    self.nodes[id.0].mark_dirty(conn);
                    self.finish_turn(id);
                }
            }
            Arrival::Ended { end, how } => self.on_ended(end, how),
        }
    }

    fn on_accepted(&mut self, end: EndId) {
        let (Some(id), Some(caller)) = (self.net.node_at(end), self.net.node_at(end.other()))
        else {
            return;
        };
        let addr = caller_addr(&self.nodes[caller.0], end.key);
        let Some(voice) = self.voice_of(id) else { return self.net.reset(self.now, end) };
        let conn = self.hold(id, end, voice);
        self.note(id, "accepts", format_args!("{conn:?} {addr}"));
        match &self.nodes[id.0].role {
            Role::Script(_) => self.play(id, conn),
            Role::Engine(_) | Role::Tracker(_) => self.tell(id, Input::Accepted { conn, addr }),
        }
    }

    fn on_connected(&mut self, end: EndId) {
        let Some(id) = self.net.node_at(end) else { return };
        let dialled = self.nodes[id.0].dials.remove(&end.key);
        let Some(voice) = self.voice_of(id) else { return self.net.reset(self.now, end) };
        let conn = self.hold(id, end, voice);
        self.note(id, "connected", format_args!("{conn:?}"));
        match (dialled, &self.nodes[id.0].role) {
            (Some((torrent, addr)), Role::Engine(_)) => {
                self.tell(id, Input::Connected { conn, torrent, addr });
            }
            _ => self.play(id, conn),
        }
    }

    fn on_connect_failed(&mut self, key: Key, id: NodeId) {
        let Some((torrent, addr)) = self.nodes[id.0].dials.remove(&key) else { return };
        self.note(id, "refused", format_args!("{addr}"));
        self.tell(id, Input::ConnectFailed { torrent, addr });
    }

    fn on_ended(&mut self, end: EndId, how: Ending) {
        let Some((id, conn)) = self.holder(end) else { return };
        self.note(id, "lost", format_args!("{conn:?} {how:?}"));
        self.nodes[id.0].forget(conn);
        self.net.close(self.now, end);
        let why = match how {
            Ending::Orderly => Closed::ByThem,
            Ending::Reset => Closed::Broken,
        };
        if self.nodes[id.0].engine().is_some() {
            self.tell(id, Input::Closed { conn, why });
        }
    }

    /// Hands over what has arrived at this end.
    fn read(&mut self, end: EndId) {
        let mut received = std::mem::take(&mut self.received);
        received.clear();
        if self.clock.step_micros() == 1 {
            self.net.read(end, &mut received);
            self.on_bytes(end, &received);
        } else {
            // A large swarm's payload is not copied: a twentieth of all time.
            while let (true, stretch) = self.net.read_some(end, &mut received) {
                self.on_bytes(end, stretch.as_deref().unwrap_or(&received));
                received.clear();
            }
        }
        self.received = received;
    }

    /// Hands what arrived over, cut as the scenario says.
    fn on_bytes(&mut self, end: EndId, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((id, conn)) = self.holder(end) else { return };
            let len = match self.cut {
                Cut::Whole => rest.len(),
                Cut::Every(len) => len.max(1).min(rest.len()),
                Cut::Random(max) => 1 + self.random.below(max.max(1).min(rest.len())),
            };
            let (received, behind) = rest.split_at(len);
            rest = behind;
            self.note(id, "hears", format_args!("{conn:?} {len}"));
            match self.nodes[id.0].role {
                Role::Script(_) => self.hear(id, conn, received),
                Role::Engine(_) | Role::Tracker(_) => self.feed(id, conn, received),
            }
        }
    }

    /// 2. for bytes: the very function that the real world calls.
    fn feed(&mut self, id: NodeId, conn: ConnId, received: &[u8]) {
        let now = self.now.time();
        let mut out = std::mem::take(&mut self.out);
        self.overhear(id, conn, received);
        let Node { role, talks, .. } = &mut self.nodes[id.0];
        let verdict = match (role, talks.get_mut(conn)) {
            (Role::Engine(driven), Some(Talk { voice: Voice::Link(link), .. })) => {
                let engine = driven.engine.as_mut().expect("a node that is off has no talks");
                engine::feed(engine, link, now, conn, received, &mut out)
            }
            _ => Ok(()),
        };
        self.act(id, &mut out, received);
        self.out = out;
        self.compare_queue(id, conn);
        if let Err(violation) = verdict
            && let Some(talk) = self.nodes[id.0].forget(conn)
        {
            self.note(id, "closes", format_args!("{conn:?} violation: {violation}"));
            self.net.close(self.now, talk.end);
            self.tell(id, Input::Closed { conn, why: Closed::Violation(violation) });
        }
        self.finish_turn(id);
    }

    /// 2. for everything else. Does nothing if the node is off.
    pub(super) fn tell(&mut self, id: NodeId, input: Input<'_>) {
        let now = self.now.time();
        let mut out = std::mem::take(&mut self.out);
        if let Some(engine) = self.nodes[id.0].engine_mut() {
            engine.handle(now, input, &mut out);
        }
        self.act(id, &mut out, &[]);
        self.out = out;
        self.finish_turn(id);
    }

    /// 2. for deadlines.
    pub(super) fn on_wake(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0];
        if node.armed != Some(self.now) {
            return;
        }
        node.armed = None;
        let now = self.now.time();
        let Some(engine) = node.engine_mut() else { return };
        if engine.deadline().is_some_and(|(due, _)| due <= now) {
            let mut out = std::mem::take(&mut self.out);
            engine.tick(now, &mut out);
            let deadline = engine.deadline();
            let (at, count) = node.ticks_at;
            let count = if at.time() == now { count + 1 } else { 1 };
            node.ticks_at = (self.now, count);
            let verdict = self.judge.on_ticked(now, count, deadline);
            self.require(id, verdict);
            self.act(id, &mut out, &[]);
            self.out = out;
        }
        self.finish_turn(id);
    }

    // ── 3. What is wanted ───────────────────────────────────────────────────────────────────

    /// Carries out `out` and empties it. `received`: what `Write` means by its ranges.
    pub(super) fn act(&mut self, id: NodeId, out: &mut Vec<Output>, received: &[u8]) {
        for output in out.drain(..) {
            // What is only news has no way to fail.
            let is_effect = !matches!(output, Output::Event(_) | Output::Because { .. });
            match is_effect.then(|| self.next_mishap(id)).flatten() {
                Some(Mishap::Crash(loss)) => return self.crash_and_reboot(id, loss),
                Some(Mishap::Fails(fault)) => self.spoil(id, &output, fault),
                None => {}
            }
            match output {
                Output::Connect { torrent, addr } => self.connect(id, torrent, addr),
                // There is no web in here.
                Output::CallWeb { torrent, web, .. } => {
                    self.tell(id, Input::WebFailed { torrent, web });
                }
                Output::SendHandshake { conn, handshake } => {
                    self.note(id, "says", format_args!("{conn:?} handshake"));
                    let source = self.by_hash.get(&handshake.info_hash).copied();
                    if let Some(link) = self.link_mut(id, conn) {
                        link.send_handshake(&handshake);
                    }
                    if let Some(talk) = self.nodes[id.0].talks.get_mut(conn) {
                        talk.source = source;
                    }
                }
                Output::Send { conn, message } => self.send(id, conn, &message),
                Output::SendBlock { conn, torrent, block } => {
                    self.send_block(id, conn, torrent, block);
                }
                Output::CancelBlock { conn, block } => {
                    self.note(id, "unqueues", format_args!("{conn:?} {}", Range::from(block)));
                    if let Some(link) = self.link_mut(id, conn) {
                        link.cancel(block);
                    }
                }
                Output::DropBlocks { conn } => {
                    self.note(id, "unqueues", format_args!("{conn:?} all"));
                    if let Some(link) = self.link_mut(id, conn) {
                        link.drop_blocks();
                    }
                }
                Output::Close { conn, why } => self.close(id, conn, why),
                Output::Survey { torrent } => self.survey(id, torrent),
                Output::Prepare { torrent } => self.prepare(id, torrent),
                Output::Write { torrent, piece, begin, at } => {
                    let bytes = &received[at];
                    let begun = self.now;
                    let len = u32::try_from(bytes.len()).expect("a part of a block");
                    let result = self.with_disk(id, torrent, |disk, name, layout| {
                        disk.write(begun, name, layout, (piece, begin), bytes)
                    });
                    let Some(result) = result else { continue };
                    let what = format_args!(
                        "{torrent:?} {}+{begin}+{len} {}",
                        piece.get(),
                        Outcome(&result)
                    );
                    self.note(id, "writes", what);
                    let job = Job::Written { torrent, piece, begin, len, result };
                    self.job_done(id, bytes.len(), job);
                }
                Output::Read(job) => self.read_disk(id, job),
                Output::Save { torrent, have, uploaded, downloaded, clean } => {
                    self.judge_record(id, torrent, &have);
                    let kept = have.clone();
                    let result = self.with_disk(id, torrent, |disk, name, layout| {
                        disk.save(name, layout, kept, (uploaded, downloaded), clean)
                    });
                    let Some(result) = result else { continue };
                    let outcome = Outcome(&result);
                    self.note(id, "saves", format_args!("{torrent:?} {} {outcome}", have.count()));
                    self.job_done(id, 0, Job::Saved { torrent, have, result });
                }
                Output::Remove { torrent, erase } => {
                    let result =
                        self.with_disk(id, torrent, |disk, name, _| disk.forget(name, erase));
                    let Some(result) = result else { continue };
                    self.note(id, "removes", format_args!("{torrent:?} {erase}"));
                    self.job_done(id, 0, Job::Removed { torrent, result });
                }
                Output::Announce { torrent, tracker, url, announce, timeout } => {
                    self.announce(id, torrent, tracker, &url, &announce, timeout);
                }
                Output::SendDatagram { to, bytes } => self.send_datagram(id, to, bytes),
                // Nobody in here has a name.
                Output::LookUp { endpoint, .. } => {
                    self.note(id, "looks-up", format_args!("{endpoint}"));
                }
                Output::Event(event) => self.on_event(id, &event),
                Output::Because { conn, reason } => self.explain(id, conn, reason),
            }
        }
    }

    fn connect(&mut self, id: NodeId, torrent: TorrentId, addr: SocketAddr) {
        self.note(id, "dials", format_args!("{torrent:?} {addr}"));
        let is_cut_off = self.is_cut_off(id);
        let key = match self.node_at(addr).filter(|_| !is_cut_off) {
            Some(to) => self.net.dial(self.now, id, to).key,
            None => self.net.dial_nobody(self.now, id),
        };
        self.nodes[id.0].dials.insert(key, (torrent, addr));
    }

    fn send(&mut self, id: NodeId, conn: ConnId, message: &Message) {
        self.note(id, "says", format_args!("{conn:?} {}", Worded(message)));
        let Lab { judge, nodes, sources, tally, now, .. } = self;
        tally.on_says(id, message);
        let node = &nodes[id.0];
        let Some(talk) = node.talks.get(conn) else { return };
        if let Some(source) = talk.source {
            let verdict = judge.on_says(*now, node, &sources[source.0], talk.end, message);
            self.require(id, verdict);
        }
        if let Some(link) = self.link_mut(id, conn) {
            link.send(message);
        }
    }

    fn send_block(&mut self, id: NodeId, conn: ConnId, torrent: TorrentId, block: Block) {
        self.note(id, "serves", format_args!("{conn:?} {}", Range::from(block)));
        let Some(talk) = self.nodes[id.0].talks.get_mut(conn) else { return };
        talk.torrent = Some(torrent);
        let end = talk.end;
        let asker = self.net.node_at(end.other());
        let is_ours = asker.is_some_and(|asker| self.nodes[asker.0].engine().is_some());
        let verdict = self.judge.on_serves(end, block.claim(), is_ours);
        self.require(id, verdict);
        if let Some(link) = self.link_mut(id, conn) {
            link.send_block(block);
        }
    }

    fn explain(&mut self, id: NodeId, conn: ConnId, reason: Reason) {
        let Some(talk) = self.nodes[id.0].talks.get(conn) else { return };
        let Some(peer) = self.net.node_at(talk.end.other()) else { return };
        let Lab { record, nodes, now, .. } = self;
        let (us, them) = (&nodes[id.0].name, &nodes[peer.0].name);
        record.line(*now, us, "because", format_args!("{conn:?} {them} {reason}"));
    }

    fn close(&mut self, id: NodeId, conn: ConnId, why: &'static str) {
        // What can leave at once does; what it would report is of no use any more.
        let _ = self.fill(id, conn);
        if let Some(talk) = self.nodes[id.0].forget(conn) {
            self.note(id, "closes", format_args!("{conn:?} {why}"));
            self.net.close(self.now, talk.end);
        }
    }

    fn survey(&mut self, id: NodeId, torrent: TorrentId) {
        let answer = self.with_disk(id, torrent, |disk, name, layout| disk.survey(name, layout));
        let Some((result, resume)) = answer else { return };
        self.note(id, "surveys", format_args!("{torrent:?} {}", Outcome(&drop_ok(&result))));
        self.job_done(id, 0, Job::Surveyed { torrent, result, resume: resume.map(Box::new) });
    }

    fn prepare(&mut self, id: NodeId, torrent: TorrentId) {
        let now = self.now;
        let result =
            self.with_disk(id, torrent, |disk, name, layout| disk.prepare(now, name, layout));
        let Some(result) = result else { return };
        self.note(id, "prepares", format_args!("{torrent:?} {}", Outcome(&result)));
        self.job_done(id, 0, Job::Prepared { torrent, result });
    }

    fn read_disk(&mut self, id: NodeId, job: ReadJob) {
        let mut bytes = Vec::new();
        let place = (job.piece, job.begin);
        let result = self.with_disk(id, job.torrent, |disk, name, layout| {
            disk.read(name, layout, place, job.len, &mut bytes)
        });
        let Some(result) = result else { return };
        let (piece, begin, len) = (job.piece.get(), job.begin, job.len);
        let outcome = Outcome(&result);
        self.note(
            id,
            "reads",
            format_args!("{:?} {piece}+{begin}+{len} {:?} {outcome}", job.torrent, job.purpose),
        );
        let read = bytes.len();
        self.job_done(id, read, Job::Read { job, result: result.map(|()| bytes) });
    }

    fn on_event(&mut self, id: NodeId, event: &Event) {
        self.note(id, "event", format_args!("{event:?}"));
        self.tally.on_event(self.now, id, event);
        if let Event::Banned { addr, .. } = event {
            self.judge_ban(id, *addr);
        }
        if let Event::Learned { torrent } = event {
            self.keep_learned(id, *torrent);
        }
        if let Event::Complete { info_hash, .. } = event {
            self.compare_what_is_said(id, *info_hash);
        }
    }

    /// What was a link is a torrent from now on, also after a restart.
    fn keep_learned(&mut self, id: NodeId, torrent: TorrentId) {
        let Lab { nodes, by_hash, .. } = self;
        let Role::Engine(driven) = &mut nodes[id.0].role else { return };
        let metainfo = driven.engine.as_ref().and_then(|engine| engine.metainfo(torrent));
        let source = metainfo.and_then(|metainfo| by_hash.get(&metainfo.info_hash));
        let learned = |wanted: &&mut Wanted| Some(&wanted.source) == source;
        driven.wishes.iter_mut().filter(learned).for_each(|wanted| wanted.by_link = false);
    }

    /// Notes that a disk job of so many bytes is under way; its answer is an event of its own.
    fn job_done(&mut self, id: NodeId, bytes: usize, job: Job) {
        let at = self.nodes[id.0].disk.done_at(self.now, bytes);
        let life = self.nodes[id.0].life;
        *self.nodes[id.0].jobs.get_or_insert_with(job.kind(), || 0) += 1;
        self.plan(at, Happening::Done { node: id, life, job });
    }

    pub(super) fn on_done(&mut self, id: NodeId, job: Job) {
        if let Some(count) = self.nodes[id.0].jobs.get_mut(&job.kind()) {
            *count -= 1;
        }
        match job {
            Job::Surveyed { torrent, result, resume } => {
                let resume = resume.map(|resume| *resume);
                self.tell(id, Input::Surveyed { torrent, result, resume });
            }
            Job::Prepared { torrent, result } => {
                self.tell(id, Input::Prepared { torrent, result });
            }
            Job::Written { torrent, piece, begin, len, result } => {
                self.tell(id, Input::Written { torrent, piece, begin, len, result });
            }
            Job::Read { job, result } => {
                let result = result.as_deref().map_err(|&fault| fault);
                self.tell(id, Input::Read { job, result });
            }
            Job::Saved { torrent, have, result } => {
                self.tell(id, Input::Saved { torrent, have, result });
            }
            Job::Removed { torrent, result } => {
                self.tell(id, Input::Removed { torrent, result });
            }
        }
    }

    // ── 5. What is true now (4. is in `flush`) ─────────────────────────────────────────────────────────────────

    pub(super) fn settle(&mut self, id: NodeId) {
        let node = &self.nodes[id.0];
        let is_leaving = matches!(&node.role, Role::Engine(driven) if driven.is_leaving);
        let Some(engine) = node.engine() else { return };
        let is_over = is_leaving && engine.is_stopped();
        let due = engine.deadline();
        let verdict = self.judge.on_settled(self.now, id, &self.nodes[id.0]);
        self.require(id, verdict);
        if is_over {
            return self.switch_off(id, "gone");
        }
        let node = &mut self.nodes[id.0];
        if let Some((due, _)) = due {
            let at = self.clock.step_at(Moment::of(due).max(self.now));
            if node.armed.is_none_or(|armed| at < armed) {
                node.armed = Some(at);
                let life = node.life;
                self.plan(at, Happening::Wake { node: id, life });
            }
        }
    }

    // ── Finding things ──────────────────────────────────────────────────────────────────────

    /// How a new connection is heard at this node; `None` if nobody is at home.
    fn voice_of(&self, id: NodeId) -> Option<Voice> {
        match &self.nodes[id.0].role {
            Role::Engine(driven) => driven.engine.is_some().then(|| Voice::Link(Link::new())),
            Role::Script(script) => {
                Some(Voice::Part(Box::new(Part::new(&self.sources[script.source.0]))))
            }
            Role::Tracker(_) => None,
        }
    }

    /// Gives a node a new connection.
    fn hold(&mut self, id: NodeId, end: EndId, voice: Voice) -> ConnId {
        let conn = self.nodes[id.0].hold(end, voice);
        self.net.set_holder(end, conn);
        conn
    }

    /// Whose end this is, and what it calls the connection.
    fn holder(&self, end: EndId) -> Option<(NodeId, ConnId)> {
        let (id, conn) = self.net.held_by(end)?;
        self.nodes[id.0].talks.get(conn)?;
        Some((id, conn))
    }

    /// The link of a connection, which has something to send from now on.
    fn link_mut(&mut self, id: NodeId, conn: ConnId) -> Option<&mut Link> {
        let node = &mut self.nodes[id.0];
        node.mark_dirty(conn);
        match &mut node.talks.get_mut(conn)?.voice {
            Voice::Link(link) => Some(link),
            Voice::Part(_) => None,
        }
    }

    /// Calls `job` with a node's disk and the torrent's layout; `None` if the torrent is gone.
    fn with_disk<R>(
        &mut self,
        id: NodeId,
        torrent: TorrentId,
        job: impl FnOnce(&mut super::disk::Disk, InfoHash, &Layout) -> R,
    ) -> Option<R> {
        let Node { role: Role::Engine(driven), disk, .. } = &mut self.nodes[id.0] else {
            return None;
        };
        let metainfo = driven.engine.as_ref()?.metainfo(torrent)?;
        Some(job(disk, metainfo.info_hash, &metainfo.layout))
    }
}

/// Where a caller seems to call from: its own address, and a port of the moment.
fn caller_addr(caller: &Node, key: Key) -> SocketAddr {
    let port = 20_000 + u16::try_from(key.0 % 40_000).expect("below 40,000");
    SocketAddr::new(caller.addr.ip(), port)
}

fn drop_ok<T>(result: &Result<T, DiskFault>) -> Result<(), DiskFault> {
    result.as_ref().map(|_| ()).map_err(|&fault| fault)
}
