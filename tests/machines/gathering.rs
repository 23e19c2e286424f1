//! Gathering: metadata from peers, piece by piece, none of whom is believed.

use std::net::SocketAddr;

use swarmlet::base::limits::{METADATA_BYTES_MAX, METADATA_PIECE_BYTES, METADATA_TIMEOUT};
use swarmlet::base::{ConnId, Span, Time};
use swarmlet::torrent::gathering::Gathering;

const NOW: Time = Time::from_millis(5);
const PIECE: usize = METADATA_PIECE_BYTES as usize;

fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 6881))
}

/// Two whole pieces and ten bytes.
fn three() -> Gathering {
    Gathering::new(2 * METADATA_PIECE_BYTES + 10, None)
}

#[test]
fn pieces_are_asked_once_two_of_each_peer() {
    let mut all = three();
    assert_eq!([all.ask(NOW, conn(1)), all.ask(NOW, conn(1))], [Some(0), Some(1)]);
    assert_eq!(all.ask(NOW, conn(1)), None, "it has enough to do");
    assert_eq!([all.ask(NOW, conn(2)), all.ask(NOW, conn(2))], [Some(2), None]);
    all.check();
}

#[test]
fn what_comes_together_is_the_whole_with_all_who_gave() {
    let mut all = three();
    let bytes: Vec<u8> = (0..2 * PIECE + 10).map(|n| (n % 251) as u8).collect();
    for (peer, count) in [(1, 2), (2, 1)] {
        for _ in 0..count {
            let piece = all.ask(NOW, conn(peer)).expect("one is left");
            let begin = piece as usize * PIECE;
            let part = &bytes[begin..bytes.len().min(begin + PIECE)];
            assert!(all.on_data(conn(peer), addr(peer as u8), piece, None, part));
            all.check();
        }
    }
    assert!(all.is_whole());
    assert_eq!(all.finish(), (bytes, vec![addr(1), addr(2)]));
}

#[test]
fn row_64_only_what_was_asked_and_has_the_right_length_is_taken() {
    let mut all = three();
    assert_eq!(all.ask(NOW, conn(1)), Some(0));
    let whole = vec![0; PIECE];
    // Who, which piece, the total that it says, and how many bytes.
    let table: [(u32, u32, Option<u32>, usize); 8] = [
        (2, 0, None, PIECE),
        (1, 1, None, PIECE),
        (1, 3, None, 0),
        (1, u32::MAX, None, PIECE),
        (1, 0, None, PIECE - 1),
        (1, 0, None, 0),
        (1, 0, Some(METADATA_BYTES_MAX), PIECE),
        (1, 0, Some(0), PIECE),
    ];
    for (who, piece, total, len) in table {
        assert!(!all.on_data(conn(who), addr(1), piece, total, &whole[..len]), "{piece} {len}");
        all.check();
    }
    let long = vec![0; PIECE + 1];
    assert!(!all.on_data(conn(1), addr(1), 0, None, &long));
    assert!(all.on_data(conn(1), addr(1), 0, Some(all.total_bytes()), &whole));
    assert!(!all.on_data(conn(1), addr(1), 0, None, &whole), "twice is unasked");
}

#[test]
fn what_is_rejected_late_or_lost_is_free_again() {
    let mut all = three();
    assert_eq!(all.ask(NOW, conn(1)), Some(0));
    assert!(!all.on_reject(conn(2), 0), "it was not asked");
    assert!(all.on_reject(conn(1), 0));
    assert_eq!(all.ask(NOW, conn(2)), Some(0));
    all.on_gone(conn(2));
    assert_eq!(all.ask(NOW, conn(3)), Some(0));
    assert_eq!(all.deadline(), Some(NOW + METADATA_TIMEOUT));
    let early = NOW + (METADATA_TIMEOUT - Span::from_millis(1));
    assert_eq!(all.expire(early), []);
    assert_eq!(all.expire(NOW + METADATA_TIMEOUT), [conn(3)]);
    assert_eq!((all.deadline(), all.ask(NOW, conn(4))), (None, Some(0)));
}

#[test]
fn alone_means_that_nobody_else_is_asked() {
    let mut all = Gathering::new(1, Some(conn(1)));
    assert_eq!(all.ask(NOW, conn(2)), None);
    assert_eq!(all.ask(NOW, conn(1)), Some(0));
}
