//! A tracker that writes down who is there, part by part, and remembers it.

use std::net::SocketAddr;

use swarmlet::base::limits::{CENSUS_AFTER, CENSUS_APART, CENSUS_RETRY, CENSUS_SLOTS_PER_TURN};
use swarmlet::base::{Span, Time};
use swarmlet::format::announce::Reply;
use swarmlet::format::census::{write_end, write_head};
use swarmlet::format::digest::Digest;
use swarmlet::format::http::{Progress, Request, Response};
use swarmlet::tracker::{Part, Policy, Service};

/// A tracker and a clock.
struct Stage {
    service: Service,
    now: Time,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(Policy::default())
    }

    fn with(policy: Policy) -> Stage {
        let mut service = Service::new(policy, 7);
        service.keep_census();
        Stage { service, now: Time::from_millis(1) }
    }

    fn announce(&mut self, hash: &str, addr: SocketAddr, more: &str) -> Reply {
        let port = addr.port();
        let id = "peer_id=-XX0000-000000000000";
        let target = format!("/announce?info_hash={hash}&port={port}&{id}&numwant=200{more}");
        let mut answer = Vec::new();
        self.service.http(self.now, addr, &Request::get(&target), &mut answer);
        let mut response = Response::new();
        assert_eq!(response.feed(&answer), Ok(Progress::Done));
        Reply::parse(response.body()).expect("accepted")
    }

    /// Takes a census that is due, and returns it as a file, and the sizes of its parts.
    fn census(&mut self) -> (Vec<u8>, Vec<usize>) {
        assert_eq!(self.service.next_part(self.now), Some(Part::Begin));
        let mut file = Vec::new();
        write_head(1_000_000, &mut file);
        let mut parts = Vec::new();
        loop {
            match self.service.next_part(self.now).expect("it goes on") {
                Part::Begin => panic!("it begins again"),
                Part::Swarms(part) => {
                    parts.push(part.len());
                    file.extend(part);
                }
                Part::End => break,
            }
        }
        let mut digest = Digest::new();
        digest.update(&file);
        write_end(digest, &mut file);
        (file, parts)
    }

    fn completed(&mut self, hash: &str) -> u32 {
        let mut answer = Vec::new();
        let target = format!("/get_peers?info_hash={hash}");
        self.service.http(self.now, addr(1), &Request::get(&target), &mut answer);
        let text = String::from_utf8_lossy(&answer);
        let (_, rest) = text.split_once("\"completed\":").expect("a swarm");
        rest.split(',').next().and_then(|digits| digits.parse().ok()).expect("a number")
    }

    fn pass(&mut self, span: Span) {
        self.now += span;
        while let Some(deadline) = self.service.deadline().filter(|due| *due <= self.now) {
            self.service.tick(self.now.max(deadline));
        }
    }
}

fn addr(number: u32) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    SocketAddr::from(([10, a, b, c], 6881))
}

fn hash(number: u32) -> String {
    format!("{number:020}")
}

fn sorted(reply: Reply) -> Vec<String> {
    let mut peers: Vec<String> = reply.peers.iter().map(ToString::to_string).collect();
    peers.sort();
    peers
}

#[test]
fn who_was_there_is_there_again() {
    let mut stage = Stage::new();
    let v6: SocketAddr = "[2001:db8::1]:5".parse().expect("an address");
    stage.announce(&hash(1), addr(1), "&left=0&event=completed");
    stage.announce(&hash(1), addr(2), "&left=5");
    stage.announce(&hash(1), v6, "&left=5");
    stage.announce(&hash(2), addr(3), "&left=0");
    stage.pass(CENSUS_AFTER);
    let (file, _) = stage.census();

    let mut later = Stage::new();
    assert_eq!(later.service.restore(later.now, Span::from_secs(60), &file), Ok(4));
    later.service.check();
    assert_eq!(later.service.counts().torrents, 2);
    assert_eq!(later.service.counts().seeds, 2);
    let reply = later.announce(&hash(1), addr(9), "&left=5");
    assert_eq!((reply.seeds, reply.leechers), (Some(1), Some(3)));
    assert_eq!(sorted(reply), ["10.0.0.1:6881", "10.0.0.2:6881", "[2001:db8::1]:5"]);
    // Whose `completed` was counted is remembered, too.
    later.announce(&hash(1), addr(1), "&left=0&event=completed");
    assert_eq!(later.completed(&hash(1)), 1);
}

#[test]
fn time_goes_on_while_a_tracker_is_away() {
    let mut stage = Stage::new();
    stage.announce(&hash(1), addr(1), "");
    stage.pass(Span::from_secs(30 * 60));
    stage.announce(&hash(1), addr(2), "");
    let (file, _) = stage.census();
    // The first has been silent for half an hour, and may be for three quarters.
    for (gone_mins, left) in [(0, 2), (14, 2), (16, 1), (44, 1), (46, 0), (1 << 20, 0)] {
        let mut later = Stage::new();
        let gone = Span::from_secs(gone_mins * 60);
        assert_eq!(later.service.restore(later.now, gone, &file), Ok(left), "{gone_mins} minutes");
        later.service.check();
        // And it goes on after that: whoever is not heard of is forgotten in time.
        later.pass(Span::from_secs(47 * 60));
        assert_eq!(later.service.counts().peers, 0, "{gone_mins} minutes");
    }
}

#[test]
fn a_census_follows_a_change_and_nothing_else() {
    let mut stage = Stage::new();
    assert_eq!(stage.service.census_deadline(), None);
    assert_eq!(stage.service.next_part(stage.now), None);
    stage.announce(&hash(1), addr(1), "");
    let due = stage.now + CENSUS_AFTER;
    assert_eq!(stage.service.census_deadline(), Some(due));
    stage.now += Span::from_millis(4_999);
    assert_eq!(stage.service.next_part(stage.now), None, "not yet");
    stage.now = due;
    stage.census();
    assert!(!stage.service.is_census_pending(), "nothing new");
    // Changes while it is taken, or right after, wait for the next one.
    stage.now += Span::from_millis(1_000);
    stage.announce(&hash(1), addr(2), "");
    assert_eq!(stage.service.census_deadline(), Some(due + CENSUS_APART));
    stage.now = due + CENSUS_APART;
    assert_eq!(stage.service.next_part(stage.now), Some(Part::Begin));
    stage.announce(&hash(1), addr(3), "");
    assert_eq!(stage.service.census_deadline(), None, "the last part must be written first");
    assert!(matches!(stage.service.next_part(stage.now), Some(Part::Swarms(_))));
    assert_eq!(stage.service.next_part(stage.now), Some(Part::End));
    assert_eq!(stage.service.census_deadline(), Some(stage.now + CENSUS_APART));
}

#[test]
fn a_census_that_cannot_be_written_is_begun_again_later() {
    let mut stage = Stage::new();
    stage.announce(&hash(1), addr(1), "");
    stage.now += CENSUS_AFTER;
    assert_eq!(stage.service.next_part(stage.now), Some(Part::Begin));
    stage.service.census_failed(stage.now);
    assert_eq!(stage.service.next_part(stage.now), None);
    assert_eq!(stage.service.census_deadline(), Some(stage.now + CENSUS_RETRY));
    stage.now += CENSUS_RETRY;
    stage.census();
}

#[test]
fn the_last_census_is_taken_at_once_and_is_the_last() {
    let mut stage = Stage::new();
    stage.service.last_census(stage.now);
    assert!(!stage.service.is_census_pending(), "there is nothing to tell");

    for has_begun in [false, true] {
        let mut stage = Stage::new();
        stage.announce(&hash(1), addr(1), "");
        if has_begun {
            stage.now += CENSUS_AFTER;
            assert_eq!(stage.service.next_part(stage.now), Some(Part::Begin));
        }
        stage.announce(&hash(1), addr(2), "");
        stage.service.last_census(stage.now);
        stage.announce(&hash(1), addr(3), "");
        let (file, _) = stage.census();
        stage.announce(&hash(1), addr(4), "");
        assert!(!stage.service.is_census_pending());
        assert_eq!(Stage::new().service.restore(stage.now, Span::ZERO, &file), Ok(3));
    }

    // A disk that fails then is not waited for.
    let mut stage = Stage::new();
    stage.announce(&hash(1), addr(1), "");
    stage.service.last_census(stage.now);
    assert_eq!(stage.service.next_part(stage.now), Some(Part::Begin));
    stage.service.census_failed(stage.now);
    assert!(!stage.service.is_census_pending());
}

#[test]
fn a_tracker_that_is_not_kept_takes_none() {
    let mut stage = Stage::new();
    stage.service = Service::new(Policy::default(), 7);
    stage.announce(&hash(1), addr(1), "");
    assert_eq!((stage.service.census_deadline(), stage.service.is_census_pending()), (None, false));
}

#[test]
fn parts_are_small_and_reach_everybody() {
    let mut stage = Stage::new();
    for number in 0..30_000 {
        stage.announce(
            &hash(number / 3),
            addr(number),
            if number % 3 == 0 { "&left=0" } else { "" },
        );
    }
    stage.pass(Span::from_secs(600));
    let (file, parts) = stage.census();
    assert!(parts.len() >= 2, "{} parts", parts.len());
    // Ten thousand swarms of three: a head costs more than its peers.
    assert!(parts.iter().all(|part| *part < CENSUS_SLOTS_PER_TURN * 8), "{parts:?}");
    let mut later = Stage::new();
    assert_eq!(later.service.restore(later.now, Span::ZERO, &file), Ok(30_000));
    later.service.check();
    // Who gets smaller meanwhile remembers less, and not more than it may.
    let policy = Policy { peers_max: 1_000, torrents_max: 900, ..Policy::default() };
    let mut small = Stage::with(policy);
    assert_eq!(small.service.restore(small.now, Span::ZERO, &file), Ok(1_000));
    small.service.check();
    // The more it writes, the longer it rests.
    stage.announce(&hash(1), addr(1), "");
    let pause = stage.service.census_deadline().expect("a change").since(stage.now);
    assert!(pause > Span::from_secs(90), "{pause:?}");
}

#[test]
fn a_swarm_that_changes_between_parts_is_whole_all_the_same() {
    let mut stage = Stage::new();
    for number in 0..12_000 {
        stage.announce(&hash(number), addr(number), "");
    }
    stage.pass(Span::from_secs(600));
    assert_eq!(stage.service.next_part(stage.now), Some(Part::Begin));
    let mut file = Vec::new();
    write_head(1, &mut file);
    let mut number = 0;
    while let Some(Part::Swarms(part)) = stage.service.next_part(stage.now) {
        file.extend(part);
        // Some come, some leave, before and behind the place where it stands.
        for _ in 0..500 {
            stage.announce(&hash(number * 7 % 12_000), addr(20_000 + number), "");
            stage.announce(&hash(number * 5 % 12_000), addr(number * 5 % 12_000), "&event=stopped");
            number += 1;
        }
    }
    let mut digest = Digest::new();
    digest.update(&file);
    write_end(digest, &mut file);
    let mut later = Stage::new();
    let peers = later.service.restore(later.now, Span::ZERO, &file).expect("whole swarms");
    assert!((10_000..14_000).contains(&peers), "{peers}");
    later.service.check();
}

/// Run by hand, in a release build: the longest call with a million peers.
#[test]
#[ignore = "takes seconds and prints times"]
fn how_long_a_million_peers_take() {
    for swarms in [1, 100, 100_000] {
        let mut stage = Stage::new();
        for number in 0..1_000_000 {
            stage.announce(&hash(number % swarms), addr(number), "&numwant=0");
        }
        stage.now += Span::from_secs(3_600 * 24);
        // The best of several: others use this machine, too.
        let mut best = std::time::Duration::MAX;
        let (mut parts, mut file) = (0, Vec::new());
        for _ in 0..5 {
            stage.announce(&hash(0), addr(0), "&numwant=0");
            stage.now += Span::from_secs(3_600);
            let mut longest = std::time::Duration::ZERO;
            (parts, file) = (0, Vec::new());
            write_head(1, &mut file);
            loop {
                let begun = std::time::Instant::now();
                let part = stage.service.next_part(stage.now);
                longest = longest.max(begun.elapsed());
                let Some(part) = part else { break };
                if let Part::Swarms(part) = &part {
                    parts += 1;
                    file.extend_from_slice(part);
                }
            }
            best = best.min(longest);
        }
        let bytes = file.len();
        let mut digest = Digest::new();
        digest.update(&file);
        write_end(digest, &mut file);
        let mut later = Stage::new();
        let begun = std::time::Instant::now();
        later.service.restore(later.now, Span::ZERO, &file).expect("whole");
        eprintln!(
            "{swarms} swarms: {parts} parts, {bytes} bytes, longest {best:?}; read back in {:?}",
            begun.elapsed()
        );
    }
}
