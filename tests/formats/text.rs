//! Text: outside words on the left, what may be shown or created on the right.

use proptest::prelude::*;
use swarmlet::base::Span;
use swarmlet::base::limits::{NAME_BYTES_MAX, TEXT_CHARS_MAX};
use swarmlet::format::text::{clean, clean_to, component, duration, numbered, size};

#[test]
fn shown_text_keeps_letters_and_loses_commands() {
    let table: &[(&[u8], &str)] = &[
        (b"plain", "plain"),
        ("Grüße 你好 👩\u{200d}💻".as_bytes(), "Grüße 你好 👩\u{200d}💻"),
        (b"\x1b[31mred\x1b[0m", "[31mred[0m"),
        (b"a\0b\x07c\x7fd", "abcd"),
        ("a\u{9b}31mb".as_bytes(), "a31mb"),
        (b"a\x9b31mb", "a\u{fffd}31mb"),
        (b"one\ntwo\tthree\r", "one two three "),
        ("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}x".as_bytes(), "x"),
        ("\u{2066}\u{2067}\u{2068}\u{2069}x".as_bytes(), "x"),
        ("\u{200b}\u{200e}\u{200f}\u{2060}\u{feff}\u{ad}\u{61c}x".as_bytes(), "x"),
        ("a\u{2028}b\u{2029}c".as_bytes(), "abc"),
        (b"\xff", "\u{fffd}"),
        (b"\xc0\xaf", "\u{fffd}\u{fffd}"),
        (b"\xe4\xbd", "\u{fffd}"),
    ];
    for (outside, expected) in table {
        assert_eq!(clean(outside), *expected, "{}", outside.escape_ascii());
    }
}

#[test]
fn shown_text_is_cut_and_says_so() {
    assert_eq!(clean_to("abcdef", 6), "abcdef");
    assert_eq!(clean_to("abcdef", 5), "abcd…");
    assert_eq!(clean_to("äöüß", 3), "äö…");
    assert_eq!(clean_to("a\u{200b}\u{200b}b", 2), "ab");
    assert_eq!(clean_to("abc", 0), "");
    let megabyte = "x".repeat(1 << 20);
    assert_eq!(clean(&megabyte).chars().count(), TEXT_CHARS_MAX);
}

#[test]
fn components_cannot_point_elsewhere() {
    let table: &[(&[u8], &str)] = &[
        (b"a.txt", "a.txt"),
        (b"", "_"),
        (b".", "_"),
        (b"..", "_"),
        (b"...", "..."),
        (b"/etc/passwd", "_etc_passwd"),
        (b"a/../../b", "a_.._.._b"),
        (b"C:\\x", "C:_x"),
        (b"a\0b", "a_b"),
        (b"Icon\r", "Icon_"),
        (b"\xff", "_"),
        (b"\xc0\xaf", "__"),
        (b"\xed\xa0\x80", "___"),
        ("\u{200b}..".as_bytes(), "_"),
        (".\u{202e}.".as_bytes(), "_"),
        ("\u{feff}".as_bytes(), "_"),
        (b"-rf", "-rf"),
        (b".hidden", ".hidden"),
    ];
    for (outside, expected) in table {
        assert_eq!(component(outside), *expected, "{}", outside.escape_ascii());
    }
}

#[test]
fn long_components_are_cut_at_a_letter_and_keep_their_extension() {
    let stem = "x".repeat(251);
    let table = [
        (format!("{stem}.mkv"), format!("{stem}.mkv")),
        (format!("{stem}y.mkv"), format!("{stem}.mkv")),
        (format!("{stem}{stem}.mkv"), format!("{stem}.mkv")),
        (format!("{}.mkv", "ä".repeat(200)), format!("{}.mkv", "ä".repeat(125))),
        // What follows the last dot is too long to be an extension.
        (format!("a.{}", "b".repeat(300)), format!("a.{}", "b".repeat(253))),
        ("y".repeat(300), "y".repeat(255)),
        (".".repeat(300), ".".repeat(255)),
    ];
    for (outside, expected) in table {
        assert_eq!(component(&outside), expected, "{outside}");
    }
    assert!(component("z".repeat(10 << 20)).len() <= NAME_BYTES_MAX);
}

#[test]
fn numbers_go_before_the_extension() {
    assert_eq!(numbered("a", 1), "a.1");
    assert_eq!(numbered("a.txt", 12), "a.12.txt");
    assert_eq!(numbered(".profile", 2), ".profile.2");
    let longest = format!("{}.mkv", "x".repeat(251));
    assert_eq!(numbered(&longest, 7), format!("{}.7.mkv", "x".repeat(249)));
}

#[test]
fn sizes_have_one_decimal_and_never_round_up() {
    let table = [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_509_949, "1.4 MiB"),
        ((1 << 20) - 1, "1023.9 KiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (u64::MAX, "15.9 EiB"),
    ];
    for (bytes, expected) in table {
        assert_eq!(size(bytes), expected);
    }
}

#[test]
fn durations_have_two_units() {
    let table = [
        (0, "0s"),
        (59, "59s"),
        (130, "2m 10s"),
        (3600, "1h 0m"),
        (86_399, "23h 59m"),
        (86_400 * 5 + 7_300, "5d 2h"),
    ];
    for (secs, expected) in table {
        assert_eq!(duration(Span::from_secs(secs)), expected);
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_clean_and_stays_as_it_is(
        outside in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            any::<String>().prop_map(String::into_bytes),
        ],
    ) {
        let shown = clean(&outside);
        prop_assert!(!shown.chars().any(char::is_control));
        prop_assert_eq!(clean(&shown), shown.clone());
        let name = component(&outside);
        prop_assert!(!["", ".", ".."].contains(&name.as_str()));
        prop_assert!(name.len() <= NAME_BYTES_MAX);
        prop_assert!(!name.contains(['/', '\\', '\0']));
        prop_assert!(!name.chars().any(char::is_control));
        prop_assert_eq!(component(&name), name.clone());
    }
}
