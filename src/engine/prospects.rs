//! Prospects: torrents to be, from a magnet link to the first survey.
//!
//! ```text
//!  seek(link) ─▶ Prospect ── metadata found ─▶ Event::Learned, Torrent (same id) ─▶ Survey …
//!                   │                            ▲   ▲
//!                   └─ connections, trackers, ───┘   └─ all that the peers said so far
//!                      addresses
//! ```
//! Until the metadata is here the rest of the node does not know the torrent: it is in no queue,
//! has no files and no layout. What a person wants of it meanwhile (other files, to stop) is kept
//! here.
//!
//! # Interface
//! `seek` takes a link on. `sought` and `prospects` tell of those that are not found yet.

use std::net::SocketAddr;

use super::control::Control;
use super::{Engine, Order, Output};
use crate::base::{ConnId, Random, Time, TorrentId};
use crate::border::Event;
use crate::format::magnet::Magnet;
use crate::torrent::goal::Goal;
use crate::torrent::prospect::{Found, Prospect};
use crate::torrent::selection::{Choice, Wishes};
use crate::wire::Message;

/// A magnet link to be followed.
#[derive(Clone, Debug)]
pub struct Quest {
    pub magnet: Magnet,
    /// Further peers, given by hand.
    pub peers: Vec<SocketAddr>,
    /// Take it on, and look for nothing until somebody starts it.
    pub paused: bool,
    /// Once its metadata is here, leave it at that until somebody starts it.
    pub then_rest: bool,
    pub wishes: Wishes,
}

/// A torrent to be, and what it is to be told when it is one.
#[derive(Debug)]
pub struct Sought {
    pub prospect: Prospect,
    wishes: Wishes,
    then_rest: bool,
    goal: Goal,
    peers_max: Option<usize>,
}

impl Quest {
    /// Nothing is known but the link itself.
    pub fn new(magnet: Magnet) -> Quest {
        let (peers, wishes) = (Vec::new(), Wishes::default());
        Quest { magnet, peers, paused: false, then_rest: false, wishes }
    }
}

impl Engine {
    /// Follows a magnet link. `None` if there is already a torrent of this info-hash.
    pub fn seek(&mut self, now: Time, quest: Quest) -> Option<TorrentId> {
        let Quest { magnet, peers, paused, then_rest, wishes } = quest;
        if self.by_info_hash(magnet.info_hash).is_some() {
            return None;
        }
        let id = self.next_id();
        let random = Random::new(self.random.next_u64());
        let mut prospect = Prospect::new(now, id, self.identity(), magnet, paused, random);
        peers.into_iter().for_each(|addr| prospect.connect(now, addr));
        let goal = self.usual_goal;
        let sought = Sought { prospect, wishes, then_rest, goal, peers_max: None };
        self.prospects.insert(id, sought);
        Some(id)
    }

    /// Those whose metadata is not here yet, in the order of arrival.
    pub fn prospects(&self) -> Vec<TorrentId> {
        self.prospects.keys().copied().collect()
    }

    /// One of them.
    pub fn sought(&self, id: TorrentId) -> Option<&Prospect> {
        self.prospects.get(&id).map(|sought| &sought.prospect)
    }

    /// Does what a person wants of a torrent to be.
    pub(super) fn control_prospect(
        &mut self,
        now: Time,
        id: TorrentId,
        control: &Control,
        out: &mut Vec<Output>,
    ) -> bool {
        let stopping = self.stopping;
        let Some(sought) = self.prospects.get_mut(&id) else { return false };
        let prospect = &mut sought.prospect;
        match control {
            Control::Start | Control::StartNow if stopping => {}
            Control::Start | Control::StartNow => prospect.go_on(now),
            Control::Stop => prospect.stop(now, out),
            // There is nothing on disk yet.
            Control::Verify => {}
            Control::Reannounce => prospect.reannounce(now),
            Control::Remove { erase: _ } => {
                prospect.stop(now, out);
                self.prospects.remove(&id);
                out.push(Output::Event(Event::Removed { torrent: id, fault: None }));
            }
            Control::Connect(addr) => prospect.connect(now, *addr),
            Control::PeersMax(peers_max) => {
                prospect.set_peers_max(*peers_max);
                sought.peers_max = Some(*peers_max);
            }
            Control::Goal(goal) => sought.goal = *goal,
            Control::Trackers(tiers) => prospect.set_trackers(now, tiers),
            Control::Choose(wishes) => sought.wishes = wishes.clone(),
        }
        true
    }

    /// A peer of a prospect says something.
    pub(super) fn on_prospect_message(
        &mut self,
        now: Time,
        conn: ConnId,
        message: Message,
        out: &mut Vec<Output>,
    ) {
        let Some(id) = self.conns.get(&conn).copied() else { return };
        let Some(sought) = self.prospects.get_mut(&id) else { return };
        sought.prospect.on_message(now, conn, message, out);
        if let Some(found) = sought.prospect.take_found() {
            self.promote(now, id, found, out);
        }
    }

    /// The metadata is here: from now on it is a torrent.
    fn promote(&mut self, now: Time, id: TorrentId, found: Found, out: &mut Vec<Output>) {
        let Some(sought) = self.prospects.remove(&id) else { return };
        let Found { mut metainfo, magnet, suitors, announcer, candidates } = found;
        metainfo.web_seeds.clone_from(&magnet.web_seeds);
        let files = metainfo.layout.files().len();
        let mut order = Order::new(metainfo);
        order.wishes = sought.wishes;
        order.paused = sought.then_rest;
        if order.wishes.files.is_empty() && !magnet.select.is_empty() {
            order.wishes.files = selected(&magnet.select, files);
        }
        out.push(Output::Event(Event::Learned { torrent: id }));
        self.take_on(now, id, order, out);
        let Some(torrent) = self.torrents.get_mut(&id) else { return };
        torrent.inherit(announcer, candidates);
        torrent.set_goal(sought.goal);
        sought.peers_max.into_iter().for_each(|most| torrent.set_peers_max(most));
        if torrent.waits() || !torrent.is_open() {
            // It has no place in the queue, or is to rest, and speaks to nobody meanwhile.
            let why = "waits for its turn";
            out.extend(suitors.into_keys().map(|conn| Output::Close { conn, why }));
            return;
        }
        for (conn, suitor) in suitors {
            let peer = (&suitor.theirs, suitor.dialled);
            torrent.on_peer(now, conn, suitor.addr, peer, out);
            torrent.hear_again(now, conn, suitor.extensions);
            let heard = suitor.held.into_iter();
            let said = heard.map(|message| torrent.on_message(now, conn, message, out));
            if said.collect::<Result<Vec<()>, _>>().is_err() {
                out.push(Output::Close { conn, why: "broke the protocol" });
                torrent.on_gone(now, conn);
            }
        }
    }
}

/// The files that a link selects (BEP 53).
fn selected(ranges: &[(u32, u32)], files: usize) -> Vec<Choice> {
    let numbers = 0..u32::try_from(files).unwrap_or(u32::MAX);
    let is_named = |file: u32| ranges.iter().any(|&(first, last)| (first..=last).contains(&file));
    numbers.map(|file| if is_named(file) { Choice::Normal } else { Choice::Skip }).collect()
}
