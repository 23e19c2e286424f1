//! Links: torrents of which remote control has no more than a magnet link yet.
//!
//! ```text
//!  STATE/torrents/0123…cdef.magnet      the link, until its torrent is known
//!                 0123…cdef.torrent     from then on, and the link is gone
//!                 0123…cdef.json        the page, from the beginning
//! ```
//! A link stands in the book like any torrent, and what a person wishes for it is kept. What can
//! be told of it is little; whatever remote controls ask beyond that is nothing, or none.
//!
//! # Invariants
//! At every moment one of the two files is there, so no crash loses a torrent.

use serde_json::{Map, Value, json};

use super::book::{self, Entry, Page};
use super::{Answer, Desk, Effects, Keep, Rpc, fields, object, session};
use crate::base::{InfoHash, Time, TorrentId};
use crate::border::{Event, Output};
use crate::engine::control::Control;
use crate::engine::prospects::Quest;
use crate::engine::{Engine, Phase};
use crate::format::json;
use crate::format::magnet::{LocalPeers, Magnet};

impl Rpc {
    /// `torrent-add` of a link. One that is here already is no error: it is said which.
    pub(super) fn add_link(
        &mut self,
        link: &str,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        let magnet = Magnet::parse(link, LocalPeers::Drop)
            .map_err(|malformed| format!("the magnet link is not usable: {malformed}"))?;
        let info_hash = magnet.info_hash;
        let name = magnet.name.clone().unwrap_or_else(|| info_hash.to_string());
        let named = |id: TorrentId, name: &str| {
            json::object([
                ("id", Value::from(id.0)),
                ("name", Value::from(name)),
                ("hashString", Value::from(info_hash.to_string())),
            ])
        };
        if let Some(known) = desk.engine.find(info_hash) {
            let status = desk.engine.status(desk.now, known);
            let name = status.map_or(name, |status| status.name);
            return Ok(object(json!({ "torrent-duplicate": named(known, &name) })));
        }
        let page = self.new_page(arguments, 0, desk)?;
        let taken = self.take_on_link(desk.now, magnet, page, desk.engine, desk.effects);
        let id = taken.ok_or("the same torrent is being removed; try again in a moment")?;
        desk.effects.out.push(Output::Event(Event::Added { torrent: id }));
        self.remember_link(desk.now, id, desk.engine, desk.effects);
        Ok(object(json!({ "torrent-added": named(id, &name) })))
    }

    /// Takes on a link of the command line.
    pub fn adopt_link(
        &mut self,
        now: Time,
        unix: i64,
        magnet: Magnet,
        engine: &mut Engine,
        effects: &mut Effects,
    ) -> Option<TorrentId> {
        if let Some(known) = engine.find(magnet.info_hash) {
            return Some(known);
        }
        let page = Page { dir: self.options.dir.clone(), added: unix, ..Page::default() };
        let id = self.take_on_link(now, magnet, page, engine, effects)?;
        self.remember_link(now, id, engine, effects);
        Some(id)
    }

    /// Hands a link to the engine, with what its page says.
    pub(super) fn take_on_link(
        &mut self,
        now: Time,
        magnet: Magnet,
        mut page: Page,
        engine: &mut Engine,
        effects: &mut Effects,
    ) -> Option<TorrentId> {
        let info_hash = magnet.info_hash;
        let (paused, wishes) = (page.paused, page.choices());
        let id = engine.seek(now, Quest { paused, wishes, ..Quest::new(magnet) })?;
        effects.places.push((id, page.dir.clone()));
        let usual = session::number(&self.session, "peer-limit-per-torrent");
        let peers_max = page.peers_max.map_or(usual, i64::from);
        let peers_max = usize::try_from(peers_max).unwrap_or(1).max(1);
        let mut controls = vec![Control::PeersMax(peers_max)];
        controls.extend(page.trackers.clone().map(Control::Trackers));
        for control in controls {
            engine.control(now, id, &control, &mut effects.out);
        }
        page.position = self.book.len() as u64;
        self.book.insert(id, Entry::new(now, info_hash, page));
        self.limit_torrent(now, id, engine);
        Some(id)
    }

    /// The metadata is here: from now on the torrent's own file is kept.
    pub(super) fn on_learned(
        &mut self,
        now: Time,
        id: TorrentId,
        engine: &mut Engine,
        effects: &mut Effects,
    ) {
        let Some(entry) = self.book.get_mut(&id) else { return };
        let Some(metainfo) = engine.metainfo(id) else { return };
        entry.changed = now;
        // Files that a person chose before anybody knew how many there are.
        let files = metainfo.layout.files().iter().filter(|file| !file.pad).count();
        entry.page.forget_files_beyond(files);
        let (info_hash, file) = (entry.info_hash, metainfo.to_file());
        self.keep_copy(info_hash, file, effects);
        self.keep_page(id, effects);
        effects.keep.push(Keep { path: book::link_path(info_hash).to_vec(), bytes: None });
        self.aim(id, engine);
    }

    /// A row of `torrent-get` for a link; `None` if it is none, or not any more.
    pub(super) fn sought(
        &self,
        id: TorrentId,
        wanted: &[(&str, fields::Field)],
        desk: &mut Desk<'_>,
    ) -> Option<Vec<Value>> {
        let entry = self.book.get(&id)?;
        let prospect = desk.engine.sought(id)?;
        let status = prospect.status();
        let (state, share) = match status.phase {
            Phase::Seeking { pieces, of } => (4, f64::from(pieces) / f64::from(of.max(1))),
            Phase::Checking { .. }
            | Phase::Downloading
            | Phase::Seeding
            | Phase::Troubled(_)
            | Phase::Waiting
            | Phase::Stopping
            | Phase::Stopped => (0, 0.0),
        };
        let page = &entry.page;
        let value = |name: &str| match name {
            "id" => json!(id.0),
            "hashString" => json!(status.info_hash.to_string()),
            "name" => json!(status.name),
            "status" => json!(state),
            "metadataPercentComplete" => json!(share),
            "magnetLink" => json!(prospect.magnet().to_string()),
            "downloadDir" => json!(page.dir.to_string_lossy()),
            "addedDate" => json!(page.added),
            "peersConnected" => json!(status.peers),
            "queuePosition" => json!(page.position),
            "labels" => json!(page.labels),
            "totalSize" | "sizeWhenDone" | "leftUntilDone" => json!(status.total_bytes),
            "eta" => json!(-2),
            "etaIdle" | "uploadRatio" => json!(-1),
            "isFinished" | "isStalled" | "isPrivate" | "downloadLimited" | "uploadLimited"
            | "sequentialDownload" => json!(false),
            "honorsSessionLimits" => json!(page.honors_session_limits),
            "comment" | "creator" | "errorString" | "group" | "pieces" | "pieceStates"
            | "torrentFile" => json!(""),
            "primary-mime-type" => json!("application/octet-stream"),
            "trackerList" => json!(prospect.magnet().trackers.join("\n\n")),
            "availability" | "files" | "fileStats" | "peers" | "pieceHolders" | "priorities"
            | "trackers" | "trackerStats" | "wanted" | "webseeds" => json!([]),
            "peersFrom" => json!({}),
            _number => json!(0),
        };
        Some(wanted.iter().map(|(name, _)| value(name)).collect())
    }

    fn remember_link(&mut self, now: Time, id: TorrentId, engine: &Engine, effects: &mut Effects) {
        let Some(magnet) = engine.sought(id).map(|prospect| prospect.magnet().clone()) else {
            return;
        };
        self.session.removed.remove(&magnet.info_hash.to_string());
        self.session.added += 1;
        self.keep_link(magnet.info_hash, &magnet, effects);
        self.keep_page(id, effects);
        self.keep_session(now, effects);
    }

    fn keep_link(&self, info_hash: InfoHash, magnet: &Magnet, effects: &mut Effects) {
        let bytes = Some(format!("{magnet}\n").into_bytes());
        effects.keep.push(Keep { path: book::link_path(info_hash).to_vec(), bytes });
    }
}
