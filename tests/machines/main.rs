//! Every machine alone: inputs on the left, exact outputs on the right, time as a number.

mod announcer;
mod blame;
mod candidates;
mod checker;
mod choker;
mod erase;
mod hashing;
mod host;
mod http_io;
mod library;
mod line;
mod link;
mod peer_io;
mod picker;
mod pieces;
mod pipeline;
mod rate;
mod reason;
mod rpc;
mod scratch;
mod service;
mod session;
mod store;
mod swarm;
mod syncer;
mod torrent;
