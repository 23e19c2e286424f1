//! Control: what a person may ask of a running node, as values.
//!
//! A remote control, a command or a test says a `Control` for one torrent; it takes effect at once
//! or as soon as the torrent can. Nothing here knows how it was said: `rpc` turns JSON into these.
//!
//! ```text
//!  person ─▶ rpc: JSON ─▶ Control ─▶ Engine::control ─▶ Torrent (will.rs) ─▶ outputs
//! ```
//!
//! # Interface
//! `control` for each wish; `find` tells the torrent of an info-hash. A torrent that is being
//! removed is not found any more, and can be added again when it is gone.

use std::net::SocketAddr;

use super::{Engine, Output};
use crate::base::{InfoHash, Time, TorrentId};
use crate::border::DiskFault;
use crate::torrent::Torrent;
use crate::torrent::goal::Goal;
use crate::torrent::selection::Wishes;

/// A wish that concerns one torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Control {
    /// Go on, or try again what failed; where there is a queue, when there is a place.
    Start,
    /// The same without waiting for a place.
    StartNow,
    /// Say good-bye to peers and trackers, and rest.
    Stop,
    /// Read every byte on disk; believe no record.
    Verify,
    /// Ask the trackers now.
    Reannounce,
    /// Say good-bye and be gone; with `erase`, the files too.
    Remove { erase: bool },
    /// Dial a peer.
    Connect(SocketAddr),
    /// Have at most so many peers.
    PeersMax(usize),
    /// Stop by yourself when this is reached.
    Goal(Goal),
    /// Have these trackers, in these tiers.
    Trackers(Vec<Vec<String>>),
    /// Fetch these files, in this order.
    Choose(Wishes),
}

impl Engine {
    /// Does what a person wants of a torrent. Returns whether there is such a torrent.
    pub fn control(
        &mut self,
        now: Time,
        id: TorrentId,
        control: &Control,
        out: &mut Vec<Output>,
    ) -> bool {
        let before = out.len();
        let stopping = self.stopping;
        let Some(torrent) = self.torrents.get_mut(&id).filter(|torrent| !torrent.is_leaving())
        else {
            let is_sought = self.control_prospect(now, id, control, out);
            self.after(now, before, out);
            return is_sought;
        };
        match control {
            // Who is on the way out begins nothing.
            Control::Start | Control::StartNow | Control::Verify if stopping => {}
            Control::Start => {
                if torrent.rests() && self.queue.is_limited() {
                    torrent.wait_for_place();
                }
                torrent.go_on(now, out);
            }
            Control::StartNow => {
                torrent.let_run(now);
                torrent.go_on(now, out);
            }
            Control::Stop => torrent.rest(now, out),
            Control::Verify => torrent.verify(now, out),
            Control::Reannounce => torrent.reannounce(now),
            Control::Remove { erase } => torrent.remove(now, *erase, out),
            Control::Connect(addr) => torrent.connect(now, *addr),
            Control::PeersMax(peers_max) => torrent.set_peers_max(*peers_max),
            Control::Goal(goal) => torrent.set_goal(*goal),
            Control::Trackers(tiers) => torrent.set_trackers(now, tiers),
            Control::Choose(wishes) => torrent.choose(now, wishes, out),
        }
        self.unsettle_queue();
        self.after(now, before, out);
        true
    }

    /// The torrent of this info-hash, unless it is being removed.
    pub fn find(&self, info_hash: InfoHash) -> Option<TorrentId> {
        let id = self.by_info_hash(info_hash)?;
        self.is_here(id).then_some(id)
    }

    /// Whether there is such a torrent, and nobody has it removed.
    pub fn is_here(&self, id: TorrentId) -> bool {
        let is_sought = self.prospects.contains_key(&id);
        is_sought || self.torrents.get(&id).is_some_and(|torrent| !torrent.is_leaving())
    }

    /// A torrent, to be asked for details.
    pub fn torrent(&mut self, id: TorrentId) -> Option<&mut Torrent> {
        self.torrents.get_mut(&id).filter(|torrent| !torrent.is_leaving())
    }

    /// The world did away with a torrent.
    pub(super) fn on_removed(
        &mut self,
        id: TorrentId,
        result: Result<(), DiskFault>,
        out: &mut Vec<Output>,
    ) {
        self.throttle.forget(id);
        if let Some(torrent) = self.torrents.remove(&id) {
            assert_eq!(torrent.peer_count(), 0, "{id:?} goes with peers");
            torrent.on_removed(result, out);
        }
    }
}
