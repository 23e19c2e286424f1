//! Gifts: the lower part of a picture, who gave whom and how much.

use super::super::canvas::{Anchor, Area, FAINT, INK, scaled};
use super::super::experiment::{Member, Part};
use super::{Picture, SHADES, shade};
use crate::base::order;
use crate::format::text;

/// With more nodes than that, a square for each pair would be a dot.
const MATRIX_NODES_MAX: usize = 64;

impl Picture<'_> {
    pub(super) fn gifts(&mut self, area: Area) {
        let of = |part| self.played.members.iter().filter(move |member| member.part == part);
        let (seeds, tricksters) = (of(Part::Seed), of(Part::Trickster));
        let givers: Vec<&Member> =
            seeds.chain(self.peers.iter().copied()).chain(tricksters).collect();
        let mut x = area.x;
        if givers.len() <= MATRIX_NODES_MAX {
            self.matrix(Area { width: area.height, ..area }, &givers);
            x += area.height + 1_150;
        }
        self.bars(Area { x, width: area.right() - x, ..area });
    }

    /// A square for each pair: who gave down, who was given across.
    fn matrix(&mut self, area: Area, givers: &[&Member]) {
        let tally = self.played.lab.tally();
        let takers = self.peers.clone();
        let pairs = givers.iter().flat_map(|from| takers.iter().map(move |to| (from, to)));
        let most = pairs.map(|(from, to)| tally.given(from.node, to.node)).max().unwrap_or(0);
        let title = format!("who gave whom: darkest is {}", text::size(most));
        self.canvas.text((area.x, area.y - 120), Anchor::Start, (13, INK), &title);
        self.canvas.rect(area, SHADES[0]);
        let (down, across) = (givers.len() as u64, takers.len() as u64);
        for (row, from) in givers.iter().enumerate() {
            let y = area.y + scaled(row as u64, down, area.height);
            let bottom = area.y + scaled(row as u64 + 1, down, area.height);
            for (column, to) in takers.iter().enumerate() {
                let x = area.x + scaled(column as u64, across, area.width);
                let right = area.x + scaled(column as u64 + 1, across, area.width);
                let given = self.played.lab.tally().given(from.node, to.node);
                let level = scaled(given, most, SHADES.len() as u64 - 1);
                if level > 0 {
                    let square = Area { x, y, width: right - x - 4, height: bottom - y - 4 };
                    self.canvas.rect(square, shade(level));
                }
            }
            let stripe = Area { x: area.x - 110, y, width: 60, height: bottom - y - 4 };
            self.canvas.rect(stripe, self.colour(from.group));
        }
        for (column, to) in takers.iter().enumerate() {
            let x = area.x + scaled(column as u64, across, area.width);
            let right = area.x + scaled(column as u64 + 1, across, area.width);
            let stripe = Area { x, y: area.bottom() + 50, width: right - x - 4, height: 60 };
            self.canvas.rect(stripe, self.colour(to.group));
        }
        let below = (area.x + area.width / 2, area.bottom() + 280);
        let words = "was given (in the order of the first panel)";
        self.canvas.text(below, Anchor::Middle, (11, FAINT), words);
        let beside = (area.x - 170, area.y + area.height / 2);
        self.canvas.text(beside, Anchor::End, (11, FAINT), "gave");
    }

    /// A bar for each node, the most generous first.
    fn bars(&mut self, area: Area) {
        let tally = self.played.lab.tally();
        let gave = |member: &&Member| tally.of(member.node).gave;
        let mut members: Vec<&Member> = self.played.members.iter().collect();
        order::sort_by_key(&mut members, |member| std::cmp::Reverse(gave(member)));
        let most = members.first().map_or(0, gave).max(self.report.bytes);
        let top = most + most / 12;
        let title = "who gave how much, in copies of the file";
        self.canvas.text((area.x, area.y - 120), Anchor::Start, (13, INK), title);
        self.value_axis(area, top, (self.report.bytes, ""));
        let count = members.len() as u64;
        for (index, member) in members.into_iter().enumerate() {
            let x = area.x + scaled(index as u64, count, area.width);
            let right = area.x + scaled(index as u64 + 1, count, area.width);
            let gap = if right - x >= 40 { (right - x) / 6 } else { 0 };
            let y = area.up(gave(&member), top);
            let bar = Area { x, y, width: right - x - gap, height: area.bottom() - y };
            self.canvas.rect(bar, self.colour(member.group));
        }
        let y = area.up(self.report.bytes, top);
        self.canvas.line((area.x, y), (area.right(), y), INK, "stroke-dasharray=\"2 3\"");
        self.legend_of_groups(area);
    }

    fn legend_of_groups(&mut self, area: Area) {
        let mut y = area.y + 60;
        let names: Vec<&'static str> = self.report.groups.iter().map(|group| group.name).collect();
        for name in names {
            let x = area.right() - 1_300;
            let colour = self.colour(name);
            self.canvas.rect(Area { x, y, width: 150, height: 110 }, colour);
            self.canvas.text((x + 220, y + 95), Anchor::Start, (11, INK), name);
            y += 200;
        }
    }
}
