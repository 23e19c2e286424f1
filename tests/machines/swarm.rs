//! Swarms and their tables: who is there, who is handed out, who is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swarmlet::base::limits::HALL_TABLE_PEERS_MAX;
use swarmlet::base::{Random, Span, Time};
use swarmlet::format::announce::{Event, Tally};
use swarmlet::tracker::hall::Hall;
use swarmlet::tracker::swarm::{Found, Moment, Spot, Swarm, Visit};
use swarmlet::tracker::table::{Minute, Stamp, Table};

const SEED: u64 = 0x5eed;

// ── The table ───────────────────────────────────────────────────────────────────────────────

/// A table and what it should hold.
struct Twin {
    table: Table<6>,
    model: BTreeMap<[u8; 6], Stamp>,
}

impl Twin {
    fn step(&mut self, random: &mut Random, addrs: usize) {
        let number = u32::try_from(random.below(addrs)).expect("small");
        let mut addr = [10, 0, 0, 0, 1, 1];
        addr[..4].copy_from_slice(&number.to_be_bytes());
        assert_eq!(self.table.has(SEED, &addr), self.model.contains_key(&addr));
        let minute = Minute::of(Time::from_millis(random.next_u64() % 3_600_000));
        match random.below(4) {
            0 => assert_eq!(self.table.remove(SEED, &addr), self.model.remove(&addr)),
            1 => self.lift(addr),
            _ => {
                let stamp = Stamp::new(minute, random.below(2) == 0);
                self.table.remove(SEED, &addr);
                self.table.insert(SEED, addr, stamp);
                self.model.insert(addr, stamp);
            }
        }
    }

    /// Takes a peer out for a moment, in which it is not picked.
    fn lift(&mut self, addr: [u8; 6]) {
        let gap = self.table.lift(SEED, &addr);
        assert_eq!(gap.as_ref().map(|gap| gap.stamp), self.model.get(&addr).copied());
        if let Some(gap) = gap {
            let mut picked = Vec::new();
            self.table.pick(&mut Random::new(1), usize::MAX, |_| true, &mut picked);
            assert_eq!((picked.len(), picked.contains(&addr)), (self.model.len() - 1, false));
            let stamp = gap.stamp;
            self.table.put_back(gap, addr, stamp);
        }
    }

    fn sweep(&mut self, before: u16) {
        let fresh = |stamp: Stamp| stamp.minute().since(Minute::default()) >= before;
        self.table.sweep(SEED, fresh);
        self.model.retain(|_, stamp| fresh(*stamp));
    }

    fn compare(&self) {
        self.table.check(SEED);
        let mut picked = Vec::new();
        let all = usize::MAX;
        let count = self.table.pick(&mut Random::new(1), all, |_| true, &mut picked);
        assert_eq!(count, self.model.len());
        let found: BTreeSet<[u8; 6]> = picked.into_iter().collect();
        assert!(found.iter().eq(self.model.keys()));
    }
}

#[test]
fn a_table_holds_what_a_plain_map_holds() {
    for addrs in [1, 2, 3, 8, 9, 20, 200, 2_000] {
        let mut random = Random::new(addrs as u64);
        let mut twin = Twin { table: Table::new(), model: BTreeMap::new() };
        for round in 0..40 {
            for _ in 0..addrs.min(200) {
                twin.step(&mut random, addrs);
            }
            twin.compare();
            if round % 8 == 7 {
                twin.sweep(u16::try_from(random.below(60)).expect("small"));
                twin.compare();
            }
        }
        twin.sweep(u16::MAX);
        twin.compare();
        assert_eq!(twin.table.slot_count(), 0, "an empty table takes no memory");
    }
}

#[test]
#[ignore = "takes seconds and prints times"]
fn how_long_a_sweep_of_many_peers_takes() {
    for (count, gone) in
        [(10_000, 10_000), (10_000, 5_000), (1_000_000, 1_000_000), (1_000_000, 500_000)]
    {
        let mut table: Table<6> = Table::new();
        for number in 0..count {
            let [a, b, c, d] = u32::to_be_bytes(number);
            let minute = if number < gone { 0 } else { 60_000 };
            let stamp = Stamp::new(Minute::of(Time::from_millis(minute)), false);
            table.insert(SEED, [a, b, c, d, 1, 1], stamp);
        }
        let begun = std::time::Instant::now();
        table.sweep(SEED, |stamp| stamp.minute() != Minute::default());
        println!("{gone} of {count} leave: {:?}", begun.elapsed());
        assert_eq!(table.len(), usize::try_from(count - gone).expect("small"));
    }
}

#[test]
fn a_peer_takes_some_ten_bytes_at_any_size() {
    let mut table: Table<6> = Table::new();
    let mut worst = 0;
    for number in 0..100_000u32 {
        let [a, b, c, d] = number.to_be_bytes();
        table.insert(SEED, [a, b, c, d, 1, 1], Stamp::default());
        if table.len() > 1_000 {
            worst = worst.max(table.slot_count() * 8 * 1_000 / table.len());
        }
    }
    assert!(worst < 12_500, "{worst} bytes for a thousand peers");
    table.sweep(SEED, |_| true);
    assert_eq!(table.len(), 100_000);
    table.sweep(SEED, |_| false);
    assert_eq!((table.len(), table.slot_count()), (0, 0));
}

#[test]
fn a_window_is_a_random_sample() {
    let mut table: Table<6> = Table::new();
    for number in 0..100u8 {
        table.insert(SEED, [10, 0, 0, number, 1, 1], Stamp::default());
    }
    let mut random = Random::new(7);
    let mut drawn = [0u32; 100];
    for _ in 0..10_000 {
        let mut picked = Vec::new();
        assert_eq!(table.pick(&mut random, 10, |_| true, &mut picked), 10);
        let found: BTreeSet<u8> = picked.iter().map(|addr| addr[3]).collect();
        assert_eq!(found.len(), 10, "nobody twice");
        found.iter().for_each(|number| drawn[usize::from(*number)] += 1);
    }
    // Each is drawn 1,000 times on average; gaps between slots make some luckier.
    let (least, most) = (drawn.iter().min(), drawn.iter().max());
    assert!(least > Some(&400) && most < Some(&2_000), "{least:?} to {most:?}");
}

// ── The hall ────────────────────────────────────────────────────────────────────────────────

/// A peer of its own for each number.
fn peer(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [a, b, c, d, 1, 1]
}

/// Forgets all but `kept` of so many; returns the slots that the sweep looked at in each step.
fn sweep_hall(hall: &mut Hall<6>, before: u32, kept: u32) -> Vec<usize> {
    for number in kept..before {
        let gap = hall.lift(SEED, &peer(number)).expect("it is there");
        hall.put_back(gap, peer(number), Stamp::new(Minute::default(), true));
    }
    let mut steps = Vec::new();
    while let Some(slots) = hall.sweep(SEED, steps.len(), |stamp| !stamp.completed()) {
        steps.push(slots);
    }
    hall.check(SEED);
    steps
}

#[test]
fn no_step_in_a_hall_looks_at_more_than_a_small_table() {
    let mut hall: Hall<6> = Hall::new();
    let few = u32::try_from(HALL_TABLE_PEERS_MAX).expect("few");
    let all = 12 * few;
    // What a growth copies, and what an only table is taken apart of: a quarter above its peers.
    let mut most_slots = 0;
    for number in 0..all {
        hall.insert(SEED, peer(number), Stamp::default());
        if number % 64 == 0 {
            most_slots = most_slots.max(hall.slots_at_once());
        }
    }
    hall.check(SEED);
    assert!(most_slots < HALL_TABLE_PEERS_MAX * 3 / 2, "{most_slots} slots");
    assert!(hall.slot_count() * 8 < hall.len() * 12, "{} slots", hall.slot_count());
    let steps = sweep_hall(&mut hall, all, few);
    assert_eq!((hall.len(), steps.len()), (HALL_TABLE_PEERS_MAX, 256));
    assert!(steps.iter().all(|&slots| slots < 2_000), "{steps:?}");
    assert!((0..all).all(|number| hall.has(SEED, &peer(number)) == (number < few)));
    // The last few come together, and a few more stay there.
    assert_eq!(sweep_hall(&mut hall, few, few / 8).len(), 256);
    assert_eq!(sweep_hall(&mut hall, few / 8, few / 8).len(), 1);
    (few..few + 100).for_each(|number| hall.insert(SEED, peer(number), Stamp::default()));
    assert_eq!(sweep_hall(&mut hall, 0, 0).len(), 1);
    assert!((0..few / 8).all(|number| hall.has(SEED, &peer(number))));
    assert_eq!(hall.len(), HALL_TABLE_PEERS_MAX / 8 + 100);
}

#[test]
fn who_leaves_and_comes_back_is_in_a_hall_once() {
    let mut hall: Hall<6> = Hall::new();
    let all = u32::try_from(2 * HALL_TABLE_PEERS_MAX).expect("few");
    (0..all).for_each(|number| hall.insert(SEED, peer(number), Stamp::default()));
    let mut random = Random::new(2);
    let mut gone = BTreeSet::new();
    for _ in 0..2_000 {
        let number = random.next_u64() as u32 % all;
        match hall.lift(SEED, &peer(number)) {
            None => assert!(gone.remove(&number)),
            Some(gap) if random.below(2) == 0 => {
                hall.put_back(gap, peer(number), Stamp::default());
                continue;
            }
            Some(gap) => {
                hall.close(SEED, gap);
                assert!(gone.insert(number));
                continue;
            }
        }
        hall.insert(SEED, peer(number), Stamp::default());
    }
    hall.check(SEED);
    assert_eq!(hall.len() + gone.len(), 2 * HALL_TABLE_PEERS_MAX);
    assert!(gone.iter().all(|&number| !hall.has(SEED, &peer(number))));
}

#[test]
fn a_sample_of_a_hall_is_of_all_its_tables_and_costs_no_walk_over_all() {
    let mut hall: Hall<6> = Hall::new();
    let all = u32::try_from(4 * HALL_TABLE_PEERS_MAX).expect("few");
    (0..all).for_each(|number| hall.insert(SEED, peer(number), Stamp::default()));
    let mut random = Random::new(7);
    let mut quarters = [0; 4];
    for _ in 0..1_000 {
        let mut picked = Vec::new();
        // More than one table has.
        assert_eq!(hall.pick(&mut random, 400, |_| true, &mut picked), 400);
        let numbers =
            picked.iter().map(|peer| u32::from_be_bytes([peer[0], peer[1], peer[2], peer[3]]));
        let found: BTreeSet<u32> = numbers.collect();
        assert_eq!(found.len(), 400, "nobody twice");
        found.iter().for_each(|number| quarters[(number / (all / 4)) as usize] += 1);
    }
    assert!(quarters.iter().all(|count| (95_000..105_000).contains(count)), "{quarters:?}");
    let looked = std::cell::Cell::new(0);
    let stale = &|_| {
        looked.set(looked.get() + 1);
        false
    };
    assert_eq!(hall.pick(&mut random, 50, stale, &mut Vec::new()), 0);
    assert!(looked.get() < HALL_TABLE_PEERS_MAX + 1_000, "{} peers", looked.get());
}

#[test]
fn minutes_go_round() {
    let at = |minutes: u64| Minute::of(Time::from_millis(minutes * 60_000));
    for (now, then, mins) in
        [(5, 5, 0), (50, 5, 45), (32_768 + 5, 32_760, 13), (5, 6, 32_767), (100_000, 99_999, 1)]
    {
        assert_eq!(at(now).since(at(then)), mins);
    }
    for completed in [false, true] {
        let stamp = Stamp::new(at(32_767), completed);
        assert_eq!((stamp.minute(), stamp.completed()), (at(32_767), completed));
    }
}

// ── The swarm ───────────────────────────────────────────────────────────────────────────────

/// A swarm, and a clock and randomness for it.
struct Stage {
    swarm: Swarm,
    now: Time,
    random: Random,
    found: Found,
}

impl Stage {
    fn new() -> Stage {
        let found = Found::default();
        Stage { swarm: Swarm::default(), now: Time::START, random: Random::new(3), found }
    }

    fn visit(&mut self, addr: &str, is_seed: bool, event: Event, wanted: usize) -> Vec<SocketAddr> {
        let addr = addr.parse().expect("an address");
        let visit = Visit { addr, is_seed, event, wanted };
        let (minute, random) = (Minute::of(self.now), &mut self.random);
        let mut moment = Moment { minute, silence_max_mins: 45, seed: SEED, random };
        self.swarm.announce(&mut moment, &visit, &mut self.found);
        self.swarm.check(SEED);
        self.found()
    }

    fn leecher(&mut self, addr: &str) -> Vec<SocketAddr> {
        self.visit(addr, false, Event::Started, 50)
    }

    fn seed(&mut self, addr: &str) -> Vec<SocketAddr> {
        self.visit(addr, true, Event::Started, 50)
    }

    fn sweep(&mut self) {
        let (minute, random) = (Minute::of(self.now), &mut self.random);
        let moment = Moment { minute, silence_max_mins: 45, seed: SEED, random };
        let (slots, next) = self.swarm.sweep(&moment, Spot::default(), usize::MAX);
        assert!(slots >= self.swarm.slot_count() && next.is_none());
        self.swarm.check(SEED);
    }

    fn pass(&mut self, minutes: u64) {
        self.now += Span::from_secs(60 * minutes);
    }

    fn tally(&self) -> (u32, u32, u32) {
        let Tally { seeds, leechers, completed } = self.swarm.tally();
        (seeds, leechers, completed)
    }

    /// What was found: IPv4 first, each sorted.
    fn found(&self) -> Vec<SocketAddr> {
        let v4 = self.found.peers.iter().map(|bytes| {
            let ip: [u8; 4] = bytes[..4].try_into().expect("four");
            SocketAddr::from((ip, u16::from_be_bytes([bytes[4], bytes[5]])))
        });
        let v6 = self.found.peers6.iter().map(|bytes| {
            let ip: [u8; 16] = bytes[..16].try_into().expect("sixteen");
            SocketAddr::from((ip, u16::from_be_bytes([bytes[16], bytes[17]])))
        });
        let mut all: Vec<SocketAddr> = v4.chain(v6).collect();
        all.sort();
        all
    }
}

fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

#[test]
fn nobody_gets_itself_and_everybody_gets_the_others() {
    let mut stage = Stage::new();
    assert_eq!(stage.leecher("10.0.0.1:1"), []);
    assert_eq!(stage.leecher("10.0.0.1:1"), []);
    assert_eq!(stage.seed("10.0.0.2:1"), addrs(&["10.0.0.1:1"]));
    assert_eq!(stage.leecher("10.0.0.1:2"), addrs(&["10.0.0.1:1", "10.0.0.2:1"]));
    assert_eq!(stage.leecher("10.0.0.1:1"), addrs(&["10.0.0.1:2", "10.0.0.2:1"]));
    assert_eq!(stage.tally(), (1, 2, 0));
}

#[test]
fn both_families_meet_and_the_callers_own_comes_first() {
    let mut stage = Stage::new();
    stage.leecher("10.0.0.1:1");
    stage.leecher("[2001:db8::1]:1");
    assert_eq!(stage.leecher("10.0.0.2:1"), addrs(&["10.0.0.1:1", "[2001:db8::1]:1"]));
    let one = stage.visit("10.0.0.2:1", false, Event::Regular, 1);
    assert_eq!(one, addrs(&["10.0.0.1:1"]));
    let one = stage.visit("[2001:db8::2]:1", false, Event::Regular, 1);
    assert_eq!(one, addrs(&["[2001:db8::1]:1"]));
    // The same peer, seen through an IPv6 socket.
    stage.leecher("[::ffff:10.0.0.1]:1");
    assert_eq!(stage.tally(), (0, 4, 0));
}

#[test]
fn completed_counts_once_for_each_peer() {
    let mut stage = Stage::new();
    stage.leecher("10.0.0.1:1");
    stage.visit("10.0.0.1:1", true, Event::Completed, 0);
    assert_eq!(stage.tally(), (1, 0, 1));
    stage.visit("10.0.0.1:1", true, Event::Completed, 0);
    stage.visit("10.0.0.1:1", true, Event::Regular, 0);
    stage.visit("10.0.0.1:1", false, Event::Regular, 0);
    stage.visit("10.0.0.1:1", true, Event::Completed, 0);
    assert_eq!(stage.tally(), (1, 0, 1));
    stage.seed("10.0.0.2:1");
    assert_eq!(stage.tally(), (2, 0, 1), "a seed that comes has completed nothing here");
    stage.visit("10.0.0.3:1", false, Event::Completed, 0);
    assert_eq!(stage.tally(), (2, 1, 1), "who lacks something has completed nothing");
}

#[test]
fn who_stops_is_gone_at_once_and_gets_nobody_else_wrong() {
    let mut stage = Stage::new();
    stage.leecher("10.0.0.1:1");
    stage.seed("10.0.0.2:1");
    stage.visit("10.0.0.1:1", false, Event::Stopped, 0);
    assert_eq!(stage.tally(), (1, 0, 0));
    assert_eq!(stage.found(), []);
    // A farewell of somebody unknown is no arrival.
    stage.visit("10.0.0.9:1", false, Event::Stopped, 0);
    stage.visit("[::1]:1", false, Event::Stopped, 0);
    assert_eq!(stage.tally(), (1, 0, 0));
}

#[test]
fn who_is_silent_is_handed_out_no_more_and_then_forgotten() {
    let mut stage = Stage::new();
    stage.leecher("10.0.0.1:1");
    stage.seed("[2001:db8::1]:1");
    stage.pass(30);
    stage.leecher("10.0.0.2:1");
    stage.pass(15);
    let found = stage.leecher("10.0.0.2:1");
    assert_eq!(found, addrs(&["10.0.0.1:1", "[2001:db8::1]:1"]), "45 minutes are not too long");
    stage.pass(1);
    assert_eq!(stage.leecher("10.0.0.2:1"), []);
    assert_eq!(stage.tally(), (1, 2, 0));
    stage.sweep();
    assert_eq!(stage.tally(), (0, 1, 0));
    stage.pass(46);
    stage.sweep();
    assert!(stage.swarm.is_empty());
    assert_eq!(stage.swarm.slot_count(), 0);
}

#[test]
fn leechers_get_both_kinds_and_seeds_get_leechers_first() {
    let mut stage = Stage::new();
    for number in 0..90 {
        stage.seed(&format!("10.0.1.{number}:1"));
    }
    for number in 0..10 {
        stage.leecher(&format!("10.0.2.{number}:1"));
    }
    let kinds = |found: Vec<SocketAddr>| {
        let seeds = found.iter().filter(|addr| addr.to_string().starts_with("10.0.1.")).count();
        (seeds, found.len() - seeds)
    };
    let visit = |stage: &mut Stage, is_seed, wanted| {
        kinds(stage.visit("10.0.3.1:1", is_seed, Event::Regular, wanted))
    };
    assert_eq!(visit(&mut stage, false, 50), (45, 5));
    assert_eq!(visit(&mut stage, false, 1), (1, 0));
    assert_eq!(visit(&mut stage, false, 200), (90, 10));
    assert_eq!(visit(&mut stage, true, 5), (0, 5));
    assert_eq!(visit(&mut stage, true, 50), (40, 10));
    assert_eq!(visit(&mut stage, true, 0), (0, 0));
}

#[test]
fn a_life_of_announces_keeps_the_tables_in_order() {
    let mut stage = Stage::new();
    let mut random = Random::new(11);
    for step in 0..5_000 {
        let host = random.below(40);
        let addr = match random.below(3) {
            0 => format!("[2001:db8::{host:x}]:7"),
            _ => format!("10.0.0.{host}:7"),
        };
        let events = [Event::Regular, Event::Started, Event::Completed, Event::Stopped];
        let event = events[random.below(4)];
        let wanted = random.below(60);
        let found = stage.visit(&addr, random.below(2) == 0, event, wanted);
        assert!(found.len() <= wanted, "step {step}");
        assert!(!found.contains(&addr.parse().expect("an address")), "step {step}");
        let unique: BTreeSet<&SocketAddr> = found.iter().collect();
        assert_eq!(unique.len(), found.len(), "step {step}");
        if random.below(50) == 0 {
            stage.pass(20);
            stage.sweep();
        }
    }
}
