//! The DHT's record: what the node of an earlier run knew, read once and written now and then.
//!
//! It lies beside the resume records. If it cannot be read, the node begins with whom a person
//! named; if it cannot be written, the next run does: neither is a reason to stop.

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::reactor::Reactor;
use super::sys;
use crate::base::Time;
use crate::base::limits::{DHT_RECORD_BYTES_MAX, DHT_SAVE_EVERY};
use crate::dht::{Dht, Settings};

/// How a node takes part in the DHT.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DhtOptions {
    /// Where a person says that nodes are.
    pub nodes: Vec<SocketAddr>,
    /// Where to remember, between two runs, whom we know.
    pub record: Option<PathBuf>,
    /// Ask, but answer nobody (BEP 43).
    pub read_only: bool,
}

/// Where the record is, and when it is written next.
#[derive(Debug)]
pub(super) struct DhtRecord {
    path: PathBuf,
    due: Time,
}

impl Reactor {
    /// Takes part in the DHT from now on, with the sockets at these addresses.
    ///
    /// Error: the system has no randomness.
    pub(super) fn join_dht(&mut self, options: DhtOptions, addrs: &[SocketAddr]) -> io::Result<()> {
        let Some(first) = addrs.first() else { return Ok(()) };
        let mut secret = [0; 20];
        sys::random_bytes(&mut secret)?;
        let settings = Settings {
            read_only: options.read_only,
            v4: addrs.iter().any(SocketAddr::is_ipv4),
            v6: addrs.iter().any(SocketAddr::is_ipv6),
            secret,
            seed: sys::random_seed()?,
        };
        let now = self.read_clock();
        let mut dht = Dht::new(now, settings);
        if let Some(bytes) = options.record.as_deref().and_then(|path| read_record(path).ok()) {
            // What cannot be understood is as good as nothing.
            let _ = dht.load(now, &bytes);
        }
        self.engine.join_dht(now, dht, first.port());
        self.dht_record = options.record.map(|path| DhtRecord { path, due: now + DHT_SAVE_EVERY });
        for addr in options.nodes {
            self.engine.enter_dht(now, addr, true, &mut self.out);
        }
        self.carry_out();
        Ok(())
    }

    /// Writes the record if it is due.
    pub(super) fn mind_dht(&mut self) {
        if self.dht_record.as_ref().is_some_and(|record| record.due <= self.now) {
            self.save_dht();
        }
    }

    /// Writes the record. A failure is tried again with the next turn of it.
    pub(super) fn save_dht(&mut self) {
        let Some(record) = &mut self.dht_record else { return };
        record.due = self.now + DHT_SAVE_EVERY;
        let mut bytes = Vec::new();
        if self.engine.save_dht(self.now, &mut bytes) {
            let _ = write(&record.path, &bytes);
        }
    }

    pub(super) fn dht_record_deadline(&self) -> Option<Time> {
        self.dht_record.as_ref().map(|record| record.due)
    }
}

/// The bytes of a record, up to what one may be long.
pub fn read_record(path: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(DHT_RECORD_BYTES_MAX).expect("64 KiB fit") + 1;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whoever reads it meanwhile finds the old record or the new one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}
