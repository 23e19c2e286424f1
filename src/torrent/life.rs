//! A torrent's life: survey, check, completion, trouble with the disk, farewell.

use super::announcer::Order;
use super::candidates::Source as Whence;
use super::checker::{Checked, Checker, Job};
use super::{AfterStop, Pause, State, Torrent};
use crate::base::limits::{
    CHECK_REREADS_MAX, DISK_RETRY_MAX, DISK_RETRY_MIN, FAREWELL_TIMEOUT, HAVE_BYTES_MAX, PEERS_FEW,
    SAVE_EVERY, STOP_PATIENCE, SYNC_PATIENCE,
};
use crate::base::{Bits, PieceIndex, Span, Time};
use crate::border::{DiskFault, Event, Output, ReadFor, ReadJob};
use crate::format::announce::{Announce, Refusal, Reply};
use crate::format::resume::{FileStamp, Resume};
use std::net::IpAddr;

impl Torrent {
    // ── Beginning ───────────────────────────────────────────────────────────────────────────

    /// Begins. `whole`: the data was made or checked a moment ago and needs no look.
    pub fn start(&mut self, now: Time, whole: bool, out: &mut Vec<Output>) {
        if !whole {
            out.push(Output::Survey { torrent: self.id });
            return;
        }
        self.state = State::Active;
        self.have = Bits::all(self.layout().piece_count());
        self.tally.have_bytes = self.layout().total_bytes();
        self.save.due = Some(now);
        self.on_check_done(now, out);
    }

    /// The world looked at the files.
    pub fn on_surveyed(
        &mut self,
        now: Time,
        result: Result<Vec<Option<FileStamp>>, DiskFault>,
        resume: Option<&Resume>,
        out: &mut Vec<Output>,
    ) {
        if self.state != State::Surveying {
            return;
        }
        let stamps = match result {
            Ok(stamps) => stamps,
            Err(fault) => return self.lose(now, fault, out),
        };
        let may_believe =
            |resume: &&Resume| resume.info_hash == self.metainfo.info_hash && !self.will.doubts;
        let resume = resume.filter(may_believe);
        let sorted = Checker::sort(&self.metainfo.layout, &stamps, resume);
        let is_lost = |&piece: &PieceIndex| self.selection.wants(piece);
        if self.tally.was_whole && sorted.missing.iter().any(is_lost) {
            // The data was all here and is gone: an unplugged disk, most likely. Fetching it
            // again into an empty mount point is the last thing anyone wants.
            return self.lose(now, DiskFault::Missing, out);
        }
        if self.will.asleep && !self.will.doubts {
            return self.lie_down(&sorted.trusted, out);
        }
        self.state = State::Active;
        sorted.trusted.iter().for_each(|piece| self.book(piece));
        for piece in sorted.missing {
            self.offer(piece);
        }
        self.checker = Some(sorted.checker);
        self.break_the_silence(now, out);
        self.mind_recovery(out);
        out.push(Output::Prepare { torrent: self.id });
        self.check_on(now, out);
    }

    /// Directories and empty files are there, or cannot be made.
    pub fn on_prepared(&mut self, now: Time, result: Result<(), DiskFault>, out: &mut Vec<Output>) {
        match result {
            Ok(()) => self.fill_all(now, out),
            // Who has everything, or may turn out to, can share it from a disk that is not to be
            // written. Should a piece be missing after all, the first write will say so.
            Err(_) if self.picker.is_empty() && self.pieces.is_empty() => {}
            Err(fault) => self.pause(now, fault, out),
        }
    }

    /// Hands out reads while the check lasts.
    pub(super) fn check_on(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(checker) = &mut self.checker else { return };
        if !checker.is_done() && !self.turn.may_check() {
            return;
        }
        while let Some(Job { piece, begin, len }) = checker.next_job(&self.metainfo.layout) {
            let (torrent, purpose) = (self.id, ReadFor::Check);
            out.push(Output::Read(ReadJob { torrent, piece, begin, len, purpose }));
        }
        if checker.is_done() {
            self.checker = None;
            self.turn.checks = false;
            self.turn.moved = now;
            self.on_check_done(now, out);
        }
    }

    pub(super) fn on_check_read(
        &mut self,
        now: Time,
        job: ReadJob,
        result: Result<&[u8], DiskFault>,
        out: &mut Vec<Output>,
    ) {
        let Some(checker) = &mut self.checker else { return };
        // A disk that fails for a moment must not cost data that is there, perhaps the last copy:
        // all is looked at anew (most of what was right is in the record by now, and believed). If
        // the disk goes on failing, what it does not give is fetched.
        if let Err(fault) = result
            && fault != DiskFault::Missing
            && self.rereads < CHECK_REREADS_MAX
        {
            self.rereads += 1;
            return self.lose(now, fault, out);
        }
        let part = Job { piece: job.piece, begin: job.begin, len: job.len };
        let checked = checker.on_read(&self.metainfo.layout, part, result.ok());
        if let Some(Checked { piece, hash }) = checked {
            if hash == Some(self.metainfo.piece_hashes[piece.at()]) {
                self.announce_piece(now, piece, out);
                self.save.due.get_or_insert(now + SAVE_EVERY);
            } else {
                self.offer(piece);
                self.fill_all(now, out);
            }
        }
        self.check_on(now, out);
    }

    /// It is known what is here: tell the person, and begin to tell trackers.
    fn on_check_done(&mut self, now: Time, out: &mut Vec<Output>) {
        out.push(Output::Event(Event::Checked {
            torrent: self.id,
            have_bytes: self.tally.have_bytes,
            total_bytes: self.layout().total_bytes(),
        }));
        self.rereads = 0;
        if std::mem::take(&mut self.will.doubts) {
            // The record may claim what was found to be wrong.
            self.save.due = Some(now);
        }
        if !self.have.is_all() {
            self.end_super_seed(now, out);
        }
        if self.is_done() {
            self.on_done(now, out);
        }
        if std::mem::take(&mut self.will.asleep) {
            self.rest(now, out);
        }
    }

    // ── Pieces and completion ───────────────────────────────────────────────────────────────

    /// A fetched piece is right and on disk.
    pub(super) fn on_piece(&mut self, now: Time, piece: PieceIndex, out: &mut Vec<Output>) {
        self.announce_piece(now, piece, out);
        self.save.due.get_or_insert(now + SAVE_EVERY);
        if self.save.is_farewell && self.state != State::Stopped {
            // Its last bytes were on their way to the disk when we began to leave.
            self.save_farewell(out);
        }
        if self.checker.is_none() && self.is_done() {
            self.on_done(now, out);
        }
    }

    pub(super) fn book(&mut self, piece: PieceIndex) {
        if self.have.set(piece) {
            self.tally.have_bytes += u64::from(self.metainfo.layout.piece_len(piece));
        }
    }

    /// Everything that is wanted is here: from now on we only give.
    pub(super) fn on_done(&mut self, now: Time, out: &mut Vec<Output>) {
        self.tally.was_whole = true;
        self.turn.moved = now;
        self.candidates.set_complete(true);
        self.save.due = Some(now);
        self.tell_all(now, out);
        out.push(Output::Event(Event::Complete {
            torrent: self.id,
            info_hash: self.metainfo.info_hash,
            bytes: self.selection.bytes(&self.metainfo.layout),
            took: now.since(self.tally.began),
            downloaded: std::mem::take(&mut self.tally.arrives),
        }));
        // Who has a part has not completed it, as far as trackers count (BEP 3).
        if self.tally.fetched && self.have.is_all() {
            self.announcer.on_complete(now);
        }
        if !self.identity.seed {
            return self.stop(now, SYNC_PATIENCE, out);
        }
        if !self.is_super_seeding() {
            self.part_with_seeds(now, out);
            self.say_upload_only(now, true, out);
        }
        self.save_if_due(now, out);
    }

    // ── Trouble ─────────────────────────────────────────────────────────────────────────────

    /// The disk does not take what we fetch: stop fetching, go on serving, try again later.
    pub(super) fn pause(&mut self, now: Time, fault: DiskFault, out: &mut Vec<Output>) {
        if self.state != State::Active || self.pause.is_some() {
            return;
        }
        let wait = self.next_wait();
        self.pause = Some(Pause { fault, retry: now + wait, wait });
        self.drop_requests(out);
        let open: Vec<PieceIndex> = self.pieces.iter().collect();
        for piece in open {
            self.pieces.close(piece);
            self.offer(piece);
        }
        self.orphans.clear();
        self.tell_trouble(fault, wait, out);
    }

    /// Ends the pause, if it is time: on probation until a write goes through.
    fn mind_pause(&mut self, now: Time, out: &mut Vec<Output>) {
        // A write still under way belongs to a piece that was closed; it must not be counted
        // towards its next life.
        if self.writes_under_way > 0 {
            return;
        }
        if let Some(pause) = self.pause.take_if(|pause| now >= pause.retry) {
            self.proving = Some(pause.wait);
            out.push(Output::Prepare { torrent: self.id });
        }
    }

    /// A write went through: if we were on probation, the trouble is over.
    pub(super) fn mind_recovery(&mut self, out: &mut Vec<Output>) {
        if self.pause.is_none() && self.proving.take().is_some() {
            out.push(Output::Event(Event::DiskRecovered { torrent: self.id }));
        }
    }

    /// What we claim to have cannot be read: part with everyone, and look at the disk anew later.
    pub(super) fn lose(&mut self, now: Time, fault: DiskFault, out: &mut Vec<Output>) {
        if !matches!(self.state, State::Surveying | State::Active) {
            return;
        }
        let wait = self.next_wait();
        self.state = State::Lost { fault, retry: now + wait, wait };
        self.forget_all(now, "disk trouble", out);
        self.tell_trouble(fault, wait, out);
    }

    /// A block that we promised could not be read.
    pub fn on_send_failed(&mut self, now: Time, fault: DiskFault, out: &mut Vec<Output>) {
        // Too many files are open for now: that peer was let go, and the data is still there.
        if fault != DiskFault::Busy {
            self.lose(now, fault, out);
        }
    }

    /// Twice the wait that did not help, or the shortest.
    fn next_wait(&mut self) -> Span {
        let longer = |wait: Span| wait.times(2).min(DISK_RETRY_MAX);
        self.proving.take().map_or(DISK_RETRY_MIN, longer)
    }

    fn tell_trouble(&self, fault: DiskFault, retry: Span, out: &mut Vec<Output>) {
        let reason = fault.to_string();
        out.push(Output::Event(Event::DiskTrouble { torrent: self.id, reason, retry }));
    }

    // ── Saving ──────────────────────────────────────────────────────────────────────────────

    pub fn on_saved(&mut self, now: Time, result: Result<(), DiskFault>, out: &mut Vec<Output>) {
        self.save.under_way = false;
        // A folder that cannot hold the record costs a check at the next start, and no more.
        // Data that could not be synced will show up as failed writes or as a failed check.
        let _ = result;
        if std::mem::take(&mut self.save.clean_next) {
            self.save(true, out);
        }
        self.mind_stopping(now, out);
    }

    fn save_if_due(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.save.under_way || self.save.due.is_none_or(|due| due > now) {
            return;
        }
        if self.state == State::Active {
            self.save(false, out);
        }
    }

    fn save(&mut self, clean: bool, out: &mut Vec<Output>) {
        self.save.due = None;
        self.save.under_way = true;
        out.push(Output::Save {
            torrent: self.id,
            have: self.have.clone(),
            uploaded: self.tally.uploaded,
            downloaded: self.tally.downloaded,
            clean,
        });
    }

    // ── Trackers ────────────────────────────────────────────────────────────────────────────

    fn announce_if_due(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some(order) = self.announcer.due(now, self.is_hungry()) {
            self.announce(order, out);
        }
    }

    /// Whether it is worth asking a tracker before its time.
    fn is_hungry(&self) -> bool {
        !self.is_done() && self.peers.len() < PEERS_FEW
    }

    fn announce(&mut self, order: Order, out: &mut Vec<Output>) {
        // A seed has told by `left=0`; and a map that fits no request line is not told.
        let tells = order.wants_have
            && !self.metainfo.private
            && !self.have.is_all()
            && self.have.as_bytes().len() <= HAVE_BYTES_MAX;
        let announce = Announce {
            info_hash: self.metainfo.info_hash,
            peer_id: self.identity.peer_id,
            port: self.identity.port,
            uploaded: self.tally.uploaded,
            downloaded: self.tally.downloaded,
            left: self.layout().total_bytes() - self.tally.have_bytes,
            event: order.event,
            numwant: Some(order.numwant),
            key: Some(self.identity.key),
            compact: true,
            no_peer_id: true,
            tracker_id: order.tracker_id,
            have: tells.then(|| self.have.as_bytes().to_vec()),
        };
        let timeout = order.timeout;
        let (torrent, tracker, url) = (self.id, order.tracker, order.url);
        out.push(Output::Announce { torrent, tracker, url, announce: Box::new(announce), timeout });
    }

    pub(super) fn on_reply(
        &mut self,
        now: Time,
        tracker: usize,
        from: Option<IpAddr>,
        reply: &Reply,
        out: &mut Vec<Output>,
    ) {
        let url = self.announcer.url(tracker).to_string();
        let peers = reply.peers.len();
        self.announcer.on_reply(now, tracker, reply);
        reply.external_ip.into_iter().for_each(|ip| self.on_seen_at(ip));
        // A tracker out in the world has no business to send us to ourselves.
        let near = from.is_none_or(|ip| ip.is_loopback());
        for &addr in reply.peers.iter().filter(|addr| near || !addr.ip().is_loopback()) {
            self.candidates.add(now, addr, Whence::Tracker);
        }
        out.push(Output::Event(Event::TrackerOk { torrent: self.id, url, peers }));
    }

    pub(super) fn on_refusal(
        &mut self,
        now: Time,
        tracker: usize,
        refusal: &Refusal,
        out: &mut Vec<Output>,
    ) {
        let url = self.announcer.url(tracker).to_string();
        let retry = self.announcer.on_failure(now, tracker, refusal);
        let reason = match refusal {
            Refusal::Failure { reason, .. } | Refusal::Unreachable(reason) => reason.clone(),
        };
        out.push(Output::Event(Event::TrackerFailed { torrent: self.id, url, reason, retry }));
    }

    // ── Farewell ────────────────────────────────────────────────────────────────────────────

    /// Says good-bye to peers and trackers, and saves; within `patience` it is over.
    pub fn stop(&mut self, now: Time, patience: Span, out: &mut Vec<Output>) {
        if let State::Stopping { until, .. } = &mut self.state {
            *until = (*until).min(now + patience);
        }
        // Whoever is on the way out begins nothing.
        if matches!(self.will.after_stop, AfterStop::Begin { .. }) {
            self.will.after_stop = AfterStop::Rest;
        }
        if matches!(self.state, State::Stopping { .. } | State::Stopped) {
            return;
        }
        let clean = self.state == State::Active && self.checker.is_none();
        let tell_until = Some(now + patience.min(STOP_PATIENCE));
        self.state = State::Stopping { until: now + patience, tell_until };
        self.checker = None;
        self.turn.checks = false;
        self.close_all(now, "stopping", out);
        if clean {
            self.save_farewell(out);
        }
        self.announcer.stop();
        self.mind_stopping(now, out);
    }

    /// Orders the record of a clean end; a save under way comes first.
    fn save_farewell(&mut self, out: &mut Vec<Output>) {
        self.save.is_farewell = true;
        if self.save.under_way {
            self.save.clean_next = true;
        } else {
            self.save(true, out);
        }
    }

    /// Goes on with the farewell; ends it when all is said and saved, or time is up.
    pub(super) fn mind_stopping(&mut self, now: Time, out: &mut Vec<Output>) {
        if !matches!(self.state, State::Stopping { .. }) {
            return;
        }
        self.announce_if_due(now, out);
        let State::Stopping { until, tell_until } = &mut self.state else { return };
        tell_until.take_if(|late| now >= *late);
        let told = tell_until.is_none() || self.announcer.is_done_stopping();
        let (until, done) = (*until, told && !self.save.under_way);
        if done || now >= until {
            self.state = State::Stopped;
            out.push(Output::Event(Event::Stopped { torrent: self.id }));
            self.mind_after_stop(now, out);
        }
    }

    // ── The clock ───────────────────────────────────────────────────────────────────────────

    /// Does what is due.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.state {
            State::Surveying => self.mind_each_peer(now, out),
            State::Renewing => self.mind_renewal(out),
            State::Stopped => self.mind_after_stop(now, out),
            State::Stopping { .. } => self.mind_stopping(now, out),
            State::Lost { retry, wait, .. } => {
                if now >= retry && self.writes_under_way == 0 {
                    self.state = State::Surveying;
                    self.proving = Some(wait);
                    out.push(Output::Survey { torrent: self.id });
                }
            }
            State::Active => {
                self.mind_pause(now, out);
                self.save_if_due(now, out);
                self.mind_webs(now, out);
                self.tell_if_due(now, out);
                self.mind_peers(now, out);
                self.exchange_if_due(now, out);
                if self.super_seed_deadline().is_some_and(|due| due <= now) {
                    self.mind_super_seed(now, out);
                }
                self.mind_goal(now, out);
                // Last, for whoever parted with a peer just now may want others at once.
                if self.state == State::Active && self.checker.is_none() {
                    self.announce_if_due(now, out);
                }
            }
        }
    }

    /// When `tick` wants to be called, and why.
    pub fn deadline(&self) -> Option<(Time, &'static str)> {
        let named = |time: Option<Time>, why| time.map(|time| (time, why));
        match self.state {
            State::Surveying => named(self.tick_at, "look at the peers"),
            // The report of the last write makes them due; then it is high time.
            State::Renewing => {
                named((self.writes_under_way == 0).then_some(Time::START), "look anew")
            }
            State::Stopped => named(self.is_due_after_stop().then_some(Time::START), "remove"),
            State::Stopping { until, tell_until } => {
                let announce =
                    named(self.announcer.deadline(self.is_hungry()), "farewell to a tracker");
                let end = tell_until.map_or(until, |tell| tell.min(until));
                announce.into_iter().chain([(end, "end of the farewell")]).min()
            }
            // With writes still under way, the report of the last one is what we wait for.
            State::Lost { retry, .. } => {
                named((self.writes_under_way == 0).then_some(retry), "look at the disk again")
            }
            State::Active => {
                let announce =
                    self.announcer.deadline(self.is_hungry()).filter(|_| self.checker.is_none());
                let save = self.save.due.filter(|_| !self.save.under_way);
                let pause = self.pause.as_ref().filter(|_| self.writes_under_way == 0);
                let choke = self.choker.deadline();
                [
                    named(announce, "announce"),
                    named(save, "save"),
                    named(pause.map(|pause| pause.retry), "try the disk again"),
                    named(choke, "choke round"),
                    named(self.webs_deadline(), "call a web seed"),
                    named(self.soon.give_places, "give free places away"),
                    named(self.soon.fill_all, "ask others"),
                    named(self.soon.ask_again, "ask others for the last blocks"),
                    named(self.gains.due, "tell what came"),
                    named(self.tick_at, "look at the peers"),
                    named(self.exchange.due, "tell who is there"),
                    named(self.goal_deadline(), "has given enough"),
                    named(self.super_seed_deadline(), "show a piece"),
                ]
                .into_iter()
                .flatten()
                .min()
            }
        }
    }
}

const _: () = assert!(FAREWELL_TIMEOUT.as_millis() < STOP_PATIENCE.as_millis());
