//! Web: a web server as a seed, asked by the words that a peer would be asked by.
//!
//! Whoever fetches asks for blocks and gets payload; it need not know that at the other end there
//! is no peer. What lies between is translated here, without a copy of a byte:
//!
//! ```text
//!  request 7 0 16384 ┐                                                   ┌ Payload of 7 0
//!  request 7 16384 … ┼─▶ one GET for bytes that are neighbours ─▶ body ─┼ Payload of 7 16384
//!  request 7 32768 … ┘   of one file                                    └ …
//!  cancel …          ──▶ asked for already: its bytes are stepped over
//!  any other word    ──▶ nothing: a server is neither choked nor interested
//! ```
//! A block that reaches over the end of a file takes part in two GETs. Padding (BEP 47) is no
//! server's to give: its zeros are handed out as soon as the bytes in front of it have come.
//!
//! # Interface
//! The reading and sending halves of a `Link`: `feed`, `send`, `segments`, `sent`. And `go_on`
//! before `segments`, which turns what was asked for into requests, for only the layout knows
//! in which file a block lies.
//!
//! # Limits
//! `WEB_GETS_AT_ONCE_MAX` requests under way; a head of `REQUEST_HEAD_BYTES_MAX`. Blocks asked
//! for: bounded by who asks (`REQUESTS_IN_FLIGHT_MAX`).
//!
//! # Why
//! A second request that is under way while the first is answered hides the round trip between
//! two answers. More would hold blocks back that others could bring. A server that closes after an
//! answer while another request is on its way may take the answer back with it (the host resets
//! the connection); so there is one at a time until the first answer has shown that it stays.
//!
//! # Spec
//! BEP 19 ("url-list").

use std::collections::VecDeque;
use std::ops::Range;

use super::link::{Frame, Segment};
use super::message::{Message, Violation};
use crate::base::Claim;
use crate::base::limits::WEB_GETS_AT_ONCE_MAX;
use crate::format::http::range::{RangeHead, write_get_range};
use crate::format::layout::{FileSpan, Layout};
use crate::format::query::{TrackerUrl, encode};

/// One conversation with a web server.
#[derive(Debug)]
pub struct Web {
    url: TrackerUrl,
    /// Asked for, and not looked up yet.
    asked: VecDeque<Claim>,
    /// Looked up, and in no request yet.
    parts: VecDeque<Part>,
    /// In requests whose answers are awaited, the oldest first.
    gets: VecDeque<Get>,
    /// What is left of the present answer's body; `None`: the next bytes are a head.
    body: Option<u64>,
    head: Vec<u8>,
    words: Vec<u8>,
    words_sent: usize,
    /// The server ends the connection after the present answer …
    closes: bool,
    /// … or has shown that it does not.
    stays: bool,
    moved: Option<TrackerUrl>,
}

/// One request: a range of one file, and whose bytes those are.
#[derive(Debug)]
struct Get {
    range: Range<u64>,
    /// What was appended to the URL to get to the file.
    suffix: String,
    parts: VecDeque<Part>,
}

/// Bytes of a block that lie together in a file.
#[derive(Clone, Copy, Debug)]
struct Part {
    block: Claim,
    /// Where in the block they begin. Moves on as they come.
    from: u32,
    len: u32,
    file: usize,
    offset: u64,
    /// Zeros that no server has.
    is_pad: bool,
    /// Somebody waits for them.
    is_wanted: bool,
}

/// What a pad is made of, a frame's worth at a time: few torrents have any, and all zeros of a
/// block would be a hundredth of the program.
static ZEROS: [u8; 1024] = [0; 1024];

impl Web {
    /// `url`: of the file, or of the directory in which the torrent lies.
    pub fn new(url: TrackerUrl) -> Web {
        Web {
            url,
            asked: VecDeque::new(),
            parts: VecDeque::new(),
            gets: VecDeque::new(),
            body: None,
            head: Vec::new(),
            words: Vec::new(),
            words_sent: 0,
            closes: false,
            stays: false,
            moved: None,
        }
    }

    // ── Asking ──────────────────────────────────────────────────────────────────────────────

    /// Takes a word. Only two of them mean something to a server.
    pub fn send(&mut self, message: &Message) {
        match message {
            Message::Request(block) => self.asked.push_back(*block),
            Message::Cancel(block) => self.cancel(*block),
            _a_word_for_peers => {}
        }
    }

    /// Makes requests of what was asked for, as many as may be under way.
    pub fn go_on(&mut self, layout: &Layout) {
        for claim in self.asked.drain(..) {
            let block = layout.block(claim).expect("we ask for blocks that there are");
            let mut from = 0;
            for FileSpan { file, offset, len } in
                layout.spans(block.piece(), block.begin(), block.len())
            {
                let is_pad = layout.files()[file].pad;
                self.parts.push_back(Part {
                    block: claim,
                    from,
                    len,
                    file,
                    offset,
                    is_pad,
                    is_wanted: true,
                });
                from += len;
            }
        }
        while self.can_ask() {
            let get = self.next_get(layout);
            let target = format!("{}{}", self.url.path_and_query, get.suffix);
            write_get_range(&self.url, &target, &get.range, &mut self.words);
            self.gets.push_back(get);
        }
    }

    /// The longest run of neighbours in one file, and all padding on the way.
    fn next_get(&mut self, layout: &Layout) -> Get {
        let first = *self.parts.front().expect("there is something to ask for");
        let mut parts = VecDeque::new();
        // Padding comes along with bytes of a file; if nothing else is wanted, with one that is
        // there already.
        let start = if first.is_pad { neighbour(layout, first) } else { first };
        let mut range = start.offset..start.offset;
        if first.is_pad {
            parts.push_back(start);
            range.end += u64::from(start.len);
        }
        while let Some(part) = self.parts.front() {
            let is_next = part.file == start.file && part.offset == range.end;
            if !part.is_pad && !is_next {
                break;
            }
            if !part.is_pad {
                range.end += u64::from(part.len);
            }
            parts.extend(self.parts.pop_front());
        }
        Get { range, suffix: suffix(layout, start.file, &self.url), parts }
    }

    /// Nobody waits for this block any more; once its first byte has come, the rest follows.
    fn cancel(&mut self, block: Claim) {
        self.asked.retain(|asked| *asked != block);
        let is_ours = |part: &&mut Part| part.block == block && part.is_wanted;
        let requested = self.gets.iter_mut().flat_map(|get| &mut get.parts);
        let mut ours = requested.chain(&mut self.parts).filter(is_ours).peekable();
        if ours.peek().is_some_and(|part| part.from == 0) {
            ours.for_each(|part| part.is_wanted = false);
        }
        self.parts.retain(|part| part.is_wanted);
    }

    fn can_ask(&self) -> bool {
        !self.parts.is_empty() && self.has_room()
    }

    fn has_room(&self) -> bool {
        let gets_max = if self.stays { WEB_GETS_AT_ONCE_MAX } else { 1 };
        self.gets.len() < gets_max && !self.closes
    }

    // ── What comes ──────────────────────────────────────────────────────────────────────────

    /// Takes the next frame out of `input`, moving its front along. `None`: all was consumed.
    ///
    /// Violation: `WebAnswer`; if the server sends us elsewhere, `moved` says where.
    pub fn feed<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation> {
        loop {
            let Some(left) = self.body else {
                match self.read_head(input)? {
                    true => continue,
                    false => return Ok(None),
                }
            };
            let get = self.gets.front_mut().expect("an answer has its request");
            let Some(part) = get.parts.front_mut() else {
                assert_eq!(left, 0, "a body is as long as what it is for");
                self.gets.pop_front();
                self.body = None;
                continue;
            };
            let source: &'i [u8] = if part.is_pad { &ZEROS } else { input };
            let bytes = &source[..source.len().min(part.len as usize)];
            if bytes.is_empty() {
                return Ok(None);
            }
            let len = u32::try_from(bytes.len()).expect("at most a block");
            let (block, from) = (part.block, part.from);
            let is_wanted = part.is_wanted;
            if !part.is_pad {
                *input = &input[bytes.len()..];
                self.body = Some(left - u64::from(len));
            }
            part.from += len;
            part.len -= len;
            if part.len == 0 {
                get.parts.pop_front();
            }
            if is_wanted {
                return Ok(Some(Frame::Payload { block, from, bytes }));
            }
        }
    }

    /// Reads a head. Returns whether it is whole.
    fn read_head(&mut self, input: &mut &[u8]) -> Result<bool, Violation> {
        let none = |_why| Violation::WebAnswer { status: 0 };
        let Some(head) = RangeHead::gather(&mut self.head, input).map_err(none)? else {
            return Ok(false);
        };
        if (100..200).contains(&head.status) {
            return Ok(true);
        }
        let refused = Violation::WebAnswer { status: head.status };
        let get = self.gets.front().ok_or(refused)?;
        if let Some(location) = head.redirect() {
            self.moved = moved(&self.url, location, &get.suffix);
        }
        if !head.brings(&get.range) {
            return Err(refused);
        }
        self.closes |= head.closes;
        self.stays = !self.closes;
        self.body = Some(get.range.end - get.range.start);
        Ok(true)
    }

    /// Begins anew after the server has ended the connection. Returns `false` if that makes no
    /// sense: it did so within an answer, or without one.
    ///
    /// What was asked for and has not come is asked for again, from where it stopped: half a block
    /// may lie in a file that came with this connection, and the rest in the next.
    pub fn begin_again(&mut self) -> bool {
        let is_between = self.body.is_none() && self.head.is_empty();
        if !is_between || !(self.closes || self.stays) {
            return false;
        }
        for get in std::mem::take(&mut self.gets).into_iter().rev() {
            let real = get.parts.into_iter().filter(|part| part.is_wanted).rev();
            real.for_each(|part| self.parts.push_front(part));
        }
        (self.words, self.words_sent) = (Vec::new(), 0);
        (self.closes, self.stays) = (false, false);
        true
    }

    /// Where the server sent us instead of an answer.
    pub fn moved(&self) -> Option<&TrackerUrl> {
        self.moved.as_ref()
    }

    // ── What leaves ─────────────────────────────────────────────────────────────────────────

    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let rest = &self.words[self.words_sent..];
        (!rest.is_empty()).then_some(Segment::Bytes(rest)).into_iter()
    }

    /// Says that the first `bytes` of `segments` left.
    pub fn sent(&mut self, bytes: usize) {
        self.words_sent += bytes;
        assert!(self.words_sent <= self.words.len(), "more left than was queued");
        if self.words_sent == self.words.len() {
            (self.words, self.words_sent) = (Vec::new(), 0);
        }
    }

    /// Whether there is nothing to send, nor would be after `go_on`.
    pub fn is_idle(&self) -> bool {
        let wants = !self.asked.is_empty() || !self.parts.is_empty();
        self.words.is_empty() && !(self.has_room() && wants)
    }

    /// Asserts that a body is as long as what it is for.
    pub fn check(&self) {
        assert!(self.gets.len() <= WEB_GETS_AT_ONCE_MAX, "{} requests", self.gets.len());
        for (number, get) in self.gets.iter().enumerate() {
            let real = get.parts.iter().filter(|part| !part.is_pad);
            let sum: u64 = real.map(|part| u64::from(part.len)).sum();
            let whole = get.range.end - get.range.start;
            let due = self.body.filter(|_| number == 0).unwrap_or(whole);
            assert_eq!(sum, due, "parts of {:?}", get.range);
        }
    }
}

/// A byte of a file that stands next to a pad; nobody waits for it.
fn neighbour(layout: &Layout, pad: Part) -> Part {
    let files = layout.files();
    let is_real = |&file: &usize| !files[file].pad && files[file].len > 0;
    let before = (0..pad.file).rev().find(is_real);
    let file = before.or_else(|| (pad.file..files.len()).find(is_real));
    let file = file.expect("a torrent is not made of padding alone");
    Part { file, offset: files[file].len - 1, len: 1, is_pad: false, is_wanted: false, ..pad }
}

/// What leads from the URL of a torrent's directory to one of its files; empty if the URL is that
/// of the only file.
fn suffix(layout: &Layout, file: usize, url: &TrackerUrl) -> String {
    let path = &layout.files()[file].path;
    let is_dir = url.path_and_query.ends_with('/');
    if path.len() == 1 && !is_dir {
        return String::new();
    }
    let mut suffix = String::new();
    for (number, component) in path.iter().enumerate() {
        if number > 0 || !is_dir {
            suffix.push('/');
        }
        encode(component.as_bytes(), &mut suffix);
    }
    suffix
}

/// The URL for the whole torrent if `location` is where one file of it went. `None`: only that
/// file has moved, or it went where we do not follow.
fn moved(url: &TrackerUrl, location: &str, suffix: &str) -> Option<TrackerUrl> {
    let mut there = url.join(location).ok()?;
    let dir_len = there.path_and_query.strip_suffix(suffix)?.len();
    there.path_and_query.truncate(dir_len);
    if there.path_and_query.is_empty() {
        there.path_and_query.push('/');
    }
    there.path_and_query.starts_with('/').then_some(there)
}
