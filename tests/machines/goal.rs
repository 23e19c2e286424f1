//! Goal: what was given and got on the left, whether it is enough on the right.

use swarmlet::torrent::goal::Goal;

#[test]
#[rustfmt::skip]
fn a_ratio_is_reached_when_what_was_given_says_so() {
    //         ratio         given      got        has        enough
    let rows: &[(Option<u64>, [u64; 3],                        bool)] = &[
        (None,                [u64::MAX,  0,         0],         false),
        (Some(2000),          [1999,      1000,      1000],      false),
        (Some(2000),          [2000,      1000,      1000],      true),
        (Some(1500),          [1500,      1000,      9000],      true),
        // Who got nothing is measured by what it has.
        (Some(1000),          [8999,      0,         9000],      false),
        (Some(1000),          [9000,      0,         9000],      true),
        (Some(0),             [0,         1000,      1000],      true),
        (Some(1001),          [1000,      1000,      1000],      false),
        (Some(u64::MAX),      [u64::MAX,  u64::MAX,  0],         false),
        (Some(1000),          [u64::MAX,  u64::MAX,  0],         true),
    ];
    for (ratio, [given, got, has], wanted) in rows {
        let goal = Goal { ratio: *ratio, idle: None };
        assert_eq!(goal.is_given(*given, *got, *has), *wanted, "{ratio:?} {given} {got} {has}");
    }
}
