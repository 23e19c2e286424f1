//! Base64: bytes on the left, letters on the right.

use swarmlet::format::base64::{parse, write};

#[test]
fn bytes_become_letters_and_come_back() {
    for (bytes, letters) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(write(bytes.as_bytes()), letters);
        assert_eq!(parse(letters).as_deref(), Ok(bytes.as_bytes()));
        assert_eq!(parse(letters.trim_end_matches('=')).as_deref(), Ok(bytes.as_bytes()));
    }
    let all: Vec<u8> = (0..=255).collect();
    for len in 0..all.len() {
        assert_eq!(parse(&write(&all[..len])).as_deref(), Ok(&all[..len]));
    }
    assert!(write(&all).contains('+') && write(&all).contains('/'));
}

#[test]
fn lines_may_be_broken_and_nothing_else_is_taken() {
    assert_eq!(parse("Zm9v\r\nYm Fy\t\n").as_deref(), Ok(&b"foobar"[..]));
    for (letters, what, at) in [
        ("Zm9!", "no base64 letter", 3),
        ("Zm9v-_", "no base64 letter", 4),
        ("Zmé", "no base64 letter", 2),
        ("Zg==Zg==", "base64 goes on after its end", 4),
        ("Z", "base64 ends within a byte", 1),
        ("Zm9vY", "base64 ends within a byte", 5),
        ("Zg===", "base64 ends within a byte", 5),
    ] {
        let malformed = parse(letters).expect_err(letters);
        assert_eq!((malformed.what.as_ref(), malformed.at), (what, at), "{letters}");
    }
}
