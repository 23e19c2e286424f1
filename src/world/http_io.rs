//! HTTP connections: whoever announces, scrapes or looks at us.
//!
//! ```text
//!  accept ─▶ Open ── a whole request ─▶ answer ─▶ outbox ─▶ sent ─┬─ keep-alive ─▶ Open
//!             │                                                   └─ close ──────▶ over
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
//! machine is generic over `Read` and `Write`; the rest of the file is the reactor's part of it.
//!
//! # Limits
//! `HTTP_LIFETIME` for each step, kept as a line, for all lifetimes are equal; answers beyond
//! `HTTP_OUTBOX_BYTES_MAX` make further requests wait; the parser bounds what is incomplete;
//! `HTTP_CONNECTIONS_MAX` connections, of which the one that waited longest goes first.
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
use crate::base::limits::{
    HTTP_LIFETIME, HTTP_LINGER_BYTES_MAX, HTTP_OUTBOX_BYTES_MAX, HTTP_RECEIVE_BYTES,
    RECEIVE_BUFFER_BYTES,
};
use crate::base::{ConnId, Time};
use crate::engine::Engine;
use crate::format::http::{self, Parsed, Request, Scan, Status};

/// One connection to somebody who speaks HTTP to us.
#[derive(Debug)]
pub struct HttpConn {
    pub stream: TcpStream,
    pub from: SocketAddr,
    pub exchange: Exchange,
    /// They will send no more; whoever reads on finds the end.
    pub hung_up: bool,
    /// In the reactor's list of those to be run.
    pub in_ready_list: bool,
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
    /// Whether the step that the lifetime is counted for has changed.
    stepped: bool,
}

/// Where an exchange stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    #[default]
    Open,
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
    /// that they will send no more (see `peer_io::receive`). `answer` appends a whole response.
    pub fn run(
        &mut self,
        stream: &mut (impl Read + Write),
        buffer: &mut [u8],
        hung_up: bool,
        mut answer: impl FnMut(&Request<'_>, &mut Vec<u8>),
    ) -> Step {
        let mut drained = false;
        let mut received = false;
        loop {
            // 1. What waits to leave.
            if let Some(step) = self.send(stream) {
                return step;
            }
            // 2. Requests that waited for it.
            self.answer_inbox(&mut answer);
            if !self.outbox.is_empty() {
                continue;
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
                    if !self.take(&buffer[..len], &mut answer) {
                        return Step::Over;
                    }
                }
            }
        }
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
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(Step::Wait),
                Err(_) => return Some(Step::Over),
            }
        }
        if !self.outbox.is_empty() {
            self.outbox = Vec::new();
            self.sent = 0;
            self.stepped = true;
        }
        match self.stage {
            Stage::Open | Stage::Lingering { .. } => None,
            Stage::Ending => Some(Step::Over),
            Stage::Refusing => {
                self.stage = Stage::Lingering { left: HTTP_LINGER_BYTES_MAX };
                Some(Step::EndSending)
            }
        }
    }

    /// Takes bytes that came. Returns whether to go on.
    fn take(&mut self, bytes: &[u8], answer: &mut impl FnMut(&Request<'_>, &mut Vec<u8>)) -> bool {
        if let Stage::Lingering { left } = &mut self.stage {
            *left = left.saturating_sub(bytes.len());
            return *left > 0;
        }
        if self.inbox.is_empty() {
            self.stepped = true;
            let used = self.answer_all(bytes, answer);
            self.inbox.extend_from_slice(&bytes[used..]);
        } else {
            self.inbox.extend_from_slice(bytes);
            self.answer_inbox(answer);
        }
        true
    }

    /// Answers what is whole in the inbox, and gives its memory back when it is used up.
    fn answer_inbox(&mut self, answer: &mut impl FnMut(&Request<'_>, &mut Vec<u8>)) {
        if self.inbox.is_empty() {
            return;
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        let used = self.answer_all(&inbox, answer);
        if used < inbox.len() {
            inbox.drain(..used);
            self.inbox = inbox;
        }
    }

    /// Answers the requests at the front of `bytes`. Returns how many bytes they were.
    fn answer_all(
        &mut self,
        bytes: &[u8],
        answer: &mut impl FnMut(&Request<'_>, &mut Vec<u8>),
    ) -> usize {
        let mut used = 0;
        while self.stage == Stage::Open && self.outbox.len() < HTTP_OUTBOX_BYTES_MAX {
            match Request::parse(&bytes[used..], &mut self.scan) {
                Parsed::Done { request, used: more } => {
                    answer(&request, &mut self.outbox);
                    used += more;
                    if !request.keep_alive {
                        self.stage = Stage::Ending;
                    }
                }
                Parsed::More => return used,
                Parsed::Bad(status) => {
                    http::write_refusal(status, &mut self.outbox);
                    self.stage = Stage::Refusing;
                }
            }
        }
        // Whatever comes after the last request is nobody's.
        if self.stage == Stage::Open { used } else { bytes.len() }
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
    pub(super) fn on_http_accepted(&mut self, stream: TcpStream, from: SocketAddr) {
        let exchange = Exchange::new();
        let mut http = HttpConn { stream, from, exchange, hung_up: false, in_ready_list: false };
        let step = run(&mut http, &mut self.receive_buffer, &mut self.engine, self.now);
        if step == Step::Over {
            return;
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
        if let Ok(id) = self.table.open(Kind::Http(http)) {
            self.http_line.renew(self.now, id);
            if step == Step::Again {
                self.mark_http_ready(id);
            }
        }
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
            let step = run(http, &mut self.receive_buffer, &mut self.engine, self.now);
            if http.exchange.take_stepped() {
                self.http_line.renew(self.now, id);
            }
            match step {
                Step::Wait => {}
                Step::Again | Step::EndSending => self.mark_http_ready(id),
                Step::Over => self.close_http(id),
            }
        }
        self.expire_http();
    }

    /// When the first HTTP connection has waited long enough.
    pub(super) fn http_deadline(&self) -> Option<Time> {
        self.http_line.front().map(|(_, since)| since + HTTP_LIFETIME)
    }

    fn expire_http(&mut self) {
        while let Some((id, since)) = self.http_line.front()
            && self.now.since(since) >= HTTP_LIFETIME
        {
            if let Some(http) = self.table.http(id) {
                http.exchange.on_late();
                run(http, &mut self.receive_buffer, &mut self.engine, self.now);
            }
            self.close_http(id);
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
        self.table.close(id);
    }
}

/// Runs one connection as far as it goes in this turn, the engine answering.
fn run(http: &mut HttpConn, buffer: &mut [u8], engine: &mut Engine, now: Time) -> Step {
    let HttpConn { stream, from, exchange, hung_up, .. } = http;
    let buffer = &mut buffer[..HTTP_RECEIVE_BYTES];
    loop {
        let step = exchange.run(stream, buffer, *hung_up, |request, answer| {
            engine.http(now, *from, request, answer);
        });
        if step != Step::EndSending {
            return step;
        }
        // If they are gone already, the next read says so.
        let _ = stream.shutdown(Shutdown::Write);
    }
}

const _: () = assert!(HTTP_RECEIVE_BYTES <= RECEIVE_BUFFER_BYTES);
