//! A net of a thousand DHT nodes in virtual time: delays, losses, deaths; what is announced is
//! found again, in few steps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddr};

use swarmlet::base::{InfoHash, Random, Span, Time};
use swarmlet::dht::{Act, Dht, Offer, Outcome, Settings};

/// What the network does to datagrams.
struct Weather {
    delay_millis: std::ops::Range<usize>,
    lost_per_mille: usize,
}

/// When it arrives, its number, who sent it, to whom, and what it says.
type Flying = Reverse<(Time, u64, usize, SocketAddr, Vec<u8>)>;

/// A net: nodes by number, and the datagrams that are on their way.
struct Net {
    now: Time,
    nodes: Vec<Option<Dht>>,
    numbers: BTreeMap<SocketAddr, usize>,
    /// By time, then by order of sending.
    flying: BinaryHeap<Flying>,
    /// When each node wants to be called.
    due: BinaryHeap<Reverse<(Time, usize)>>,
    sent: u64,
    bytes: u64,
    random: Random,
    weather: Weather,
    found: BTreeMap<(usize, InfoHash), Vec<SocketAddr>>,
    ended: BTreeMap<(usize, InfoHash), Outcome>,
}

/// Addresses all over the world, so that no two nodes share a network.
fn addr_of(number: usize) -> SocketAddr {
    let number = u32::try_from(number).expect("few nodes");
    let ip = Ipv4Addr::from(0x1400_0000 + number * 0x0000_4321);
    SocketAddr::from((ip, 6881))
}

fn torrent(number: usize) -> InfoHash {
    let mut hash = [0; 20];
    Random::new(u64::try_from(number).expect("few") + 77).fill(&mut hash);
    InfoHash(hash)
}

impl Net {
    fn new(seed: u64, weather: Weather) -> Net {
        Net {
            now: Time::START,
            nodes: Vec::new(),
            numbers: BTreeMap::new(),
            flying: BinaryHeap::new(),
            due: BinaryHeap::new(),
            sent: 0,
            bytes: 0,
            random: Random::new(seed),
            weather,
            found: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    fn join(&mut self, read_only: bool) -> usize {
        let number = self.nodes.len();
        let mut secret = [0; 20];
        self.random.fill(&mut secret);
        let settings =
            Settings { read_only, v4: true, v6: false, secret, seed: self.random.next_u64() };
        self.numbers.insert(addr_of(number), number);
        self.nodes.push(Some(Dht::new(self.now, settings)));
        if number > 0 {
            let entrance = addr_of(self.random.below(number.min(100)));
            self.with(number, |dht, now, out| dht.enter(now, entrance, true, out));
        }
        number
    }

    /// Lets one node do something, and carries out what it wants.
    fn with(&mut self, number: usize, act: impl FnOnce(&mut Dht, Time, &mut Vec<Act>)) {
        let now = self.now;
        let Some(dht) = &mut self.nodes[number] else { return };
        let mut out = Vec::new();
        act(dht, now, &mut out);
        let deadline = dht.deadline();
        for act in out {
            match act {
                Act::Send { to, bytes } => self.send(number, to, bytes),
                Act::Found { info_hash, peers } => {
                    self.found.entry((number, info_hash)).or_default().extend(peers);
                }
                Act::Ended { info_hash, outcome } => {
                    self.ended.insert((number, info_hash), outcome);
                }
            }
        }
        if let Some(at) = deadline {
            self.due.push(Reverse((at.max(now + Span::from_millis(1)), number)));
        }
    }

    fn send(&mut self, from: usize, to: SocketAddr, bytes: Vec<u8>) {
        assert!(bytes.len() <= 1024);
        self.sent += 1;
        self.bytes += u64::try_from(bytes.len()).expect("small");
        if self.random.below(1000) < self.weather.lost_per_mille {
            return;
        }
        let range = &self.weather.delay_millis;
        let delay = range.start + self.random.below(range.len());
        let at = self.now + Span::from_millis(u64::try_from(delay).expect("small"));
        self.flying.push(Reverse((at, self.sent, from, to, bytes)));
    }

    fn run(&mut self, span: Span) {
        let end = self.now + span;
        loop {
            let datagram = self.flying.peek().map(|Reverse((at, ..))| *at);
            let due = self.due.peek().map(|Reverse((at, _))| *at);
            let next = [datagram, due].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = next;
            if datagram == Some(next) {
                let Some(Reverse((_, _, from, to, bytes))) = self.flying.pop() else { break };
                if let Some(&number) = self.numbers.get(&to) {
                    let from = addr_of(from);
                    self.with(number, |dht, now, out| dht.on_datagram(now, from, &bytes, out));
                }
            } else {
                let Some(Reverse((at, number))) = self.due.pop() else { break };
                // Wishes of the past that were overtaken cost nothing.
                let wants = self.nodes[number].as_ref().and_then(Dht::deadline);
                if wants.is_some_and(|wants| wants <= at) {
                    self.with(number, |dht, now, out| dht.tick(now, out));
                }
            }
        }
        self.now = end;
    }

    fn check(&self) {
        self.nodes.iter().flatten().for_each(Dht::check);
    }
}

/// What many look-ups came to.
struct Tally {
    asked: usize,
    found: usize,
    outcomes: Vec<Outcome>,
}

impl Tally {
    fn mean(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        let count = u32::try_from(self.outcomes.len()).expect("few");
        self.outcomes.iter().map(of).sum::<f64>() / f64::from(count)
    }

    fn max(&self, of: impl Fn(&Outcome) -> u8) -> u8 {
        self.outcomes.iter().map(of).max().expect("somebody asked")
    }

    fn show(&self, what: &str) {
        let at_hop = |outcome: &Outcome| outcome.peers_at_hop.unwrap_or(0);
        println!(
            "{what}: {} of {} found; first peers at hop {:.2}, at most {}; nearest nodes at hop \
             {:.2}, at most {}; {:.1} questions each",
            self.found,
            self.asked,
            self.mean(|outcome| f64::from(at_hop(outcome))),
            self.max(at_hop),
            self.mean(|outcome| f64::from(outcome.hops)),
            self.max(|outcome| outcome.hops),
            self.mean(|outcome| f64::from(outcome.queries)),
        );
    }
}

/// Nodes and torrents of the story.
const NODES: usize = 1_000;
const TORRENTS: usize = 200;

/// A net into which a new node comes every tenth of a second, through one of those that are there.
fn grown_net() -> Net {
    let mut net = Net::new(1, Weather { delay_millis: 10..200, lost_per_mille: 20 });
    for _ in 0..NODES {
        net.join(false);
        net.run(Span::from_millis(100));
    }
    net.run(Span::from_secs(120));
    net
}

/// Somebody announces each torrent.
fn announce_all(net: &mut Net) {
    for number in 0..TORRENTS {
        let who = net.random.below(NODES);
        net.with(who, |dht, now, out| {
            dht.follow(now, torrent(number), Some(Offer { port: 7000, seed: false }));
            dht.tick(now, out);
        });
        net.run(Span::from_millis(500));
    }
    net.run(Span::from_secs(30));
    net.ended.clear();
    net.found.clear();
}

/// Two nodes, by lot, look for each torrent.
fn look_for_all(net: &mut Net) -> Tally {
    let mut asked = Vec::new();
    for number in 0..TORRENTS * 2 {
        let info_hash = torrent(number % TORRENTS);
        let mut who = net.random.below(NODES);
        while net.nodes[who].is_none() {
            who = net.random.below(NODES);
        }
        net.with(who, |dht, now, out| {
            assert!(dht.look_up(now, info_hash));
            dht.tick(now, out);
        });
        asked.push((who, info_hash));
        net.run(Span::from_millis(100));
    }
    net.run(Span::from_secs(60));
    net.check();
    let found = asked.iter().filter(|ask| net.found.contains_key(ask)).count();
    let outcomes = asked.iter().filter_map(|ask| net.ended.get(ask)).copied().collect();
    net.ended.clear();
    net.found.clear();
    Tally { asked: asked.len(), found, outcomes }
}

#[test]
fn announces_in_a_net_of_a_thousand_nodes_are_found_again_in_few_steps() {
    let mut net = grown_net();
    let joined = net.nodes.iter().flatten().filter(|dht| dht.figures(net.now).joined).count();
    assert_eq!(joined, NODES);
    let figures: Vec<_> = net.nodes.iter().flatten().map(|dht| dht.figures(net.now)).collect();
    let nodes: usize = figures.iter().map(|figures| figures.nodes[0]).sum();
    let bytes: usize = figures.iter().map(|figures| figures.table_bytes).sum();
    println!("a table: {} nodes, {} bytes", nodes / NODES, bytes / NODES);
    // Seven full buckets, and whoever is nearer; with the spares, 64 bytes each.
    assert!((50..80).contains(&(nodes / NODES)), "{nodes}");
    assert!(bytes / NODES < 10 * 1024, "{bytes}");

    announce_all(&mut net);
    let calm = look_for_all(&mut net);
    calm.show("all nodes there");
    assert!(calm.found * 100 >= calm.asked * 99);
    assert_eq!(calm.outcomes.len(), calm.asked, "every look-up ends");
    // log2(1000) is 10; buckets of eight save three steps of it.
    assert!(calm.max(|outcome| outcome.hops) <= 7);
    assert!(calm.mean(|outcome| f64::from(outcome.hops)) < 4.0);
    assert!(calm.mean(|outcome| f64::from(outcome.queries)) < 20.0);

    // A fifth of all nodes goes without a word.
    for number in 0..NODES / 5 {
        net.nodes[number * 5] = None;
    }
    let rough = look_for_all(&mut net);
    rough.show("a fifth of them gone");
    assert!(rough.found * 100 >= rough.asked * 99);
    println!("{} datagrams, {} bytes in all", net.sent, net.bytes);
}
