//! Base64: bytes as letters, for JSON, which has no bytes.
//!
//! ```text
//!  bytes    01101001 10110111 00011101        three bytes
//!  sextets  011010 011011 011100 011101       four letters
//!  letters  a      b      c      d
//! ```
//!
//! # Why
//! Remote controls break long lines and some leave the padding out, so both are read; every other
//! oddity is refused with its place, for half a torrent helps nobody.
//!
//! # Spec
//! RFC 4648, section 4.

use super::Malformed;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes that `text` stands for.
///
/// Malformed: a letter that is none, letters after the padding, or an end within a byte.
pub fn parse(text: &str) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0u32, 0u32);
    let mut padding = 0;
    for (at, letter) in text.bytes().enumerate() {
        if matches!(letter, b'\r' | b'\n' | b' ' | b'\t') {
            continue;
        }
        if letter == b'=' {
            padding += 1;
            continue;
        }
        let value = sextet(letter).ok_or_else(|| Malformed::new("no base64 letter", at))?;
        if padding > 0 {
            return Err(Malformed::new("base64 goes on after its end", at));
        }
        held = held << 6 | value;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).expect("masked to a byte"));
        }
    }
    // A lone letter holds six bits: less than a byte.
    if bits == 6 || padding > 2 {
        return Err(Malformed::new("base64 ends within a byte", text.len()));
    }
    Ok(bytes)
}

/// The letters for `bytes`, padded.
pub fn write(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let held = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(held >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

fn sextet(letter: u8) -> Option<u32> {
    match letter {
        b'A'..=b'Z' => Some(u32::from(letter - b'A')),
        b'a'..=b'z' => Some(u32::from(letter - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(letter - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
