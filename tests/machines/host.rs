//! What we ask of the host: names, signals, limits, randomness.

use std::net::IpAddr;
use std::sync::mpsc;
use std::time::Duration;

use swarmlet::base::limits::{NAME_FAILED_FRESH, NAMES_QUEUED_MAX, SIGNALS_APART_MIN};
use swarmlet::base::{Span, Time};
use swarmlet::world::resolver::{Lookup, Resolved, Resolver, Unknown};
use swarmlet::world::sys::{self, Clock, Leave, Signals};

// ── Names ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn addresses_and_localhost_need_no_thread() {
    let mut resolver = Resolver::new(|| panic!("nobody is asked"));
    let both = ["127.0.0.1", "::1"].as_slice();
    let cases = [
        ("127.0.0.1", ["127.0.0.1"].as_slice()),
        ("::1", &["::1"]),
        ("[2001:db8::1]", &["2001:db8::1"]),
        ("localhost", both),
        ("LocalHost.", both),
        ("tracker.localhost", both),
    ];
    for (host, expected) in cases {
        let expected: Vec<IpAddr> = expected.iter().map(|addr| addr.parse().unwrap()).collect();
        assert_eq!(resolver.look(Time::START, host), Lookup::Found(expected), "{host}");
    }
    assert_eq!(resolver.waiting(), 0);
}

#[test]
fn what_cannot_be_a_name_is_not_asked_for() {
    let mut resolver = Resolver::new(|| panic!("nobody is asked"));
    let long = "a".repeat(254);
    for host in ["", "a b", "a\0b", "[127.0.0.1]", "[::1", "é.example", "a/b", "a:b", &long] {
        let failed = Lookup::Failed(Unknown::NotAName);
        assert_eq!(resolver.look(Time::START, host), failed, "{host:?}");
    }
}

#[test]
fn a_name_is_asked_for_once_answered_and_remembered_for_a_while() {
    let (wake, woken) = mpsc::channel();
    let mut resolver = Resolver::new(move || wake.send(()).unwrap());
    // A label of 64 bytes is longer than the DNS can say, so no resolver asks anybody outside.
    let host = format!("{}.invalid", "a".repeat(64));
    let at = Time::from_millis(1_000);
    assert_eq!(resolver.look(at, &host), Lookup::Waiting);
    assert_eq!(resolver.look(at, &host), Lookup::Waiting);
    assert_eq!(resolver.waiting(), 1);
    woken.recv_timeout(Duration::from_secs(60)).unwrap();
    let result = Err(Unknown::NoAddress);
    assert_eq!(resolver.collect(at), [Resolved { host: host.clone(), result }]);
    assert_eq!(resolver.collect(at), []);
    assert_eq!(resolver.waiting(), 0);
    let last = at + (NAME_FAILED_FRESH - Span::from_millis(1));
    assert_eq!(resolver.look(last, &host), Lookup::Failed(Unknown::NoAddress));
    assert_eq!(resolver.look(at + NAME_FAILED_FRESH, &host), Lookup::Waiting, "asked anew");
    woken.recv_timeout(Duration::from_secs(60)).unwrap();
}

#[test]
fn the_queue_of_names_is_bounded() {
    let mut resolver = Resolver::new(|| ());
    let host = |number: usize| format!("{}{number}.invalid", "a".repeat(64));
    for number in 0..NAMES_QUEUED_MAX {
        assert_eq!(resolver.look(Time::START, &host(number)), Lookup::Waiting);
    }
    // Answers free a place only when they are collected.
    assert_eq!(resolver.look(Time::START, &host(NAMES_QUEUED_MAX)), Lookup::Busy);
    assert_eq!(resolver.look(Time::START, &host(0)), Lookup::Waiting);
}

// ── The host ────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_first_signal_asks_to_leave_and_a_later_one_insists() {
    let mut signals = Signals::take().unwrap();
    let at = Time::from_millis(10_000);
    assert_eq!(signals.read(at), None);
    let raise = |signal| signal_hook::low_level::raise(signal).unwrap();
    raise(signal_hook::consts::SIGTERM);
    assert_eq!(signals.read(at), Some(Leave::Soon));
    assert_eq!(signals.read(at), None);
    raise(signal_hook::consts::SIGINT);
    assert_eq!(signals.read(at + Span::from_millis(100)), Some(Leave::Soon), "the same wish");
    raise(signal_hook::consts::SIGINT);
    assert_eq!(signals.read(at + SIGNALS_APART_MIN), Some(Leave::Now));
}

#[test]
fn a_file_beyond_the_limit_is_an_error_and_no_death() {
    use swarmlet::border::DiskFault;
    use swarmlet::world::fault::fault;

    // The signal is ours now: raising it ends nothing.
    sys::take_file_size_signal().unwrap();
    signal_hook::low_level::raise(signal_hook::consts::SIGXFSZ).unwrap();
    let error = std::io::Error::from(rustix::io::Errno::FBIG);
    assert_eq!(fault(&error), DiskFault::Full);
}

#[test]
fn the_clock_starts_at_zero_and_never_goes_back() {
    let clock = Clock::start();
    let first = clock.now();
    assert!(first < Time::from_millis(60_000));
    assert!(clock.now() >= first);
    // After 2020, before 2200.
    assert!((1_577_836_800..7_258_118_400).contains(&sys::wall_clock_secs()));
}

#[test]
fn random_bytes_differ() {
    let mut bytes = [[0; 600]; 2];
    sys::random_bytes(&mut bytes[0]).unwrap();
    sys::random_bytes(&mut bytes[1]).unwrap();
    assert_ne!(bytes[0], bytes[1]);
    assert!(bytes[0][512..].iter().any(|&byte| byte != 0), "filled to the end");
    sys::random_bytes(&mut []).unwrap();
    assert_ne!(sys::random_seed().unwrap(), sys::random_seed().unwrap());
}

#[test]
fn limits_and_memory_are_told() {
    let before = sys::open_files_limit().unwrap_or(u64::MAX);
    assert_eq!(sys::raise_open_files_limit(1), sys::open_files_limit(), "never lowered");
    assert!(sys::raise_open_files_limit(before).unwrap_or(u64::MAX) >= before);
    let resident = sys::resident_bytes().unwrap();
    assert!((100_000..10_000_000_000).contains(&resident), "{resident}");
}
