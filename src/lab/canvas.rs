//! Canvas: SVG, as far as a diagram needs it.
//!
//! Shapes are appended to a text in the order in which they are painted. Places are whole tenths
//! of a dot: integers, so that the same picture has the same bytes on every machine.

use std::fmt::{self, Write};

/// A place or a length in tenths of a dot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Tenths(pub u64);

/// A rectangle on the canvas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub x: u64,
    pub y: u64,
    pub width: u64,
    pub height: u64,
}

/// Where a text stands in relation to its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    text: String,
}

pub(super) const INK: &str = "#22303c";
pub(super) const FAINT: &str = "#66757f";
pub(super) const GRID: &str = "#dfe5ea";

impl Canvas {
    pub fn rect(&mut self, area: Area, fill: &str) {
        let Area { x, y, width, height } = area;
        let [x, y, width, height] = [x, y, width, height].map(Tenths);
        self.push(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"
        ));
    }

    /// A straight line; `style`: further attributes.
    pub fn line(&mut self, from: (u64, u64), to: (u64, u64), colour: &str, style: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(Tenths);
        self.push(format_args!(
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\" {style}/>"
        ));
    }

    /// A line through all these points.
    pub fn curve(&mut self, points: &[(u64, u64)], colour: &str) {
        self.polyline(points, colour, "1.6\" stroke-linejoin=\"round");
    }

    /// The same, but dotted.
    pub fn dotted(&mut self, points: &[(u64, u64)], colour: &str) {
        self.polyline(points, colour, "1\" stroke-dasharray=\"2 3");
    }

    fn polyline(&mut self, points: &[(u64, u64)], colour: &str, width: &str) {
        let points: Vec<String> =
            points.iter().map(|&(x, y)| format!("{},{}", Tenths(x), Tenths(y))).collect();
        self.push(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            points.join(" ")
        ));
    }

    /// A line of text; `size` in dots.
    pub fn text(&mut self, place: (u64, u64), anchor: Anchor, style: (u32, &str), words: &str) {
        let (x, y) = (Tenths(place.0), Tenths(place.1));
        let (size, colour) = style;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let words = words.replace('&', "&amp;").replace('<', "&lt;");
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
             fill=\"{colour}\">{words}</text>"
        ));
    }

    /// The whole file.
    pub fn finish(self, width: u64, height: u64, title: &str) -> String {
        let (width, height) = (Tenths(width), Tenths(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" \
             font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n\
             <title>{title}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.text
        )
    }

    fn push(&mut self, shape: fmt::Arguments<'_>) {
        // Writing into a `String` cannot fail.
        let _ = writeln!(self.text, "{shape}");
    }
}

impl Area {
    pub fn right(self) -> u64 {
        self.x + self.width
    }

    pub fn bottom(self) -> u64 {
        self.y + self.height
    }

    /// Where `value` of `whole` lies from left to right; beyond the whole is at the edge.
    pub fn across(self, value: u64, whole: u64) -> u64 {
        self.x + scaled(value, whole, self.width)
    }

    /// Where `value` of `whole` lies from the bottom up.
    pub fn up(self, value: u64, whole: u64) -> u64 {
        self.bottom() - scaled(value, whole, self.height)
    }
}

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 10 {
            0 => write!(f, "{}", self.0 / 10),
            tenths => write!(f, "{}.{tenths}", self.0 / 10),
        }
    }
}

/// `value` of `whole`, as a part of `length`.
pub(super) fn scaled(value: u64, whole: u64, length: u64) -> u64 {
    let part = u128::from(value.min(whole)) * u128::from(length) / u128::from(whole.max(1));
    u64::try_from(part).expect("no more than the length")
}

/// A round step that divides `whole` into at most eight parts: 1, 2 or 5, and zeros.
pub(super) fn round_step(whole: u64) -> u64 {
    let mut power = 1u64;
    loop {
        let steps = [1, 2, 5].map(|times| power.saturating_mul(times));
        if let Some(step) = steps.into_iter().find(|step| whole / step <= 8) {
            return step;
        }
        power = power.saturating_mul(10);
    }
}
