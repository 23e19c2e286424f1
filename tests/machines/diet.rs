//! Diet: how much memory is used on the left, what a node allows itself on the right.

use swarmlet::engine::diet::{Diet, Level};

const MIB: u64 = 1 << 20;

#[test]
#[rustfmt::skip]
fn the_nearer_the_limit_the_shorter_the_rations() {
    let rows = [
        (0,                  Level::Plenty, 500),
        (24 * MIB - 1,       Level::Plenty, 500),
        (24 * MIB,           Level::Tight,  64),
        (28 * MIB,           Level::Tight,  64),
        (29 * MIB,           Level::Short,  16),
        (32 * MIB - 1,       Level::Short,  16),
        (32 * MIB,           Level::Over,   4),
        (u64::MAX,           Level::Over,   4),
    ];
    for (used, level, requests) in rows {
        assert_eq!(Level::of(used, 32 * MIB), level, "{used}");
        assert_eq!(level.requests_max(), requests);
    }
}

/// Peers allowed after each look, beginning with 100 connected of 200; all that are allowed come.
fn course(levels: &[Level]) -> Vec<usize> {
    let mut diet = Diet::default();
    let mut peers = 100;
    let mut allowed = Vec::new();
    for &level in levels {
        diet = diet.next(level, peers, 200);
        assert_eq!(diet.level(), level);
        peers = diet.peers_max().unwrap_or(200);
        allowed.push(peers);
    }
    allowed
}

#[test]
fn peers_become_fewer_in_steps_and_come_back_in_steps() {
    use Level::{Over, Plenty, Short, Tight};
    assert_eq!(course(&[Plenty, Tight]), [200, 200], "those who came may stay");
    assert_eq!(course(&[Tight, Tight, Short, Over]), [100, 100, 75, 37]);
    assert_eq!(course(&[Over; 6]), [50, 25, 12, 6, 4, 4], "a few are left in any case");
    let back = course(&[Over, Over, Over, Plenty, Plenty, Plenty, Plenty, Plenty]);
    assert_eq!(back, [50, 25, 12, 16, 21, 27, 34, 43]);
    let all = course(&[Over, Plenty, Plenty, Plenty, Plenty, Plenty, Plenty, Plenty]);
    assert_eq!(all, [50, 63, 79, 99, 124, 156, 196, 200]);
}
