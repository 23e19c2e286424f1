//! Schedule: who comes when, who goes, and who vanishes in between.
//!
//! ```text
//!   arrive   at once │ rush: each at some moment of the first T │ poisson: one every T on average
//!   leave    never   │ when it is done                          │ T after it came, done or not
//!   churn    not     │ each stays for T on average, then its program is killed; half of T later,
//!            on average, it is back with what is on its disk
//!
//!   row of a peer   ┄┄┄┄▓▓▓▓▓▓▓▓┄┄┄▓▓▓▓▓▓▓▓▓▓▓▓┄┄▓▓▓▓│
//!                   comes   vanishes back        leaves
//! ```
//! Stays and pauses are exponentially distributed: whoever has stayed for an hour is as likely to
//! vanish in the next second as a newcomer. It is what times between calls, failures and changes
//! of mind look like, and it means that nobody can plan for it.
//!
//! Those who leave say good-bye to the tracker and to their peers; those who vanish do not.

use super::{Action, Lab, NodeId};
use crate::base::{Random, Span};

/// When peers come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Arrive {
    /// All of them in the first moment.
    #[default]
    AtOnce,
    /// Each at some moment of this long.
    Rush(Span),
    /// One after the other, so long apart on average.
    Poisson(Span),
}

/// When peers leave for good. Seeds stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Leave {
    #[default]
    Never,
    /// As soon as they have everything.
    Done,
    /// So long after they came, whether they have everything or not.
    After(Span),
}

/// What becomes of the peers of an experiment over time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    pub arrive: Arrive,
    pub leave: Leave,
    /// How long each stays on average before it vanishes; `None`: nobody does.
    pub churn: Option<Span>,
}

/// Who has vanished is away for this part of the time that it stays, on average.
const AWAY_PART: u64 = 2;

impl Schedule {
    /// When each of so many peers comes.
    pub fn arrivals(&self, count: usize, random: &mut Random) -> Vec<Span> {
        let mut at = Span::ZERO;
        let mut arrivals: Vec<Span> = (0..count)
            .map(|_| match self.arrive {
                Arrive::AtOnce => Span::ZERO,
                Arrive::Rush(rush) => below(rush, random),
                Arrive::Poisson(apart) => {
                    at = at + exponential(apart, random);
                    at
                }
            })
            .collect();
        // Whoever is named first need not come first, or groups would come one after the other.
        random.shuffle(&mut arrivals);
        arrivals
    }
}

impl Lab {
    /// Lets these nodes come, go and vanish. Returns when each comes.
    pub(super) fn schedule(&mut self, schedule: Schedule, nodes: &[NodeId]) -> Vec<Span> {
        let arrivals = schedule.arrivals(nodes.len(), &mut self.random);
        for (&node, &at) in nodes.iter().zip(&arrivals) {
            self.starts_at(node, at);
            self.settings(node).seed = schedule.leave != Leave::Done;
            if let Leave::After(span) = schedule.leave {
                self.at(at + span, Action::Retire(node));
            }
            if let Some(stay) = schedule.churn {
                let vanishes = at + exponential(stay, &mut self.random);
                self.at(vanishes, Action::Vanish(node, stay));
            }
        }
        arrivals
    }

    /// Draws how long a vanished node is away, and when it vanishes again.
    pub(super) fn plan_return(&mut self, node: NodeId, stay: Span) {
        let away = Span::from_millis(stay.as_millis() / AWAY_PART);
        let back = exponential(away, &mut self.random);
        self.at(back, Action::Start(node));
        let again = back + exponential(stay, &mut self.random);
        self.at(again, Action::Vanish(node, stay));
    }
}

/// Some time below `span`.
fn below(span: Span, random: &mut Random) -> Span {
    let millis = usize::try_from(span.as_millis()).unwrap_or(usize::MAX);
    Span::from_millis(random.below(millis.max(1)) as u64)
}

/// An exponentially distributed time, `mean` on average.
///
/// Von Neumann's way (1951): comparisons of random numbers and no logarithm, whose last digit is
/// not the same on every machine. Draw numbers for as long as each is below the one before; if
/// their count is odd, the first is what comes behind the point, and the number of failed
/// attempts before it.
pub fn exponential(mean: Span, random: &mut Random) -> Span {
    let mut whole = 0u64;
    loop {
        let first = random.next_u64() >> 32;
        let (mut last, mut count) = (first, 1);
        loop {
            let next = random.next_u64() >> 32;
            if next >= last {
                break;
            }
            (last, count) = (next, count + 1);
        }
        if count % 2 == 1 {
            let mean = u128::from(mean.as_millis());
            let millis = (mean * ((u128::from(whole) << 32) + u128::from(first))) >> 32;
            return Span::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        }
        whole += 1;
    }
}
