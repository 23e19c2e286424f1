//! HTTP connections: whoever announces, scrapes or looks at us.
//!
//! ```text
//!  accept ─▶ Open ── a whole request ─▶ answer ─▶ outbox ─▶ sent ─┬─ keep-alive ─▶ Open
//!             │             └─ later ─▶ Awaiting ── conclude ─▲   └─ close ──────▶ over
//!             └── bytes that are no request ─▶ refusal ─▶ outbox ─▶ sent ─▶ Lingering ─▶ over
//! ```
//!
//! Most clients come for one announce: one packet in, one packet out. So a connection is read at
//! once when it is accepted, answered and closed, and only one that has to wait is registered
//! with the poll. Requests are read where they lie, in the reactor's receive buffer; a connection
//! keeps bytes of its own only while a request is incomplete or an answer is not taken.
//!
//! # Interface
//! `Exchange::run` whenever the socket may be ready; `on_late` when the lifetime is over. The
//! machine is generic over `Read` and `Write`, and over who answers (`Responder`): each listener
//! says what it `Serves`, and its connections are answered by that. A responder may answer later;
//! then the exchange waits, and `conclude` brings the answer. The rest of the file is the
//! reactor's part of it.
//!
//! # Limits
//! `HTTP_LIFETIME` for each step, and for each `HTTP_STEP_BYTES` of a long one, kept as a line,
//! for all lifetimes are equal; answers beyond `HTTP_OUTBOX_BYTES_MAX` make further requests
//! wait; the parser bounds what is incomplete; `HTTP_CONNECTIONS_MAX` connections that hold
//! `HTTP_BYTES_MAX` together, of which the one that waited longest goes first.
//!
//! # Why
//! After a refusal we linger: closing a socket that holds unread bytes makes TCP send a reset,
//! which may overtake the very answer that explains the refusal.
//!
//! # Spec
//! RFC 9112, sections 9.3 (persistence), 9.3.2 (pipelining), 9.6 (tear-down).

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;

use super::conn::Kind;
use super::reactor::Reactor;
use super::remote::{self, Called, Remote};
use crate::base::limits::{
    HTTP_LIFETIME, HTTP_LINGER_BYTES_MAX, HTTP_OUTBOX_BYTES_MAX, HTTP_RECEIVE_BYTES,
    HTTP_STEP_BYTES, RECEIVE_BUFFER_BYTES, REQUEST_BODY_BYTES_MAX,
};
use crate::base::{ConnId, Span, Time};
use crate::engine::Engine;
use crate::format::http::{self, Parsed, Request, Scan, Status};
use crate::tracker::{Errand, Kept};

/// One connection to somebody who speaks HTTP to us.
#[derive(Debug)]
pub struct HttpConn {
    pub stream: TcpStream,
    pub from: SocketAddr,
    pub serves: Serves,
    pub exchange: Exchange,
    /// They will send no more; whoever reads on finds the end.
    pub hung_up: bool,
    /// In the reactor's list of those to be run.
    pub in_ready_list: bool,
    /// The bytes that the reactor counts for it.
    pub counted_bytes: usize,
}

/// What the connections of a listener are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serves {
    Tracker,
    Remote,
}

/// What must be done after an exchange has run.
#[derive(Debug)]
pub(super) enum After {
    Nothing,
    /// The tracker's files, before its answer.
    Errand(Errand),
    Called(Box<Called>),
}

/// Who answers the requests of an exchange.
pub trait Responder {
    /// How many bytes the body of this request, of which `head` holds all but the body, may have;
    /// or the status that it is refused with at once. See `Request::parse_admitted`.
    fn body_bytes_max(&mut self, head: &Request<'_>) -> Result<usize, Status>;

    /// Appends the response to a request that is no request, or may not be one.
    fn refuse(&mut self, status: Status, answer: &mut Vec<u8>) {
        http::write_refusal(status, answer);
    }

    /// Appends a whole response to `answer`, or nothing if it comes later.
    fn answer(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Answered;
}

/// Whether a request has its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    Now,
    /// `Exchange::conclude` will bring it.
    Later,
}

/// Requests in, answers out, on one connection.
#[derive(Debug, Default)]
pub struct Exchange {
    stage: Stage,
    scan: Scan,
    /// The beginning of a request whose end has not come; or requests that wait for the outbox.
    inbox: Vec<u8>,
    /// Answers; the first `sent` bytes have left.
    outbox: Vec<u8>,
    sent: usize,
    /// Bytes of a large body or answer that have moved since the last step.
    moved: usize,
    /// Whether the step that the lifetime is counted for has changed.
    stepped: bool,
}

/// Where an exchange stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    #[default]
    Open,
    /// A request is being answered elsewhere; nothing is read meanwhile.
    Awaiting { keep_alive: bool },
    /// The last answer is in the outbox.
    Ending,
    /// A refusal is in the outbox, and the rest of what they send does not matter.
    Refusing,
    /// All is said; so many bytes more are read and thrown away.
    Lingering { left: usize },
}

/// What an exchange wants after `run`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// An event of the socket, or its end.
    Wait,
    /// To be run again; it stopped only to let others have their turn.
    Again,
    /// The sending side to be closed, and to be run again.
    EndSending,
    /// To be closed.
    Over,
}

impl Exchange {
    pub fn new() -> Exchange {
        Exchange::default()
    }

    /// Sends what waits, and receives and answers at most once.
    ///
    /// `buffer`: where to receive; nothing in it is needed afterwards. `hung_up`: the event said
    /// that they will send no more (see `peer_io::receive`).
    pub fn run(
        &mut self,
        stream: &mut (impl Read + Write),
        buffer: &mut [u8],
        hung_up: bool,
        responder: &mut impl Responder,
    ) -> Step {
        let mut drained = false;
        let mut received = false;
        loop {
            // 1. What waits to leave.
            if let Some(step) = self.send(stream) {
                return step;
            }
            // 2. Requests that waited for it.
            self.answer_inbox(responder);
            if !self.outbox.is_empty() {
                continue;
            }
            if self.is_awaiting() {
                return Step::Wait;
            }
            // 3. New ones, once.
            if received {
                return if drained { Step::Wait } else { Step::Again };
            }
            received = true;
            match receive(stream, buffer) {
                Ok(None) => drained = true,
                Ok(Some(0)) | Err(_) => return Step::Over,
                Ok(Some(len)) => {
                    drained = len < buffer.len() && !hung_up;
                    if !self.take(&buffer[..len], responder) {
                        return Step::Over;
                    }
                }
            }
        }
    }

    /// Brings the answer of the request that is awaited: a whole response. To be run next.
    pub fn conclude(&mut self, response: &[u8]) {
        let Stage::Awaiting { keep_alive } = self.stage else {
            unreachable!("an answer that nobody awaits: {:?}", self.stage)
        };
        self.outbox.extend_from_slice(response);
        self.stage = if keep_alive { Stage::Open } else { Stage::Ending };
    }

    /// Whether a request was left to be answered later, and was not yet.
    pub fn is_awaiting(&self) -> bool {
        matches!(self.stage, Stage::Awaiting { .. })
    }

    /// The lifetime is over. Says so to those who began a request; what is in the outbox then can
    /// be sent once, by `run`, before the connection is closed.
    pub fn on_late(&mut self) {
        if self.stage == Stage::Open && self.outbox.is_empty() && !self.inbox.is_empty() {
            http::write_refusal(Status::RequestTimeout, &mut self.outbox);
            self.inbox = Vec::new();
            self.stage = Stage::Ending;
        }
    }

    /// Whether a new step has begun since this was asked last: then the lifetime counts anew.
    pub fn take_stepped(&mut self) -> bool {
        std::mem::take(&mut self.stepped)
    }

    /// How many bytes the connection holds.
    pub fn memory_bytes(&self) -> usize {
        self.inbox.capacity() + self.outbox.capacity()
    }

    /// Sends as much of the outbox as the socket takes. `None`: it is empty, and there is more
    /// to do.
    fn send(&mut self, stream: &mut impl Write) -> Option<Step> {
        while self.sent < self.outbox.len() {
            match stream.write(&self.outbox[self.sent..]) {
                Ok(0) => return Some(Step::Over),
                Ok(len) => {
                    self.sent += len;
                    self.count_moved(len);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(Step::Wait),
                Err(_) => return Some(Step::Over),
            }
        }
        if !self.outbox.is_empty() {
            self.outbox = Vec::new();
            self.sent = 0;
            self.step();
        }
        match self.stage {
            Stage::Open | Stage::Awaiting { .. } | Stage::Lingering { .. } => None,
            Stage::Ending => Some(Step::Over),
            Stage::Refusing => {
                self.stage = Stage::Lingering { left: HTTP_LINGER_BYTES_MAX };
                Some(Step::EndSending)
            }
        }
    }

    /// Takes bytes that came. Returns whether to go on.
    fn take(&mut self, bytes: &[u8], responder: &mut impl Responder) -> bool {
        if let Stage::Lingering { left } = &mut self.stage {
            *left = left.saturating_sub(bytes.len());
            return *left > 0;
        }
        if self.inbox.is_empty() {
            self.step();
            let used = self.answer_all(bytes, responder);
            self.inbox.extend_from_slice(&bytes[used..]);
        } else {
            self.count_moved(bytes.len());
            self.inbox.extend_from_slice(bytes);
            self.answer_inbox(responder);
        }
        true
    }

    fn step(&mut self) {
        self.moved = 0;
        self.stepped = true;
    }

    /// Large bodies and answers may take several lifetimes, if they move on meanwhile.
    fn count_moved(&mut self, bytes: usize) {
        self.moved += bytes;
        if self.moved >= HTTP_STEP_BYTES {
            self.step();
        }
    }

    /// Answers what is whole in the inbox, and gives its memory back when it is used up.
    fn answer_inbox(&mut self, responder: &mut impl Responder) {
        if self.inbox.is_empty() {
            return;
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        let used = self.answer_all(&inbox, responder);
        if used < inbox.len() {
            inbox.drain(..used);
            self.inbox = inbox;
        }
    }

    /// Answers the requests at the front of `bytes`. Returns how many bytes they were.
    fn answer_all(&mut self, bytes: &[u8], responder: &mut impl Responder) -> usize {
        let mut used = 0;
        while self.stage == Stage::Open && self.outbox.len() < HTTP_OUTBOX_BYTES_MAX {
            let admit = |head: &Request<'_>| responder.body_bytes_max(head);
            match Request::parse_admitted(&bytes[used..], &mut self.scan, admit) {
                Parsed::Done { request, used: more } => {
                    used += more;
                    let keep_alive = request.keep_alive;
                    match responder.answer(&request, &mut self.outbox) {
                        Answered::Later => self.stage = Stage::Awaiting { keep_alive },
                        Answered::Now if !keep_alive => self.stage = Stage::Ending,
                        Answered::Now => {}
                    }
                }
                Parsed::More => return used,
                Parsed::Bad(status) => {
                    responder.refuse(status, &mut self.outbox);
                    self.stage = Stage::Refusing;
                }
            }
        }
        match self.stage {
            Stage::Open | Stage::Awaiting { .. } => used,
            // Whatever comes after the last request is nobody's.
            Stage::Ending | Stage::Refusing | Stage::Lingering { .. } => bytes.len(),
        }
    }
}

/// Receives once. `Ok(None)`: nothing is there yet; `Ok(Some(0))`: nothing will ever come.
fn receive(stream: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<Option<usize>> {
    loop {
        return match stream.read(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        };
    }
}

// ── The reactor's part ──────────────────────────────────────────────────────────────────────

impl Reactor {
    /// Takes a connection that was just accepted, and answers at once if its request is here.
    pub(super) fn on_http_accepted(&mut self, stream: TcpStream, from: SocketAddr, serves: Serves) {
        let mut http = HttpConn {
            stream,
            from,
            serves,
            exchange: Exchange::new(),
            hung_up: false,
            in_ready_list: false,
            counted_bytes: 0,
        };
        let (step, after) = self.run_http(&mut http);
        if step == Step::Over {
            return self.follow_up(None, after);
        }
        if self.http_line.len() >= self.http_connections_max
            && let Some((oldest, _)) = self.http_line.front()
        {
            self.close_http(oldest);
        }
        // It stays: then its small answers shall not wait for one another (Nagle). A socket that
        // refuses the option works without.
        let _ = http.stream.set_nodelay(true);
        // The poll reports what is there already, so nothing is lost by registering only now.
        let id = self.table.open(Kind::Http(http)).ok();
        if let Some(id) = id {
            self.http_line.renew(self.now, id);
            self.count_http(id);
            if step == Step::Again {
                self.mark_http_ready(id);
            }
        }
        self.follow_up(id, after);
    }

    pub(super) fn on_http_event(&mut self, id: ConnId, hung_up: bool) {
        if let Some(http) = self.table.http(id) {
            http.hung_up |= hung_up;
            self.mark_http_ready(id);
        }
    }

    /// Runs everybody who is ready, once, and ends those whose lifetime is over.
    pub(super) fn serve_http(&mut self) {
        for id in std::mem::take(&mut self.http_ready) {
            let Some(http) = self.table.http(id) else { continue };
            http.in_ready_list = false;
            let Some((step, after)) = self.run_http_at(id) else { continue };
            match step {
                Step::Wait => {}
                Step::Again | Step::EndSending => self.mark_http_ready(id),
                Step::Over => self.close_http(id),
            }
            self.follow_up(Some(id), after);
        }
        self.expire_http();
    }

    /// When the first HTTP connection has waited long enough.
    pub(super) fn http_deadline(&self) -> Option<Time> {
        self.http_line.front().map(|(_, since)| since + HTTP_LIFETIME)
    }

    /// Brings a connection the answer that it awaits, if it is still there.
    pub(super) fn conclude_http(&mut self, id: ConnId, response: &[u8]) {
        let Some(http) = self.table.http(id) else { return };
        if http.exchange.is_awaiting() {
            http.exchange.conclude(response);
            self.http_line.renew(self.now, id);
            self.count_http(id);
            self.mark_http_ready(id);
        }
    }

    /// How many bytes all HTTP connections hold; for `check`.
    pub(super) fn recount_http(&self) -> usize {
        let of = |kind: &Kind| match kind {
            Kind::Http(http) => http.counted_bytes,
            Kind::PeerListener(_)
            | Kind::HttpListener(_)
            | Kind::Peer(_)
            | Kind::Call(_)
            | Kind::Signal
            | Kind::Udp(_)
            | Kind::Waker => 0,
        };
        self.table.iter().map(|(_, kind)| of(kind)).sum()
    }

    fn expire_http(&mut self) {
        while let Some((id, since)) = self.http_line.front()
            && self.now.since(since) >= HTTP_LIFETIME
        {
            if let Some(http) = self.table.http(id) {
                http.exchange.on_late();
            }
            let ran = self.run_http_at(id);
            self.close_http(id);
            self.follow_up(None, ran.map_or(After::Nothing, |(_, after)| after));
        }
    }

    fn mark_http_ready(&mut self, id: ConnId) {
        if let Some(http) = self.table.http(id)
            && !http.in_ready_list
        {
            http.in_ready_list = true;
            self.http_ready.push(id);
        }
    }

    fn close_http(&mut self, id: ConnId) {
        self.http_line.leave(id);
        if let Some(Kind::Http(http)) = self.table.close(id) {
            self.http_bytes -= http.counted_bytes;
        }
    }

    /// Counts anew what a connection holds. If all together hold too much, somebody has to go.
    fn count_http(&mut self, id: ConnId) {
        let Some(http) = self.table.http(id) else { return };
        let bytes = http.exchange.memory_bytes();
        self.http_bytes = self.http_bytes + bytes - http.counted_bytes;
        http.counted_bytes = bytes;
        while self.http_bytes > self.http_bytes_max
            && let Some(victim) = self.http_victim()
        {
            self.close_http(victim);
        }
    }

    /// Of those that hold much, the one that waited longest: who holds little may be waiting for
    /// our own disk. Linear in all connections, and each such walk frees `HTTP_STEP_BYTES`.
    fn http_victim(&mut self) -> Option<ConnId> {
        let Reactor { http_line, table, .. } = self;
        let holds_much =
            |id: &ConnId| table.http(*id).is_some_and(|http| http.counted_bytes >= HTTP_STEP_BYTES);
        http_line.iter().find(holds_much).or(http_line.front().map(|(id, _)| id))
    }

    /// Does what an exchange left to be done. `id`: the connection, if it is still there.
    fn follow_up(&mut self, id: Option<ConnId>, after: After) {
        match after {
            After::Nothing => {}
            After::Errand(errand) => self.send_errand(id, Some(errand)),
            After::Called(called) => self.on_called(id, *called),
        }
    }

    /// Runs one connection of the table as far as it goes in this turn.
    fn run_http_at(&mut self, id: ConnId) -> Option<(Step, After)> {
        let Some(Kind::Http(http)) = self.table.get_mut(id) else { return None };
        let ran = run(
            http,
            &mut self.receive_buffer,
            Parties {
                engine: &mut self.engine,
                remote: self.remote.as_mut(),
                now: self.now,
                longest_turn: self.longest_turn,
                busy: !self.keeper.takes_errands(),
            },
        );
        if http.exchange.take_stepped() {
            self.http_line.renew(self.now, id);
        }
        self.count_http(id);
        Some(ran)
    }

    /// The same for one that is not in the table yet.
    fn run_http(&mut self, http: &mut HttpConn) -> (Step, After) {
        run(
            http,
            &mut self.receive_buffer,
            Parties {
                engine: &mut self.engine,
                remote: self.remote.as_mut(),
                now: self.now,
                longest_turn: self.longest_turn,
                busy: !self.keeper.takes_errands(),
            },
        )
    }
}

/// Whoever may have to answer, and what they must know.
struct Parties<'p> {
    engine: &'p mut Engine,
    remote: Option<&'p mut Remote>,
    now: Time,
    longest_turn: Span,
    /// The tracker can take no errand on.
    busy: bool,
}

/// What remote control must know to answer.
pub struct Asked<'p> {
    pub engine: &'p mut Engine,
    pub now: Time,
    pub longest_turn: Span,
}

/// The engine's tracker, asked by one connection.
struct Tracker<'e> {
    engine: &'e mut Engine,
    now: Time,
    from: SocketAddr,
    /// No errand can be taken on.
    busy: bool,
    /// What must be done before the answer; at most one, for the exchange then waits.
    errand: Option<Errand>,
}

impl Responder for Tracker<'_> {
    fn body_bytes_max(&mut self, head: &Request<'_>) -> Result<usize, Status> {
        match self.engine.service() {
            Some(service) => service.body_bytes_max(self.now, self.from, head),
            None => Ok(REQUEST_BODY_BYTES_MAX),
        }
    }

    fn answer(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Answered {
        let errand = self.engine.http(self.now, self.from, request, answer);
        let Some(errand) = errand else { return Answered::Now };
        if self.busy {
            let next = finish(self.engine, errand, Kept::Failed, answer);
            assert!(next.is_none(), "nothing follows from what could not be done");
            return Answered::Now;
        }
        self.errand = Some(errand);
        Answered::Later
    }
}

/// Tells the tracker what became of an errand; appends the answer, or returns what remains to do.
pub(super) fn finish(
    engine: &mut Engine,
    errand: Errand,
    kept: Kept,
    answer: &mut Vec<u8>,
) -> Option<Errand> {
    let service = engine.service_mut().expect("only a tracker has errands");
    service.finish(errand, kept, answer)
}

/// Runs one connection as far as it goes in this turn, whoever it is for answering.
fn run(http: &mut HttpConn, buffer: &mut [u8], parties: Parties<'_>) -> (Step, After) {
    let from = http.from;
    let Parties { engine, remote, now, longest_turn, busy } = parties;
    match http.serves {
        Serves::Tracker => {
            let mut tracker = Tracker { engine, now, from, busy, errand: None };
            let step = run_with(http, buffer, &mut tracker);
            (step, tracker.errand.map_or(After::Nothing, After::Errand))
        }
        Serves::Remote => {
            let remote = remote.expect("its listener was opened with it");
            let asked = Asked { engine, now, longest_turn };
            let (step, called) = remote::run(remote, http, buffer, asked);
            (step, After::Called(Box::new(called)))
        }
    }
}

pub(super) fn run_with(
    http: &mut HttpConn,
    buffer: &mut [u8],
    responder: &mut impl Responder,
) -> Step {
    let HttpConn { stream, exchange, hung_up, .. } = http;
    let buffer = &mut buffer[..HTTP_RECEIVE_BYTES];
    loop {
        let step = exchange.run(stream, buffer, *hung_up, responder);
        if step != Step::EndSending {
            return step;
        }
        // If they are gone already, the next read says so.
        let _ = stream.shutdown(Shutdown::Write);
    }
}

const _: () = assert!(HTTP_RECEIVE_BYTES <= RECEIVE_BUFFER_BYTES);
