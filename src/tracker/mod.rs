//! Floor 3: the other end of announce.

pub mod service;
pub mod swarm;

pub use service::Service;
