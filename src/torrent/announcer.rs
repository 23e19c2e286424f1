//! Announcer: when to tell which tracker what.
//!
//! A torrent may name many trackers, in tiers. One of them is enough: a *pass* goes through the
//! tiers in order until one tracker accepts us, and that tracker decides when the next pass is
//! due. Whoever answers moves to the front of its tier.
//!
//! ```text
//!  tier 0   [ a  b ]    a fails ─▶ b fails ─┐        the next pass, after c's interval, begins
//!  tier 1   [ d  c ]    ┌───────────────────┘        with a again, then b; then c, d
//!                       └▶ d fails ─▶ c accepts ─▶ tier 1 is now [ c  d ]
//! ```
//! What a tracker is told depends on what it knows of us:
//!
//! ```text
//!            started            completed (if it became whole in this run)        stopped
//!  stranger ────────▶ knows us ───────────────────────────────────────▶ knows us ─────────▶ done
//!                       ▲ │ nothing new: a regular announce
//!                       └─┘
//! ```
//!
//! # Interface
//! `due` in a loop when `deadline` has passed: each order is one announce to be carried out, and
//! is answered by exactly one `on_reply` or `on_failure`. `on_complete` when the last piece
//! arrived. `stop` once, at the end: then `due` yields the farewells, until `is_done_stopping`.
//!
//! # Invariants
//! one announce under way at a time, except for farewells · `started` goes through before
//! anything else · `completed` goes through once · `stopped` only to who accepted `started`.
//!
//! # Limits
//! `ANNOUNCE_INTERVAL_…` and `ANNOUNCE_AGAIN_…` bound what a tracker may ask of us,
//! `ANNOUNCE_RETRY_…` how often we bother one that fails.
//!
//! # Spec
//! BEP 3, "trackers"; BEP 12, "order of processing"; BEP 31 for `retry in`.

use crate::base::limits::{
    ANNOUNCE_AGAIN_DEFAULT, ANNOUNCE_AGAIN_MIN, ANNOUNCE_BY_HAND_APART, ANNOUNCE_INTERVAL_DEFAULT,
    ANNOUNCE_INTERVAL_MAX, ANNOUNCE_INTERVAL_MIN, ANNOUNCE_RETRY_BASE, ANNOUNCE_RETRY_MAX,
    ANNOUNCE_RETRY_STEP, ANNOUNCE_TIMEOUT, FAREWELL_TIMEOUT, NUMWANT, TRACKER_ID_BYTES_MAX,
};
use crate::base::order;
use crate::base::{Random, Span, Time};
use crate::format::announce::{Event, Refusal, Reply};

/// One announce that shall be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Which tracker, counted through all tiers in the order of the file.
    pub tracker: usize,
    pub url: String,
    pub event: Event,
    /// How many peers we ask for.
    pub numwant: u32,
    pub timeout: Span,
    /// What this tracker asked us to give back.
    pub tracker_id: Option<Vec<u8>>,
    /// Whether it asked to be told which pieces we have.
    pub wants_have: bool,
}

/// The trackers of one torrent.
#[derive(Debug)]
pub struct Announcer {
    /// In the order of the file.
    trackers: Vec<Tracker>,
    /// Indexes into `trackers`, in the order in which they are tried.
    tiers: Vec<Vec<usize>>,
    /// When the pass begins, or goes on. `None`: there is nobody to ask.
    next: Option<Time>,
    completion: Completion,
    is_stopping: bool,
}

/// What we know of one tracker, and it of us.
#[derive(Debug, Default)]
struct Tracker {
    url: String,
    /// The announce that is under way.
    asking: Option<Event>,
    /// It had its turn in this pass.
    tried: bool,
    /// It asked us never to come back, or its URL is in the list before.
    retired: bool,
    /// It is not in the list any more.
    gone: bool,
    /// In a row.
    failures: u32,
    /// It must not be asked before (`min interval`, or the wait after a failure) …
    not_before: Time,
    /// … and needs not be asked before (`interval`, or the same wait).
    due: Time,
    /// It accepted `started`, so it knows us until it is told `stopped`.
    knows_us: bool,
    tracker_id: Option<Vec<u8>>,
    wants_have: bool,
    warning: Option<String>,
    /// When it was last asked and last answered, and what came of it.
    asked_at: Option<Time>,
    answered_at: Option<Time>,
    failure: Option<String>,
    peers: usize,
    seeds: Option<u64>,
    leechers: Option<u64>,
}

/// What is known of one tracker, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackerReport {
    /// As in `Order`.
    pub tracker: usize,
    pub tier: usize,
    pub url: String,
    /// An announce is under way.
    pub is_asking: bool,
    /// When it is asked next; `None`: not at all, or when those before it have failed.
    pub next: Option<Time>,
    pub asked_at: Option<Time>,
    pub answered_at: Option<Time>,
    /// Why the last announce failed; `None` if it did not, or there was none.
    pub failure: Option<String>,
    pub warning: Option<String>,
    /// Peers in the last answer, and what it said of the swarm.
    pub peers: usize,
    pub seeds: Option<u64>,
    pub leechers: Option<u64>,
}

/// Whether the trackers know that a download was completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Completion {
    /// There is nothing to tell: not complete, or complete from the beginning.
    Nothing,
    Untold,
    Told,
}

impl Announcer {
    /// `tiers`: the URLs as the torrent lists them. Each tier is shuffled, once (BEP 12).
    pub fn new(tiers: &[Vec<String>], random: &mut Random) -> Announcer {
        let mut trackers: Vec<Tracker> = Vec::new();
        let mut order = Vec::new();
        for tier in tiers {
            let first = trackers.len();
            for url in tier {
                // Asked twice in one pass, it would count as two failures.
                let retired = trackers.iter().any(|tracker| tracker.url == *url);
                trackers.push(Tracker { url: url.clone(), retired, ..Tracker::default() });
            }
            let mut tier: Vec<usize> = (first..trackers.len()).collect();
            random.shuffle(&mut tier);
            order.push(tier);
        }
        let next = (!trackers.is_empty()).then_some(Time::START);
        Announcer {
            trackers,
            tiers: order,
            next,
            completion: Completion::Nothing,
            is_stopping: false,
        }
    }

    /// Nobody to ask.
    pub fn none() -> Announcer {
        Announcer {
            trackers: Vec::new(),
            tiers: Vec::new(),
            next: None,
            completion: Completion::Nothing,
            is_stopping: false,
        }
    }

    /// The next announce to be made, if one is due.
    ///
    /// `is_hungry`: we have few peers and want more; then we ask as soon as a tracker allows it.
    pub fn due(&mut self, now: Time, is_hungry: bool) -> Option<Order> {
        if self.is_stopping {
            return self.next_farewell(now);
        }
        if self.deadline(is_hungry).is_none_or(|due| due > now) {
            return None;
        }
        let index = self.pick(now).or_else(|| {
            self.end_pass();
            self.pick(now)
        })?;
        let event = self.news_for(index);
        Some(self.order(now, index, event))
    }

    /// The tracker accepted an announce.
    pub fn on_reply(&mut self, now: Time, tracker: usize, reply: &Reply) {
        let (min_interval, interval) = intervals(reply);
        let asked = &mut self.trackers[tracker];
        let event = asked.asking.take();
        asked.failures = 0;
        asked.answered_at = Some(now);
        asked.failure = None;
        asked.peers = reply.peers.len();
        (asked.seeds, asked.leechers) = (reply.seeds, reply.leechers);
        if event == Some(Event::Stopped) && !self.is_stopping {
            // We have come back meanwhile.
            asked.knows_us = false;
            return self.next = Some(now);
        }
        asked.not_before = now + min_interval;
        asked.due = now + interval;
        asked.knows_us = event != Some(Event::Stopped);
        asked.warning = reply.warning.clone();
        asked.wants_have = reply.wants_have;
        if let Some(id) = reply.tracker_id.as_ref().filter(|id| id.len() <= TRACKER_ID_BYTES_MAX) {
            asked.tracker_id = Some(id.clone());
        }
        if event == Some(Event::Completed) {
            self.completion = Completion::Told;
        }
        self.move_to_front(tracker);
        self.trackers.iter_mut().for_each(|tracker| tracker.tried = false);
        let has_more_news = self.completion == Completion::Untold;
        self.next = Some(if has_more_news { now } else { now + interval });
    }

    /// The tracker refused us, or could not be reached; the pass goes on with the next one.
    ///
    /// Returns how long this tracker is left alone; zero means for ever.
    pub fn on_failure(&mut self, now: Time, tracker: usize, refusal: &Refusal) -> Span {
        let is_back = !self.is_stopping;
        let asked = &mut self.trackers[tracker];
        asked.answered_at = Some(now);
        asked.failure = Some(refusal.to_string());
        if asked.asking.take() == Some(Event::Stopped) {
            // It was the last word; nobody asks again. Unless we have come back meanwhile.
            asked.knows_us = false;
            if is_back {
                self.next = Some(now);
                return Span::ZERO;
            }
        }
        asked.failures = asked.failures.saturating_add(1);
        let wait = wait_after(asked.failures, refusal);
        asked.retired |= wait.is_none();
        let wait = wait.unwrap_or(Span::ZERO);
        asked.not_before = now + wait;
        asked.due = asked.not_before;
        if self.pick(now).is_some() {
            self.next = Some(now);
        } else {
            self.end_pass();
        }
        wait
    }

    /// The last piece arrived in this run: the trackers shall know.
    ///
    /// To be called only if something was downloaded; being whole from the start is no news.
    pub fn on_complete(&mut self, now: Time) {
        if self.completion != Completion::Nothing {
            return;
        }
        self.completion = Completion::Untold;
        if self.trackers.iter().any(|tracker| tracker.knows_us && tracker.failures == 0) {
            self.next = Some(now);
        }
    }

    /// From now on, nothing but farewells.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// After a stop: we are back, and tell the trackers so.
    ///
    /// Who still has a farewell of ours to answer is told when it has.
    pub fn begin_again(&mut self, now: Time) {
        self.is_stopping = false;
        for tracker in &mut self.trackers {
            tracker.knows_us &= tracker.asking.is_some();
            tracker.tried = false;
            tracker.failures = 0;
            tracker.not_before = now;
            tracker.due = now;
        }
        self.next = self.trackers.iter().any(|tracker| !tracker.retired).then_some(now);
    }

    /// A person wants the trackers to be asked now: they are, but each at most once in
    /// `ANNOUNCE_BY_HAND_APART`.
    pub fn hurry(&mut self, now: Time) {
        for tracker in self.trackers.iter_mut().filter(|tracker| !tracker.retired) {
            let due = tracker.asked_at.map_or(now, |at| (at + ANNOUNCE_BY_HAND_APART).max(now));
            tracker.not_before = tracker.not_before.min(due);
            tracker.due = tracker.due.min(due);
        }
        if !self.is_asking() {
            self.end_pass();
        }
    }

    /// Replaces the list of trackers. Those that stay keep what we know of them, and it of us;
    /// those that go are asked no more.
    pub fn set_tiers(&mut self, now: Time, tiers: &[Vec<String>]) {
        for tracker in &mut self.trackers {
            tracker.retired = true;
            tracker.gone = true;
        }
        let mut order: Vec<Vec<usize>> = Vec::new();
        for tier in tiers {
            order.push(tier.iter().map(|url| self.take_in(now, url)).collect());
        }
        // Whoever is gone stays in the table, for an answer of its may be under way.
        let listed: Vec<usize> = order.iter().flatten().copied().collect();
        order.push((0..self.trackers.len()).filter(|index| !listed.contains(index)).collect());
        self.tiers = order;
        if !self.is_asking() {
            self.end_pass();
        }
    }

    /// The place of a URL in the table, new if need be.
    fn take_in(&mut self, now: Time, url: &str) -> usize {
        let known = self.trackers.iter().position(|tracker| tracker.gone && tracker.url == url);
        let index = known.unwrap_or(self.trackers.len());
        if known.is_none() {
            let (url, at) = (url.to_owned(), now);
            self.trackers.push(Tracker { url, not_before: at, due: at, ..Tracker::default() });
        }
        let twin = |tracker: &Tracker| !tracker.gone && tracker.url == url;
        let is_twin = self.trackers[..index].iter().any(twin);
        self.trackers[index].gone = false;
        self.trackers[index].retired = is_twin;
        index
    }

    /// The trackers that are asked, in the order of the tiers, with all that is known of them.
    pub fn report(&self) -> Vec<TrackerReport> {
        let mut reports = Vec::new();
        for (tier, members) in self.tiers.iter().enumerate() {
            let mut members = members.clone();
            order::sort(&mut members);
            for index in members {
                let tracker = &self.trackers[index];
                if !tracker.gone {
                    reports.push(tracker.report(index, tier, self.is_stopping));
                }
            }
        }
        reports
    }

    /// Whether every tracker that knows us was told, or could not be.
    pub fn is_done_stopping(&self) -> bool {
        self.is_stopping && !self.is_asking() && !self.trackers.iter().any(Tracker::needs_farewell)
    }

    /// When `due` wants to be called; in the past if it does already. `None`: an answer is
    /// awaited, or there is nobody to ask.
    pub fn deadline(&self, is_hungry: bool) -> Option<Time> {
        if self.is_stopping {
            let is_next = |tracker: &Tracker| tracker.needs_farewell() && tracker.asking.is_none();
            return self.trackers.iter().any(is_next).then_some(Time::START);
        }
        if self.is_asking() {
            return None;
        }
        let allowed = self.first_time(|tracker| tracker.not_before).filter(|_| is_hungry);
        self.next.into_iter().chain(allowed).min()
    }

    /// The URL of a tracker, by its number.
    pub fn url(&self, tracker: usize) -> &str {
        &self.trackers[tracker].url
    }

    /// What the tracker warned us of in its last answer (BEP 3 leaves it to the client).
    pub fn warning(&self, tracker: usize) -> Option<&str> {
        self.trackers[tracker].warning.as_deref()
    }

    /// Asserts what the header promises.
    pub fn check(&self) {
        let asking = self.trackers.iter().filter(|tracker| tracker.asking.is_some()).count();
        assert!(self.is_stopping || asking <= 1, "{asking} announces under way");
        let mut listed: Vec<usize> = self.tiers.iter().flatten().copied().collect();
        order::sort(&mut listed);
        assert!(listed.into_iter().eq(0..self.trackers.len()), "a tracker is lost or doubled");
        for tracker in &self.trackers {
            let is_stranger = !tracker.knows_us;
            assert!(!(is_stranger && tracker.asking == Some(Event::Completed)), "no started");
            assert!(tracker.not_before <= tracker.due, "due before it is allowed");
        }
    }

    /// Who is asked next: the first in the order of the tiers who may be asked.
    fn pick(&self, now: Time) -> Option<usize> {
        self.tiers.iter().flatten().copied().find(|&index| self.may_ask(now, index))
    }

    fn may_ask(&self, now: Time, index: usize) -> bool {
        let tracker = &self.trackers[index];
        // `completed` is an event, not a question: the minimum interval does not apply.
        let is_news = self.completion == Completion::Untold && tracker.knows_us;
        let is_allowed = tracker.not_before <= now || (is_news && tracker.failures == 0);
        !tracker.retired && !tracker.tried && is_allowed
    }

    /// Nobody is left to ask: wait for the first who may be asked again, and begin anew.
    fn end_pass(&mut self) {
        self.trackers.iter_mut().for_each(|tracker| tracker.tried = false);
        self.next = self.first_time(|tracker| tracker.due);
    }

    fn first_time(&self, time: impl Fn(&Tracker) -> Time) -> Option<Time> {
        self.trackers.iter().filter(|tracker| !tracker.retired).map(time).min()
    }

    fn news_for(&self, index: usize) -> Event {
        if !self.trackers[index].knows_us {
            Event::Started
        } else if self.completion == Completion::Untold {
            Event::Completed
        } else {
            Event::Regular
        }
    }

    /// The next tracker to be told good-bye; first that we are complete, if it should know.
    fn next_farewell(&mut self, now: Time) -> Option<Order> {
        let is_asking_completed =
            self.trackers.iter().any(|tracker| tracker.asking == Some(Event::Completed));
        let index = self.tiers.iter().flatten().copied().find(|&index| {
            self.trackers[index].needs_farewell() && self.trackers[index].asking.is_none()
        })?;
        let owes_completed = self.completion == Completion::Untold
            && self.trackers[index].failures == 0
            && !is_asking_completed;
        let event = if owes_completed { Event::Completed } else { Event::Stopped };
        Some(self.order(now, index, event))
    }

    fn order(&mut self, now: Time, index: usize, event: Event) -> Order {
        let tracker = &mut self.trackers[index];
        tracker.asked_at = Some(now);
        tracker.asking = Some(event);
        tracker.tried = true;
        let leaving = self.is_stopping;
        Order {
            tracker: index,
            url: tracker.url.clone(),
            event,
            numwant: if leaving { 0 } else { NUMWANT },
            timeout: if leaving { FAREWELL_TIMEOUT } else { ANNOUNCE_TIMEOUT },
            tracker_id: tracker.tracker_id.clone(),
            wants_have: tracker.wants_have && !leaving,
        }
    }

    fn move_to_front(&mut self, tracker: usize) {
        for tier in &mut self.tiers {
            if let Some(at) = tier.iter().position(|&index| index == tracker) {
                tier[..=at].rotate_right(1);
            }
        }
    }

    fn is_asking(&self) -> bool {
        self.trackers.iter().any(|tracker| tracker.asking.is_some())
    }
}

impl Tracker {
    fn needs_farewell(&self) -> bool {
        self.knows_us && !self.retired
    }

    fn report(&self, tracker: usize, tier: usize, is_stopping: bool) -> TrackerReport {
        let is_asked = !self.retired && !is_stopping && self.asking.is_none();
        TrackerReport {
            tracker,
            tier,
            url: self.url.clone(),
            is_asking: self.asking.is_some(),
            next: is_asked.then_some(self.due),
            asked_at: self.asked_at,
            answered_at: self.answered_at,
            failure: self.failure.clone(),
            warning: self.warning.clone(),
            peers: self.peers,
            seeds: self.seeds,
            leechers: self.leechers,
        }
    }
}

/// The tracker's `min interval` and `interval` within our bounds.
fn intervals(reply: &Reply) -> (Span, Span) {
    let said = |secs: Option<u64>, default| secs.map_or(default, Span::from_secs);
    let interval = said(reply.interval_secs, ANNOUNCE_INTERVAL_DEFAULT)
        .clamp(ANNOUNCE_INTERVAL_MIN, ANNOUNCE_INTERVAL_MAX);
    let min_interval = said(reply.min_interval_secs, ANNOUNCE_AGAIN_DEFAULT)
        .clamp(ANNOUNCE_AGAIN_MIN, ANNOUNCE_INTERVAL_MAX);
    (min_interval, interval.max(min_interval))
}

/// How long a tracker is left alone after so many failures; `None`: for ever (BEP 31).
fn wait_after(failures: u32, refusal: &Refusal) -> Option<Span> {
    match refusal {
        Refusal::Failure { never: true, .. } => None,
        Refusal::Failure { retry_secs: Some(secs), .. } => {
            Some(Span::from_secs(*secs).clamp(ANNOUNCE_AGAIN_MIN, ANNOUNCE_INTERVAL_MAX))
        }
        Refusal::Failure { retry_secs: None, .. } | Refusal::Unreachable(_) => {
            let square = u64::from(failures).saturating_mul(u64::from(failures));
            let wait = ANNOUNCE_RETRY_BASE + ANNOUNCE_RETRY_STEP.times(square);
            Some(wait.min(ANNOUNCE_RETRY_MAX))
        }
    }
}
