//! (to be written; the signatures that the torrent relies on)
use crate::base::Time;
use std::net::SocketAddr;
#[derive(Clone, Copy, Debug)]
pub enum Source {
    ByHand,
    Tracker,
    Incoming,
}
#[derive(Debug, Default)]
pub struct Candidates {}
impl Candidates {
    pub fn new() -> Self {
        Self {}
    }
    pub fn add(&mut self, _n: Time, _a: SocketAddr, _s: Source) {}
    pub fn next(&mut self, _n: Time) -> Option<SocketAddr> {
        None
    }
    pub fn deadline(&self) -> Option<Time> {
        None
    }
    pub fn on_failed(&mut self, _n: Time, _a: SocketAddr) {}
    pub fn on_connected(&mut self, _a: SocketAddr) {}
    pub fn on_closed(&mut self, _n: Time, _a: SocketAddr, _u: bool) {}
    pub fn on_self(&mut self, _a: SocketAddr) {}
    pub fn on_seed(&mut self, _a: SocketAddr) {}
    pub fn ban(&mut self, _a: SocketAddr) {}
    pub fn is_banned(&self, _a: SocketAddr) -> bool {
        false
    }
}
