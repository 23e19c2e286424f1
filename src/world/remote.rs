//! Remote: the world's part of remote control.
//!
//! ```text
//!  http_io ── request ─▶ Caller ─▶ Rpc::receive ─▶ Call ─▶ facts ─▶ Rpc::carry_out
//!                                                                        │ effects
//!     store (places) ◀── engine's outputs ◀── Bookkeeper (what to keep) ◀┘
//!                                                  └─ safe ─▶ the answer goes out
//! ```
//! What remote control decides is decided in `rpc`; here the time of day, free space and files are
//! looked up for it, and its effects carried out.
//!
//! # Invariants
//! An answer that says that something was changed leaves after the change is safe, or says that it
//! is not.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::bookkeeper::{Bookkeeper, Done, Job};
use super::folder::{Access, Folder};
use super::http_io::{self, Answered, Asked, HttpConn, Responder, Serves, Step};
use super::node::Manners;
use super::reactor::{Reactor, wake};
use super::sys;
pub(super) use super::watch::Watch;
use mio::net::TcpListener;
use serde_json::{Map, Value};

use crate::base::limits::TORRENT_FILE_BYTES_MAX;
use crate::base::{ConnId, Span, Time, TorrentId};
use crate::engine::{Adopted, Engine, Event};
use crate::format::http::{Request, Status};
use crate::format::magnet::Magnet;
use crate::rpc::gate::Login;
use crate::rpc::session::words_for;
use crate::rpc::{Effects, Facts, Needs, Options, Rpc, Said};

/// What remote control of a node is to be.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    pub listen: SocketAddr,
    /// Where new torrents go; absolute.
    pub dir: PathBuf,
    /// Directories below which torrents may be put; absolute.
    pub roots: Vec<PathBuf>,
    /// Where the daemon remembers.
    pub state_dir: PathBuf,
    pub login: Option<Login>,
    /// Names by which this host may be called.
    pub names: Vec<String>,
}

/// Remote control, and the files of its book.
#[derive(Debug)]
pub struct Remote {
    rpc: Rpc,
    bookkeeper: Bookkeeper,
    /// The last change could not be kept; a person was told.
    is_troubled: bool,
}

/// What a request to remote control brought about.
#[derive(Debug, Default)]
pub struct Called {
    effects: Effects,
    /// What is to be said once the effects are safe.
    said: Option<Said>,
}

/// Remote control, spoken to by one connection.
struct Caller<'r> {
    remote: &'r mut Remote,
    engine: &'r mut Engine,
    now: Time,
    from: SocketAddr,
    longest_turn: Span,
    called: Called,
}

impl RemoteOptions {
    /// Where it listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where new torrents go.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Remote {
    fn new(
        now: Time,
        options: RemoteOptions,
        peer_port: u16,
        usual: Map<String, Value>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Remote> {
        let mut secret = vec![0; SECRET_BYTES];
        sys::random_bytes(&mut secret)?;
        let RemoteOptions { listen: _, dir, roots, state_dir, login, names } = options;
        let bookkeeper = Bookkeeper::new(&state_dir, wake);
        let options = Options { dir, roots, state_dir, login, names, secret, peer_port, usual };
        let mut rpc = Rpc::new(now, options);
        rpc.set_zone(sys::zone());
        Ok(Remote { rpc, bookkeeper, is_troubled: false })
    }

    /// Where a new torrent goes, and whether it rests at first.
    pub(super) fn place(&self) -> (PathBuf, bool) {
        self.rpc.place()
    }

    /// No request is to have a longer body.
    pub(super) fn limit_bodies(&mut self, bytes_max: usize) {
        self.rpc.limit_bodies(bytes_max);
    }

    /// Whether nothing is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.bookkeeper.is_idle()
    }

    /// Whether everything that was changed is safe.
    pub(super) fn is_safe(&self) -> bool {
        self.is_idle() && !self.is_troubled
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.rpc.deadline()
    }
}

impl Responder for Caller<'_> {
    fn body_bytes_max(&mut self, head: &Request<'_>) -> Result<usize, Status> {
        self.remote.rpc.body_bytes_max(self.now, self.from, head)
    }

    fn refuse(&mut self, status: Status, answer: &mut Vec<u8>) {
        self.remote.rpc.refuse(status, false, answer);
    }

    fn answer(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Answered {
        let Caller { remote, engine, now, from, longest_turn, called } = self;
        let Some(call) = remote.rpc.receive(*now, *from, request, answer) else {
            return Answered::Now;
        };
        let facts = look_up(call.needs(&remote.rpc), *longest_turn);
        let effects = &mut called.effects;
        let said = remote.rpc.carry_out(*now, call, &facts, engine, effects);
        if effects.keep.is_empty() {
            answer.extend_from_slice(&said.response);
            return Answered::Now;
        }
        called.said = Some(said);
        Answered::Later
    }
}

/// Runs a connection to remote control as far as it goes in this turn.
pub(super) fn run(
    remote: &mut Remote,
    http: &mut HttpConn,
    buffer: &mut [u8],
    parties: Asked<'_>,
) -> (Step, Called) {
    let Asked { engine, now, longest_turn } = parties;
    let (from, called) = (http.from, Called::default());
    let mut caller = Caller { remote, engine, now, from, longest_turn, called };
    let step = http_io::run_with(http, buffer, &mut caller);
    (step, caller.called)
}

impl Reactor {
    /// Lets remote controls in from now on. `peer_port`: where peers reach us. `manners`: what the
    /// command line says.
    pub(super) fn serve_remote(
        &mut self,
        listener: TcpListener,
        options: RemoteOptions,
        peer_port: u16,
        manners: &Manners,
    ) -> io::Result<()> {
        let now = self.read_clock();
        let Manners { queue, goal, no_pex } = manners;
        let (usual, wake) = (words_for(queue, goal, *no_pex), wake(&self.waker));
        self.remote = Some(Remote::new(now, options, peer_port, usual, wake)?);
        self.listen(listener, Some(Serves::Remote))
    }

    /// Carries out what a request brought about. `conn`: who waits for the answer, if anybody
    /// still does.
    pub(super) fn on_called(&mut self, conn: Option<ConnId>, called: Called) {
        let Called { effects, said } = called;
        self.carry_out_remote(effects, conn.zip(said));
    }

    /// Takes up what earlier runs left. Returns what a person should hear.
    pub(super) fn restore_remote(&mut self) -> Vec<String> {
        let now = self.read_clock();
        let Some(remote) = &mut self.remote else { return Vec::new() };
        let left = remote.bookkeeper.load();
        let (unix, mut effects) = (sys::wall_clock_secs(), Effects::default());
        let (session, torrents) = (left.session.as_deref(), left.torrents);
        let rpc = &mut remote.rpc;
        let odd = rpc.restore(now, unix, session, torrents, &mut self.engine, &mut effects);
        self.carry_out_remote(effects, None);
        left.odd.into_iter().chain(odd).collect()
    }

    /// Takes on a torrent of the command line, and remembers it. `None`: a person removed it.
    pub(super) fn adopt(&mut self, torrent: Adopted) -> Option<TorrentId> {
        let now = self.read_clock();
        let remote = self.remote.as_mut()?;
        let (unix, mut effects) = (sys::wall_clock_secs(), Effects::default());
        let id = remote.rpc.adopt(now, unix, torrent, &mut self.engine, &mut effects);
        self.carry_out_remote(effects, None);
        id
    }

    /// Follows a magnet link of the command line, and remembers it.
    pub(super) fn adopt_link(&mut self, magnet: Magnet) -> Option<TorrentId> {
        let now = self.read_clock();
        let remote = self.remote.as_mut()?;
        let (unix, mut effects) = (sys::wall_clock_secs(), Effects::default());
        let id = remote.rpc.adopt_link(now, unix, magnet, &mut self.engine, &mut effects);
        self.carry_out_remote(effects, None);
        id
    }

    /// Lets remote control hear the news of this turn, and save what is due.
    pub(super) fn mind_remote(&mut self) {
        let Some(remote) = &mut self.remote else { return };
        let is_due = remote.deadline().is_some_and(|at| at <= self.now);
        if self.news.is_empty() && !is_due {
            return;
        }
        let (unix, mut effects) = (sys::wall_clock_secs(), Effects::default());
        for event in &self.news {
            remote.rpc.on_event(self.now, unix, event, &mut self.engine, &mut effects);
        }
        if is_due {
            remote.rpc.tick(self.now, unix, &mut self.engine, &mut effects);
        }
        self.carry_out_remote(effects, None);
    }

    /// Writes what has changed: the node is about to leave.
    pub(super) fn save_remote(&mut self) {
        let now = self.read_clock();
        let Some(remote) = &mut self.remote else { return };
        let mut effects = Effects::default();
        remote.rpc.save(now, sys::wall_clock_secs(), &mut self.engine, &mut effects);
        self.carry_out_remote(effects, None);
    }

    /// Takes what the bookkeeper has done, and gives the answers that waited for it.
    pub(super) fn collect_from_bookkeeper(&mut self) {
        let Some(remote) = &mut self.remote else { return };
        for done in remote.bookkeeper.collect() {
            self.on_booked(done);
        }
    }

    fn on_booked(&mut self, done: Done) {
        let Done { waiting, result } = done;
        if let (Some(remote), Some(troubled)) = (&mut self.remote, Some(result.is_err()))
            && remote.is_troubled != troubled
        {
            remote.is_troubled = troubled;
            let reason = result.err().map(|fault| fault.to_string());
            self.news.extend(reason.map(|reason| Event::StateTrouble { reason }));
        }
        let Some((conn, said)) = waiting else { return };
        match result {
            Ok(()) => self.conclude_http(conn, &said.response),
            Err(fault) => self.conclude_http(conn, &said.unkept(&fault.to_string())),
        }
    }

    fn carry_out_remote(&mut self, effects: Effects, waiting: Option<(ConnId, Said)>) {
        let Effects { places, out, keep, close } = effects;
        // The places first: outputs may be about them.
        places.into_iter().for_each(|(torrent, dir)| self.store.add(torrent, dir));
        self.out.extend(out);
        self.carry_out();
        if close {
            self.wishes_to_leave = self.wishes_to_leave.max(1);
        }
        let Some(remote) = self.remote.as_mut().filter(|_| !keep.is_empty()) else { return };
        if let Some(Job { waiting, .. }) = remote.bookkeeper.submit(Job { keep, waiting }) {
            let result = Err(crate::border::DiskFault::Busy);
            self.on_booked(Done { waiting, result });
        }
    }
}

/// Looks up what a call must be told.
fn look_up(needs: Needs, longest_turn: Span) -> Facts {
    let space = needs.space_of.and_then(|dir| sys::space(&dir));
    let file = needs.file.map(|(root, parts)| {
        let opened = Folder::new(root).open(&parts, Access::Read);
        let mut bytes = Vec::new();
        let read = opened.and_then(|opened| {
            opened.file.take(TORRENT_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)
        });
        read.map(|_| bytes).map_err(|error| format!("the file cannot be read: {error}"))
    });
    Facts { unix: sys::wall_clock_secs(), longest_turn, space, file }
}

/// Letters of the session word: 48 of 62 kinds are more than anybody can guess.
const SECRET_BYTES: usize = 48;
