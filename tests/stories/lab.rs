//! The lab itself: what its network, disks and clock promise to the stories.

use swarmlet::base::{Bits, Claim, InfoHash, PeerId, PieceIndex, Random, Span};
use swarmlet::engine::DiskFault;
use swarmlet::format::layout::{File, Layout};
use swarmlet::lab::clock::{Clock, Moment};
use swarmlet::lab::content::Content;
use swarmlet::lab::disk::{Disk, Loss, Speed};
use swarmlet::lab::net::{Arrival, EndId, Ending, Line, Net, NodeId, Path};
use swarmlet::lab::pipe::WINDOW_BYTES;
use swarmlet::wire::{Frame, Handshake, Link, Message};

const PATH: Path = Path { delay: Span::from_millis(10), jitter: Span::from_millis(5) };
const START: Moment = Moment::START;

/// A net of two nodes and a connection between them, as far as its `Connected`.
fn two_nodes(seed: u64, line: Line) -> (Net, [NodeId; 2], EndId) {
    let mut net = Net::new(seed, PATH);
    let nodes = [net.add(line), net.add(line)];
    let end = net.dial(START, nodes[0], nodes[1]);
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(net.step().1);
    }
    assert_eq!(heard, [Arrival::Accepted(end.other()), Arrival::Connected(end)]);
    (net, nodes, end)
}

/// Everything that still happens.
fn run(net: &mut Net) -> Vec<(Moment, Arrival)> {
    run_and_read(net).0
}

/// The same, and the bytes that were read, end to end.
fn run_and_read(net: &mut Net) -> (Vec<(Moment, Arrival)>, Vec<u8>) {
    let (mut heard, mut bytes) = (Vec::new(), Vec::new());
    while net.next().is_some() {
        let (at, arrival) = net.step();
        if let Some(Arrival::Bytes { end, len }) = arrival {
            let before = bytes.len();
            net.read(end, &mut bytes);
            assert_eq!(bytes.len() - before, len);
        }
        heard.extend(arrival.map(|arrival| (at, arrival)));
    }
    (heard, bytes)
}

#[test]
fn the_clock_keeps_time_and_then_order() {
    let mut clock = Clock::new();
    for (at, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
        clock.push(Moment::from_micros(at), NodeId(0), event);
    }
    let order: String = std::iter::from_fn(|| clock.pop()).map(|(_, event)| event).collect();
    assert_eq!(order, "abcd");
}

#[test]
fn a_clock_in_steps_keeps_time_and_then_nodes_and_then_order() {
    let mut clock = Clock::new();
    clock.go_in_steps(1000);
    let events = [(1001, 1, 'f'), (999, 2, 'd'), (1, 1, 'a'), (1000, 1, 'b'), (2, 2, 'e')];
    for (at, node, event) in events {
        let step = clock.push(Moment::from_micros(at), NodeId(node), event);
        assert_eq!(step.as_micros(), if at > 1000 { 2000 } else { 1000 });
    }
    clock.push(Moment::from_micros(1000), NodeId(1), 'c');
    assert_eq!(clock.next(), Some((Moment::from_micros(1000), NodeId(1))));
    let order: String = std::iter::from_fn(|| clock.pop()).map(|(_, event)| event).collect();
    assert_eq!(order, "abcdef");
}

#[test]
fn a_net_in_steps_carries_as_much_and_hands_over_what_came_together() {
    let line = Line { up: Some(100_000), down: Some(80_000) };
    for (step_micros, hands) in [(1, 91), (20_000, 66), (100_000, 13)] {
        let mut net = Net::new(7, Path { delay: Span::from_millis(50), jitter: Span::ZERO });
        net.go_in_steps(step_micros);
        let nodes = [net.add(line), net.add(line)];
        let end = net.dial(START, nodes[0], nodes[1]);
        while net.next().is_some() {
            net.step();
        }
        let sent = vec![7; WINDOW_BYTES];
        net.write(Moment::from_micros(200_000), end, &sent);
        let (heard, bytes) = run_and_read(&mut net);
        assert_eq!(bytes, sent);
        let (last, _) = heard[heard.len() - 1];
        assert!((1_800_000..=2_100_000).contains(&last.as_micros()), "{step_micros}: {last:?}");
        let is_bytes = |arrival: &Arrival| matches!(arrival, Arrival::Bytes { .. });
        let count = heard.iter().filter(|(_, arrival)| is_bytes(arrival)).count();
        assert_eq!(count, hands, "in steps of {step_micros}");
        let in_step = |(at, _): &(Moment, Arrival)| at.as_micros().is_multiple_of(step_micros);
        assert!(heard.iter().all(in_step));
    }
}

#[test]
fn bytes_arrive_whole_and_in_order_whatever_the_jitter() {
    for seed in 1..20 {
        let line = Line { up: Some(100_000), down: Some(80_000) };
        let (mut net, _, end) = two_nodes(seed, line);
        let mut sent = vec![0; WINDOW_BYTES];
        Random::new(seed).fill(&mut sent);
        let now = Moment::from_micros(100_000);
        for part in sent.chunks(5_000) {
            net.write(now, end, part);
        }
        assert_eq!(net.room(end), 0, "a window holds so much and no more");
        let (heard, bytes) = run_and_read(&mut net);
        assert_eq!(bytes, sent);
        assert!(heard.iter().any(|(_, arrival)| *arrival == Arrival::Room(end)));
        // 128 KiB at 80,000 bytes a second: 1.6 seconds, and the delay.
        let (last, _) = heard[heard.len() - 1];
        assert!((1_600_000..1_900_000).contains(&last.as_micros()), "{last:?}");
    }
}

#[test]
fn two_links_understand_each_other_through_the_net() {
    let (mut net, _, end) = two_nodes(3, Line::default());
    let mut ours = Link::new();
    ours.send_handshake(&Handshake::new(InfoHash([1; 20]), PeerId([2; 20])));
    ours.send(&Message::Unchoke);
    ours.send(&Message::Request(Claim { piece: 1, begin: 16384, len: 16384 }));
    let mut bytes = Vec::new();
    for segment in ours.segments() {
        match segment {
            swarmlet::wire::link::Segment::Bytes(words) => bytes.extend(words),
            swarmlet::wire::link::Segment::Block { .. } => unreachable!("no block was queued"),
        }
    }
    net.write(Moment::from_micros(1), end, &bytes);
    assert_eq!(ours.sent(bytes.len()), 0);
    let arrived = run_and_read(&mut net).1;

    let mut theirs = Link::new();
    let mut frames = Vec::new();
    for byte in arrived.chunks(1) {
        let mut input = byte;
        frames.extend(theirs.feed(&mut input).expect("what a link says, a link understands"));
    }
    assert!(matches!(frames[0], Frame::Handshake(Handshake { peer_id: PeerId([2, ..]), .. })));
    assert_eq!(frames[1], Frame::Message(Message::Unchoke));
    assert_eq!(frames.len(), 3);
}

#[test]
fn a_line_is_shared_fairly() {
    // One sender of 100,000 bytes a second and two who take from it.
    let mut net = Net::new(1, PATH);
    let line = Line { up: Some(100_000), down: None };
    let (a, b, c) = (net.add(line), net.add(Line::default()), net.add(Line::default()));
    let ends = [net.dial(START, a, b), net.dial(START, a, c)];
    run(&mut net);
    let now = Moment::from_micros(100_000);
    net.write(now, ends[0], &[1; 50_000]);
    net.write(now, ends[1], &[2; 50_000]);
    let mut last = [Moment::START; 2];
    for (at, arrival) in run(&mut net) {
        if let Arrival::Bytes { end, .. } = arrival {
            last[usize::from(end == ends[1].other())] = at;
        }
    }
    let [first, second] = last.map(Moment::as_micros);
    assert!(first.abs_diff(second) < 50_000, "both end together: {last:?}");
    assert!(first > 1_000_000, "and neither before a second has passed");
}

#[test]
fn refused_dials_and_unreachable_ones_fail_in_their_own_time() {
    let mut net = Net::new(1, Path { delay: Span::from_millis(10), jitter: Span::ZERO });
    let (a, b) = (net.add(Line::default()), net.add(Line::default()));
    net.listen(b, false);
    net.dial(START, a, b);
    assert!(
        matches!(run(&mut net)[..], [(at, Arrival::Failed { .. })] if at == START.after(Span::from_millis(20)))
    );
    net.listen(b, true);
    net.partition(&[b]);
    net.dial(START, a, b);
    assert!(
        matches!(run(&mut net)[..], [(at, Arrival::Failed { .. })] if at == START.after(Span::from_secs(15)))
    );
    net.heal(START);
    net.dial(START, a, b);
    assert_eq!(run(&mut net).len(), 2);
}

#[test]
fn a_partition_holds_bytes_and_gives_them_back_in_order() {
    let (mut net, [a, _], end) = two_nodes(5, Line::default());
    net.partition(&[a]);
    let now = Moment::from_micros(100_000);
    net.write(now, end, b"one ");
    net.write(now, end, b"two ");
    assert_eq!(run(&mut net), [], "nothing crosses");
    let later = Moment::from_micros(9_000_000);
    net.heal(later);
    net.write(later, end, b"three");
    let (heard, bytes) = run_and_read(&mut net);
    assert_eq!(bytes, b"one two three");
    assert!(heard.iter().all(|(at, _)| *at >= later));
}

#[test]
fn a_close_comes_after_the_bytes_and_a_reset_does_not_wait() {
    let now = Moment::from_micros(100_000);
    for (how, ending) in [(0, Ending::Orderly), (1, Ending::Orderly), (2, Ending::Reset)] {
        let (mut net, _, end) = two_nodes(5, Line { up: Some(10_000), down: None });
        net.write(now, end, &[7; 20_000]);
        match how {
            0 => net.close(now, end),
            1 => net.shut(now, end),
            _ => net.reset(now, end),
        }
        let (heard, bytes) = run_and_read(&mut net);
        let (_, last) = heard.last().expect("the other end hears of it");
        assert_eq!(*last, Arrival::Ended { end: end.other(), how: ending });
        let all = bytes.len();
        assert_eq!(all == 20_000, ending == Ending::Orderly, "{all} bytes came");
        // Who half-closed still hears.
        net.write(now, end.other(), b"still there?");
        assert_eq!(run_and_read(&mut net).1.len(), if how == 1 { 12 } else { 0 });
    }
}

#[test]
fn breaking_a_pair_resets_both_ends() {
    let (mut net, [a, b], end) = two_nodes(5, Line::default());
    net.break_all(Moment::from_micros(100_000), b, a);
    let heard: Vec<Arrival> = run(&mut net).into_iter().map(|(_, arrival)| arrival).collect();
    let ended = |end| Arrival::Ended { end, how: Ending::Reset };
    assert_eq!(heard, [ended(end), ended(end.other())]);
}

// ── Disks ───────────────────────────────────────────────────────────────────────────────────

const TORRENT: InfoHash = InfoHash([9; 20]);

/// Pieces of 10 bytes over files of 15, 0 and 25.
fn layout() -> Layout {
    let files = [("a", 15), ("b", 0), ("c", 25)].map(|(name, len)| File::new(["t", name], len));
    Layout::new(10, files.to_vec()).expect("a fine layout")
}

fn piece(index: u32) -> PieceIndex {
    layout().piece(index).expect("a piece of the layout")
}

fn write(disk: &mut Disk, index: u32, byte: u8) -> Result<(), DiskFault> {
    disk.write(Moment::from_micros(1), TORRENT, &layout(), (piece(index), 0), &[byte; 10])
}

fn read(disk: &mut Disk, index: u32) -> Result<Vec<u8>, DiskFault> {
    let mut bytes = Vec::new();
    disk.read(TORRENT, &layout(), (piece(index), 0), 10, &mut bytes).map(|()| bytes)
}

fn file(disk: &Disk, file: usize) -> Option<Vec<u8>> {
    disk.file(TORRENT, file).map(Content::bytes)
}

fn save(disk: &mut Disk) {
    disk.save(TORRENT, &layout(), Bits::none(4), (0, 0), false).expect("nothing fails");
}

#[test]
fn a_write_is_read_back_across_files() {
    let mut disk = Disk::new();
    assert_eq!(read(&mut disk, 1), Err(DiskFault::Missing));
    write(&mut disk, 1, 7).expect("nothing fails");
    assert_eq!(read(&mut disk, 1), Ok(vec![7; 10]));
    assert_eq!(disk.file(TORRENT, 0).map(Content::len), Some(15));
    assert_eq!(file(&disk, 1), None, "nobody prepared the empty file");
    disk.prepare(START, TORRENT, &layout()).expect("nothing fails");
    assert_eq!(file(&disk, 1), Some(vec![]));
    assert_eq!(file(&disk, 2), Some(vec![7; 5]));
}

#[test]
fn a_full_disk_takes_what_there_is_room_for() {
    let mut disk = Disk::new();
    disk.set_room(Some(12));
    assert_eq!(write(&mut disk, 0, 1), Ok(()));
    assert_eq!(write(&mut disk, 1, 2), Err(DiskFault::Full));
    assert_eq!(file(&disk, 0), Some(vec![1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]));
    disk.set_room(None);
    assert_eq!(write(&mut disk, 1, 2), Ok(()));
}

#[test]
fn the_nth_job_fails_and_no_other() {
    let mut disk = Disk::new();
    disk.fail_job(2, DiskFault::Failed);
    assert_eq!(write(&mut disk, 0, 1), Ok(()));
    assert_eq!(write(&mut disk, 1, 1), Err(DiskFault::Failed));
    assert_eq!(write(&mut disk, 1, 1), Ok(()));
    disk.break_down(DiskFault::Denied);
    assert_eq!(read(&mut disk, 0), Err(DiskFault::Denied));
    assert_eq!(read(&mut disk, 0), Err(DiskFault::Denied));
    disk.mend();
    assert!(read(&mut disk, 0).is_ok());
}

#[test]
fn a_crash_forgets_what_was_not_saved() {
    let mut disk = Disk::new();
    write(&mut disk, 0, 1).expect("nothing fails");
    save(&mut disk);
    write(&mut disk, 0, 2).expect("nothing fails");
    write(&mut disk, 3, 3).expect("nothing fails");
    disk.crash(Loss::All, &mut Random::new(1));
    assert_eq!(read(&mut disk, 0), Ok(vec![1; 10]));
    assert_eq!(read(&mut disk, 3), Err(DiskFault::Missing));
    assert!(disk.file(TORRENT, 2).is_none(), "a file that was never saved is gone");
    assert!(disk.resume(TORRENT).is_some(), "the record is not");
}

#[test]
fn a_crash_by_chance_keeps_some_writes_and_loses_others() {
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..50 {
        let mut disk = Disk::new();
        (0..4).for_each(|index| write(&mut disk, index, 5).expect("nothing fails"));
        disk.crash(Loss::Some, &mut Random::new(seed));
        for index in 0..4 {
            match read(&mut disk, index) {
                Ok(bytes) if bytes == [5; 10] => kept += 1,
                Ok(bytes) => {
                    // Piece 1 lies in two files: one half may be lost without the other.
                    assert!(bytes.iter().all(|byte| [0, 5].contains(byte)), "{bytes:?}");
                    lost += 1;
                }
                Err(_) => lost += 1,
            }
        }
    }
    assert!(kept > 50 && lost > 50, "{kept} kept, {lost} lost");
}

#[test]
fn jobs_wait_for_each_other_on_a_slow_disk() {
    let mut disk = Disk::new();
    disk.set_speed(Speed { per_job: Span::from_millis(5), bytes_per_sec: Some(1000) });
    assert_eq!(disk.done_at(START, 10).as_micros(), 15_000);
    assert_eq!(disk.done_at(START, 0).as_micros(), 20_000);
    assert_eq!(disk.done_at(Moment::from_micros(50_000), 0).as_micros(), 55_000);
}

#[test]
fn a_flipped_bit_is_silent() {
    let mut disk = Disk::new();
    write(&mut disk, 0, 8).expect("nothing fails");
    assert!(disk.flip(TORRENT, 0, 3));
    assert!(!disk.flip(TORRENT, 0, 99), "there is no such byte");
    assert_eq!(read(&mut disk, 0), Ok(vec![8, 8, 8, 9, 8, 8, 8, 8, 8, 8]));
}
