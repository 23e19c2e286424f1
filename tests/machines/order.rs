//! The sort that serves everyone: against the one of the standard library, and by hand.

use proptest::prelude::*;
use swarmlet::base::InfoHash;
use swarmlet::base::order;

#[test]
fn equals_stay_in_the_order_in_which_they_came() {
    let rows: &[(&[&str], &[&str])] = &[
        (&[], &[]),
        (&["a"], &["a"]),
        (&["b", "a"], &["b", "a"]),
        (&["bb", "c", "aa", "a"], &["c", "a", "bb", "aa"]),
        (&["ccc", "a", "b", "bb", "c", "aa"], &["a", "b", "c", "bb", "aa", "ccc"]),
    ];
    for (given, by_length) in rows {
        let mut words = given.to_vec();
        order::sort_by_key(&mut words, |word| word.len());
        assert_eq!(&words, by_length, "{given:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sorted_ends_where_the_standard_library_puts_it(
        numbers in proptest::collection::vec(0..40u8, 0..120),
    ) {
        let mut numbered: Vec<(u8, usize)> = numbers.into_iter().zip(0..).collect();
        let mut expected = numbered.clone();
        expected.sort_by_key(|(number, _)| *number);
        order::sort_by_key(&mut numbered, |(number, _)| *number);
        prop_assert_eq!(&numbered, &expected);

        expected.sort_by(|one, other| other.cmp(one));
        order::sort_by(&mut numbered, |one, other| other.cmp(one));
        prop_assert_eq!(&numbered, &expected);

        expected.sort();
        order::sort(&mut numbered);
        prop_assert_eq!(numbered, expected);
    }
}

#[test]
fn info_hashes_are_ordered_byte_by_byte() {
    let hash = |at: usize, byte: u8| {
        let mut bytes = [7; 20];
        bytes[at] = byte;
        InfoHash(bytes)
    };
    for at in 0..20 {
        assert!(hash(at, 6) < hash(at, 7), "byte {at}");
        assert!(hash(at, 0xff) > hash(at, 8), "byte {at}");
        assert!(at == 0 || hash(0, 6) < hash(at, 0), "byte {at} counts less than byte 0");
        assert!(at == 19 || hash(19, 0xff) < hash(at, 8), "byte {at} counts more than byte 19");
    }
    assert_eq!(hash(3, 7).cmp(&hash(9, 7)), std::cmp::Ordering::Equal);
}
