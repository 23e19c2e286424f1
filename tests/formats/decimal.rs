//! Decimal: numbers on the left, digits on the right.

use proptest::prelude::*;
use swarmlet::format::decimal::{parse, write};

#[test]
fn numbers_are_written_without_zeros_in_front_and_read_again() {
    let table = [
        (0, "0"),
        (7, "7"),
        (10, "10"),
        (909, "909"),
        (u64::from(u32::MAX), "4294967295"),
        (10_000_000_000_000_000_000, "10000000000000000000"),
        (u64::MAX, "18446744073709551615"),
    ];
    for (number, digits) in table {
        let mut out = b"before ".to_vec();
        write(number, &mut out);
        assert_eq!(out, format!("before {digits}").as_bytes());
        assert_eq!(parse(digits.as_bytes()), Some(number));
    }
}

#[test]
fn only_digits_are_a_number_and_too_many_of_them_the_largest() {
    for none in ["", "-1", "+1", " 1", "1 ", "1a", "0x1", "١"] {
        assert_eq!(parse(none.as_bytes()), None, "{none:?}");
    }
    assert_eq!(parse(b"000012"), Some(12));
    assert_eq!(parse(b"18446744073709551616"), Some(u64::MAX));
    assert_eq!(parse(&[b'9'; 400]), Some(u64::MAX));
}

proptest! {
    #[test]
    fn every_number_is_written_as_the_standard_library_writes_it(number: u64) {
        let mut out = Vec::new();
        write(number, &mut out);
        prop_assert_eq!(out, number.to_string().into_bytes());
    }
}
