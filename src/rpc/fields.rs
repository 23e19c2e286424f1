//! Fields: what a remote control can ask of a torrent, one line each.
//!
//! A request names the fields that it wants; names that stand in neither table are left out of the
//! answer, without an error, as every server of this protocol does. What a field costs is paid
//! only if it is asked for.
//!
//! # Interface
//! `find` by name; the function found makes the value of one `Row`.

use serde_json::{Map, Value, json};

use super::book::Entry;
use crate::base::{Span, Time, TorrentId};
use crate::border::DiskFault;
use crate::engine::{Phase, Status};
use crate::format::layout::File;
use crate::format::magnet::Magnet;
use crate::format::query::TrackerUrl;
use crate::format::{base64, client, json, text};
use crate::torrent::Torrent;
use crate::torrent::announcer::TrackerReport;
use crate::torrent::detail::{PeerDetail, PieceState};

/// A torrent, as the functions of the table see it.
pub struct Row<'r> {
    pub now: Time,
    /// Seconds since 1970, now.
    pub unix: i64,
    pub id: TorrentId,
    pub torrent: &'r mut Torrent,
    pub entry: &'r Entry,
    pub status: Status,
    /// Where its .torrent lies, for people.
    pub file: String,
}

/// Makes the value of a field.
pub type Field = fn(&mut Row<'_>) -> Value;

/// The field of this name.
pub fn find(name: &str) -> Option<Field> {
    let rows = STATE.iter().chain(WISHES).chain(LISTS);
    rows.into_iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
}

/// How it is doing.
const STATE: &[(&str, Field)] = &[
    ("id", |row| json!(row.id.0)),
    ("hashString", |row| json!(row.status.info_hash.to_string())),
    ("name", |row| json!(row.status.name)),
    ("status", |row| json!(row.state())),
    ("error", |row| json!(row.trouble().0)),
    ("errorString", |row| json!(row.trouble().1)),
    ("isFinished", |row| json!(row.entry.page.finished)),
    ("isStalled", |row| json!(row.is_stalled())),
    ("isPrivate", |row| json!(row.torrent.metainfo().private)),
    ("totalSize", |row| json!(row.status.total_bytes)),
    ("sizeWhenDone", |row| json!(row.status.wanted_bytes)),
    ("leftUntilDone", |row| json!(row.status.left_bytes)),
    ("haveValid", |row| json!(row.status.have_bytes)),
    ("haveUnchecked", |_| json!(0)),
    ("desiredAvailable", |row| json!(row.torrent.available_bytes())),
    ("percentDone", |row| row.percent_done()),
    ("percentComplete", |row| share(row.status.have_bytes, row.status.total_bytes)),
    ("metadataPercentComplete", |_| json!(1.0)),
    ("recheckProgress", |row| row.recheck_progress()),
    ("rateDownload", |row| json!(row.status.rate_down)),
    ("rateUpload", |row| json!(row.status.rate_up)),
    ("eta", |row| json!(row.eta())),
    ("etaIdle", |_| json!(-1)),
    ("uploadedEver", |row| json!(row.entry.uploaded_ever())),
    ("downloadedEver", |row| json!(row.entry.downloaded_ever())),
    ("corruptEver", |row| json!(row.entry.page.corrupt)),
    ("uploadRatio", |row| row.ratio()),
    ("peersConnected", |row| json!(row.status.peers)),
    ("peersSendingToUs", |row| json!(row.torrent.busy_peers().0)),
    ("peersGettingFromUs", |row| json!(row.torrent.busy_peers().1)),
    ("webseedsSendingToUs", |row| json!(row.torrent.busy_webs())),
    ("maxConnectedPeers", |row| json!(row.torrent.peers_max())),
    ("addedDate", |row| json!(row.entry.page.added)),
    ("doneDate", |row| json!(row.entry.page.done)),
    ("activityDate", |row| json!(row.entry.page.active)),
    ("startDate", |row| json!(row.unix_of(row.entry.started))),
    ("editDate", |_| json!(0)),
    ("dateCreated", |row| json!(row.torrent.metainfo().creation_date.unwrap_or(0))),
    ("secondsDownloading", |row| json!(row.entry.page.downloading_secs)),
    ("secondsSeeding", |row| json!(row.entry.page.seeding_secs)),
    ("manualAnnounceTime", |row| json!(row.unix)),
    ("pieceCount", |row| json!(row.torrent.layout().piece_count())),
    ("pieceSize", |row| json!(row.torrent.layout().piece_bytes())),
    ("comment", |row| json!(row.torrent.metainfo().comment.clone().unwrap_or_default())),
    ("creator", |row| json!(row.torrent.metainfo().created_by.clone().unwrap_or_default())),
    ("downloadDir", |row| json!(row.entry.page.dir.to_string_lossy())),
    ("torrentFile", |row| json!(row.file)),
    ("magnetLink", |row| json!(Magnet::of(row.torrent.metainfo()).to_string())),
    ("primary-mime-type", |_| json!("application/octet-stream")),
    ("file-count", |row| json!(row.files().count())),
    ("fileCount", |row| json!(row.files().count())),
];

/// What a person wishes for it.
const WISHES: &[(&str, Field)] = &[
    ("bandwidthPriority", |row| json!(row.entry.page.priority)),
    ("downloadLimit", |row| json!(row.entry.page.download_limit)),
    ("downloadLimited", |row| json!(row.entry.page.download_limited)),
    ("uploadLimit", |row| json!(row.entry.page.upload_limit)),
    ("uploadLimited", |row| json!(row.entry.page.upload_limited)),
    ("honorsSessionLimits", |row| json!(row.entry.page.honors_session_limits)),
    ("peer-limit", |row| json!(row.torrent.peers_max())),
    ("queuePosition", |row| json!(row.entry.page.position)),
    ("seedIdleLimit", |row| json!(row.entry.page.seed_idle_minutes)),
    ("seedIdleMode", |row| json!(row.entry.page.seed_idle_mode)),
    ("seedRatioLimit", |row| json!(row.entry.page.seed_ratio)),
    ("seedRatioMode", |row| json!(row.entry.page.seed_ratio_mode)),
    ("labels", |row| json!(row.entry.page.labels)),
    ("group", |row| json!(row.entry.page.group)),
    ("sequentialDownload", |row| json!(row.entry.page.sequential)),
    ("priorities", |row| row.each_file(|page, file| json!(page.priority_of(file)))),
    ("wanted", |row| row.each_file(|page, file| json!(u8::from(page.wants(file))))),
];

/// What there are several of.
const LISTS: &[(&str, Field)] = &[
    ("files", |row| {
        let bytes = row.torrent.file_bytes();
        let files = row.files().map(|(index, file)| {
            let name = file.path.join("/");
            json::object([
                ("name", Value::from(name)),
                ("length", Value::from(file.len)),
                ("bytesCompleted", Value::from(bytes[index])),
            ])
        });
        files.collect()
    }),
    ("fileStats", |row| {
        let bytes = row.torrent.file_bytes();
        let stats = (0..).zip(row.files()).map(|(number, (index, _))| {
            let (page, bytes) = (&row.entry.page, bytes[index]);
            let (wanted, priority) = (page.wants(number), page.priority_of(number));
            json::object([
                ("bytesCompleted", Value::from(bytes)),
                ("wanted", Value::from(wanted)),
                ("priority", Value::from(priority)),
            ])
        });
        stats.collect()
    }),
    ("pieces", |row| json!(base64::write(row.torrent.have().as_bytes()))),
    ("availability", |row| {
        let holders = row.torrent.holders();
        let have = row.torrent.have();
        let one = |(piece, &count): (_, &u32)| {
            if have.has(piece) { json!(-1) } else { json!(count) }
        };
        row.torrent.layout().pieces().zip(&holders).map(one).collect()
    }),
    ("pieceHolders", |row| row.torrent.holders().into_iter().map(Value::from).collect()),
    ("pieceStates", |row| {
        let letter = |state| match state {
            PieceState::Missing => 'm',
            PieceState::InFlight => 'f',
            PieceState::Here => 'h',
        };
        Value::String(row.torrent.piece_states().into_iter().map(letter).collect())
    }),
    ("peers", |row| row.torrent.peers(row.now).iter().map(peer).collect()),
    ("peersFrom", |row| {
        let (dialled, incoming) = row.torrent.callers();
        json::object([
            ("fromCache", Value::from(0)),
            ("fromDht", Value::from(0)),
            ("fromIncoming", Value::from(incoming)),
            ("fromLpd", Value::from(0)),
            ("fromLtep", Value::from(0)),
            ("fromPex", Value::from(0)),
            ("fromTracker", Value::from(dialled)),
        ])
    }),
    ("trackers", |row| {
        let tracker = |report: TrackerReport| {
            let (site, scrape) = (site_of(&report.url), scrape_of(&report.url));
            json::object([
                ("id", Value::from(report.tracker)),
                ("announce", Value::from(report.url)),
                ("scrape", Value::from(scrape)),
                ("tier", Value::from(report.tier)),
                ("sitename", Value::from(site)),
            ])
        };
        row.torrent.trackers().into_iter().map(tracker).collect()
    }),
    ("trackerStats", |row| {
        let reports = row.torrent.trackers();
        reports.iter().map(|report| row.tracker_stats(report)).collect()
    }),
    ("trackerList", |row| {
        let tiers = &row.torrent.metainfo().trackers;
        let tiers: Vec<String> = tiers.iter().map(|tier| tier.join("\n")).collect();
        json!(tiers.join("\n\n"))
    }),
    ("webseeds", |row| json!(row.torrent.metainfo().web_seeds)),
];

impl Row<'_> {
    /// 0 stopped, 2 checking, 4 downloading, 6 seeding; 1, 3, 5: waiting for its turn to.
    fn state(&self) -> u8 {
        match self.status.phase {
            Phase::Checking { .. } if self.torrent.awaits_check() => 1,
            Phase::Checking { .. } => 2,
            Phase::Waiting if self.torrent.is_done() => 5,
            Phase::Waiting => 3,
            Phase::Seeking { .. } | Phase::Downloading => 4,
            Phase::Seeding => 6,
            Phase::Troubled(_) if self.status.left_bytes == 0 => 6,
            Phase::Troubled(_) => 4,
            Phase::Stopping | Phase::Stopped => 0,
        }
    }

    /// 0 all is well, 2 no tracker takes us, 3 trouble here; and why.
    fn trouble(&self) -> (u8, String) {
        if let Phase::Troubled(fault) = self.status.phase {
            return (3, DiskFault::to_string(&fault));
        }
        let reports = self.torrent.trackers();
        let has_failed = |report: &TrackerReport| report.failure.is_some();
        match reports.iter().find_map(|report| report.failure.clone()) {
            Some(failure) if reports.iter().all(has_failed) => (2, failure),
            Some(_) | None => (0, String::new()),
        }
    }

    fn is_stalled(&self) -> bool {
        let is_running = matches!(self.status.phase, Phase::Downloading | Phase::Seeding);
        let since = self.entry.moved.unwrap_or(self.entry.started);
        is_running && self.now.since(since) >= STALLED_AFTER
    }

    fn percent_done(&self) -> Value {
        share(self.status.got_bytes(), self.status.wanted_bytes)
    }

    fn recheck_progress(&self) -> Value {
        match self.status.phase {
            Phase::Checking { bytes } => share(bytes, self.status.total_bytes),
            Phase::Seeking { .. }
            | Phase::Downloading
            | Phase::Seeding
            | Phase::Waiting
            | Phase::Troubled(_)
            | Phase::Stopping
            | Phase::Stopped => json!(0.0),
        }
    }

    /// Seconds; -1 if there is nothing to wait for, -2 if there is no telling.
    fn eta(&self) -> i64 {
        if self.status.phase != Phase::Downloading {
            return -1;
        }
        let left = self.status.time_left;
        left.map_or(-2, |left| i64::try_from(left.as_secs()).unwrap_or(i64::MAX))
    }

    /// What we gave for what we got; -1 if neither, -2 if we got nothing and have nothing.
    fn ratio(&self) -> Value {
        let up = self.entry.uploaded_ever();
        let down = match self.entry.downloaded_ever() {
            // Who had it from the beginning is measured by the size of what it has.
            0 => self.status.have_bytes,
            down => down,
        };
        match (up, down) {
            (0, 0) => json!(-1),
            (_, 0) => json!(-2),
            (up, down) => share(up, down),
        }
    }

    /// The files that people see, with their numbers in the layout.
    fn files(&self) -> impl Iterator<Item = (usize, &File)> {
        self.torrent.layout().files().iter().enumerate().filter(|(_, file)| !file.pad)
    }

    fn each_file(&self, value: fn(&super::book::Page, u32) -> Value) -> Value {
        (0..).zip(self.files()).map(|(number, _)| value(&self.entry.page, number)).collect()
    }

    fn unix_of(&self, time: Time) -> i64 {
        let ago = i64::try_from(self.now.since(time).as_secs()).unwrap_or(i64::MAX);
        let ahead = i64::try_from(time.since(self.now).as_secs()).unwrap_or(i64::MAX);
        self.unix.saturating_sub(ago).saturating_add(ahead)
    }

    fn tracker_stats(&self, report: &TrackerReport) -> Value {
        let unix = |time: Option<Time>| time.map_or(0, |time| self.unix_of(time));
        let count =
            |count: Option<u64>| count.map_or(-1, |count| count.try_into().unwrap_or(-1i64));
        let is_stopped = matches!(self.status.phase, Phase::Stopping | Phase::Stopped);
        let state = match (report.is_asking, is_stopped) {
            (true, _) => 3,
            (false, true) => 0,
            (false, false) => 1,
        };
        let result = match (&report.failure, &report.warning, report.answered_at) {
            (Some(failure), _, _) => failure.clone(),
            (None, Some(warning), _) => warning.clone(),
            (None, None, Some(_)) => "Success".to_owned(),
            (None, None, None) => String::new(),
        };
        let has_announced = report.answered_at.is_some();
        let succeeded = has_announced && report.failure.is_none();
        let host =
            TrackerUrl::parse_any(&report.url).map(|url| format!("{}:{}", url.host, url.port));
        let stats = json::object([
            ("id", Value::from(report.tracker)),
            ("announce", Value::from(report.url.as_str())),
            ("tier", Value::from(report.tier)),
            ("scrape", Value::from(scrape_of(&report.url))),
            ("sitename", Value::from(site_of(&report.url))),
            ("host", Value::from(host.unwrap_or_default())),
            ("isBackup", Value::from(false)),
            ("announceState", Value::from(state)),
            ("scrapeState", Value::from(0)),
            ("downloadCount", Value::from(-1)),
            ("leecherCount", Value::from(count(report.leechers))),
            ("seederCount", Value::from(count(report.seeds))),
            ("hasAnnounced", Value::from(has_announced)),
            ("hasScraped", Value::from(false)),
            ("lastAnnouncePeerCount", Value::from(report.peers)),
            ("lastAnnounceResult", Value::from(result)),
            ("lastAnnounceStartTime", Value::from(unix(report.asked_at))),
            ("lastAnnounceTime", Value::from(unix(report.answered_at))),
            ("lastAnnounceSucceeded", Value::from(succeeded)),
            ("lastAnnounceTimedOut", Value::from(false)),
        ]);
        let scrapes = json::object([
            ("nextAnnounceTime", Value::from(unix(report.next.filter(|_| !is_stopped)))),
            ("lastScrapeResult", Value::from("")),
            ("lastScrapeStartTime", Value::from(0)),
            ("lastScrapeTime", Value::from(0)),
            ("lastScrapeSucceeded", Value::from(false)),
            ("lastScrapeTimedOut", Value::from(false)),
            ("nextScrapeTime", Value::from(0)),
        ]);
        joined(stats, scrapes)
    }
}

fn peer(peer: &PeerDetail) -> Value {
    let pieces = peer.have.len();
    let usual = json::object([
        ("address", Value::from(peer.addr.ip().to_string())),
        ("port", Value::from(peer.addr.port())),
        ("clientName", Value::from(client::name(peer.peer_id))),
        ("flagStr", Value::from(flags(peer))),
        ("progress", share(u64::from(peer.have.count()), u64::from(pieces))),
        ("rateToClient", Value::from(peer.rate_down)),
        ("rateToPeer", Value::from(peer.rate_up)),
        ("clientIsChoked", Value::from(peer.them.choking)),
        ("clientIsInterested", Value::from(peer.us.interested)),
        ("peerIsChoked", Value::from(peer.us.choking)),
        ("peerIsInterested", Value::from(peer.them.interested)),
        ("isDownloadingFrom", Value::from(peer.asked > 0)),
        ("isUploadingTo", Value::from(peer.wanted > 0)),
        ("isEncrypted", Value::from(false)),
        ("isIncoming", Value::from(!peer.dialled)),
        ("isUTP", Value::from(false)),
    ]);
    let ours = json::object([
        ("peerId", Value::from(text::clean(peer.peer_id.to_string()))),
        ("downloaded", Value::from(peer.downloaded)),
        ("uploaded", Value::from(peer.uploaded)),
        ("pieces", Value::from(base64::write(peer.have.as_bytes()))),
        ("piece", Value::from(peer.current.map_or(-1, |piece| i64::from(piece.get())))),
        ("isSnubbing", Value::from(peer.is_snubbing)),
        ("reasons", json!([peer.why_up, peer.why_down])),
    ]);
    joined(usual, ours)
}

/// The letters that remote controls show: O served by lot; D and U moving, d and u wanted and
/// refused; K and ? not refused and not wanted; I they called us.
fn flags(peer: &PeerDetail) -> String {
    let down = match (peer.us.interested, peer.them.choking) {
        (true, false) if peer.asked > 0 => "D",
        (true, _) => "d",
        (false, false) => "K",
        (false, true) => "",
    };
    let up = match (peer.them.interested, peer.us.choking) {
        (true, false) if peer.wanted > 0 => "U",
        (true, _) => "u",
        (false, false) => "?",
        (false, true) => "",
    };
    let lot = if peer.is_optimistic { "O" } else { "" };
    let incoming = if peer.dialled { "" } else { "I" };
    format!("{lot}{down}{up}{incoming}")
}

/// A part of a whole, as remote controls want it: 1 is all.
fn share(part: u64, whole: u64) -> Value {
    // Far beyond what anybody would see is lost by a float's 53 bits.
    if whole == 0 { json!(1.0) } else { json!(part as f64 / whole as f64) }
}

fn joined(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend::<Map<String, Value>>(other);
    }
    one
}

fn scrape_of(url: &str) -> String {
    let url = TrackerUrl::parse(url).ok().and_then(|url| url.scrape());
    url.map_or_else(String::new, |url| url.to_string())
}

/// The part of a host's name that people know: `example` of `tracker.example.org`.
fn site_of(url: &str) -> String {
    let Ok(url) = TrackerUrl::parse_any(url) else { return String::new() };
    if url.host.parse::<std::net::IpAddr>().is_ok() {
        return url.host;
    }
    let mut parts = url.host.rsplit('.');
    let last = parts.next().unwrap_or_default();
    parts.next().unwrap_or(last).to_owned()
}

/// The time after which remote controls call a torrent stalled.
const STALLED_AFTER: Span = Span::from_secs(30 * 60);
