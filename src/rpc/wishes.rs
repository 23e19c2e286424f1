//! Wishes: what a person may set for one torrent.
//!
//! ```text
//!  obeyed at once    peer-limit, trackerAdd, trackerRemove, trackerReplace, trackerList,
//!                    downloadLimit(ed), uploadLimit(ed), honorsSessionLimits,
//!                    files-(un)wanted, priority-…, sequentialDownload,
//!                    queuePosition, seedRatio…, seedIdle…, peersAdd (ours: peers to dial, a list
//!                    of HOST:PORT in numbers; nothing of them is remembered)
//!  remembered        labels, group, bandwidthPriority
//! ```
//! Those that are merely remembered stand in the torrent's page, survive restarts and are shown
//! as they were set; whoever makes the engine obey one of them reads it there.
//!
//! # Invariants
//! A request whose one value cannot be changes nothing.

use std::net::SocketAddr;

use serde_json::{Map, Value};

use super::book::Page;
use super::session::{as_bool, as_int};
use super::{Answer, Desk, Rpc};
use crate::base::limits::{RPC_PEERS_ADDED_MAX, TRACKERS_MAX, URL_BYTES_MAX};
use crate::base::{Set, TorrentId};
use crate::engine::control::Control;
use crate::format::query::TrackerUrl;
use crate::format::text;

impl Rpc {
    /// `torrent-set`.
    pub(super) fn torrent_set(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        if arguments.contains_key("location") {
            return Err("moving a torrent is not supported yet".to_owned());
        }
        let peers = new_peers(arguments)?;
        let ids = self.ids(arguments, desk);
        let mut changes: Vec<(TorrentId, Page)> = Vec::new();
        for &id in &ids {
            let Some(entry) = self.book.get(&id) else { continue };
            let mut page = entry.page.clone();
            let Some(torrent) = desk.engine.torrent(id) else {
                // Of a link the files are not known yet.
                page.set_wishes(arguments, 0)?;
                changes.push((id, page));
                continue;
            };
            let files = torrent.layout().files().iter().filter(|file| !file.pad).count();
            page.set_wishes(arguments, files)?;
            let before: Vec<(usize, usize, String)> = torrent
                .trackers()
                .into_iter()
                .map(|report| (report.tracker, report.tier, report.url))
                .collect();
            if let Some(tiers) = new_tiers(arguments, before)? {
                page.trackers = Some(tiers);
            }
            changes.push((id, page));
        }
        for (id, page) in changes {
            self.obey(id, page, desk);
        }
        for (&id, &addr) in ids.iter().flat_map(|id| peers.iter().map(move |addr| (id, addr))) {
            desk.engine.control(desk.now, id, &Control::Connect(addr), &mut desk.effects.out);
        }
        if let Some(place) = arguments.get("queuePosition").and_then(as_int) {
            let place = usize::try_from(place).unwrap_or(0);
            (place..).zip(ids).for_each(|(place, id)| self.queue_put(id, place, desk));
        }
        Ok(Map::new())
    }

    /// Puts a new page in the book, and tells the engine what of it it can obey.
    fn obey(&mut self, id: TorrentId, page: Page, desk: &mut Desk<'_>) {
        let Some(entry) = self.book.get_mut(&id) else { return };
        if entry.page == page {
            return;
        }
        let before = std::mem::replace(&mut entry.page, page);
        entry.changed = desk.now;
        let mut controls = Vec::new();
        if before.peers_max != entry.page.peers_max
            && let Some(peers_max) = entry.page.peers_max
        {
            controls.push(Control::PeersMax(usize::try_from(peers_max).unwrap_or(1).max(1)));
        }
        if before.trackers != entry.page.trackers
            && let Some(tiers) = &entry.page.trackers
        {
            controls.push(Control::Trackers(tiers.clone()));
        }
        let choices = entry.page.choices();
        if before.choices() != choices {
            controls.push(Control::Choose(choices));
        }
        for control in controls {
            desk.engine.control(desk.now, id, &control, &mut desk.effects.out);
        }
        self.limit_torrent(desk.now, id, desk.engine);
        self.aim(id, desk.engine);
        self.keep_page(id, desk.effects);
    }
}

impl Page {
    /// Takes in whatever of a request is about a page. `files`: how many files people see.
    ///
    /// Error: a value that cannot be; the page is then worth nothing.
    pub(super) fn set_wishes(
        &mut self,
        arguments: &Map<String, Value>,
        files: usize,
    ) -> Answer<()> {
        for (key, value) in arguments {
            let bad = || format!("{key}: not a possible value");
            let int = |least, most| {
                as_int(value).filter(|int| (least..=most).contains(int)).ok_or_else(bad)
            };
            let small = |most: u32| {
                int(0, i64::from(most)).map(|int| u32::try_from(int).expect("within its bounds"))
            };
            let flag = || as_bool(value).ok_or_else(bad);
            let mode = || int(0, 2).map(|int| u8::try_from(int).expect("0 to 2"));
            let named = || numbers(key, value, files);
            match key.as_str() {
                "bandwidthPriority" => {
                    self.priority = i8::try_from(int(-1, 1)?).expect("-1 to 1");
                }
                "downloadLimit" => self.download_limit = small(u32::MAX)?,
                "downloadLimited" => self.download_limited = flag()?,
                "uploadLimit" => self.upload_limit = small(u32::MAX)?,
                "uploadLimited" => self.upload_limited = flag()?,
                "honorsSessionLimits" => self.honors_session_limits = flag()?,
                "peer-limit" => self.peers_max = Some(small(PEERS_MAX)?.max(1)),
                "seedIdleLimit" => self.seed_idle_minutes = small(u32::MAX)?,
                "seedIdleMode" => self.seed_idle_mode = mode()?,
                "seedRatioLimit" => {
                    self.seed_ratio =
                        value.as_f64().filter(|ratio| *ratio >= 0.0).ok_or_else(bad)?;
                }
                "seedRatioMode" => self.seed_ratio_mode = mode()?,
                "labels" => self.labels = labels(value).ok_or_else(bad)?,
                "group" => self.group = text::clean_to(value.as_str().ok_or_else(bad)?, 100),
                "sequentialDownload" => self.sequential = flag()?,
                "files-wanted" => {
                    let wanted = Set::from(named()?);
                    self.unwanted.retain(|file| !wanted.contains(file));
                }
                "files-unwanted" => self.unwanted.extend(named()?),
                "priority-high" => self.set_priority(named()?.into(), 1),
                "priority-normal" => self.set_priority(named()?.into(), 0),
                "priority-low" => self.set_priority(named()?.into(), -1),
                _ => {}
            }
        }
        Ok(())
    }

    fn set_priority(&mut self, files: Set<u32>, priority: i8) {
        for set in [&mut self.high, &mut self.low] {
            set.retain(|file| !files.contains(file));
        }
        match priority {
            1 => self.high.extend(files),
            -1 => self.low.extend(files),
            _normal => {}
        }
    }

    /// Files of another torrent may have been named in a page that somebody wrote by hand.
    pub(super) fn forget_files_beyond(&mut self, files: usize) {
        let is_here = |file: &u32| usize::try_from(*file).is_ok_and(|file| file < files);
        self.unwanted.retain(is_here);
        self.high.retain(is_here);
        self.low.retain(is_here);
    }
}

/// Numbers of files; an empty list means all of them.
fn numbers(key: &str, value: &Value, files: usize) -> Answer<Vec<u32>> {
    let list = value.as_array().ok_or_else(|| format!("{key}: not a list"))?;
    if list.is_empty() {
        let all = u32::try_from(files).expect("a torrent has fewer files than 2^32");
        return Ok((0..all).collect());
    }
    let number = |value: &Value| {
        let index = value.as_u64().and_then(|index| u32::try_from(index).ok());
        let is_here = |index: &u32| usize::try_from(*index).is_ok_and(|index| index < files);
        index.filter(is_here).ok_or_else(|| format!("{key}: file index out of range"))
    };
    list.iter().map(number).collect()
}

/// Labels are for people: a few clean words.
fn labels(value: &Value) -> Option<Vec<String>> {
    let mut labels: Vec<String> = Vec::new();
    for label in value.as_array()? {
        let label = text::clean_to(label.as_str()?, 100);
        let label = label.trim();
        if !label.is_empty() && !labels.iter().any(|known| known == label) {
            labels.push(label.to_owned());
        }
    }
    (labels.len() <= 100).then_some(labels)
}

/// The tiers after what a request wants of them; `None` if it wants nothing. `before`: number,
/// tier and URL of each tracker there is.
fn new_tiers(
    arguments: &Map<String, Value>,
    before: Vec<(usize, usize, String)>,
) -> Answer<Option<Vec<Vec<String>>>> {
    let list = |key: &str| arguments.get(key).and_then(Value::as_array);
    let mut trackers = before;
    let mut is_new = false;
    if let Some(text) = arguments.get("trackerList").and_then(Value::as_str) {
        return tiers_of(text).map(Some);
    }
    for number in list("trackerRemove").into_iter().flatten().filter_map(as_int) {
        let at = trackers.iter().position(|(known, _, _)| i64::try_from(*known) == Ok(number));
        trackers.remove(at.ok_or("trackerRemove: no such tracker")?);
        is_new = true;
    }
    if let Some(pairs) = list("trackerReplace") {
        for pair in pairs.chunks(2) {
            let [number, url] = pair else { return Err("trackerReplace: no pairs".to_owned()) };
            let (number, url) = (as_int(number), url.as_str().unwrap_or_default());
            let found =
                trackers.iter_mut().find(|(known, _, _)| i64::try_from(*known).ok() == number);
            found.ok_or("trackerReplace: no such tracker")?.2 = usable(url)?;
            is_new = true;
        }
    }
    for url in list("trackerAdd").into_iter().flatten() {
        let url = usable(url.as_str().unwrap_or_default())?;
        if !trackers.iter().any(|(_, _, known)| *known == url) {
            let tier = trackers.last().map_or(0, |(_, tier, _)| tier + 1);
            trackers.push((usize::MAX, tier, url));
        }
        is_new = true;
    }
    if trackers.len() > TRACKERS_MAX {
        return Err(format!("more than {TRACKERS_MAX} trackers"));
    }
    let mut tiers: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for (_, tier, url) in trackers {
        if last.replace(tier) != Some(tier) {
            tiers.push(Vec::new());
        }
        tiers.last_mut().expect("pushed above, if not before").push(url);
    }
    Ok(is_new.then_some(tiers))
}

/// The peers that a person wants dialled.
fn new_peers(arguments: &Map<String, Value>) -> Answer<Vec<SocketAddr>> {
    let Some(list) = arguments.get("peersAdd") else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or("peersAdd: not a list")?;
    if list.len() > RPC_PEERS_ADDED_MAX {
        return Err(format!("peersAdd: more than {RPC_PEERS_ADDED_MAX} peers at once"));
    }
    let peer = |said: &Value| {
        let addr = said.as_str().and_then(|text| text.parse().ok());
        addr.filter(|addr: &SocketAddr| addr.port() != 0 && !addr.ip().is_unspecified())
            .ok_or_else(|| "peersAdd: not an address and a port in numbers".to_owned())
    };
    list.iter().map(peer).collect()
}

/// A URL in a line, a blank line between tiers.
fn tiers_of(text: &str) -> Answer<Vec<Vec<String>>> {
    let mut tiers = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        match tiers.last_mut() {
            Some(tier) if !line.is_empty() => tier.push(usable(line)?),
            Some(_) | None => tiers.push(Vec::new()),
        }
    }
    tiers.retain(|tier| !tier.is_empty());
    if tiers.iter().map(Vec::len).sum::<usize>() > TRACKERS_MAX {
        return Err(format!("more than {TRACKERS_MAX} trackers"));
    }
    Ok(tiers)
}

/// The URL, if a tracker could be asked at it.
fn usable(url: &str) -> Answer<String> {
    if url.len() > URL_BYTES_MAX {
        return Err(format!("a tracker's URL has more than {URL_BYTES_MAX} bytes"));
    }
    match TrackerUrl::parse(url) {
        Ok(_) => Ok(url.to_owned()),
        Err(malformed) => Err(format!("{}: {malformed}", text::clean(url))),
    }
}

/// As many connections as a node ever has.
const PEERS_MAX: u32 = 10_000;
