//! A whole engine on a bench: raw bytes go in as a socket would bring them, and everything that
//! it wants is carried out at once, on a disk in memory and under a clock that we turn.
//!
//! ```text
//!  say(conn, bytes) ─▶ engine::feed ─▶ outputs ─▶ disk, links ─▶ an ear of ours ─▶ heard
//!                          ▲                        │
//!                          └─────── reports ◀───────┘
//! ```
//! The engine's own `check` runs after every step. A peer on the bench reads what is sent to it
//! unless it was told to be deaf; then everything stays in its link.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use swarmlet::base::{Bits, Claim, ConnId, InfoHash, PeerId, Random, Span, Time, TorrentId};
use swarmlet::engine::{Closed, Engine, Event, Input, Order, Output, Settings, feed};
use swarmlet::format::announce::{Refusal, Reply};
use swarmlet::format::digest::Digest;
use swarmlet::format::layout::Layout;
use swarmlet::format::metainfo::{Metainfo, RawInfo};
use swarmlet::wire::link::Segment;
use swarmlet::wire::{Frame, Handshake, Link, Message};

/// The torrent of the bench: ten pieces of two blocks.
pub const PIECES: u32 = 10;
pub const BLOCK: u32 = 16 * 1024;
pub const PIECE: u32 = 2 * BLOCK;
pub const INFO_HASH: InfoHash = InfoHash(*b"the bench's own hash");

/// A node and everybody who is connected with it.
pub struct Bench {
    pub engine: Engine,
    pub now: Time,
    pub torrent: TorrentId,
    /// What the torrent consists of, and what is on the disk.
    pub source: Vec<u8>,
    pub disk: Vec<u8>,
    pub peers: BTreeMap<ConnId, Peer>,
    pub dialled: Vec<SocketAddr>,
    /// Announces under way: which tracker, and the time it was given.
    pub asked: VecDeque<(usize, Span)>,
    pub events: Vec<Event>,
    out: Vec<Output>,
}

/// One connection as its other end sees it.
pub struct Peer {
    pub addr: SocketAddr,
    pub link: Link,
    /// What it was told, in order; `piece` by its claim.
    pub heard: Vec<Heard>,
    ear: Link,
    /// Why it was closed.
    pub closed: Option<String>,
    /// It reads nothing: its link keeps what there is to send.
    pub is_deaf: bool,
}

/// A thing that was said to a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    Handshake,
    Said(Message),
    Block(Claim),
}

impl Bench {
    /// A seed of the torrent.
    pub fn seed() -> Bench {
        Bench::new(true, &[])
    }

    /// A node that has nothing yet.
    pub fn leecher() -> Bench {
        Bench::new(false, &[])
    }

    pub fn new(whole: bool, trackers: &[&str]) -> Bench {
        let mut source = vec![0; (PIECES * PIECE) as usize];
        Random::new(5).fill(&mut source);
        let layout = Layout::single(PIECE, "file", source.len() as u64).expect("a good layout");
        let metainfo = Metainfo {
            info_hash: INFO_HASH,
            name: "file".into(),
            layout,
            piece_hashes: source.chunks(PIECE as usize).map(Digest::of).collect(),
            raw_info: RawInfo::default(),
            private: false,
            trackers: trackers.iter().map(|url| vec![(*url).to_owned()]).collect(),
            comment: None,
            web_seeds: Vec::new(),
            nodes: Vec::new(),
            created_by: None,
            creation_date: None,
            warnings: Vec::new(),
        };
        let settings = Settings {
            port: 6881,
            connections_max: 50,
            connections_per_torrent_max: 50,
            unchoked_max: 8,
            seed: true,
            explain: true,
        };
        let mut bench = Bench {
            engine: Engine::new(settings, 1),
            now: Time::START,
            torrent: TorrentId(0),
            disk: if whole { source.clone() } else { vec![0; source.len()] },
            source,
            peers: BTreeMap::new(),
            dialled: Vec::new(),
            asked: VecDeque::new(),
            events: Vec::new(),
            out: Vec::new(),
        };
        let order = Order { whole, ..Order::new(metainfo) };
        let added = bench.engine.add(bench.now, order, &mut bench.out);
        bench.torrent = added.expect("the first of its hash");
        bench.settle(&[]);
        bench.tick();
        bench
    }

    // ── What peers do ───────────────────────────────────────────────────────────────────────

    /// Somebody connects, from an address of its own.
    pub fn accept(&mut self) -> ConnId {
        let conn = self.next_conn();
        let addr = SocketAddr::from(([10, 0, 0, 1 + self.peers.len() as u8], 50_000));
        self.peers.insert(conn, Peer::new(addr));
        self.tell(Input::Accepted { conn, addr });
        conn
    }

    /// A call of ours goes through.
    pub fn pick_up(&mut self, addr: SocketAddr) -> ConnId {
        let conn = self.next_conn();
        self.peers.insert(conn, Peer::new(addr));
        let torrent = self.torrent;
        self.tell(Input::Connected { conn, torrent, addr });
        conn
    }

    /// Somebody connects and says a good handshake.
    pub fn greeted(&mut self) -> ConnId {
        let conn = self.accept();
        self.say(conn, &greeting(conn));
        assert!(self.is_open(conn), "{:?}", self.peers[&conn].closed);
        conn
    }

    /// Bytes come, as one `recv` would bring them. Nothing happens if the connection is closed.
    pub fn say(&mut self, conn: ConnId, bytes: &[u8]) {
        let peer = self.peers.get_mut(&conn).expect("a peer of the bench");
        if peer.closed.is_some() {
            return;
        }
        let fed = feed(&mut self.engine, &mut peer.link, self.now, conn, bytes, &mut self.out);
        peer.link.check();
        self.settle(bytes);
        let peer = self.peers.get_mut(&conn).expect("a peer of the bench");
        if let Err(violation) = fed
            && peer.closed.is_none()
        {
            peer.closed = Some(violation.to_string());
            self.tell(Input::Closed { conn, why: Closed::Violation(violation) });
        }
        // A turn ends with what became due in it.
        if self.engine.deadline().is_some_and(|(due, _)| due <= self.now) {
            self.tick();
        }
    }

    pub fn say_all(&mut self, conn: ConnId, messages: &[Message]) {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.write(&mut bytes));
        self.say(conn, &bytes);
    }

    /// A block of the torrent comes, whether it was asked for or not; `spoilt`: with a wrong byte.
    pub fn give(&mut self, conn: ConnId, claim: Claim, spoilt: bool) {
        let begin = (claim.piece * PIECE + claim.begin) as usize;
        let mut bytes = swarmlet::wire::message::piece_head(claim).to_vec();
        bytes.extend(&self.source[begin..begin + claim.len as usize]);
        if spoilt {
            *bytes.last_mut().expect("a block") ^= 1;
        }
        self.say(conn, &bytes);
    }

    // ── What the world does ─────────────────────────────────────────────────────────────────

    /// Time passes, deadline by deadline.
    pub fn pass(&mut self, span: Span) {
        let end = self.now + span;
        while let Some((due, why)) = self.engine.deadline()
            && due <= end
        {
            self.now = due.max(self.now);
            self.tick();
            let next = self.engine.deadline();
            assert!(next.is_none_or(|(next, _)| next > self.now), "{why} stays due");
        }
        self.now = end;
    }

    /// The tracker that was asked first answers with this body.
    pub fn answer(&mut self, body: &[u8]) {
        let (tracker, _) = self.asked.pop_front().expect("a tracker was asked");
        let result: Result<Reply, Refusal> = Reply::parse(body);
        let from = Some([192, 0, 2, 1].into());
        let torrent = self.torrent;
        self.tell(Input::Announced { torrent, tracker, from, result });
    }

    // ── What came of it ─────────────────────────────────────────────────────────────────────

    pub fn is_open(&self, conn: ConnId) -> bool {
        self.peers[&conn].closed.is_none()
    }

    /// Why a connection was closed; panics if it was not.
    pub fn end_of(&self, conn: ConnId) -> &str {
        self.peers[&conn].closed.as_deref().expect("it is still open")
    }

    /// The requests that a peer has heard so far.
    pub fn requests(&self, conn: ConnId) -> Vec<Claim> {
        let requests = self.peers[&conn].heard.iter().filter_map(|heard| match heard {
            Heard::Said(Message::Request(claim)) => Some(*claim),
            _another => None,
        });
        requests.collect()
    }

    /// How many blocks a peer has got.
    pub fn blocks(&self, conn: ConnId) -> usize {
        let heard = &self.peers[&conn].heard;
        heard.iter().filter(|heard| matches!(heard, Heard::Block(_))).count()
    }

    pub fn has_said(&self, conn: ConnId, message: &Message) -> bool {
        self.peers[&conn].heard.contains(&Heard::Said(message.clone()))
    }

    /// The person wants to leave.
    pub fn stop(&mut self) {
        self.engine.stop(self.now, &mut self.out);
        self.settle(&[]);
        self.tick();
    }

    fn next_conn(&self) -> ConnId {
        ConnId { slot: u32::try_from(self.peers.len()).expect("a handful"), generation: 1 }
    }

    // ── The machinery ───────────────────────────────────────────────────────────────────────

    fn tell(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input, &mut self.out);
        self.settle(&[]);
    }

    fn tick(&mut self) {
        self.engine.tick(self.now, &mut self.out);
        self.settle(&[]);
    }

    /// Carries out what is wanted, and what that brings about, until nothing is.
    fn settle(&mut self, received: &[u8]) {
        let mut received = received;
        loop {
            let outputs = std::mem::take(&mut self.out);
            outputs.into_iter().for_each(|output| self.act(output, received));
            // Ranges of the receive buffer are good for one round only.
            received = &[];
            let conns: Vec<ConnId> = self.peers.keys().copied().collect();
            conns.into_iter().for_each(|conn| self.flush(conn));
            if self.out.is_empty() {
                break;
            }
        }
        self.engine.check();
    }

    fn act(&mut self, output: Output, received: &[u8]) {
        match output {
            Output::Connect { torrent: _, addr } => self.dialled.push(addr),
            Output::SendHandshake { conn, handshake } => {
                self.queue(conn, |link| link.send_handshake(&handshake));
            }
            Output::Send { conn, message } => self.queue(conn, |link| link.send(&message)),
            Output::SendBlock { conn, block, .. } => {
                self.queue(conn, |link| link.send_block(block));
            }
            Output::CancelBlock { conn, block } => self.queue(conn, |link| {
                link.cancel(block);
            }),
            Output::DropBlocks { conn } => self.queue(conn, Link::drop_blocks),
            Output::Close { conn, why } => {
                self.flush(conn);
                self.peers.get_mut(&conn).expect("known").closed = Some(why.to_owned());
            }
            Output::Announce { tracker, timeout, .. } => self.asked.push_back((tracker, timeout)),
            Output::Event(event) => self.events.push(event),
            Output::SendDatagram { .. } => {}
            Output::Because { reason, .. } => assert!(!reason.to_string().is_empty()),
            disk_job => self.on_disk(disk_job, received),
        }
    }

    fn on_disk(&mut self, output: Output, received: &[u8]) {
        let (now, torrent) = (self.now, self.torrent);
        let report = match output {
            Output::Survey { .. } => {
                Input::Surveyed { torrent, result: Ok(vec![None]), resume: None }
            }
            Output::Prepare { .. } => Input::Prepared { torrent, result: Ok(()) },
            Output::Save { have, .. } => Input::Saved { torrent, have, result: Ok(()) },
            Output::Write { piece, begin, at, .. } => {
                let len = u32::try_from(at.len()).expect("a part of a block");
                let place = (piece.get() * PIECE + begin) as usize;
                self.disk[place..place + at.len()].copy_from_slice(&received[at]);
                Input::Written { torrent, piece, begin, len, result: Ok(()) }
            }
            Output::Read(job) => {
                let place = (job.piece.get() * PIECE + job.begin) as usize;
                Input::Read { job, result: Ok(&self.disk[place..place + job.len as usize]) }
            }
            other => unreachable!("{other:?} is no job for a disk"),
        };
        self.engine.handle(now, report, &mut self.out);
    }

    fn queue(&mut self, conn: ConnId, change: impl FnOnce(&mut Link)) {
        let peer = self.peers.get_mut(&conn).expect("a peer of the bench");
        if peer.closed.is_none() {
            change(&mut peer.link);
        }
    }

    /// Everything queued leaves, if the peer reads.
    fn flush(&mut self, conn: ConnId) {
        let peer = self.peers.get_mut(&conn).expect("a peer of the bench");
        if peer.closed.is_some() || peer.is_deaf || peer.link.is_idle() {
            return;
        }
        let mut bytes = Vec::new();
        for segment in peer.link.segments() {
            match segment {
                Segment::Bytes(words) => bytes.extend(words),
                Segment::Block { head, block, rest } => {
                    let place = block.piece().get() * PIECE + block.begin();
                    let range = (place + rest.start) as usize..(place + rest.end) as usize;
                    bytes.extend(head);
                    bytes.extend(&self.disk[range]);
                }
            }
        }
        let payload = peer.link.sent(bytes.len());
        peer.hear(&bytes);
        let waiting = peer.link.waiting();
        if payload > 0 {
            let report = Input::Sent { conn, payload, waiting };
            self.engine.handle(self.now, report, &mut self.out);
        }
    }
}

impl Peer {
    fn new(addr: SocketAddr) -> Peer {
        Peer {
            addr,
            link: Link::new(),
            heard: Vec::new(),
            ear: Link::new(),
            closed: None,
            is_deaf: false,
        }
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        while let Some(frame) = self.ear.feed(&mut bytes).expect("an engine keeps the rules") {
            self.heard.push(match frame {
                Frame::Handshake(_) => {
                    self.ear.expect_pieces(PIECES);
                    Heard::Handshake
                }
                Frame::Message(message) => Heard::Said(message),
                Frame::Payload { block, from, bytes } => {
                    assert_eq!((from, bytes.len()), (0, block.len as usize), "sent whole");
                    Heard::Block(block)
                }
            });
        }
    }
}

/// The handshake of whoever is at the other end of `conn`.
pub fn greeting(conn: ConnId) -> Vec<u8> {
    let mut peer_id = *b"-XX0000-............";
    peer_id[16..].copy_from_slice(&conn.slot.to_be_bytes());
    let mut bytes = Vec::new();
    Handshake::new(INFO_HASH, PeerId(peer_id)).write(&mut bytes);
    bytes
}

/// A bitfield that claims every piece.
pub fn have_all() -> Message {
    Message::Bitfield(Bits::all(PIECES).as_bytes().to_vec())
}

/// A message as raw bytes: length, id, and so many bytes of nonsense as the length asks for.
pub fn raw(len: u32, id: u8, payload: &[u8]) -> Vec<u8> {
    [&len.to_be_bytes()[..], &[id], payload].concat()
}

pub fn claim(piece: u32, begin: u32, len: u32) -> Claim {
    Claim { piece, begin, len }
}
