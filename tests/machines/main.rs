//! (header to be written)

mod announcer;
mod candidates;
mod choker;
mod host;
mod link;
mod picker;
mod pieces;
mod pipeline;
mod scratch;
mod service;
mod session;
mod store;
mod swarm;
