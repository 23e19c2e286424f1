//! Local discovery: what is called out and when, and what is heard.

use std::net::SocketAddr;

use swarmlet::base::limits::{NOTICE_EVERY, NOTICE_HASHES_MAX, NOTICES_APART, NOTICES_HEARD_MAX};
use swarmlet::base::{InfoHash, Span, Time};
use swarmlet::engine::local::Local;
use swarmlet::format::notice::{GROUPS, Notice};

fn hashes(count: u32) -> Vec<InfoHash> {
    (0..count).map(|n| InfoHash::parse_hex(&format!("{n:040x}")).expect("digits")).collect()
}

/// The torrents of each notice that is sent now, by group.
fn called(local: &mut Local, now: Time, running: &[InfoHash]) -> Vec<(SocketAddr, Vec<InfoHash>)> {
    let sent = local.call(now, running);
    let read = |bytes: &[u8]| Notice::parse(bytes).expect("our own").info_hashes;
    sent.iter().map(|(group, bytes)| (*group, read(bytes))).collect()
}

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

#[test]
fn each_torrent_is_told_of_every_five_minutes_in_each_group_and_not_more_than_once_a_minute() {
    let start = Time::from_millis(5_000);
    let mut local = Local::new(start, 6881, GROUPS.to_vec(), 7);
    let all = hashes(2);
    assert_eq!(called(&mut local, start, &[]), []);
    let first = all[..1].to_vec();
    let both = GROUPS.map(|group| (group, first.clone()));
    assert_eq!(called(&mut local, start, &first), both);
    // A second torrent has to wait until the minute is over.
    let soon = start + (NOTICES_APART - ms(1));
    assert_eq!(called(&mut local, soon, &all), []);
    let then = start + NOTICES_APART;
    assert_eq!(called(&mut local, then, &all), GROUPS.map(|group| (group, all[1..].to_vec())));
    // The first is due again, then the second.
    assert_eq!(called(&mut local, start + (NOTICE_EVERY - ms(1)), &all), []);
    assert_eq!(called(&mut local, start + NOTICE_EVERY, &all), both);
    let last = then + NOTICE_EVERY;
    assert_eq!(called(&mut local, last, &all), GROUPS.map(|group| (group, all[1..].to_vec())));
    // One that stopped and runs again is news.
    assert_eq!(called(&mut local, last + NOTICES_APART, &[]), []);
    assert_eq!(called(&mut local, last + NOTICES_APART, &first), both);
}

#[test]
fn many_torrents_share_notices_and_whoever_waits_longest_goes_first() {
    let mut local = Local::new(Time::START, 6881, vec![GROUPS[0]], 7);
    let all = hashes(u32::try_from(NOTICE_HASHES_MAX).unwrap() * 2 + 1);
    let mut told = Vec::new();
    for minute in 0..3 {
        let now = Time::START + NOTICES_APART.times(minute);
        for (_, hashes) in called(&mut local, now, &all) {
            told.push(hashes.len());
        }
    }
    assert_eq!(told, [NOTICE_HASHES_MAX, NOTICE_HASHES_MAX, 1]);
}

#[test]
fn who_cannot_be_called_says_nothing() {
    let mut local = Local::new(Time::START, 0, GROUPS.to_vec(), 7);
    assert_eq!(called(&mut local, Time::START, &hashes(1)), []);
}

#[test]
fn others_are_heard_we_ourselves_are_not_and_nobody_without_end() {
    let from: SocketAddr = "192.0.2.9:40000".parse().unwrap();
    let mut local = Local::new(Time::START, 6881, vec![GROUPS[0]], 7);
    let ours = local.call(Time::START, &hashes(1)).remove(0).1;
    assert_eq!(local.hear(Time::START, from, &ours), None, "our own cookie");
    // The port is where they listen, the address where they send from.
    let mut theirs = Vec::new();
    Notice { port: 51413, info_hashes: hashes(2), cookie: Some(b"00000008") }
        .write(GROUPS[0], &mut theirs);
    let heard = Some(("192.0.2.9:51413".parse().unwrap(), hashes(2)));
    assert_eq!(local.hear(Time::START, from, &theirs), heard);
    assert_eq!(local.hear(Time::START, from, b"BT-SEARCH"), None);
    // Three were heard so far, whatever they said.
    for _ in 3..NOTICES_HEARD_MAX {
        assert_eq!(local.hear(Time::START, from, &theirs), heard);
    }
    let late = Time::START + (NOTICES_APART - ms(1));
    assert_eq!(local.hear(late, from, &theirs), None, "a flood");
    assert_eq!(local.hear(Time::START + NOTICES_APART, from, &theirs), heard);
}
