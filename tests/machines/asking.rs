//! Our questions to trackers over UDP: datagrams and virtual seconds on the left, what is sent and
//! what comes of it on the right.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use swarmlet::base::{InfoHash, PeerId, Random, Span, Time};
use swarmlet::format::announce::{Announce, Event, Refusal, Reply, Tally};
use swarmlet::format::datagram::{
    Ask, Peers, Request, write_connected, write_error, write_peers, write_tallies,
};
use swarmlet::tracker::{Answered, Asking, QuestionId, Step, What};

const TRACKER: &str = "192.0.2.1:6969";

/// The machine, a clock, and what it did since the last look.
struct Stage {
    asking: Asking,
    now: Time,
    steps: Vec<Step>,
}

/// A datagram that was sent, as the tracker understands it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sent {
    what: &'static str,
    transaction: u32,
    /// The connection id that it shows.
    connection: u64,
}

impl Stage {
    fn new() -> Stage {
        Stage { asking: Asking::new([3; 20]), now: Time::START, steps: Vec::new() }
    }

    fn at(&mut self, secs: u64) -> &mut Stage {
        self.run_to(Time::START + Span::from_secs(secs));
        self
    }

    /// Lets the machine's own deadlines pass, each at its time.
    fn run_to(&mut self, time: Time) {
        while let Some(due) = self.asking.deadline().filter(|due| *due <= time) {
            assert!(due >= self.now, "a deadline that has passed");
            self.now = due;
            self.asking.tick(due, &mut self.steps);
            self.asking.check();
            assert!(self.asking.deadline().is_none_or(|next| next > due), "it stands still");
        }
        self.now = time;
    }

    fn ask(&mut self, addrs: &[&str], secs: u64) -> QuestionId {
        let addrs: Vec<SocketAddr> = addrs.iter().map(|text| addr(text)).collect();
        let what =
            What::Announce { announce: Box::new(announce()), url_data: "/announce".to_owned() };
        let timeout = Span::from_secs(secs);
        self.asking.ask(self.now, &addrs, what, timeout, &mut self.steps)
    }

    fn hear(&mut self, from: &str, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.asking.on_datagram(self.now, addr(from), &bytes, &mut self.steps)
    }

    /// What was sent since the last look, and to whom.
    fn sent(&mut self) -> Vec<(SocketAddr, Sent)> {
        let mut sent = Vec::new();
        self.steps.retain(|step| match step {
            Step::Send { to, bytes } => {
                sent.push((*to, understood(bytes)));
                false
            }
            Step::Done { .. } => true,
        });
        sent
    }

    /// The only datagram that was sent since the last look.
    fn one(&mut self) -> Sent {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent[0].1
    }

    fn done(&mut self) -> Vec<(QuestionId, Result<Answered, Refusal>)> {
        assert_eq!(self.sent(), [], "nothing more is sent");
        let steps = std::mem::take(&mut self.steps);
        let done = steps.into_iter().map(|step| match step {
            Step::Done { question, result, .. } => (question, result),
            Step::Send { .. } => unreachable!("taken out a moment ago"),
        });
        done.collect()
    }

    /// The way to an announce with connection id 5, at the present second.
    fn connected(&mut self) -> Sent {
        let connect = self.one();
        assert_eq!(connect.what, "connect");
        assert!(self.hear(TRACKER, |out| write_connected(connect.transaction, 5, out)));
        self.one()
    }
}

fn understood(bytes: &[u8]) -> Sent {
    let Request { transaction, ask } = Request::parse(bytes).expect("a good question");
    let (what, connection) = match ask {
        Ask::Connect => ("connect", 0),
        Ask::Announce { connection, announce: said, options } => {
            assert_eq!(said, Ok(announce()));
            assert_eq!(options, b"\x02\x09/announce");
            ("announce", connection)
        }
        Ask::Scrape { connection, .. } => ("scrape", connection),
    };
    Sent { what, transaction, connection }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn announce() -> Announce {
    Announce {
        info_hash: InfoHash([0xaa; 20]),
        peer_id: PeerId([1; 20]),
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left: 5,
        event: Event::Started,
        numwant: Some(80),
        key: Some(1),
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        have: None,
    }
}

fn peers(transaction: u32, out: &mut Vec<u8>) {
    let found = Peers { interval_secs: 900, leechers: 2, seeds: 1, peers: &[1, 2, 3, 4, 0, 80] };
    write_peers(transaction, &found, out);
}

fn reply() -> Reply {
    Reply {
        interval_secs: Some(900),
        leechers: Some(2),
        seeds: Some(1),
        peers: vec![addr("1.2.3.4:80")],
        ..Reply::default()
    }
}

fn unreachable_because(why: &str) -> Result<Answered, Refusal> {
    Err(Refusal::Unreachable(why.to_owned()))
}

#[test]
fn a_connection_id_then_peers() {
    let mut stage = Stage::new();
    let question = stage.ask(&[TRACKER], 30);
    let announce = stage.at(1).connected();
    assert_eq!((announce.what, announce.connection), ("announce", 5));
    assert!(stage.at(2).hear(TRACKER, |out| peers(announce.transaction, out)));
    assert_eq!(stage.done(), [(question, Ok(Answered::Announce(reply())))]);
    assert_eq!((stage.asking.len(), stage.asking.deadline()), (0, None));
    // It is over: the same answer once more is no answer.
    assert!(!stage.hear(TRACKER, |out| peers(announce.transaction, out)));
}

#[test]
fn connects_that_get_no_answer_are_sent_again_as_the_specification_shows() {
    let mut stage = Stage::new();
    let question = stage.ask(&[TRACKER], 150);
    let first = stage.one();
    for (second, again) in [(14, 0), (15, 1), (44, 0), (45, 1), (104, 0), (105, 1), (149, 0)] {
        let sent = stage.at(second).sent();
        assert_eq!(sent.len(), again, "at {second} s");
        assert!(sent.iter().all(|(_, sent)| *sent == first), "the very same at {second} s");
    }
    let late = unreachable_because("no answer within 150 s");
    assert_eq!(stage.at(150).done(), [(question, late)]);
}

#[test]
fn announces_that_get_no_answer_are_sent_again_until_the_id_is_too_old() {
    let mut stage = Stage::new();
    stage.ask(&[TRACKER], 300);
    let first = stage.at(2).connected();
    for (second, what) in [
        (17, "announce"),
        (47, "announce"),
        (106, ""),
        (107, "connect"),
        (226, ""),
        (227, "connect"),
    ] {
        let sent = stage.at(second).sent();
        let said: Vec<&str> = sent.iter().map(|(_, sent)| sent.what).collect();
        let expected: Vec<&str> = Some(what).filter(|what| !what.is_empty()).into_iter().collect();
        assert_eq!(said, expected, "at {second} s");
        assert!(what != "announce" || sent[0].1 == first);
    }
}

#[test]
fn an_id_serves_everything_that_is_asked_for_a_minute() {
    let mut stage = Stage::new();
    stage.ask(&[TRACKER], 30);
    let announce = stage.at(1).connected();
    stage.hear(TRACKER, |out| peers(announce.transaction, out));
    for (second, what) in [(4, "announce"), (60, "announce"), (61, "connect")] {
        stage.at(second).steps.clear();
        stage.ask(&[TRACKER], 30);
        let sent = stage.one();
        assert_eq!(sent.what, what, "at {second} s");
        stage.hear(TRACKER, |out| peers(sent.transaction, out));
    }
    let hashes = vec![InfoHash([1; 20]), InfoHash([2; 20])];
    let mut stage = Stage::new();
    let what = What::Scrape { hashes };
    let scrape =
        stage.asking.ask(stage.now, &[addr(TRACKER)], what, Span::from_secs(30), &mut stage.steps);
    let sent = stage.connected();
    assert_eq!(sent.what, "scrape");
    let tally = Tally { seeds: 1, completed: 2, leechers: 3 };
    // One more than was asked for is not believed.
    stage.hear(TRACKER, |out| write_tallies(sent.transaction, [tally; 3].into_iter(), out));
    assert_eq!(stage.done(), [(scrape, Ok(Answered::Scrape(vec![tally; 2])))]);
}

#[test]
fn many_questions_wait_for_one_id() {
    let mut stage = Stage::new();
    let first = stage.ask(&[TRACKER], 30);
    let second = stage.ask(&[TRACKER], 30);
    let connect = stage.one();
    stage.ask(&["192.0.2.9:1"], 30);
    assert_eq!(stage.one().what, "connect", "of another tracker, another one");
    stage.hear(TRACKER, |out| write_connected(connect.transaction, 5, out));
    let announces = stage.sent();
    assert_eq!(announces.len(), 2);
    for (at, question) in [(1, second), (0, first)] {
        stage.hear(TRACKER, |out| peers(announces[at].1.transaction, out));
        assert_eq!(stage.done(), [(question, Ok(Answered::Announce(reply())))]);
    }
}

#[test]
fn what_is_no_answer_changes_nothing() {
    let mut stage = Stage::new();
    let question = stage.ask(&[TRACKER], 30);
    let connect = stage.one().transaction;
    assert!(!stage.hear(TRACKER, |out| write_connected(connect ^ 1, 6, out)));
    assert!(!stage.hear("192.0.2.1:6970", |out| write_connected(connect, 6, out)));
    assert!(!stage.hear("192.0.2.2:6969", |out| write_connected(connect, 6, out)));
    assert!(!stage.hear(TRACKER, |out| peers(connect, out)));
    assert!(!stage.hear(TRACKER, |out| out.extend([0, 0, 0, 0, 0, 0, 0])));
    assert!(!stage.hear(TRACKER, |out| out.extend(b"d1:ad2:id20:")));
    assert_eq!(stage.steps, []);
    stage.hear(TRACKER, |out| write_connected(connect, 5, out));
    let announce = stage.one().transaction;
    assert!(!stage.hear(TRACKER, |out| peers(connect, out)), "the transaction of the connect");
    assert!(!stage.hear(TRACKER, |out| write_connected(announce, 6, out)));
    assert!(!stage.hear(TRACKER, |out| write_tallies(announce, [].into_iter(), out)));
    assert!(!stage.hear("192.0.2.2:6969", |out| write_error(announce, "no", out)));
    assert_eq!(stage.steps, []);
    assert!(stage.hear(TRACKER, |out| peers(announce, out)));
    assert_eq!(stage.done(), [(question, Ok(Answered::Announce(reply())))]);
}

#[test]
fn an_error_is_a_refusal_in_clean_words() {
    let refused = |reason: &str| {
        Err(Refusal::Failure { reason: reason.to_owned(), retry_secs: None, never: false })
    };
    let mut stage = Stage::new();
    let question = stage.ask(&[TRACKER], 30);
    let connect = stage.one().transaction;
    stage.hear(TRACKER, |out| write_error(connect, "overloaded", out));
    assert_eq!(stage.done(), [(question, refused("overloaded"))]);
    let question = stage.ask(&[TRACKER], 30);
    let announce = stage.connected().transaction;
    stage.hear(TRACKER, |out| write_error(announce, "not\x1b[2J here\n", out));
    let done = stage.done();
    let (id, Err(Refusal::Failure { reason, .. })) = &done[0] else { panic!("{done:?}") };
    assert_eq!(*id, question);
    assert!(!reason.contains(char::is_control) && reason.starts_with("not"), "{reason:?}");
}

#[test]
fn an_old_id_that_does_not_hold_any_more_is_replaced() {
    // The tracker was started anew: it says so, or, as the text wants it, nothing at all.
    for is_silent in [false, true] {
        let mut stage = Stage::new();
        stage.ask(&[TRACKER], 30);
        let announce = stage.connected().transaction;
        stage.hear(TRACKER, |out| peers(announce, out));
        stage.at(30).steps.clear();
        let question = stage.ask(&[TRACKER], 30);
        let with_old = stage.one();
        assert_eq!((with_old.what, with_old.connection), ("announce", 5));
        match is_silent {
            false => {
                stage.hear(TRACKER, |out| write_error(with_old.transaction, "bad id", out));
            }
            true => {
                stage.at(45);
            }
        }
        let connect = stage.one();
        assert_eq!(connect.what, "connect");
        stage.hear(TRACKER, |out| write_connected(connect.transaction, 6, out));
        let announce = stage.one();
        assert_eq!(announce.connection, 6);
        // Now it is meant.
        stage.hear(TRACKER, |out| write_error(announce.transaction, "go away", out));
        let done = stage.done();
        assert!(matches!(&done[..], [(id, Err(Refusal::Failure { .. }))] if *id == question));
    }
}

#[test]
fn the_time_is_shared_among_the_addresses() {
    let mut stage = Stage::new();
    let question = stage.ask(&["[2001:db8::1]:1", TRACKER], 30);
    assert_eq!(stage.sent()[0].0, addr("[2001:db8::1]:1"));
    assert_eq!(stage.at(14).sent(), []);
    let second = stage.at(15).sent();
    assert_eq!(second[0].0, addr(TRACKER));
    // The first one comes too late.
    stage.hear(TRACKER, |out| write_connected(second[0].1.transaction, 5, out));
    let announce = stage.one();
    stage.hear(TRACKER, |out| peers(announce.transaction, out));
    assert_eq!(stage.done(), [(question, Ok(Answered::Announce(reply())))]);
    // Next time, who answered is asked first.
    stage.at(600);
    stage.ask(&["[2001:db8::1]:1", TRACKER], 30);
    assert_eq!(stage.sent()[0].0, addr(TRACKER));
}

#[test]
fn what_cannot_be_sent_goes_elsewhere_at_once() {
    let mut stage = Stage::new();
    let question = stage.ask(&["[2001:db8::1]:1", TRACKER], 30);
    stage.sent();
    let v6 = addr("[2001:db8::1]:1");
    stage.asking.on_unsent(stage.now, v6, "network unreachable", &mut stage.steps);
    assert_eq!(stage.sent()[0].0, addr(TRACKER));
    stage.asking.on_unsent(stage.now, addr(TRACKER), "no route", &mut stage.steps);
    let why = unreachable_because("192.0.2.1:6969: no route");
    assert_eq!(stage.done(), [(question, why)]);
    let nowhere = stage.ask(&[], 30);
    let why = unreachable_because("there is no address to ask at");
    assert_eq!(stage.done(), [(nowhere, why)]);
}

#[test]
fn a_farewell_is_short() {
    let mut stage = Stage::new();
    let question = stage.ask(&[TRACKER], 3);
    assert_eq!(stage.one().what, "connect");
    stage.run_to(Time::from_millis(1_500));
    assert_eq!(stage.one().what, "connect");
    let late = unreachable_because("no answer within 3 s");
    assert_eq!(stage.at(3).done(), [(question, late)]);
}

#[test]
fn peers_are_read_by_the_family_of_the_tracker() {
    let mut stage = Stage::new();
    let v6 = "[2001:db8::1]:6969";
    stage.ask(&[v6], 30);
    let connect = stage.one().transaction;
    stage.hear(v6, |out| write_connected(connect, 5, out));
    let announce = stage.one().transaction;
    let mut peer = [0; 18];
    peer[..2].copy_from_slice(&[0x20, 0x01]);
    peer[15..].copy_from_slice(&[7, 0, 80]);
    let found = Peers { interval_secs: 900, leechers: 2, seeds: 1, peers: &peer };
    stage.hear(v6, |out| write_peers(announce, &found, out));
    let done = stage.done();
    let [(_, Ok(Answered::Announce(reply)))] = &done[..] else { panic!("{done:?}") };
    assert_eq!(reply.peers, [addr("[2001::7]:80")]);
}

#[test]
fn transactions_do_not_follow_from_each_other() {
    let transactions = |secret: u8| -> BTreeSet<u32> {
        let mut stage = Stage { asking: Asking::new([secret; 20]), ..Stage::new() };
        (1..=1_000).for_each(|port| {
            stage.ask(&[&format!("192.0.2.1:{port}")], 30);
        });
        stage.sent().into_iter().map(|(_, sent)| sent.transaction).collect()
    };
    let (one, other) = (transactions(1), transactions(2));
    assert_eq!((one.len(), other.len()), (1_000, 1_000));
    assert!(one.intersection(&other).count() < 3);
    assert!(!format!("{:?}", Asking::new([0x5a; 20])).contains("90, 90"), "no secret is shown");
}

#[test]
fn whatever_comes_each_question_is_answered_once() {
    let mut random = Random::new(11);
    for round in 0..300 {
        let mut stage = Stage::new();
        let mut asked = BTreeSet::new();
        for _ in 0..5 {
            asked.insert(stage.ask(&[TRACKER, "192.0.2.2:1"], 30));
        }
        let mut transactions: Vec<u32> = Vec::new();
        while !stage.asking.is_empty() {
            transactions.extend(stage.sent().iter().map(|(_, sent)| sent.transaction));
            let now = stage.now + Span::from_millis(random.below(4_000) as u64);
            stage.run_to(now);
            let from = ["192.0.2.2:1", TRACKER, "192.0.2.3:1"][random.below(3)];
            let transaction = transactions[random.below(transactions.len())];
            let mut bytes = vec![0; random.below(40)];
            random.fill(&mut bytes);
            let mut head = vec![0, 0, 0, random.below(5) as u8];
            head.extend(transaction.to_be_bytes());
            stage.hear(from, |out| {
                out.extend(head);
                out.extend(bytes);
            });
            stage.asking.check();
            assert!(stage.now <= Time::from_millis(34_000), "round {round}: it never ends");
        }
        let steps = std::mem::take(&mut stage.steps);
        let mut done = steps.into_iter().filter_map(|step| match step {
            Step::Done { question, .. } => Some(question),
            Step::Send { .. } => None,
        });
        assert!(done.by_ref().all(|question| asked.remove(&question)), "round {round}");
        assert_eq!(asked.len(), 0, "round {round}");
    }
}
