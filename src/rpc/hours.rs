//! Hours: when the "turtle", the second set of rates, is switched on and off by the clock.
//!
//! ```text
//!  alt-speed-time-begin  -end     minutes after midnight, by the clock on the wall
//!  alt-speed-time-day             on which days it begins: Sunday 1, Monday 2, … Saturday 64
//! ```
//! An end that is not after the beginning is on the next day. The clock only switches: between two
//! such moments a person may switch as they like.

use super::{Effects, Rpc, session};
use crate::base::{Span, Time};
use crate::engine::Engine;
use crate::format::zone::Zone;

/// What the clock did last.
#[derive(Debug, Default)]
pub(super) struct Hours {
    zone: Zone,
    /// `None`: it is to be looked anew.
    was_within: Option<bool>,
    next_look: Time,
}

/// When it is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timetable {
    /// Minutes after midnight.
    pub begin: u16,
    pub end: u16,
    /// A bit for each day, Sunday the lowest.
    pub days: u8,
}

const DAY: u16 = 24 * 60;

impl Timetable {
    /// Whether it is on at that minute of that day (Sunday is 0).
    pub fn is_on(self, weekday: u8, minute: u16) -> bool {
        let end = if self.begin < self.end { self.end } else { self.end + DAY };
        let begins_on = |day: u8| self.days >> (day % 7) & 1 == 1;
        let is_within = |minute| (self.begin..end).contains(&minute);
        begins_on(weekday) && is_within(minute) || begins_on(weekday + 6) && is_within(minute + DAY)
    }
}

impl Rpc {
    /// By which clock a person lives.
    pub fn set_zone(&mut self, zone: Zone) {
        self.hours.zone = zone;
    }

    /// When the clock wants to be looked at.
    pub(super) fn hours_deadline(&self) -> Option<Time> {
        let is_on = session::is_set(&self.session, "alt-speed-time-enabled");
        is_on.then(|| self.hours.was_within.map_or(Time::START, |_| self.hours.next_look))
    }

    /// The hours were changed: they count from now on.
    pub(super) fn set_hours_anew(&mut self) {
        self.hours.was_within = None;
    }

    /// Switches what the clock is to switch.
    pub(super) fn mind_hours(
        &mut self,
        now: Time,
        unix: i64,
        engine: &mut Engine,
        effects: &mut Effects,
    ) {
        if self.hours_deadline().is_none_or(|at| at > now) {
            return;
        }
        let number = |key| session::number(&self.session, key);
        let timetable = Timetable {
            begin: u16::try_from(number("alt-speed-time-begin")).unwrap_or(0),
            end: u16::try_from(number("alt-speed-time-end")).unwrap_or(0),
            days: u8::try_from(number("alt-speed-time-day")).unwrap_or(0),
        };
        let (weekday, minute) = self.hours.zone.weekday_and_minute(unix);
        let is_within = timetable.is_on(weekday, minute);
        // At the next full minute.
        let left = u64::try_from(60 - unix.rem_euclid(60)).unwrap_or(60);
        self.hours.next_look = now + Span::from_secs(left);
        if self.hours.was_within.replace(is_within) != Some(is_within) {
            session::switch_turtle(&mut self.session, is_within);
            self.limit_node(now, engine);
            self.keep_session(now, effects);
        }
    }
}
