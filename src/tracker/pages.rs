//! Pages: what a tracker shows beside announces and scrapes, and what it lets people publish.
//!
//! ```text
//!  GET  /                            what is here, for people
//!  GET  /torrents                    what was published; ?q= words, ?limit=, ?before= a number
//!  POST /torrents                    publish: the body is the .torrent
//!  GET  /torrents/INFOHASH.torrent   one of them
//!  GET  /get_peers                   who is there; ?info_hash=
//!  GET  /pieces                      who holds which pieces; ?info_hash=, ?piece=
//!  GET  /stats  GET /metrics         how much of everything, as JSON and for Prometheus
//! ```
//!
//! What can be got here can be got by anybody. What changes something cannot be done by a web page
//! in a visitor's browser: it would have to send `Origin`, which is refused, and a content type
//! that a browser sends to strangers only after asking them, which is not granted.
//!
//! # Limits
//! `LISTED_MAX` torrents in one answer; `library::Rules`; for the others see `crowd`.
//!
//! # Why
//! Paths are compared as they are, without decoding: a file is asked for by forty hexadecimal
//! digits, so there is no path that could lead anywhere else.

use std::net::SocketAddr;

use super::figures::write_metrics;
use super::library::{Entry, Errand, Kept, Search, Unwelcome, Work};
use super::page::{NO_TORRENT, NOSNIFF, Page, Params, json, plain, write_page};
use super::service::Service;
use crate::base::limits::{LISTED_DEFAULT, LISTED_MAX, REQUEST_BODY_BYTES_MAX};
use crate::base::{InfoHash, Time};
use crate::format::http::{Request, Status};
use crate::format::listing;

/// What is at a path, or what must be done before that can be said.
pub(super) enum Visited {
    Page(Page),
    Errand(Errand),
}

impl Service {
    /// How many bytes the body of this request may have, or why it is refused by its head alone.
    pub fn body_bytes_max(
        &self,
        now: Time,
        from: SocketAddr,
        head: &Request<'_>,
    ) -> Result<usize, Status> {
        match (head.method, head.path(), &self.library) {
            ("POST", "/torrents", Some(library)) => {
                self.may_publish(now, from, head)?;
                Ok(library.rules().torrent_bytes_max)
            }
            _ => Ok(REQUEST_BODY_BYTES_MAX),
        }
    }

    /// An errand is done: appends the whole response to the request that it was for; or, if
    /// something remains to be done, returns that.
    pub fn finish(&mut self, errand: Errand, kept: Kept, answer: &mut Vec<u8>) -> Option<Errand> {
        let Errand { work, keep_alive, is_head } = errand;
        let mut body = Vec::new();
        let page = match work {
            Work::Judge { torrent } => match self.judged(torrent, kept, &mut body) {
                Ok(work) => return Some(Errand { work, keep_alive, is_head }),
                Err(page) => {
                    self.figures.published_refused += u64::from(page.status != Status::Ok);
                    page
                }
            },
            Work::Store { info_hash, entry, torrent: _ } => {
                self.stored(info_hash, entry, kept, &mut body)
            }
            Work::Load { info_hash } => self.loaded(info_hash, kept, &mut body),
        };
        write_page(page, keep_alive, is_head, &body, answer);
        None
    }

    /// Everything but announces and scrapes.
    pub(super) fn visit_page(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
        body: &mut Vec<u8>,
    ) -> Visited {
        let is_get = matches!(request.method, "GET" | "HEAD");
        let params = Params(request.query());
        let page = match (request.method, request.path()) {
            ("POST", "/torrents") if self.library.is_some() => {
                return self.publish(now, from, request, body);
            }
            (_, "/torrents") if is_get && self.library.is_some() => self.list(params, body),
            (_, "/") if is_get => {
                body.extend_from_slice(self.welcome().as_bytes());
                Page::PLAIN
            }
            (_, "/get_peers") if is_get => self.show_swarms(now, params, body),
            (_, "/pieces") if is_get => self.show_pieces(now, params, body),
            (_, "/stats") if is_get => json(Status::Ok, &self.stats(now), body),
            (_, "/metrics") if is_get => {
                write_metrics(&self.stats(now), body);
                METRICS
            }
            (_, path) if is_get && path.starts_with("/torrents/") => {
                return self.fetch(request, body);
            }
            ("GET" | "HEAD", _) => plain(Status::NotFound, "Not Found", body),
            (_, path) => {
                let status = Status::MethodNotAllowed;
                Page { extra: allowed(path), ..plain(status, status.reason(), body) }
            }
        };
        Visited::Page(page)
    }

    fn welcome(&self) -> String {
        let mut text = format!(
            "swarmlet {}: a BitTorrent tracker\n\nannounce at /announce, scrape at /scrape\n\
             who is there: /get_peers?info_hash=INFOHASH; numbers: /stats, /metrics\n",
            env!("CARGO_PKG_VERSION")
        );
        if let Some(library) = &self.library {
            text.push_str(
                "torrents: /torrents (?q= searches), /torrents/INFOHASH.torrent, \
                 /pieces?info_hash=INFOHASH\n\
                 publish one: swarmlet publish FILE.torrent, or POST it to /torrents as \
                 application/x-bittorrent\n",
            );
            text.push_str(&format!("{} published\n", library.len()));
        }
        text
    }

    // ── The library ─────────────────────────────────────────────────────────────────────────

    /// Whether somebody may send a .torrent, as far as the head of the request tells.
    fn may_publish(&self, now: Time, from: SocketAddr, head: &Request<'_>) -> Result<(), Status> {
        // Programs do not say where they come from; browsers always do (and `null` is no excuse).
        if head.headers.get("origin").is_some() || head.headers.get("sec-fetch-site").is_some() {
            return Err(Status::Forbidden);
        }
        let said = head.headers.get("content-type").unwrap_or_default();
        let kind = said.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        if !kind.eq_ignore_ascii_case(TORRENT.content_type.as_bytes()) {
            return Err(Status::UnsupportedMediaType);
        }
        let welcome = self.library.as_ref().map(|library| library.may_publish(now, from.ip()));
        if welcome.is_some_and(|welcome| welcome.is_err()) {
            return Err(Status::TooManyRequests);
        }
        Ok(())
    }

    fn publish(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
        body: &mut Vec<u8>,
    ) -> Visited {
        if let Err(status) = self.may_publish(now, from, request) {
            self.figures.published_refused += 1;
            return Visited::Page(plain(status, status.reason(), body));
        }
        let library = self.library.as_mut().expect("only asked where there is one");
        library.count_publisher(now, from.ip());
        // A body of no bytes was not asked about.
        let work = Work::Judge { torrent: request.body.to_vec() };
        Visited::Errand(errand(request, work))
    }

    /// What is to be done with a .torrent that was read; or what is said instead.
    fn judged(&mut self, torrent: Vec<u8>, kept: Kept, body: &mut Vec<u8>) -> Result<Work, Page> {
        let (info_hash, entry) = match kept {
            Kept::Judged(Ok(judged)) => judged,
            Kept::Judged(Err(bad)) => return Err(unwelcome(&Unwelcome::Malformed(bad), body)),
            Kept::Stored | Kept::Loaded(_) | Kept::Missing | Kept::Failed => {
                return Err(plain(Status::ServiceUnavailable, "too many at once", body));
            }
        };
        if self.blocked.contains(&info_hash) {
            return Err(plain(Status::Forbidden, BLOCKED, body));
        }
        let library = self.library.as_mut().expect("errands come from a library");
        if let Some(known) = library.get(info_hash) {
            return Err(published(info_hash, known, false, body));
        }
        if !library.has_room() {
            return Err(unwelcome(&Unwelcome::Full, body));
        }
        library.expect();
        Ok(Work::Store { info_hash, torrent, entry })
    }

    fn stored(&mut self, hash: InfoHash, entry: Entry, kept: Kept, body: &mut Vec<u8>) -> Page {
        let library = self.library.as_mut().expect("errands come from a library");
        if kept != Kept::Stored {
            library.arrived(hash, None);
            self.figures.published_refused += 1;
            return plain(Status::InsufficientStorage, "the disk here takes no more now", body);
        }
        let page = published(hash, &entry, true, body);
        library.arrived(hash, Some(entry));
        self.figures.published_new += 1;
        page
    }

    fn loaded(&mut self, hash: InfoHash, kept: Kept, body: &mut Vec<u8>) -> Page {
        match kept {
            Kept::Loaded(torrent) => {
                self.figures.fetched += 1;
                *body = torrent;
                TORRENT
            }
            Kept::Missing => {
                if let Some(library) = &mut self.library {
                    library.forget(hash);
                }
                plain(Status::NotFound, NO_TORRENT, body)
            }
            Kept::Judged(_) | Kept::Stored | Kept::Failed => {
                plain(Status::ServiceUnavailable, "the disk here does not answer", body)
            }
        }
    }

    fn fetch(&self, request: &Request<'_>, body: &mut Vec<u8>) -> Visited {
        let name = request.path().strip_prefix("/torrents/").unwrap_or_default();
        let hash = name.strip_suffix(".torrent").and_then(InfoHash::parse_hex);
        let known = hash.filter(|hash| self.shown_entry(*hash).is_some());
        match known {
            Some(info_hash) => Visited::Errand(errand(request, Work::Load { info_hash })),
            None => Visited::Page(plain(Status::NotFound, NO_TORRENT, body)),
        }
    }

    fn list(&self, params: Params<'_>, body: &mut Vec<u8>) -> Page {
        let limit = params.number("limit").and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(LISTED_DEFAULT).clamp(1, LISTED_MAX);
        let search = Search::new(&params.text("q"));
        let library = self.library.as_ref().expect("only asked where there is one");
        let found = library.find(&search, params.number("before"));
        let mut found = found.filter(|(_, hash, _)| !self.blocked.contains(hash)).peekable();
        let mut torrents = Vec::new();
        let mut last = None;
        for (number, hash, entry) in found.by_ref().take(limit) {
            torrents.push(self.listed(hash, entry));
            last = Some(number);
        }
        let next = last.filter(|_| found.peek().is_some());
        json(Status::Ok, &listing::Listing { torrents, next }, body)
    }

    fn listed(&self, hash: InfoHash, entry: &Entry) -> listing::Listed {
        let tally = self.tally(hash);
        listing::Listed {
            info_hash: hash.to_string(),
            name: entry.name.clone(),
            bytes: entry.bytes,
            files: entry.files,
            pieces: entry.pieces,
            piece_bytes: entry.piece_bytes,
            seeds: tally.seeds,
            leechers: tally.leechers,
            completed: tally.completed,
            torrent: torrent_path(hash),
        }
    }
}

fn errand(request: &Request<'_>, work: Work) -> Errand {
    let Request { method, keep_alive, .. } = *request;
    Errand { work, keep_alive, is_head: method == "HEAD" }
}

fn published(hash: InfoHash, entry: &Entry, new: bool, body: &mut Vec<u8>) -> Page {
    let shown = listing::Published {
        info_hash: hash.to_string(),
        name: entry.name.clone(),
        new,
        private: entry.private,
        torrent: torrent_path(hash),
    };
    json(if new { Status::Created } else { Status::Ok }, &shown, body)
}

fn unwelcome(why: &Unwelcome, body: &mut Vec<u8>) -> Page {
    match why {
        Unwelcome::TooMany => plain(Status::TooManyRequests, "come back in an hour", body),
        Unwelcome::Full => plain(Status::InsufficientStorage, "the library is full", body),
        Unwelcome::Malformed(malformed) => {
            plain(Status::BadRequest, &format!("not a usable torrent: {malformed}"), body)
        }
    }
}

fn torrent_path(hash: InfoHash) -> String {
    format!("/torrents/{hash}.torrent")
}

/// The methods that a path takes, as a header.
fn allowed(path: &str) -> &'static [(&'static str, &'static str)] {
    match path {
        "/announce" | "/torrents" => &[("Allow", "GET, HEAD, POST")],
        _ => &[("Allow", "GET, HEAD")],
    }
}

const TORRENT: Page =
    Page { status: Status::Ok, content_type: "application/x-bittorrent", extra: NOSNIFF };
const METRICS: Page =
    Page { status: Status::Ok, content_type: "text/plain; version=0.0.4", extra: NOSNIFF };

const BLOCKED: &str = "this torrent is blocked here";
