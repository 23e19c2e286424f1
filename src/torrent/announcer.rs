//! (to be written; the signatures that the torrent relies on)
use crate::base::*;
use crate::format::announce::*;
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    pub uploaded: u64,
    pub downloaded: u64,
    pub left: u64,
}
#[derive(Clone, Debug)]
pub struct Order {
    pub tracker: usize,
    pub url: String,
    pub event: Event,
    pub numwant: u32,
    pub timeout: Span,
    pub tracker_id: Option<Vec<u8>>,
}
#[derive(Debug, Default)]
pub struct Announcer {}
impl Announcer {
    pub fn new(_t: &[Vec<String>], _r: &mut Random) -> Self {
        Self {}
    }
    pub fn due(&mut self, _n: Time, _t: Totals) -> Option<Order> {
        None
    }
    pub fn on_reply(&mut self, _n: Time, _t: usize, _r: &Reply) {}
    pub fn on_failure(&mut self, _n: Time, _t: usize, _r: &Refusal) -> Span {
        Span::ZERO
    }
    pub fn url(&self, _t: usize) -> &str {
        ""
    }
    pub fn on_complete(&mut self, _n: Time) {}
    pub fn stop(&mut self, _n: Time) {}
    pub fn is_done_stopping(&self) -> bool {
        true
    }
    pub fn deadline(&self) -> Option<Time> {
        None
    }
}
