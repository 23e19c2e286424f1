//! Explain: what stood behind the choker's choices, told after the fact.
//!
//! The choker answers with those who shall be unchoked. Why the others are not follows from who
//! had a place before and how everybody stood; it is worked out here, and only for an engine that
//! was told to explain, so that the choker need not know of it.

use super::choker::{Choice, Choker, Standing};
use crate::base::ConnId;
use crate::border::reason::{Rank, Reason, Why, WhyNot};

/// Who had a place before the choker was asked, and how everybody stood.
pub(super) struct Before {
    standings: Vec<Standing>,
    places: Vec<(ConnId, Why)>,
    seeding: bool,
}

impl Before {
    pub fn new(choker: &Choker, standings: &[Standing], seeding: bool) -> Before {
        let place = |standing: &Standing| Some((standing.conn, choker.why(standing.conn)?));
        let places = standings.iter().filter_map(place).collect();
        Before { standings: standings.to_vec(), places, seeding }
    }

    /// The reasons of a round: of everybody who has a place now, and who lost one.
    pub fn round(&self, chosen: &[Choice]) -> Vec<(ConnId, Reason)> {
        let mut reasons = self.refill(chosen);
        let lost = |&&(conn, _): &&(ConnId, Why)| chosen.iter().all(|choice| choice.conn != conn);
        for &(conn, had) in self.places.iter().filter(lost) {
            let why = self.why_not(conn, had);
            reasons.push((conn, Reason::Choke { why, rank: self.rank(conn) }));
        }
        reasons
    }

    /// The reasons of those who were chosen.
    pub fn refill(&self, chosen: &[Choice]) -> Vec<(ConnId, Reason)> {
        let reason = |&Choice { conn, why }: &Choice| {
            let stays = self.place(conn).is_some();
            (conn, Reason::Unchoke { why, stays, rank: self.rank(conn) })
        };
        chosen.iter().map(reason).collect()
    }

    fn why_not(&self, conn: ConnId, had: Why) -> WhyNot {
        match self.standing(conn) {
            Some(standing) if !standing.interested || standing.is_seed => WhyNot::WantsNothing,
            Some(standing) if standing.snubbing && !self.seeding => WhyNot::Snubs,
            _ if self.seeding => WhyNot::TurnOver,
            _ if had == Why::Optimistic => WhyNot::LotOver,
            _ => WhyNot::Outdone,
        }
    }

    fn rank(&self, conn: ConnId) -> Rank {
        let rate = |standing: &Standing| match self.seeding {
            true => standing.rate_to_them,
            false => standing.rate_from_them,
        };
        let own = self.standing(conn).map_or(0, rate);
        let ahead = self.standings.iter().filter(|standing| rate(standing) > own).count();
        Rank { rate: own, place: ahead + 1, of: self.standings.len() }
    }

    fn standing(&self, conn: ConnId) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.conn == conn)
    }

    fn place(&self, conn: ConnId) -> Option<Why> {
        self.places.iter().find(|(seated, _)| *seated == conn).map(|&(_, why)| why)
    }
}
