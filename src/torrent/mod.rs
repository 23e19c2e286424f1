//! Floor 4: one torrent that we share.
//!
//! A `Torrent` owns its organs and they do not know each other: sessions (one per peer), picker,
//! pieces, blame, checker, choker, announcer, candidates. It alone branches on what happens; they
//! compute and return. Its own work is told in these files:
//!
//! * `mod.rs`: what a torrent is, and where each input goes;
//! * `life.rs`: survey, check, trouble with the disk, completion, farewell;
//! * `will.rs`: what a person wants of it: stop, start, verify, remove;
//! * `goal.rs`: when it has given enough;
//! * `turn.rs`: how it waits for a place in the queue, and for its turn to check;
//! * `fetch.rs`: what to ask of whom, and what becomes of what arrives;
//! * `serve.rs`: whom to serve, peers that come and go, the clock (`explain.rs` says why);
//! * `superseed.rs`: how the first seed of a swarm gives;
//! * `extend.rs`: what goes beyond the words of BEP 3 (`exchange.rs`: who else is there).
//!
//! ```text
//!  surveying ──▶ active ──▶ stopping ──▶ stopped
//!      ▲         checks, fetches, serves, announces; pauses fetching while the disk is full
//!      │           │
//!      ├── lost ◀──┤  the data cannot be read: waits, then looks again
//!      └─ renewing ◀┘  a person wants a fresh look (from stopped, too)
//! ```
//!
//! # Invariants
//! A missing piece is exactly one of: wanted (in the picker), open (in pieces), under check, or
//! resting while its blame is read, or skipped: nobody wants a file of it. A block's `asked` equals the sessions that have a request for
//! it. A piece is in `have` only after its hash was right and all its bytes were written.

pub mod announcer;
pub mod blame;
pub mod candidates;
pub mod checker;
pub mod choker;
pub mod detail;
mod exchange;
mod explain;
mod extend;
pub mod fetch;
mod gains;
pub mod gathering;
pub mod goal;
mod life;
pub mod picker;
pub mod pieces;
pub mod priority;
pub mod prospect;
pub mod selection;
mod serve;
pub mod superseed;
mod turn;
pub mod webs;
mod will;

use crate::base::Shelf;
use std::net::{IpAddr, SocketAddr};

use self::announcer::Announcer;
use self::blame::Blame;
use self::candidates::{Candidates, Source as Whence};
use self::checker::Checker;
use self::choker::Choker;
use self::exchange::Exchange;
use self::gains::Gains;
use self::goal::{Earlier, Goal};
use self::picker::Picker;
use self::pieces::Pieces;
use self::selection::Selection;
use self::superseed::SuperSeed;
use self::turn::Turn;
use self::webs::Webs;
use crate::base::{
    Bits, ConnId, InfoHash, PeerId, PieceIndex, Random, Rate, Set, Span, Time, TorrentId,
};
use crate::border::{DiskFault, Output, ReadFor, ReadJob};
use crate::format::announce::{Refusal, Reply};
use crate::format::layout::Layout;
use crate::format::metainfo::Metainfo;
use crate::peer::Session;
use crate::wire::{Message, Violation};

pub use self::turn::Lane;

/// What we call ourselves to peers.
const CLIENT: &str = concat!("swarmlet ", env!("CARGO_PKG_VERSION"));

/// What a torrent must know of the node that it lives in.
#[derive(Clone, Debug)]
pub struct Identity {
    pub peer_id: PeerId,
    /// The port that we tell trackers.
    pub port: u16,
    /// Proves to a tracker that we are who we were, should our address change.
    pub key: u32,
    pub peers_max: usize,
    pub unchoked_max: usize,
    /// Go on sharing once complete.
    pub seed: bool,
    /// Say why (`Output::Because`).
    pub explain: bool,
    /// Tell peers of other peers, and hear of them (BEP 11).
    pub pex: bool,
}

/// How a torrent is doing.
#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    pub info_hash: InfoHash,
    pub name: String,
    pub phase: Phase,
    pub total_bytes: u64,
    pub have_bytes: u64,
    /// Bytes of the pieces that are wanted, and of those among them that are missing.
    pub wanted_bytes: u64,
    pub left_bytes: u64,
    /// Payload of this run.
    pub uploaded: u64,
    pub downloaded: u64,
    /// Bytes per second.
    pub rate_up: u64,
    pub rate_down: u64,
    /// Peers connected, handshake done.
    pub peers: usize,
    /// `None` when there is no telling.
    pub time_left: Option<Span>,
}

impl Status {
    /// Bytes that are wanted and here.
    pub fn got_bytes(&self) -> u64 {
        self.wanted_bytes - self.left_bytes
    }
}

/// What a torrent is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Phase {
    /// Its metadata is looked for: so many pieces of it are here, of so many.
    Seeking {
        pieces: u32,
        of: u32,
    },
    /// Existing data is being checked; bytes looked at so far. Peers are served meanwhile.
    Checking {
        bytes: u64,
    },
    Downloading,
    Seeding,
    /// The disk failed; it will be tried again.
    Troubled(DiskFault),
    /// It wants to run, and has no place in the queue.
    Waiting,
    /// Stopped, or on its way there.
    Stopping,
    Stopped,
}

/// Disk jobs that a torrent waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnderWay {
    pub survey: bool,
    pub writes: usize,
    /// Reads of the check that goes on.
    pub checks: usize,
    pub save: bool,
}

/// One torrent: its data, its peers, its plans.
#[derive(Debug)]
pub struct Torrent {
    id: TorrentId,
    identity: Identity,
    metainfo: Metainfo,
    state: State,
    /// The pieces that are here and verified.
    have: Bits,

    /// In boxes: to find one, only ids are passed by, and not whole sessions.
    peers: Shelf<ConnId, Box<Session>>,
    picker: Picker,
    selection: Selection,
    pieces: Pieces,
    /// Open pieces that lost the peer that worked on them: to be finished first.
    orphans: Set<PieceIndex>,
    blame: Blame,
    checker: Option<Checker>,
    choker: Choker,
    announcer: Announcer,
    candidates: Candidates,
    webs: Webs,
    exchange: Exchange,
    /// Peers are shown less than we have.
    super_seed: Option<SuperSeed>,
    /// What some peers are yet to be told.
    gains: Gains,
    /// Where trackers see us, in each family.
    seen_by_trackers: [Option<IpAddr>; 2],
    random: Random,

    /// Writes whose outcome has not been reported.
    writes_under_way: u32,
    will: Will,
    turn: Turn,
    /// Blocks that one peer is asked for at a time, however many it could be.
    requests_max: usize,
    goal: Goal,
    earlier: Earlier,
    pause: Option<Pause>,
    /// How often the check was begun anew because a read failed.
    rereads: u32,
    /// After trouble: how long the last wait was, until it is proven that it is over.
    proving: Option<Span>,
    save: Save,
    tally: Tally,
    /// When the sessions want to be looked at next.
    tick_at: Option<Time>,
    soon: Soon,
}

/// What costs a look at all peers, and what one peer can bring about with five bytes: it is done
/// with the next tick, once, however often they said it. Since when it is due.
#[derive(Debug, Default)]
struct Soon {
    /// Somebody's interest changed, or somebody left: a place may be free, or wanted.
    give_places: Option<Time>,
    /// Somebody choked us or left: others may be asked for what that peer was.
    fill_all: Option<Time>,
    /// End game: what was about to come may not have.
    ask_again: Option<Time>,
}

/// Where a torrent stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The world looks at the files.
    Surveying,
    Active,
    /// It will be looked at anew as soon as the last write was reported.
    Renewing,
    /// The data cannot be read. Nobody is served; `retry` is when to look again, `wait` how long
    /// the wait is this time.
    Lost {
        fault: DiskFault,
        retry: Time,
        wait: Span,
    },
    /// Farewells are under way, until `until` at the latest.
    Stopping {
        until: Time,
        /// Trackers are waited for until then; `None`: no longer. A slow disk may take longer.
        tell_until: Option<Time>,
    },
    Stopped,
}

/// What a person wants of the torrent.
#[derive(Debug, Default)]
struct Will {
    /// It is to be stopped as soon as it is known what is here; nobody is let in meanwhile.
    asleep: bool,
    /// The record is not to be believed: a person wants every byte read.
    doubts: bool,
    after_stop: AfterStop,
}

/// What follows a farewell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum AfterStop {
    #[default]
    Rest,
    /// A person wants it to go on (`start`), or every byte to be read first (`verify`), or both.
    /// Without `start` it rests again.
    Begin { start: bool, verify: bool },
    /// It is to be removed, its files with it if `erase`. `ordered`: the world does so now.
    Leave { erase: bool, ordered: bool },
}

/// The disk does not take what we fetch.
#[derive(Clone, Copy, Debug)]
struct Pause {
    fault: DiskFault,
    retry: Time,
    wait: Span,
}

/// What is not yet safe on the medium.
#[derive(Debug, Default)]
struct Save {
    /// Something verified is not recorded; save at this time.
    due: Option<Time>,
    under_way: bool,
    /// The farewell's record follows when the one under way is done.
    clean_next: bool,
    /// The record of a clean end was ordered.
    is_farewell: bool,
}

/// What is counted for people and trackers.
#[derive(Debug)]
struct Tally {
    uploaded: u64,
    downloaded: u64,
    rate_up: Rate,
    rate_down: Rate,
    have_bytes: u64,
    began: Time,
    /// A piece was fetched in this run: its completion is news to the trackers.
    fetched: bool,
    /// A piece was fetched since it was last complete.
    arrives: bool,
    /// All that is wanted was here once; if the data vanishes it is not fetched anew behind the
    /// person's back.
    was_whole: bool,
}

impl Torrent {
    /// A torrent that begins its life. `whole`: the data is known to be here and right.
    pub fn new(
        now: Time,
        id: TorrentId,
        identity: Identity,
        metainfo: Metainfo,
        mut random: Random,
    ) -> Torrent {
        let count = metainfo.layout.piece_count();
        Torrent {
            id,
            state: State::Surveying,
            have: Bits::none(count),
            peers: Shelf::new(),
            picker: Picker::new(count),
            selection: Selection::default(),
            pieces: Pieces::new(),
            orphans: Set::new(),
            blame: Blame::new(),
            checker: None,
            choker: Choker::new(identity.unchoked_max),
            announcer: Announcer::new(&metainfo.trackers, &mut random),
            candidates: Candidates::new(),
            webs: Webs::new(&metainfo.web_seeds),
            exchange: Exchange::default(),
            super_seed: None,
            gains: Gains::default(),
            seen_by_trackers: [None; 2],
            random,
            writes_under_way: 0,
            will: Will::default(),
            turn: Turn::new(now),
            requests_max: usize::MAX,
            goal: Goal::default(),
            earlier: Earlier::default(),
            pause: None,
            rereads: 0,
            proving: None,
            save: Save::default(),
            tally: Tally {
                uploaded: 0,
                downloaded: 0,
                rate_up: Rate::new(now),
                rate_down: Rate::new(now),
                have_bytes: 0,
                began: now,
                fetched: false,
                arrives: false,
                was_whole: false,
            },
            tick_at: None,
            soon: Soon::default(),
            identity,
            metainfo,
        }
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────

    pub fn id(&self) -> TorrentId {
        self.id
    }

    pub fn metainfo(&self) -> &Metainfo {
        &self.metainfo
    }

    pub fn layout(&self) -> &Layout {
        &self.metainfo.layout
    }

    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Whether its farewell is over, and nothing is to follow.
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped && !self.is_leaving()
    }

    /// Whether it is being removed.
    pub fn is_leaving(&self) -> bool {
        matches!(self.will.after_stop, AfterStop::Leave { .. })
    }

    /// Whether peers may come, or be called.
    pub fn is_open(&self) -> bool {
        match self.state {
            State::Surveying | State::Active => !self.will.asleep && !self.turn.waits,
            State::Renewing | State::Lost { .. } | State::Stopping { .. } | State::Stopped => false,
        }
    }

    /// Whether this address sent bad data.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        self.candidates.is_banned(addr)
    }

    pub fn is_whole(&self) -> bool {
        self.have.is_all()
    }

    /// Whether everything that is wanted is here.
    pub fn is_done(&self) -> bool {
        self.selection.is_met_by(&self.have)
    }

    /// Everybody who is connected, and what was said.
    pub fn sessions(&self) -> impl Iterator<Item = (ConnId, &Session)> {
        self.peers.iter().map(|(&conn, session)| (conn, &**session))
    }

    /// How many interested peers may be served at once.
    pub fn places(&self) -> usize {
        self.identity.unchoked_max
    }

    /// What it asked of the disk and has no answer to yet.
    pub fn under_way(&self) -> UnderWay {
        UnderWay {
            survey: self.state == State::Surveying,
            writes: self.writes_under_way as usize,
            checks: self.checker.as_ref().map_or(0, Checker::reads_under_way),
            save: self.save.under_way,
        }
    }

    /// The pieces that are here and verified.
    pub fn have(&self) -> &Bits {
        &self.have
    }

    /// Whether one more peer may come.
    pub fn has_room(&self) -> bool {
        self.peers.len() < self.identity.peers_max
    }

    pub fn has_peer(&self, conn: ConnId) -> bool {
        self.peers.contains_key(&conn)
    }

    /// How it is doing.
    pub fn status(&mut self, now: Time) -> Status {
        let total_bytes = self.layout().total_bytes();
        let rate_down = self.tally.rate_down.get(now);
        let left = self.selection.bytes_missing(self.layout(), &self.have, self.tally.have_bytes);
        let time_left = left.saturating_mul(1000).checked_div(rate_down).map(Span::from_millis);
        Status {
            info_hash: self.metainfo.info_hash,
            name: self.metainfo.name.clone(),
            phase: self.phase(),
            total_bytes,
            have_bytes: self.tally.have_bytes,
            wanted_bytes: self.selection.bytes(self.layout()),
            left_bytes: left,
            uploaded: self.tally.uploaded,
            downloaded: self.tally.downloaded,
            rate_up: self.tally.rate_up.get(now),
            rate_down,
            peers: self.peers.len(),
            time_left: time_left.filter(|_| left > 0),
        }
    }

    /// What it is about.
    pub fn phase(&self) -> Phase {
        match (self.state, &self.checker, self.pause) {
            (State::Surveying | State::Renewing, _, _) if self.will.asleep && !self.will.doubts => {
                Phase::Stopped
            }
            (State::Surveying | State::Renewing, _, _) => Phase::Checking { bytes: 0 },
            (State::Lost { fault, .. }, _, _) => Phase::Troubled(fault),
            (State::Stopping { .. }, _, _) => Phase::Stopping,
            (State::Stopped, _, _) => Phase::Stopped,
            (State::Active, _, Some(pause)) => Phase::Troubled(pause.fault),
            (State::Active, Some(checker), None) => Phase::Checking { bytes: checker.bytes_done() },
            (State::Active, None, None) if self.turn.waits => Phase::Waiting,
            (State::Active, None, None) if self.is_done() => Phase::Seeding,
            (State::Active, None, None) => Phase::Downloading,
        }
    }

    // ── Inputs ──────────────────────────────────────────────────────────────────────────────

    /// A message came over an established connection.
    ///
    /// Violation: what `Session::on_message` finds.
    pub fn on_message(
        &mut self,
        now: Time,
        conn: ConnId,
        message: Message,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let Some(session) = self.peers.get_mut(&conn) else { return Ok(()) };
        let shown = self.super_seed.as_ref().and_then(|super_seed| super_seed.shown(conn));
        let ours = shown.unwrap_or(&self.have);
        let news = session.on_message(now, &self.metainfo.layout, ours, message)?;
        self.on_news(now, conn, news, out);
        Ok(())
    }

    /// One of our reads was carried out.
    pub fn on_read(
        &mut self,
        now: Time,
        job: ReadJob,
        result: Result<&[u8], DiskFault>,
        out: &mut Vec<Output>,
    ) {
        match job.purpose {
            ReadFor::Check => self.on_check_read(now, job, result, out),
            ReadFor::Hash => self.on_hash_read(now, job, result, out),
            ReadFor::Blame => self.on_blame_read(now, job, result.ok(), out),
        }
    }

    /// A tracker answered. `from`: its address.
    pub fn on_announced(
        &mut self,
        now: Time,
        tracker: usize,
        from: Option<IpAddr>,
        result: Result<Reply, Refusal>,
        out: &mut Vec<Output>,
    ) {
        match result {
            Ok(reply) => self.on_reply(now, tracker, from, &reply, out),
            Err(refusal) => self.on_refusal(now, tracker, &refusal, out),
        }
        self.mind_stopping(now, out);
    }

    // ── Candidates ──────────────────────────────────────────────────────────────────────────

    /// Moves in where a prospect was: the trackers know us, and addresses are known.
    pub fn inherit(&mut self, announcer: Announcer, candidates: Candidates) {
        self.announcer = announcer;
        self.candidates = candidates;
    }

    /// A person names a peer; it is always dialled.
    pub fn connect(&mut self, now: Time, addr: SocketAddr) {
        self.candidates.add(now, addr, Whence::ByHand);
    }

    /// Nodes of the DHT know peers. Only for a public torrent.
    pub fn on_found(&mut self, now: Time, peers: &[SocketAddr]) {
        assert!(!self.metainfo.private, "private torrents do not go to the DHT");
        for &addr in peers {
            self.candidates.add(now, addr, Whence::Dht);
        }
    }

    /// Somebody in our network takes part, too. Of no interest to a private torrent.
    pub fn on_neighbour(&mut self, now: Time, addr: SocketAddr) {
        if !self.metainfo.private {
            self.candidates.add(now, addr, Whence::Local);
        }
    }

    /// Who is at the other end of a connection.
    pub fn session(&self, conn: ConnId) -> Option<&Session> {
        self.peers.get(&conn).map(|session| &**session)
    }

    /// Whom to dial now, if anyone. `dialling`: connects of ours that are under way.
    pub fn next_dial(&mut self, now: Time) -> Option<SocketAddr> {
        if !self.wants_peers() {
            return None;
        }
        self.candidates.next(now)
    }

    /// When there will be somebody to dial.
    pub fn dial_deadline(&self) -> Option<Time> {
        if !self.wants_peers() {
            return None;
        }
        self.candidates.deadline()
    }

    pub fn on_connect_failed(&mut self, now: Time, addr: SocketAddr) {
        self.candidates.on_failed(now, addr);
    }

    /// They answered our call when we did not want them any more.
    pub fn on_connected_in_vain(&mut self, now: Time, addr: SocketAddr) {
        self.candidates.on_closed(now, addr, true);
    }

    /// The address turned out to be our own.
    pub fn on_self(&mut self, addr: SocketAddr) {
        self.candidates.on_self(addr);
    }

    fn wants_peers(&self) -> bool {
        let is_awake = self.state == State::Active && !self.will.asleep && !self.turn.waits;
        is_awake && self.has_room()
    }

    // ── Invariants ──────────────────────────────────────────────────────────────────────────

    /// Asserts every invariant of this torrent.
    pub fn check(&self) {
        let layout = &self.metainfo.layout;
        self.have.check();
        self.picker.check(self.peers.values().map(|session| &session.have));
        self.pieces.check(layout);
        self.candidates.check();
        self.super_seed.iter().for_each(SuperSeed::check);
        for piece in layout.pieces() {
            let roles =
                [self.have.has(piece), self.picker.is_wanted(piece), self.pieces.is_open(piece)];
            let count = roles.iter().filter(|&&role| role).count();
            assert!(count <= 1, "{piece:?} is two things: {roles:?} (had, wanted, open)");
        }
        let mut asked = Shelf::new();
        for session in self.peers.values() {
            session.check();
            self.gains.check(session);
            for block in session.pipeline.blocks() {
                *asked.get_or_insert_with(block, || 0u8) += 1;
            }
        }
        assert_eq!(self.pieces.all_asked(layout), asked, "asked as counted, and as under way");
        if self.state == State::Active {
            self.check_roles();
        }
    }

    /// Every piece has exactly one role. (That none has two is asserted one by one.)
    fn check_roles(&self) {
        let unchecked = self.checker.as_ref().map_or(0, Checker::undecided);
        let have = self.have.count() as usize;
        let (wanted, open, resting) =
            (self.picker.len(), self.pieces.len(), self.blame.resting_count());
        let is_bare = |&piece: &PieceIndex| {
            let (have, picker, pieces) = (&self.have, &self.picker, &self.pieces);
            !have.has(piece) && !picker.is_wanted(piece) && !pieces.is_open(piece)
        };
        let bare: Vec<PieceIndex> = self.layout().pieces().filter(is_bare).collect();
        let due = bare.iter().filter(|&&piece| self.selection.wants(piece)).count();
        // Of those without a role that shows, the ones that nobody wants may be skipped.
        assert!(
            (due..=bare.len()).contains(&(resting + unchecked)),
            "had {have}, wanted {wanted}, open {open}, resting {resting}, unchecked {unchecked}, \
             {due} of {} others are due",
            bare.len()
        );
    }
}
