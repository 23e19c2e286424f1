//! Decimal numbers: digits alone, as bencode and HTTP write them.
//!
//! # Why
//! A tracker's answer holds sixteen numbers and hardly anything else. `format!`, with its signs, widths
//! and padding and a string of its own, took some 500 instructions for each, and this takes some 60.

/// Appends `number`, without zeros in front.
pub fn write(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; DIGITS_MAX];
    let mut from = DIGITS_MAX;
    let mut rest = number;
    loop {
        from -= 1;
        digits[from] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
}

/// Reads digits, of which there must be one at least. What exceeds 64 bits becomes the largest number:
/// every limit that it meets is far below.
pub fn parse(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

/// Of 2^64 − 1.
const DIGITS_MAX: usize = 20;
