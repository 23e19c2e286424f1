//! Events: what a scenario makes happen, from a pulled plug to a tracker in a bad mood.

use super::Lab;
use super::disk::{Loss, Speed};
use super::mishap::Mishap;
use super::net::{EndId, Key, Line, NodeId, Side};
use super::node::{Mood, Role};
use super::source::SourceId;
use crate::base::{ConnId, Span};
use crate::engine::control::Control;
use crate::engine::prospects::Quest;
use crate::engine::queue::Limits;
use crate::engine::{DiskFault, Engine, Order, Settings};
use crate::format::magnet::Magnet;
use crate::format::notice::GROUPS;

/// Something that a scenario makes happen.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Switches a node on (again), with its orders.
    Start(NodeId),
    /// It says good-bye and goes.
    Leave(NodeId),
    /// The same for good: it will not start again, and if it is off it stays so.
    Retire(NodeId),
    /// It is gone without a farewell, but for its disk; it comes back, and vanishes again after
    /// such a time on average.
    Vanish(NodeId, Span),
    /// Its power fails.
    Crash(NodeId, Loss),
    /// Its n-th effect from now goes wrong.
    Strike(NodeId, u64, Mishap),
    /// A scripted peer dials.
    Dial(NodeId, NodeId),
    Listen(NodeId, bool),
    Line(NodeId, Line),
    Stall(NodeId, NodeId),
    Resume(NodeId, NodeId),
    /// Resets all connections between two nodes.
    Break(NodeId, NodeId),
    Partition(Vec<NodeId>),
    Heal,
    Disk(NodeId, DiskChange),
    /// The same, if the node is off at that time.
    WhileOff(NodeId, DiskChange),
    Tracker(NodeId, Mood),
    /// A person wants something of a node's torrent.
    Control(NodeId, SourceId, Control),
    /// A person limits how many torrents of a node may run.
    Queue(NodeId, Limits),
    /// A node looks how many bytes of memory it uses, and how many it may.
    Weigh(NodeId, u64, u64),
    /// A person adds a torrent to a node that runs.
    Add(NodeId, SourceId),
}

/// What becomes of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskChange {
    Speed(Speed),
    Room(Option<u64>),
    /// The n-th job from now fails.
    FailJob(u64, DiskFault),
    BreakDown(DiskFault),
    Mend,
    /// One bit of the byte at `offset` of a file turns over.
    Flip {
        source: SourceId,
        file: usize,
        offset: usize,
    },
    /// The same, done by somebody whom the file's time betrays.
    Overwrite {
        source: SourceId,
        file: usize,
        offset: usize,
    },
    Remove {
        source: SourceId,
        file: usize,
    },
}

impl Lab {
    pub(super) fn on_action(&mut self, action: Action) {
        // A start speaks for itself.
        if !matches!(action, Action::Start(_)) {
            self.record.line(self.now, "lab", "world", format_args!("{action:?}"));
        }
        let now = self.now;
        match action {
            Action::Start(node) => self.start(node),
            Action::Leave(node) => self.leave(node),
            Action::Crash(node, loss) => self.crash(node, loss),
            Action::Strike(node, n, mishap) => self.strike(node, n, mishap),
            Action::Retire(node) => self.retire(node),
            Action::Vanish(node, stay) => self.vanish(node, stay),
            Action::Dial(from, to) => {
                self.net.dial(now, from, to);
            }
            Action::Listen(node, listens) => self.net.listen(node, listens),
            Action::Line(node, line) => self.net.set_line(node, line),
            Action::Stall(a, b) => self.net.stall(a, b),
            Action::Resume(a, b) => self.net.resume(now, a, b),
            Action::Break(a, b) => self.net.break_all(now, a, b),
            Action::Partition(nodes) => self.net.partition(&nodes),
            Action::Heal => self.net.heal(now),
            Action::Disk(node, change) => self.change_disk(node, change),
            Action::WhileOff(node, change) => {
                if self.nodes[node.0].engine().is_none() {
                    self.change_disk(node, change);
                }
            }
            Action::Tracker(node, mood) => {
                if let Role::Tracker(tracker) = &mut self.nodes[node.0].role {
                    tracker.mood = mood;
                }
            }
            Action::Control(node, source, control) => self.control(node, source, &control),
            Action::Weigh(node, used, limit) => self.weigh(node, used, limit),
            Action::Queue(node, limits) => self.limit_queue(node, limits),
            Action::Add(node, source) => self.add_late(node, source),
        }
    }

    /// Changes a disk now.
    pub fn change_disk(&mut self, node: NodeId, change: DiskChange) {
        let disk = &mut self.nodes[node.0].disk;
        match change {
            DiskChange::Speed(speed) => disk.set_speed(speed),
            DiskChange::Room(room_bytes) => disk.set_room(room_bytes),
            DiskChange::FailJob(n, fault) => disk.fail_job(n, fault),
            DiskChange::BreakDown(fault) => disk.break_down(fault),
            DiskChange::Mend => disk.mend(),
            DiskChange::Flip { source, file, offset } => {
                disk.flip(self.sources[source.0].info_hash(), file, offset);
            }
            DiskChange::Overwrite { source, file, offset } => {
                disk.overwrite(self.now, self.sources[source.0].info_hash(), file, offset);
            }
            DiskChange::Remove { source, file } => {
                disk.remove(self.sources[source.0].info_hash(), file);
            }
        }
    }

    fn control(&mut self, id: NodeId, source: SourceId, control: &Control) {
        let now = self.now.time();
        let info_hash = self.sources[source.0].info_hash();
        let Some(engine) = self.nodes[id.0].engine_mut() else { return };
        let Some(torrent) = engine.find(info_hash) else { return };
        let mut out = Vec::new();
        engine.control(now, torrent, control, &mut out);
        match control {
            // What it had is no longer what it says to have.
            Control::Verify | Control::Remove { .. } => {
                self.nodes[id.0].complete.remove(&info_hash);
            }
            Control::Start
            | Control::StartNow
            | Control::Stop
            | Control::Reannounce
            | Control::Connect(_)
            | Control::PeersMax(_)
            | Control::Goal(_)
            | Control::Trackers(_)
            | Control::Choose(_) => {}
        }
        self.act(id, &mut out, &[]);
        self.finish_turn(id);
    }

    fn limit_queue(&mut self, id: NodeId, limits: Limits) {
        let now = self.now.time();
        let Some(engine) = self.nodes[id.0].engine_mut() else { return };
        let mut out = Vec::new();
        engine.limit_queue(now, limits, &mut out);
        self.act(id, &mut out, &[]);
        self.finish_turn(id);
    }

    fn weigh(&mut self, id: NodeId, used: u64, limit: u64) {
        let now = self.now.time();
        let Some(engine) = self.nodes[id.0].engine_mut() else { return };
        let mut out = Vec::new();
        engine.weigh(now, used, limit, &mut out);
        self.act(id, &mut out, &[]);
        self.finish_turn(id);
    }

    fn add_late(&mut self, id: NodeId, source: SourceId) {
        let now = self.now.time();
        let order = Order::new(self.sources[source.0].metainfo.clone());
        let Some(engine) = self.nodes[id.0].engine_mut() else { return };
        let mut out = Vec::new();
        engine.add(now, order, &mut out);
        self.act(id, &mut out, &[]);
        self.finish_turn(id);
    }

    pub(super) fn plan_starts(&mut self) {
        for (node, span) in std::mem::take(&mut self.starts) {
            self.at(span, Action::Start(node));
        }
    }

    fn start(&mut self, id: NodeId) {
        let now = self.now.time();
        let urls: Vec<String> = self.trackers.iter().map(|&tracker| self.url(tracker)).collect();
        let seed = self.random.next_u64();
        let node = &mut self.nodes[id.0];
        let Role::Engine(driven) = &mut node.role else { return };
        if driven.engine.is_some() || node.is_retired {
            return;
        }
        node.life += 1;
        node.armed = None;
        driven.is_leaving = false;
        driven.questions = None;
        // Whoever reads the record wants to know why.
        let settings = Settings { explain: self.record.is_on(), ..driven.settings.clone() };
        let engine = driven.engine.insert(Engine::new(settings, seed));
        if driven.calls_locally {
            engine.call_locally(now, GROUPS[..1].to_vec());
        }
        let mut out = Vec::new();
        for wanted in &driven.wishes {
            if wanted.by_link {
                let metainfo = &self.sources[wanted.source.0].metainfo;
                let trackers = if wanted.announced { urls.clone() } else { Vec::new() };
                let magnet = Magnet { trackers, total_bytes: None, ..Magnet::of(metainfo) };
                let (peers, wishes) = (wanted.peers.clone(), wanted.choice.clone());
                engine.seek(now, Quest { peers, wishes, ..Quest::new(magnet) });
                continue;
            }
            let order = Order {
                metainfo: self.sources[wanted.source.0].metainfo.clone(),
                trackers: if wanted.announced { urls.clone() } else { Vec::new() },
                peers: wanted.peers.clone(),
                // Only the first time: whoever starts again has to look.
                whole: wanted.whole && node.life == 1,
                paused: false,
                wishes: wanted.choice.clone(),
                super_seed: wanted.super_seed,
            };
            engine.add(now, order, &mut out);
        }
        self.net.listen(id, true);
        self.note(id, "starts", format_args!(""));
        self.tally.on_start(self.now, id);
        self.act(id, &mut out, &[]);
        self.finish_turn(id);
    }

    fn leave(&mut self, id: NodeId) {
        let now = self.now.time();
        let Role::Engine(driven) = &mut self.nodes[id.0].role else { return };
        let Some(engine) = &mut driven.engine else { return };
        driven.is_leaving = true;
        let mut out = Vec::new();
        engine.stop(now, &mut out);
        self.note(id, "leaves", format_args!(""));
        self.act(id, &mut out, &[]);
        self.finish_turn(id);
    }

    fn retire(&mut self, id: NodeId) {
        self.nodes[id.0].is_retired = true;
        match self.nodes[id.0].engine() {
            Some(_) => self.leave(id),
            None => self.tally.on_left(self.now, id),
        }
    }

    /// Whoever has left, or is about to, cannot vanish.
    fn vanish(&mut self, id: NodeId, stay: Span) {
        let node = &self.nodes[id.0];
        let is_leaving = matches!(&node.role, Role::Engine(driven) if driven.is_leaving);
        let is_here = node.engine().is_some_and(|engine| !engine.is_stopped()) && !is_leaving;
        if is_here {
            self.tally.on_vanished(id);
            self.switch_off(id, "vanishes");
            self.plan_return(id, stay);
        }
    }

    /// Ends a life: whatever is still open is reset, as an operating system would.
    pub(super) fn switch_off(&mut self, id: NodeId, word: &str) {
        self.note(id, word, format_args!(""));
        self.tally.on_off(self.now, id);
        let node = &mut self.nodes[id.0];
        let Role::Engine(driven) = &mut node.role else { return };
        driven.engine = None;
        driven.questions = None;
        node.life += 1;
        node.armed = None;
        node.complete.clear();
        node.is_cut_off = false;
        node.jobs.clear();
        let open: Vec<(EndId, ConnId)> =
            node.talks.iter().map(|(conn, talk)| (talk.end, conn)).collect();
        let dialled: Vec<Key> = std::mem::take(&mut node.dials).into_keys().collect();
        for (end, conn) in open {
            self.nodes[id.0].forget(conn);
            self.net.reset(self.now, end);
        }
        for key in dialled {
            self.net.reset(self.now, EndId { key, side: Side::Dialler });
        }
        self.net.listen(id, false);
        self.judge.forget_node(id);
    }
}
