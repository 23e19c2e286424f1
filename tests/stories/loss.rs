//! Lost packets: how much a connection carries, by loss and by delay.

use swarmlet::base::Span;
use swarmlet::lab::clock::Moment;
use swarmlet::lab::congestion::LOSS_OF;
use swarmlet::lab::net::{Arrival, EndId, Line, Net, NodeId, Path};

/// One sender, one receiver, nothing in their way but delay and loss.
fn two_nodes(seed: u64, delay_millis: u64, loss: u32, line: Line) -> (Net, EndId) {
    let path = Path { delay: Span::from_millis(delay_millis), jitter: Span::ZERO };
    let mut net = Net::new(seed, path);
    let nodes: [NodeId; 2] = [net.add(line), net.add(line)];
    net.set_loss(loss);
    let end = net.dial(Moment::START, nodes[0], nodes[1]);
    (net, end)
}

/// Sends so many bytes through one connection, as fast as it takes them. Returns what arrived,
/// and the microseconds that it took after the connection was there.
fn carry(net: &mut Net, end: EndId, bytes: usize) -> (Vec<u8>, u64) {
    let (mut sent, mut arrived, mut began) = (0, Vec::new(), None);
    while arrived.len() < bytes {
        let (now, arrival) = net.step();
        match arrival {
            Some(Arrival::Connected(_)) => began = Some(now),
            Some(Arrival::Bytes { end, .. }) => net.read(end, &mut arrived),
            _ => {}
        }
        let Some(began) = began else { continue };
        let room = net.room(end).min(bytes - sent);
        let part: Vec<u8> = (sent..sent + room).map(|at| (at % 251) as u8).collect();
        net.write(now, end, &part);
        sent += room;
        if arrived.len() == bytes {
            return (arrived, now.as_micros() - began.as_micros());
        }
    }
    unreachable!("the loop ends with the last byte")
}

/// Kilobytes per second of one connection, over a few seeds.
fn rate(delay_millis: u64, loss: u32) -> u64 {
    const BYTES: usize = 4_000_000;
    let micros: u64 = (1..=5)
        .map(|seed| {
            let (mut net, end) = two_nodes(seed, delay_millis, loss, Line::default());
            carry(&mut net, end, BYTES).1
        })
        .sum();
    5 * BYTES as u64 * 1000 / micros.max(1)
}

#[test]
fn throughput_falls_with_loss_and_with_delay_as_the_formula_says() {
    // Lost packets of 10,000; KB/s at 5, 20 and 80 ms each way. The formula is that of Mathis:
    // segment / round trip · √(1.5 / loss). Where much is lost, time-outs make it less.
    let delays = [5, 20, 80];
    let rows = [
        (2, [9803, 2645, 673]),
        (10, [5383, 1485, 383]),
        (50, [2354, 658, 169]),
        (200, [735, 291, 85]),
        (800, [162, 96, 36]),
    ];
    for (loss, rates) in rows {
        assert_eq!(delays.map(|delay| rate(delay, loss)), rates, "loss {loss}");
        for (delay, rate) in delays.into_iter().zip(rates) {
            let share = f64::from(loss) / f64::from(LOSS_OF);
            let formula = 1448.0 / (2.0 * delay as f64) * (1.5 / share).sqrt();
            let measured = rate as f64 / formula;
            let least = if loss <= 50 { 0.75 } else { 0.2 };
            assert!((least..1.15).contains(&measured), "loss {loss}, {delay} ms: {measured}");
        }
    }
}

#[test]
fn whatever_is_lost_every_byte_arrives_once_and_in_order() {
    for (seed, loss) in [(1, 1), (2, 100), (3, 1000), (4, 3000)] {
        let line = Line { up: Some(200_000), down: Some(300_000) };
        let (mut net, end) = two_nodes(seed, 20, loss, line);
        let (arrived, _) = carry(&mut net, end, 300_000);
        let expected: Vec<u8> = (0..300_000).map(|at| (at % 251) as u8).collect();
        assert!(arrived == expected, "loss {loss}");
        // Nothing is left hanging: the farewell comes through as well.
        net.close(Moment::from_micros(0), end);
        let mut ended = false;
        while net.next().is_some() {
            ended |= matches!(net.step().1, Some(Arrival::Ended { .. }));
        }
        assert!(ended, "loss {loss}");
    }
}

#[test]
fn a_lost_connect_comes_a_second_later_and_then_three() {
    let opened_after = |seed| {
        let (mut net, _) = two_nodes(seed, 20, LOSS_OF / 2, Line::default());
        loop {
            if let (at, Some(Arrival::Connected(_))) = net.step() {
                return at.as_micros() / 1000;
            }
        }
    };
    let mut seen: Vec<u64> = (0..40).map(opened_after).collect();
    seen.sort_unstable();
    seen.dedup();
    // The request, the answer or both were lost so often: 0, 1, 1 + 2, 1 + 2 + 4 … seconds.
    assert_eq!(seen[..4], [40, 1040, 2040, 3040]);
}

#[test]
fn without_loss_nothing_is_different() {
    let run = |set: bool| {
        let path = Path { delay: Span::from_millis(20), jitter: Span::from_millis(7) };
        let line = Line { up: Some(100_000), down: Some(50_000) };
        let mut net = Net::new(9, path);
        let nodes = [net.add(line), net.add(line)];
        if set {
            net.set_loss(0);
        }
        let end = net.dial(Moment::START, nodes[0], nodes[1]);
        carry(&mut net, end, 200_000).1
    };
    assert_eq!(run(true), run(false));
}
