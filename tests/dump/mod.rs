//! Annotated dumps of peer connections, and the ear that listens to them.
//!
//! A dump is a text file that people read and tests obey:
//!
//! ```text
//! # a comment
//! #: pieces 10          the torrent has ten pieces (absent: not known)
//! 00 00 00 05  04       bytes in hex, as they come over the wire
//! #> have 7             what a reader must make of them, in order
//! #! does not speak …   the violation in which the dump ends, if it does
//! ```

// Three test programs include this file, and none uses all of it.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use swarmlet::wire::{Frame, Link, Message, Violation};

/// One file of `fixtures/wire`.
pub struct Dump {
    pub name: String,
    pub piece_count: Option<u32>,
    pub bytes: Vec<u8>,
    /// As `Ear` tells them.
    pub frames: Vec<String>,
    /// As `Violation` shows itself.
    pub violation: Option<String>,
}

/// Every dump, sorted by name.
pub fn all() -> Vec<Dump> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/wire");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir)
        .expect("fixtures/wire is there")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no dumps in {}", dir.display());
    paths.iter().map(|path| parse(path)).collect()
}

fn parse(path: &Path) -> Dump {
    let text = std::fs::read_to_string(path).expect("a readable dump");
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let mut dump = Dump { name, piece_count: None, bytes: vec![], frames: vec![], violation: None };
    for line in text.lines() {
        if let Some(count) = line.strip_prefix("#: pieces ") {
            dump.piece_count = Some(count.trim().parse().expect("a number of pieces"));
        } else if let Some(frame) = line.strip_prefix("#> ") {
            dump.frames.push(frame.trim().to_owned());
        } else if let Some(violation) = line.strip_prefix("#! ") {
            dump.violation = Some(violation.trim().to_owned());
        } else if !line.starts_with('#') {
            dump.bytes.extend(hex(line));
        }
    }
    dump
}

/// Pairs of hexadecimal digits, with blanks anywhere between them.
pub fn hex(line: &str) -> Vec<u8> {
    line.split_whitespace()
        .flat_map(|word| (0..word.len()).step_by(2).map(move |at| &word[at..at + 2]))
        .map(|pair| u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("{pair:?} in {line}")))
        .collect()
}

/// Writes down what a link says. The parts of a block become one entry, however they were cut.
#[derive(Default)]
pub struct Ear {
    pub frames: Vec<String>,
    /// The last entry is a block of which this many bytes are still to come.
    missing: u32,
}

impl Ear {
    /// Feeds one portion. The link is told the number of pieces after the handshake, as in life.
    pub fn feed(
        &mut self,
        link: &mut Link,
        piece_count: Option<u32>,
        mut portion: &[u8],
    ) -> Result<(), Violation> {
        while let Some(frame) = link.feed(&mut portion)? {
            link.check();
            if matches!(frame, Frame::Handshake(_))
                && let Some(count) = piece_count
            {
                link.expect_pieces(count);
            }
            self.hear(&frame);
        }
        link.check();
        assert!(portion.is_empty(), "a link that wants more must have taken all");
        Ok(())
    }

    fn hear(&mut self, frame: &Frame<'_>) {
        let line = match frame {
            Frame::Handshake(said) => {
                format!("handshake {} {} {}", digits(&said.reserved), said.info_hash, said.peer_id)
            }
            Frame::Message(message) => tell(message),
            Frame::Payload { block, from, bytes } => {
                assert!(!bytes.is_empty(), "an empty part");
                let len = u32::try_from(bytes.len()).expect("a part of a block");
                if *from == 0 {
                    assert_eq!(self.missing, 0, "a block in a block");
                    self.missing = block.len;
                    self.frames.push(format!("piece {} {}: ", block.piece, block.begin));
                }
                assert_eq!(*from, block.len - self.missing, "a gap in a block");
                self.missing -= len;
                self.frames.last_mut().expect("its head").push_str(&digits(bytes));
                return;
            }
        };
        assert_eq!(self.missing, 0, "a message in a block");
        self.frames.push(line);
    }
}

fn tell(message: &Message) -> String {
    let name = message.name();
    match message {
        Message::Have(piece) | Message::Suggest(piece) | Message::AllowedFast(piece) => {
            format!("{name} {piece}")
        }
        Message::Extended { id, payload } => {
            format!("{name} {id} {}", digits(payload)).trim_end().to_owned()
        }
        Message::Bitfield(bytes) => format!("{name} {}", digits(bytes)),
        Message::Request(claim) | Message::Cancel(claim) | Message::Reject(claim) => {
            format!("{name} {} {} {}", claim.piece, claim.begin, claim.len)
        }
        Message::Port(port) => format!("{name} {port}"),
        Message::Unknown(id) => format!("{name} {id}"),
        Message::KeepAlive
        | Message::Choke
        | Message::Unchoke
        | Message::Interested
        | Message::NotInterested
        | Message::HaveAll
        | Message::HaveNone => name.to_owned(),
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}
