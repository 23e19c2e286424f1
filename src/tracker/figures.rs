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
    busiest_turn_micros: u64,
    busiest_sweep_micros: u64,
    /// Whether the sweep went on in this turn.
    pub(super) has_swept: bool,
}

impl Service {
    /// How long a turn of the loop took, and how much of the processor's time it used, for those
    /// who watch us.
    pub fn note_turn(&mut self, took: Span, used_micros: u64) {
        let figures = &mut self.figures;
        figures.longest_turn = figures.longest_turn.max(took);
        figures.busiest_turn_micros = figures.busiest_turn_micros.max(used_micros);
        if std::mem::take(&mut figures.has_swept) {
            figures.busiest_sweep_micros = figures.busiest_sweep_micros.max(used_micros);
        }
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
            busiest_turn_micros: self.figures.busiest_turn_micros,
            busiest_sweep_micros: self.figures.busiest_sweep_micros,
        }
    }
}

/// The text form of Prometheus: a name, perhaps a label, a number.
pub(super) fn write_metrics(stats: &listing::Stats, body: &mut Vec<u8>) {
    let longest_turn = stats.longest_turn_millis as f64 / 1e3;
    let busiest_turn = stats.busiest_turn_micros as f64 / 1e6;
    let busiest_sweep = stats.busiest_sweep_micros as f64 / 1e6;
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
         # TYPE swarmlet_longest_turn_seconds gauge\nswarmlet_longest_turn_seconds {longest_turn:.3}\n\
         # TYPE swarmlet_busiest_turn_seconds gauge\n\
         swarmlet_busiest_turn_seconds {busiest_turn:.6}\n\
         # TYPE swarmlet_busiest_sweep_seconds gauge\n\
         swarmlet_busiest_sweep_seconds {busiest_sweep:.6}\n",
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
