//! Calls: announces to simulated trackers, as real HTTP text there and back.
//!
//! ```text
//!   Output::Announce ─▶ request text ─ delay ─▶ http::Request::parse ─▶ Engine::http
//!   Input::Announced ◀─ Reply::parse ◀─ delay ─ response bytes (or what a liar says) ◀┘
//! ```
//! The bytes are those of the real world; only the connection that carries them is not modelled:
//! a request arrives whole after one delay, and its answer after another. Who gets no answer is
//! told so when the time-out of its announce has passed.

use std::net::{IpAddr, SocketAddr};

use super::clock::Moment;
use super::datagrams::Whose;
use super::net::NodeId;
use super::node::{Mood, Role};
use super::{Happening, Lab};
use crate::base::{Span, TorrentId};
use crate::engine::Input;
use crate::format::announce::{Announce, Refusal, Reply};
use crate::format::http::{self, Parsed, Progress, Request, Response, Scan};
use crate::format::query::{Scheme, TrackerUrl};

/// A request on its way.
#[derive(Debug)]
pub(super) struct Call {
    caller: Caller,
    to: NodeId,
    request: Vec<u8>,
    gives_up: Moment,
}

impl Call {
    /// The tracker's node.
    pub fn to(&self) -> NodeId {
        self.to
    }
}

/// Who asked, and about what.
#[derive(Clone, Copy, Debug)]
struct Caller {
    node: NodeId,
    life: u32,
    torrent: TorrentId,
    tracker: usize,
}

/// What the node that asked will hear.
#[derive(Debug)]
pub(super) struct Answer {
    torrent: TorrentId,
    tracker: usize,
    from: Option<IpAddr>,
    /// The whole response, or why there is none.
    response: Result<Vec<u8>, &'static str>,
}

impl Lab {
    /// Sends an announce on its way.
    pub(super) fn announce(
        &mut self,
        id: NodeId,
        torrent: TorrentId,
        tracker: usize,
        url: &str,
        announce: &Announce,
        timeout: Span,
    ) {
        self.note(id, "announces", format_args!("{torrent:?} {url} {:?}", announce.event));
        let caller = Caller { node: id, life: self.nodes[id.0].life, torrent, tracker };
        let gives_up = self.now.after(timeout);
        let Ok(url) = TrackerUrl::parse(url) else {
            return self.answer_at(self.now, caller, None, Err("not a URL that we can ask"));
        };
        let addr = url.host.parse().ok().map(|ip| SocketAddr::new(ip, url.port));
        if let (Scheme::Udp, Some(addr)) = (url.scheme, addr) {
            return self.ask_by_datagram(id, (torrent, tracker), addr, announce, timeout);
        }
        let Some(to) = addr.and_then(|addr| self.node_at(addr)) else {
            let at = self.now.after(self.net.travel().times(2));
            return self.answer_at(at, caller, None, Err("connection refused"));
        };
        if self.is_cut_off(id) {
            return self.answer_at(self.now, caller, None, Err("connection reset"));
        }
        if !self.net.reaches(id, to) {
            return self.answer_at(gives_up, caller, None, Err("timed out"));
        }
        let mut request = Vec::new();
        http::write_get(&url, &announce.target(&url), &mut request);
        let at = self.now.after(self.net.travel_alone());
        let call = Call { caller, to, request, gives_up };
        self.plan(at, Happening::Asked(Box::new(call)));
    }

    /// A request has reached a tracker's host.
    pub(super) fn on_asked(&mut self, call: Call) {
        let Call { caller, to, request, gives_up } = call;
        let back = self.now.after(self.net.travel_alone());
        let ip = self.nodes[to.0].addr.ip();
        let Role::Tracker(tracker) = &self.nodes[to.0].role else {
            return self.answer_at(back, caller, None, Err("connection refused"));
        };
        let (at, response) = match tracker.mood.clone() {
            Mood::Well => (back, Ok(self.serve(caller.node, to, &request))),
            Mood::Slow(span) => (back.after(span), Ok(self.serve(caller.node, to, &request))),
            Mood::Lying(bytes) => (back, Ok(bytes)),
            Mood::Down => (back, Err("connection refused")),
            Mood::Silent => (gives_up, Err("timed out")),
        };
        if at >= gives_up {
            return self.answer_at(gives_up, caller, Some(ip), Err("timed out"));
        }
        self.answer_at(at, caller, Some(ip), response);
    }

    /// An answer, or the lack of one, has reached the node that asked.
    pub(super) fn on_answered(&mut self, id: NodeId, answer: Answer) {
        let Answer { torrent, tracker, from, response } = answer;
        let result = response.map_err(str::to_owned).and_then(|bytes| read_response(&bytes));
        let result = match result {
            Ok(body) => Reply::parse(&body),
            Err(why) => Err(Refusal::Unreachable(why)),
        };
        self.tell_announced(id, (torrent, tracker), from, result);
    }

    /// Tells a node what came of its announce.
    pub(super) fn tell_announced(
        &mut self,
        id: NodeId,
        (torrent, tracker): Whose,
        from: Option<IpAddr>,
        result: Result<Reply, Refusal>,
    ) {
        match &result {
            Ok(reply) => {
                let count = reply.peers.len();
                self.note(id, "told", format_args!("{torrent:?} {count} peers"));
            }
            Err(refusal) => self.note(id, "told", format_args!("{torrent:?} {refusal:?}")),
        }
        self.tell(id, Input::Announced { torrent, tracker, from, result });
    }

    /// Lets a tracker's engine answer.
    fn serve(&mut self, caller: NodeId, to: NodeId, request: &[u8]) -> Vec<u8> {
        let now = self.now.time();
        let from = SocketAddr::new(self.nodes[caller.0].addr.ip(), 20_000);
        let mut response = Vec::new();
        match Request::parse(request, &mut Scan::default()) {
            Parsed::Done { request, used: _ } => {
                if let Some(engine) = self.nodes[to.0].engine_mut() {
                    let errand = engine.http(now, from, &request, &mut response);
                    assert!(errand.is_none(), "the trackers of the lab keep no files");
                }
            }
            Parsed::More => {}
            Parsed::Bad(status) => http::write_refusal(status, &mut response),
        }
        self.note(to, "answers", format_args!("{}", response.len()));
        self.finish_turn(to);
        response
    }

    fn answer_at(
        &mut self,
        at: Moment,
        caller: Caller,
        from: Option<IpAddr>,
        response: Result<Vec<u8>, &'static str>,
    ) {
        let Caller { node, life, torrent, tracker } = caller;
        let answer = Box::new(Answer { torrent, tracker, from, response });
        self.plan(at, Happening::Answered { node, life, answer });
    }
}

/// The body of a response of status 200.
fn read_response(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut response = Response::new();
    let progress = response.feed(bytes).map_err(|malformed| malformed.to_string())?;
    if !matches!(progress, Progress::Done) {
        response.on_closed().map_err(|malformed| malformed.to_string())?;
    }
    match response.status() {
        200 => Ok(response.body().to_vec()),
        status => Err(format!("status {status}")),
    }
}
