//! Scripted: a peer that follows a list, whatever a good peer would do.
//!
//! It is the adversary of the stories: it says what its script says, byte for byte, to everybody
//! who is connected to it, and can wait for a word of the other side before it goes on.
//!
//! ```text
//! [Handshake, HaveAll, Await("interested"), Say(Unchoke), Serve(Serving::Corrupt)]
//! ```
//! After the last act it stays and goes on serving as it was told last; requests that came
//! earlier are answered when `Serve` begins. Each connection plays the script from the top.

use crate::base::Shelf;
use std::collections::VecDeque;

use super::net::NodeId;
use super::node::{Node, Role, Talk, Voice};
use super::source::{Source, SourceId};
use super::{Happening, Lab};
use crate::base::{Bits, Claim, ConnId, PeerId, Span};
use crate::wire::message::piece_head;
use crate::wire::{Frame, Handshake, Link, Message, Violation};

/// One thing that a scripted peer does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    Handshake,
    /// The same with all extensions that we speak.
    Greet,
    /// A bitfield that claims every piece.
    HaveAll,
    Say(Message),
    /// So many times the same message, in one breath.
    Flood(Message, u32),
    /// Bytes as they are, well-formed or not.
    Raw(Vec<u8>),
    /// Waits until the other side has said this word (`Message::name`, or `handshake`) once more
    /// than earlier acts have waited for it.
    Await(&'static str),
    Pause(Span),
    /// Drops the requests that it heard, as who chokes may.
    Forget,
    /// How to answer requests from now on.
    Serve(Serving),
    /// Ends what it says, and goes on listening.
    Shut,
    Close,
    Reset,
}

/// What becomes of the requests that it hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serving {
    Nothing,
    Honest,
    /// Blocks of the right length with a wrong byte.
    Corrupt,
    /// The first so many bytes of the first block; then it falls silent for good …
    Stops(u32),
    /// … or resets the connection.
    Vanishes(u32),
}

/// Who it is and what it does.
#[derive(Clone, Debug)]
pub struct Script {
    pub peer_id: PeerId,
    pub source: SourceId,
    pub acts: Vec<Act>,
}

/// What a scripted peer wants done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// To be called again after this time.
    Later(Span),
    Shut,
    Close,
    Reset,
}

/// One connection's place in the script.
#[derive(Debug)]
pub struct Part {
    link: Link,
    /// The next act.
    next: usize,
    /// Words that came and nobody has waited for yet.
    heard: Shelf<&'static str, u32>,
    requests: VecDeque<Claim>,
    serving: Serving,
    /// What is still to be sent.
    pub outgoing: VecDeque<u8>,
    /// Payload among what was put there since somebody asked.
    pub served_bytes: u64,
    ends_with_reset: bool,
    /// In a `Pause`, until `wake`.
    is_asleep: bool,
}

impl Part {
    pub fn new(source: &Source) -> Part {
        let mut link = Link::new();
        link.expect_pieces(source.layout().piece_count());
        Part {
            link,
            next: 0,
            heard: Shelf::new(),
            requests: VecDeque::new(),
            serving: Serving::Nothing,
            outgoing: VecDeque::new(),
            served_bytes: 0,
            ends_with_reset: false,
            is_asleep: false,
        }
    }

    /// Takes in what the other side said.
    ///
    /// Violation: they broke a rule, which an engine never does.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut input = bytes;
        while let Some(frame) = self.link.feed(&mut input)? {
            let word = match frame {
                Frame::Handshake(_) => "handshake",
                Frame::Payload { block, from, bytes } => {
                    let is_last = from as usize + bytes.len() == block.len as usize;
                    if !is_last {
                        continue;
                    }
                    "piece"
                }
                Frame::Message(message) => {
                    if let Message::Request(claim) = &message {
                        self.requests.push_back(*claim);
                    } else if let Message::Cancel(claim) = &message {
                        self.requests.retain(|asked| asked != claim);
                    }
                    message.name()
                }
            };
            *self.heard.get_or_insert_with(word, Default::default) += 1;
        }
        Ok(())
    }

    /// Plays on until the script waits or has ended, and answers what was asked meanwhile.
    pub fn play(&mut self, script: &Script, source: &Source) -> Option<Wish> {
        while let Some(act) = script.acts.get(self.next).filter(|_| !self.is_asleep) {
            if let Act::Await(word) = act {
                let Some(count) = self.heard.get_mut(word).filter(|count| **count > 0) else {
                    break;
                };
                *count -= 1;
            }
            self.next += 1;
            if let Some(wish) = self.perform(act, script, source) {
                return Some(wish);
            }
        }
        self.serve(source);
        None
    }

    /// The pause is over.
    pub fn wake(&mut self) {
        self.is_asleep = false;
    }

    /// Whether the connection ends once `outgoing` has left.
    pub fn wants_reset(&self) -> bool {
        self.ends_with_reset && self.outgoing.is_empty()
    }

    fn perform(&mut self, act: &Act, script: &Script, source: &Source) -> Option<Wish> {
        match act {
            Act::Handshake | Act::Greet => {
                let make = if *act == Act::Greet { Handshake::ours } else { Handshake::new };
                let mut bytes = Vec::new();
                make(source.info_hash(), script.peer_id).write(&mut bytes);
                self.outgoing.extend(bytes);
            }
            Act::HaveAll => {
                let all = Bits::all(source.layout().piece_count());
                self.say(&Message::Bitfield(all.as_bytes().to_vec()));
            }
            Act::Say(message) => self.say(message),
            Act::Flood(message, times) => (0..*times).for_each(|_| self.say(message)),
            Act::Raw(bytes) => self.outgoing.extend(bytes),
            Act::Await(_) => {}
            Act::Pause(span) => {
                self.is_asleep = true;
                return Some(Wish::Later(*span));
            }
            Act::Forget => self.requests.clear(),
            Act::Serve(serving) => {
                self.serving = *serving;
                self.serve(source);
            }
            Act::Shut => return Some(Wish::Shut),
            Act::Close => return Some(Wish::Close),
            Act::Reset => return Some(Wish::Reset),
        }
        None
    }

    fn say(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        self.outgoing.extend(bytes);
    }

    fn serve(&mut self, source: &Source) {
        while self.serving != Serving::Nothing {
            let Some(claim) = self.requests.pop_front() else { return };
            let Some(bytes) = source.block(claim) else { continue };
            self.outgoing.extend(piece_head(claim));
            let before = self.outgoing.len();
            match self.serving {
                Serving::Nothing => {}
                Serving::Honest => self.outgoing.extend(bytes),
                Serving::Corrupt => {
                    self.outgoing.push_back(!bytes[0]);
                    self.outgoing.extend(&bytes[1..]);
                }
                Serving::Stops(len) | Serving::Vanishes(len) => {
                    self.outgoing.extend(&bytes[..bytes.len().min(len as usize)]);
                    self.ends_with_reset = matches!(self.serving, Serving::Vanishes(_));
                    self.serving = Serving::Nothing;
                }
            }
            self.served_bytes += (self.outgoing.len() - before) as u64;
        }
    }
}

impl Lab {
    pub(super) fn hear(&mut self, id: NodeId, conn: ConnId, received: &[u8]) {
        let talk = self.nodes[id.0].talks.get_mut(conn);
        if let Some(Talk { voice: Voice::Part(part), .. }) = talk
            && let Err(violation) = part.hear(received)
        {
            self.require(id, Err(format!("was told nonsense: {violation}")));
        }
        self.play(id, conn);
    }

    /// Lets a scripted peer go on with its script.
    pub(super) fn play(&mut self, id: NodeId, conn: ConnId) {
        let Lab { nodes, sources, .. } = self;
        let Node { role: Role::Script(script), talks, .. } = &mut nodes[id.0] else {
            return;
        };
        let Some(Talk { end, voice: Voice::Part(part), .. }) = talks.get_mut(conn) else { return };
        let end = *end;
        let wish = part.play(script, &sources[script.source.0]);
        nodes[id.0].mark_dirty(conn);
        self.flush(id);
        match wish {
            None => {}
            Some(Wish::Later(span)) => {
                let life = self.nodes[id.0].life;
                let cue = Happening::Cue { node: id, life, conn };
                self.plan(self.now.after(span), cue);
            }
            Some(Wish::Shut) => {
                self.net.shut(self.now, end);
                self.play(id, conn);
            }
            Some(Wish::Close) => {
                self.nodes[id.0].forget(conn);
                self.net.close(self.now, end);
            }
            Some(Wish::Reset) => {
                self.nodes[id.0].forget(conn);
                self.net.reset(self.now, end);
            }
        }
    }

    pub(super) fn on_cue(&mut self, id: NodeId, conn: ConnId) {
        if let Some(Talk { voice: Voice::Part(part), .. }) = self.nodes[id.0].talks.get_mut(conn) {
            part.wake();
            self.play(id, conn);
        }
    }
}
