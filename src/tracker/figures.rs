//! Figures: how much of everything there is, as JSON and for Prometheus.

use super::service::Service;
use crate::base::{Span, Time};
use crate::format::listing;

/// What happened on these pages since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) published_new: u64,
    pub(super) published_refused: u64,
    pub(super) fetched: u64,
    longest_turn: Span,
}

impl Service {
    /// How long a turn of the loop took, for those who watch us.
    pub fn note_turn(&mut self, took: Span) {
        self.figures.longest_turn = self.figures.longest_turn.max(took);
    }

    pub(super) fn stats(&self, now: Time) -> listing::Stats {
        let counts = self.counts();
        listing::Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_secs: now.since(Time::START).as_secs(),
            torrents: counts.torrents as u64,
            seeds: counts.seeds as u64,
            leechers: (counts.peers - counts.seeds) as u64,
            published: self.library.as_ref().map_or(0, |library| library.len() as u64),
            announces: counts.announces,
            scrapes: counts.scrapes,
            refused: counts.refused,
            published_new: self.figures.published_new,
            published_refused: self.figures.published_refused,
            fetched: self.figures.fetched,
            udp_announces: self.udp.announces,
            udp_scrapes: self.udp.scrapes,
            udp_connects: self.udp.connects,
            udp_dropped: self.udp.dropped,
            longest_turn_millis: self.figures.longest_turn.as_millis(),
        }
    }
}

/// The text form of Prometheus: a name, perhaps a label, a number.
pub(super) fn write_metrics(stats: &listing::Stats, body: &mut Vec<u8>) {
    let longest_turn = stats.longest_turn_millis as f64 / 1000.0;
    let text = format!(
        "# TYPE swarmlet_uptime_seconds gauge\nswarmlet_uptime_seconds {}\n\
         # TYPE swarmlet_torrents gauge\nswarmlet_torrents {}\n\
         # TYPE swarmlet_peers gauge\n\
         swarmlet_peers{{role=\"seed\"}} {}\nswarmlet_peers{{role=\"leecher\"}} {}\n\
         # TYPE swarmlet_library_torrents gauge\nswarmlet_library_torrents {}\n\
         # TYPE swarmlet_announces_total counter\nswarmlet_announces_total {}\n\
         # TYPE swarmlet_scrapes_total counter\nswarmlet_scrapes_total {}\n\
         # TYPE swarmlet_refused_total counter\nswarmlet_refused_total {}\n\
         # TYPE swarmlet_published_total counter\nswarmlet_published_total {}\n\
         # TYPE swarmlet_publish_refused_total counter\nswarmlet_publish_refused_total {}\n\
         # TYPE swarmlet_fetched_total counter\nswarmlet_fetched_total {}\n\
         # TYPE swarmlet_udp_datagrams_total counter\n\
         swarmlet_udp_datagrams_total{{what=\"announce\"}} {}\n\
         swarmlet_udp_datagrams_total{{what=\"scrape\"}} {}\n\
         swarmlet_udp_datagrams_total{{what=\"connect\"}} {}\n\
         swarmlet_udp_datagrams_total{{what=\"dropped\"}} {}\n\
         # TYPE swarmlet_longest_turn_seconds gauge\nswarmlet_longest_turn_seconds {longest_turn:.3}\n",
        stats.uptime_secs,
        stats.torrents,
        stats.seeds,
        stats.leechers,
        stats.published,
        stats.announces,
        stats.scrapes,
        stats.refused,
        stats.published_new,
        stats.published_refused,
        stats.fetched,
        stats.udp_announces,
        stats.udp_scrapes,
        stats.udp_connects,
        stats.udp_dropped,
    );
    body.extend_from_slice(text.as_bytes());
}
