//! Response: a tracker's answer, put together from the bytes that come.
//!
//! ```text
//!            ┌── 1xx: another head follows ──┐
//!            ▼                               │
//!  ────▶   Head ───────────────┬─────────────┘
//!                              ├─ Content-Length ──▶ Counted{left} ─────────────┐
//!                              ├─ chunked ──▶ Line(Size) ◀──▶ Chunk{left}       │
//!                              │                  └── size 0 ▶ Line(Trailer) ───┼──▶ Done
//!                              ├─ neither ─────────▶ UntilClose ── on_closed ───┤
//!                              └─ 204, 304 ─────────────────────────────────────┘
//! ```
//!
//! # Interface
//! `feed` whatever arrives until it says `Done`, and `on_closed` when the stream ends; then ask
//! for `status`, `location` and `body`. After an error the response is worth nothing.
//!
//! # Limits
//! The head ends within `RESPONSE_HEAD_BYTES_MAX`, the body within `ANNOUNCE_REPLY_BYTES_MAX` or
//! what `with_body_max` says.
//! Memory grows with what has come, never by what a length claims.
//!
//! # Why
//! We never ask for a compressed body, so one that comes nevertheless is refused: ten kilobytes of
//! gzip can be ten gigabytes. A message with two lengths is refused: there is no telling which.
//!
//! # Spec
//! RFC 9112, sections 6 (message body) and 7.1 (chunked).

use super::{find_head_end, has_word, lines, parse_header};
use crate::base::limits::{
    ANNOUNCE_REPLY_BYTES_MAX, CHUNK_LINE_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX, URL_BYTES_MAX,
};
use crate::format::Malformed;
use crate::format::decimal;

/// An answer that is arriving, or has arrived.
#[derive(Clone, Debug)]
pub struct Response {
    state: State,
    /// Bytes of the head until it is whole; then the line of a chunk.
    head: Vec<u8>,
    /// Bytes of all heads so far, and of all trailers.
    head_bytes: usize,
    /// Bytes fed so far: where an error happened.
    at: usize,
    status: u16,
    location: Option<String>,
    body: Vec<u8>,
    body_bytes_max: usize,
}

/// Whether there is more to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    More,
    /// Status, location and body are whole. What follows on the stream is nobody's.
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Head,
    /// A body of known length, of which `left` bytes are to come.
    Counted {
        left: u64,
    },
    /// A chunk, of which `left` bytes are to come.
    Chunk {
        left: u64,
    },
    /// A line of the chunked form.
    Line(Line),
    UntilClose,
    Done,
}

/// The lines between chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    /// How many bytes follow.
    Size,
    /// The empty one after those bytes.
    AfterChunk,
    /// The headers after the last chunk, up to an empty one.
    Trailer,
}

impl Response {
    pub fn new() -> Response {
        Response::with_body_max(ANNOUNCE_REPLY_BYTES_MAX)
    }

    /// One whose body may have so many bytes, if it is not a tracker's.
    pub fn with_body_max(body_bytes_max: usize) -> Response {
        Response {
            state: State::Head,
            head: Vec::new(),
            head_bytes: 0,
            at: 0,
            status: 0,
            location: None,
            body: Vec::new(),
            body_bytes_max,
        }
    }

    /// Takes the bytes that came. Cuts make no difference.
    ///
    /// Malformed: it is no answer that we take; `at` is how many bytes had come by then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        let mut input = bytes;
        while !input.is_empty() && self.state != State::Done {
            let before = input.len();
            let step = match self.state {
                State::Head => self.feed_head(&mut input),
                State::Counted { left } => self.feed_counted(left, &mut input),
                State::Chunk { left } => self.feed_chunk(left, &mut input),
                State::Line(line) => self.feed_line(line, &mut input),
                State::UntilClose => self.take(u64::MAX, &mut input).map(|_| ()),
                State::Done => Ok(()),
            };
            self.at += before - input.len();
            step.map_err(|what| Malformed::new(what, self.at))?;
        }
        Ok(if self.state == State::Done { Progress::Done } else { Progress::More })
    }

    /// The stream has ended.
    ///
    /// Malformed: the response has not. Only a body without any length ends like this.
    pub fn on_closed(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::UntilClose | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            State::Head if self.at == 0 => Err(self.malformed("closed without an answer")),
            State::Head => Err(self.malformed("the answer ends within its head")),
            State::Counted { .. } | State::Chunk { .. } | State::Line(_) => {
                Err(self.malformed("the answer ends before its end"))
            }
        }
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// 200 to 599; 0 until the head is whole.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the answer sends us elsewhere, and says where.
    ///
    /// The text is as the server wrote it: `TrackerUrl::join` reads it.
    pub fn redirect(&self) -> Option<&str> {
        match self.status {
            301 | 302 | 303 | 307 | 308 => self.location.as_deref(),
            _ => None,
        }
    }

    /// What came of the body so far; all of it once `is_done`.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed::new(what, self.at)
    }

    /// Gathers the head. It may be cut anywhere, so its bytes are kept until it is whole.
    fn feed_head(&mut self, input: &mut &[u8]) -> Result<(), &'static str> {
        let known = self.head.len();
        // One byte more than may be, to see that it is too long.
        let room = RESPONSE_HEAD_BYTES_MAX + 1 - self.head_bytes;
        let part = &input[..input.len().min(room)];
        self.head.extend_from_slice(part);
        if !b"HTTP/1.".starts_with(&self.head[..self.head.len().min(7)]) {
            *input = &input[part.len()..];
            return Err("not an HTTP answer");
        }
        let Some(end) = find_head_end(&self.head, known.saturating_sub(2)) else {
            *input = &input[part.len()..];
            return self.count_head(part.len());
        };
        *input = &input[end - known..];
        self.count_head(end - known)?;
        let head = std::mem::take(&mut self.head);
        self.state = self.read_head(&head[..end])?;
        Ok(())
    }

    fn count_head(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.head_bytes += bytes;
        if self.head_bytes > RESPONSE_HEAD_BYTES_MAX {
            return Err("the answer's head is too long");
        }
        Ok(())
    }

    /// Reads a whole head and says how the body comes.
    fn read_head(&mut self, head: &[u8]) -> Result<State, &'static str> {
        let mut lines = lines(head);
        let status = parse_status(lines.next().unwrap_or_default()).ok_or("no status")?;
        let mut length = None;
        let mut is_chunked = false;
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = parse_header(line).ok_or("a header that is none")?;
            if name.eq_ignore_ascii_case("content-length") {
                let said = decimal::parse(value).ok_or("a Content-Length that is no number")?;
                if length.replace(said).is_some() {
                    return Err("two Content-Lengths");
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value.eq_ignore_ascii_case(b"chunked") && !is_chunked;
                if !is_chunked {
                    return Err("a transfer coding that we do not speak");
                }
            } else if name.eq_ignore_ascii_case("content-encoding") {
                if !(value.is_empty() || has_word(value, b"identity")) {
                    return Err("a compressed answer, which we did not ask for");
                }
            } else if name.eq_ignore_ascii_case("location") && value.len() <= URL_BYTES_MAX {
                self.location = std::str::from_utf8(value).ok().map(str::to_owned);
            }
        }
        if (100..200).contains(&status) {
            return Ok(State::Head);
        }
        self.status = status;
        body_state(status, length, is_chunked, self.body_bytes_max)
    }

    fn feed_counted(&mut self, left: u64, input: &mut &[u8]) -> Result<(), &'static str> {
        let left = left - self.take(left, input)?;
        self.state = if left == 0 { State::Done } else { State::Counted { left } };
        Ok(())
    }

    fn feed_chunk(&mut self, left: u64, input: &mut &[u8]) -> Result<(), &'static str> {
        let left = left - self.take(left, input)?;
        self.state = if left == 0 { State::Line(Line::AfterChunk) } else { State::Chunk { left } };
        Ok(())
    }

    fn feed_line(&mut self, which: Line, input: &mut &[u8]) -> Result<(), &'static str> {
        let Some(line) = self.take_line(input)? else { return Ok(()) };
        self.state = match which {
            Line::Size => match parse_chunk_size(&line)? {
                0 => State::Line(Line::Trailer),
                left if left > self.body_bytes_max as u64 => return Err(TOO_LONG),
                left => State::Chunk { left },
            },
            Line::AfterChunk if line.is_empty() => State::Line(Line::Size),
            Line::AfterChunk => return Err("a chunk that is longer than it says"),
            Line::Trailer if line.is_empty() => State::Done,
            Line::Trailer => {
                self.count_head(line.len() + 1)?;
                State::Line(Line::Trailer)
            }
        };
        Ok(())
    }

    /// Takes up to and including the next line feed; `None` until it comes.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
        let end = input.iter().position(|&byte| byte == b'\n');
        let part = &input[..end.unwrap_or(input.len())];
        if self.head.len() + part.len() > CHUNK_LINE_BYTES_MAX {
            return Err("a line between chunks is too long");
        }
        self.head.extend_from_slice(part);
        *input = &input[part.len() + usize::from(end.is_some())..];
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.head);
        line.pop_if(|last| *last == b'\r');
        Ok(Some(line))
    }

    /// Moves at most `wanted` bytes to the body. Returns how many.
    fn take(&mut self, wanted: u64, input: &mut &[u8]) -> Result<u64, &'static str> {
        let count = usize::try_from(wanted).unwrap_or(usize::MAX).min(input.len());
        if self.body.len() + count > self.body_bytes_max {
            return Err(TOO_LONG);
        }
        let (part, rest) = input.split_at(count);
        self.body.extend_from_slice(part);
        *input = rest;
        Ok(count as u64)
    }
}

impl Default for Response {
    fn default() -> Response {
        Response::new()
    }
}

/// The number of a status line such as `HTTP/1.1 200 OK`; the words are optional.
pub(super) fn parse_status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let [minor, b' ', code @ ..] = rest else { return None };
    let (code, words) = code.split_at_checked(3)?;
    if !minor.is_ascii_digit() || words.first().is_some_and(|&after| after != b' ') {
        return None;
    }
    u16::try_from(decimal::parse(code)?).ok().filter(|code| (100..600).contains(code))
}

/// How the body of such a head comes (RFC 9112, section 6.3).
fn body_state(
    status: u16,
    length: Option<u64>,
    is_chunked: bool,
    bytes_max: usize,
) -> Result<State, &'static str> {
    if status == 204 || status == 304 {
        return Ok(State::Done);
    }
    match (is_chunked, length) {
        (true, Some(_)) => Err("two ways to tell the length"),
        (true, None) => Ok(State::Line(Line::Size)),
        (false, None) => Ok(State::UntilClose),
        (false, Some(0)) => Ok(State::Done),
        (false, Some(left)) if left > bytes_max as u64 => Err(TOO_LONG),
        (false, Some(left)) => Ok(State::Counted { left }),
    }
}

/// Hexadecimal digits, and perhaps an extension after a semicolon, which nobody uses.
fn parse_chunk_size(line: &[u8]) -> Result<u64, &'static str> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() {
        return Err("a chunk without a size");
    }
    digits.iter().try_fold(0u64, |size, &digit| {
        let digit = char::from(digit).to_digit(16).ok_or("a chunk size that is no number")?;
        size.checked_mul(16).and_then(|size| size.checked_add(digit.into())).ok_or(TOO_LONG)
    })
}

const TOO_LONG: &str = "the answer is too long";
