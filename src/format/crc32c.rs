//! CRC-32C (Castagnoli): a checksum that BEP 42 uses to tie places to addresses.
//!
//! Bit by bit, because all that it is ever fed are eight bytes: a table would cost a kilobyte.

/// The checksum of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let low_bit = crc & 1;
            crc >>= 1;
            if low_bit == 1 {
                crc ^= POLYNOMIAL;
            }
        }
    }
    !crc
}

/// Castagnoli's polynomial, its bits reversed. Source: RFC 3720, 12.1.
const POLYNOMIAL: u32 = 0x82f6_3b78;
