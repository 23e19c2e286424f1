//! Guard: who says too much is not heard, and answers have a budget.
//!
//! Answers are larger than questions, and the sender of a datagram can be forged: without bounds
//! we would be a weapon. So each address may say `DHT_SOURCE_MESSAGES_MAX` things in a window of
//! time, and is not heard for a while if it says more; and all answers together fit a rate.
//!
//! # Limits
//! `DHT_SOURCES_WATCHED_MAX` addresses are counted at once. When there are more, the one goes
//! that was quiet longest; who is silenced stays, as long as anybody else can go.

use std::net::IpAddr;

use crate::base::Time;
use crate::base::limits::{
    DHT_ANSWER_BURST_BYTES, DHT_ANSWER_BYTES_PER_SECOND, DHT_SOURCE_MESSAGES_MAX,
    DHT_SOURCE_SILENCE, DHT_SOURCE_WINDOW, DHT_SOURCES_WATCHED_MAX,
};

/// What is counted to keep strangers within bounds.
#[derive(Debug)]
pub struct Guard {
    /// In no order.
    sources: Vec<Source>,
    /// What may be answered now, in bytes; as of `counted`.
    budget_bytes: u64,
    counted: Time,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    ip: IpAddr,
    messages: u32,
    /// When the present window began.
    since: Time,
    silenced_until: Time,
}

impl Guard {
    pub fn new(now: Time) -> Guard {
        Guard { sources: Vec::new(), budget_bytes: DHT_ANSWER_BURST_BYTES, counted: now }
    }

    /// Counts a message of `ip`; whether it is to be heard.
    pub fn hears(&mut self, now: Time, ip: IpAddr) -> bool {
        let place = self.sources.iter().position(|source| source.ip == ip);
        let Some(place) = place else {
            self.watch(now, ip);
            return true;
        };
        let source = &mut self.sources[place];
        if now < source.silenced_until {
            return false;
        }
        if now.since(source.since) >= DHT_SOURCE_WINDOW {
            source.since = now;
            source.messages = 0;
        }
        source.messages += 1;
        let is_too_much = source.messages > DHT_SOURCE_MESSAGES_MAX;
        if is_too_much {
            source.silenced_until = now + DHT_SOURCE_SILENCE;
        }
        !is_too_much
    }

    /// Takes an answer of so many bytes out of the budget; `false` if it has not got them.
    pub fn affords(&mut self, now: Time, bytes: usize) -> bool {
        let passed_millis = now.since(self.counted).as_millis();
        let gained = passed_millis.saturating_mul(DHT_ANSWER_BYTES_PER_SECOND) / 1000;
        if gained > 0 {
            self.budget_bytes = (self.budget_bytes + gained).min(DHT_ANSWER_BURST_BYTES);
            self.counted = now;
        }
        let left = u64::try_from(bytes).ok().and_then(|bytes| self.budget_bytes.checked_sub(bytes));
        self.budget_bytes = left.unwrap_or(self.budget_bytes);
        left.is_some()
    }

    fn watch(&mut self, now: Time, ip: IpAddr) {
        let source = Source { ip, messages: 1, since: now, silenced_until: Time::START };
        if self.sources.len() < DHT_SOURCES_WATCHED_MAX {
            self.sources.push(source);
            return;
        }
        let oldest = self.sources.iter_mut().min_by_key(|s| s.since.max(s.silenced_until));
        *oldest.expect("there is room for at least one") = source;
    }
}
