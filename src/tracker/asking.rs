//! Asking: our questions to trackers over UDP, from the first datagram to the answer or the end.
//!
//! ```text
//!  ask ─▶ connecting ─── connection id ──▶ asking ─── answer ──▶ done
//!          │  ▲  │ nothing for 15 s:        │ │ nothing for 15 s: again; or, the id is a
//!          │  └──┘ again, then 30, 60 …     │ │ minute old: ─▶ connecting
//!          │       an id is known ──────────┘ └ the id was an old one, and refused ─▶ connecting
//!          └─ error, late, no more addresses ─▶ done, with a refusal
//! ```
//! A connection id is good for a minute and for everything that is asked of that tracker, so it is
//! remembered; and while somebody waits for one, nobody else asks the same tracker for another.
//!
//! # Interface
//! `ask`; then `on_datagram` for whatever comes, `on_unsent` if a datagram could not leave, `tick`
//! when `deadline` has passed. Each appends *steps*: datagrams to be sent and answers.
//!
//! # Invariants
//! each question is answered exactly once, by its deadline · an answer counts only if it comes
//! from the address that was asked, and names the transaction of the question.
//!
//! # Limits
//! `ASKED_ADDRS_MAX` addresses tried for one question, `CONNECTIONS_KNOWN_MAX` ids remembered.
//! How many questions there are at once is the caller's business.
//!
//! # Why
//! Whoever guesses a transaction can send us any peers it likes. A tracker sees the numbers that
//! we send to it, so those for others must not follow from them: they are parts of a keyed hash.
//!
//! # Spec
//! BEP 15, "time outs".

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::base::limits::{ASKED_ADDRS_MAX, CONNECTIONS_KNOWN_MAX};
use crate::base::{InfoHash, Span, Time};
use crate::format::announce::{Announce, Refusal, Reply, Tally};
use crate::format::datagram::{self, Answer, Response};
use crate::format::digest::Digest;

/// All questions of a node that are under way.
pub struct Asking {
    secret: [u8; 20],
    /// How many transactions there were.
    transactions: u64,
    questions: Vec<Question>,
    /// Whoever was heard of last stands last.
    known: VecDeque<Known>,
    next_id: u64,
}

/// One of our questions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct QuestionId(u64);

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// `url_data`: path and query of the tracker's URL (BEP 41).
    Announce { announce: Box<Announce>, url_data: String },
    /// At most `DATAGRAM_SCRAPE_HASHES_MAX` torrents.
    Scrape { hashes: Vec<InfoHash> },
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answered {
    Announce(Reply),
    /// By position, as far as the answer goes.
    Scrape(Vec<Tally>),
}

/// What comes of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Send {
        to: SocketAddr,
        bytes: Box<[u8]>,
    },
    /// `from`: who was asked last; `None` if nobody could be.
    Done {
        question: QuestionId,
        from: Option<IpAddr>,
        result: Result<Answered, Refusal>,
    },
}

/// One question.
#[derive(Debug)]
struct Question {
    id: QuestionId,
    what: What,
    addr: SocketAddr,
    /// Where else to ask if there is no answer.
    others: VecDeque<SocketAddr>,
    stage: Stage,
    transaction: u32,
    /// How often the present datagram was sent again, and how long the first wait is.
    sent_again: u32,
    first_wait: Span,
    due: Time,
    /// When the next address gets its chance; of the last one, the end.
    give_up: Time,
    deadline: Time,
    timeout: Span,
}

/// What a question waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Connecting,
    /// `is_old`: with an id that came for an earlier question.
    Asking {
        is_old: bool,
    },
}

/// A tracker that answered.
#[derive(Clone, Copy, Debug)]
struct Known {
    addr: SocketAddr,
    /// Its connection id, and when it came.
    connection: Option<(u64, Time)>,
}

impl Asking {
    /// Nothing is asked yet. `secret`: of true randomness, and told nobody.
    pub fn new(secret: [u8; 20]) -> Asking {
        Asking {
            secret,
            transactions: 0,
            questions: Vec::new(),
            known: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Asks a tracker that is at any of `addrs`. A `Done` follows within `timeout`.
    pub fn ask(
        &mut self,
        now: Time,
        addrs: &[SocketAddr],
        what: What,
        timeout: Span,
        out: &mut Vec<Step>,
    ) -> QuestionId {
        let id = QuestionId(self.next_id);
        self.next_id += 1;
        let mut others: VecDeque<SocketAddr> =
            addrs.iter().copied().take(ASKED_ADDRS_MAX).collect();
        // Where an answer came from before, one will come from again.
        let known = |addr: &SocketAddr| self.known.iter().any(|known| known.addr == *addr);
        if let Some(at) = others.iter().position(known) {
            others.swap(0, at);
        }
        let Some(addr) = others.pop_front() else {
            let result = Err(Refusal::Unreachable("there is no address to ask at".to_owned()));
            out.push(Step::Done { question: id, from: None, result });
            return id;
        };
        let deadline = now + timeout;
        let mut question = Question {
            id,
            what,
            addr,
            others,
            stage: Stage::Connecting,
            transaction: 0,
            sent_again: 0,
            first_wait: Span::from_millis(timeout.as_millis() / 2)
                .clamp(FIRST_WAIT_MIN, FIRST_WAIT),
            due: now,
            give_up: deadline,
            deadline,
            timeout,
        };
        self.approach(now, &mut question, out);
        self.questions.push(question);
        id
    }

    /// Takes in a datagram that came from `from`. Returns whether it was an answer to a question.
    pub fn on_datagram(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Step>,
    ) -> bool {
        let Ok(Response { transaction, answer }) = Response::parse(bytes) else { return false };
        let is_meant = |question: &Question| {
            question.transaction == transaction && is_same(question.addr, from)
        };
        let Some(at) = self.questions.iter().position(is_meant) else { return false };
        let question = &self.questions[at];
        match (question.stage, &question.what, answer) {
            (Stage::Connecting, _, Answer::Connect { connection }) => {
                self.on_connected(now, at, connection, out);
            }
            (Stage::Asking { .. }, What::Announce { .. }, Answer::Announce(peers)) => {
                let reply = peers.reply(from.is_ipv4());
                self.finish(at, Ok(Answered::Announce(reply)), out);
            }
            (Stage::Asking { .. }, What::Scrape { hashes }, Answer::Scrape { tallies }) => {
                let tallies = tallies.iter().take(hashes.len()).map(datagram::tally).collect();
                self.finish(at, Ok(Answered::Scrape(tallies)), out);
            }
            // It may have forgotten the id before its time: a restart, for one.
            (Stage::Asking { is_old: true }, _, Answer::Error { .. }) => {
                self.forget_connection(from);
                self.begin_again(now, at, out);
            }
            (_, _, Answer::Error { message }) => {
                self.finish(at, Err(datagram::refusal(message)), out);
            }
            // An answer to another question than this one was.
            (_, _, Answer::Connect { .. } | Answer::Announce(_) | Answer::Scrape { .. }) => {
                return false;
            }
        }
        true
    }

    /// A datagram to `to` could not leave: whoever waits there tries elsewhere.
    pub fn on_unsent(&mut self, now: Time, to: SocketAddr, why: &str, out: &mut Vec<Step>) {
        while let Some(at) = self.questions.iter().position(|question| question.addr == to) {
            self.try_next(now, at, why, out);
        }
    }

    /// Sends again what got no answer, and ends what is late. To be called when `deadline` has
    /// passed.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Step>) {
        let mut at = 0;
        while at < self.questions.len() {
            let question = &self.questions[at];
            let before = self.questions.len();
            if question.give_up <= now {
                self.try_next(now, at, "no answer", out);
            } else if question.due <= now {
                self.send_again(now, at, out);
            }
            // What was finished made room here for another.
            at += usize::from(self.questions.len() == before);
        }
    }

    /// When `tick` wants to be called; `None` while nothing is asked.
    pub fn deadline(&self) -> Option<Time> {
        self.questions.iter().map(|question| question.due.min(question.give_up)).min()
    }

    /// How many questions are under way.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// Asserts what the header promises.
    pub fn check(&self) {
        assert!(self.known.len() <= CONNECTIONS_KNOWN_MAX);
        for question in &self.questions {
            assert!(question.give_up <= question.deadline, "{:?}", question.give_up);
            assert!(question.others.len() < ASKED_ADDRS_MAX, "{:?}", question.others);
        }
    }

    /// Begins to ask at the question's address, which gets its share of the time.
    fn approach(&mut self, now: Time, question: &mut Question, out: &mut Vec<Step>) {
        let left = question.deadline.since(now).as_millis();
        let share = left / (question.others.len() as u64 + 1);
        question.give_up = now + Span::from_millis(share);
        question.sent_again = 0;
        match self.connection(now, question.addr) {
            Some(_) => question.stage = Stage::Asking { is_old: true },
            None => question.stage = Stage::Connecting,
        }
        question.transaction = self.next_transaction();
        question.due = now + question.first_wait;
        let asks_too = |other: &Question| {
            other.stage == Stage::Connecting && other.addr == question.addr && other.due > now
        };
        if question.stage == Stage::Connecting && self.questions.iter().any(asks_too) {
            // The id that comes for the other one is for both.
            return;
        }
        self.send(question, out);
    }

    /// A connection id came: everybody who waits for it goes on.
    fn on_connected(&mut self, now: Time, at: usize, connection: u64, out: &mut Vec<Step>) {
        let addr = self.questions[at].addr;
        self.remember(addr, Some((connection, now)));
        for at in 0..self.questions.len() {
            let question = &self.questions[at];
            if question.stage == Stage::Connecting && question.addr == addr {
                let transaction = self.next_transaction();
                let question = &mut self.questions[at];
                question.stage = Stage::Asking { is_old: false };
                question.transaction = transaction;
                question.sent_again = 0;
                question.due = now + question.first_wait;
                self.send(&self.questions[at], out);
            }
        }
    }

    /// Asks the present address for a connection id.
    fn begin_again(&mut self, now: Time, at: usize, out: &mut Vec<Step>) {
        let transaction = self.next_transaction();
        let question = &mut self.questions[at];
        question.stage = Stage::Connecting;
        question.transaction = transaction;
        question.due = now + question.first_wait;
        self.send(&self.questions[at], out);
    }

    /// The same once more, after twice the time; with a new id, if the old one is too old.
    fn send_again(&mut self, now: Time, at: usize, out: &mut Vec<Step>) {
        let question = &mut self.questions[at];
        question.sent_again = (question.sent_again + 1).min(SENT_AGAIN_MAX);
        let wait = question.first_wait.times(1 << question.sent_again);
        let (stage, addr) = (question.stage, question.addr);
        let is_void = match stage {
            Stage::Connecting => false,
            // Trackers that follow the text are silent where an id does not hold.
            Stage::Asking { is_old } => is_old || self.connection(now, addr).is_none(),
        };
        if is_void {
            self.begin_again(now, at, out);
        } else {
            self.send(&self.questions[at], out);
        }
        self.questions[at].due = now + wait;
    }

    /// Asks at the next address, or gives up.
    fn try_next(&mut self, now: Time, at: usize, why: &str, out: &mut Vec<Step>) {
        let mut question = self.questions.swap_remove(at);
        let next = question.others.pop_front().filter(|_| now < question.deadline);
        if let Some(addr) = next {
            question.addr = addr;
            self.approach(now, &mut question, out);
            self.questions.push(question);
            let last = self.questions.len() - 1;
            // In its old place: `tick` walks through the list.
            self.questions.swap(at, last);
            return;
        }
        let why = match now < question.deadline {
            true => format!("{}: {why}", question.addr),
            false => format!("{why} within {} s", question.timeout.as_secs()),
        };
        let (question, from) = (question.id, Some(question.addr.ip()));
        out.push(Step::Done { question, from, result: Err(Refusal::Unreachable(why)) });
    }

    fn finish(&mut self, at: usize, result: Result<Answered, Refusal>, out: &mut Vec<Step>) {
        let Question { id: question, addr, .. } = self.questions.swap_remove(at);
        out.push(Step::Done { question, from: Some(addr.ip()), result });
    }

    fn send(&self, question: &Question, out: &mut Vec<Step>) {
        let mut bytes = Vec::new();
        let transaction = question.transaction;
        let known = self.known.iter().find(|known| known.addr == question.addr);
        let connection = known.and_then(|known| known.connection);
        match (question.stage, connection, &question.what) {
            (Stage::Asking { .. }, Some((id, _)), What::Announce { announce, url_data }) => {
                datagram::write_announce(id, transaction, announce, url_data, &mut bytes);
            }
            (Stage::Asking { .. }, Some((id, _)), What::Scrape { hashes }) => {
                datagram::write_scrape(id, transaction, hashes, &mut bytes);
            }
            // Its id made room for others, or did not hold for another question: `send_again`
            // asks for a new one.
            (Stage::Asking { .. }, None, _) => return,
            (Stage::Connecting, _, _) => datagram::write_connect(transaction, &mut bytes),
        }
        out.push(Step::Send { to: question.addr, bytes: bytes.into() });
    }

    /// The connection id of a tracker, if it is still good.
    fn connection(&self, now: Time, addr: SocketAddr) -> Option<u64> {
        let known = self.known.iter().find(|known| known.addr == addr)?;
        let (id, since) = known.connection?;
        (now.since(since) < CONNECTION_LIFETIME).then_some(id)
    }

    fn remember(&mut self, addr: SocketAddr, connection: Option<(u64, Time)>) {
        self.known.retain(|known| known.addr != addr);
        if self.known.len() == CONNECTIONS_KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back(Known { addr, connection });
    }

    fn forget_connection(&mut self, addr: SocketAddr) {
        for known in self.known.iter_mut().filter(|known| is_same(known.addr, addr)) {
            known.connection = None;
        }
    }

    fn next_transaction(&mut self) -> u32 {
        self.transactions += 1;
        let mut digest = Digest::new();
        digest.update(&self.secret);
        digest.update(&self.transactions.to_be_bytes());
        let hash = digest.finish();
        let (first, _) = hash.split_first_chunk::<4>().expect("a hash is 20 bytes long");
        u32::from_be_bytes(*first)
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret goes into no log.
        let Asking { secret: _, transactions: _, questions, known, next_id: _ } = self;
        f.debug_struct("Asking").field("questions", questions).field("known", known).finish()
    }
}

/// Address and port alone: flow labels and the like may differ there and back.
fn is_same(a: SocketAddr, b: SocketAddr) -> bool {
    (a.ip(), a.port()) == (b.ip(), b.port())
}

/// BEP 15: 15 · 2ⁿ seconds, up to 3,840. Who has little time waits half of it at first.
const FIRST_WAIT: Span = Span::from_secs(15);
const FIRST_WAIT_MIN: Span = Span::from_millis(100);
const SENT_AGAIN_MAX: u32 = 8;

/// BEP 15: "a client can use a connection ID until one minute after it has received it".
const CONNECTION_LIFETIME: Span = Span::from_secs(60);
