//! Act: carries out what the engine wants.
//!
//! ```text
//!  tell(input) ─▶ engine ─▶ outputs ─▶ carry_out ─┬─▶ links, sockets            at once
//!       ▲                                         ├─▶ writes                    at once
//!       │                                         ├─▶ surveys, reads … ─▶ jobs  some per turn
//!       │                                         └─▶ saves, names ─▶ threads
//!       └── done ◀──────── results ◀──────────────────┘
//! ```
//!
//! # Invariants
//! `carry_out` never calls the engine. What it brings about waits in `done` until the turn comes
//! to it, so nothing re-enters and the order of inputs is the order in which things happened.
//! A turn reports only the results that were there when it began to report: what these bring
//! about waits for the next turn, and a turn ends however much the engine wants.
//!
//! # Why
//! Writes are carried out at once because their bytes lie in the receive buffer, which the next
//! connection needs. Reads go the other way: whoever checks a terabyte gets a slice per turn.

use std::io;

use super::fault::fault;
use super::gather::Write;
use super::hashing::{self, Sums};
use super::http_call::CallOrder;
use super::http_io;
use super::keeper::{Done, Finished};
use super::peer_io::{PeerConn, Stage};
use super::reactor::Reactor;
use super::resume;
use crate::base::limits::{CHECK_BYTES_PER_TURN, ERASE_FILES_PER_TURN};
use crate::base::{Block, ConnId, PieceIndex, TorrentId};
use crate::engine::{DiskFault, Event, Input, Output, ReadJob};
use crate::format::layout::Layout;
use crate::format::resume::Resume;
use crate::tracker::{Errand, Kept};
use crate::wire::Link;

/// Work for the disk that can wait for its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Job {
    Survey(TorrentId),
    Prepare(TorrentId),
    Read(ReadJob),
    /// A removal: the files before number `next` are done with.
    Remove {
        torrent: TorrentId,
        erase: bool,
        next: usize,
        fault: Option<DiskFault>,
    },
}

impl Reactor {
    /// Tells the engine what happened, and carries out what it wants in return.
    pub(super) fn tell(&mut self, input: Input<'_>) {
        self.tell_of_input(&input);
        self.trace_input(&input);
        self.engine.handle(self.now, input, &mut self.out);
        self.carry_out();
    }

    /// Carries out everything in `out`.
    ///
    /// In order, but for the writes: between two blocks of one connection there usually is a
    /// `Send` with the next request, and if it parted them they could not leave together. No
    /// other output depends on a write of the same list, for the engine counts on nothing before
    /// it was told `Written`.
    pub(super) fn carry_out(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let mut outputs = std::mem::take(&mut self.out);
        let has_writes = outputs.iter().any(|output| matches!(output, Output::Write { .. }));
        if has_writes {
            self.write(&outputs);
        }
        outputs.drain(..).for_each(|output| self.act(output));
        // The list keeps its memory; nobody added to it meanwhile.
        assert!(self.out.is_empty(), "carrying out must not reach the engine");
        self.out = outputs;
    }

    /// Reports results to the engine: those that were there when this was called.
    pub(super) fn report_done(&mut self) {
        for _ in 0..self.done.len() {
            let Some(input) = self.done.pop_front() else { return };
            self.tell(input);
        }
    }

    /// Does waiting disk work: reads of `CHECK_BYTES_PER_TURN` together, or up to one survey.
    pub(super) fn run_jobs(&mut self) {
        let mut budget_bytes = CHECK_BYTES_PER_TURN;
        while budget_bytes > 0
            && let Some(job) = self.jobs.pop_front()
        {
            match job {
                Job::Read(job) => {
                    budget_bytes = budget_bytes.saturating_sub(job.len);
                    self.read(job);
                }
                // A call or more for each file, and there may be a million of them.
                Job::Survey(torrent) => {
                    self.survey(torrent);
                    return;
                }
                Job::Prepare(torrent) => {
                    let result = match self.engine.layout(torrent) {
                        Some(layout) => self.store.prepare(torrent, layout),
                        None => Err(DiskFault::Missing),
                    };
                    self.tell(Input::Prepared { torrent, result });
                    return;
                }
                Job::Remove { torrent, erase, next, fault } => {
                    self.remove_some(torrent, erase, next, fault);
                    return;
                }
            }
        }
    }

    /// What arrived whole is compared with the hashes that the torrent gives its files beside the
    /// pieces (BEP 47), if it does.
    fn note_arrival(&mut self, event: &Event) {
        let Event::Complete { torrent, downloaded: true, .. } = *event else { return };
        let layout = self.engine.layout(torrent).filter(|_| self.compares_sums);
        if layout.is_some_and(|layout| layout.files().iter().any(|file| file.sha1.is_some())) {
            self.sums.push_back(Sums::new(torrent));
        }
    }

    /// Compares a buffer full, if the disk has nothing better to do.
    pub(super) fn compare_sums(&mut self) {
        if !self.jobs.is_empty() {
            return;
        }
        let Some(mut sums) = self.sums.pop_front() else { return };
        let Some(metainfo) = self.engine.metainfo(sums.torrent) else { return };
        let (layout, buffer) = (&metainfo.layout, &mut self.send_buffer);
        let Some(have) = self.engine.have(metainfo.info_hash) else { return };
        let is_here = |number: usize| {
            layout.pieces_of(number).all(|piece| have.has(PieceIndex::checked(piece)))
        };
        match sums.step(&mut self.store, layout, is_here, buffer) {
            Ok(false) => self.sums.push_back(sums),
            Ok(true) if sums.others.is_empty() => {}
            Ok(true) => {
                let news = hashing::contradiction(&metainfo.name, sums.others.len());
                self.news.push(Event::Host { what: "sha1", news });
            }
            // The disk fails: that is told, and what is read again then is judged by its pieces.
            Err(_) => {}
        }
    }

    /// Takes what the helper threads have done.
    pub(super) fn collect_from_threads(&mut self) {
        for saved in self.syncer.collect() {
            self.store.on_saved(&saved);
            let (torrent, have, result) = (saved.torrent, saved.have, saved.result);
            self.done.push_back(Input::Saved { torrent, have, result });
        }
        for resolved in self.resolver.collect(self.now) {
            self.on_resolved(&resolved);
            self.on_web_resolved(&resolved);
            self.on_named_resolved(&resolved);
        }
        for done in self.keeper.collect() {
            self.on_kept(done);
        }
        self.collect_from_bookkeeper();
    }

    // ── The tracker's files ─────────────────────────────────────────────────────────────────

    /// Has the keeper do what must be done before `conn` gets its answer.
    pub(super) fn send_errand(&mut self, conn: Option<ConnId>, errand: Option<Errand>) {
        let Some(errand) = errand else { return };
        if let Some(errand) = self.keeper.submit_errand(conn, errand) {
            self.on_finished(Finished { conn, errand, kept: Kept::Failed, why: None });
        }
    }

    /// Writes the census on, if it is time and the last part is written.
    pub(super) fn take_census(&mut self) {
        if !self.keeper.takes_parts() {
            return;
        }
        let now = self.now;
        let Some(service) = self.engine.service_mut() else { return };
        if let Some(part) = service.next_part(now)
            && !self.keeper.submit_part(part)
        {
            service.census_failed(now);
        }
    }

    fn on_kept(&mut self, done: Done) {
        match done {
            Done::Errand(finished) => self.on_finished(*finished),
            Done::Part(Ok(())) => {}
            Done::Part(Err(why)) => {
                if let Some(service) = self.engine.service_mut() {
                    service.census_failed(self.now);
                }
                self.tell_trouble("the state file", &why);
            }
        }
    }

    fn on_finished(&mut self, finished: Finished) {
        let Finished { conn, errand, kept, why } = finished;
        if let Some(why) = why {
            self.tell_trouble("the library", &why);
        }
        let mut answer = Vec::new();
        let next = http_io::finish(&mut self.engine, errand, kept, &mut answer);
        match (next, conn) {
            (Some(next), _) => self.send_errand(conn, Some(next)),
            (None, Some(conn)) => self.conclude_http(conn, &answer),
            (None, None) => {}
        }
    }

    fn tell_trouble(&mut self, what: &'static str, why: &io::Error) {
        let reason = fault(why).to_string();
        self.news.push(Event::TrackerTrouble { what, reason });
    }

    /// Carries out one output. Those for a connection that is gone already are void.
    fn act(&mut self, output: Output) {
        self.tell_of_output(&output);
        self.trace_output(&output);
        match output {
            Output::Connect { torrent, addr } => self.connect(torrent, addr),
            Output::CallWeb { torrent, web, url, sent_by } => {
                self.call_web(torrent, web, &url, sent_by);
            }
            Output::SendHandshake { conn, handshake } => {
                self.queue_for_peer(conn, |link| link.send_handshake(&handshake));
            }
            Output::Send { conn, message } => self.queue(conn, |peer| peer.voice.send(&message)),
            Output::SendBlock { conn, torrent, block } => self.queue_block(conn, torrent, block),
            Output::CancelBlock { conn, block } => {
                self.queue_for_peer(conn, |link| {
                    // If its first byte has left, the rest must follow.
                    link.cancel(block);
                });
            }
            Output::DropBlocks { conn } => self.queue_for_peer(conn, Link::drop_blocks),
            Output::Close { conn, why: _ } => self.close_peer(conn),

            Output::Survey { torrent } => self.jobs.push_back(Job::Survey(torrent)),
            Output::Prepare { torrent } => self.jobs.push_back(Job::Prepare(torrent)),
            Output::Read(job) => self.jobs.push_back(Job::Read(job)),
            // All writes of the list were carried out first.
            Output::Write { .. } => {}
            Output::Save { torrent, have, uploaded, downloaded, clean } => {
                let Some(metainfo) = self.engine.metainfo(torrent) else { return };
                let info_hash = metainfo.info_hash;
                let files = Vec::new();
                self.save(torrent, Resume { info_hash, have, files, clean, uploaded, downloaded });
            }

            Output::Remove { torrent, erase } => {
                self.jobs.push_back(Job::Remove { torrent, erase, next: 0, fault: None });
            }

            Output::Announce { torrent, tracker, url, announce, timeout } => {
                self.start_call(CallOrder { torrent, tracker, url, announce: *announce, timeout });
            }
            // It may be lost on its way, too.
            Output::SendDatagram { to, bytes } => drop(self.send_datagram(to, &bytes)),
            Output::LookUp { torrent, endpoint, whom } => self.look_up(torrent, endpoint, whom),
            Output::Event(event) => {
                self.note_arrival(&event);
                self.news.push(event);
            }
            // It was told above.
            Output::Because { .. } => {}
        }
    }

    /// Changes what a link has to send.
    fn queue(&mut self, conn: ConnId, change: impl FnOnce(&mut PeerConn)) {
        let Some(peer) = self.table.peer(conn) else { return };
        // After `Close`, the engine has nothing more to say here.
        if peer.stage == Stage::Open {
            change(peer);
            self.mark_flush(conn);
        }
    }

    /// The same for what only peers are told.
    fn queue_for_peer(&mut self, conn: ConnId, change: impl FnOnce(&mut Link)) {
        self.queue(conn, |peer| {
            if let Some(link) = peer.voice.peer() {
                change(link);
            }
        });
    }

    fn queue_block(&mut self, conn: ConnId, torrent: TorrentId, block: Block) {
        self.queue(conn, |peer| {
            let before = peer.torrent.replace(torrent);
            assert!(before.is_none_or(|before| before == torrent), "{conn:?} of two torrents");
            peer.voice.peer().expect("servers ask for nothing").send_block(block);
        });
    }

    /// Carries out every write among `outputs`, neighbours together.
    fn write(&mut self, outputs: &[Output]) {
        let writes: Vec<Write<'_>> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Write { torrent, piece, begin, at } => Some(Write {
                    torrent: *torrent,
                    piece: *piece,
                    begin: *begin,
                    bytes: &self.receive_buffer[at.clone()],
                }),
                _not_a_write => None,
            })
            .collect();
        let engine = &self.engine;
        self.store.write(&writes, |torrent| engine.layout(torrent), &mut self.results);
        for (write, result) in writes.iter().zip(self.results.drain(..)) {
            let len = u32::try_from(write.bytes.len()).expect("at most the receive buffer");
            let Write { torrent, piece, begin, .. } = *write;
            self.done.push_back(Input::Written { torrent, piece, begin, len, result });
        }
    }

    fn read(&mut self, job: ReadJob) {
        let len = usize::try_from(job.len).expect("a u32 fits a usize on every host of ours");
        let bytes = &mut self.send_buffer[..len];
        let result = match self.engine.layout(job.torrent) {
            Some(layout) => self.store.read(job.torrent, layout, job.piece, job.begin, bytes),
            None => Err(DiskFault::Missing),
        };
        let input = Input::Read { job, result: result.map(|()| &*bytes) };
        if let Some(trace) = &mut self.trace {
            trace.recorder.input(self.now, &input);
        }
        self.engine.handle(self.now, input, &mut self.out);
        self.carry_out();
    }

    fn survey(&mut self, torrent: TorrentId) {
        let Some(metainfo) = self.engine.metainfo(torrent) else { return };
        let result = self.store.survey(torrent, &metainfo.layout);
        // A record that cannot be read is as good as none: then everything is checked.
        let resume = self.store.folder(torrent).and_then(|folder| {
            resume::load(folder, metainfo.info_hash, &metainfo.layout).ok().flatten()
        });
        self.tell(Input::Surveyed { torrent, result, resume });
    }

    /// Goes on with a removal: a slice of the files, and with the last one all the rest.
    fn remove_some(
        &mut self,
        torrent: TorrentId,
        erase: bool,
        next: usize,
        mut fault: Option<DiskFault>,
    ) {
        let Some(metainfo) = self.engine.metainfo(torrent) else { return };
        let files = if erase { metainfo.layout.files().len() } else { 0 };
        let end = files.min(next + ERASE_FILES_PER_TURN);
        let others: Vec<(TorrentId, &Layout)> = self
            .engine
            .torrents()
            .into_iter()
            .filter(|&other| other != torrent)
            .filter_map(|other| Some((other, self.engine.layout(other)?)))
            .collect();
        let erased = self.store.erase(torrent, &metainfo.layout, next..end, &others);
        fault = fault.or(erased.err());
        self.store.take_left().into_iter().for_each(|file| self.syncer.close(file));
        if end < files {
            self.jobs.push_back(Job::Remove { torrent, erase, next: end, fault });
            return;
        }
        let info_hash = metainfo.info_hash;
        if let Some(folder) = self.store.folder(torrent) {
            // A record that stays behind harms nobody: it is believed of nothing but its files.
            let _ = resume::remove(folder, info_hash);
        }
        self.store.remove(torrent);
        self.tell(Input::Removed { torrent, result: fault.map_or(Ok(()), Err) });
    }

    /// Hands what was written, and the record that says so, to the syncer.
    fn save(&mut self, torrent: TorrentId, record: Resume) {
        let Some(layout) = self.engine.layout(torrent) else { return };
        let have = record.have.clone();
        match self.store.job(torrent, layout, record) {
            Ok(job) => self.syncer.submit(job),
            Err(fault) => {
                let result = Err(fault);
                self.done.push_back(Input::Saved { torrent, have, result });
            }
        }
    }
}
