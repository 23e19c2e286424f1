//! Queue: limits and rows on the left, who is let go and who is held on the right.

use swarmlet::base::{Span, Time, TorrentId};
use swarmlet::engine::queue::{Limits, Queue, Row, Verdict};
use swarmlet::torrent::Lane;

const NOW: Time = Time::from_millis(3_600_000);

/// A row of a table: `d` downloads, `s` seeds, a capital waits; `z` and `y` are those that run and
/// have stalled.
fn rows(letters: &str) -> Vec<Row> {
    let row = |(number, letter): (u32, char)| Row {
        id: TorrentId(number),
        lane: if "dDz".contains(letter) { Lane::Download } else { Lane::Seed },
        waits: letter.is_ascii_uppercase(),
        moved: if "zy".contains(letter) { Time::START } else { NOW },
    };
    (1..).zip(letters.chars()).map(row).collect()
}

/// Places for downloads and seeds, rows, and who is let go.
type Case = ([Option<usize>; 2], &'static str, &'static [u32]);

fn ids(list: &[TorrentId]) -> Vec<u32> {
    list.iter().map(|id| id.0).collect()
}

fn limits(download: Option<usize>, seed: Option<usize>) -> Limits {
    Limits { download, seed, stalled_after: Some(Span::from_secs(1800)) }
}

/// A queue whose limits are old news.
fn settled(limits: Limits) -> Queue {
    let mut queue = Queue::default();
    queue.set_limits(limits);
    queue.decide(NOW, &[]);
    queue
}

#[test]
#[rustfmt::skip]
fn places_are_given_in_the_order_of_the_queue() {
    let rows_and_verdicts: &[Case] = &[
        // Without a limit everybody runs.
        ([None,    None],    "DSDS",   &[1, 3, 2, 4]),
        ([Some(1), None],    "DSDS",   &[1, 2, 4]),
        ([Some(1), None],    "dSDS",   &[2, 4]),
        ([Some(2), Some(1)], "DDDSSS", &[1, 2, 4]),
        ([Some(2), Some(1)], "DdDSsS", &[1]),
        ([Some(0), Some(0)], "DS",     &[]),
        // Who has stalled takes no place.
        ([Some(1), None],    "zDD",    &[2]),
        ([Some(1), None],    "dDz",    &[]),
        ([None,    Some(1)], "yS",     &[2]),
    ];
    for ([download, seed], letters, released) in rows_and_verdicts {
        let mut queue = settled(limits(*download, *seed));
        let Verdict { release, hold } = queue.decide(NOW, &rows(letters));
        assert_eq!((ids(&release), ids(&hold)), (released.to_vec(), vec![]), "{letters}");
    }
}

#[test]
#[rustfmt::skip]
fn only_a_lowered_limit_takes_places_away_and_then_from_the_last() {
    let rows_and_verdicts: &[(&str, &[u32])] = &[
        ("ddd",   &[3, 2]),
        ("ddds",  &[3, 2]),
        ("zdd",   &[3]),
        ("dDD",   &[]),
        ("sss",   &[]),
    ];
    for (letters, held) in rows_and_verdicts {
        let mut queue = settled(limits(Some(5), None));
        queue.set_limits(limits(Some(1), None));
        let Verdict { release, hold } = queue.decide(NOW, &rows(letters));
        assert_eq!((ids(&hold), ids(&release)), (held.to_vec(), vec![]), "{letters}");
        // The same again is no news: who was started past the queue may stay.
        queue.set_limits(limits(Some(1), None));
        assert_eq!(queue.decide(NOW, &rows("ddd")), Verdict::default());
    }
}

#[test]
fn it_wants_to_be_woken_when_a_place_stalls_that_somebody_waits_for() {
    let moved = |at: u64, waits| Row {
        id: TorrentId(1),
        lane: Lane::Download,
        waits,
        moved: Time::from_millis(at),
    };
    let mut queue = settled(limits(Some(2), None));
    let now = Time::from_millis(1_000);
    let running = [moved(200, false), moved(100, false)];
    queue.decide(now, &running);
    assert_eq!(queue.deadline(), None, "nobody waits");
    queue.decide(now, &[running[0], running[1], moved(0, true)]);
    assert_eq!(queue.deadline(), Some(Time::from_millis(1_800_100)));
    let verdict = queue.decide(Time::from_millis(1_800_100), &[running[1], moved(0, true)]);
    assert_eq!(verdict.release.len(), 1);
    assert_eq!(queue.deadline(), None);
}
