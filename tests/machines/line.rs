//! The line: stepping in, leaving from anywhere, and who is in front.

use swarmlet::base::{ConnId, Random, Time};
use swarmlet::world::line::Line;

#[test]
fn the_front_is_who_waited_longest() {
    let mut line = Line::new();
    assert_eq!(line.front(), None);
    line.renew(at(1), id(5, 0));
    line.renew(at(2), id(3, 0));
    line.renew(at(3), id(9, 0));
    assert_eq!(line.front(), Some((id(5, 0), at(1))));
    // Back to the end.
    line.renew(at(4), id(5, 0));
    assert_eq!(line.front(), Some((id(3, 0), at(2))));
    // Out of the middle.
    line.leave(id(9, 0));
    line.leave(id(3, 0));
    assert_eq!(line.front(), Some((id(5, 0), at(4))));
    assert_eq!(line.len(), 1);
    line.check();
}

#[test]
fn who_is_not_in_the_line_leaves_without_effect() {
    let mut line = Line::new();
    line.leave(id(0, 0));
    line.renew(at(1), id(2, 7));
    // An earlier tenant of the same slot, and a slot that nobody ever had.
    line.leave(id(2, 6));
    line.leave(id(1_000, 0));
    assert_eq!(line.front(), Some((id(2, 7), at(1))));
    line.check();
}

#[test]
fn it_does_what_a_sorted_list_would_do() {
    let mut random = Random::new(3);
    let (mut line, mut list) = (Line::new(), Vec::<(ConnId, Time)>::new());
    for step in 0..5_000 {
        let who = id(u32::try_from(random.below(40)).expect("small"), 0);
        list.retain(|&(other, _)| other != who);
        if random.below(3) == 0 {
            line.leave(who);
        } else {
            line.renew(at(step), who);
            list.push((who, at(step)));
        }
        line.check();
        assert_eq!(line.front(), list.first().copied());
        assert_eq!(line.len(), list.len());
    }
}

fn id(slot: u32, generation: u32) -> ConnId {
    ConnId { slot, generation }
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}
