//! swarmlet: a BitTorrent tracker and peer in one small program. This file is the map.
//!
//! # Five sentences
//!
//! 1. Everything that decides is pure; everything that touches the operating system lives in
//!    `world/` (and in `command/`, where a person types).
//! 2. Calls go down, values come up, nothing goes sideways: a parent owns its parts, calls them
//!    with `&mut`, and gets a value back.
//! 3. Messages cross the border, not bytes and not sockets: `wire::Link` turns the one into the
//!    other, and the core speaks protocol words.
//! 4. Payload streams through and is never kept: one buffer receives for everyone, one sends.
//! 5. Every queue, table and turn has a limit, and all limits stand in `base/limits.rs`.
//!
//! And there are two worlds: `world/` drives the engine with sockets, files and a clock; `lab/`
//! drives the very same engine with a virtual clock, a simulated network and disks in memory.
//!
//! # Floors
//!
//! ```text
//!  8  command    what a person types                           files, stdout, exit codes
//!  7  world      reactor, sockets, files, clock, signals       mio · std · rustix
//!  7  lab        the second world: virtual clock, simulated network and disks       pure
//! ═══════════════ the border: Input down, Output up ═══════════════
//!  6  rpc        remote control: JSON ⇄ what a person wants   ┐
//!     trace      what is said with peers, as text and back    │
//!  5  engine     the whole node as one value                  │
//!  4  torrent    one torrent: decisions                       │
//!  3  peer  tracker  dht  border                              │ pure: input + now → outputs
//!       one conversation · stores of swarms · the words       │
//!  2  wire       peer protocol: bytes ⇄ frames                │
//!  1  format     bencode, metainfo, layout, http, announce    │
//!  0  base       ids, time, bits, slots, limits, random       ┘
//! ```
//! A module names only lower floors, or siblings in its own room. `tests/house.rs` reads every
//! `use` line and fails on the first that climbs.
//!
//! # Tour
//!
//! First walk, the tracker, from bytes to answer: `format/http.rs` → `format/announce.rs` →
//! `tracker/swarm.rs` → `tracker/service.rs` → `world/http_io.rs`. The same by datagrams:
//! `format/datagram.rs` → `tracker/udp.rs` → `world/udp.rs`; and whoever asks: `tracker/asking.rs`.
//!
//! Second walk, a block's journey: `format/layout.rs` what a torrent looks like as numbers ·
//! `wire/message.rs` the words · `wire/link.rs` bytes into words · `peer/session.rs` what words
//! mean · `peer/pipeline.rs` what we asked for · `torrent/pieces.rs` a piece fills and is judged ·
//! `torrent/picker.rs` what to ask next · `torrent/choker.rs` whom to serve · `torrent/fetch.rs`
//! where these meet · `border/input.rs` and `border/output.rs` what crosses the border ·
//! `engine/mod.rs` the node as one value · `engine/door.rs` who is let in · `world/peer_io.rs`
//! words meet sockets · `world/reactor.rs` the heartbeat.
//!
//! Aside, remote control: `rpc/gate.rs` who may speak · `rpc/mod.rs` requests into verbs ·
//! `rpc/fields.rs` what can be asked · `engine/control.rs` and `torrent/will.rs` what a person may
//! want · `world/remote.rs` what the world adds.
//!
//! Aside, the DHT: `format/krpc.rs` what nodes say · `dht/table.rs` whom a node knows ·
//! `dht/lookup.rs` one search · `dht/node.rs` one node · `engine/dht.rs` what it is to the torrents;
//! and without any of it, within one network: `format/notice.rs` · `engine/local.rs`.
//!
//! Aside, what is no ordinary peer: `torrent/prospect.rs` a magnet link that becomes a torrent ·
//! `wire/web.rs` and `torrent/webs.rs` web servers that are asked like peers.
//!
//! Aside, what was said: `trace/recorder.rs` a run as text · `trace/ladder.rs` drawn for people ·
//! `trace/replay.rs` played to an engine again.
//!
//! Third walk, proof: `lab/net.rs` → `lab/mod.rs` → `lab/judge.rs` → `tests/stories/download.rs`:
//! hours of a swarm in a second, with lost links and full disks.

#![forbid(unsafe_code)]

pub mod base;
pub mod border;
pub mod command;
#[cfg_attr(not(feature = "dht"), path = "dht/without.rs")]
pub mod dht;
pub mod engine;
pub mod format;
#[cfg(feature = "lab")]
pub mod lab;
pub mod peer;
#[cfg(feature = "remote")]
pub mod rpc;
pub mod torrent;
#[cfg(feature = "trace")]
pub mod trace;
pub mod tracker;
pub mod wire;
pub mod world;
