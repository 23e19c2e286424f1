//! (header to be written)

mod announcer;
mod candidates;
mod choker;
mod link;
mod picker;
mod pieces;
mod pipeline;
mod service;
mod session;
mod store;
mod swarm;
