//! Find: against the search of the standard library, which looks at one byte after the other.

use proptest::prelude::*;
use swarmlet::format::find::{cut, find};

#[test]
fn a_byte_is_found_wherever_it_stands() {
    for len in 0..70 {
        let mut bytes = vec![b'.'; len];
        assert_eq!(find(b'!', &bytes), None, "{len} bytes");
        for at in (0..len).rev() {
            bytes[at] = b'!';
            assert_eq!(find(b'!', &bytes), Some(at), "{len} bytes");
        }
    }
}

#[test]
fn a_text_is_cut_at_the_first_mark() {
    let table = [
        ("", None),
        ("plain", None),
        ("=", Some(("", ""))),
        ("key=value", Some(("key", "value"))),
        ("key=value=more", Some(("key", "value=more"))),
        ("ein längerer Schlüssel=größer", Some(("ein längerer Schlüssel", "größer"))),
    ];
    for (text, expected) in table {
        assert_eq!(cut(text, b'='), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn the_first_of_many_is_found(bytes in proptest::collection::vec(0..9u8, 0..90)) {
        prop_assert_eq!(find(3, &bytes), bytes.iter().position(|&byte| byte == 3));
    }
}
