//! Scrape: how many peers share a torrent, asked for several torrents at once.
//!
//! ```text
//!  /scrape?info_hash=…&info_hash=…
//!  d 5:files d 20:(info-hash) d 8:complete i2e  10:downloaded i7e  10:incomplete i1e e … e e
//! ```
//!
//! # Spec
//! BEP 48.

use super::reply::{count, parse_body};
use super::{BadQuery, Refusal};
use crate::base::InfoHash;
use crate::base::limits::SCRAPE_HASHES_MAX;
use crate::base::order;
use crate::format::bencode::{Item, Writer};
use crate::format::query::{self, TrackerUrl};

/// How many peers share a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Peers that have everything (`complete`).
    pub seeds: u32,
    /// All others (`incomplete`).
    pub leechers: u32,
    /// Peers that have said `completed`, ever (`downloaded`).
    pub completed: u32,
}

/// The answer to a scrape: one tally for each torrent that the tracker knows, by info-hash, each
/// once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scrape(pub Vec<(InfoHash, Tally)>);

impl Scrape {
    /// The target of the request that asks for these torrents; `url` is a scrape URL
    /// (`TrackerUrl::scrape`).
    pub fn target(url: &TrackerUrl, hashes: &[InfoHash]) -> String {
        let mut target = url.path_and_query.clone();
        let mut mark = if url.path_and_query.contains('?') { '&' } else { '?' };
        for hash in hashes.iter().take(SCRAPE_HASHES_MAX) {
            target.push(mark);
            target.push_str("info_hash=");
            query::encode(&hash.0, &mut target);
            mark = '&';
        }
        target
    }

    /// Reads the query of a request for `/scrape`: the torrents asked about, sorted, each once;
    /// none, if it asks for all. What exceeds `SCRAPE_HASHES_MAX` is not read.
    pub fn parse_query(query: &str) -> Result<Vec<InfoHash>, BadQuery> {
        let mut hashes = Vec::new();
        let pairs = query::pairs(query).filter(|(name, _)| *name == "info_hash");
        for (_, value) in pairs.take(SCRAPE_HASHES_MAX) {
            let hash = query::decode_exactly(value.as_bytes());
            hashes.push(InfoHash(hash.ok_or(BadQuery::NotTwentyBytes("info_hash"))?));
        }
        order::sort(&mut hashes);
        hashes.dedup();
        Ok(hashes)
    }

    /// Reads the body of a tracker's answer. Entries that make no sense are left out.
    pub fn parse(body: &[u8]) -> Result<Scrape, Refusal> {
        let files = parse_body(body)?.get("files").and_then(Item::dict);
        let files = files.ok_or_else(|| {
            Refusal::Unreachable("the answer is not a tracker's: no files".to_owned())
        })?;
        let mut tallies: Vec<(InfoHash, Tally)> = files
            .iter()
            .filter_map(|(hash, item)| Some((InfoHash(hash.try_into().ok()?), parse_tally(item)?)))
            .collect();
        order::sort_by_key(&mut tallies, |(hash, _)| *hash);
        Ok(Scrape(tallies))
    }

    /// Appends the answer, canonically bencoded: keys ascend, as the entries must.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.begin_dict().key("files").begin_dict();
        for (hash, tally) in &self.0 {
            writer.key(hash.0).begin_dict();
            writer.key("complete").uint(tally.seeds.into());
            writer.key("downloaded").uint(tally.completed.into());
            writer.key("incomplete").uint(tally.leechers.into());
            writer.end();
        }
        writer.end().end();
    }
}

fn parse_tally(item: Item<'_>) -> Option<Tally> {
    let dict = item.dict()?;
    let number = |key| count(dict, key).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Some(Tally {
        seeds: number("complete")?,
        leechers: number("incomplete")?,
        completed: number("downloaded").unwrap_or(0),
    })
}
