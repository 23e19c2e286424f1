//! Page: what an answer is made of, and what a request for one may say.

use serde::Serialize;

use crate::base::InfoHash;
use crate::format::http::{ResponseHead, Status};
use crate::format::query;

/// What the head of an answer says of its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub status: Status,
    pub content_type: &'static str,
    /// Further headers.
    pub extra: &'static [(&'static str, &'static str)],
}

impl Page {
    pub const PLAIN: Page = Page { status: Status::Ok, content_type: "text/plain", extra: &[] };
}

/// Appends a whole response. `is_head`: all but the body was asked for.
pub(super) fn write_page(
    page: Page,
    keep_alive: bool,
    is_head: bool,
    body: &[u8],
    answer: &mut Vec<u8>,
) {
    let Page { status, content_type, extra } = page;
    // Room for the head, too, or it would be found in steps of a few words.
    answer.reserve(256 + body.len());
    ResponseHead { status, content_type, keep_alive, extra }.write(body.len(), answer);
    if !is_head {
        answer.extend_from_slice(body);
    }
}

/// The parameters of a query.
#[derive(Clone, Copy)]
pub(super) struct Params<'q>(pub &'q str);

impl<'q> Params<'q> {
    /// The decoded value of a parameter; empty if it is not there or cannot be decoded.
    pub fn text(self, name: &str) -> String {
        let decoded = self.get(name).and_then(|value| query::decode(value.as_bytes()));
        String::from_utf8_lossy(&decoded.unwrap_or_default()).into_owned()
    }

    /// `None`: it is not there, or no number of 64 bits.
    pub fn number(self, name: &str) -> Option<u64> {
        let digits = self.get(name)?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    }

    /// The `info_hash`, in either of the ways that people write one. Error: what is wrong with it.
    pub fn info_hash(self) -> Result<Option<InfoHash>, &'static str> {
        let Some(value) = self.get("info_hash") else { return Ok(None) };
        let coded = || query::decode_exactly(value.as_bytes()).map(InfoHash);
        let hash = InfoHash::parse_hex(value).or_else(coded);
        hash.map(Some).ok_or("info_hash is neither 40 hexadecimal digits nor 20 coded bytes")
    }

    fn get(self, name: &str) -> Option<&'q str> {
        query::pairs(self.0).find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// A line of text for people.
pub(super) fn plain(status: Status, text: &str, body: &mut Vec<u8>) -> Page {
    body.extend_from_slice(text.as_bytes());
    body.push(b'\n');
    Page { status, ..Page::PLAIN }
}

/// A value as JSON.
pub(super) fn json(status: Status, shown: &impl Serialize, body: &mut Vec<u8>) -> Page {
    serde_json::to_writer(&mut *body, shown).expect("numbers and texts, into a vector");
    body.push(b'\n');
    Page { status, content_type: "application/json", extra: NOSNIFF }
}

/// Whatever is in there, no browser shall take it for a web page.
pub(super) const NOSNIFF: &[(&str, &str)] = &[("X-Content-Type-Options", "nosniff")];

pub(super) const NO_TORRENT: &str = "no such torrent was published here";
