//! Calls: our own announces to trackers. Names are looked up for all of them; those over HTTP are
//! carried out here, those over UDP in `udp_call`.
//!
//! ```text
//!  Output::Announce ─▶ queued ─▶ resolving ─▶ connecting ─▶ asking ─▶ answered ─▶ Announced
//!        │               │        │   ▲        │  ▲  │       │          │
//!        │               │        │   │        │  └──┘ next  │          │
//!        │               │        │   └────────┼─── address ─┼─ redirect┘
//!        └─ not http ────┴────────┴── late ────┴──── bad ────┴──▶ Announced(Err(Unreachable))
//! ```
//!
//! One call after the other would let a dead tracker hold up all others; all at once would take a
//! descriptor each. So some are under way and the rest wait, and the clock of each runs from the
//! moment at which the engine asked: the engine always hears of it within the time it gave.
//!
//! # Limits
//! `CALLS_AT_ONCE_MAX` under way, `CALLS_QUEUED_MAX` waiting, `REDIRECTS_MAX` redirects,
//! `CALL_ADDRS_MAX` addresses; the answer as `format::http::Response` says.
//!
//! # Why
//! A torrent is made by a stranger, and its tracker's URL with it: `TrackerUrl::may_be_asked_at`
//! judges each address before we connect, the first one and those that redirects lead to.
//!
//! # Spec
//! BEP 3, "trackers"; RFC 9110, section 15.4 (redirects).

use crate::base::order;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;

use super::conn::{Kind, canonical};
use super::reactor::Reactor;
use super::resolver::{Lookup, Resolved};
use super::udp_call::Asked;
use crate::base::limits::{
    ASKED_AT_ONCE_MAX, CALL_ADDRS_MAX, CALLS_AT_ONCE_MAX, CALLS_QUEUED_MAX, HTTP_RECEIVE_BYTES,
    REDIRECTS_MAX,
};
use crate::base::{ConnId, Span, Time, TorrentId};
use crate::engine::Input;
use crate::format::announce::{Announce, Refusal, Reply};
use crate::format::http::{self, Progress, Response};
use crate::format::query::{Scheme, TrackerUrl};

/// An announce on its way, wherever it is.
#[derive(Debug)]
pub struct Call {
    torrent: TorrentId,
    tracker: usize,
    url: TrackerUrl,
    /// Path and query to ask for over HTTP …
    target: String,
    /// … or what is asked by datagrams.
    datagram: Option<Box<Announce>>,
    timeout: Span,
    deadline: Time,
    redirects: u32,
    /// Who redirected us to `url`.
    sent_by: Option<IpAddr>,
}

/// A call that has a socket.
#[derive(Debug)]
pub struct HttpCall {
    pub stream: TcpStream,
    call: Call,
    addr: SocketAddr,
    /// Where else to try if nobody picks up.
    others: VecDeque<SocketAddr>,
    /// When the next address gets its chance.
    give_up: Time,
    is_connected: bool,
    conversation: Conversation,
}

/// The calls that have none.
#[derive(Debug, Default)]
pub struct Calls {
    queued: VecDeque<Call>,
    resolving: Vec<Call>,
    /// Those in the table.
    connected: Vec<ConnId>,
    /// Those over UDP, from when their address is known.
    pub(super) asked: Vec<Asked>,
}

/// One request and its response, over any stream.
#[derive(Debug)]
pub struct Conversation {
    request: Vec<u8>,
    sent: usize,
    response: Response,
}

/// How a conversation stands.
#[derive(PartialEq, Eq, Debug)]
pub enum Talk {
    /// An event of the socket says when it goes on.
    Wait,
    /// The response is whole.
    Answered,
    /// There will be none; in a few words, why.
    Failed(String),
}

impl Conversation {
    /// A conversation that begins with `request`, a whole one.
    pub fn new(request: Vec<u8>) -> Conversation {
        Conversation { request, sent: 0, response: Response::new() }
    }

    /// Goes on as far as the socket allows. What a response may hold is bounded, so this ends.
    pub fn run(&mut self, stream: &mut (impl Read + Write), buffer: &mut [u8]) -> Talk {
        match self.advance(stream, buffer) {
            Ok(talk) => talk,
            Err(error) => Talk::Failed(said(&error)),
        }
    }

    pub fn response(&self) -> &Response {
        &self.response
    }

    fn advance(&mut self, stream: &mut (impl Read + Write), buffer: &mut [u8]) -> io::Result<Talk> {
        while self.sent < self.request.len() {
            match stream.write(&self.request[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Talk::Wait),
                Err(error) => return Err(error),
            }
        }
        loop {
            let progress = match stream.read(buffer) {
                Ok(0) => self.response.on_closed().map(|()| Progress::Done),
                Ok(len) => self.response.feed(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Talk::Wait),
                Err(error) => return Err(error),
            };
            match progress {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => return Ok(Talk::Answered),
                Err(malformed) => return Ok(Talk::Failed(malformed.to_string())),
            }
        }
    }
}

impl Calls {
    fn under_way(&self) -> usize {
        self.resolving.len() + self.connected.len()
    }

    /// Whether a call waits that could begin.
    pub(super) fn can_begin(&self) -> bool {
        !self.queued.is_empty()
            && self.under_way() < CALLS_AT_ONCE_MAX
            && self.asked.len() < ASKED_AT_ONCE_MAX
    }
}

impl Reactor {
    /// Takes an announce on. However it ends, `Announced` follows, in a later turn.
    pub(super) fn start_call(&mut self, order: CallOrder) {
        let CallOrder { torrent, tracker, url, announce, timeout } = order;
        let refusal = match TrackerUrl::parse(&url) {
            Ok(_) if self.calls.queued.len() >= CALLS_QUEUED_MAX => {
                String::from("too many other announces are waiting")
            }
            Ok(url) => {
                let is_datagram = url.scheme == Scheme::Udp;
                let target = if is_datagram { String::new() } else { announce.target(&url) };
                let datagram = is_datagram.then(|| Box::new(announce));
                let deadline = self.now + timeout;
                self.calls.queued.push_back(Call {
                    torrent,
                    tracker,
                    url,
                    target,
                    datagram,
                    timeout,
                    deadline,
                    redirects: 0,
                    sent_by: None,
                });
                return;
            }
            Err(malformed) => malformed.into_what().into_owned(),
        };
        let result = Err(Refusal::Unreachable(refusal));
        self.done.push_back(Input::Announced { torrent, tracker, from: None, result });
    }

    /// Lets waiting calls begin, and ends those whose time is over.
    pub(super) fn run_calls(&mut self) {
        self.expire_calls();
        while self.calls.can_begin()
            && let Some(call) = self.calls.queued.pop_front()
        {
            self.resolve(call);
        }
    }

    /// The next moment at which a call runs out of time. Linear: a handful are under way, and
    /// those that wait are at most one for each tracker of each torrent.
    pub(super) fn calls_deadline(&mut self) -> Option<Time> {
        let table = &mut self.table;
        let connected = self.calls.connected.iter();
        let connected = connected.filter_map(|&id| table.call(id).map(|call| call.next_time()));
        let resolving = self.calls.resolving.iter().map(|call| call.deadline);
        let queued = self.calls.queued.iter().map(|call| call.deadline);
        resolving.chain(queued).chain(connected).min()
    }

    /// A name became addresses, or did not. Everybody who waits for that host goes on.
    pub(super) fn on_resolved(&mut self, resolved: &Resolved) {
        // Those whose time was over before the answer came are gone already.
        let (calls, others) = std::mem::take(&mut self.calls.resolving)
            .into_iter()
            .partition(|call| call.url.host == resolved.host);
        self.calls.resolving = others;
        let calls: Vec<Call> = calls;
        for call in calls {
            match &resolved.result {
                Ok(addrs) => self.dial(call, addrs.clone()),
                Err(unknown) => self.end_unresolved(call, &unknown.to_string()),
            }
        }
    }

    pub(super) fn on_call_event(&mut self, id: ConnId) {
        let Some(http) = self.table.call(id) else { return };
        if !http.is_connected {
            match connected(&http.stream) {
                Ok(true) => http.is_connected = true,
                Ok(false) => return,
                Err(error) => return self.try_next_addr(id, &said(&error)),
            }
        }
        let buffer = &mut self.receive_buffer[..HTTP_RECEIVE_BYTES];
        match http.conversation.run(&mut http.stream, buffer) {
            Talk::Wait => {}
            Talk::Answered => self.on_answered(id),
            Talk::Failed(why) => {
                let Some(http) = self.hang_up(id) else { return };
                let from = Some(http.addr.ip());
                self.end_call(http.call, from, Err(Refusal::Unreachable(why)));
            }
        }
    }

    fn resolve(&mut self, call: Call) {
        match self.resolver.look(self.now, &call.url.host) {
            Lookup::Found(addrs) => self.dial(call, addrs),
            Lookup::Waiting => self.calls.resolving.push(call),
            Lookup::Failed(unknown) => self.end_unresolved(call, &unknown.to_string()),
            Lookup::Busy => self.end_unresolved(call, "too many names are being looked up"),
        }
    }

    fn end_unresolved(&mut self, call: Call, why: &str) {
        let why = format!("{}: {why}", call.url.host);
        self.end_call(call, None, Err(Refusal::Unreachable(why)));
    }

    /// Connects to the first of `addrs` that may be asked and can be dialled, or asks there.
    fn dial(&mut self, mut call: Call, addrs: Vec<IpAddr>) {
        let mut why = String::from("the name has no address");
        let mut allowed = VecDeque::new();
        for addr in addrs {
            match call.url.may_be_asked_at(addr, call.sent_by) {
                Ok(()) if allowed.len() < CALL_ADDRS_MAX => {
                    allowed.push_back(canonical(SocketAddr::new(addr, call.url.port)));
                }
                Ok(()) => break,
                Err(malformed) => why = malformed.into_what().into_owned(),
            }
        }
        if self.dial_from.is_some_and(|from| from.is_ipv4()) {
            // Whoever listens on IPv4 alone shall not be known by an address of IPv6.
            order::sort_by_key(allowed.make_contiguous(), SocketAddr::is_ipv6);
        }
        match call.datagram.take() {
            Some(announce) if !allowed.is_empty() => {
                self.ask_by_datagram(&call, announce, allowed.make_contiguous());
            }
            Some(_) | None => self.dial_next(call, allowed, why),
        }
    }

    /// Connects to the next address. `why`: what to say if there is none.
    fn dial_next(&mut self, call: Call, mut others: VecDeque<SocketAddr>, mut why: String) {
        let mut from = None;
        while let Some(addr) = others.pop_front() {
            from = Some(addr.ip());
            let stream = match self.dial_out(addr) {
                Ok(stream) => stream,
                Err(error) => {
                    why = said(&error);
                    continue;
                }
            };
            // What is left of the time is shared among what is left of the addresses.
            let millis = call.deadline.since(self.now).as_millis();
            let share = Span::from_millis(millis / (others.len() as u64 + 1));
            let mut request = Vec::new();
            http::write_get(&call.url, &call.target, &mut request);
            let http = HttpCall {
                stream,
                addr,
                others,
                give_up: self.now + share,
                is_connected: false,
                conversation: Conversation::new(request),
                call,
            };
            return self.keep_call(http);
        }
        self.end_call(call, from, Err(Refusal::Unreachable(why)));
    }

    fn keep_call(&mut self, http: HttpCall) {
        let (torrent, tracker) = (http.call.torrent, http.call.tracker);
        match self.table.open(Kind::Call(Box::new(http))) {
            Ok(id) => self.calls.connected.push(id),
            Err(error) => {
                let result = Err(Refusal::Unreachable(said(&error)));
                self.done.push_back(Input::Announced { torrent, tracker, from: None, result });
            }
        }
    }

    fn try_next_addr(&mut self, id: ConnId, why: &str) {
        let Some(http) = self.hang_up(id) else { return };
        let why = format!("{}: {why}", http.addr);
        self.dial_next(http.call, http.others, why);
    }

    fn on_answered(&mut self, id: ConnId) {
        let Some(http) = self.hang_up(id) else { return };
        let HttpCall { call, addr, conversation, .. } = *http;
        let response = conversation.response();
        if let Some(location) = response.redirect() {
            return self.redirect(call, addr.ip(), location);
        }
        let result = judge(response);
        self.end_call(call, Some(addr.ip()), result);
    }

    fn redirect(&mut self, mut call: Call, from: IpAddr, location: &str) {
        let next = call.url.join(location);
        let why = match next {
            Ok(_) if call.redirects >= REDIRECTS_MAX => {
                format!("redirected more than {REDIRECTS_MAX} times")
            }
            Ok(url) => {
                call.target = url.path_and_query.clone();
                call.url = url;
                call.redirects += 1;
                call.sent_by = Some(from);
                return self.resolve(call);
            }
            Err(malformed) => format!("redirected to where we cannot go: {}", malformed.what),
        };
        self.end_call(call, Some(from), Err(Refusal::Unreachable(why)));
    }

    fn expire_calls(&mut self) {
        let now = self.now;
        let waiting = |call: &Call| call.deadline > now;
        while let Some(at) = self.calls.queued.iter().position(|call| !waiting(call)) {
            if let Some(call) = self.calls.queued.remove(at) {
                self.end_late(call, None, "no turn came");
            }
        }
        while let Some(at) = self.calls.resolving.iter().position(|call| !waiting(call)) {
            let call = self.calls.resolving.swap_remove(at);
            self.end_late(call, None, "its name was not resolved");
        }
        for id in self.calls.connected.clone() {
            let Some(http) = self.table.call(id) else { continue };
            if !waiting(&http.call) {
                let what = if http.is_connected { "no whole answer" } else { "no connection" };
                let Some(http) = self.hang_up(id) else { continue };
                self.end_late(http.call, Some(http.addr.ip()), what);
            } else if http.next_time() <= now {
                self.try_next_addr(id, "no connection in time");
            }
        }
    }

    fn end_late(&mut self, call: Call, from: Option<IpAddr>, what: &str) {
        let why = format!("{what} within {} s", call.timeout.as_secs());
        self.end_call(call, from, Err(Refusal::Unreachable(why)));
    }

    fn end_call(&mut self, call: Call, from: Option<IpAddr>, result: Result<Reply, Refusal>) {
        let Call { torrent, tracker, .. } = call;
        self.done.push_back(Input::Announced { torrent, tracker, from, result });
    }

    fn hang_up(&mut self, id: ConnId) -> Option<Box<HttpCall>> {
        self.calls.connected.retain(|&other| other != id);
        let Kind::Call(http) = self.table.close(id)? else { unreachable!("{id:?} is no call") };
        Some(http)
    }
}

impl Call {
    pub(super) fn url(&self) -> &TrackerUrl {
        &self.url
    }

    pub(super) fn deadline(&self) -> Time {
        self.deadline
    }

    /// Which torrent asks, and which of its trackers.
    pub(super) fn whose(&self) -> (TorrentId, usize) {
        (self.torrent, self.tracker)
    }
}

impl HttpCall {
    /// When it must be looked at if nothing happens.
    fn next_time(&self) -> Time {
        if self.is_connected || self.others.is_empty() {
            return self.call.deadline;
        }
        self.give_up.min(self.call.deadline)
    }
}

/// What `Output::Announce` says.
#[derive(Debug)]
pub struct CallOrder {
    pub torrent: TorrentId,
    pub tracker: usize,
    pub url: String,
    pub announce: Announce,
    pub timeout: Span,
}

/// What a whole response means. A tracker may put its `failure reason` under any status.
fn judge(response: &Response) -> Result<Reply, Refusal> {
    let result = Reply::parse(response.body());
    match (response.status(), result) {
        (200, result) => result,
        (_, Err(failure @ Refusal::Failure { .. })) => Err(failure),
        (status, _) => Err(Refusal::Unreachable(format!("the tracker answers status {status}"))),
    }
}

/// Whether a connect that was begun has succeeded; `Ok(false)`: it is still under way.
pub(super) fn connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// An error of the system in a few words, without its number.
pub(super) fn said(error: &io::Error) -> String {
    match error.get_ref() {
        Some(inner) => inner.to_string(),
        None => error.kind().to_string(),
    }
}
