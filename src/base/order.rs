//! Order: one sort for the whole program.
//!
//! The sort of the standard library is made anew for each type and each order: 6 KiB of program
//! every time, thirty times over. What is sorted here are peers, names and trackers by the dozen,
//! so one such sort does for all: it puts *places* in order, asks the caller how what lies there
//! compares, and says which swaps bring everything where it belongs.
//!
//! # Invariants
//! Stable: what compares equal stays in the order in which it came.
//!
//! # Why
//! A comparison costs a call through a pointer, some nanoseconds; 150 KiB less are worth them.

use std::cmp::Ordering;

/// Puts `items` in ascending order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Puts `items` in ascending order of what `key` says of each, asked anew for every comparison.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], mut key: impl FnMut(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Puts `items` in the order that `compare` says, which must be one: transitive, and total.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    if items.len() < 2 {
        return;
    }
    for (one, other) in swaps(items.len(), &mut |one, other| compare(&items[one], &items[other])) {
        items.swap(one, other);
    }
}

/// The swaps, one after the other, that bring `len` things in order.
#[inline(never)]
fn swaps(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<(usize, usize)> {
    let mut sources: Vec<usize> = (0..len).collect();
    sources.sort_by(|&one, &other| compare(one, other));
    let mut swaps = Vec::new();
    // Places that exchange their things among each other form a ring. Once around it, swapping
    // each place with the one its thing comes from: what lay at the start travels along, and has
    // arrived when the next to fetch would be itself.
    for start in 0..len {
        let mut at = start;
        while sources[at] != start {
            let from = std::mem::replace(&mut sources[at], at);
            swaps.push((at, from));
            at = from;
        }
        sources[at] = at;
    }
    swaps
}
