//! Torrents: the methods that are about some of them.
//!
//! `ids` says which: all if it is missing; a number; an info-hash; a list of both; or
//! `"recently-active"`, those that changed in the last minute. Ids that are nobody's are skipped:
//! remote controls ask for what was removed a moment ago.

use crate::base::order;
use serde_json::{Map, Value, json};

use super::book;
use super::fields::{self, Field, Row};
use super::limits::NO_GOAL;
use super::{Answer, Desk, Keep, RECENT, Rpc, session};
use crate::base::{InfoHash, TorrentId};
use crate::engine::control::Control;

impl Rpc {
    // ── Looking ─────────────────────────────────────────────────────────────────────────────

    /// `torrent-get`: objects, or a table whose first row has the names.
    pub(super) fn torrent_get(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        let Some(names) = arguments.get("fields").and_then(Value::as_array) else {
            return Err("no fields specified".to_owned());
        };
        let mut wanted: Vec<(&str, Field)> = Vec::new();
        for name in names.iter().filter_map(Value::as_str) {
            if let Some(field) = fields::find(name)
                && !wanted.iter().any(|(known, _)| *known == name)
            {
                wanted.push((name, field));
            }
        }
        let is_table = arguments.get("format").and_then(Value::as_str) == Some("table");
        let mut rows: Vec<Value> = Vec::new();
        if is_table {
            rows.push(wanted.iter().map(|(name, _)| json!(name)).collect());
        }
        for id in self.ids(arguments, desk) {
            if let Some(values) = self.sought(id, &wanted, desk) {
                let names = wanted.iter().map(|(name, _)| (*name).to_owned());
                rows.push(match is_table {
                    true => Value::Array(values),
                    false => Value::Object(names.zip(values).collect()),
                });
                continue;
            }
            let Some(mut row) = self.row(id, desk) else { continue };
            rows.push(match is_table {
                true => wanted.iter().map(|(_, field)| field(&mut row)).collect(),
                false => {
                    let pair =
                        |(name, field): &(&str, Field)| ((*name).to_owned(), field(&mut row));
                    Value::Object(wanted.iter().map(pair).collect())
                }
            });
        }
        let mut answer = Map::new();
        answer.insert("torrents".to_owned(), Value::Array(rows));
        if asks_what_is_new(arguments) {
            let removed = self.removed.iter().map(|(_, id)| json!(id.0)).collect();
            answer.insert("removed".to_owned(), removed);
        }
        Ok(answer)
    }

    fn row<'r>(&'r self, id: TorrentId, desk: &'r mut Desk<'_>) -> Option<Row<'r>> {
        let entry = self.book.get(&id)?;
        let torrent = desk.engine.torrent(id)?;
        let status = torrent.status(desk.now);
        let [copy, _] = book::paths(entry.info_hash);
        let file = self.options.state_dir.join(copy.join("/")).to_string_lossy().into_owned();
        Some(Row { now: desk.now, unix: desk.facts.unix, id, torrent, entry, status, file })
    }

    /// Which torrents are meant.
    pub(super) fn ids(&self, arguments: &Map<String, Value>, desk: &Desk<'_>) -> Vec<TorrentId> {
        let Some(ids) = arguments.get("ids") else { return self.book.keys().copied().collect() };
        if asks_what_is_new(arguments) {
            let is_new = |entry: &&book::Entry| desk.now.since(entry.changed) <= RECENT;
            let changed = self.book.iter().filter(|(_, entry)| is_new(entry));
            return changed.map(|(&id, _)| id).collect();
        }
        let named = match ids {
            Value::Array(list) => list.iter().filter_map(|id| self.id(id, desk)).collect(),
            one => Vec::from_iter(self.id(one, desk)),
        };
        let mut each: Vec<TorrentId> = Vec::new();
        for id in named {
            if !each.contains(&id) {
                each.push(id);
            }
            // Whoever names more has named some twice.
            if each.len() == self.book.len() {
                break;
            }
        }
        each
    }

    fn id(&self, said: &Value, desk: &Desk<'_>) -> Option<TorrentId> {
        let id = match said {
            Value::Number(number) => TorrentId(u32::try_from(number.as_u64()?).ok()?),
            Value::String(text) => desk.engine.find(InfoHash::parse_hex(text)?)?,
            _ => return None,
        };
        self.book.contains_key(&id).then_some(id)
    }

    // ── Doing ───────────────────────────────────────────────────────────────────────────────

    pub(super) fn torrent_start(
        &mut self,
        arguments: &Map<String, Value>,
        control: &Control,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        for id in self.ids(arguments, desk) {
            let torrent = desk.engine.torrent(id);
            let is_enough = torrent.is_some_and(|torrent| torrent.has_given_enough());
            // Who starts it although it gave enough wants it to give more.
            if let Some(entry) = self.book.get_mut(&id).filter(|_| is_enough) {
                entry.page.seed_ratio_mode = NO_GOAL;
                entry.is_dirty = true;
            }
        }
        self.set_paused(arguments, false, control, desk)
    }

    pub(super) fn torrent_stop(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        self.set_paused(arguments, true, &Control::Stop, desk)
    }

    pub(super) fn torrent_verify(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        self.tell_all(arguments, &Control::Verify, desk);
        Ok(Map::new())
    }

    pub(super) fn torrent_reannounce(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        self.tell_all(arguments, &Control::Reannounce, desk);
        Ok(Map::new())
    }

    pub(super) fn torrent_remove(
        &mut self,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        let erase = arguments.get("delete-local-data").and_then(session::as_bool).unwrap_or(false);
        let links = desk.engine.prospects();
        let ids = self.tell_all(arguments, &Control::Remove { erase }, desk);
        for &id in &ids {
            let Some(entry) = self.book.remove(&id) else { continue };
            self.gone.0 += entry.uploaded;
            self.gone.1 += entry.downloaded;
            self.removed.push((desk.now, id));
            if self.session.removed.len() < REMOVED_MAX {
                self.session.removed.insert(entry.info_hash.to_string());
            }
            let link = links.contains(&id).then(|| book::link_path(entry.info_hash));
            for path in book::paths(entry.info_hash).into_iter().chain(link) {
                desk.effects.keep.push(Keep { path: path.to_vec(), bytes: None });
            }
        }
        if !ids.is_empty() {
            self.renumber(desk);
            self.keep_session(desk.now, desk.effects);
        }
        Ok(Map::new())
    }

    fn set_paused(
        &mut self,
        arguments: &Map<String, Value>,
        paused: bool,
        control: &Control,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        for id in self.tell_all(arguments, control, desk) {
            let Some(entry) = self.book.get_mut(&id) else { continue };
            if !paused {
                entry.started = desk.now;
            }
            let is_other = entry.page.paused != paused || (entry.page.finished && !paused);
            let is_news = is_other || entry.is_dirty;
            entry.page.paused = paused;
            entry.page.finished &= paused;
            if is_news {
                self.keep_page(id, desk.effects);
            }
            self.aim(id, desk.engine);
        }
        Ok(Map::new())
    }

    fn tell_all(
        &mut self,
        arguments: &Map<String, Value>,
        control: &Control,
        desk: &mut Desk<'_>,
    ) -> Vec<TorrentId> {
        let ids = self.ids(arguments, desk);
        for &id in &ids {
            desk.engine.control(desk.now, id, control, &mut desk.effects.out);
            if let Some(entry) = self.book.get_mut(&id) {
                entry.changed = desk.now;
            }
        }
        ids
    }

    // ── The queue ───────────────────────────────────────────────────────────────────────────

    /// `queue-move-…`: those named keep their order among themselves.
    pub(super) fn queue_move(
        &mut self,
        method: &str,
        arguments: &Map<String, Value>,
        desk: &mut Desk<'_>,
    ) -> Answer<Map<String, Value>> {
        let moved = self.ids(arguments, desk);
        let mut order = self.queue();
        let is_moved = |id: &TorrentId| moved.contains(id);
        match method {
            "queue-move-top" => order::sort_by_key(&mut order, |id| !is_moved(id)),
            "queue-move-bottom" => order::sort_by_key(&mut order, is_moved),
            "queue-move-up" => {
                for at in 1..order.len() {
                    if is_moved(&order[at]) && !is_moved(&order[at - 1]) {
                        order.swap(at, at - 1);
                    }
                }
            }
            _down => {
                for at in (1..order.len()).rev() {
                    if is_moved(&order[at - 1]) && !is_moved(&order[at]) {
                        order.swap(at, at - 1);
                    }
                }
            }
        }
        self.set_queue(&order, desk);
        Ok(Map::new())
    }

    /// Puts one torrent at this place of the queue.
    pub(super) fn queue_put(&mut self, id: TorrentId, place: usize, desk: &mut Desk<'_>) {
        let mut order = self.queue();
        order.retain(|&other| other != id);
        order.insert(place.min(order.len()), id);
        self.set_queue(&order, desk);
    }

    fn renumber(&mut self, desk: &mut Desk<'_>) {
        let order = self.queue();
        self.set_queue(&order, desk);
    }

    fn queue(&self) -> Vec<TorrentId> {
        let mut order: Vec<TorrentId> = self.book.keys().copied().collect();
        order::sort_by_key(&mut order, |id| self.book[id].page.position);
        order
    }

    fn set_queue(&mut self, order: &[TorrentId], desk: &mut Desk<'_>) {
        for (position, id) in (0..).zip(order) {
            let Some(entry) = self.book.get_mut(id) else { continue };
            if entry.page.position != position {
                entry.page.position = position;
                entry.changed = desk.now;
                self.keep_page(*id, desk.effects);
            }
        }
        desk.engine.order_queue(desk.now, order, &mut desk.effects.out);
    }
}

fn asks_what_is_new(arguments: &Map<String, Value>) -> bool {
    arguments.get("ids").and_then(Value::as_str) == Some("recently-active")
}

/// Removed torrents that are remembered, so that their files do not bring them back.
const REMOVED_MAX: usize = 10_000;
