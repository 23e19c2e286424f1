//! Session: what each message means, and which ones break a rule.

use std::net::SocketAddr;

use swarmlet::base::limits::{BAD_REQUESTS_MAX, BLOCK_BYTES, REQUESTS_QUEUED_MAX, WASTE_BYTES_MAX};
use swarmlet::base::{Bits, Claim, PeerId, Time};
use swarmlet::format::layout::Layout;
use swarmlet::peer::{News, Session};
use swarmlet::wire::{Message, Violation};

const NOW: Time = Time::from_millis(5);

/// Ten pieces of two blocks; we have the first five.
struct Bench {
    layout: Layout,
    ours: Bits,
    session: Session,
}

impl Bench {
    fn new() -> Bench {
        let layout = Layout::single(2 * BLOCK_BYTES, "file", 20 * u64::from(BLOCK_BYTES))
            .expect("a valid layout");
        let mut ours = Bits::none(10);
        layout.pieces().take(5).for_each(|piece| assert!(ours.set(piece)));
        let addr = SocketAddr::from(([127, 0, 0, 1], 6881));
        let session = Session::new(Time::START, addr, PeerId([1; 20]), true, 10);
        Bench { layout, ours, session }
    }

    fn hear(&mut self, message: Message) -> Result<News, Violation> {
        let news = self.session.on_message(NOW, &self.layout, &self.ours, message);
        self.session.check();
        news
    }

    fn unchoke(&mut self) {
        self.session.us.choking = false;
        self.session.unchoked_at = Some(NOW);
    }
}

fn claim(piece: u32, begin: u32, len: u32) -> Claim {
    Claim { piece, begin, len }
}

#[test]
fn stances_change_once_and_saying_it_again_is_no_news() {
    let table = [
        (Message::Unchoke, News::Unchoked),
        (Message::Unchoke, News::Nothing),
        (Message::Choke, News::Choked),
        (Message::Choke, News::Nothing),
        (Message::Interested, News::Interested),
        (Message::Interested, News::Nothing),
        (Message::NotInterested, News::NotInterested),
        (Message::NotInterested, News::Nothing),
        (Message::KeepAlive, News::Nothing),
        (Message::Port(6881), News::Nothing),
        (Message::Unknown(77), News::Nothing),
    ];
    let mut bench = Bench::new();
    for (message, news) in table {
        assert_eq!(bench.hear(message.clone()), Ok(news), "{message:?}");
    }
    assert_eq!(bench.session.last_heard, NOW);
}

#[test]
fn have_and_bitfield_tell_what_they_have() {
    let mut bench = Bench::new();
    let nine = bench.layout.piece(9).expect("a piece");
    assert_eq!(bench.hear(Message::Have(9)), Ok(News::Has(nine)));
    assert_eq!(bench.hear(Message::Have(9)), Ok(News::Nothing));
    assert_eq!(bench.hear(Message::Have(10)), Err(Violation::BadHave { piece: 10 }));
    assert_eq!(bench.hear(Message::Have(u32::MAX)), Err(Violation::BadHave { piece: u32::MAX }));
    // Late, but the first: what was known before is handed back, so that it can be recounted.
    let mut before = Bits::none(10);
    before.set(nine);
    assert_eq!(bench.hear(Message::Bitfield(vec![0xff, 0xc0])), Ok(News::HasMore { before }));
    assert!(bench.session.is_seed());
    // Again, as aria2 does where one bitfield is shorter than many haves: it takes nothing back.
    let again = bench.hear(Message::Bitfield(vec![0x80, 0]));
    assert_eq!(again, Ok(News::Nothing));
    assert!(bench.session.is_seed());
}

#[test]
fn a_bitfield_of_the_wrong_length_or_with_spare_bits_is_refused() {
    for bytes in [vec![], vec![0xff], vec![0xff, 0xc0, 0], vec![0, 0x20], vec![0xff, 0xff]] {
        let mut bench = Bench::new();
        let heard = bench.hear(Message::Bitfield(bytes.clone()));
        assert_eq!(heard, Err(Violation::BadBitfield), "{bytes:?}");
    }
}

#[test]
fn requests_are_answered_only_in_range_of_what_we_have_and_while_unchoked() {
    let mut bench = Bench::new();
    let good = claim(4, BLOCK_BYTES, BLOCK_BYTES);
    assert_eq!(bench.hear(Message::Request(good)), Ok(News::WantsInVain), "choked");
    bench.unchoke();
    let block = bench.layout.block(good).expect("in range");
    assert_eq!(bench.hear(Message::Request(good)), Ok(News::Wants(block)));
    assert_eq!(bench.hear(Message::Cancel(good)), Ok(News::Cancels(block)));
    let bad = [
        claim(5, 0, BLOCK_BYTES),  // a piece that we lack
        claim(10, 0, BLOCK_BYTES), // a piece that nobody has
        claim(u32::MAX, 0, 1),
        claim(0, 0, 0),
        claim(0, 0, 131_073),
        claim(0, 0xffff_c000, 0x4000), // begin and length wrap around 2^32
        claim(0, 2 * BLOCK_BYTES - 1, 2), // one byte over the end
    ];
    for claim in bad {
        assert_eq!(bench.hear(Message::Request(claim)), Ok(News::WantsInVain), "{claim:?}");
        assert!(matches!(bench.hear(Message::Cancel(claim)), Ok(News::Nothing | News::Cancels(_))));
    }
}

#[test]
fn bad_requests_have_a_budget() {
    let mut bench = Bench::new();
    bench.unchoke();
    let bad = Message::Request(claim(99, 0, 1));
    for _ in 0..BAD_REQUESTS_MAX {
        assert_eq!(bench.hear(bad.clone()), Ok(News::WantsInVain));
    }
    assert_eq!(bench.hear(bad), Err(Violation::TooManyBadRequests));
}

#[test]
fn a_peer_that_asks_without_reading_is_refused_at_the_bound() {
    let mut bench = Bench::new();
    bench.unchoke();
    let good = Message::Request(claim(0, 0, BLOCK_BYTES));
    for _ in 0..REQUESTS_QUEUED_MAX {
        assert!(matches!(bench.hear(good.clone()), Ok(News::Wants(_))));
    }
    assert_eq!(bench.hear(good), Err(Violation::TooManyRequests));
}

#[test]
fn cancels_of_what_is_not_queued_do_not_stretch_the_bound() {
    let mut bench = Bench::new();
    bench.unchoke();
    let asked = claim(0, 0, BLOCK_BYTES);
    for _ in 0..REQUESTS_QUEUED_MAX {
        assert!(matches!(bench.hear(Message::Request(asked)), Ok(News::Wants(_))));
        let other = claim(1, 0, BLOCK_BYTES);
        assert_eq!(bench.hear(Message::Cancel(other)), Ok(News::Nothing));
    }
    assert_eq!(bench.hear(Message::Request(asked)), Err(Violation::TooManyRequests));
}

#[test]
fn the_queue_is_the_links_whatever_is_cancelled_when() {
    let mut bench = Bench::new();
    bench.unchoke();
    let mut link = swarmlet::wire::Link::new();
    let [a, b] = [claim(0, 0, BLOCK_BYTES), claim(1, 0, BLOCK_BYTES)];
    let block_bytes = 13 + BLOCK_BYTES as usize;
    // Asked, cancelled, or so many bytes leave.
    enum Step {
        Ask(Claim),
        Cancel(Claim),
        Leave(usize),
    }
    use Step::{Ask, Cancel, Leave};
    let table = [
        (Ask(a), 1, 1),
        (Leave(1), 1, 1),
        // It has begun: the link keeps it.
        (Cancel(a), 1, 0),
        (Ask(b), 2, 1),
        (Ask(a), 3, 2),
        (Ask(b), 4, 3),
        // Twice queued: the later one goes.
        (Cancel(b), 3, 2),
        (Leave(block_bytes), 2, 2),
        (Cancel(a), 1, 1),
        (Cancel(a), 1, 1),
        (Leave(block_bytes - 1), 0, 0),
    ];
    for (number, (step, in_link, waiting)) in table.into_iter().enumerate() {
        match step {
            Ask(claim) => {
                let Ok(News::Wants(block)) = bench.hear(Message::Request(claim)) else { panic!() };
                link.send_block(block);
            }
            Cancel(claim) => {
                if let Ok(News::Cancels(block)) = bench.hear(Message::Cancel(claim)) {
                    link.cancel(block);
                }
            }
            Leave(bytes) => {
                let payload = link.sent(bytes);
                bench.session.on_sent(NOW, payload, link.waiting());
            }
        }
        let counted = (link.waiting(), bench.session.waiting());
        assert_eq!(counted, (in_link, waiting), "step {number}");
    }
}

#[test]
fn requests_while_choked_are_ignored_up_to_a_pipeline_full() {
    let mut bench = Bench::new();
    let good = Message::Request(claim(0, 0, BLOCK_BYTES));
    for _ in 0..REQUESTS_QUEUED_MAX {
        assert_eq!(bench.hear(good.clone()), Ok(News::WantsInVain));
    }
    assert_eq!(bench.hear(good), Err(Violation::TooManyBadRequests));
}

#[test]
fn unasked_payload_has_a_budget_and_late_payload_has_not() {
    let mut bench = Bench::new();
    let waste = WASTE_BYTES_MAX;
    assert_eq!(bench.session.on_waste(NOW, 100 * waste, false), Ok(()));
    assert_eq!(bench.session.on_waste(NOW, waste, true), Ok(()));
    assert_eq!(bench.session.on_waste(NOW, 1, true), Err(Violation::TooMuchWaste));
    // Whoever gave much may err a little more.
    bench.session.on_payload(NOW, 1000);
    assert_eq!(bench.session.on_waste(NOW, 9, true), Ok(()));
}
