//! Floor 6: the only room with sockets, files, clocks, signals and threads.
//!
//! Everything above the border (floors 0 to 5) decides and is pure; everything in here carries
//! out, and decides nothing that a test of the pure part could not see. So there is one place
//! where a call may block, fail, be interrupted or be attacked through the file system, and the
//! lab can stand in for the whole room.
//!
//! ```text
//!  files     store ── gather, handles ── folder      pieces become ranges of files
//!            syncer ── resume                        what was written becomes safe, then claimed
//!            hashing                                 files become pieces
//!            keeper                                  the tracker's files
//!            watch                                   .torrent files that appear
//!  sockets   reactor ── peers, peer_io               connections to peers
//!                    ├─ remote ── bookkeeper          remote control, and what it remembers
//!                    ├─ http_io, http_call            trackers, at either end
//!                    ├─ udp, udp_call                 the same by datagrams; the DHT
//!                    └─ act, told, trace              what the engine wants is carried out
//!            conn, line                              the table of open things; who waits longest
//!  names     resolver
//!  the host  sys, fault, hook, interface
//!  the door  node                                    what commands use of all this
//! ```
//!
//! # Why threads
//! Three calls cannot be bounded and have no form that a poll can wait for: `fsync` on a memory
//! card takes seconds, `getaddrinfo` as long as it likes, and the last `close` of a long deleted
//! file a tenth of a second for each half a GiB. Whoever needs one of them (`syncer`, `keeper`,
//! `bookkeeper`, `resolver`) has one helper thread (`worker`), started when first needed, that owns
//! its job and answers through a channel and a waker. They share nothing else.

mod act;
mod batch;
#[cfg(feature = "remote")]
pub mod bookkeeper;
pub mod conn;
pub mod dht;
pub mod dial;
pub mod fault;
pub mod folder;
pub mod gather;
pub mod handles;
pub mod hashing;
pub mod hook;
pub mod http_call;
pub mod http_io;
pub mod interface;
pub mod keeper;
pub mod line;
mod local;
mod named;
pub mod node;
pub mod peer_io;
mod peers;
pub mod reactor;
#[cfg_attr(not(feature = "remote"), path = "without/remote.rs")]
pub mod remote;
pub mod resolver;
pub mod resume;
pub mod store;
pub mod syncer;
pub mod sys;
mod told;
#[cfg_attr(not(feature = "trace"), path = "without/trace.rs")]
mod trace;
pub mod udp;
mod udp_call;
#[cfg(feature = "remote")]
pub mod watch;
mod web;
pub mod worker;
