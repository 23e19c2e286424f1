//! Extended: what the payload of an `extended` message means.
//!
//! Each side gives the extensions that it understands numbers of its own choosing, and says them
//! in a handshake of extensions; whoever sends a message uses the receiver's number. So reading
//! needs our numbers, which are fixed, and writing needs theirs (`Hello::ids`).
//!
//! ```text
//!  20 | 0  | d 1:m d 6:ut_pex i1e … e 1:p i6881e 4:reqq i500e 1:v … e       the handshake
//!  20 | id | ut_metadata   d 8:msg_type i1e 5:piece i0e 10:total_size i…e e bytes …
//!  20 | id | ut_pex        d 5:added … 7:added.f … 6:added6 … 7:dropped … e
//!  20 | id | upload_only   one byte
//!  20 | id | lt_donthave   piece 4
//! ```
//! Programs of all ages write these dictionaries. So each field is judged alone: what is of the
//! wrong type or out of range is as if it were absent, and the rest counts.
//!
//! # Limits
//! `EXTENDED_BYTES_MAX` for all of it (the link sees to that), `PEX_PEERS_MAX` peers of each
//! address family, `CLIENT_CHARS_MAX` for the program's name.
//!
//! # Spec
//! BEP 10; BEP 9, "extension message"; BEP 11; BEP 21; BEP 54.

use crate::base::order;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::base::limits::{CLIENT_CHARS_MAX, METADATA_BYTES_MAX, PEX_PEERS_MAX};
use crate::format::announce::{compact_peer, compact_peer6};
use crate::format::bencode::{self, Dict, Item, Strictness, Writer};
use crate::format::text;

/// The number of the handshake itself, the same for everybody.
pub const HELLO: u8 = 0;

/// An extension that we understand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension {
    /// `ut_pex`: who else is in the swarm (BEP 11).
    Pex,
    /// `ut_metadata`: the torrent itself (BEP 9).
    Metadata,
    /// `upload_only`: a change of what the handshake said (BEP 21).
    UploadOnly,
    /// `lt_donthave`: a piece is there no more (BEP 54).
    DontHave,
}

/// The extensions' handshake. Whatever is `None` was not said, and what was said before holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hello {
    /// Their number for each extension, in the order of `Extension::ALL`; 0 switches it off.
    pub ids: [Option<u8>; 4],
    /// The program's name, clean.
    pub client: Option<String>,
    /// Where they listen.
    pub port: Option<u16>,
    /// How many requests they keep for us at most (`reqq`).
    pub requests_max: Option<u32>,
    /// Our address as they see it.
    pub your_ip: Option<IpAddr>,
    /// How long the metadata is, in bytes; at most `METADATA_BYTES_MAX`.
    pub metadata_bytes: Option<u32>,
    /// They want nothing more.
    pub upload_only: Option<bool>,
}

/// One message of an extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Word<'p> {
    Hello(Hello),
    Pex(Pex),
    Metadata(Metadata<'p>),
    UploadOnly(bool),
    DontHave(u32),
}

/// Who else is in the swarm, as they say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pex {
    /// With their flags, see `flag`.
    pub added: Vec<(SocketAddr, u8)>,
    pub dropped: Vec<SocketAddr>,
}

/// What is said of a peer (BEP 11).
pub mod flag {
    /// It wants nothing more.
    pub const UPLOAD_ONLY: u8 = 0x02;
    /// Who says it called it there, so it can be called.
    pub const REACHABLE: u8 = 0x10;
}

/// Metadata in pieces of 16 KiB. Piece numbers and sizes are as they were said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metadata<'p> {
    Request { piece: u32 },
    Data { piece: u32, total_bytes: Option<u32>, bytes: &'p [u8] },
    Reject { piece: u32 },
}

impl Extension {
    pub const ALL: [Extension; 4] =
        [Extension::Pex, Extension::Metadata, Extension::UploadOnly, Extension::DontHave];

    pub fn name(self) -> &'static str {
        match self {
            Extension::Pex => "ut_pex",
            Extension::Metadata => "ut_metadata",
            Extension::UploadOnly => "upload_only",
            Extension::DontHave => "lt_donthave",
        }
    }

    /// The number under which we want to hear it: 1 and so on.
    pub fn our_id(self) -> u8 {
        match self {
            Extension::Pex => 1,
            Extension::Metadata => 2,
            Extension::UploadOnly => 3,
            Extension::DontHave => 4,
        }
    }

    /// Place in `Hello::ids`.
    pub fn at(self) -> usize {
        usize::from(self.our_id()) - 1
    }
}

impl<'p> Word<'p> {
    /// Reads the payload of an `extended` message that was sent to us. `None`: it says nothing
    /// that we understand.
    pub fn parse(id: u8, payload: &'p [u8]) -> Option<Word<'p>> {
        if id == HELLO {
            return Hello::parse(payload).map(Word::Hello);
        }
        let extension = Extension::ALL.into_iter().find(|extension| extension.our_id() == id)?;
        match extension {
            Extension::Pex => Pex::parse(payload).map(Word::Pex),
            Extension::Metadata => Metadata::parse(payload).map(Word::Metadata),
            Extension::UploadOnly => payload.first().map(|&byte| Word::UploadOnly(byte != 0)),
            Extension::DontHave => {
                payload.try_into().ok().map(|piece| Word::DontHave(u32::from_be_bytes(piece)))
            }
        }
    }
}

impl Hello {
    /// Reads the dictionary. `None`: it is none.
    pub fn parse(payload: &[u8]) -> Option<Hello> {
        let dict = Dict::parse(payload, Strictness::Lenient).ok()?;
        let client = dict.get("v").and_then(Item::bytes);
        let client = client.map(|said| text::clean_to(said, CLIENT_CHARS_MAX));
        Some(Hello {
            ids: read_ids(dict),
            client: client.filter(|name| !name.is_empty()),
            port: number(dict, "p").filter(|&port: &u16| port != 0),
            requests_max: number(dict, "reqq").filter(|&most: &u32| most > 0),
            your_ip: dict.get("yourip").and_then(Item::bytes).and_then(raw_ip),
            metadata_bytes: number(dict, "metadata_size").filter(is_metadata_size),
            upload_only: dict.get("upload_only").and_then(Item::int).map(|said| said != 0),
        })
    }

    /// Appends the dictionary to `out`. An extension whose number is `None` is not named.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.begin_dict().key("m").begin_dict();
        // A dictionary is sorted by its keys.
        let mut named: Vec<(&str, u8)> = Extension::ALL
            .into_iter()
            .filter_map(|extension| Some((extension.name(), self.ids[extension.at()]?)))
            .collect();
        order::sort(&mut named);
        for (name, id) in named {
            writer.key(name).uint(id.into());
        }
        writer.end();
        if let Some(bytes) = self.metadata_bytes {
            writer.key("metadata_size").uint(bytes.into());
        }
        if let Some(port) = self.port {
            writer.key("p").uint(port.into());
        }
        if let Some(most) = self.requests_max {
            writer.key("reqq").uint(most.into());
        }
        if let Some(upload_only) = self.upload_only {
            writer.key("upload_only").uint(upload_only.into());
        }
        if let Some(client) = &self.client {
            writer.key("v").bytes(client);
        }
        match self.your_ip {
            Some(IpAddr::V4(ip)) => drop(writer.key("yourip").bytes(ip.octets())),
            Some(IpAddr::V6(ip)) => drop(writer.key("yourip").bytes(ip.octets())),
            None => {}
        }
        writer.end();
    }
}

impl Pex {
    /// `None`: no dictionary. A list that does not consist of whole peers is left out alone.
    pub fn parse(payload: &[u8]) -> Option<Pex> {
        let dict = Dict::parse(payload, Strictness::Lenient).ok()?;
        let list = |key: &str, each: usize| -> &[u8] {
            let bytes = dict.get(key).and_then(Item::bytes).unwrap_or_default();
            if bytes.len().is_multiple_of(each) { bytes } else { &[] }
        };
        let flags = |key: &str, count: usize| -> &[u8] {
            let bytes = dict.get(key).and_then(Item::bytes).unwrap_or_default();
            if bytes.len() == count { bytes } else { &[] }
        };
        let (four, six) = (list("added", 6), list("added6", 18));
        let added4 = four.chunks_exact(6).map(compact_peer).take(PEX_PEERS_MAX);
        let added6 = six.chunks_exact(18).map(compact_peer6).take(PEX_PEERS_MAX);
        let flags4 = flags("added.f", four.len() / 6).iter().chain(std::iter::repeat(&0));
        let flags6 = flags("added6.f", six.len() / 18).iter().chain(std::iter::repeat(&0));
        let added = added4.zip(flags4).chain(added6.zip(flags6));
        let dropped4 = list("dropped", 6).chunks_exact(6).map(compact_peer).take(PEX_PEERS_MAX);
        let dropped6 = list("dropped6", 18).chunks_exact(18).map(compact_peer6);
        Some(Pex {
            added: added.filter_map(|(addr, &flags)| Some((addr?, flags))).collect(),
            dropped: dropped4.chain(dropped6.take(PEX_PEERS_MAX)).flatten().collect(),
        })
    }

    /// Appends the dictionary to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lists: [Vec<u8>; 6] = Default::default();
        let [added, added_f, added6, added6_f, dropped, dropped6] = &mut lists;
        for (addr, flags) in &self.added {
            match addr {
                SocketAddr::V4(_) => (write_addr(*addr, added), added_f.push(*flags)),
                SocketAddr::V6(_) => (write_addr(*addr, added6), added6_f.push(*flags)),
            };
        }
        for addr in &self.dropped {
            write_addr(*addr, if addr.is_ipv4() { dropped } else { dropped6 });
        }
        let keys = ["added", "added.f", "added6", "added6.f", "dropped", "dropped6"];
        let mut writer = Writer::new(out);
        writer.begin_dict();
        for (key, list) in keys.into_iter().zip(&lists) {
            // "Messages must contain at least one": the first two are always there.
            if !list.is_empty() || key.starts_with("added") && !key.contains('6') {
                writer.key(key).bytes(list);
            }
        }
        writer.end();
    }
}

impl<'p> Metadata<'p> {
    /// `None`: no dictionary, a `msg_type` that we do not know, or no piece.
    pub fn parse(payload: &'p [u8]) -> Option<Metadata<'p>> {
        // Behind the dictionary of a `data` message lie the bytes that it is about.
        let scan = bencode::scan(payload, Strictness::Lenient).ok()?;
        let dict = scan.root.dict()?;
        let piece = number(dict, "piece")?;
        match dict.get("msg_type")?.int()? {
            0 => Some(Metadata::Request { piece }),
            1 => Some(Metadata::Data {
                piece,
                total_bytes: number(dict, "total_size"),
                bytes: &payload[scan.root.raw().len()..],
            }),
            2 => Some(Metadata::Reject { piece }),
            _ => None,
        }
    }

    /// Appends the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (kind, piece) = match *self {
            Metadata::Request { piece } => (0, piece),
            Metadata::Data { piece, .. } => (1, piece),
            Metadata::Reject { piece } => (2, piece),
        };
        let mut writer = Writer::new(out);
        writer.begin_dict().key("msg_type").uint(kind).key("piece").uint(piece.into());
        if let Metadata::Data { total_bytes: Some(total), .. } = *self {
            writer.key("total_size").uint(total.into());
        }
        writer.end();
        if let Metadata::Data { bytes, .. } = *self {
            out.extend_from_slice(bytes);
        }
    }
}

/// A byte cannot be another number: `m` may say 300, and then it says nothing.
fn read_ids(dict: Dict<'_>) -> [Option<u8>; 4] {
    let Some(names) = dict.get("m").and_then(Item::dict) else { return [None; 4] };
    Extension::ALL.map(|extension| number(names, extension.name()))
}

fn number<N: TryFrom<i64>>(dict: Dict<'_>, key: &str) -> Option<N> {
    N::try_from(dict.get(key)?.int()?).ok()
}

fn is_metadata_size(bytes: &u32) -> bool {
    (1..=METADATA_BYTES_MAX).contains(bytes)
}

fn raw_ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(ip) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(ip).into());
    }
    let ip = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(ip).to_canonical())
}

fn write_addr(addr: SocketAddr, out: &mut Vec<u8>) {
    match addr.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&addr.port().to_be_bytes());
}
