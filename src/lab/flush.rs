//! Flush: what leaves a node at the end of its turn.
//!
//! A link says what may leave next; as much of it as the connection's window takes is gathered,
//! the payload of blocks read from the disk on the way, and handed to the network. The rest waits
//! for `Room`. This is what the real world does with one read and one `writev`.

use super::Lab;
use super::disk::Disk;
use super::mishap::Mishap;
use super::net::NodeId;
use super::node::{Node, Role, Talk, Voice};
use super::rope::{Rope, Sink};
use crate::base::{ConnId, TorrentId};
use crate::engine::{Closed, DiskFault, Input};
use crate::format::metainfo::Metainfo;
use crate::wire::Link;
use crate::wire::link::Segment;

/// What came of filling a window.
pub(super) enum Filled {
    /// No payload left, or nobody wants to know.
    Quietly,
    /// So much payload left, and so many blocks still wait.
    Sent { payload: u64, waiting: usize },
    /// The other end takes nothing, and more words wait than may.
    Overfull,
    /// A block of this torrent cannot be read.
    Unreadable(TorrentId, DiskFault),
}

impl Lab {
    /// A node has done what an event asked of it. Unless the clock goes in steps, that was its
    /// turn; otherwise the turn is over when nothing more happens to this node in this step.
    pub(super) fn finish_turn(&mut self, id: NodeId) {
        if self.clock.step_micros() == 1 {
            return self.flush(id);
        }
        if let Some(other) = self.in_turn.replace(id).filter(|&other| other != id) {
            self.flush(other);
        }
    }

    /// Flushes and settles. Sending is reported, the report may want more to be sent, and so on
    /// until windows are full or nobody wants anything.
    pub(super) fn flush(&mut self, id: NodeId) {
        while let Some(conn) = self.nodes[id.0].next_dirty() {
            match self.next_mishap(id) {
                Some(Mishap::Crash(loss)) => return self.crash_and_reboot(id, loss),
                Some(Mishap::Fails(_)) => self.break_off(id, conn),
                None => {}
            }
            let report = match self.fill(id, conn) {
                Filled::Quietly => continue,
                Filled::Sent { payload, waiting } => {
                    self.count_given(id, conn, payload);
                    self.note(id, "sent", format_args!("{conn:?} {payload}"));
                    Input::Sent { conn, payload, waiting }
                }
                Filled::Overfull => {
                    self.note(id, "closes", format_args!("{conn:?} takes no words"));
                    if let Some(talk) = self.nodes[id.0].forget(conn) {
                        self.net.close(self.now, talk.end);
                    }
                    Input::Closed { conn, why: Closed::Broken }
                }
                Filled::Unreadable(torrent, fault) => {
                    self.note(id, "closes", format_args!("{conn:?} cannot read: {fault}"));
                    if let Some(talk) = self.nodes[id.0].forget(conn) {
                        self.net.close(self.now, talk.end);
                    }
                    Input::SendFailed { conn, torrent, fault }
                }
            };
            let now = self.now.time();
            let mut out = std::mem::take(&mut self.out);
            if let Some(engine) = self.nodes[id.0].engine_mut() {
                engine.handle(now, report, &mut out);
            }
            self.act(id, &mut out, &[]);
            self.out = out;
        }
        self.settle(id);
    }

    /// Counts payload that left over a connection.
    fn count_given(&mut self, id: NodeId, conn: ConnId, payload: u64) {
        let end = self.nodes[id.0].talks.get(conn).map(|talk| talk.end);
        if let Some(to) = end.and_then(|end| self.net.node_at(end.other())) {
            self.tally.on_gave(id, to, payload);
        }
    }

    /// Fills one connection's window.
    pub(super) fn fill(&mut self, id: NodeId, conn: ConnId) -> Filled {
        match self.nodes[id.0].talks.get(conn).map(|talk| &talk.voice) {
            Some(Voice::Link(_)) => self.fill_from_link(id, conn),
            Some(Voice::Part(_)) => {
                self.fill_from_part(id, conn);
                Filled::Quietly
            }
            None => Filled::Quietly,
        }
    }

    fn fill_from_link(&mut self, id: NodeId, conn: ConnId) -> Filled {
        let Node { role: Role::Engine(driven), talks, disk, .. } = &mut self.nodes[id.0] else {
            return Filled::Quietly;
        };
        let Some(Talk { end, torrent, voice: Voice::Link(link), .. }) = talks.get_mut(conn) else {
            return Filled::Quietly;
        };
        let verdict = self.judge.on_flush(*end, link.waiting());
        let engine = driven.engine.as_ref();
        let metainfo = torrent.and_then(|torrent| engine?.metainfo(torrent));
        let (mut payload, mut left) = (0, 0);
        while !link.is_idle() {
            let room = self.net.room(*end);
            if let Err(fault) = gather(link, metainfo, disk, room, &mut self.leaving) {
                self.leaving = Rope::new();
                let torrent = torrent.expect("only a block can fail, and it named its torrent");
                return Filled::Unreadable(torrent, fault);
            }
            let len = self.leaving.len();
            if len == 0 {
                break;
            }
            self.net.write_rope(self.now, *end, &mut self.leaving);
            payload += link.sent(len);
            left += len;
        }
        let (waiting, is_overfull) = (link.waiting(), link.is_overfull());
        let end = *end;
        if let Some(witness) = self.judge.witness().filter(|_| left > 0) {
            witness.on_sends(self.now, end);
        }
        self.require(id, verdict);
        match payload {
            _ if is_overfull => Filled::Overfull,
            0 => Filled::Quietly,
            payload => Filled::Sent { payload, waiting },
        }
    }

    /// The same for a scripted peer, whose bytes are all there.
    fn fill_from_part(&mut self, id: NodeId, conn: ConnId) {
        let talk = self.nodes[id.0].talks.get_mut(conn);
        let Some(Talk { end, voice: Voice::Part(part), .. }) = talk else { return };
        let end = *end;
        let served = std::mem::take(&mut part.served_bytes);
        if let Some(to) = self.net.node_at(end.other()) {
            self.tally.on_gave(id, to, served);
        }
        while !part.outgoing.is_empty() {
            let len = self.net.room(end).min(part.outgoing.len());
            if len == 0 {
                return;
            }
            let bytes: Vec<u8> = part.outgoing.drain(..len).collect();
            self.net.write(self.now, end, &bytes);
        }
        if part.wants_reset() {
            self.nodes[id.0].forget(conn);
            self.net.reset(self.now, end);
        }
    }
}

/// Puts the next bytes to leave, at most `room`, into `rope`, which is empty.
fn gather(
    link: &Link,
    metainfo: Option<&Metainfo>,
    disk: &mut Disk,
    room: usize,
    rope: &mut Rope,
) -> Result<(), DiskFault> {
    for segment in link.segments() {
        let space = room - rope.len();
        if space == 0 {
            break;
        }
        match segment {
            Segment::Bytes(words) => rope.bytes(&words[..words.len().min(space)]),
            Segment::Block { head, block, rest } => {
                rope.bytes(&head[..head.len().min(space)]);
                let space = u32::try_from(room - rope.len()).unwrap_or(u32::MAX);
                let len = (rest.end - rest.start).min(space);
                // Unknown if the torrent was dropped a moment ago: then so was its data.
                let Metainfo { info_hash, layout, .. } = metainfo.ok_or(DiskFault::Missing)?;
                if len > 0 {
                    let place = (block.piece(), block.begin() + rest.start);
                    disk.read(*info_hash, layout, place, len, rope)?;
                }
            }
        }
    }
    Ok(())
}
