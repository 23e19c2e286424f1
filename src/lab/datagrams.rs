//! Datagrams: what nodes send each other without a connection.
//!
//! Each travels alone and at its own pace, so one may overtake another; it is lost as often as the
//! network loses packets, and where nobody is, or nothing gets through, nobody is told.

use std::net::SocketAddr;

use super::net::NodeId;
use super::node::Role;
use super::{Happening, Lab};
use crate::engine::Input;

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Datagram {
    from: NodeId,
    to: NodeId,
    bytes: Box<[u8]>,
}

impl Lab {
    /// Sends a datagram on its way, from a node's address.
    pub(super) fn send_datagram(&mut self, from: NodeId, to: SocketAddr, bytes: Box<[u8]>) {
        self.note(from, "sends", format_args!("{to} datagram of {}", bytes.len()));
        let Some(to) = self.node_at(to) else { return };
        if !self.net.reaches(from, to) || self.net.loses_datagram() {
            return;
        }
        let at = self.now.after(self.net.travel(from, to));
        self.clock.push(at, Happening::Datagram(Box::new(Datagram { from, to, bytes })));
    }

    /// A datagram has arrived; whoever is not there any more does not miss it.
    pub(super) fn on_datagram(&mut self, datagram: &Datagram) {
        let Datagram { from, to, bytes } = datagram;
        let from = self.nodes[from.0].addr;
        match &self.nodes[to.0].role {
            Role::Engine(driven) if driven.engine.is_some() => {
                self.note(*to, "receives", format_args!("{from} datagram of {}", bytes.len()));
                self.tell(*to, Input::Datagram { from, bytes });
            }
            Role::Engine(_) | Role::Script(_) | Role::Tracker(_) => {}
        }
    }
}
