//! Words: messages, blocks and what else stands in a trace, put into text and read back.
//!
//! ```text
//!  request 3+16384+16384        have 7        bitfield ff e0        extended 2 "d8:msg_type…e"
//!  handshake 0000000000100004 <info-hash> "-SL0100-…"
//!  piece 3+0+16384              piece 3+0+16384 part 4096+8192     a part of one that came cut
//! ```
//! Bytes of strangers stand in quotes, escaped; numbers are decimal.

use std::fmt;

use crate::base::{Block, Claim, InfoHash, PeerId};
use crate::border::DiskFault;
use crate::wire::message::TABLE;
use crate::wire::{Handshake, Message};

/// A message in the words of its BEP.
pub struct Worded<'m>(pub &'m Message);

impl fmt::Display for Worded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())?;
        match self.0 {
            Message::KeepAlive
            | Message::Choke
            | Message::Unchoke
            | Message::Interested
            | Message::NotInterested
            | Message::HaveAll
            | Message::HaveNone => Ok(()),
            Message::Have(piece) | Message::Suggest(piece) | Message::AllowedFast(piece) => {
                write!(f, " {piece}")
            }
            Message::Extended { id, payload } => write!(f, " {id} {}", Quoted(payload)),
            Message::Bitfield(bytes) => bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}")),
            Message::Request(claim) | Message::Cancel(claim) | Message::Reject(claim) => {
                write!(f, " {}", Range(*claim))
            }
            Message::Port(port) => write!(f, " {port}"),
            Message::Unknown(id) => write!(f, " {id}"),
        }
    }
}

/// Reads what `Worded` wrote.
pub fn parse_message(text: &str) -> Option<Message> {
    if text == "keep-alive" {
        return Some(Message::KeepAlive);
    }
    if let Some(id) = text.strip_prefix("unknown ") {
        return id.parse().ok().map(Message::Unknown);
    }
    // Of "have" and "have all" the longer one is meant.
    let begins = |name: &str| {
        let rest = text.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(' ')).then_some(rest.trim_start())
    };
    let named = TABLE.iter().filter_map(|row| Some((row.name, begins(row.name)?)));
    let (name, rest) = named.max_by_key(|(name, _)| name.len())?;
    Some(match name {
        "choke" => Message::Choke,
        "unchoke" => Message::Unchoke,
        "interested" => Message::Interested,
        "not interested" => Message::NotInterested,
        "have all" => Message::HaveAll,
        "have none" => Message::HaveNone,
        "have" => Message::Have(rest.parse().ok()?),
        "suggest piece" => Message::Suggest(rest.parse().ok()?),
        "allowed fast" => Message::AllowedFast(rest.parse().ok()?),
        "bitfield" => Message::Bitfield(rest.split(' ').map(hex_byte).collect::<Option<_>>()?),
        "request" => Message::Request(parse_range(rest)?),
        "cancel" => Message::Cancel(parse_range(rest)?),
        "reject request" => Message::Reject(parse_range(rest)?),
        "port" => Message::Port(rest.parse().ok()?),
        "extended" => {
            let (id, payload) = rest.split_once(' ')?;
            Message::Extended { id: id.parse().ok()?, payload: unquote(payload)? }
        }
        _ => return None,
    })
}

/// `piece+begin+len`.
pub struct Range(pub Claim);

impl From<Block> for Range {
    fn from(block: Block) -> Range {
        Range(block.claim())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.0.piece, self.0.begin, self.0.len)
    }
}

/// Reads `piece+begin+len`.
pub fn parse_range(text: &str) -> Option<Claim> {
    let mut numbers = text.split('+').map(|number| number.parse::<u32>().ok());
    let (piece, begin, len) = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(Claim { piece, begin, len })
}

/// A part of a block that came: bytes `from .. from + len` of it.
pub struct Part {
    pub block: Claim,
    pub from: u32,
    pub len: u32,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piece {}", Range(self.block))?;
        if (self.from, self.len) == (0, self.block.len) {
            return Ok(());
        }
        write!(f, " part {}+{}", self.from, self.len)
    }
}

impl Part {
    /// Reads what `Display` wrote. `None`: it is not that, or a part beyond the block.
    pub fn parse(text: &str) -> Option<Part> {
        let text = text.strip_prefix("piece ")?;
        let Some((block, part)) = text.split_once(" part ") else {
            let block = parse_range(text)?;
            return Some(Part { block, from: 0, len: block.len });
        };
        let (from, len) = part.split_once('+')?;
        let part =
            Part { block: parse_range(block)?, from: from.parse().ok()?, len: len.parse().ok()? };
        let end = part.from.checked_add(part.len)?;
        (end <= part.block.len).then_some(part)
    }

    /// Whether it is the end of its block.
    pub fn is_last(&self) -> bool {
        u64::from(self.from) + u64::from(self.len) == u64::from(self.block.len)
    }
}

/// A handshake.
pub struct Greeting<'h>(pub &'h Handshake);

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handshake ")?;
        self.0.reserved.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, " {} {}", self.0.info_hash, Quoted(&self.0.peer_id.0))
    }
}

/// Reads what `Greeting` wrote.
pub fn parse_handshake(text: &str) -> Option<Handshake> {
    let (reserved, rest) = text.strip_prefix("handshake ")?.split_once(' ')?;
    let (info_hash, peer_id) = rest.split_once(' ')?;
    Some(Handshake {
        reserved: hex(reserved)?.try_into().ok()?,
        info_hash: InfoHash::parse_hex(info_hash)?,
        peer_id: PeerId(unquote(peer_id)?.try_into().ok()?),
    })
}

/// Bytes of whoever, in quotes: visible ASCII and nothing else.
pub struct Quoted<'b>(pub &'b [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Reads what `Quoted` wrote.
pub fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut bytes = Vec::new();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'"' => return None,
            b'\\' => match rest.next()? {
                b't' => b'\t',
                b'r' => b'\r',
                b'n' => b'\n',
                b'x' => hex_digits(rest.next()?, rest.next()?)?,
                itself @ (b'\\' | b'\'' | b'"') => itself,
                _ => return None,
            },
            other => other,
        });
    }
    Some(bytes)
}

/// The fields of a line: parted by blanks, except for those in quotes.
pub fn fields(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let fields = text.split(move |letter: char| {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        letter == ' ' && !is_quoted
    });
    fields.filter(|field| !field.is_empty())
}

/// The value of the field `key=value`.
pub fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    fields(text).find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
}

/// Hexadecimal digits.
pub struct Hex<'b>(pub &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads hexadecimal digits, two for each byte.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|&[high, low]| hex_digits(high, low)).collect();
    if rest.is_empty() { bytes } else { None }
}

fn hex_byte(text: &str) -> Option<u8> {
    let [high, low] = <[u8; 2]>::try_from(text.as_bytes()).ok()?;
    hex_digits(high, low)
}

fn hex_digits(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

/// How a disk job went, in one word.
pub struct Outcome(pub Result<(), DiskFault>);

/// Every outcome as it is written.
const OUTCOMES: [(Result<(), DiskFault>, &str); 7] = [
    (Ok(()), "ok"),
    (Err(DiskFault::Missing), "missing"),
    (Err(DiskFault::Full), "full"),
    (Err(DiskFault::Denied), "denied"),
    (Err(DiskFault::WrongKind), "wrong-kind"),
    (Err(DiskFault::Busy), "busy"),
    (Err(DiskFault::Failed), "failed"),
];

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = OUTCOMES.iter().find(|(outcome, _)| *outcome == self.0);
        f.write_str(found.map_or("", |(_, word)| word))
    }
}

/// Reads what `Outcome` wrote.
pub fn parse_outcome(word: &str) -> Option<Result<(), DiskFault>> {
    OUTCOMES.iter().find(|(_, name)| *name == word).map(|(outcome, _)| *outcome)
}
