//! Datagrams: what nodes send each other without a connection.
//!
//! ```text
//!  Output::SendDatagram ─┐                        ┌─▶ an answer to a question: Asking ─▶ Announced
//!  udp://… ─▶ Asking ────┴─ delay, loss ─▶ a node ┼─▶ Input::Datagram
//!                                                 ├─▶ a tracker: Engine::datagram ─▶ and back
//!                    to a group, to everybody who hears it ─▶ Input::Notice
//! ```
//! Each travels alone and at its own pace, so one may overtake another; it is lost as often as the
//! network loses packets, and where nobody is, or nothing gets through, nobody is told.

use std::net::{IpAddr, SocketAddr};

use super::clock::Moment;
use super::net::NodeId;
use super::node::{Mood, Role};
use super::{Happening, Lab};
use crate::base::{Span, TorrentId};
use crate::engine::{Engine, Input};
use crate::format::announce::{Announce, Refusal, Reply};
use crate::tracker::{Answered, Asking, QuestionId, Step, What};

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Datagram {
    from: NodeId,
    to: NodeId,
    bytes: Box<[u8]>,
    /// It was sent to a group.
    is_notice: bool,
}

impl Datagram {
    /// Whom it reaches.
    pub fn to(&self) -> NodeId {
        self.to
    }
}

/// What a node asks trackers by datagrams, in one life.
#[derive(Debug)]
pub(super) struct Questions {
    asking: Asking,
    asked: Vec<(QuestionId, TorrentId, usize)>,
    /// The earliest call of `tick` that stands in the queue.
    armed: Option<Moment>,
}

/// Whose announce it is: the torrent, and which of its trackers.
pub(super) type Whose = (TorrentId, usize);

impl Lab {
    /// Sends a datagram on its way, from a node's address.
    pub(super) fn send_datagram(&mut self, from: NodeId, to: SocketAddr, bytes: Box<[u8]>) {
        self.send_late(from, to, bytes, Span::ZERO);
    }

    fn send_late(&mut self, from: NodeId, to: SocketAddr, bytes: Box<[u8]>, late: Span) {
        self.note(from, "sends", format_args!("{to} datagram of {}", bytes.len()));
        let is_notice = to.ip().is_multicast();
        let to: Vec<NodeId> = match is_notice {
            true => (0..self.nodes.len()).map(NodeId).filter(|&node| self.hears(node)).collect(),
            false => self.node_at(to).into_iter().collect(),
        };
        for to in to {
            if !self.net.reaches(from, to) || self.net.loses_datagram() {
                continue;
            }
            let at = self.now.after(self.net.travel() + late);
            let datagram = Datagram { from, to, bytes: bytes.clone(), is_notice };
            self.plan(at, Happening::Datagram(Box::new(datagram)));
        }
    }

    /// Whether this node hears what is said to a group.
    fn hears(&self, node: NodeId) -> bool {
        match &self.nodes[node.0].role {
            Role::Engine(driven) => driven.engine.as_ref().is_some_and(Engine::calls_locally),
            Role::Script(_) | Role::Tracker(_) => false,
        }
    }

    /// A datagram has arrived; whoever is not there any more does not miss it.
    pub(super) fn on_datagram(&mut self, datagram: &Datagram) {
        let Datagram { from, to, bytes, is_notice } = datagram;
        let addr = self.nodes[from.0].addr;
        match &self.nodes[to.0].role {
            Role::Engine(driven) if driven.engine.is_some() => {
                self.note(*to, "receives", format_args!("{addr} datagram of {}", bytes.len()));
                if *is_notice {
                    self.tell(*to, Input::Notice { from: addr, bytes });
                } else if !self.was_answer(*to, addr, bytes) {
                    self.tell(*to, Input::Datagram { from: addr, bytes });
                }
            }
            Role::Tracker(tracker) => match tracker.mood.clone() {
                Mood::Well => self.serve_datagram(*to, addr, bytes, Span::ZERO),
                Mood::Slow(late) => self.serve_datagram(*to, addr, bytes, late),
                Mood::Lying(bytes) => self.send_datagram(*to, addr, bytes.into()),
                Mood::Down | Mood::Silent => {}
            },
            Role::Engine(_) | Role::Script(_) => {}
        }
    }

    fn serve_datagram(&mut self, id: NodeId, from: SocketAddr, bytes: &[u8], late: Span) {
        let now = self.now.time();
        let mut answer = Vec::new();
        if let Some(engine) = self.nodes[id.0].engine_mut() {
            engine.datagram(now, from, bytes, &mut answer);
        }
        if !answer.is_empty() {
            self.send_late(id, from, answer.into(), late);
        }
        self.finish_turn(id);
    }

    // ── Questions to trackers ───────────────────────────────────────────────────────────────

    /// Has a node ask the tracker at `addr`.
    pub(super) fn ask_by_datagram(
        &mut self,
        id: NodeId,
        (torrent, tracker): Whose,
        addr: SocketAddr,
        announce: &Announce,
        timeout: Span,
    ) {
        let now = self.now.time();
        // Told nobody in here, and the same whenever this seed is played.
        let [a, b, c, d, e, f, g, h] = self.seed.to_le_bytes();
        let mut secret = [0; 20];
        secret[..8].copy_from_slice(&[a, b, c, d, e, f, g, h]);
        secret[8..16].copy_from_slice(&(id.0 as u64).to_le_bytes());
        let mut steps = Vec::new();
        if let Some(questions) = self.questions(id) {
            let questions = questions.get_or_insert_with(|| Questions::new(secret));
            let what = What::Announce {
                announce: Box::new(announce.clone()),
                url_data: "/announce".to_owned(),
            };
            let question = questions.asking.ask(now, &[addr], what, timeout, &mut steps);
            questions.asked.push((question, torrent, tracker));
        }
        self.take_steps(id, steps);
    }

    /// It may be time to ask again.
    pub(super) fn on_asking_due(&mut self, id: NodeId) {
        let (now, time) = (self.now, self.now.time());
        let mut steps = Vec::new();
        if let Some(Some(questions)) = self.questions(id)
            && questions.armed.take_if(|armed| *armed <= now).is_some()
        {
            questions.asking.tick(time, &mut steps);
        }
        self.take_steps(id, steps);
    }

    fn was_answer(&mut self, id: NodeId, from: SocketAddr, bytes: &[u8]) -> bool {
        let now = self.now.time();
        let mut steps = Vec::new();
        let Some(Some(questions)) = self.questions(id) else { return false };
        let was_answer = questions.asking.on_datagram(now, from, bytes, &mut steps);
        self.take_steps(id, steps);
        was_answer
    }

    fn take_steps(&mut self, id: NodeId, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Send { to, bytes } => self.send_datagram(id, to, bytes),
                Step::Done { question, from, result } => {
                    self.on_question_done(id, question, from, result);
                }
            }
        }
        let life = self.nodes[id.0].life;
        let Some(Some(questions)) = self.questions(id) else { return };
        questions.asking.check();
        let armed = questions.armed;
        let Some(due) = questions.asking.deadline() else { return };
        let at = self.clock.step_at(Moment::of(due).max(self.now));
        if armed.is_none_or(|armed| at < armed) {
            if let Some(Some(questions)) = self.questions(id) {
                questions.armed = Some(at);
            }
            self.plan(at, Happening::AskingDue { node: id, life });
        }
    }

    fn on_question_done(
        &mut self,
        id: NodeId,
        question: QuestionId,
        from: Option<IpAddr>,
        result: Result<Answered, Refusal>,
    ) {
        let Some(Some(questions)) = self.questions(id) else { return };
        let at = questions.asked.iter().position(|(asked, _, _)| *asked == question);
        let Some((_, torrent, tracker)) = at.map(|at| questions.asked.swap_remove(at)) else {
            return;
        };
        let result: Result<Reply, Refusal> = result.and_then(|answered| match answered {
            Answered::Announce(reply) => Ok(reply),
            Answered::Scrape(_) => Err(Refusal::Unreachable("nobody asked for that".to_owned())),
        });
        self.tell_announced(id, (torrent, tracker), from, result);
    }

    /// The questions of a node; `None` if it asks none: it is off, or not one of ours.
    fn questions(&mut self, id: NodeId) -> Option<&mut Option<Questions>> {
        match &mut self.nodes[id.0].role {
            Role::Engine(driven) if driven.engine.is_some() => Some(&mut driven.questions),
            Role::Engine(_) | Role::Script(_) | Role::Tracker(_) => None,
        }
    }
}

impl Questions {
    fn new(secret: [u8; 20]) -> Questions {
        Questions { asking: Asking::new(secret), asked: Vec::new(), armed: None }
    }
}
