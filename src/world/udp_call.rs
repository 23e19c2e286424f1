//! UDP calls: our own announces to trackers that are asked by datagrams.
//!
//! ```text
//!  Output::Announce ─▶ queued ─▶ resolving ─▶ Asking::ask ─▶ steps ─┬─▶ datagrams
//!                      (as every call: http_call)     ▲             └─▶ Announced
//!                                                     └── datagrams, the clock
//! ```
//! What there is to decide, `tracker::asking` decides; here it gets the sockets and the clock.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::http_call::{Call, said};
use super::reactor::Reactor;
use crate::base::TorrentId;
use crate::engine::Input;
use crate::format::announce::{Announce, Refusal};
use crate::tracker::{Answered, QuestionId, Step, What};

/// Whose question it is.
#[derive(Debug)]
pub(super) struct Asked {
    question: QuestionId,
    torrent: TorrentId,
    tracker: usize,
}

impl Reactor {
    /// Asks a tracker at any of these addresses.
    pub(super) fn ask_by_datagram(
        &mut self,
        call: &Call,
        announce: Box<Announce>,
        addrs: &[SocketAddr],
    ) {
        let url_data = call.url().path_and_query.clone();
        let what = What::Announce { announce, url_data };
        let left = call.deadline().since(self.now);
        let (torrent, tracker) = call.whose();
        let question = self.asking.ask(self.now, addrs, what, left, &mut self.steps);
        self.calls.asked.push(Asked { question, torrent, tracker });
        self.take_steps();
    }

    /// Whether what came from `from`, and lies at the beginning of the receive buffer, was an
    /// answer to a question of ours.
    pub(super) fn was_answer(&mut self, from: SocketAddr, len: usize) -> bool {
        let bytes = &self.receive_buffer[..len];
        let was_answer = self.asking.on_datagram(self.now, from, bytes, &mut self.steps);
        self.take_steps();
        was_answer
    }

    /// Sends again what got no answer.
    pub(super) fn run_questions(&mut self) {
        if self.asking.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.asking.tick(self.now, &mut self.steps);
            self.take_steps();
        }
    }

    /// Takes the steps, and those that come of them: what cannot be sent goes elsewhere.
    fn take_steps(&mut self) {
        while !self.steps.is_empty() {
            for step in std::mem::take(&mut self.steps) {
                match step {
                    Step::Send { to, bytes } => {
                        if let Err(error) = self.send_datagram(to, &bytes)
                            && error.kind() != io::ErrorKind::WouldBlock
                        {
                            let why = said(&error);
                            self.asking.on_unsent(self.now, to, &why, &mut self.steps);
                        }
                    }
                    Step::Done { question, from, result } => self.conclude(question, from, result),
                }
            }
        }
    }

    fn conclude(
        &mut self,
        question: QuestionId,
        from: Option<IpAddr>,
        result: Result<Answered, Refusal>,
    ) {
        let asked = &mut self.calls.asked;
        let Some(at) = asked.iter().position(|asked| asked.question == question) else { return };
        let Asked { torrent, tracker, .. } = asked.swap_remove(at);
        let result = result.and_then(|answered| match answered {
            Answered::Announce(reply) => Ok(reply),
            Answered::Scrape(_) => Err(Refusal::Unreachable("the answer is a scrape's".to_owned())),
        });
        self.done.push_back(Input::Announced { torrent, tracker, from, result });
    }
}
