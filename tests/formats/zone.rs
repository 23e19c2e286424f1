//! Time zones: a rule and a time on the left, what the clock on the wall says on the right.

use swarmlet::format::zone::Zone;

#[test]
#[rustfmt::skip]
fn the_clock_on_the_wall_goes_by_the_rule() {
    let rows: &[(&str, i64, (u8, u16))] = &[
        ("UTC0",                               0,             (4, 0)),
        ("UTC0",                               -1,            (3, 1439)),
        ("IST-5:30",                           1_700_000_000, (3, 223)),
        ("<+0330>-3:30",                       0,             (4, 210)),
        ("CET-1CEST,M3.5.0,M10.5.0/3",         1_711_846_799, (0, 119)),
        ("CET-1CEST,M3.5.0,M10.5.0/3",         1_711_846_800, (0, 180)),
        ("CET-1CEST,M3.5.0,M10.5.0/3",         1_729_990_799, (0, 179)),
        ("CET-1CEST,M3.5.0,M10.5.0/3",         1_729_990_800, (0, 120)),
        ("EST5EDT,M3.2.0,M11.1.0",             1_710_053_999, (0, 119)),
        ("EST5EDT,M3.2.0,M11.1.0",             1_710_054_000, (0, 180)),
        ("EST5EDT,M3.2.0,M11.1.0",             1_730_613_599, (0, 119)),
        ("EST5EDT,M3.2.0,M11.1.0",             1_730_613_600, (0, 60)),
        // South of the equator.
        ("AEST-10AEDT,M10.1.0,M4.1.0/3",       1_712_419_199, (0, 179)),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3",       1_712_419_200, (0, 120)),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3",       1_728_143_999, (0, 119)),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3",       1_728_144_000, (0, 180)),
        // 1 March of a leap year is day 60 of common days, and the 60th after the first.
        ("AAA0BBB,J60/0,J61/0",                1_709_251_200, (5, 60)),
        ("AAA0BBB,60/0,61/0",                  1_709_251_200, (5, 60)),
        ("AAA0BBB,J60/0,J61/0",                1_709_251_199, (4, 1439)),
    ];
    for (rule, unix, wall) in rows {
        let zone = Zone::parse(rule).unwrap_or_else(|bad| panic!("{rule}: {bad}"));
        assert_eq!(zone.weekday_and_minute(*unix), *wall, "{rule} at {unix}");
    }
}

#[test]
fn what_is_no_rule_is_refused_where_it_stops_making_sense() {
    for (rule, at) in [
        ("", 0),
        ("Europe/Berlin", 6),
        ("CE-1", 2),
        ("CET", 3),
        ("CET-99", 6),
        ("CET-1x", 6),
        ("CET-1CEST", 9),
        ("CET-1CEST,M13.1.0,M1.1.0", 13),
        ("CET-1CEST,M3.5.0", 16),
        ("CET-1CEST,M3.5.7,M10.5.0", 16),
        ("CET-1CEST,M3.5.0,M10.5.0/168", 28),
        ("<+03", 0),
        ("CET-1CEST,M3.5.0,M10.5.0 ", 24),
    ] {
        let bad = Zone::parse(rule).expect_err(rule);
        assert_eq!(bad.at, at, "{rule}: {bad}");
    }
    let whole = "CET-1CEST,M3.5.0,M10.5.0/3";
    for end in 0..whole.len() {
        // Some beginnings are rules of their own; none does harm.
        let _ = Zone::parse(&whole[..end]);
        for time in [i64::MIN, -1, i64::MAX] {
            Zone::parse(whole).expect("a rule").weekday_and_minute(time);
        }
    }
}

#[test]
fn a_zones_file_ends_with_its_rule() {
    let zone = Zone::of_file(b"TZif2 \x00\xff rest\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    assert_eq!(zone, Zone::parse("CET-1CEST,M3.5.0,M10.5.0/3").ok());
    for bytes in [&b""[..], b"TZif", b"TZif\n\n", b"TZif\n\xff\n"] {
        assert_eq!(Zone::of_file(bytes), None);
    }
}
