//! Told: what happens with each peer, and why, for those who asked to be told everything.
//!
//! An engine that explains (also for a trace) says why it asks, chokes and unchokes; here the
//! comings and goings of connections join in. Where nobody asked, nothing is put into words.

use std::net::SocketAddr;

use super::reactor::Reactor;
use crate::base::ConnId;
use crate::engine::{Closed, Event, Input, Output};

impl Reactor {
    /// Puts into words what the engine is about to hear of a peer.
    pub(super) fn tell_of_input(&mut self, input: &Input<'_>) {
        if !self.tells {
            return;
        }
        if let Input::Accepted { addr, .. } = input {
            self.told(*addr, "called us".into());
        } else if let Input::Connected { addr, .. } = input {
            self.told(*addr, "answers our call".into());
        }
    }

    /// Puts into words that a peer is gone.
    pub(super) fn tell_of_loss(&mut self, addr: SocketAddr, why: &Closed) {
        if self.tells {
            let what = match why {
                Closed::ByThem => "closed the connection".into(),
                Closed::Broken => "cannot be reached any more".into(),
                Closed::Violation(violation) => format!("broke a rule: {violation}"),
            };
            self.told(addr, what);
        }
    }

    /// Puts into words what the engine wants of a peer, and why.
    pub(super) fn tell_of_output(&mut self, output: &Output) {
        if !self.tells {
            return;
        }
        if let Output::Connect { addr, .. } = output {
            self.told(*addr, "is called".into());
        } else if let Output::Close { conn, why } = output {
            self.told_of(*conn, format!("is left: {why}"));
        } else if let Output::Because { conn, reason } = output {
            self.told_of(*conn, reason.to_string());
        }
    }

    fn told_of(&mut self, conn: ConnId, what: String) {
        if let Some(addr) = self.table.peer(conn).map(|peer| peer.addr) {
            self.told(addr, what);
        }
    }

    fn told(&mut self, peer: SocketAddr, what: String) {
        self.news.push(Event::Told { peer, what });
    }
}
