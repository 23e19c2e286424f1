//! Adding: a torrent from its bytes, from a file on this host, or from a magnet link (see `links`).
//!
//! Bytes come as base64 in `metainfo`. A `filename` is read only if it ends in `.torrent` and lies
//! below a directory that remote control may use, with no link on the way: else whoever may speak
//! to us could learn of any file whether it is there. URLs are not fetched, for who asks from here
//! could be asking for something that only this host may see.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::book::Page;
use super::{Answer, Desk, Rpc, object, session};
use crate::base::TorrentId;
use crate::base::limits::TORRENT_FILE_BYTES_MAX;
use crate::border::{Event, Output};
use crate::engine::Order;
use crate::engine::diet::Level;
use crate::format::base64;
use crate::format::json;
use crate::format::metainfo::Metainfo;

impl Rpc {
    /// `torrent-add`. One that is here already is no error: it is said which.
    pub(super) fn torrent_add(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        if desk.engine.level() == Level::Over {
            return Err("memory is short: --max-memory is reached".to_owned());
        }
        let filename = arguments.get("filename").and_then(Value::as_str);
        if let Some(link) = filename.filter(|name| name.starts_with("magnet:")) {
            return self.add_link(link, arguments, desk);
        }
        let bytes = self.torrent_bytes(arguments, desk)?;
        if bytes.len() > TORRENT_FILE_BYTES_MAX {
            return Err(format!("the torrent has more than {TORRENT_FILE_BYTES_MAX} bytes"));
        }
        let metainfo = Metainfo::parse(&bytes)
            .map_err(|malformed| format!("invalid or corrupt torrent file: {malformed}"))?;
        let info_hash = metainfo.info_hash;
        if let Some(known) = desk.engine.find(info_hash) {
            return Ok(object(json!({ "torrent-duplicate": named(known, &metainfo) })));
        }
        let answer = metainfo.clone();
        let files = metainfo.layout.files().iter().filter(|file| !file.pad).count();
        let page = self.new_page(arguments, files, desk)?;
        let effects = &mut *desk.effects;
        let taken = self.take_on(desk.now, Order::new(metainfo), page, desk.engine, effects);
        let id = taken.ok_or("the same torrent is being removed; try again in a moment")?;
        effects.out.push(Output::Event(Event::Added { torrent: id }));
        self.session.removed.remove(&info_hash.to_string());
        self.session.added += 1;
        self.keep_copy(info_hash, bytes, effects);
        self.keep_page(id, effects);
        self.keep_session(desk.now, effects);
        Ok(object(json!({ "torrent-added": named(id, &answer) })))
    }

    fn torrent_bytes(&self, arguments: &Map<String, Value>, desk: &Desk<'_>) -> Answer<Vec<u8>> {
        if let Some(metainfo) = arguments.get("metainfo") {
            let text = metainfo.as_str().ok_or("metainfo is no text")?;
            return base64::parse(text).map_err(|malformed| format!("metainfo: {malformed}"));
        }
        let Some(name) = arguments.get("filename").and_then(Value::as_str) else {
            return Err("no filename or metainfo specified".to_owned());
        };
        local_file(self, name)?;
        desk.facts.file.clone().unwrap_or_else(|| Err("the file cannot be read".to_owned()))
    }

    /// The first page of a new torrent. `files`: how many people see.
    pub(super) fn new_page(
        &self,
        arguments: &Map<String, Value>,
        files: usize,
        desk: &Desk<'_>,
    ) -> Answer<Page> {
        let dir = match arguments.get("download-dir").and_then(Value::as_str) {
            Some("") | None => self.options.dir.clone(),
            Some(dir) => self.allowed_dir(dir)?,
        };
        let paused = arguments.get("paused").and_then(session::as_bool);
        let paused =
            paused.unwrap_or_else(|| !session::is_set(&self.session, "start-added-torrents"));
        let mut page = Page { dir, paused, added: desk.facts.unix, ..Page::default() };
        page.set_wishes(arguments, files)?;
        Ok(page)
    }
}

/// Where a file lies that a person named: a directory that may be used, and components below it.
///
/// Error: why we do not read it.
pub(super) fn local_file(rpc: &Rpc, name: &str) -> Answer<(PathBuf, Vec<String>)> {
    if name.starts_with("magnet:") {
        return Err("a magnet link is no file".to_owned());
    }
    let scheme = name.split_once("://").map(|(scheme, _)| scheme);
    if let Some(scheme) = scheme.filter(|scheme| !scheme.contains('/')) {
        return Err(format!("{scheme} addresses are not fetched; send the torrent itself"));
    }
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "torrent") {
        return Err("only files that end in .torrent are read; send the torrent itself".to_owned());
    }
    let parent = path.parent().and_then(Path::to_str).unwrap_or_default();
    let dir = rpc.allowed_dir(parent)?;
    let root = rpc.options.roots.iter().find(|root| dir.starts_with(root)).ok_or("no root")?;
    let below = dir.join(path.file_name().ok_or("no file name")?);
    let below = below.strip_prefix(root).map_err(|_| "not below the root")?;
    let part = |part: Component<'_>| part.as_os_str().to_str().map(str::to_owned);
    let parts: Option<Vec<String>> = below.components().map(part).collect();
    Ok((root.clone(), parts.ok_or("the name is not UTF-8")?))
}

fn named(id: TorrentId, metainfo: &Metainfo) -> Value {
    json::object([
        ("id", Value::from(id.0)),
        ("name", Value::from(metainfo.name.as_str())),
        ("hashString", Value::from(metainfo.info_hash.to_string())),
    ])
}
