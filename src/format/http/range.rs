//! Range: how a part of a file is asked for, and what the head of the answer says of it.
//!
//! ```text
//!  GET /pub/film.mkv HTTP/1.1          HTTP/1.1 206 Partial Content
//!  Range: bytes=65536-131071     ──▶   Content-Range: bytes 65536-131071/734003200
//!                                      Content-Length: 65536
//! ```
//! Only the head is read here. The body is payload and never gathered: whoever asked knows how
//! long it has to be, and an answer that says another length is of no use.
//!
//! # Spec
//! RFC 9110, sections 14.2 (Range) and 15.3.7 (206); RFC 9112, section 6.

use std::io::Write;
use std::ops::Range;

use super::response::parse_status;
use super::{find_head_end, has_word, lines, parse_header};
use crate::base::limits::{REQUEST_HEAD_BYTES_MAX, URL_BYTES_MAX};
use crate::format::decimal;
use crate::format::query::TrackerUrl;

/// What the head of an answer says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RangeHead {
    pub status: u16,
    /// The length of the body.
    pub length: Option<u64>,
    /// The first byte of the file that the body brings, and the one behind its last.
    pub range: Option<Range<u64>>,
    pub location: Option<String>,
    /// The connection ends with this answer.
    pub closes: bool,
}

/// Appends the request for these bytes of a file. `target`: path and query, percent-coded.
pub fn write_get_range(url: &TrackerUrl, target: &str, range: &Range<u64>, out: &mut Vec<u8>) {
    assert!(target.starts_with('/'), "a target begins at the root: {target:?}");
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "not coded: {target:?}");
    assert!(!range.is_empty(), "a range without a byte");
    write!(
        out,
        "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: swarmlet/{}\r\n\
         Accept-Encoding: identity\r\nRange: bytes={}-{}\r\n\r\n",
        url.host_header(),
        env!("CARGO_PKG_VERSION"),
        range.start,
        range.end - 1,
    )
    .expect("a vector takes every write");
}

impl RangeHead {
    /// Gathers a head in `kept`, moving the front of `input` along; `None` until it is whole.
    ///
    /// Error: it is none, it is too long, or the body has no length that could be known.
    pub fn gather(
        kept: &mut Vec<u8>,
        input: &mut &[u8],
    ) -> Result<Option<RangeHead>, &'static str> {
        let known = kept.len();
        let part = &input[..input.len().min(REQUEST_HEAD_BYTES_MAX + 1 - known)];
        kept.extend_from_slice(part);
        if !b"HTTP/1.".starts_with(&kept[..kept.len().min(7)]) {
            return Err("not an HTTP answer");
        }
        let Some(end) = find_head_end(kept, known.saturating_sub(2)) else {
            *input = &input[part.len()..];
            let fits = kept.len() <= REQUEST_HEAD_BYTES_MAX;
            return if fits { Ok(None) } else { Err("the answer's head is too long") };
        };
        *input = &input[end - known..];
        let head = RangeHead::parse(&kept[..end]);
        *kept = Vec::new();
        head.map(Some)
    }

    fn parse(head: &[u8]) -> Result<RangeHead, &'static str> {
        let mut lines = lines(head);
        let first = lines.next().unwrap_or_default();
        let status = parse_status(first).ok_or("no status")?;
        let closes = first.starts_with(b"HTTP/1.0");
        let mut said = RangeHead { status, closes, ..RangeHead::default() };
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = parse_header(line).ok_or("a header that is none")?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    let length = decimal::parse(value).ok_or("a length that is no number")?;
                    if said.length.replace(length).is_some() {
                        return Err("two lengths");
                    }
                }
                "content-range" => {
                    said.range = Some(parse_range(value).ok_or("a range that is none")?);
                }
                "transfer-encoding" => return Err("a transfer coding, for a part of a file"),
                "content-encoding" if !has_word(value, b"identity") => {
                    return Err("a compressed answer, which we did not ask for");
                }
                "location" if value.len() <= URL_BYTES_MAX => {
                    said.location = std::str::from_utf8(value).ok().map(str::to_owned);
                }
                "connection" if has_word(value, b"close") => said.closes = true,
                _ => {}
            }
        }
        Ok(said)
    }

    /// Where the answer sends us, if it does.
    pub fn redirect(&self) -> Option<&str> {
        match self.status {
            301 | 302 | 303 | 307 | 308 => self.location.as_deref(),
            _ => None,
        }
    }

    /// Whether the body is exactly these bytes of the file. A server that knows no ranges sends
    /// the whole file; that is fine if it was asked for as a whole.
    pub fn brings(&self, wanted: &Range<u64>) -> bool {
        let bytes = wanted.end - wanted.start;
        match self.status {
            206 => {
                self.range.as_ref() == Some(wanted) && self.length.is_none_or(|len| len == bytes)
            }
            200 => wanted.start == 0 && self.length == Some(bytes),
            _ => false,
        }
    }
}

/// `bytes 0-99/1000` or `bytes 0-99/*`.
fn parse_range(value: &[u8]) -> Option<Range<u64>> {
    let text = std::str::from_utf8(value).ok()?.strip_prefix("bytes ")?;
    let (range, _total) = text.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let first = decimal::parse(first.trim_start().as_bytes())?;
    let end = decimal::parse(last.trim_end().as_bytes())?.checked_add(1)?;
    (first < end).then_some(first..end)
}
