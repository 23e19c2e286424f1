//! Upkeep: what a node does when nobody speaks to it.
//!
//! ```text
//!  1. questions that were not answered in time are given up
//!  2. until they have answered, and whenever we know nobody: the entrances are tried
//!  3. once we know somebody: our neighbours are looked for
//!  4. a bucket that fell silent is refreshed, a doubtful node is asked whether it is there
//!  5. torrents whose time has come are looked up
//!  6. peers that were announced long ago are forgotten
//! ```

use std::net::{IpAddr, SocketAddr};

use super::node::{Followed, Goal, Purpose, Search, net_of};
use super::{Act, Dht, Lookup, Outcome, Table, place};
use crate::base::limits::{
    DHT_ANNOUNCE_AGAIN, DHT_ANNOUNCE_EVERY, DHT_BUCKET_NODES, DHT_ENTER_AGAIN_MAX,
    DHT_ENTER_AGAIN_MIN, DHT_LOOKUPS_MAX, DHT_QUERY_TIMEOUT,
};
use crate::base::{InfoHash, NodeId, Span, Time};
use crate::format::krpc::Contact;

/// An address where somebody says that a node is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entrance {
    pub addr: SocketAddr,
    due: Time,
    pause: Span,
    /// It has answered once. Until then it is tried even if others have found us meanwhile: who
    /// knows only those would be on an island with them.
    reached: bool,
}

/// What other nodes say our address is.
///
/// One of them may lie, so it takes `VOTES_NEEDED` of the last few, from different hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct Votes {
    /// Who said what; the latest last.
    cast: Vec<(IpAddr, IpAddr)>,
}

const VOTES_KEPT: usize = 10;
const VOTES_NEEDED: usize = 6;

impl Entrance {
    pub fn new(now: Time, addr: SocketAddr) -> Entrance {
        Entrance { addr, due: now, pause: DHT_ENTER_AGAIN_MIN, reached: false }
    }
}

impl Votes {
    fn cast(&mut self, voter: IpAddr, said: IpAddr) {
        self.cast.retain(|(other, _)| *other != voter);
        if self.cast.len() == VOTES_KEPT {
            self.cast.remove(0);
        }
        self.cast.push((voter, said));
    }

    /// The address on which enough of them agree.
    pub fn elected(&self) -> Option<IpAddr> {
        let votes_for = |ip: IpAddr| self.cast.iter().filter(|(_, said)| *said == ip).count();
        let (_, said) = self.cast.iter().find(|(_, said)| votes_for(*said) >= VOTES_NEEDED)?;
        Some(*said)
    }
}

impl Dht {
    /// Does what is due; to be called when `deadline` has passed.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Act>) {
        self.give_up(now);
        self.enter_again(now, out);
        self.join(now);
        self.keep_fresh(now, out);
        self.begin_lookups(now, out);
        if self.store.deadline().is_some_and(|due| due <= now) {
            self.store.expire(now);
        }
        self.go_on(now, out);
    }

    /// When `tick` wants to be called next. `None`: when anybody has spoken.
    pub fn deadline(&self) -> Option<Time> {
        let open = self.open.front().map(|question| question.asked + DHT_QUERY_TIMEOUT);
        let slow = self.searches.iter().filter_map(|search| search.lookup.deadline()).min();
        let enter = self.entrances.iter().filter(|entrance| self.needs(entrance));
        let enter = enter.map(|entrance| entrance.due).min();
        let can_begin = self.searches.len() < DHT_LOOKUPS_MAX && self.has_joined();
        let follow = self.followed.iter().map(|followed| followed.due).min();
        let nets = self.nets.iter().enumerate().filter(|(_, net)| !net.table.is_empty());
        let upkeep = nets.filter_map(|(at, net)| match net.joined {
            false if self.is_searching(at, Goal::Join) => None,
            false => Some(net.join_at),
            true if self.is_searching(at, Goal::Refresh) => None,
            true => Some(net.table.refresh_deadline()),
        });
        let follow = follow.filter(|_| can_begin);
        [open, slow, enter, follow, upkeep.min(), self.store.deadline()].into_iter().flatten().min()
    }

    /// 1. Who does not answer fails; but if nobody has answered since, it is we who are cut off.
    fn give_up(&mut self, now: Time) {
        while let Some(question) = self.open.front().copied() {
            if now.since(question.asked) < DHT_QUERY_TIMEOUT {
                return;
            }
            self.open.pop_front();
            let others_answer = self.last_answer.is_some_and(|at| at >= question.asked);
            if let Some(id) = question.id.filter(|_| others_answer) {
                let net = &mut self.nets[net_of(question.to)];
                net.table.on_failure(Contact { id, addr: question.to });
            }
            if let Purpose::Search(number) = question.purpose
                && let Some(search) = self.searches.iter_mut().find(|s| s.number == number)
            {
                search.lookup.on_failure(question.to);
            }
        }
    }

    /// 2. Entrances wait ever longer, for they may be gone for good.
    pub(super) fn enter_again(&mut self, now: Time, out: &mut Vec<Act>) {
        for at in 0..self.entrances.len() {
            let Entrance { addr, due, pause, .. } = self.entrances[at];
            if due > now || !self.needs(&self.entrances[at]) {
                continue;
            }
            self.entrances[at].due = now + pause;
            self.entrances[at].pause = pause.times(2).min(DHT_ENTER_AGAIN_MAX);
            self.acquaint(now, addr, None, out);
        }
    }

    /// The node at this address answered.
    pub(super) fn on_entered(&mut self, addr: SocketAddr) {
        let entrance = self.entrances.iter_mut().find(|entrance| entrance.addr == addr);
        if let Some(entrance) = entrance {
            entrance.reached = true;
            entrance.pause = DHT_ENTER_AGAIN_MIN;
        }
    }

    fn needs(&self, entrance: &Entrance) -> bool {
        !entrance.reached || self.nets[net_of(entrance.addr)].is_needy()
    }

    /// 3. Our neighbours know us best; who has found them has joined.
    fn join(&mut self, now: Time) {
        for net in 0..self.nets.len() {
            let is_due = !self.nets[net].joined && self.nets[net].join_at <= now;
            if is_due && !self.nets[net].table.is_empty() && !self.is_searching(net, Goal::Join) {
                self.search(now, net, self.id, Goal::Join);
            }
        }
    }

    /// A search for our neighbours or of a bucket is over.
    pub(super) fn on_joined(&mut self, now: Time, search: &Search) {
        if search.goal != Goal::Join {
            return;
        }
        let net = &mut self.nets[search.net];
        net.joined = search.outcome.answered > 0;
        if net.joined {
            net.table.on_joined();
        }
        net.join_pause = (net.join_pause + DHT_ENTER_AGAIN_MIN).min(DHT_ENTER_AGAIN_MAX);
        net.join_at = now + net.join_pause;
    }

    /// 4. One bucket and one doubtful node at a time.
    fn keep_fresh(&mut self, now: Time, out: &mut Vec<Act>) {
        for net in 0..self.nets.len() {
            let can_refresh = self.nets[net].joined && !self.is_searching(net, Goal::Refresh);
            if can_refresh
                && let Some(target) = self.nets[net].table.to_refresh(now, &mut self.random)
            {
                self.search(now, net, target, Goal::Refresh);
            }
            if let Some(doubtful) = self.nets[net].table.to_probe(now) {
                self.acquaint(now, doubtful.addr, Some(doubtful.id), out);
            }
        }
    }

    /// 5. As many as there is room for, those first that waited longest.
    fn begin_lookups(&mut self, now: Time, out: &mut Vec<Act>) {
        while self.searches.len() < DHT_LOOKUPS_MAX && self.has_joined() {
            let due = self.followed.iter_mut().filter(|followed| followed.due <= now);
            let Some(next) = due.min_by_key(|followed| followed.due) else { return };
            // By some chance sooner, so that the torrents of a node do not stay in step for ever.
            let jitter = self.random.below(60);
            let early = Span::from_secs(u64::try_from(jitter).expect("below sixty"));
            let whole = DHT_ANNOUNCE_EVERY.as_millis() - early.as_millis();
            next.due = now + Span::from_millis(whole);
            let Followed { info_hash, offer, .. } = *next;
            let goal = Goal::Peers { info_hash, offer };
            // What others told us is there at once.
            let ours = self.store.all(info_hash);
            if !ours.is_empty() {
                out.push(Act::Found { info_hash, peers: ours });
            }
            for net in 0..self.nets.len() {
                if self.nets[net].joined && !self.is_searching(net, goal) {
                    self.search(now, net, NodeId::of(info_hash), goal);
                }
            }
        }
    }

    /// A look-up of a torrent is over: one that found nobody is soon repeated.
    pub(super) fn reschedule(&mut self, now: Time, info_hash: InfoHash, outcome: &Outcome) {
        let mut others = self.searches.iter();
        let goes_on = others.any(|search| search.target_of() == Some(info_hash));
        let found = self.followed.iter().position(|followed| followed.info_hash == info_hash);
        let Some(place) = found else { return };
        let followed = &mut self.followed[place];
        if followed.once {
            if !goes_on {
                self.followed.remove(place);
            }
        } else if outcome.peers == 0 {
            followed.due = followed.due.min(now + followed.pause);
            followed.pause = followed.pause.times(2).min(DHT_ANNOUNCE_EVERY);
        } else {
            followed.pause = DHT_ANNOUNCE_AGAIN;
        }
    }

    /// A node tells us our address. If enough agree, and our id does not belong to it, we move.
    pub(super) fn on_vote(&mut self, now: Time, voter: IpAddr, said: IpAddr) {
        if place::is_local(voter) || place::is_local(said) {
            return;
        }
        self.votes.cast(voter, said);
        let Some(ip) = self.votes.elected() else { return };
        if !place::fits(self.id, ip) {
            let id = place::choose(Some(ip), &mut self.random);
            self.move_to(now, id);
        }
    }

    /// Takes another id: the nodes we know are sorted anew, and neighbours are looked for.
    pub(super) fn move_to(&mut self, now: Time, id: NodeId) {
        self.id = id;
        for net in &mut self.nets {
            let before = std::mem::replace(&mut net.table, Table::new(now, id));
            before.nodes().for_each(|node| net.table.take_over(now, *node));
            net.joined = false;
            net.join_at = now;
        }
        self.searches.retain(|search| search.goal != Goal::Join);
    }

    /// Whether look-ups may begin: a net that has somebody in it is joined first.
    fn has_joined(&self) -> bool {
        self.nets.iter().any(|net| net.joined && !net.table.is_empty())
    }

    fn is_searching(&self, net: usize, goal: Goal) -> bool {
        let same = |search: &Search| match (search.goal, goal) {
            (Goal::Peers { info_hash: a, .. }, Goal::Peers { info_hash: b, .. }) => a == b,
            (other, goal) => other == goal,
        };
        self.searches.iter().any(|search| search.net == net && same(search))
    }

    fn search(&mut self, now: Time, net: usize, target: NodeId, goal: Goal) {
        let ours = self.nets[net].table.nearest(now, target, DHT_BUCKET_NODES, false);
        let number = self.next_search;
        self.next_search = self.next_search.wrapping_add(1);
        self.searches.push(Search {
            number,
            net,
            lookup: Lookup::new(target, &ours),
            goal,
            outcome: Outcome::default(),
            filters: None,
        });
    }
}

impl Search {
    fn target_of(&self) -> Option<InfoHash> {
        match self.goal {
            Goal::Peers { info_hash, .. } => Some(info_hash),
            Goal::Join | Goal::Refresh => None,
        }
    }
}

impl super::node::Net {
    /// Whether it knows nobody who answers.
    fn is_needy(&self) -> bool {
        self.is_open && self.table.is_lonely()
    }
}
