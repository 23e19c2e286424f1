//! Scenarios: the experiments by name, with what to look at in each.

use super::Action;
use super::experiment::{Experiment, Setup, Stage};
use super::net::Line;
use super::report::Bound;
use super::schedule::{Arrive, Leave, Schedule};
use super::scripted::Serving;
use crate::base::Span;

/// Someone who wants to give nothing still needs a line for requests and `have`s.
const FREE_RIDER_UP: u64 = 8 * 1024;

/// All of them, the plain one first.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "swarm",
        summary: "equal peers, all at once, and a seed",
        look: "\
Every peer has the same line and all of them start in the same moment. A swarm is good if the
last peer is done soon after the lower bound, and if the peers give about as much as they
take: their least and their most should not be far from 1. Try --peers 50 against --peers 5:
who asks a seed alone waits five times as long for five times as many; a swarm hardly notices.
Where does the rest above the bound go? The first pieces have to cross the swarm before anybody
can trade. Towards the end of the first copy the seed sends some pieces again (it gave more than
1.00 files), because several peers ask it for the same last ones. And at the very end few lack
anything, while most lines have nothing left to carry. All three are a few pieces long: the
larger the file and the smaller its pieces (--size, --piece-length), the nearer the bound.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
        },
    },
    Experiment {
        name: "flash-crowd",
        summary: "slow, usual and fast peers rush in and leave when they are done",
        look: "\
All come within ten seconds: a third of them with a quarter of the line (slow), a third with
the whole line (usual), a third with four times as much (fast). Everybody leaves as soon as
the file is whole. Look at the three rows: tit for tat lets those finish early who give much,
and yet the slow ones must not starve after the fast ones have left. The seed stays.",
        cast: flash_crowd,
    },
    Experiment {
        name: "free-riders",
        summary: "a third of the peers give next to nothing",
        look: "\
Free-riders take as fast as they can and upload 8 KiB/s, just enough to ask. Compare the
medians of the two rows: whoever gives gets a place with those who give, so the peers should
be done well before the free-riders, who live on optimistic unchokes and on the seed. The more
seeds (--seeds 5), the less it costs to give nothing.",
        cast: |setup, stage| {
            let riders = (setup.peers / 3).max(1).min(setup.peers);
            let line = Line { up: Some(FREE_RIDER_UP), ..setup.line };
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers - riders, setup.line);
            stage.peers("free-riders", riders, line);
        },
    },
    Experiment {
        name: "last-block",
        summary: "some who seem to have everything fall silent in the middle of a block",
        look: "\
A tenth of those who claim to be seeds send the first 5,000 bytes of a block to whoever asks
and never say a word again. What was asked of them hangs until it is given up. Look at how
much later the last peer is done than the median: the end game asks several peers for the last
blocks, so one silent peer must not hold up the end. What that costs stands under traffic, as
blocks that came twice.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            stage.tricksters("silent", setup, Serving::Stops(5_000));
        },
    },
    Experiment {
        name: "slow-seed",
        summary: "the seed has a quarter of everybody's upload",
        look: "\
The seed is the bottleneck: nobody can be done before it has given every byte once. Look at
how often it gives the file: 1.00 would be perfect, with every further copy made by the peers
among themselves. Rarest first is what keeps it near 1, for each peer asks the seed for what
others do not have yet. Look at who gives, too: only those whom the seed serves at the moment
have what the rest lacks, so nearly everything goes through them.",
        cast: |setup, stage| {
            let quarter = |rate: Option<u64>| rate.map(|rate| (rate / 4).max(1));
            stage.seeds(setup, Line { up: quarter(setup.line.up), ..setup.line });
            stage.peers("peers", setup.peers, setup.line);
        },
    },
    Experiment {
        name: "super-seed",
        summary: "the same slow seed shows each peer one piece after the other",
        look: "\
As slow-seed, but the seed says that it has nothing and shows each peer the rarest piece, and
the next when somebody has that one from it (BEP 16, share --super-seed). Compare how often
the seed gives the file: hardly a piece should leave it twice. It helps the seed, and with it
those who wait for the first copy; the price is that its line may rest while pieces are passed
on. Try --peers 3, where there are few to pass anything on to.",
        cast: |setup, stage| {
            let quarter = |rate: Option<u64>| rate.map(|rate| (rate / 4).max(1));
            stage.seeds(setup, Line { up: quarter(setup.line.up), ..setup.line });
            stage.super_seed();
            stage.peers("peers", setup.peers, setup.line);
        },
    },
    Experiment {
        name: "partition",
        summary: "half of the peers are cut off for a while",
        look: "\
After a quarter of the lower bound the network falls apart: seeds, tracker and one half of the
peers here, the other half alone on an island. After one and a half bounds it heals. On the
island they exchange what they have and then stand still; when it is over, connections that
survived must go on at once. Look at the two medians: the islanders should be done not much
later than half a bound after the healing.",
        cast: partition,
    },
    Experiment {
        name: "churn",
        summary: "peers vanish without a farewell and come back later",
        look: "\
Each peer stays for half a lower bound on average, then its program is killed. Half of that
later it is back with what is on its disk, which it hashes before it believes it. Look at the
picture: a white gap is an absence, and behind it a peer must go on where it was, but for the
pieces that it had not finished; those stand under traffic as sent in vain. Compare the last
peer with --churn 0 (nobody vanishes), and with --seeds 3.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            let bound = Bound::of(setup.bytes, &stage.members).span().as_millis();
            stage.schedule.churn = Some(Span::from_millis((bound / 2).max(1)));
        },
    },
    Experiment {
        name: "trickle",
        summary: "peers come one by one and leave when they are done",
        look: "\
Every now and then somebody comes (Poisson, a tenth of a lower bound apart on average), gets the
file and goes. Look at the picture: the staircase to the left are the arrivals, and the bands
should be equally long from the first peer to the last, for whoever comes brings a line with
it. Look at the seed's bar, too: with peers who leave at once it has to give much more than
one copy. Compare --leave never.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            let bound = Bound::of(setup.bytes, &stage.members).span().as_millis();
            let apart = Span::from_millis((bound / 10).max(1));
            let arrive = Arrive::Poisson(apart);
            stage.schedule = Schedule { arrive, leave: Leave::Done, churn: None };
        },
    },
    Experiment {
        name: "poison",
        summary: "some of those who seem to have everything send spoilt blocks",
        look: "\
A tenth as many poisoners as peers claim to be seeds and change one byte of every block that
they serve. No spoilt byte may survive: every piece is hashed, one that fails is fetched again
from one peer alone, and who is proved to have lied is banned. Look at trouble (pieces failed,
peers banned) and at what of the traffic was in vain: a peer should pay for each poisoner
once.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            stage.tricksters("poisoners", setup, Serving::Corrupt);
        },
    },
];

fn flash_crowd(setup: &Setup, stage: &mut Stage) {
    const RUSH: Span = Span::from_secs(10);
    let times =
        |rate: Option<u64>, times: u64, of: u64| rate.map(|rate| (rate * times / of).max(1));
    let scaled =
        |n, of| Line { up: times(setup.line.up, n, of), down: times(setup.line.down, n, of) };
    let (slow, usual) = (setup.peers / 3, setup.peers.div_ceil(3));
    stage.seeds(setup, setup.line);
    let classes = [
        ("slow", slow, scaled(1, 4)),
        ("usual", usual, setup.line),
        ("fast", setup.peers - slow - usual, scaled(4, 1)),
    ];
    for (group, count, line) in classes {
        stage.peers(group, count, line);
    }
    stage.schedule = Schedule { arrive: Arrive::Rush(RUSH), leave: Leave::Done, churn: None };
}

fn partition(setup: &Setup, stage: &mut Stage) {
    stage.seeds(setup, setup.line);
    stage.peers("mainland", setup.peers - setup.peers / 2, setup.line);
    let island = stage.peers("island", setup.peers / 2, setup.line);
    let bound = Bound::of(setup.bytes, &stage.members).span().as_millis();
    let (apart, healed) = (Span::from_millis(bound / 4), Span::from_millis(bound + bound / 2));
    stage.lab.at(apart, Action::Partition(island));
    stage.mark(apart, "cut off");
    stage.lab.at(healed, Action::Heal);
    stage.mark(healed, "healed");
}
