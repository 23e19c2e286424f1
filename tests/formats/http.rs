//! HTTP heads: requests of real, odd and hostile clients; answers of good and bad trackers.

use swarmlet::base::limits::{
    ANNOUNCE_REPLY_BYTES_MAX, REQUEST_BODY_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX,
    REQUEST_LINE_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX,
};
use swarmlet::format::http::{
    Parsed, Progress, Request, Response, ResponseHead, Scan, Status, write_get, write_refusal,
};
use swarmlet::format::query::TrackerUrl;

use super::http_fixtures;

// ── Requests ────────────────────────────────────────────────────────────────────────────────

fn parse(bytes: &[u8]) -> Parsed<'_> {
    Request::parse(bytes, &mut Scan::default())
}

/// As the first two words of a fixture say it.
fn verdict(parsed: &Parsed<'_>) -> String {
    match parsed {
        Parsed::Done { request, .. } if request.keep_alive => "done keep".to_owned(),
        Parsed::Done { .. } => "done close".to_owned(),
        Parsed::More => "more".to_owned(),
        Parsed::Bad(status) => format!("bad {}", status.code()),
    }
}

/// What comes of the bytes when they arrive `step` at a time, and after how many.
fn dribble(bytes: &[u8], step: usize) -> (String, usize) {
    let mut scan = Scan::default();
    let mut outcome = ("more".to_owned(), 0);
    for len in (step..bytes.len()).step_by(step).chain([bytes.len()]) {
        let parsed = Request::parse(&bytes[..len], &mut scan);
        outcome = (verdict(&parsed), len);
        if parsed != Parsed::More {
            break;
        }
    }
    outcome
}

fn request_of(method: &str, headers: &str) -> Vec<u8> {
    format!("{method} / HTTP/1.1\r\nHost: t\r\n{headers}\r\n").into_bytes()
}

#[test]
fn every_fixture_gets_its_verdict_at_once_and_in_pieces() {
    for fixture in http_fixtures::all() {
        let expected = fixture.verdict.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(verdict(&parse(&fixture.bytes)), expected, "{}", fixture.name);
        for step in [1, 2, 3, 7, 100] {
            let (outcome, _) = dribble(&fixture.bytes, step);
            assert_eq!(outcome, expected, "{} in steps of {step}", fixture.name);
        }
    }
}

#[test]
fn every_beginning_of_a_good_request_waits_for_more() {
    for fixture in http_fixtures::all() {
        let Parsed::Done { used, .. } = parse(&fixture.bytes) else { continue };
        for len in 0..used {
            assert_eq!(parse(&fixture.bytes[..len]), Parsed::More, "{} at {len}", fixture.name);
        }
    }
}

#[test]
fn a_flipped_bit_never_panics_and_means_the_same_in_any_cut() {
    for fixture in http_fixtures::all() {
        for at in 0..fixture.bytes.len() {
            for bit in 0..8 {
                let mut bytes = fixture.bytes.clone();
                bytes[at] ^= 1 << bit;
                let whole = parse(&bytes);
                if at % 16 == 0 {
                    assert_eq!(dribble(&bytes, 1).0, verdict(&whole), "{} {at}", fixture.name);
                }
            }
        }
    }
}

#[test]
fn a_request_is_borrowed_whole() {
    let bytes =
        b"POST /rpc?x=1&y HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nX-A:  b c \r\n\r\nabcGET";
    let Parsed::Done { request, used } = parse(bytes) else { panic!("not done") };
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/rpc?x=1&y");
    assert_eq!(request.path(), "/rpc");
    assert_eq!(request.query(), "x=1&y");
    assert_eq!(request.body, b"abc");
    assert_eq!(&bytes[used..], b"GET");
    assert_eq!(request.headers.get("x-a"), Some(&b"b c"[..]));
    assert_eq!(request.headers.get("x-b"), None);
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Host", "Content-Length", "X-A"]);
}

#[test]
fn pipelined_requests_come_out_one_by_one() {
    let bytes = b"GET /1 HTTP/1.1\r\n\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.0\r\n\r\n";
    let mut scan = Scan::default();
    let mut rest = &bytes[..];
    let mut targets = Vec::new();
    while let Parsed::Done { request, used } = Request::parse(rest, &mut scan) {
        targets.push((request.target, request.keep_alive));
        rest = &rest[used..];
    }
    assert_eq!(targets, [("/1", true), ("/2", true), ("/3", false)]);
    assert!(rest.is_empty());
}

#[test]
fn connections_are_kept_as_version_and_header_say() {
    for (version, header, keep) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: te, Close\r\n", false),
        ("1.1", "Connection: te\r\nConnection: close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: close, keep-alive\r\n", false),
        ("1.9", "", true),
    ] {
        let bytes = format!("GET / HTTP/{version}\r\n{header}\r\n");
        let Parsed::Done { request, .. } = parse(bytes.as_bytes()) else { panic!("{bytes:?}") };
        assert_eq!(request.keep_alive, keep, "{bytes:?}");
    }
}

#[test]
fn row_74_a_line_too_long_is_414_as_soon_as_it_is() {
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    assert_eq!(parse(long.as_bytes()), Parsed::Bad(Status::UriTooLong));
    let (outcome, after) = dribble(long.as_bytes(), 1);
    assert_eq!((outcome.as_str(), after), ("bad 414", REQUEST_LINE_BYTES_MAX + 1));

    let frame = "GET / HTTP/1.1\r".len();
    for (spare, expected) in [(0, "done keep"), (1, "bad 414")] {
        let path = "a".repeat(REQUEST_LINE_BYTES_MAX - frame + spare);
        let bytes = format!("GET /{path} HTTP/1.1\r\n\r\n");
        assert_eq!(verdict(&parse(bytes.as_bytes())), expected);
        assert_eq!(dribble(bytes.as_bytes(), 1).0, expected);
    }
}

#[test]
fn row_74_headers_too_long_or_too_many_are_431() {
    let long = request_of("GET", &format!("X: {}\r\n", "a".repeat(100_000)));
    assert_eq!(parse(&long), Parsed::Bad(Status::HeadersTooLarge));
    let (outcome, after) = dribble(&long, 1);
    assert_eq!((outcome.as_str(), after), ("bad 431", REQUEST_HEAD_BYTES_MAX + 1));

    let frame = request_of("GET", "X: \r\n").len();
    for (spare, expected) in [(0, "done keep"), (1, "bad 431")] {
        let value = "a".repeat(REQUEST_HEAD_BYTES_MAX - frame + spare);
        let bytes = request_of("GET", &format!("X: {value}\r\n"));
        assert_eq!(verdict(&parse(&bytes)), expected);
        assert_eq!(dribble(&bytes, 1).0, expected);
    }
    for (count, expected) in
        [(REQUEST_HEADERS_MAX, "done keep"), (REQUEST_HEADERS_MAX + 1, "bad 431")]
    {
        // One of them is `Host`.
        let bytes = request_of("GET", &"A: b\r\n".repeat(count - 1));
        assert_eq!(verdict(&parse(&bytes)), expected, "{count} headers");
    }
}

#[test]
fn a_body_too_long_is_413_before_it_comes() {
    for (len, expected) in
        [(REQUEST_BODY_BYTES_MAX, "more"), (REQUEST_BODY_BYTES_MAX + 1, "bad 413")]
    {
        let head = request_of("POST", &format!("Content-Length: {len}\r\n"));
        assert_eq!(verdict(&parse(&head)), expected);
    }
}

#[test]
fn a_stream_of_line_ends_is_no_request() {
    assert_eq!(parse(b"\r\n\r\n"), Parsed::More);
    assert_eq!(parse(b"\r\n\r\n\r\n"), Parsed::Bad(Status::BadRequest));
}

#[test]
fn answers_are_written_exactly() {
    let mut out = Vec::new();
    let extra: &[(&str, &str)] = &[("Allow", "GET, HEAD")];
    let status = Status::MethodNotAllowed;
    ResponseHead { status, content_type: "text/plain", keep_alive: true, extra }.write(7, &mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\
         Connection: keep-alive\r\nAllow: GET, HEAD\r\n\r\n"
    );
    out.clear();
    write_refusal(Status::RequestTimeout, &mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\
         Connection: close\r\n\r\n408 Request Timeout\n"
    );
}

#[test]
fn our_request_asks_plainly() {
    for (url, host) in [
        ("http://Tracker.example/announce", "tracker.example"),
        ("http://tracker.example:8000/announce", "tracker.example:8000"),
        ("http://[::1]:8000/announce", "[::1]:8000"),
    ] {
        let url = TrackerUrl::parse(url).expect("a good URL");
        let mut out = Vec::new();
        write_get(&url, "/announce?x=%20", &mut out);
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            "GET /announce?x=%20 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: swarmlet/{version}\r\n\
             Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let Parsed::Done { request, .. } = parse(&out) else { panic!("we read our own request") };
        assert_eq!((request.target, request.keep_alive), ("/announce?x=%20", false));
    }
}

#[test]
#[should_panic(expected = "not coded")]
fn row_49_a_target_with_a_line_end_is_our_own_fault() {
    let url = TrackerUrl::parse("http://t/announce").expect("a good URL");
    write_get(&url, "/announce?x=a\r\nX: y", &mut Vec::new());
}

// ── Answers ─────────────────────────────────────────────────────────────────────────────────

/// Status and body, or why not; fed `step` bytes at a time, then closed.
fn receive(bytes: &[u8], step: usize) -> Result<(u16, String), String> {
    let mut response = Response::new();
    for part in bytes.chunks(step) {
        if response.feed(part).map_err(|malformed| malformed.into_what().into_owned())?
            == Progress::Done
        {
            break;
        }
    }
    response.on_closed().map_err(|malformed| malformed.into_what().into_owned())?;
    Ok((response.status(), String::from_utf8_lossy(response.body()).into_owned()))
}

const GOOD: [(&str, u16, &str); 13] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", 200, "abc"),
    ("HTTP/1.0 200 OK\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.1 200\nContent-Type: text/plain\n\nabc", 200, "abc"),
    ("HTTP/1.1 200 \r\n\r\n", 200, ""),
    ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, ""),
    ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc"),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n\
         1;x=y\r\na\r\n0002 \r\nbc\r\n0\r\nT: u\r\n\r\n",
        200,
        "abc",
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""),
    ("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.1 302 Found\r\nLocation: http://other/announce\r\n\r\n", 302, ""),
];

#[test]
fn good_answers_arrive_in_any_cut() {
    for (bytes, status, body) in GOOD {
        for step in [1, 2, 3, 5, 1000] {
            let received = receive(bytes.as_bytes(), step);
            assert_eq!(received, Ok((status, body.to_owned())), "{bytes:?} in steps of {step}");
        }
    }
}

#[test]
fn bad_answers_are_refused_in_any_cut() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (bytes, what) in [
        ("", "closed without an answer"),
        ("HTTP/1.1 200 OK\r\nContent-", "the answer ends within its head"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "the answer ends before its end"),
        ("<html>hello</html>", "not an HTTP answer"),
        ("HTTP/2 200\r\n\r\n", "not an HTTP answer"),
        ("HTTP/1.1 20 OK\r\n\r\n", "no status"),
        ("HTTP/1.1 700 Odd\r\n\r\n", "no status"),
        ("HTTP/1.1 2000 Odd\r\n\r\n", "no status"),
        ("HTTP/1.1 200 OK\r\nno header\r\n\r\n", "a header that is none"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "a Content-Length that is no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a Content-Length that is no number"),
        // Row 50.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "two Content-Lengths",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
            "the answer is too long",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "two ways to tell the length",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "a transfer coding that we do not speak",
        ),
        // Row 48.
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
            "a compressed answer, which we did not ask for",
        ),
        (&format!("{chunked}ffffffffffffffff\r\n"), "the answer is too long"),
        (&format!("{chunked}fffffffffffffffff\r\n"), "the answer is too long"),
        (&format!("{chunked}-1\r\n"), "a chunk size that is no number"),
        (&format!("{chunked}\r\n"), "a chunk without a size"),
        (&format!("{chunked}3\r\nabcd\r\n"), "a chunk that is longer than it says"),
        (&format!("{chunked}3\r\nabc\r\n"), "the answer ends before its end"),
        (&format!("{chunked}1{}\r\n", " ".repeat(2000)), "a line between chunks is too long"),
    ] {
        for step in [1, 2, 3, 5, 10_000] {
            let received = receive(bytes.as_bytes(), step);
            assert_eq!(received, Err(what.to_owned()), "{bytes:?} in steps of {step}");
        }
    }
}

#[test]
fn row_50_a_head_without_end_is_given_up_early() {
    let mut response = Response::new();
    let line = [b'a'; 1000];
    let mut fed = 0;
    response.feed(b"HTTP/1.1 200 OK\r\nX: ").expect("fine so far");
    let malformed = loop {
        fed += line.len();
        match response.feed(&line) {
            Ok(_) => assert!(fed <= RESPONSE_HEAD_BYTES_MAX),
            Err(malformed) => break malformed,
        }
    };
    assert_eq!(malformed.what, "the answer's head is too long");
    assert_eq!(malformed.at, RESPONSE_HEAD_BYTES_MAX + 1);
    // The same by heads without end, and by trailers without end.
    for (first, again) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"),
    ] {
        let bytes = format!("{first}{}", again.repeat(RESPONSE_HEAD_BYTES_MAX / 4));
        let received = receive(bytes.as_bytes(), 4096);
        assert_eq!(received, Err("the answer's head is too long".to_owned()));
    }
}

#[test]
fn row_48_a_body_without_end_is_given_up_at_the_limit() {
    let part = vec![b'a'; 64 * 1024];
    let size = format!("{:x}\r\n", part.len());
    for (head, before, after) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "", ""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", size.as_str(), "\r\n"),
    ] {
        let mut response = Response::new();
        response.feed(head.as_bytes()).expect("fine so far");
        let mut feed = || {
            response.feed(before.as_bytes())?;
            response.feed(&part)?;
            response.feed(after.as_bytes())
        };
        for _ in 0..ANNOUNCE_REPLY_BYTES_MAX / part.len() {
            assert_eq!(feed(), Ok(Progress::More));
        }
        assert_eq!(feed().expect_err("past the limit").what, "the answer is too long");
        assert!(response.body().len() <= ANNOUNCE_REPLY_BYTES_MAX);
    }
}

#[test]
fn a_redirect_says_where() {
    for (status, header, expected) in [
        (302, "Location: http://other/x\r\n", Some("http://other/x")),
        (301, "location:/x\r\n", Some("/x")),
        (200, "Location: http://other/x\r\n", None),
        (307, "", None),
    ] {
        let mut response = Response::new();
        let bytes = format!("HTTP/1.1 {status} X\r\n{header}Content-Length: 0\r\n\r\n");
        assert_eq!(response.feed(bytes.as_bytes()), Ok(Progress::Done));
        assert_eq!(response.redirect(), expected, "{bytes:?}");
    }
    let mut response = Response::new();
    let bytes = format!("HTTP/1.1 302 X\r\nLocation: /{}\r\n\r\n", "a".repeat(3000));
    response.feed(bytes.as_bytes()).expect("a good head");
    assert_eq!(response.redirect(), None, "longer than any URL that we ask");
}

#[test]
fn flipped_bits_in_answers_never_panic_and_mean_the_same_in_any_cut() {
    for (bytes, ..) in GOOD {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.as_bytes().to_vec();
                flipped[at] ^= 1 << bit;
                assert_eq!(receive(&flipped, 1), receive(&flipped, 1000), "{bytes:?} {at}.{bit}");
            }
            // And cut short.
            assert_eq!(receive(&bytes.as_bytes()[..at], 1), receive(&bytes.as_bytes()[..at], 1000));
        }
    }
}
