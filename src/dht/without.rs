//! The DHT, in a program that was built without it: there is no node, so nobody can ask one.

use std::convert::Infallible;
use std::net::SocketAddr;

use crate::base::{InfoHash, Time};
use crate::format::Malformed;

mod words;

pub use words::{Act, Figures, Offer, Outcome, Settings};

/// One node of the DHT, which is nowhere.
#[derive(Debug)]
pub struct Dht {
    never: Infallible,
}

impl Dht {
    /// Nobody may ask for one: `--dht` is refused.
    pub fn new(_now: Time, _settings: Settings) -> Dht {
        unreachable!("this program was built without the DHT")
    }

    pub fn on_datagram(&mut self, _: Time, _: SocketAddr, _: &[u8], _: &mut Vec<Act>) {
        match self.never {}
    }

    pub fn enter(&mut self, _: Time, _: SocketAddr, _: bool, _: &mut Vec<Act>) {
        match self.never {}
    }

    pub fn follow(&mut self, _: Time, _: InfoHash, _: Option<Offer>) {
        match self.never {}
    }

    pub fn unfollow(&mut self, _: InfoHash) {
        match self.never {}
    }

    pub fn followed(&self) -> std::vec::IntoIter<InfoHash> {
        match self.never {}
    }

    pub fn figures(&self, _: Time) -> Figures {
        match self.never {}
    }

    pub fn save(&self, _: Time, _: &mut Vec<u8>) {
        match self.never {}
    }

    pub fn load(&mut self, _: Time, _: &[u8]) -> Result<(), Malformed> {
        match self.never {}
    }

    pub fn tick(&mut self, _: Time, _: &mut Vec<Act>) {
        match self.never {}
    }

    pub fn deadline(&self) -> Option<Time> {
        match self.never {}
    }

    pub fn check(&self) {
        match self.never {}
    }
}
