//! Torrent: one engine with one torrent, and peers who say exactly what a test wants.

use swarmlet::base::limits::{BLOCK_BYTES, HAVE_PATIENCE, SAVE_EVERY, YIELDS_AFTER};
use swarmlet::base::{Bits, Block, ConnId, PeerId, PieceIndex, Random, Span, Time, TorrentId};
use swarmlet::engine::control::Control;
use swarmlet::engine::{DiskFault, Engine, Input, Order, Output, Phase, Settings};
use swarmlet::format::announce::Reply;
use swarmlet::format::resume::{FileStamp, Resume};
use swarmlet::lab::Source;
use swarmlet::torrent::priority::priority;
use swarmlet::wire::{Frame, Handshake, Message};

const SECOND: Span = Span::from_secs(1);

/// A torrent of five pieces of two blocks, and what its engine wanted so far.
struct Bench {
    engine: Engine,
    source: Source,
    torrent: TorrentId,
    now: Time,
    out: Vec<Output>,
}

impl Bench {
    /// The engine as it is right after it was told of the torrent.
    fn new(whole: bool) -> Bench {
        Bench::announcing(whole, &[])
    }

    /// One that has nothing, of a private torrent or not.
    fn private(private: bool) -> Bench {
        let mut source = Source::new("file", 2 * BLOCK_BYTES, &[160_000], &mut Random::new(1));
        source.metainfo.private = private;
        let mut bench = Bench::with(source, false, &[]);
        bench.surveyed(None);
        bench
    }

    /// The same, with trackers.
    fn announcing(whole: bool, trackers: &[&str]) -> Bench {
        let source = Source::new("file", 2 * BLOCK_BYTES, &[160_000], &mut Random::new(1));
        Bench::with(source, whole, trackers)
    }

    fn with(source: Source, whole: bool, trackers: &[&str]) -> Bench {
        let trackers = trackers.iter().map(|&url| url.to_owned()).collect();
        let order = Order { whole, trackers, ..Order::new(source.metainfo.clone()) };
        Bench::ordered(source, order)
    }

    /// One that gives each piece away once.
    fn super_seed() -> Bench {
        let source = Source::new("file", 2 * BLOCK_BYTES, &[160_000], &mut Random::new(1));
        let metainfo = source.metainfo.clone();
        Bench::ordered(source, Order { whole: true, super_seed: true, ..Order::new(metainfo) })
    }

    fn ordered(source: Source, order: Order) -> Bench {
        let settings = Settings {
            port: 6881,
            connections_max: 100,
            connections_per_torrent_max: 60,
            unchoked_max: 4,
            seed: true,
            explain: false,
        };
        let mut engine = Engine::new(settings, 1);
        let mut out = Vec::new();
        let torrent = engine.add(Time::START, order, &mut out).expect("the first torrent");
        Bench { engine, source, torrent, now: Time::START, out }
    }

    /// With a survey that found nothing.
    fn empty() -> Bench {
        let mut bench = Bench::new(false);
        bench.surveyed(None);
        bench
    }

    fn tell(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input, &mut self.out);
        self.engine.check();
    }

    fn surveyed(&mut self, have: Option<Bits>) {
        let (torrent, info_hash) = (self.torrent, self.source.info_hash());
        let stamp = Some(FileStamp { len: 160_000, modified_nanos: 7 });
        let files = vec![stamp.filter(|_| have.is_some())];
        let resume = have.map(|have| Resume {
            info_hash,
            have,
            files: files.clone(),
            clean: true,
            uploaded: 0,
            downloaded: 0,
        });
        self.tell(Input::Surveyed { torrent, result: Ok(files), resume });
    }

    /// A peer comes and says its handshake.
    fn join(&mut self, number: u8) -> ConnId {
        let conn = ConnId { slot: u32::from(number), generation: 0 };
        let addr = std::net::SocketAddr::from(([10, 0, 0, number], 6881));
        self.tell(Input::Accepted { conn, addr });
        let handshake = Handshake::new(self.source.info_hash(), PeerId([number; 20]));
        self.tell(Input::Frame { conn, frame: Frame::Handshake(handshake), at: 0 });
        conn
    }

    fn say(&mut self, conn: ConnId, message: Message) {
        self.tell(Input::Frame { conn, frame: Frame::Message(message), at: 0 });
    }

    /// A peer that has everything and serves us.
    fn join_seed(&mut self, number: u8) -> ConnId {
        let conn = self.join(number);
        let all = Bits::all(self.source.layout().piece_count());
        self.say(conn, Message::Bitfield(all.as_bytes().to_vec()));
        self.say(conn, Message::Unchoke);
        self.tick();
        conn
    }

    /// Ticks as often as this moment wants it.
    fn tick(&mut self) {
        let mut ticks = 0;
        while self.engine.deadline().is_some_and(|(due, _)| due <= self.now) {
            self.engine.tick(self.now, &mut self.out);
            self.engine.check();
            ticks += 1;
            assert!(ticks < 10, "it spins");
        }
    }

    fn wait(&mut self, span: Span) {
        let until = self.now + span;
        while let Some((due, _)) = self.engine.deadline().filter(|(due, _)| *due <= until) {
            self.now = self.now.max(due);
            self.tick();
        }
        self.now = until;
    }

    /// Bytes `from .. to` of a block come from a peer. The disk is quick.
    fn pay(&mut self, conn: ConnId, block: Block, from: usize, to: usize) {
        let bytes = self.source.block(block.claim()).expect("in range")[from..to].to_vec();
        let frame = Frame::Payload { block: block.claim(), from: from as u32, bytes: &bytes };
        let before = self.out.len();
        self.engine.handle(self.now, Input::Frame { conn, frame, at: 0 }, &mut self.out);
        self.engine.check();
        let wrote = |output: &Output| matches!(output, Output::Write { .. });
        if self.out[before..].iter().any(wrote) {
            self.written(block, from, to);
        }
    }

    fn written(&mut self, block: Block, from: usize, to: usize) {
        self.tell(Input::Written {
            torrent: self.torrent,
            piece: block.piece(),
            begin: block.begin() + from as u32,
            len: (to - from) as u32,
            result: Ok(()),
        });
        self.read_back();
    }

    /// Carries out the reads that were wanted.
    fn read_back(&mut self) {
        let is_read = |output: &Output| matches!(output, Output::Read(_));
        let (reads, rest): (Vec<_>, Vec<_>) = self.out.drain(..).partition(is_read);
        self.out = rest;
        for read in reads {
            let Output::Read(job) = read else { unreachable!() };
            let piece = self.source.piece(job.piece);
            let bytes = piece[job.begin as usize..][..job.len as usize].to_vec();
            self.tell(Input::Read { job, result: Ok(&bytes) });
        }
    }

    /// Takes out what was said to a peer since the last time.
    fn said(&mut self, to: ConnId) -> Vec<Message> {
        let said = self
            .out
            .extract_if(.., |output| matches!(output, Output::Send { conn, .. } if *conn == to));
        said.map(|output| match output {
            Output::Send { message, .. } => message,
            _ => unreachable!(),
        })
        .collect()
    }

    /// The blocks that a peer was asked for since the last time.
    fn asked(&mut self, of: ConnId) -> Vec<Block> {
        let said = self.said(of);
        let claims = said.into_iter().filter_map(|message| match message {
            Message::Request(claim) => Some(claim),
            _ => None,
        });
        claims.map(|claim| self.source.layout().block(claim).expect("in range")).collect()
    }

    fn has_all(&mut self) -> bool {
        let status = self.engine.status(self.now, self.torrent).expect("it is there");
        status.have_bytes == status.total_bytes
    }
}

#[test]
fn a_peer_that_came_during_the_survey_hears_what_we_have() {
    let mut bench = Bench::new(false);
    let conn = bench.join(1);
    let all = Bits::all(bench.source.layout().piece_count());
    bench.say(conn, Message::Bitfield(vec![0b1000_0000]));
    bench.say(conn, Message::Interested);
    bench.wait(SECOND);
    assert_eq!(bench.said(conn), [], "a bitfield must be the first word");
    bench.surveyed(Some(all.clone()));
    bench.tick();
    let bitfield = Message::Bitfield(all.as_bytes().to_vec());
    assert_eq!(bench.said(conn), [bitfield, Message::Unchoke]);
}

#[test]
fn a_peer_that_came_during_a_long_survey_is_kept_alive() {
    let mut bench = Bench::new(false);
    let conn = bench.join(1);
    bench.wait(Span::from_secs(119));
    assert_eq!(bench.said(conn), [Message::KeepAlive]);
}

#[test]
fn places_are_given_once_a_turn_however_often_interest_changes() {
    let mut bench = Bench::new(true);
    let conn = bench.join(1);
    bench.said(conn);
    for _ in 0..1000 {
        bench.say(conn, Message::Interested);
        bench.say(conn, Message::NotInterested);
    }
    bench.say(conn, Message::Interested);
    assert_eq!(bench.said(conn), []);
    assert_eq!(bench.engine.deadline(), Some((bench.now, "give free places away")));
    bench.tick();
    assert_eq!(bench.said(conn), [Message::Unchoke]);
}

#[test]
fn a_choke_frees_its_blocks_for_others_within_the_turn() {
    let mut bench = Bench::empty();
    let first = bench.join_seed(1);
    let taken = bench.asked(first);
    let second = bench.join_seed(2);
    let own = bench.asked(second);
    for _ in 0..100 {
        bench.say(first, Message::Choke);
        bench.say(first, Message::Unchoke);
    }
    bench.say(first, Message::Choke);
    own.iter().for_each(|&block| bench.pay(second, block, 0, block.len() as usize));
    bench.tick();
    let now_asked = bench.asked(second);
    assert!(taken.iter().all(|block| now_asked.contains(block)), "{taken:?}, {now_asked:?}");
}

#[test]
fn a_peer_that_dribbles_does_not_hold_up_the_end() {
    let mut bench = Bench::empty();
    // The dribbler is asked first, always: it has the lowest number.
    let dribbler = bench.join_seed(1);
    let honest = bench.join_seed(2);
    let mut arriving: Option<(Block, usize)> = None;
    for _ in 0..300 {
        for block in bench.asked(dribbler) {
            arriving.get_or_insert((block, 0));
        }
        if let Some((block, at)) = &mut arriving {
            let (block, from) = (*block, *at);
            *at += 1;
            bench.pay(dribbler, block, from, from + 1);
        }
        for block in bench.asked(honest) {
            bench.pay(honest, block, 0, block.len() as usize);
        }
        bench.wait(SECOND);
        if bench.has_all() {
            return;
        }
    }
    panic!("five minutes, and a byte a second still holds it up");
}

#[test]
fn a_late_block_is_late_once() {
    let mut bench = Bench::empty();
    let conn = bench.join_seed(1);
    let block = bench.asked(conn)[0];
    bench.say(conn, Message::Choke);
    let len = block.len() as usize;
    let is_close = |output: &Output| matches!(output, Output::Close { .. });
    for _ in 0..(8 << 20) / len {
        bench.pay(conn, block, 0, len);
    }
    assert!(!bench.out.iter().any(is_close), "the first was welcome, the others have a budget");
    (0..3).for_each(|_| bench.pay(conn, block, 0, len));
    assert!(bench.out.iter().any(is_close), "and the budget ends");
}

#[test]
fn a_disk_that_is_not_to_be_written_is_no_trouble_while_nothing_is_missing() {
    let torrent = TorrentId(1);
    let denied = || Input::Prepared { torrent, result: Err(DiskFault::Denied) };
    let phase = |bench: &mut Bench| bench.engine.status(bench.now, torrent).map(|s| s.phase);
    // All is there, and under check.
    let mut bench = Bench::new(false);
    let stamp = FileStamp { len: 160_000, modified_nanos: 7 };
    bench.tell(Input::Surveyed { torrent, result: Ok(vec![Some(stamp)]), resume: None });
    bench.tell(denied());
    assert!(matches!(phase(&mut bench), Some(Phase::Checking { .. })));
    // Nothing is there, so all of it would have to be written.
    let mut bench = Bench::empty();
    bench.tell(denied());
    assert_eq!(phase(&mut bench), Some(Phase::Troubled(DiskFault::Denied)));
}

#[test]
fn a_full_table_of_descriptors_costs_one_connection_and_not_the_torrent() {
    let mut bench = Bench::new(true);
    let torrent = bench.torrent;
    let conns = [bench.join(1), bench.join(2)];
    bench.tell(Input::SendFailed { conn: conns[0], torrent, fault: DiskFault::Busy });
    let status = bench.engine.status(bench.now, torrent).expect("it is there");
    assert_eq!((status.phase, status.peers), (Phase::Seeding, 1));
    bench.tell(Input::SendFailed { conn: conns[1], torrent, fault: DiskFault::Missing });
    let status = bench.engine.status(bench.now, torrent).expect("it is there");
    assert_eq!(status.phase, Phase::Troubled(DiskFault::Missing));
}

#[test]
fn a_tracker_that_asks_is_told_what_we_have_and_no_other() {
    let mut have = Bits::none(5);
    have.set(PieceIndex::checked(1));
    have.set(PieceIndex::checked(4));
    for wants_have in [false, true] {
        let mut bench = Bench::announcing(false, &["http://t/announce"]);
        bench.surveyed(Some(have.clone()));
        let mut told = Vec::new();
        for _ in 0..3 {
            bench.tick();
            let asked = bench.out.drain(..).find_map(|output| match output {
                Output::Announce { announce, tracker, .. } => Some((announce, tracker)),
                _ => None,
            });
            let (announce, tracker) = asked.expect("an announce is due");
            told.push(announce.have);
            let (torrent, from) = (bench.torrent, None);
            let reply = Reply { interval_secs: Some(300), wants_have, ..Reply::default() };
            bench.tell(Input::Announced { torrent, tracker, from, result: Ok(reply) });
            bench.wait(Span::from_secs(301));
        }
        let expected = wants_have.then(|| vec![0b0100_1000]);
        assert_eq!(told, [None, expected.clone(), expected]);
    }
}

#[test]
fn a_stop_ends_the_check() {
    let mut bench = Bench::new(false);
    let torrent = bench.torrent;
    let stamp = Some(FileStamp { len: 160_000, modified_nanos: 7 });
    bench.tell(Input::Surveyed { torrent, result: Ok(vec![stamp]), resume: None });
    let mut out = Vec::new();
    bench.engine.stop(bench.now, &mut out);
    assert!(bench.engine.is_stopped());
    bench.out.retain(|output| matches!(output, Output::Read(_)));
    assert!(!bench.out.is_empty(), "reads are under way");
    bench.read_back();
    assert_eq!(bench.out, [], "neither more reads nor the news that the check is done");
}

#[test]
fn what_is_verified_while_we_leave_is_in_the_last_record() {
    let mut bench = Bench::empty();
    let conn = bench.join_seed(1);
    bench.wait(SAVE_EVERY);
    let blocks = bench.asked(conn);
    let piece = blocks[0].piece();
    let len = BLOCK_BYTES as usize;
    bench.pay(conn, blocks[0], 0, len);
    // The second block was handed to the disk, and its report is on the way.
    let bytes = bench.source.block(blocks[1].claim()).expect("in range").to_vec();
    let frame = Frame::Payload { block: blocks[1].claim(), from: 0, bytes: &bytes };
    bench.tell(Input::Frame { conn, frame, at: 0 });
    let mut out = Vec::new();
    bench.engine.stop(bench.now, &mut out);
    bench.out.clear();
    bench.written(blocks[1], 0, len);
    let torrent = bench.torrent;
    bench.tell(Input::Saved { torrent, have: Bits::none(5), result: Ok(()) });
    assert!(!bench.engine.is_stopped());
    let record = bench.out.iter().find_map(|output| match output {
        Output::Save { have, clean, .. } => Some((have.has(piece), *clean)),
        _ => None,
    });
    assert_eq!(record, Some((true, true)));
    bench.tell(Input::Saved { torrent, have: Bits::none(5), result: Ok(()) });
    assert!(bench.engine.is_stopped());
}

// ── Fast and extensions ─────────────────────────────────────────────────────────────────────

impl Bench {
    /// A peer that speaks all that we speak.
    fn join_fluent(&mut self, number: u8) -> ConnId {
        let conn = ConnId { slot: u32::from(number), generation: 0 };
        let addr = std::net::SocketAddr::from(([10, 0, 0, number], 6881));
        self.tell(Input::Accepted { conn, addr });
        let handshake = Handshake::ours(self.source.info_hash(), PeerId([number; 20]));
        self.tell(Input::Frame { conn, frame: Frame::Handshake(handshake), at: 0 });
        conn
    }
}

#[test]
fn the_first_words_are_hello_and_then_what_we_have() {
    let mut some = Bits::none(5);
    some.set(PieceIndex::checked(1));
    let table = [
        (None, Message::HaveNone),
        (Some(some), Message::Bitfield(vec![0b0100_0000])),
        (Some(Bits::all(5)), Message::HaveAll),
    ];
    for (have, expected) in table {
        let mut bench = Bench::new(false);
        bench.surveyed(have);
        let conn = bench.join_fluent(1);
        let said = bench.said(conn);
        let [Message::Extended { id: 0, payload }, told] = &said[..] else { panic!("{said:?}") };
        assert_eq!(*told, expected);
        let hello = swarmlet::wire::extended::Hello::parse(payload).expect("a dictionary");
        assert_eq!(hello.port, Some(6881));
        assert_eq!(hello.your_ip, Some([10, 0, 0, 1].into()));
        assert_eq!(hello.upload_only.is_some(), expected == Message::HaveAll);
        assert!(hello.client.is_some_and(|name| name.starts_with("swarmlet ")));
    }
}

#[test]
fn what_was_asked_of_a_fast_peer_stays_asked_when_it_chokes_until_it_rejects_it() {
    let mut bench = Bench::empty();
    let (one, other) = (bench.join_fluent(1), bench.join_fluent(2));
    for conn in [one, other] {
        bench.say(conn, Message::HaveAll);
    }
    bench.say(one, Message::Unchoke);
    let asked = bench.asked(one);
    assert_eq!(asked.len(), 2);
    bench.say(one, Message::Choke);
    bench.say(other, Message::Unchoke);
    let elsewhere = bench.asked(other);
    assert!(!elsewhere.contains(&asked[0]), "it may still come");
    // The first comes all the same, the second does not: then it is asked of the other at once.
    bench.pay(one, asked[0], 0, BLOCK_BYTES as usize);
    bench.say(one, Message::Reject(asked[1].claim()));
    for block in elsewhere {
        bench.pay(other, block, 0, BLOCK_BYTES as usize);
    }
    bench.tick();
    assert!(bench.asked(other).contains(&asked[1]));
    assert_eq!(bench.asked(one), [], "it chokes us");
}

#[test]
fn who_rejects_without_choking_is_asked_again_after_a_rest() {
    let mut bench = Bench::empty();
    let conn = bench.join_fluent(1);
    bench.say(conn, Message::HaveAll);
    bench.say(conn, Message::Unchoke);
    for _ in 0..20 {
        let asked = bench.asked(conn);
        assert!(!asked.is_empty() && asked.len() <= 4, "{}", asked.len());
        asked.iter().for_each(|block| bench.say(conn, Message::Reject(block.claim())));
        bench.tick();
        assert_eq!(bench.asked(conn), [], "not in the same moment");
        bench.wait(SECOND);
    }
}

#[test]
fn an_allowed_piece_is_asked_for_while_choked_and_given_up_when_it_is_rejected() {
    let mut bench = Bench::empty();
    let conn = bench.join_fluent(1);
    bench.say(conn, Message::HaveAll);
    bench.say(conn, Message::AllowedFast(3));
    let asked = bench.asked(conn);
    let three = PieceIndex::checked(3);
    assert_eq!(asked.iter().map(|block| block.piece()).collect::<Vec<_>>(), [three, three]);
    bench.pay(conn, asked[0], 0, BLOCK_BYTES as usize);
    bench.say(conn, Message::Reject(asked[1].claim()));
    bench.wait(SECOND + SECOND);
    assert_eq!(bench.asked(conn), [], "it said no");
}

#[test]
fn a_suggestion_goes_before_our_own_choice() {
    for piece in 0..5 {
        let mut bench = Bench::empty();
        let conn = bench.join_fluent(1);
        bench.say(conn, Message::HaveAll);
        bench.say(conn, Message::Suggest(piece));
        bench.say(conn, Message::Unchoke);
        assert_eq!(bench.asked(conn)[0].piece(), PieceIndex::checked(piece));
    }
}

#[test]
fn two_who_want_nothing_of_each_other_part_and_one_of_them_need_be_no_seed() {
    let hello = |text: &[u8]| Message::Extended { id: 0, payload: text.to_vec() };
    let closes = |bench: &mut Bench| {
        let is_close = |output: &Output| matches!(output, Output::Close { .. });
        bench.out.iter().any(is_close)
    };
    let mut seed = Bench::new(true);
    let conn = seed.join_fluent(1);
    seed.say(conn, Message::HaveNone);
    assert!(!closes(&mut seed));
    seed.say(conn, hello(b"d11:upload_onlyi1ee"));
    assert!(closes(&mut seed), "a partial seed needs no seed");
    let mut leecher = Bench::empty();
    let conn = leecher.join_fluent(1);
    leecher.say(conn, Message::Bitfield(vec![0x80]));
    leecher.say(conn, hello(b"d11:upload_onlyi1ee"));
    assert!(!closes(&mut leecher), "a leecher does");
}

#[test]
fn a_piece_that_a_peer_lost_is_asked_elsewhere() {
    let mut bench = Bench::empty();
    let (one, other) = (bench.join(1), bench.join_fluent(2));
    let all = Bits::all(5).as_bytes().to_vec();
    for conn in [one, other] {
        bench.say(conn, Message::Bitfield(all.clone()));
    }
    bench.say(other, Message::Unchoke);
    let lost = bench.asked(other)[0].piece();
    let gone = Message::Extended { id: 4, payload: lost.get().to_be_bytes().to_vec() };
    bench.say(other, gone);
    bench.say(one, Message::Unchoke);
    bench.tick();
    // It speaks Fast: what was asked of it may still come, or be rejected.
    assert!(bench.asked(one).iter().all(|block| block.piece() != lost));
}

#[test]
fn a_limit_on_all_peers_sends_those_away_who_are_of_least_use() {
    let mut bench = Bench::new(true);
    let conns = [1, 2, 3].map(|number| bench.join(number));
    bench.say(conns[1], Message::Interested);
    bench.engine.limit_connections(bench.now, 1, &mut bench.out);
    bench.engine.check();
    let is_close = |output: &&Output| matches!(output, Output::Close { .. });
    let closed: Vec<&Output> = bench.out.iter().filter(is_close).collect();
    let why = "too many peers";
    let wanted = [conns[0], conns[2]].map(|conn| Output::Close { conn, why });
    assert_eq!(closed, wanted.iter().collect::<Vec<_>>());
    // And nobody else comes in.
    bench.out.clear();
    let conn = ConnId { slot: 9, generation: 0 };
    let addr = std::net::SocketAddr::from(([10, 0, 0, 9], 6881));
    bench.tell(Input::Accepted { conn, addr });
    assert_eq!(bench.out, [Output::Close { conn, why: "no place left" }]);
}

#[test]
fn who_is_in_a_private_swarm_is_neither_told_nor_heard() {
    for private in [false, true] {
        let mut bench = Bench::private(private);
        let (one, other) = (bench.join_fluent(1), bench.join_fluent(2));
        let said = bench.said(one);
        let Some(Message::Extended { id: 0, payload }) = said.first() else { panic!("{said:?}") };
        let ours = swarmlet::wire::extended::Hello::parse(payload).expect("a dictionary");
        assert_eq!(ours.ids[0].is_none(), private);
        for conn in [one, other] {
            let hello = b"d1:md6:ut_pexi7ee1:pi6881ee".to_vec();
            bench.say(conn, Message::Extended { id: 0, payload: hello });
        }
        let told = b"d5:added6:\x0a\0\0\x63\x1a\xe1e".to_vec();
        bench.say(one, Message::Extended { id: 1, payload: told });
        bench.wait(Span::from_secs(100));
        let tells = |message: &Message| matches!(message, Message::Extended { id: 7, .. });
        assert_eq!(bench.said(one).iter().any(tells), !private);
        let dials = |output: &Output| matches!(output, Output::Connect { .. });
        assert_eq!(bench.out.iter().any(dials), !private);
    }
}

#[test]
fn a_full_torrent_takes_a_newcomer_of_higher_priority_for_the_lowest_that_is_of_no_use() {
    let mut bench = Bench::announcing(true, &["http://127.0.0.1:8000/announce"]);
    let us = ([192, 0, 2, 7], 6881).into();
    bench.tick();
    let reply = Reply { external_ip: Some([192, 0, 2, 7].into()), ..Reply::default() };
    let (torrent, from) = (bench.torrent, Some([127, 0, 0, 1].into()));
    bench.tell(Input::Announced { torrent, tracker: 0, from, result: Ok(reply) });
    bench.engine.control(bench.now, torrent, &Control::PeersMax(3), &mut bench.out);
    // Of the addresses that `join` gives, some that differ; the lowest priority first.
    let of = |number: u8| priority(us, ([10, 0, 0, number], 6881).into());
    let mut numbers = [1, 4, 16, 64, 5];
    numbers.sort_by_key(|&number| of(number));
    let [least, low, middle, high, highest] = numbers;
    let [a, b, c] = [low, middle, highest].map(|number| bench.join(number));
    let closed = |bench: &mut Bench| -> Vec<(ConnId, &'static str)> {
        let closed = bench.out.extract_if(.., |output| matches!(output, Output::Close { .. }));
        let closed = closed.map(|output| match output {
            Output::Close { conn, why } => (conn, why),
            _ => unreachable!(),
        });
        closed.collect()
    };
    assert_eq!(closed(&mut bench), []);
    let stranger = bench.join(least);
    assert_eq!(closed(&mut bench), [(stranger, "no place left")]);
    let hasty = bench.join(high);
    assert_eq!(closed(&mut bench), [(hasty, "no place left")]);
    bench.wait(YIELDS_AFTER);
    // The lowest is being served: the next one goes.
    bench.say(a, Message::Interested);
    bench.tick();
    let block = bench.source.layout().block_at(PieceIndex::checked(0), 0);
    bench.say(a, Message::Request(block.claim()));
    bench.join(high);
    assert_eq!(closed(&mut bench), [(b, "yields to one of higher priority")]);
    assert!([a, c].iter().all(|&conn| bench.engine.torrent_of(conn).is_some()));
}

#[test]
fn who_can_do_nothing_with_a_new_piece_hears_of_it_a_little_later() {
    let mut bench = Bench::empty();
    let seed = bench.join_seed(1);
    let guests: Vec<ConnId> = (2..=7).map(|number| bench.join(number)).collect();
    guests[..5].iter().for_each(|&conn| bench.say(conn, Message::Interested));
    bench.tick();
    let served = |conn: &&ConnId| bench.said(**conn).contains(&Message::Unchoke);
    let (served, others): (Vec<&ConnId>, Vec<&ConnId>) = guests.iter().partition(served);
    assert_eq!((served.len(), others[1]), (4, &guests[5]), "four places");
    let (waiting, uninterested) = (*others[0], guests[5]);

    let mut asked = Vec::new();
    // Two blocks, one after the other, are a piece.
    let mut piece = |bench: &mut Bench| -> Message {
        let blocks = [(); 2].map(|()| {
            asked.extend(bench.asked(seed));
            let block = asked.remove(0);
            bench.pay(seed, block, 0, block.len() as usize);
            block
        });
        assert_eq!(blocks[0].piece(), blocks[1].piece());
        Message::Have(blocks[0].piece().get())
    };
    let first = piece(&mut bench);
    let second = piece(&mut bench);
    for &conn in served.iter().copied().chain([&uninterested]) {
        assert_eq!(bench.said(conn), [first.clone(), second.clone()]);
    }
    assert_eq!(bench.said(waiting), [], "it is choked, and wants something anyway");
    let Message::Have(known) = first else { unreachable!() };
    bench.say(waiting, Message::Have(known));
    bench.said(waiting);
    bench.wait(HAVE_PATIENCE);
    assert_eq!(bench.said(waiting), [second], "the first it has from others by now");

    // Who may ask must know for what; who lost its interest may have a reason to find it again.
    let third = piece(&mut bench);
    assert_eq!(bench.said(waiting), []);
    bench.say(*served[0], Message::NotInterested);
    bench.tick();
    assert_eq!(bench.said(waiting), [third, Message::Unchoke]);
    let fourth = piece(&mut bench);
    bench.say(uninterested, Message::Interested);
    bench.said(uninterested);
    let fifth = piece(&mut bench);
    assert!(bench.said(uninterested).contains(&fifth), "we are done, and say so at once");
    assert!(bench.said(waiting).ends_with(&[fourth, fifth]));
}

#[test]
fn a_super_seed_says_that_it_has_nothing_and_serves_what_it_showed() {
    let mut bench = Bench::super_seed();
    let (plain, fluent) = (bench.join(1), bench.join_fluent(2));
    assert_eq!(bench.said(plain), [], "no bitfield");
    let said = bench.said(fluent);
    let [Message::Extended { id: 0, payload }, Message::HaveNone] = &said[..] else {
        panic!("{said:?}")
    };
    let hello = swarmlet::wire::extended::Hello::parse(payload).expect("a dictionary");
    assert_eq!(hello.upload_only, None);
    bench.say(fluent, Message::HaveNone);
    bench.wait(SECOND);
    let shown = [plain, fluent].map(|conn| -> Vec<u32> {
        let haves = bench.said(conn).into_iter().filter_map(|message| match message {
            Message::Have(piece) => Some(piece),
            _ => None,
        });
        haves.collect()
    });
    let mut all = shown.concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), shown[0].len()), (4, 2), "{shown:?}");
    // What others were shown is not for this one.
    bench.say(fluent, Message::Interested);
    bench.tick();
    assert_eq!(bench.said(fluent), [Message::Unchoke]);
    let block = |piece| bench.source.layout().block_at(PieceIndex::checked(piece), 0);
    let (hidden, open) = (block(shown[0][0]), block(shown[1][0]));
    bench.out.clear();
    bench.say(fluent, Message::Request(hidden.claim()));
    assert_eq!(bench.said(fluent), [Message::Reject(hidden.claim())]);
    bench.say(fluent, Message::Request(open.claim()));
    let torrent = bench.torrent;
    assert!(bench.out.contains(&Output::SendBlock { conn: fluent, torrent, block: open }));
    // Both have everything: it is a seed like any other, and seeds part.
    bench.say(fluent, Message::HaveAll);
    bench.out.clear();
    bench.say(plain, Message::Bitfield(Bits::all(5).as_bytes().to_vec()));
    let closes = |conn| Output::Close { conn, why: "both are seeds" };
    assert!([plain, fluent].iter().all(|&conn| bench.out.contains(&closes(conn))));
    bench.out.clear();
    let late = bench.join_fluent(3);
    assert!(bench.said(late).contains(&Message::HaveAll));
}

#[test]
fn peers_are_exchanged_no_longer_when_a_person_says_so_and_again_when_it_changes_its_mind() {
    let mut bench = Bench::private(false);
    let (one, other) = (bench.join_fluent(1), bench.join_fluent(2));
    for conn in [one, other] {
        let hello = b"d1:md6:ut_pexi7ee1:pi6881ee".to_vec();
        bench.say(conn, Message::Extended { id: 0, payload: hello });
        bench.said(conn);
    }
    let told = Message::Extended { id: 1, payload: b"d5:added6:\x0a\0\0\x63\x1a\xe1e".to_vec() };
    for (pex, id) in [(false, 0), (true, 1)] {
        bench.engine.set_pex(bench.now, pex, &mut bench.out);
        let said = bench.said(one);
        let [Message::Extended { id: 0, payload }] = &said[..] else { panic!("{said:?}") };
        let payload = String::from_utf8_lossy(payload).into_owned();
        assert!(payload.contains(&format!("6:ut_pexi{id}e")), "{payload}");
        bench.wait(Span::from_secs(100));
        bench.say(one, told.clone());
        bench.tick();
        let tells = |message: &Message| matches!(message, Message::Extended { id: 7, .. });
        assert_eq!(bench.said(one).iter().any(tells), pex);
        let dials = |output: &Output| matches!(output, Output::Connect { .. });
        assert_eq!(bench.out.iter().any(dials), pex);
    }
    // Said twice, it is no news.
    bench.engine.set_pex(bench.now, true, &mut bench.out);
    assert_eq!(bench.said(one), []);
}

#[test]
fn a_peer_of_a_link_tells_where_its_node_is_and_is_told_where_ours_is() {
    use swarmlet::dht;
    use swarmlet::engine::prospects::Quest;
    use swarmlet::format::magnet::{LocalPeers, Magnet};

    let mut bench = Bench::new(false);
    let settings = dht::Settings { read_only: false, v4: true, v6: true, secret: [7; 20], seed: 1 };
    bench.engine.join_dht(bench.now, dht::Dht::new(bench.now, settings), 6881);
    let link = format!("magnet:?xt=urn:btih:{}", "ab".repeat(20));
    let magnet = Magnet::parse(&link, LocalPeers::Drop).expect("a link");
    let info_hash = magnet.info_hash;
    bench.engine.seek(bench.now, Quest::new(magnet)).expect("a new one");
    let conn = ConnId { slot: 9, generation: 0 };
    let addr = std::net::SocketAddr::from(([10, 0, 0, 9], 40_000));
    bench.tell(Input::Accepted { conn, addr });
    let theirs = Handshake::ours(info_hash, PeerId([9; 20])).with(swarmlet::wire::handshake::DHT);
    bench.tell(Input::Frame { conn, frame: Frame::Handshake(theirs), at: 0 });
    assert!(bench.said(conn).contains(&Message::Port(6881)));
    bench.out.clear();
    bench.say(conn, Message::Port(7000));
    let node = std::net::SocketAddr::from(([10, 0, 0, 9], 7000));
    let asks = |output: &Output| matches!(output, Output::SendDatagram { to, .. } if *to == node);
    assert!(bench.out.iter().any(asks), "{:?}", bench.out);
}
