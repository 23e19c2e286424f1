//! Extensions: what a peer said in the handshake of its extensions.
//!
//! It may say it again at any time; what it leaves out stays as it was.
//!
//! # Spec
//! BEP 10, "handshake message".

use crate::base::limits::METADATA_SERVED_TIMES_MAX;
use crate::wire::Message;
use crate::wire::extended::{Extension, HELLO, Hello, Metadata, Pex};

/// What is known of a peer that speaks the extension protocol.
#[derive(Debug, Default)]
pub struct Extensions {
    /// What they said so far, the later word before the earlier one.
    hello: Hello,
    /// Pieces of metadata that they were given.
    metadata_served: u32,
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
