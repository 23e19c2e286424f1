//! Magnet links: peers who know a torrent's info-hash and nothing else.

use swarmlet::base::{Span, TorrentId};
use swarmlet::lab::{Act, Action, Lab, Line, NodeId, Scenario, SourceId};
use swarmlet::wire::Message;
use swarmlet::wire::extended::{Extension, Hello, Metadata};

use crate::{over_seeds, tell};

const FILE: SourceId = SourceId(0);

/// A seed, and a peer that has a link with the seed's address.
fn pair(lab: &mut Lab, piece_bytes: u32, lens: &[u64]) {
    let file = lab.source("file", piece_bytes, lens);
    let seed = lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    lab.has_link_only(peer, file);
    lab.knows(peer, file, seed);
}

const SEED: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);

#[test]
fn a_link_and_one_address_are_enough() {
    let story = Scenario {
        who: |lab| pair(lab, 32 * 1024, &[300_000, 0, 200_000]),
        limit: Span::from_secs(30),
        ..Scenario::new("a_link_and_one_address_are_enough")
    };
    tell(&story, |lab| {
        assert_eq!(lab.record().count("peer", "event", "Learned"), 1);
        // What the seed said while nobody knew what it meant was heard again: no second call.
        assert_eq!(lab.record().count("peer", "dials", ""), 1);
    });
}

#[test]
fn metadata_of_many_pieces_comes_whole() {
    // Six thousand hashes are 120 kB, or eight pieces of metadata.
    let story = Scenario {
        who: |lab| pair(lab, 1024, &[6_000 * 1024]),
        limit: Span::from_secs(120),
        ..Scenario::new("metadata_of_many_pieces_comes_whole")
    };
    tell(&story, |lab| {
        let requests = lab.record().count("peer", "says", "8:msg_typei0e");
        assert_eq!(requests, 8, "each piece is asked once");
    });
}

#[test]
fn a_swarm_of_fifty_with_links_only_completes_from_one_seed() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 16 * 1024, &[160_000]);
            lab.tracker("tracker");
            lab.seed("seed", file);
            for n in 1..=50 {
                let peer = lab.peer(&format!("peer-{n}"), file);
                lab.has_link_only(peer, file);
            }
        },
        links: |lab| {
            for index in 0..52 {
                lab.net.set_line(NodeId(index), Line { up: Some(60_000), down: Some(240_000) });
            }
        },
        limit: Span::from_secs(400),
        ..Scenario::new("a_swarm_of_fifty_with_links_only_completes_from_one_seed")
    };
    tell(&story, |lab| {
        let learned: usize =
            (1..=50).map(|n| lab.record().count(&format!("peer-{n}"), "event", "Learned")).sum();
        assert_eq!(learned, 50);
        let by_seed = lab.record().count("seed", "says", "8:msg_typei1e");
        assert!(by_seed < 50, "those who have it pass it on; the seed gave it {by_seed} times");
    });
}

#[test]
fn who_learnt_what_a_link_means_need_not_ask_again_after_a_restart() {
    over_seeds("who_learnt_what_a_link_means_need_not_ask_again_after_a_restart", |seed| {
        let mut lab = Lab::new(seed);
        pair(&mut lab, 32 * 1024, &[2_000_000]);
        lab.net.set_line(SEED, Line { up: Some(100_000), down: None });
        lab.at(Span::from_secs(10), Action::Leave(PEER));
        lab.at(Span::from_secs(20), Action::Start(PEER));
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(100))?;
        assert_eq!(lab.record().count("peer", "says", "8:msg_typei0e"), 1);
        lab.verify()
    });
}

/// The first words of somebody who has metadata of this length, as it says.
fn hello(metadata_bytes: usize) -> Act {
    let ids = Extension::ALL.map(|extension| Some(extension.our_id()));
    let metadata_bytes = u32::try_from(metadata_bytes).ok();
    let mut payload = Vec::new();
    Hello { ids, metadata_bytes, ..Hello::default() }.write(&mut payload);
    Act::Say(Message::Extended { id: 0, payload })
}

fn data(piece: u32, bytes: &[u8]) -> Act {
    let mut payload = Vec::new();
    Metadata::Data { piece, total_bytes: None, bytes }.write(&mut payload);
    Act::Say(Message::Extended { id: Extension::Metadata.our_id(), payload })
}

/// A seed and a peer with a link; and somebody whom the peer calls first, who plays `acts` after
/// a greeting. `acts` are told what the metadata is.
fn with_liar(lab: &mut Lab, acts: impl Fn(&[u8]) -> Vec<Act>) -> NodeId {
    let file = lab.source("file", 32 * 1024, &[500_000]);
    let truth = lab.source_named(file).metainfo.metadata(0, usize::MAX);
    let script = [vec![Act::Greet], acts(&truth)].concat();
    let liar = lab.scripted("liar", file, script);
    let seed = lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    lab.has_link_only(peer, file);
    lab.knows(peer, file, liar);
    // The seed comes later.
    lab.knows(seed, file, peer);
    lab.starts_at(seed, Span::from_secs(5));
    peer
}

#[test]
fn row_65_wrong_metadata_is_thrown_away_and_a_single_liar_is_banned() {
    over_seeds("row_65_wrong_metadata_is_thrown_away_and_a_single_liar_is_banned", |seed| {
        let mut lab = Lab::new(seed);
        let peer = with_liar(&mut lab, |truth| {
            let mut lie = truth.to_vec();
            lie[3] ^= 1;
            vec![hello(lie.len()), Act::Await("extended"), Act::Await("extended"), data(0, &lie)]
        });
        lab.run_until(|lab| lab.has(peer, FILE), Span::from_secs(60))?;
        assert_eq!(lab.record().count("peer", "event", "Banned"), 1);
        lab.verify()
    });
}

#[test]
fn row_64_lies_about_the_length_and_the_pieces_cost_time_and_nothing_else() {
    /// What a liar does, told the truth.
    type Lie = fn(&[u8]) -> Vec<Act>;
    let table: [Lie; 6] = [
        // Lengths that nobody else says; it never answers.
        |_| vec![hello(8 * 1024 * 1024)],
        |_| vec![hello(1)],
        // The right length; a piece that nobody asked for, one byte short, one too long, silence.
        |truth| vec![hello(truth.len()), data(7, truth)],
        |truth| vec![hello(truth.len()), Act::Await("extended"), data(0, &truth[1..])],
        |truth| {
            let long = [truth, &[0; 16 * 1024]].concat();
            vec![hello(truth.len()), Act::Await("extended"), data(0, &long)]
        },
        |truth| {
            let reject = Metadata::Reject { piece: 0 };
            let mut payload = Vec::new();
            reject.write(&mut payload);
            let id = Extension::Metadata.our_id();
            vec![
                hello(truth.len()),
                Act::Await("extended"),
                Act::Await("extended"),
                Act::Say(Message::Extended { id, payload }),
            ]
        },
    ];
    for acts in table {
        over_seeds("row_64_lies_about_the_length", |seed| {
            let mut lab = Lab::new(seed);
            let peer = with_liar(&mut lab, acts);
            lab.run_until(|lab| lab.has(peer, FILE), Span::from_secs(120))?;
            assert_eq!(lab.record().count("peer", "event", "Banned"), 0);
            lab.verify()
        });
    }
}

#[test]
fn a_link_without_anybody_to_ask_waits_and_a_peer_that_comes_by_will_do() {
    over_seeds("a_link_without_anybody_to_ask_waits", |seed| {
        let mut lab = Lab::new(seed);
        let file = lab.source("file", 32 * 1024, &[200_000]);
        let peer = lab.peer("peer", file);
        lab.has_link_only(peer, file);
        lab.run_for(Span::from_secs(3600))?;
        let engine = lab.node_named(peer).engine().expect("it is on");
        assert_eq!(engine.prospects(), [TorrentId(1)]);
        assert_eq!(engine.deadline(), None, "it costs nothing meanwhile");
        let seed = lab.seed("seed", file);
        lab.knows(seed, file, peer);
        lab.run_until(|lab| lab.has(peer, file), Span::from_secs(30))?;
        lab.verify()
    });
}
