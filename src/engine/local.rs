//! The node's part in local discovery: peers of the same network, found without anybody's help.
//!
//! ```text
//!  torrents that run ─▶ due every five minutes ─▶ a notice, one a minute at most ─▶ everybody here
//!  Input::Notice ─▶ ours? heard too much? ─▶ a candidate of that torrent
//! ```
//! It is off unless somebody says otherwise: a notice tells the whole network, by broadcast, which
//! torrents a host takes part in. Private torrents are neither told of nor asked about.
//!
//! # Interface
//! `Local` alone: `call` when something may be due, `hear` for each datagram.
//!
//! # Limits
//! `NOTICE_EVERY`, `NOTICES_APART`, `NOTICE_HASHES_MAX` torrents in one; `NOTICES_HEARD_MAX`
//! heard in a minute, whatever they say.
//!
//! # Why
//! A notice is not answered by one of our own: who sent it is called, and knows us then.
//!
//! # Spec
//! BEP 14; BEP 27 (private torrents).

use crate::base::order;
use std::net::SocketAddr;

use super::{Engine, Output};
use crate::base::limits::{
    LOCAL_LOOK_EVERY, NOTICE_EVERY, NOTICE_HASHES_MAX, NOTICES_APART, NOTICES_HEARD_MAX,
};
use crate::base::{InfoHash, Shelf, Time};
use crate::format::notice::Notice;

/// What a node tells its network, and what it hears.
#[derive(Debug)]
pub struct Local {
    /// Where we take connections.
    port: u16,
    /// By which we know our own notices.
    cookie: String,
    /// The groups that we can reach.
    groups: Vec<SocketAddr>,
    /// When each torrent was last told of.
    told: Shelf<InfoHash, Time>,
    /// No notice is sent before.
    rests_until: Time,
    /// When it is looked again whether something is due.
    look_at: Time,
    /// Notices heard since then.
    heard: (Time, u32),
}

impl Local {
    /// `groups`: those that our datagrams reach; `cookie`: by chance.
    pub fn new(now: Time, port: u16, groups: Vec<SocketAddr>, cookie: u32) -> Local {
        let cookie = format!("{cookie:08x}");
        let (told, heard) = (Shelf::default(), (now, 0));
        Local { port, cookie, groups, told, rests_until: now, look_at: now, heard }
    }

    /// What to send now and where to. `running`: the torrents that may be told of.
    pub fn call(&mut self, now: Time, running: &[InfoHash]) -> Vec<(SocketAddr, Vec<u8>)> {
        self.told.retain(|info_hash, _| running.contains(info_hash));
        self.look_at = now + LOCAL_LOOK_EVERY;
        let told = |info_hash: &InfoHash| self.told.get(info_hash).copied();
        let is_due = |hash: &InfoHash| told(hash).is_none_or(|at| now.since(at) >= NOTICE_EVERY);
        let mut due: Vec<InfoHash> = running.iter().copied().filter(is_due).collect();
        if due.is_empty() || now < self.rests_until || self.port == 0 {
            return Vec::new();
        }
        // Who waits longest goes first; a new one waits longest of all.
        order::sort_by_key(&mut due, |info_hash| told(info_hash));
        due.truncate(NOTICE_HASHES_MAX);
        for &info_hash in &due {
            self.told.insert(info_hash, now);
        }
        self.rests_until = now + NOTICES_APART;
        let cookie = Some(self.cookie.as_bytes());
        let notice = Notice { port: self.port, info_hashes: due, cookie };
        let written = self.groups.iter().map(|&group| {
            let mut bytes = Vec::new();
            notice.write(group, &mut bytes);
            (group, bytes)
        });
        written.collect()
    }

    /// Somebody says something to everybody. Returns where they can be called, and for what;
    /// `None` if it is our own notice, none at all, or one too many.
    pub fn hear(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<(SocketAddr, Vec<InfoHash>)> {
        if now.since(self.heard.0) >= NOTICES_APART {
            self.heard = (now, 0);
        }
        self.heard.1 = self.heard.1.saturating_add(1);
        if self.heard.1 > NOTICES_HEARD_MAX {
            return None;
        }
        let notice = Notice::parse(bytes).ok()?;
        let is_ours = notice.cookie == Some(self.cookie.as_bytes());
        let addr = SocketAddr::new(from.ip(), notice.port);
        (!is_ours).then_some((addr, notice.info_hashes))
    }
}

impl Engine {
    /// Takes part in local discovery from now on, through these groups.
    pub fn call_locally(&mut self, now: Time, groups: Vec<SocketAddr>) {
        let [a, b, c, d, ..] = self.random.next_u64().to_le_bytes();
        let cookie = u32::from_le_bytes([a, b, c, d]);
        self.local = Some(Local::new(now, self.settings.port, groups, cookie));
    }

    /// Whether it takes part in local discovery.
    pub fn calls_locally(&self) -> bool {
        self.local.is_some()
    }

    pub(super) fn on_notice(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let heard = self.local.as_mut().and_then(|local| local.hear(now, from, bytes));
        let Some((addr, info_hashes)) = heard else { return };
        for info_hash in info_hashes {
            let Some(id) = self.by_info_hash(info_hash) else { continue };
            if let Some(torrent) = self.torrents.get_mut(&id) {
                torrent.on_neighbour(now, addr);
            } else if let Some(sought) = self.prospects.get_mut(&id) {
                sought.prospect.on_neighbour(now, addr);
            }
        }
    }

    pub(super) fn tick_local(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.local_deadline().is_none_or(|due| due > now) {
            return;
        }
        let torrents = self.torrents.values();
        let public = torrents.filter(|torrent| torrent.is_open() && !torrent.metainfo().private);
        let prospects = self.prospects.values().filter(|sought| sought.prospect.is_open());
        let running: Vec<InfoHash> = public
            .map(|torrent| torrent.metainfo().info_hash)
            .chain(prospects.map(|sought| sought.prospect.info_hash()))
            .collect();
        let Some(local) = &mut self.local else { return };
        for (to, bytes) in local.call(now, &running) {
            out.push(Output::SendDatagram { to, bytes: bytes.into() });
        }
    }

    pub(super) fn local_deadline(&self) -> Option<Time> {
        self.local.as_ref().map(|local| local.look_at)
    }
}
