//! Web: what is asked of a web server and what comes of its answers, cut anywhere.

use std::fmt::Write;

use swarmlet::base::limits::BLOCK_BYTES;
use swarmlet::base::{Claim, PieceIndex, Random};
use swarmlet::format::layout::{File, Layout};
use swarmlet::format::query::TrackerUrl;
use swarmlet::wire::link::Segment;
use swarmlet::wire::{Frame, Message, Violation, Web};

const BLOCK: u64 = BLOCK_BYTES as u64;

/// Files of 1½ and 2 blocks in `pub`, with half a block of padding between them; two blocks make
/// a piece.
fn layout() -> Layout {
    let file = |name: &str, len| File::new(["show", name], len);
    let pad = File { pad: true, ..file(".pad", BLOCK / 2) };
    let files = vec![file("a b.txt", BLOCK * 3 / 2), pad, file("c", BLOCK * 2)];
    Layout::new(2 * BLOCK_BYTES, files).unwrap()
}

/// All bytes of the torrent; those of the padding are zeros.
fn content() -> Vec<u8> {
    let mut bytes = vec![0; 4 * BLOCK as usize];
    Random::new(7).fill(&mut bytes);
    bytes[(BLOCK * 3 / 2) as usize..(BLOCK * 2) as usize].fill(0);
    bytes
}

fn url(text: &str) -> TrackerUrl {
    TrackerUrl::parse_any(text).unwrap()
}

/// Block `number` of the torrent.
fn block(number: u32) -> Claim {
    Claim { piece: number / 2, begin: number % 2 * BLOCK_BYTES, len: BLOCK_BYTES }
}

/// What is sent, a line for each request: target, range.
fn sent(web: &mut Web, layout: &Layout) -> String {
    web.go_on(layout);
    web.check();
    let mut bytes = Vec::new();
    for segment in web.segments() {
        let Segment::Bytes(part) = segment else { panic!("a server gets no block") };
        bytes.extend_from_slice(part);
    }
    web.sent(bytes.len());
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = String::new();
    for request in text.split_terminator("\r\n\r\n") {
        assert!(request.contains("\r\nHost: mirror.example\r\n"), "{request}");
        assert!(request.contains("\r\nAccept-Encoding: identity\r\n"), "{request}");
        let target = request.split(' ').nth(1).unwrap();
        let range = request.split("Range: bytes=").nth(1).unwrap().split("\r\n").next().unwrap();
        writeln!(lines, "{target} {range}").unwrap();
    }
    lines
}

/// What a server says to such a line.
fn answer(line: &str, layout: &Layout) -> Vec<u8> {
    let (target, range) = line.split_once(' ').unwrap();
    let name = target.rsplit('/').next().unwrap().replace("%20", " ");
    let file = layout.files().iter().find(|file| file.path.last() == Some(&name)).unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{}\r\n\
         content-length: {}\r\n\r\n",
        file.len,
        last + 1 - first
    );
    let (begin, end) = ((file.offset + first) as usize, (file.offset + last + 1) as usize);
    [head.as_bytes(), &content()[begin..end]].concat()
}

/// What comes out of `bytes`, fed in portions of `step`: blocks and how much of each, in order.
fn heard(web: &mut Web, bytes: &[u8], step: usize) -> Result<Vec<(Claim, u32)>, Violation> {
    let (layout, content) = (layout(), content());
    let mut all: Vec<(Claim, u32)> = Vec::new();
    for mut input in bytes.chunks(step) {
        while let Some(frame) = web.feed(&mut input)? {
            let Frame::Payload { block, from, bytes } = frame else { panic!("{frame:?}") };
            let at = layout.piece_offset(PieceIndex::checked(block.piece)) as usize
                + (block.begin + from) as usize;
            assert_eq!(bytes, &content[at..at + bytes.len()], "{block:?} from {from}");
            let len = bytes.len() as u32;
            match all.last_mut() {
                Some((last, upto)) if *last == block => {
                    assert_eq!(*upto, from, "parts in order, without gaps");
                    *upto += len;
                }
                _ => all.push((block, from + len)),
            }
            web.check();
        }
        assert!(input.is_empty());
    }
    Ok(all)
}

fn whole(numbers: &[u32]) -> Vec<(Claim, u32)> {
    numbers.iter().map(|&number| (block(number), BLOCK_BYTES)).collect()
}

#[test]
fn neighbours_become_one_request_and_answers_become_blocks_however_they_are_cut() {
    let layout = layout();
    for step in [1, 7, 1000, 1 << 20] {
        let mut web = Web::new(url("http://mirror.example/pub/"));
        (0..4).for_each(|number| web.send(&Message::Request(block(number))));
        assert!(!web.is_idle());
        assert_eq!(sent(&mut web, &layout), "/pub/show/a%20b.txt 0-24575\n");
        assert!(web.is_idle(), "nobody knows yet whether it stays");
        let bytes = answer("/pub/show/a%20b.txt 0-24575", &layout);
        assert_eq!(heard(&mut web, &bytes, step), Ok(whole(&[0, 1])), "by {step}");
        assert_eq!(sent(&mut web, &layout), "/pub/show/c 0-32767\n");
        let bytes = answer("/pub/show/c 0-32767", &layout);
        assert_eq!(heard(&mut web, &bytes, step), Ok(whole(&[2, 3])), "by {step}");
    }
}

#[test]
fn two_requests_are_under_way_at_most() {
    let layout = layout();
    let mut web = Web::new(url("http://mirror.example/pub"));
    web.send(&Message::Request(block(1)));
    assert_eq!(sent(&mut web, &layout), "/pub/show/a%20b.txt 16384-24575\n");
    let bytes = answer("/pub/show/a%20b.txt 16384-24575", &layout);
    assert_eq!(heard(&mut web, &bytes, 100), Ok(whole(&[1])));
    [3, 0, 2].into_iter().for_each(|number| web.send(&Message::Request(block(number))));
    let requests = sent(&mut web, &layout);
    assert_eq!(requests, "/pub/show/c 16384-32767\n/pub/show/a%20b.txt 0-16383\n");
    assert!(web.is_idle(), "the third has to wait");
    let first = answer(requests.lines().next().unwrap(), &layout);
    assert_eq!(heard(&mut web, &first, 100), Ok(whole(&[3])));
    let second = answer(requests.lines().nth(1).unwrap(), &layout);
    assert_eq!(heard(&mut web, &second, 100), Ok(whole(&[0])));
    assert_eq!(sent(&mut web, &layout), "/pub/show/c 0-16383\n");
}

#[test]
fn padding_alone_costs_one_byte_of_a_neighbour() {
    let files = vec![
        File::new(["show", "a"], 100),
        File { pad: true, ..File::new(["show", ".pad"], 2 * BLOCK - 100) },
        File::new(["show", "b"], 5),
    ];
    let layout = Layout::new(2 * BLOCK_BYTES, files).unwrap();
    let mut web = Web::new(url("http://mirror.example/"));
    web.send(&Message::Request(block(1)));
    assert_eq!(sent(&mut web, &layout), "/show/a 99-99\n");
    let answer = b"HTTP/1.1 206 ok\r\nContent-Range: bytes 99-99/100\r\n\r\nx";
    let mut input = &answer[..];
    // In parts, each where the last one ended.
    let mut padding = Vec::new();
    while padding.len() < BLOCK_BYTES as usize {
        let frame = web.feed(&mut input).unwrap();
        let Some(Frame::Payload { block: of, from, bytes }) = frame else { panic!("{frame:?}") };
        assert_eq!((of, from as usize), (block(1), padding.len()));
        padding.extend_from_slice(bytes);
    }
    assert!(padding.len() == BLOCK_BYTES as usize && padding.iter().all(|&byte| byte == 0));
}

#[test]
fn what_is_cancelled_is_not_asked_for_or_stepped_over() {
    let layout = layout();
    let mut web = Web::new(url("http://mirror.example/pub/"));
    let words = |web: &mut Web, numbers: &[u32]| {
        numbers.iter().for_each(|&number| web.send(&Message::Request(block(number))));
    };
    // Before it is in a request.
    words(&mut web, &[2, 3]);
    web.send(&Message::Cancel(block(2)));
    assert_eq!(sent(&mut web, &layout), "/pub/show/c 16384-32767\n");
    let bytes = answer("/pub/show/c 16384-32767", &layout);
    assert_eq!(heard(&mut web, &bytes, 999), Ok(whole(&[3])));
    // In a request: its bytes come and are of no interest.
    words(&mut web, &[2, 3]);
    assert_eq!(sent(&mut web, &layout), "/pub/show/c 0-32767\n");
    web.send(&Message::Cancel(block(2)));
    let bytes = answer("/pub/show/c 0-32767", &layout);
    assert_eq!(heard(&mut web, &bytes, 999), Ok(whole(&[3])));
    // Begun: the rest follows.
    words(&mut web, &[2, 3]);
    assert_eq!(sent(&mut web, &layout), "/pub/show/c 0-32767\n");
    let (begin, rest) = bytes.split_at(bytes.len() - 20_000);
    assert_eq!(heard(&mut web, begin, 1 << 20), Ok(vec![(block(2), 12_768)]));
    web.send(&Message::Cancel(block(2)));
    let mut input = rest;
    let frame = web.feed(&mut input).unwrap();
    let Some(Frame::Payload { block: of, from, bytes }) = frame else { panic!("{frame:?}") };
    assert_eq!((of, from, bytes.len()), (block(2), 12_768, (BLOCK_BYTES - 12_768) as usize));
}

#[test]
fn other_answers_end_the_conversation() {
    let asked = "bytes 0-32767/32768";
    let table: [(String, u16); 12] = [
        ("HTTP/1.1 404 Not Found\r\n\r\n".into(), 404),
        ("HTTP/1.1 416 Range\r\n\r\n".into(), 416),
        ("HTTP/1.1 503 later\r\nRetry-After: 9\r\n\r\n".into(), 503),
        // Another range than that which was asked for, or another length.
        ("HTTP/1.1 206 x\r\nContent-Range: bytes 0-32766/32768\r\n\r\n".into(), 206),
        ("HTTP/1.1 206 x\r\nContent-Range: bytes 1-32768/32769\r\n\r\n".into(), 206),
        (format!("HTTP/1.1 206 x\r\nContent-Range: {asked}\r\nContent-Length: 9\r\n\r\n"), 206),
        ("HTTP/1.1 206 x\r\n\r\n".into(), 206),
        // No ranges here: the whole file, which is longer.
        ("HTTP/1.1 200 ok\r\nContent-Length: 99999\r\n\r\n".into(), 200),
        // Nothing that could be counted.
        (
            format!(
                "HTTP/1.1 206 x\r\nContent-Range: {asked}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            0,
        ),
        (format!("HTTP/1.1 206 x\r\nContent-Range: {asked}\r\nContent-Encoding: gzip\r\n\r\n"), 0),
        ("SSH-2.0-OpenSSH\r\n\r\n".into(), 0),
        (format!("HTTP/1.1 206 x\r\nX: {}\r\n\r\n", "x".repeat(100_000)), 0),
    ];
    let layout = layout();
    for (bytes, status) in table {
        for step in [1, bytes.len()] {
            let mut web = Web::new(url("http://mirror.example/pub/"));
            [2, 3].into_iter().for_each(|number| web.send(&Message::Request(block(number))));
            sent(&mut web, &layout);
            let end = heard(&mut web, bytes.as_bytes(), step);
            assert_eq!(end, Err(Violation::WebAnswer { status }), "{}", &bytes[..30]);
            assert_eq!(web.moved(), None);
        }
    }
    // Nobody asked.
    let mut web = Web::new(url("http://mirror.example/pub/"));
    let end = heard(&mut web, b"HTTP/1.1 206 x\r\n\r\n", 5);
    assert_eq!(end, Err(Violation::WebAnswer { status: 206 }));
}

#[test]
fn a_server_without_ranges_is_fine_for_a_whole_file_and_news_come_first() {
    let layout = layout();
    let mut web = Web::new(url("http://mirror.example/pub/"));
    [2, 3].into_iter().for_each(|number| web.send(&Message::Request(block(number))));
    sent(&mut web, &layout);
    let head = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 ok\r\nContent-Length: 32768\r\n\r\n";
    let bytes = [head, &content()[2 * BLOCK as usize..]].concat();
    assert_eq!(heard(&mut web, &bytes, 333), Ok(whole(&[2, 3])));
    // A connection of HTTP/1.0 ends with its answer.
    web.send(&Message::Request(block(0)));
    assert_eq!(sent(&mut web, &layout), "");
    assert!(web.is_idle());
}

#[test]
fn a_redirect_of_a_file_moves_the_whole_torrent_if_the_path_is_kept() {
    let table = [
        ("http://eu.example/x/show/c", Some("http://eu.example/x/")),
        ("http://eu.example/show/c", Some("http://eu.example/")),
        ("/other/show/c", Some("http://mirror.example/other/")),
        // Only this file has moved, or to where we cannot follow.
        ("http://eu.example/x/c-1234", None),
        ("https://eu.example/x/show/c", None),
        ("ftp://eu.example/x/show/c", None),
        ("", None),
    ];
    let layout = layout();
    for (location, expected) in table {
        let mut web = Web::new(url("http://mirror.example/pub/"));
        web.send(&Message::Request(block(3)));
        sent(&mut web, &layout);
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        let end = heard(&mut web, answer.as_bytes(), 11);
        assert_eq!(end, Err(Violation::WebAnswer { status: 302 }));
        let moved = web.moved().map(ToString::to_string);
        assert_eq!(moved.as_deref(), expected, "{location}");
    }
}

#[test]
fn the_url_of_a_single_file_is_taken_as_it_is_unless_it_is_a_directory() {
    let layout = Layout::single(BLOCK_BYTES, "film ü.mkv", BLOCK).unwrap();
    let table = [
        ("http://mirror.example/f?id=7", "/f?id=7 0-16383\n"),
        ("http://mirror.example/pub/", "/pub/film%20%C3%BC.mkv 0-16383\n"),
        ("http://mirror.example", "/film%20%C3%BC.mkv 0-16383\n"),
    ];
    for (text, expected) in table {
        let mut web = Web::new(url(text));
        web.send(&Message::Request(Claim { piece: 0, begin: 0, len: BLOCK_BYTES }));
        assert_eq!(sent(&mut web, &layout), expected);
    }
}

#[test]
fn a_server_that_ends_every_answer_is_asked_again_for_what_is_missing_even_within_a_block() {
    // One block that lies in three files.
    let files = [100, 200, BLOCK - 300].map(|len| File::new(["show".into(), len.to_string()], len));
    let layout = Layout::new(BLOCK_BYTES, files.to_vec()).unwrap();
    let mut web = Web::new(url("http://mirror.example/"));
    assert!(!web.begin_again(), "nothing came");
    web.send(&Message::Request(Claim { piece: 0, begin: 0, len: BLOCK_BYTES }));
    let mut from = 0;
    for file in &files {
        let name = format!("/show/{} 0-{}\n", file.len, file.len - 1);
        assert_eq!(sent(&mut web, &layout), name);
        assert!(!web.begin_again(), "no answer came");
        let head = format!(
            "HTTP/1.1 206 ok\r\nConnection: close\r\nContent-Range: bytes 0-{}/*\r\n\r\n",
            file.len - 1
        );
        let bytes = [head.as_bytes(), &vec![1; file.len as usize]].concat();
        let mut input = &bytes[..];
        let mut came = 0;
        while let Some(frame) = web.feed(&mut input).unwrap() {
            let Frame::Payload { from: at, bytes, .. } = frame else { panic!("{frame:?}") };
            assert_eq!(at, from + came);
            came += bytes.len() as u32;
        }
        assert_eq!(u64::from(came), file.len);
        from += came;
        assert_eq!(sent(&mut web, &layout), "", "it said that it will close");
        assert!(web.begin_again());
    }
    assert!(web.is_idle());
}
