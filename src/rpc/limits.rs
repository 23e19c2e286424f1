//! Limits: which of those that a person set are in force: rates, places in the queue, goals.
//!
//! ```text
//!  node      alt-speed-enabled ? alt-speed-up/-down : speed-limit-up/-down, if enabled
//!  torrent   uploadLimit, downloadLimit, if limited; honorsSessionLimits: the node's, too
//!  goals     seedRatioMode, seedIdleMode: 0 the node's, if it has one; 1 its own; 2 none
//!  peers     peer-limit-global: no more in all, whatever a torrent may have
//!  queue     download-queue-size, seed-queue-size, queue-stalled-minutes, if enabled
//! ```
//! Remote controls count in kB of 1000 bytes; the engine's throttle, which obeys, in bytes.

use super::{Effects, Rpc, session};
use crate::base::{Span, Time, TorrentId};
use crate::engine::queue::Limits;
use crate::engine::{Engine, Way};
use crate::torrent::goal::Goal;

/// A `seedRatioMode` or `seedIdleMode`: nothing is ever enough. 1: what the torrent says.
pub const NO_GOAL: u8 = 2;
const OWN_GOAL: u8 = 1;

/// What remote controls call a kB.
const KB: u64 = 1000;

/// By way: switched on by, and set by; in the usual case and with the "turtle" on.
const USUAL: [(Way, &str, &str); 2] = [
    (Way::Up, "speed-limit-up-enabled", "speed-limit-up"),
    (Way::Down, "speed-limit-down-enabled", "speed-limit-down"),
];
const TURTLE: [(Way, &str, &str); 2] = [
    (Way::Up, "alt-speed-enabled", "alt-speed-up"),
    (Way::Down, "alt-speed-enabled", "alt-speed-down"),
];

impl Rpc {
    /// Puts the node's limits in force.
    pub(super) fn limit_node(&self, now: Time, engine: &mut Engine) {
        let turtle = session::is_set(&self.session, "alt-speed-enabled");
        for (way, switch, rate) in if turtle { TURTLE } else { USUAL } {
            let is_on = session::is_set(&self.session, switch);
            let rate = u64::try_from(session::number(&self.session, rate)).unwrap_or(0);
            engine.throttle().limit(now, way, None, is_on.then_some(rate * KB));
        }
    }

    /// Puts the limits of the queue in force.
    pub(super) fn limit_queue(&self, now: Time, engine: &mut Engine, effects: &mut Effects) {
        let number = |switch, number| {
            let is_on = session::is_set(&self.session, switch);
            is_on.then(|| u32::try_from(session::number(&self.session, number)).unwrap_or(0))
        };
        let size = |size: Option<u32>| size.and_then(|size| usize::try_from(size).ok());
        let minutes = number("queue-stalled-enabled", "queue-stalled-minutes");
        let limits = Limits {
            download: size(number("download-queue-enabled", "download-queue-size")),
            seed: size(number("seed-queue-enabled", "seed-queue-size")),
            stalled_after: minutes.map(|minutes| Span::from_secs(60).times(minutes.max(1).into())),
        };
        engine.limit_queue(now, limits, &mut effects.out);
    }

    /// Puts the limit on peers of the whole node in force, if a person set one.
    pub(super) fn limit_connections(&self, now: Time, engine: &mut Engine, effects: &mut Effects) {
        let key = "peer-limit-global";
        if self.session.wishes.contains_key(key) {
            let most = usize::try_from(session::number(&self.session, key)).unwrap_or(1);
            engine.limit_connections(now, most.max(1), &mut effects.out);
        }
    }

    /// Puts in force whether peers are exchanged with peers.
    pub(super) fn mind_exchange(&self, now: Time, engine: &mut Engine, effects: &mut Effects) {
        let pex = session::is_set(&self.session, "pex-enabled");
        engine.set_pex(now, pex, &mut effects.out);
    }

    /// Puts the goals of all torrents in force.
    pub(super) fn aim_all(&self, engine: &mut Engine) {
        self.book.keys().for_each(|&id| self.aim(id, engine));
    }

    /// Puts a torrent's goal in force.
    pub(super) fn aim(&self, id: TorrentId, engine: &mut Engine) {
        let (Some(entry), Some(torrent)) = (self.book.get(&id), engine.torrent(id)) else {
            return;
        };
        let (page, session) = (&entry.page, &self.session);
        let is_on = |mode, switch| match mode {
            OWN_GOAL => true,
            NO_GOAL => false,
            _the_nodes => session::is_set(session, switch),
        };
        let ratio = match page.seed_ratio_mode {
            OWN_GOAL => page.seed_ratio,
            _the_nodes => session::real(session, "seedRatioLimit"),
        };
        let minutes = match page.seed_idle_mode {
            OWN_GOAL => page.seed_idle_minutes,
            _the_nodes => {
                u32::try_from(session::number(session, "idle-seeding-limit")).unwrap_or(0)
            }
        };
        let idle = Span::from_secs(60).times(minutes.max(1).into());
        torrent.set_goal(Goal {
            ratio: is_on(page.seed_ratio_mode, "seedRatioLimited").then(|| thousandths(ratio)),
            idle: is_on(page.seed_idle_mode, "idle-seeding-limit-enabled").then_some(idle),
        });
    }

    /// Puts a torrent's limits in force.
    pub(super) fn limit_torrent(&self, now: Time, id: TorrentId, engine: &mut Engine) {
        let Some(entry) = self.book.get(&id) else { return };
        let page = &entry.page;
        let rate = |is_on: bool, kb: u32| is_on.then_some(u64::from(kb) * KB);
        let up = rate(page.upload_limited, page.upload_limit);
        let down = rate(page.download_limited, page.download_limit);
        let throttle = engine.throttle();
        throttle.limit(now, Way::Up, Some(id), up);
        throttle.limit(now, Way::Down, Some(id), down);
        throttle.set_exempt(id, !page.honors_session_limits);
    }
}

/// A ratio in thousandths. What no torrent can reach stays out of reach.
fn thousandths(ratio: f64) -> u64 {
    // A float becomes the nearest number that there is.
    (ratio * 1000.0).round() as u64
}
