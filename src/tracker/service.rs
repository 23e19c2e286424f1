//! Service: an HTTP request in, the bytes of the answer out.

use crate::base::Time;
use crate::format::http::Request;
use std::net::SocketAddr;

/// The tracker: all swarms, and the rules of this house.
#[derive(Debug)]
pub struct Service {}

impl Service {
    pub fn http(&mut self, _: Time, _: SocketAddr, _: &Request<'_>, _: &mut Vec<u8>) {}
    pub fn tick(&mut self, _: Time) {}
    pub fn deadline(&self) -> Option<Time> {
        None
    }
}
