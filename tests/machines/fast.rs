//! Fast and extensions in one conversation: what each word changes, and what it may not.

use std::net::{Ipv4Addr, SocketAddr};

use swarmlet::base::limits::{
    ALLOWED_FAST_PIECES, BAD_REQUESTS_MAX, BLOCK_BYTES, FAST_PIECES_MAX, REQUESTS_IN_FLIGHT_MAX,
};
use swarmlet::base::{Bits, Block, Claim, InfoHash, PeerId, PieceIndex, Time};
use swarmlet::format::layout::Layout;
use swarmlet::peer::fast::allowed_fast_set;
use swarmlet::peer::{News, Session};
use swarmlet::wire::handshake::{EXTENSION_PROTOCOL, FAST};
use swarmlet::wire::{Handshake, Message, Violation};

const NOW: Time = Time::from_millis(5);

/// A hundred pieces of two blocks, of which we have all.
struct Bench {
    layout: Layout,
    ours: Bits,
    session: Session,
}

impl Bench {
    /// With a peer that speaks what we speak, or BEP 3 alone.
    fn new(speaks: bool) -> Bench {
        let layout = Layout::single(2 * BLOCK_BYTES, "file", 200 * u64::from(BLOCK_BYTES))
            .expect("a valid layout");
        let addr = SocketAddr::from(([127, 0, 0, 1], 6881));
        let peer_id = PeerId([1; 20]);
        let mut session = Session::new(Time::START, addr, peer_id, true, 100);
        let info_hash = InfoHash([7; 20]);
        let plain = Handshake::new(info_hash, peer_id);
        let theirs = if speaks { Handshake::ours(info_hash, peer_id) } else { plain };
        session.on_handshake(&theirs);
        Bench { layout, ours: Bits::all(100), session }
    }

    fn hear(&mut self, message: Message) -> Result<News, Violation> {
        let news = self.session.on_message(NOW, &self.layout, &self.ours, message);
        self.session.check();
        news
    }

    fn ask(&mut self, piece: u32) -> Block {
        let block = self.layout.block(claim(piece)).expect("in range");
        self.session.pipeline.on_asked(NOW, block);
        block
    }
}

fn claim(piece: u32) -> Claim {
    Claim { piece, begin: 0, len: BLOCK_BYTES }
}

fn pieces(numbers: &[u32]) -> Vec<PieceIndex> {
    numbers.iter().map(|&number| PieceIndex::checked(number)).collect()
}

#[test]
fn the_allowed_fast_sets_are_those_of_the_specification() {
    let info_hash = InfoHash([0xaa; 20]);
    let ip = Ipv4Addr::new(80, 4, 4, 200);
    let seven = pieces(&[1059, 431, 808, 1217, 287, 376, 1188]);
    let nine = pieces(&[1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
    assert_eq!(allowed_fast_set(7, 1313, info_hash, ip), seven);
    assert_eq!(allowed_fast_set(9, 1313, info_hash, ip), nine);
    // Neighbours in the same network get the same.
    assert_eq!(allowed_fast_set(9, 1313, info_hash, Ipv4Addr::new(80, 4, 4, 1)), nine);
    assert_ne!(allowed_fast_set(9, 1313, info_hash, Ipv4Addr::new(80, 4, 5, 200)), nine);
    // A torrent with fewer pieces ends all the same.
    let mut few = allowed_fast_set(9, 3, info_hash, ip);
    few.sort_unstable();
    assert_eq!(few, pieces(&[0, 1, 2]));
    assert_eq!(allowed_fast_set(9, 0, info_hash, ip), []);
}

#[test]
fn we_say_that_we_speak_both_and_nothing_else() {
    let ours = Handshake::ours(InfoHash([7; 20]), PeerId([1; 20]));
    assert!(ours.has(FAST) && ours.has(EXTENSION_PROTOCOL));
    assert_eq!(ours.reserved, [0, 0, 0, 0, 0, 0x10, 0, 0x04]);
}

#[test]
fn have_all_and_have_none_stand_for_a_bitfield() {
    let mut bench = Bench::new(true);
    assert_eq!(bench.hear(Message::HaveNone), Ok(News::HasNone));
    let before = Bits::none(100);
    assert_eq!(bench.hear(Message::HaveAll), Ok(News::HasMore { before }));
    assert!(bench.session.is_seed());
    assert_eq!(bench.hear(Message::HaveAll), Ok(News::Nothing), "counted once");
    assert_eq!(bench.hear(Message::HaveNone), Ok(News::Nothing), "takes nothing back");
    assert!(bench.session.is_seed());
}

#[test]
fn who_did_not_say_that_it_speaks_fast_is_not_heard_in_it() {
    let mut bench = Bench::new(false);
    let block = bench.ask(3);
    let words = [
        Message::HaveNone,
        Message::HaveAll,
        Message::Suggest(3),
        Message::AllowedFast(3),
        Message::Reject(claim(3)),
        Message::Extended { id: 0, payload: b"d4:reqqi1ee".to_vec() },
    ];
    for word in words {
        assert_eq!(bench.hear(word.clone()), Ok(News::Nothing), "{word:?}");
    }
    assert!(bench.session.have.is_none() && bench.session.pipeline.has(block));
}

#[test]
fn a_request_that_is_not_served_is_refused_and_still_has_a_budget() {
    let mut bench = Bench::new(true);
    let good = claim(1);
    assert_eq!(bench.hear(Message::Request(good)), Ok(News::Refused(good)), "we choke them");
    let bad = Claim { piece: 100, begin: 0, len: 1 };
    for _ in 0..BAD_REQUESTS_MAX {
        assert_eq!(bench.hear(Message::Request(bad)), Ok(News::Refused(bad)));
    }
    assert_eq!(bench.hear(Message::Request(bad)), Err(Violation::TooManyBadRequests));
}

#[test]
fn a_reject_frees_the_block_that_it_names_and_no_other() {
    let mut bench = Bench::new(true);
    let (three, four) = (bench.ask(3), bench.ask(4));
    assert_eq!(bench.hear(Message::Reject(claim(5))), Ok(News::Nothing), "never asked");
    assert_eq!(bench.hear(Message::Reject(claim(100))), Ok(News::Nothing), "no such piece");
    assert_eq!(bench.hear(Message::Reject(claim(3))), Ok(News::Rejected(three)));
    assert_eq!(bench.hear(Message::Reject(claim(3))), Ok(News::Nothing), "once");
    assert_eq!(bench.session.pipeline.blocks().collect::<Vec<_>>(), [four]);
}

#[test]
fn a_reject_of_what_we_took_back_does_not_hit_what_we_asked_again() {
    let mut bench = Bench::new(true);
    let block = bench.ask(3);
    assert!(bench.session.pipeline.take_back(block));
    bench.ask(3);
    // The answer to the first request, and the answer to the second.
    assert_eq!(bench.hear(Message::Reject(claim(3))), Ok(News::Nothing));
    assert!(bench.session.pipeline.has(block));
    assert_eq!(bench.hear(Message::Reject(claim(3))), Ok(News::Rejected(block)));
}

#[test]
fn what_is_allowed_or_suggested_is_kept_within_bounds_and_bad_advice_is_no_crime() {
    let mut bench = Bench::new(true);
    assert_eq!(bench.hear(Message::AllowedFast(100)), Ok(News::Nothing));
    assert_eq!(bench.hear(Message::Suggest(u32::MAX)), Ok(News::Nothing));
    for piece in 0..100 {
        assert_eq!(bench.hear(Message::AllowedFast(piece)), Ok(News::Offered));
        assert_eq!(bench.hear(Message::Suggest(piece)), Ok(News::Offered));
    }
    let fast = bench.session.fast.as_mut().expect("they speak it");
    let latest: Vec<u32> = (100 - FAST_PIECES_MAX as u32..100).collect();
    assert_eq!(fast.allowed(), pieces(&latest));
    assert_eq!(fast.take_suggested(), pieces(&latest));
    assert!(bench.session.have.is_none(), "advice says nothing of what they have");
}

#[test]
fn a_grant_is_served_while_choked_twice_over_and_to_newcomers_only() {
    let mut bench = Bench::new(true);
    let fast = bench.session.fast.as_mut().expect("they speak it");
    fast.grant(&bench.layout, pieces(&[8, 9]));
    // Two pieces of two blocks, each block twice.
    for _ in 0..8 {
        assert!(matches!(bench.hear(Message::Request(claim(8))), Ok(News::Wants(_))));
    }
    assert_eq!(bench.hear(Message::Request(claim(8))), Ok(News::Refused(claim(8))));
    assert_eq!(bench.hear(Message::Request(claim(7))), Ok(News::Refused(claim(7))));

    let mut bench = Bench::new(true);
    let fast = bench.session.fast.as_mut().expect("they speak it");
    fast.grant(&bench.layout, pieces(&[8]));
    for piece in 0..=ALLOWED_FAST_PIECES {
        assert!(matches!(bench.hear(Message::Have(piece)), Ok(News::Has(_))));
    }
    assert_eq!(bench.hear(Message::Request(claim(8))), Ok(News::Refused(claim(8))));
}

#[test]
fn their_queue_bounds_our_requests() {
    let hello = |reqq: &str| Message::Extended { id: 0, payload: format!("d{reqq}e").into_bytes() };
    // What they say, and how many requests may be out when the line could take any number.
    let table = [
        ("4:reqqi3e", 3),
        ("4:reqqi1e", 1),
        ("4:reqqi0e", REQUESTS_IN_FLIGHT_MAX),
        ("4:reqqi-5e", REQUESTS_IN_FLIGHT_MAX),
        ("4:reqqi4294967295e", REQUESTS_IN_FLIGHT_MAX),
        ("4:reqqi9223372036854775807e", REQUESTS_IN_FLIGHT_MAX),
        ("", REQUESTS_IN_FLIGHT_MAX),
    ];
    for (said, expected) in table {
        let mut bench = Bench::new(true);
        assert_eq!(bench.hear(hello(said)), Ok(News::Hello));
        // Blocks that come at once make the pipeline as deep as it may be.
        for _ in 0..2 * REQUESTS_IN_FLIGHT_MAX {
            let block = bench.ask(1);
            bench.session.pipeline.on_block(NOW, block);
        }
        assert_eq!(bench.session.pipeline.room(), expected as usize, "{said}");
    }
}

#[test]
fn a_hello_may_come_again_and_changes_only_what_it_says() {
    let mut bench = Bench::new(true);
    let hello = |text: &str| Message::Extended { id: 0, payload: text.as_bytes().to_vec() };
    assert_eq!(bench.hear(hello("d1:md6:ut_pexi9ee1:pi80e1:v1:xe")), Ok(News::Hello));
    assert_eq!(bench.hear(hello("d1:md11:ut_metadatai3ee11:upload_onlyi1ee")), Ok(News::Hello));
    let said = bench.session.extensions.as_ref().expect("they speak it").said().clone();
    assert_eq!(said.ids, [Some(9), Some(3), None, None]);
    assert_eq!(
        (said.port, said.client.as_deref(), said.upload_only),
        (Some(80), Some("x"), Some(true))
    );
    assert!(bench.session.is_upload_only() && !bench.session.is_seed());
    // Switched off, and taken back by the message for that.
    assert_eq!(bench.hear(hello("d1:md6:ut_pexi0eee")), Ok(News::Hello));
    assert_eq!(bench.hear(Message::Extended { id: 3, payload: vec![0] }), Ok(News::Hello));
    let extensions = bench.session.extensions.as_ref().expect("they speak it");
    assert_eq!(extensions.id_of(swarmlet::wire::extended::Extension::Pex), None);
    assert!(!bench.session.is_upload_only());
    assert_eq!(bench.hear(hello("le")), Ok(News::Nothing), "no crime either");
}

#[test]
fn a_piece_that_is_gone_is_had_no_more_but_a_seed_relapses_only_so_often() {
    let mut bench = Bench::new(true);
    let gone = |piece: u32| Message::Extended { id: 4, payload: piece.to_be_bytes().to_vec() };
    let seven = bench.layout.piece(7).expect("in range");
    assert_eq!(bench.hear(gone(7)), Ok(News::Nothing), "never had");
    assert_eq!(bench.hear(gone(100)), Ok(News::Nothing), "no such piece");
    assert!(matches!(bench.hear(Message::HaveAll), Ok(News::HasMore { .. })));
    for _ in 0..8 {
        assert_eq!(bench.hear(gone(7)), Ok(News::Lost(seven)));
        assert_eq!(bench.hear(Message::Have(7)), Ok(News::Has(seven)));
    }
    assert_eq!(bench.hear(gone(7)), Ok(News::Nothing));
}
