//! Peer I/O: receiving and flushing over streams in memory that are cut at every byte.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use swarmlet::base::limits::BLOCK_BYTES;
use swarmlet::base::{Block, Claim};
use swarmlet::engine::{Closed, DiskFault};
use swarmlet::format::layout::Layout;
use swarmlet::wire::{Frame, Link, Message};
use swarmlet::world::peer_io::{Flush, FlushEnd, Received, flush, receive};

const PIECE_BYTES: u32 = 4 * BLOCK_BYTES;
const PIECES: u32 = 5;

/// Small blocks, so that every cut can be tried.
const SHORT_BYTES: u32 = 100;

// ── Sending ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn what_is_sent_is_the_same_wherever_the_stream_is_cut() {
    let (whole, _) = send_all(&mut loaded_link(), usize::MAX, 256 * 1024);
    assert_eq!(heard(&whole), expected());
    for room in 1..whole.len() {
        let (sent, payload) = send_all(&mut loaded_link(), room, 256 * 1024);
        assert!(sent == whole, "cut after every {room} bytes");
        assert_eq!(payload, 3 * u64::from(SHORT_BYTES) + 7);
    }
}

#[test]
fn a_buffer_smaller_than_a_block_sends_the_same_bytes() {
    let (whole, _) = send_all(&mut loaded_link(), usize::MAX, 256 * 1024);
    for buffer_bytes in 1..5 * SHORT_BYTES as usize {
        let (sent, _) = send_all(&mut loaded_link(), usize::MAX, buffer_bytes);
        assert!(sent == whole, "through a buffer of {buffer_bytes}");
    }
}

#[test]
fn blocks_that_are_neighbours_are_read_together() {
    for (blocks, reads) in [
        // (piece, begin in blocks)                    (piece, begin, len), in blocks
        (vec![(0, 0), (0, 1), (0, 2)], vec![(0, 0, 3)]),
        (vec![(0, 0), (0, 2)], vec![(0, 0, 1), (0, 2, 1)]),
        (vec![(0, 1), (0, 0)], vec![(0, 1, 1), (0, 0, 1)]),
        (vec![(0, 3), (1, 0), (1, 1)], vec![(0, 3, 1), (1, 0, 2)]),
        (vec![(2, 0), (2, 0)], vec![(2, 0, 1), (2, 0, 1)]),
    ] {
        let mut link = Link::new();
        blocks.iter().for_each(|&(piece, begin)| link.send_block(block(piece, begin)));
        let mut seen = Vec::new();
        let mut stream = Sink::new(usize::MAX);
        flush(&mut stream, &mut link, &mut [0; 256 * 1024], |piece, begin, bytes| {
            let len = u32::try_from(bytes.len()).expect("small");
            seen.push((piece.get(), begin / BLOCK_BYTES, len / BLOCK_BYTES));
            Ok(())
        });
        assert_eq!(seen, reads, "{blocks:?}");
        assert_eq!(stream.calls, 1, "one call for all of it");
    }
}

#[test]
fn each_end_of_a_flush_is_told() {
    let mut link = Link::new();
    let mut buffer = [0; 1000];
    let mut to = |room, link: &mut Link| flush(&mut Sink::new(room), link, &mut buffer, content);
    assert_eq!(to(usize::MAX, &mut link), told(0, 0, FlushEnd::Idle));
    link.send(&Message::Choke);
    assert_eq!(to(0, &mut link), told(0, 0, FlushEnd::Blocked));
    assert_eq!(to(2, &mut link), told(2, 0, FlushEnd::Blocked));
    assert_eq!(to(usize::MAX, &mut link), told(3, 0, FlushEnd::Idle));
    link.send_block(block(0, 0));
    // The buffer holds 1000 bytes, the head has 13.
    assert_eq!(to(usize::MAX, &mut link), told(1013, 1000, FlushEnd::More));
}

#[test]
fn a_block_that_cannot_be_read_is_told_and_nothing_of_it_leaves() {
    let mut link = Link::new();
    link.send(&Message::Unchoke);
    link.send_block(block(1, 0));
    let mut stream = Sink::new(usize::MAX);
    let end = flush(&mut stream, &mut link, &mut [0; 40_000], |_, _, _| Err(DiskFault::Missing));
    assert_eq!(end, told(0, 0, FlushEnd::Unreadable(DiskFault::Missing)));
    assert!(stream.bytes.is_empty());
}

#[test]
fn a_stream_that_breaks_or_takes_nothing_is_broken() {
    let mut link = Link::new();
    link.send(&Message::Unchoke);
    for error in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::WriteZero] {
        let end = flush(&mut Broken(error), &mut link, &mut [], content);
        assert_eq!(end, told(0, 0, FlushEnd::Broken), "{error:?}");
    }
}

// ── Receiving ───────────────────────────────────────────────────────────────────────────────

#[test]
fn each_outcome_of_a_read_is_told_apart() {
    for (reads, hung_up, expected) in [
        (Script::Bytes(10), false, Received::More(10)),
        (Script::Bytes(3), false, Received::Drained(3)),
        // The end is there already, and no event will tell of it.
        (Script::Bytes(3), true, Received::More(3)),
        (Script::Bytes(0), true, Received::Gone(Closed::ByThem)),
        (Script::Error(ErrorKind::WouldBlock), false, Received::Drained(0)),
        (Script::Error(ErrorKind::ConnectionReset), false, Received::Gone(Closed::Broken)),
    ] {
        let mut stream = Interrupted { reads, interrupted: false };
        assert_eq!(receive(&mut stream, &mut [0; 10], hung_up), expected, "{reads:?}");
    }
}

#[test]
fn what_is_received_is_the_same_wherever_it_is_cut() {
    let (whole, _) = send_all(&mut loaded_link(), usize::MAX, 256 * 1024);
    for buffer_bytes in 1..whole.len() {
        let (mut link, mut rest, mut buffer) = (reader(), whole.as_slice(), vec![0; buffer_bytes]);
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let (Received::More(len) | Received::Drained(len)) =
                receive(&mut rest, &mut buffer, false)
            else {
                panic!("ended early");
            };
            take_frames(&mut link, &buffer[..len], &mut frames);
        }
        assert_eq!(frames, expected(), "through a buffer of {buffer_bytes}");
    }
}

// ── What tests are made of ──────────────────────────────────────────────────────────────────

/// What was heard: words as they are, blocks with all of their bytes.
#[derive(PartialEq, Eq)]
enum Heard {
    Word(Message),
    Block(Claim, Vec<u8>),
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Heard::Word(message) => write!(f, "{message:?}"),
            Heard::Block(claim, bytes) => write!(f, "{claim:?} of {} bytes", bytes.len()),
        }
    }
}

/// Two blocks in one run, one alone, and a very short one.
fn short_blocks() -> [Block; 4] {
    [
        (0, SHORT_BYTES, SHORT_BYTES),
        (0, 2 * SHORT_BYTES, SHORT_BYTES),
        (3, 0, SHORT_BYTES),
        (4, 0, 7),
    ]
    .map(|(piece, begin, len)| layout().block(Claim { piece, begin, len }).expect("in range"))
}

/// A link with words and blocks to send.
fn loaded_link() -> Link {
    let [one, two, alone, short] = short_blocks();
    let mut link = Link::new();
    link.send(&Message::Unchoke);
    link.send_block(one);
    link.send_block(two);
    link.send(&Message::Have(4));
    link.send_block(alone);
    link.send_block(short);
    link
}

/// Words first: see `Link`.
fn expected() -> Vec<Heard> {
    let mut expected = vec![Heard::Word(Message::Unchoke), Heard::Word(Message::Have(4))];
    for claim in short_blocks().map(Block::claim) {
        let mut bytes = vec![0; claim.len as usize];
        fill(claim.piece, claim.begin, &mut bytes);
        expected.push(Heard::Block(claim, bytes));
    }
    expected
}

fn layout() -> Layout {
    Layout::single(PIECE_BYTES, "file", u64::from(PIECES * PIECE_BYTES)).expect("a good layout")
}

fn block(piece: u32, number: u32) -> Block {
    layout().block_at(layout().piece(piece).expect("in range"), number)
}

/// Bytes that tell where they are from.
fn fill(piece: u32, begin: u32, bytes: &mut [u8]) {
    for (at, byte) in (begin..).zip(bytes) {
        *byte = (at.wrapping_mul(31) ^ (at >> 8) ^ piece.wrapping_mul(97)).to_le_bytes()[0];
    }
}

fn content(
    piece: swarmlet::base::PieceIndex,
    begin: u32,
    bytes: &mut [u8],
) -> Result<(), DiskFault> {
    fill(piece.get(), begin, bytes);
    Ok(())
}

fn told(written: usize, payload: u64, end: FlushEnd) -> Flush {
    Flush { written, payload, end }
}

/// Flushes until nothing is left, over a stream that takes `room` bytes at a time. Returns the
/// bytes, and how many were reported as payload.
fn send_all(link: &mut Link, room: usize, buffer_bytes: usize) -> (Vec<u8>, u64) {
    let mut stream = Sink::new(room);
    let (mut payload, mut buffer) = (0, vec![0; buffer_bytes]);
    loop {
        stream.left = room;
        let flush = flush(&mut stream, link, &mut buffer, content);
        link.check();
        payload += flush.payload;
        match flush.end {
            FlushEnd::Idle => return (stream.bytes, payload),
            FlushEnd::More | FlushEnd::Blocked => assert!(flush.written > 0, "no progress"),
            FlushEnd::Broken | FlushEnd::Unreadable(_) => panic!("{flush:?}"),
        }
    }
}

/// The other side of the links above, its handshake done.
fn reader() -> Link {
    let mut link = Link::new();
    let handshake = [b"\x13BitTorrent protocol".as_slice(), &[0; 48]].concat();
    link.feed(&mut handshake.as_slice()).expect("a good handshake");
    link
}

fn heard(bytes: &[u8]) -> Vec<Heard> {
    let mut frames = Vec::new();
    take_frames(&mut reader(), bytes, &mut frames);
    frames
}

fn take_frames(link: &mut Link, mut input: &[u8], frames: &mut Vec<Heard>) {
    while let Some(frame) = link.feed(&mut input).expect("nothing wrong") {
        match (frame, frames.last_mut()) {
            (Frame::Message(message), _) => frames.push(Heard::Word(message)),
            (Frame::Payload { block, from: 0, bytes }, _) => {
                frames.push(Heard::Block(block, bytes.to_vec()));
            }
            (Frame::Payload { bytes, .. }, Some(Heard::Block(_, begun))) => {
                begun.extend_from_slice(bytes);
            }
            (frame, _) => panic!("{frame:?}"),
        }
    }
}

/// A stream that takes `left` bytes and then would block.
struct Sink {
    left: usize,
    bytes: Vec<u8>,
    calls: usize,
}

impl Sink {
    fn new(left: usize) -> Sink {
        Sink { left, bytes: Vec::new(), calls: 0 }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.calls += 1;
        if self.left == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let before = self.bytes.len();
        for slice in slices {
            let len = slice.len().min(self.left);
            self.bytes.extend_from_slice(&slice[..len]);
            self.left -= len;
        }
        Ok(self.bytes.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that fails; as `WriteZero`, by taking nothing.
struct Broken(ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        if self.0 == ErrorKind::WriteZero { Ok(0) } else { Err(self.0.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Script {
    Bytes(usize),
    Error(ErrorKind),
}

/// A stream that is interrupted by a signal first.
struct Interrupted {
    reads: Script,
    interrupted: bool,
}

impl Read for Interrupted {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.interrupted, true) {
            return Err(ErrorKind::Interrupted.into());
        }
        match self.reads {
            Script::Bytes(len) => Ok(len),
            Script::Error(kind) => Err(kind.into()),
        }
    }
}
