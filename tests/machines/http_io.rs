//! HTTP connections: the machine over streams in memory, cut, slow, pipelined and hostile.

use std::io::{self, ErrorKind, Read, Write};

use swarmlet::base::limits::{
    HTTP_LINGER_BYTES_MAX, HTTP_OUTBOX_BYTES_MAX, HTTP_STEP_BYTES, REQUEST_BODY_BYTES_MAX,
};
use swarmlet::format::http::{Request, Status};
use swarmlet::world::http_call::{Conversation, Talk};
use swarmlet::world::http_io::{Answered, Exchange, Responder, Step};

const GET: &str = "GET /a HTTP/1.1\r\nHost: t\r\n\r\n";
const LAST: &str = "GET /z HTTP/1.1\r\nConnection: close\r\n\r\n";

// ── Those who ask us ────────────────────────────────────────────────────────────────────────

#[test]
fn requests_are_answered_in_order_wherever_they_are_cut() {
    let bytes = [GET, "GET /b HTTP/1.1\r\n\r\n", GET, LAST, "nobody's"].concat();
    for cut in 1..bytes.len() {
        let mut stream = Wire::new(&bytes, cut);
        let mut exchange = Exchange::new();
        let steps = run(&mut exchange, &mut stream);
        assert_eq!(stream.answers(), "</a></b></a></z>", "cut after every {cut} bytes");
        assert_eq!(steps.last(), Some(&Step::Over));
    }
}

#[test]
fn a_connection_between_requests_keeps_no_bytes() {
    let mut stream = Wire::new(GET, usize::MAX);
    let mut exchange = Exchange::new();
    assert_eq!(run(&mut exchange, &mut stream).last(), Some(&Step::Wait));
    assert_eq!(stream.answers(), "</a>");
    assert_eq!(exchange.memory_bytes(), 0);
}

#[test]
fn the_lifetime_counts_anew_with_each_step_and_not_with_each_byte() {
    let mut stream = Wire::new("", 1);
    let mut exchange = Exchange::new();
    let mut say = |text: &str, exchange: &mut Exchange| {
        stream.incoming.extend_from_slice(text.as_bytes());
        run(exchange, &mut stream);
        exchange.take_stepped()
    };
    assert!(say("G", &mut exchange), "a request begins");
    assert!(!say("ET /a", &mut exchange), "it goes on");
    assert!(!say(" HTTP/1.1\r\n", &mut exchange), "and on");
    assert!(say("\r\n", &mut exchange), "it was answered");
    assert!(!say("", &mut exchange), "nothing happened");
}

#[test]
fn who_is_late_in_the_middle_of_a_request_is_told_and_who_said_nothing_is_not() {
    for (said, answer) in
        [("", ""), ("GET /a HT", "408"), (GET, "</a>"), ("GET /a HTTP/1.1\r\n\r\nGET", "</a>408")]
    {
        let mut stream = Wire::new(said, usize::MAX);
        let mut exchange = Exchange::new();
        run(&mut exchange, &mut stream);
        exchange.on_late();
        run(&mut exchange, &mut stream);
        assert_eq!(stream.answers(), answer, "after {said:?}");
    }
}

#[test]
fn what_is_no_request_is_refused_and_the_rest_is_read_before_the_end() {
    let long_line = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9_000));
    let long_head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    for (said, status) in [
        ("nonsense\r\n\r\n", "400"),
        (long_line.as_str(), "414"),
        (long_head.as_str(), "431"),
        ("POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", "413"),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "400"),
    ] {
        let mut stream = Wire::new(said, 1_000);
        stream.incoming.extend_from_slice(&[b'y'; 5_000]);
        let mut exchange = Exchange::new();
        let steps = run(&mut exchange, &mut stream);
        assert_eq!(stream.answers(), status);
        assert!(steps.contains(&Step::EndSending), "{steps:?}");
        assert_eq!(steps.last(), Some(&Step::Wait), "all was read: {steps:?}");
        assert_eq!(stream.incoming.len(), 0, "a reset would eat the answer");
        stream.is_closed = true;
        assert_eq!(run(&mut exchange, &mut stream), [Step::Over]);
    }
}

#[test]
fn who_goes_on_sending_after_a_refusal_is_cut_off() {
    let mut stream = Wire::new("nonsense\r\n\r\n", usize::MAX);
    stream.incoming.extend(std::iter::repeat_n(b'y', HTTP_LINGER_BYTES_MAX * 2));
    let mut exchange = Exchange::new();
    assert_eq!(run(&mut exchange, &mut stream).last(), Some(&Step::Over));
    assert!(stream.incoming.len() >= HTTP_LINGER_BYTES_MAX / 2, "not all of it was read");
    assert_eq!(exchange.memory_bytes(), 0);
}

#[test]
fn answers_that_nobody_takes_stop_the_reading() {
    let mut stream = Wire::new("", usize::MAX);
    let requests = 4 * HTTP_OUTBOX_BYTES_MAX / BIG_ANSWER_BYTES;
    for _ in 0..requests {
        stream.incoming.extend_from_slice(b"GET /big HTTP/1.1\r\n\r\n");
    }
    stream.room = 0;
    let mut exchange = Exchange::new();
    assert_eq!(run(&mut exchange, &mut stream), [Step::Wait]);
    assert!(
        exchange.memory_bytes() < 4 * HTTP_OUTBOX_BYTES_MAX,
        "{} bytes are kept",
        exchange.memory_bytes()
    );
    let mut rounds = 0;
    while stream.outgoing.len() < requests * BIG_ANSWER_BYTES {
        stream.room = 1_000;
        run(&mut exchange, &mut stream);
        rounds += 1;
        assert!(rounds <= requests * BIG_ANSWER_BYTES / 1_000 + 1, "it stands still");
    }
    assert_eq!(exchange.memory_bytes(), 0);
}

#[test]
fn a_client_that_ends_its_side_after_the_request_is_answered() {
    let mut stream = Wire::new(GET, usize::MAX);
    stream.is_closed = true;
    assert_eq!(run(&mut Exchange::new(), &mut stream).last(), Some(&Step::Over));
    assert_eq!(stream.answers(), "</a>");
}

#[test]
fn a_body_may_be_as_large_as_its_responder_says_and_others_are_refused_by_their_head() {
    for (said, answer) in [
        (post("/store", 70_000, 70_000), "</store>"),
        (post("/store", 200_001, 0), "413"),
        (post("/store", u64::MAX, 0), "413"),
        (post("/other", 70_000, 0), "413"),
        (post("/never", 1, 0), "403"),
        (post("/never", 0, 0), "</never>"),
    ] {
        for cut in [1_000, 16 * 1024] {
            let mut stream = Wire::new(&said, cut);
            let mut exchange = Exchange::new();
            run(&mut exchange, &mut stream);
            assert_eq!(stream.answers(), answer, "{}", &said[..60]);
        }
    }
}

#[test]
fn a_large_body_may_take_long_if_it_goes_on() {
    let mut stream = Wire::new(&post("/store", 200_000, 0), usize::MAX);
    let mut exchange = Exchange::new();
    run(&mut exchange, &mut stream);
    assert!(exchange.take_stepped());
    let mut steps = 0;
    for _ in 0..200 {
        stream.incoming.extend_from_slice(&[b'b'; 1_000]);
        run(&mut exchange, &mut stream);
        steps += usize::from(exchange.take_stepped());
        assert!(exchange.memory_bytes() < 600_000, "what came, and what a vector has in reserve");
    }
    assert_eq!(stream.answers(), "</store>");
    assert_eq!(steps, 200_000 / HTTP_STEP_BYTES + 1);
    assert_eq!(exchange.memory_bytes(), 0);
}

#[test]
fn an_answer_may_come_later_and_those_behind_it_wait() {
    let bytes = ["GET /later HTTP/1.1\r\n\r\n", GET, "GET /later HTTP/1.0\r\n\r\n", GET].concat();
    for cut in 1..=bytes.len() {
        let mut stream = Wire::new(&bytes, cut);
        let mut exchange = Exchange::new();
        assert_eq!(run(&mut exchange, &mut stream).last(), Some(&Step::Wait));
        assert!(exchange.is_awaiting());
        assert_eq!(stream.answers(), "");
        assert_eq!(run(&mut exchange, &mut stream), [Step::Wait], "nothing moves it");
        exchange.conclude(b"<first>");
        assert_eq!(run(&mut exchange, &mut stream).last(), Some(&Step::Wait));
        assert_eq!(stream.answers(), "<first></a>");
        assert!(exchange.is_awaiting());
        exchange.conclude(b"<last>");
        assert_eq!(run(&mut exchange, &mut stream).last(), Some(&Step::Over));
        assert_eq!(stream.answers(), "<first></a><last>", "cut after every {cut} bytes");
    }
}

// ── Those whom we ask ───────────────────────────────────────────────────────────────────────

#[test]
fn a_conversation_is_the_same_wherever_it_is_cut() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for cut in 1..=response.len() {
        let mut stream = Wire::new(response, cut);
        let mut conversation = Conversation::new(LAST.into());
        stream.room = 0;
        let mut talk = conversation.run(&mut stream, &mut [0; 100]);
        while talk == Talk::Wait {
            assert!(stream.outgoing.len() < LAST.len(), "nothing to wait for");
            stream.room = cut;
            talk = conversation.run(&mut stream, &mut [0; 100]);
        }
        assert_eq!(talk, Talk::Answered);
        assert_eq!(stream.outgoing, LAST.as_bytes());
        assert_eq!(conversation.response().body(), b"hello");
    }
}

#[test]
fn a_conversation_that_brings_nothing_says_why() {
    for (response, why) in [
        ("", "closed without an answer"),
        ("<html>", "not an HTTP answer"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "ends before its end"),
    ] {
        let mut stream = Wire::new(response, usize::MAX);
        stream.is_closed = true;
        let mut conversation = Conversation::new(LAST.into());
        match conversation.run(&mut stream, &mut [0; 100]) {
            Talk::Failed(said) => assert!(said.contains(why), "{response:?}: {said}"),
            talk => panic!("{response:?}: {talk:?}"),
        }
    }
}

#[test]
fn a_response_without_end_is_given_up() {
    let mut stream = Wire::new("HTTP/1.1 200 OK\r\n\r\n", usize::MAX);
    stream.incoming.extend(std::iter::repeat_n(b'y', 2 * 1024 * 1024));
    let mut conversation = Conversation::new(LAST.into());
    let talk = conversation.run(&mut stream, &mut [0; 4096]);
    assert!(matches!(talk, Talk::Failed(_)), "{talk:?}");
    assert!(!stream.incoming.is_empty());
}

// ── What tests are made of ──────────────────────────────────────────────────────────────────

const BIG_ANSWER_BYTES: usize = 5_000;
const BIG_BODY_BYTES: usize = 200_000;

/// A POST that claims one number of bytes and brings another.
fn post(target: &str, claimed: u64, brought: usize) -> String {
    let body = "b".repeat(brought);
    format!("POST {target} HTTP/1.1\r\nContent-Length: {claimed}\r\n\r\n{body}")
}

/// Runs until the machine has to wait or is over. Returns every step.
fn run(exchange: &mut Exchange, stream: &mut Wire) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        // In memory nothing tells that the stream ended; so it is always asked once more.
        let step = exchange.run(stream, &mut [0; 16 * 1024], true, &mut Echo);
        steps.push(step);
        match step {
            Step::Again | Step::EndSending => assert!(steps.len() < 100_000, "it spins"),
            Step::Wait | Step::Over => return steps,
        }
    }
}

/// Answers with the path, or a large answer, or not now; takes large bodies for `/store` only.
struct Echo;

impl Responder for Echo {
    fn body_bytes_max(&mut self, head: &Request<'_>) -> Result<usize, Status> {
        match head.path() {
            "/store" => Ok(BIG_BODY_BYTES),
            "/never" => Err(Status::Forbidden),
            _ => Ok(REQUEST_BODY_BYTES_MAX),
        }
    }

    fn answer(&mut self, request: &Request<'_>, out: &mut Vec<u8>) -> Answered {
        match request.path() {
            "/big" => out.extend_from_slice(&[b'x'; BIG_ANSWER_BYTES]),
            "/later" => return Answered::Later,
            path => out.extend_from_slice(format!("<{path}>").as_bytes()),
        }
        Answered::Now
    }
}

/// A stream in memory: `cut` bytes at most per read, `room` bytes to be written before it blocks.
struct Wire {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    cut: usize,
    room: usize,
    is_closed: bool,
}

impl Wire {
    fn new(incoming: &str, cut: usize) -> Wire {
        let incoming = incoming.as_bytes().to_vec();
        Wire { incoming, outgoing: Vec::new(), cut, room: usize::MAX, is_closed: false }
    }

    /// What was written, refusals as their status alone.
    fn answers(&self) -> String {
        let text = String::from_utf8_lossy(&self.outgoing);
        match text.split_once("HTTP/1.1 ") {
            Some((before, refusal)) => format!("{before}{}", &refusal[..3]),
            None => text.into_owned(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() && !self.is_closed {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = self.incoming.len().min(self.cut).min(buffer.len());
        buffer[..len].copy_from_slice(&self.incoming[..len]);
        self.incoming.drain(..len);
        Ok(len)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = bytes.len().min(self.room);
        self.room -= len;
        self.outgoing.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
