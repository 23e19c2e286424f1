//! Zone: what the clock on the wall says, from the rule of a time zone.
//!
//! The rule is the text that POSIX has for `TZ`; a zone's file ends with it, on a line of its own:
//!
//! ```text
//!  CET-1CEST,M3.5.0,M10.5.0/3
//!  │  │ │    │      └ … to the last Sunday of October, 03:00, is summer
//!  │  │ │    └ from the last Sunday (day 0, week 5) of March, 02:00, …
//!  │  │ └ in summer one hour more, unless it says how many
//!  │  └ hours that the clock is behind Greenwich: one ahead
//!  └ a name
//! ```
//!
//! # Why
//! Only the present is of interest, so the long table of a zone's past in its file is not read.
//!
//! # Spec
//! POSIX.1-2024, "Environment Variables", `TZ`; RFC 9636, section 3.3.

use super::malformed::Malformed;

/// A time zone, as it is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Zone {
    /// Seconds ahead of Greenwich.
    usual: i64,
    summer: Option<Summer>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Summer {
    ahead: i64,
    begins: Change,
    ends: Change,
}

/// A day of each year, and a moment of it in seconds after midnight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Change {
    day: Day,
    secs: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Day {
    /// The `week`-th such weekday of the month; 5 is the last.
    Weekday { month: i64, week: i64, weekday: i64 },
    /// Counted from 1, 29 February never among them.
    Common(i64),
    /// Counted from 0, with 29 February.
    Any(i64),
}

const DAY: i64 = 86_400;

impl Zone {
    /// Reads a rule.
    ///
    /// Malformed: the offset where it stops making sense.
    pub fn parse(text: &str) -> Result<Zone, Malformed> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        let zone = reader.rule();
        let zone = zone.filter(|_| reader.at == text.len());
        zone.ok_or_else(|| Malformed::new("not a time zone's rule", reader.at))
    }

    /// Reads the rule at the end of a zone's file; `None` if there is none, as in old ones.
    pub fn of_file(bytes: &[u8]) -> Option<Zone> {
        let line = bytes.strip_suffix(b"\n")?.rsplit(|&byte| byte == b'\n').next()?;
        Zone::parse(std::str::from_utf8(line).ok()?).ok()
    }

    /// Day of the week (Sunday is 0) and minute of the day, at `unix` seconds after 1970.
    pub fn weekday_and_minute(&self, unix: i64) -> (u8, u16) {
        let local = unix.saturating_add(self.ahead(unix));
        // 1970 began on a Thursday.
        let weekday = (local.div_euclid(DAY) + 4).rem_euclid(7);
        let minute = local.rem_euclid(DAY) / 60;
        (u8::try_from(weekday).unwrap_or(0), u16::try_from(minute).unwrap_or(0))
    }

    /// Seconds ahead of Greenwich at that time.
    fn ahead(&self, unix: i64) -> i64 {
        let Some(summer) = self.summer else { return self.usual };
        let year = year_of(unix.saturating_add(self.usual));
        // Each change is told in the time that holds before it.
        let begins = summer.begins.at(year) - self.usual;
        let ends = summer.ends.at(year) - summer.ahead;
        let is_summer = match begins <= ends {
            true => (begins..ends).contains(&unix),
            // South of the equator it lasts over the new year.
            false => !(ends..begins).contains(&unix),
        };
        if is_summer { summer.ahead } else { self.usual }
    }
}

impl Change {
    /// Seconds after 1970 by a clock that knows no zones.
    fn at(self, year: i64) -> i64 {
        let first = days_to(year);
        let is_leap = days_to(year + 1) - first == 366;
        let day = match self.day {
            Day::Any(day) => first + day,
            Day::Common(day) => first + day - 1 + i64::from(is_leap && day >= 60),
            Day::Weekday { month, week, weekday } => {
                let begins = first + days_before(month, is_leap);
                let length = days_before(month + 1, is_leap) - days_before(month, is_leap);
                let offset = (weekday - (begins + 4)).rem_euclid(7) + 7 * (week - 1);
                begins + if offset >= length { offset - 7 } else { offset }
            }
        };
        day * DAY + self.secs
    }
}

/// Days from 1970 to the first of a year.
fn days_to(year: i64) -> i64 {
    let before = year - 1;
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (year - 1970) * 365 + leap_days(before) - leap_days(1969)
}

fn year_of(unix: i64) -> i64 {
    let days = unix.div_euclid(DAY);
    // 400 years have 146,097 days; the guess is off by one at most.
    let mut year = 1970 + days * 400 / 146_097;
    while days_to(year) > days {
        year -= 1;
    }
    while days_to(year + 1) <= days {
        year += 1;
    }
    year
}

/// Days of a year before a month; month 13 is the next year's first.
fn days_before(month: i64, is_leap: bool) -> i64 {
    const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let at = usize::try_from(month - 1).unwrap_or(0).min(12);
    BEFORE[at] + i64::from(is_leap && month > 2)
}

/// Reads a rule from the left to the right; `None` where it makes no sense.
struct Reader<'r> {
    bytes: &'r [u8],
    at: usize,
}

impl Reader<'_> {
    fn rule(&mut self) -> Option<Zone> {
        self.name()?;
        let usual = -self.time(24)?;
        if self.peek().is_none() {
            return Some(Zone { usual, summer: None });
        }
        self.name()?;
        let ahead = match self.peek() {
            Some(b',') => usual + 3600,
            _other => -self.time(24)?,
        };
        self.eat(b',')?;
        let begins = self.change()?;
        self.eat(b',')?;
        let ends = self.change()?;
        Some(Zone { usual, summer: Some(Summer { ahead, begins, ends }) })
    }

    /// Three letters or more; or anything in angle brackets.
    fn name(&mut self) -> Option<()> {
        let rest = &self.bytes[self.at..];
        let len = match rest.first()? {
            b'<' => rest.iter().position(|&byte| byte == b'>')? + 1,
            _letter => rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count(),
        };
        self.at += len;
        (len >= 3).then_some(())
    }

    /// `hh[:mm[:ss]]`, perhaps with a sign, in seconds.
    fn time(&mut self, hours_max: i64) -> Option<i64> {
        let sign = match self.peek() {
            Some(b'-') => self.eat(b'-').map(|()| -1)?,
            Some(b'+') => self.eat(b'+').map(|()| 1)?,
            _digit => 1,
        };
        let mut secs = self.number(0, hours_max)? * 3600;
        for unit in [60, 1] {
            if self.peek() == Some(b':') {
                self.at += 1;
                secs += self.number(0, 59)? * unit;
            }
        }
        Some(sign * secs)
    }

    fn change(&mut self) -> Option<Change> {
        let day = match self.peek()? {
            b'M' => {
                self.at += 1;
                let month = self.number(1, 12)?;
                self.eat(b'.')?;
                let week = self.number(1, 5)?;
                self.eat(b'.')?;
                Day::Weekday { month, week, weekday: self.number(0, 6)? }
            }
            b'J' => {
                self.at += 1;
                Day::Common(self.number(1, 365)?)
            }
            _digit => Day::Any(self.number(0, 365)?),
        };
        let secs = match self.peek() {
            Some(b'/') => self.eat(b'/').and_then(|()| self.time(167))?,
            _end => 2 * 3600,
        };
        Some(Change { day, secs })
    }

    fn number(&mut self, least: i64, most: i64) -> Option<i64> {
        let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit());
        let len = digits.count();
        if len == 0 || len > 3 {
            return None;
        }
        let text = std::str::from_utf8(&self.bytes[self.at..self.at + len]).ok()?;
        self.at += len;
        text.parse().ok().filter(|number| (least..=most).contains(number))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }
}
