//! Picture: a run as one SVG file that needs nothing else.
//!
//! ```text
//!   ┌ who had how much ──────────────────────────┐   a row per peer, time across, darker is more
//!   ├ sent together ─────────────────────────────┤   payload per second, and what the lines carry
//!   ├ copies of a piece ─────────────────────────┤   of the rarest, and of all on average
//!   ├ who gave whom ──────┬ who gave how much ───┤   a square per pair (up to 64 nodes); a bar each
//!   └─────────────────────┴──────────────────────┘
//! ```
//! Peers stand in the order of their groups, within one in the order of their coming; those who
//! came together, in the order in which they were done. White is who is not there.

mod gifts;

use super::canvas::{Anchor, Area, Canvas, FAINT, GRID, INK, round_step, scaled};
use super::experiment::{Member, Part, Played};
use super::film::{Film, Frame};
use super::report::Report;
use crate::base::order;
use crate::format::text;

const WIDTH: u64 = 10_800;
const LEFT: u64 = 1_250;
const PLOT_WIDTH: u64 = 9_250;

/// The table of peers: rows are this high where there is room for that many.
const ROW_HEIGHT_MAX: u64 = 200;
const ROWS_HEIGHT_MAX: u64 = 5_000;
/// Rows at least this high bear a name.
const ROW_HEIGHT_NAMED: u64 = 110;

const CURVES_HEIGHT: u64 = 1_100;
const GIFTS_HEIGHT: u64 = 3_600;

/// A tenth of the pieces each.
const SHADES: [&str; 10] = [
    "#f1f6fb", "#dfebf6", "#cbdff0", "#b3d0e8", "#98c0df", "#7aaed4", "#5b9bc8", "#4087ba",
    "#2a72a8", "#1a5c92",
];
const DONE: &str = "#9fd6a8";
const BOUND: &str = "#c2410c";
const RATE: &str = "#2a72a8";
const RAREST: &str = "#c2410c";
const AVERAGE: &str = "#8a97a1";

/// One colour per group, in the order in which they came on.
const GROUPS: [&str; 5] = ["#5f6b75", "#2a72a8", "#d98b1f", "#7a4fa3", "#b03060"];

/// Draws a run that was filmed; `None` if it was not.
pub fn draw(played: &Played, report: &Report) -> Option<String> {
    let film = played.lab.film()?;
    let picture = Picture::new(played, report, film);
    Some(picture.draw())
}

/// What is drawn, and the scale of its time.
struct Picture<'p> {
    played: &'p Played,
    report: &'p Report,
    frames: &'p [Frame],
    /// Those who wanted the file, in the order of their rows.
    peers: Vec<&'p Member>,
    /// Microseconds from left to right.
    micros: u64,
    canvas: Canvas,
}

impl<'p> Picture<'p> {
    fn new(played: &'p Played, report: &'p Report, film: &'p Film) -> Picture<'p> {
        let members = played.members.iter();
        let mut peers: Vec<&Member> = members.filter(|member| member.part == Part::Peer).collect();
        let place = |member: &Member| {
            let groups = report.groups.iter();
            let group = groups.map(|group| group.name).position(|name| name == member.group);
            let whole_at = played.lab.tally().of(member.node).whole_at;
            (group, member.arrives, whole_at.is_none(), whole_at)
        };
        order::sort_by_key(&mut peers, |member| place(member));
        let last = film.frames().last().map_or(0, |frame| frame.at.as_micros());
        // A little air to the right of the last event.
        let micros = last.max(report.last_micros).max(report.bound.micros).max(1);
        let micros = micros.saturating_add(micros / 50);
        Picture { played, report, frames: film.frames(), peers, micros, canvas: Canvas::default() }
    }

    fn draw(mut self) -> String {
        let title = self.head();
        let rows = (self.peers.len() as u64).max(1);
        let height = (rows * ROW_HEIGHT_MAX).min(ROWS_HEIGHT_MAX);
        let table = Area { x: LEFT, y: 1_250, width: PLOT_WIDTH, height };
        self.progress(table);
        let rates = Area { y: table.bottom() + 700, height: CURVES_HEIGHT, ..table };
        self.rates(rates);
        let copies = Area { y: rates.bottom() + 700, ..rates };
        self.copies(copies);
        self.bound_line([table, rates, copies]);
        self.marks([table, rates, copies]);
        let gifts = Area { y: copies.bottom() + 1_000, height: GIFTS_HEIGHT, ..table };
        self.gifts(gifts);
        self.canvas.finish(WIDTH, gifts.bottom() + 450, &title)
    }

    fn head(&mut self) -> String {
        let Report { scenario, peers, seeds, bytes, pieces, seed, .. } = self.report;
        let title = format!("swarmlet lab {scenario}");
        self.canvas.text((LEFT, 420), Anchor::Start, (20, INK), &title);
        let what = format!(
            "{peers} peers, {seeds} with the file from the beginning, {} in {pieces} pieces, \
             --seed {seed} · last peer done after {} s, {} times the lower bound",
            text::size(*bytes),
            seconds(self.report.last_micros, 100_000),
            self.report.last_in_bounds,
        );
        self.canvas.text((LEFT, 660), Anchor::Start, (12, FAINT), &what);
        title
    }

    // ── Who had how much ────────────────────────────────────────────────────────────────────

    fn progress(&mut self, area: Area) {
        self.canvas.text((area.x, area.y - 120), Anchor::Start, (13, INK), "who had how much");
        self.legend_of_shades(area);
        self.legend_of_peers(area);
        self.time_axis(area, false);
        let rows = self.peers.len() as u64;
        for (row, member) in self.peers.clone().into_iter().enumerate() {
            let y = area.y + scaled(row as u64, rows, area.height);
            let end = area.y + scaled(row as u64 + 1, rows, area.height);
            // A hair between rows, where there is room for it.
            let gap = if end - y >= 60 { 8 } else { 0 };
            self.row(member, Area { y, height: end - y - gap, ..area });
        }
        self.group_names(area);
    }

    /// One peer's life: a band for each stay, of a rectangle for each shade.
    fn row(&mut self, member: &Member, area: Area) {
        let count = self.played.lab.tally().of(member.node);
        let done_at = count.whole_at.map_or(u64::MAX, |at| at.as_micros());
        for stay in count.stays {
            let until = stay.until.map_or(self.micros, |at| at.as_micros());
            self.stay(member, area, (stay.from.as_micros(), until), done_at);
        }
        if area.height >= ROW_HEIGHT_NAMED {
            let name = &self.played.lab.node_named(member.node).name;
            let place = (area.x - 170, area.y + area.height / 2 + 38);
            self.canvas.text(place, Anchor::End, (11, self.colour(member.group)), name);
        }
    }

    fn stay(&mut self, member: &Member, area: Area, stay: (u64, u64), done_at: u64) {
        let pieces = u64::from(self.report.pieces.max(1));
        let (from, until) = stay;
        let mut begun = (from, 0);
        let is_then =
            |frame: &&Frame| (from + 1..until.min(done_at)).contains(&frame.at.as_micros());
        for frame in self.frames.iter().filter(is_then) {
            let have = frame.have.get(member.node.0).copied().unwrap_or(0);
            let level = scaled(u64::from(have), pieces, SHADES.len() as u64);
            if level != begun.1 {
                self.band(area, (begun.0, frame.at.as_micros()), shade(begun.1));
                begun = (frame.at.as_micros(), level);
            }
        }
        self.band(area, (begun.0, until.min(done_at)), shade(begun.1));
        self.band(area, (from.max(done_at), until), DONE);
    }

    fn band(&mut self, row: Area, span: (u64, u64), fill: &str) {
        let (from, to) = (row.across(span.0, self.micros), row.across(span.1, self.micros));
        if to > from {
            self.canvas.rect(Area { x: from, width: to - from, ..row }, fill);
        }
    }

    /// A stripe beside each group's rows, with its name where the rows have none.
    fn group_names(&mut self, area: Area) {
        let rows = self.peers.len() as u64;
        let is_named = area.height / rows.max(1) >= ROW_HEIGHT_NAMED;
        let mut first = 0;
        while let Some(group) = self.peers.get(first).map(|member| member.group) {
            let mine = self.peers[first..].iter().take_while(|member| member.group == group);
            let end = first + mine.count();
            let y = area.y + scaled(first as u64, rows, area.height);
            let bottom = area.y + scaled(end as u64, rows, area.height);
            let stripe = Area { x: area.x - 110, y, width: 60, height: bottom - y - 8 };
            let colour = self.colour(group);
            self.canvas.rect(stripe, colour);
            if !is_named {
                let place = (area.x - 170, y + (bottom - y) / 2 + 38);
                self.canvas.text(place, Anchor::End, (11, colour), group);
            }
            first = end;
        }
    }

    fn legend_of_shades(&mut self, area: Area) {
        let (width, height) = (150, 110);
        let y = area.y - 210;
        let mut x = area.right() - 2_780;
        self.canvas.text((x - 60, y + 95), Anchor::End, (11, FAINT), "0 %");
        for fill in SHADES {
            self.canvas.rect(Area { x, y, width, height }, fill);
            x += width;
        }
        self.canvas.text((x + 60, y + 95), Anchor::Start, (11, FAINT), "100 %");
        self.canvas.rect(Area { x: x + 620, y, width, height }, DONE);
        self.canvas.text((x + 830, y + 95), Anchor::Start, (11, FAINT), "done");
    }

    /// Whose rows are whose, beside the title, if there is more than one kind.
    fn legend_of_peers(&mut self, area: Area) {
        let mut names: Vec<&'static str> = self.peers.iter().map(|member| member.group).collect();
        names.dedup();
        let mut x = area.x + 1_500;
        for name in names.iter().filter(|_| names.len() > 1) {
            let colour = self.colour(name);
            self.canvas.rect(Area { x, y: area.y - 210, width: 60, height: 110 }, colour);
            self.canvas.text((x + 110, area.y - 115), Anchor::Start, (11, colour), name);
            x += 350 + 65 * name.len() as u64;
        }
    }

    // ── Curves ──────────────────────────────────────────────────────────────────────────────

    fn rates(&mut self, area: Area) {
        let capacity = self.capacity();
        let rates = self.smooth_rates();
        let fastest = rates.iter().map(|&(_, rate)| rate).max().unwrap_or(0);
        let widest = capacity.iter().map(|&(_, rate)| rate).max().unwrap_or(0);
        let most = fastest.max(widest).max(1);
        let top = most + most / 12;
        self.canvas.text((area.x, area.y - 120), Anchor::Start, (13, INK), "sent by all together");
        self.time_axis(area, false);
        // Steps that are round in the unit that people read.
        let unit = if top >= 4 << 20 { 1 << 20 } else { 1 << 10 };
        let name = if unit == 1 << 20 { "MiB/s" } else { "KiB/s" };
        self.value_axis(area, top, (unit, name));
        let point = |&(at, rate): &(u64, u64)| (area.across(at, self.micros), area.up(rate, top));
        if !capacity.is_empty() {
            let points: Vec<(u64, u64)> = capacity.iter().map(point).collect();
            self.canvas.dotted(&points, FAINT);
            let place = (area.right(), area.y - 120);
            let words = "dotted: what the lines up of all who are there can carry";
            self.canvas.text(place, Anchor::End, (11, FAINT), words);
        }
        let points: Vec<(u64, u64)> = rates.iter().map(point).collect();
        self.canvas.curve(&points, RATE);
    }

    /// What the lines of all who are there can carry, as steps. Nothing, if one has no limit.
    fn capacity(&self) -> Vec<(u64, u64)> {
        let mut steps: Vec<(u64, bool, u64)> = Vec::new();
        for member in self.played.members.iter().filter(|member| member.part != Part::Trickster) {
            let Some(up) = member.line.up else { return Vec::new() };
            for stay in self.played.lab.tally().of(member.node).stays {
                steps.push((stay.from.as_micros(), true, up));
                steps.extend(stay.until.map(|until| (until.as_micros(), false, up)));
            }
        }
        order::sort(&mut steps);
        let (mut rate, mut points) = (0u64, vec![(0, 0)]);
        for (at, is_more, up) in steps {
            points.push((at, rate));
            rate = if is_more { rate.saturating_add(up) } else { rate.saturating_sub(up) };
            points.push((at, rate));
        }
        points.push((self.micros, rate));
        points
    }

    /// Bytes per second, each over about a thirtieth of the run.
    fn smooth_rates(&self) -> Vec<(u64, u64)> {
        let apart = (self.frames.len() / 30).max(1);
        let pairs = self.frames.iter().zip(self.frames.iter().skip(apart));
        let rate = |(before, frame): (&Frame, &Frame)| {
            let micros = frame.at.as_micros() - before.at.as_micros();
            let bytes = u128::from(frame.payload - before.payload);
            let rate = bytes * 1_000_000 / u128::from(micros.max(1));
            (frame.at.as_micros() - micros / 2, u64::try_from(rate).unwrap_or(u64::MAX))
        };
        let mut rates: Vec<(u64, u64)> = pairs.map(rate).collect();
        // The middle of the last stretch is not yet the end.
        let end = self.frames.last().map(|frame| frame.at.as_micros());
        rates.extend(end.zip(rates.last().map(|&(_, rate)| rate)));
        rates
    }

    fn copies(&mut self, area: Area) {
        let pieces = u64::from(self.report.pieces.max(1));
        let average = |frame: &Frame| frame.copies / pieces;
        let most = self.frames.iter().map(average).max().unwrap_or(0).max(1);
        let top = most + most.div_ceil(12);
        let title = "copies of a piece among all who share";
        self.canvas.text((area.x, area.y - 120), Anchor::Start, (13, INK), title);
        self.time_axis(area, true);
        self.value_axis(area, top, (1, ""));
        let hundredfold = |frame: &Frame| frame.copies.saturating_mul(100) / pieces;
        for (colour, value) in [
            (AVERAGE, &hundredfold as &dyn Fn(&Frame) -> u64),
            (RAREST, &|frame: &Frame| u64::from(frame.rarest) * 100),
        ] {
            let across = |frame: &Frame| area.across(frame.at.as_micros(), self.micros);
            let up = |frame: &Frame| area.up(value(frame), top * 100);
            let points: Vec<_> = self.frames.iter().map(|at| (across(at), up(at))).collect();
            self.canvas.curve(&points, colour);
        }
        let y = area.y - 120;
        self.canvas.text((area.right(), y), Anchor::End, (11, RAREST), "of the rarest piece");
        let x = area.right() - 1_350;
        self.canvas.text((x, y), Anchor::End, (11, AVERAGE), "of all pieces, on average");
    }

    /// The bound is marked in everything that has time from left to right.
    fn bound_line(&mut self, areas: [Area; 3]) {
        if self.report.bound.micros == 0 {
            return;
        }
        let x = areas[0].across(self.report.bound.micros, self.micros);
        let style = "stroke-width=\"1.2\" stroke-dasharray=\"6 4\"";
        for area in areas {
            self.canvas.line((x, area.y), (x, area.bottom() + 50), BOUND, style);
        }
        let words = format!("lower bound {} s", seconds(self.report.bound.micros, 100_000));
        let place = (x, areas[0].bottom() + 170);
        self.canvas.text(place, Anchor::Middle, (11, BOUND), &words);
    }

    /// So is what the experiment made happen.
    fn marks(&mut self, areas: [Area; 3]) {
        for mark in &self.played.marks {
            let x = areas[0].across(mark.at.as_millis().saturating_mul(1000), self.micros);
            for area in areas {
                let style = "stroke-width=\"1.2\" stroke-dasharray=\"1 4\"";
                self.canvas.line((x, area.y), (x, area.bottom() + 50), INK, style);
            }
            let place = (x, areas[0].bottom() + 170);
            self.canvas.text(place, Anchor::Middle, (11, INK), mark.what);
        }
    }

    fn time_axis(&mut self, area: Area, with_numbers: bool) {
        let step = round_step(self.micros);
        let mut at = 0;
        while at <= self.micros {
            let x = area.across(at, self.micros);
            self.canvas.line((x, area.y), (x, area.bottom()), GRID, "stroke-width=\"0.7\"");
            if with_numbers {
                let words = format!("{} s", seconds(at, step.min(1_000_000)));
                let place = (x, area.bottom() + 180);
                self.canvas.text(place, Anchor::Middle, (11, FAINT), &words);
            }
            at += step;
        }
        let y = area.bottom();
        self.canvas.line((area.x, y), (area.right(), y), FAINT, "stroke-width=\"0.8\"");
    }

    /// A few round values up the left side; `unit`: how much one is, and its name.
    fn value_axis(&mut self, area: Area, top: u64, unit: (u64, &str)) {
        // Half as many steps as across: the plots are low.
        let step = round_step((top / unit.0).max(1) * 2).max(1) * unit.0;
        let mut value = 0;
        while value <= top {
            let y = area.up(value, top);
            self.canvas.line((area.x, y), (area.right(), y), GRID, "stroke-width=\"0.7\"");
            let words = format!("{} {}", value / unit.0, unit.1);
            let place = (area.x - 60, y + 38);
            self.canvas.text(place, Anchor::End, (11, FAINT), words.trim_end());
            value += step;
        }
    }

    fn colour(&self, group: &str) -> &'static str {
        let number = self.report.groups.iter().position(|known| known.name == group);
        GROUPS[number.unwrap_or(0) % GROUPS.len()]
    }
}

fn shade(level: u64) -> &'static str {
    let level = usize::try_from(level).unwrap_or(usize::MAX);
    SHADES[level.min(SHADES.len() - 1)]
}

/// Seconds with as many places as a step of so many microseconds needs.
fn seconds(micros: u64, step: u64) -> String {
    match step {
        1_000_000.. => format!("{}", micros / 1_000_000),
        100_000.. => format!("{}.{}", micros / 1_000_000, micros / 100_000 % 10),
        _ => format!("{}.{:03}", micros / 1_000_000, micros / 1_000 % 1_000),
    }
}
