//! Extensions: what a peer said in the handshake of its extensions.
//!
//! It may say it again at any time; what it leaves out stays as it was.
//!
//! # Spec
//! BEP 10, "handshake message"; BEP 11.

use std::net::SocketAddr;

use crate::base::Time;
use crate::base::limits::{
    METADATA_SERVED_TIMES_MAX, PEX_FLOOD_MAX, PEX_HEARD_APART, PEX_PEERS_MAX,
};
use crate::wire::extended::{Extension, HELLO, Hello, Metadata, Pex};
use crate::wire::{Message, Violation};

/// What is known of a peer that speaks the extension protocol.
#[derive(Debug, Default)]
pub struct Extensions {
    /// What they said so far, the later word before the earlier one.
    hello: Hello,
    /// Pieces of metadata that they were given.
    metadata_served: u32,
    /// When to tell them who is there; `None`: they do not want to hear it.
    pub pex_due: Option<Time>,
    /// Whom they were told of.
    pex_told: Vec<SocketAddr>,
    /// When they last told us, and how often they did too soon after that.
    pex_heard: Option<Time>,
    pex_floods: u8,
}

impl Extensions {
    /// Whether they may have one more piece of metadata that consists of `pieces`; it is counted
    /// then. Everybody needs each once; who wants much more does not read what it is given.
    pub fn spend_metadata(&mut self, pieces: u32) -> bool {
        let may = self.metadata_served < pieces.saturating_mul(METADATA_SERVED_TIMES_MAX);
        self.metadata_served += u32::from(may);
        may
    }

    /// They said a handshake.
    pub fn on_hello(&mut self, said: Hello) {
        let known = &mut self.hello;
        for (known, said) in known.ids.iter_mut().zip(said.ids) {
            *known = said.or(*known);
        }
        known.client = said.client.or(known.client.take());
        known.port = said.port.or(known.port);
        known.requests_max = said.requests_max.or(known.requests_max);
        known.your_ip = said.your_ip.or(known.your_ip);
        known.metadata_bytes = said.metadata_bytes.or(known.metadata_bytes);
        known.upload_only = said.upload_only.or(known.upload_only);
    }

    pub fn on_upload_only(&mut self, upload_only: bool) {
        self.hello.upload_only = Some(upload_only);
    }

    /// What they said so far.
    pub fn said(&self) -> &Hello {
        &self.hello
    }

    /// Their number for an extension; `None` if they do not speak it.
    pub fn id_of(&self, extension: Extension) -> Option<u8> {
        self.hello.ids[extension.at()].filter(|&id| id != 0)
    }

    /// A word about metadata, if they want to hear such.
    pub fn metadata(&self, word: Metadata<'_>) -> Option<Message> {
        let id = self.id_of(Extension::Metadata)?;
        let mut payload = Vec::new();
        word.write(&mut payload);
        Some(Message::Extended { id, payload })
    }

    /// What is new to them of those who are `there`; `None`: nothing is. They count as told.
    pub fn pex_news(&mut self, there: &[(SocketAddr, u8)]) -> Option<Pex> {
        let is_there = |addr: &SocketAddr| there.iter().any(|(known, _)| known == addr);
        let is_told = |addr: &SocketAddr| self.pex_told.contains(addr);
        let added = there.iter().filter(|(addr, _)| !is_told(addr)).take(PEX_PEERS_MAX);
        let added: Vec<(SocketAddr, u8)> = added.copied().collect();
        let gone = self.pex_told.iter().filter(|addr| !is_there(addr)).take(PEX_PEERS_MAX);
        let dropped: Vec<SocketAddr> = gone.copied().collect();
        self.pex_told.retain(|addr| !dropped.contains(addr));
        self.pex_told.extend(added.iter().map(|(addr, _)| *addr));
        let is_news = !added.is_empty() || !dropped.is_empty();
        is_news.then_some(Pex { added, dropped })
    }

    /// They told who is there. Returns whether to listen.
    ///
    /// Violation: `TooMuchExchange`.
    pub fn on_pex(&mut self, now: Time) -> Result<bool, Violation> {
        if self.pex_heard.is_none_or(|heard| now.since(heard) >= PEX_HEARD_APART) {
            self.pex_heard = Some(now);
            self.pex_floods = 0;
            return Ok(true);
        }
        self.pex_floods += 1;
        if self.pex_floods > PEX_FLOOD_MAX { Err(Violation::TooMuchExchange) } else { Ok(false) }
    }

    /// News of the swarm, if they want to hear them.
    pub fn pex(&self, pex: &Pex) -> Option<Message> {
        let id = self.id_of(Extension::Pex)?;
        let mut payload = Vec::new();
        pex.write(&mut payload);
        Some(Message::Extended { id, payload })
    }

    /// That we want nothing more, or (`false`) something again.
    pub fn upload_only(&self, upload_only: bool) -> Option<Message> {
        let id = self.id_of(Extension::UploadOnly)?;
        Some(Message::Extended { id, payload: vec![u8::from(upload_only)] })
    }
}

/// Our own handshake as a message.
pub fn hello(hello: &Hello) -> Message {
    let mut payload = Vec::new();
    hello.write(&mut payload);
    Message::Extended { id: HELLO, payload }
}
