//! (map comes here)

#![forbid(unsafe_code)]

pub mod base;
pub mod border;
pub mod command;
pub mod engine;
pub mod format;
pub mod lab;
pub mod peer;
pub mod torrent;
pub mod tracker;
pub mod wire;
pub mod world;
