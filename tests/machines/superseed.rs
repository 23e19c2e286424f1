//! The super-seed: whom it shows what, and when; pieces as numbers.

use swarmlet::base::limits::{SUPER_SEED_FIRST, SUPER_SEED_OPEN_MAX, SUPER_SEED_PATIENCE};
use swarmlet::base::{Bits, ConnId, PieceIndex, Random, Span, Time};
use swarmlet::torrent::superseed::{Neighbour, SuperSeed};

const PIECES: u32 = 8;

/// A super-seed, and what its peers have.
struct Bench {
    seed: SuperSeed,
    now: Time,
    random: Random,
    peers: Vec<Peer>,
}

struct Peer {
    conn: ConnId,
    have: Bits,
    interested: bool,
    done: bool,
}

fn piece(index: u32) -> PieceIndex {
    PieceIndex::checked(index)
}

impl Bench {
    fn new(peers: u32) -> Bench {
        let (seed, now) = (SuperSeed::new(PIECES), Time::START);
        let mut bench = Bench { seed, now, random: Random::new(1), peers: Vec::new() };
        (0..peers).for_each(|_| bench.join());
        bench.now += SUPER_SEED_FIRST;
        bench
    }

    fn join(&mut self) {
        let slot = u32::try_from(self.peers.len()).expect("a few");
        let conn = ConnId { slot, generation: 0 };
        let have = Bits::none(PIECES);
        self.seed.on_join(self.now, conn);
        self.peers.push(Peer { conn, have, interested: true, done: false });
    }

    fn gone(&mut self, peer: usize) {
        let peer = self.peers.remove(peer);
        self.seed.on_gone(self.now, peer.conn);
    }

    /// Pieces that were shown now: by peer, how they stand in `peers`.
    fn reveal(&mut self) -> Vec<(usize, u32)> {
        let neighbours: Vec<Neighbour<'_>> = self
            .peers
            .iter()
            .map(|Peer { conn, have, interested, done }| Neighbour {
                conn: *conn,
                have,
                interested: *interested,
                done: *done,
            })
            .collect();
        let count = |of: PieceIndex| self.peers.iter().filter(|peer| peer.have.has(of)).count();
        let holders = |piece| u32::try_from(count(piece)).expect("a few");
        let ours = Bits::all(PIECES);
        let shown = self.seed.reveal(self.now, &neighbours, &ours, holders, &mut self.random);
        self.seed.check();
        assert!(self.seed.deadline().is_none_or(|due| due > self.now), "it would spin");
        let at = |conn| self.peers.iter().position(|peer| peer.conn == conn).expect("it is there");
        shown.into_iter().map(|(conn, piece)| (at(conn), piece.get())).collect()
    }

    fn has(&mut self, peer: usize, index: u32) {
        self.peers[peer].have.set(piece(index));
    }

    fn interest(&mut self, peer: usize, interested: bool) {
        self.peers[peer].interested = interested;
        self.seed.on_interest(self.now, self.peers[peer].conn, interested);
    }
}

fn of(shown: &[(usize, u32)], peer: usize) -> Vec<u32> {
    shown.iter().filter(|(who, _)| *who == peer).map(|(_, piece)| *piece).collect()
}

#[test]
fn nobody_is_shown_what_others_were_and_not_before_it_could_say_what_it_has() {
    let mut bench = Bench::new(3);
    bench.now = Time::START;
    assert_eq!(bench.reveal(), []);
    assert_eq!(bench.seed.deadline(), Some(Time::START + SUPER_SEED_FIRST));
    bench.now = Time::START + SUPER_SEED_FIRST;
    bench.has(0, 5);
    let shown = bench.reveal();
    let mut pieces: Vec<u32> = shown.iter().map(|(_, piece)| *piece).collect();
    pieces.sort_unstable();
    pieces.dedup();
    assert_eq!(pieces.len(), 3 * SUPER_SEED_OPEN_MAX, "no piece twice: {shown:?}");
    assert!(!pieces.contains(&5), "somebody has that one already");
    let conn = bench.peers[0].conn;
    let visible: Vec<u32> = Bits::iter(bench.seed.shown(conn).unwrap()).map(|p| p.get()).collect();
    let mut told = of(&shown, 0);
    told.sort_unstable();
    assert_eq!(visible, told);
    assert_eq!(bench.reveal(), [], "they have not passed anything on");
}

#[test]
fn the_next_piece_is_shown_when_another_peer_has_the_last_and_only_then() {
    let mut bench = Bench::new(3);
    let shown = bench.reveal();
    let [first, second] = of(&shown, 0)[..] else { panic!("{shown:?}") };
    // It says that it has it: that alone is nothing.
    bench.has(0, first);
    assert_eq!(bench.reveal(), []);
    // Another peer has it: passed on. The rarest that is left are the two that nobody was shown.
    bench.has(1, first);
    let next = bench.reveal();
    assert_eq!(next.len(), 1, "{next:?}");
    let (who, piece) = next[0];
    assert_eq!(who, 0);
    assert!(shown.iter().all(|&(_, old)| old != piece), "a new one");
    // Who does not tell us what we claim to have passed the other one on all the same.
    bench.has(2, second);
    assert_eq!(bench.reveal().len(), 1);
}

#[test]
fn who_is_alone_and_done_with_what_it_was_shown_is_shown_more() {
    let mut bench = Bench::new(1);
    let mut seen = bench.reveal().len();
    while seen < PIECES as usize {
        assert_eq!(bench.reveal(), []);
        bench.interest(0, false);
        let shown = bench.reveal();
        assert_eq!(shown.len(), SUPER_SEED_OPEN_MAX);
        bench.interest(0, true);
        seen += shown.len();
    }
    bench.interest(0, false);
    assert_eq!(bench.reveal(), []);
    assert_eq!(bench.seed.deadline(), None, "there is nothing left to wait for");
}

#[test]
fn who_passes_nothing_on_is_shown_one_more_after_a_while_but_not_who_still_waits_for_us() {
    let mut bench = Bench::new(2);
    bench.reveal();
    bench.interest(0, false);
    let since = bench.now;
    bench.now = since + (SUPER_SEED_PATIENCE - Span::from_millis(1));
    assert_eq!(bench.reveal(), []);
    bench.now = since + SUPER_SEED_PATIENCE;
    let shown = bench.reveal();
    assert_eq!(of(&shown, 0).len(), SUPER_SEED_OPEN_MAX, "{shown:?}");
    assert!(of(&shown, 1).is_empty(), "it is interested: it waits for its turn");
}

#[test]
fn what_somebody_took_away_is_shown_to_another() {
    let mut bench = Bench::new(4);
    let shown = bench.reveal();
    assert_eq!(shown.len(), PIECES as usize, "every piece is with somebody");
    let taken = of(&shown, 3);
    bench.gone(3);
    bench.join();
    bench.now += SUPER_SEED_FIRST;
    let mut again = of(&bench.reveal(), 3);
    again.sort_unstable();
    let mut taken = taken.clone();
    taken.sort_unstable();
    assert_eq!(again, taken);
}

#[test]
fn who_wants_nothing_is_shown_nothing() {
    let mut bench = Bench::new(2);
    bench.peers[0].done = true;
    bench.peers[1].have = Bits::all(PIECES);
    assert_eq!(bench.reveal(), []);
    assert_eq!(bench.seed.deadline(), None);
}

#[test]
fn it_is_over_when_two_others_or_all_there_are_have_everything() {
    // Peers that have everything, peers in all.
    for (whole, all, over) in
        [(0, 0, false), (0, 1, false), (1, 1, true), (1, 2, false), (2, 9, true)]
    {
        let (full, none) = (Bits::all(PIECES), Bits::none(PIECES));
        let neighbours: Vec<Neighbour<'_>> = (0..all)
            .map(|slot| Neighbour {
                conn: ConnId { slot, generation: 0 },
                have: if slot < whole { &full } else { &none },
                interested: true,
                done: slot < whole,
            })
            .collect();
        assert_eq!(SuperSeed::new(PIECES).is_over(&neighbours), over, "{whole} of {all}");
    }
}
