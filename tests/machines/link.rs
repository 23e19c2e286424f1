//! The link: streams cut anywhere are heard the same, and what is queued leaves whole.

use swarmlet::base::{Block, Claim, InfoHash, PeerId};
use swarmlet::format::layout::Layout;
use swarmlet::wire::link::Segment;
use swarmlet::wire::message::Message::{Choke, Have, Interested, KeepAlive, Unchoke};
use swarmlet::wire::{Frame, Handshake, Link, Message, Violation};

#[path = "../dump/mod.rs"]
mod dump;

use dump::{Dump, Ear, hex};

// ── Reading ─────────────────────────────────────────────────────────────────────────────────

/// Feeds the dump in these portions; what was heard, and the violation as text.
fn hear(dump: &Dump, portions: &[&[u8]]) -> (Vec<String>, Option<String>) {
    let (mut link, mut ear) = (Link::new(), Ear::default());
    for portion in portions {
        if let Err(violation) = ear.feed(&mut link, dump.piece_count, portion) {
            return (ear.frames, Some(violation.to_string()));
        }
    }
    (ear.frames, None)
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for dump in dump::all() {
        let expected = (dump.frames.clone(), dump.violation.clone());
        for cut in 0..=dump.bytes.len() {
            let (front, back) = dump.bytes.split_at(cut);
            assert_eq!(hear(&dump, &[front, back]), expected, "{} cut at {cut}", dump.name);
        }
    }
}

#[test]
fn two_cuts_anywhere_change_nothing() {
    let dumps = dump::all();
    let dump = dumps.iter().find(|dump| dump.name == "good-seed.hex").expect("it is there");
    let expected = (dump.frames.clone(), None);
    for first in 0..=dump.bytes.len() {
        for second in first..=dump.bytes.len() {
            let (a, b, c) =
                (&dump.bytes[..first], &dump.bytes[first..second], &dump.bytes[second..]);
            assert_eq!(hear(dump, &[a, b, c]), expected, "cut at {first} and {second}");
        }
    }
}

#[test]
fn portions_of_any_size_change_nothing() {
    for dump in dump::all() {
        let expected = (dump.frames.clone(), dump.violation.clone());
        for size in 1..=dump.bytes.len() {
            let portions: Vec<&[u8]> = dump.bytes.chunks(size).collect();
            assert_eq!(hear(&dump, &portions), expected, "{} by {size}", dump.name);
        }
    }
}

#[test]
fn every_truncation_is_a_beginning_and_never_a_violation() {
    for dump in dump::all().iter().filter(|dump| dump.violation.is_none()) {
        for len in 0..dump.bytes.len() {
            let (frames, violation) = hear(dump, &[&dump.bytes[..len]]);
            assert_eq!(violation, None, "{} of {len} bytes", dump.name);
            let Some((last, whole)) = frames.split_last() else { continue };
            assert_eq!(whole, &dump.frames[..whole.len()]);
            // The last one may be a block of which a part came.
            assert!(dump.frames[whole.len()].starts_with(last), "{last:?} of {len} bytes");
        }
    }
}

fn shaken_hands() -> Link {
    let mut link = Link::new();
    let mut bytes = Vec::new();
    Handshake::new(InfoHash([1; 20]), PeerId([2; 20])).write(&mut bytes);
    let mut input = bytes.as_slice();
    assert!(matches!(link.feed(&mut input), Ok(Some(Frame::Handshake(_)))));
    link
}

#[test]
fn the_parts_of_a_block_are_slices_of_the_input() {
    let mut link = shaken_hands();
    let bytes = hex("0000000e 07 00000001 00000002 a0a1a2a3 a4 00000000");
    let block = Claim { piece: 1, begin: 2, len: 5 };
    let mut input = &bytes[..15];
    let part = Frame::Payload { block, from: 0, bytes: &bytes[13..15] };
    assert_eq!(link.feed(&mut input), Ok(Some(part)));
    assert_eq!(link.feed(&mut input), Ok(None));
    let mut input = &bytes[15..];
    let part = Frame::Payload { block, from: 2, bytes: &bytes[15..18] };
    assert_eq!(link.feed(&mut input), Ok(Some(part)));
    assert_eq!(input.len(), 4, "the next message was not touched");
    assert_eq!(link.feed(&mut input), Ok(Some(Frame::Message(KeepAlive))));
}

#[test]
fn payload_and_unknown_messages_are_never_kept() {
    // A head, and how many bytes of payload its length announces.
    for (head, payload) in
        [("00020009 07 00000000 00000000", 0x2_0000), ("00010000 63", 0xffff_usize)]
    {
        let mut link = shaken_hands();
        let mut ear = Ear::default();
        ear.feed(&mut link, None, &hex(head)).expect("a good head");
        for _ in 0..payload {
            ear.feed(&mut link, None, &[0x55]).expect("payload");
            assert!(link.memory_bytes() <= 68, "{} bytes held", link.memory_bytes());
        }
        ear.feed(&mut link, None, &hex("00000001 01")).expect("the next message");
        assert_eq!(ear.frames.last().map(String::as_str), Some("unchoke"));
    }
}

#[test]
fn leftovers_grow_with_what_came_and_are_given_back() {
    let mut link = shaken_hands();
    let mut ear = Ear::default();
    // 256 KiB of bitfield are announced, and come a hundred bytes at a time.
    ear.feed(&mut link, None, &hex("00040001 05")).expect("as long as may be");
    assert!(link.memory_bytes() <= 68, "nothing is allocated by claim");
    let payload = vec![0xff; 256 * 1024];
    for (count, portion) in payload.chunks(100).enumerate() {
        assert!(link.memory_bytes() <= 68.max(2 * 100 * count), "more than twice what came");
        ear.feed(&mut link, None, portion).expect("a bitfield");
    }
    assert_eq!(ear.frames.len(), 1);
    assert!(link.memory_bytes() <= 68, "given back once it was read");
}

#[test]
fn the_size_of_a_bitfield_is_exact_once_the_pieces_are_known() {
    let bitfield = hex("00000003 05 ffc0");
    // Pieces, and whether two bytes are right for them.
    let table =
        [(None, true), (Some(8), false), (Some(9), true), (Some(16), true), (Some(17), false)];
    for (piece_count, fits) in table {
        let mut link = shaken_hands();
        if let Some(count) = piece_count {
            link.expect_pieces(count);
        }
        let mut input = bitfield.as_slice();
        let expected = if fits {
            Ok(Some(Frame::Message(Message::Bitfield(vec![0xff, 0xc0]))))
        } else {
            Err(Violation::BadLength { id: 5, len: 3 })
        };
        assert_eq!(link.feed(&mut input), expected, "{piece_count:?} pieces");
    }
}

// ── Sending ─────────────────────────────────────────────────────────────────────────────────

/// Pieces of 64 bytes; block `number` is its first eight bytes in piece `number`.
fn block(number: u32) -> Block {
    let layout = Layout::single(64, "test", 64 * 100).expect("a good layout");
    layout.block(Claim { piece: number, begin: 0, len: 8 }).expect("inside the torrent")
}

/// What the driver would read from disk: byte `n` of block `b` is `8 b + n`.
fn payload_of(block: Block, at: u32) -> u8 {
    u8::try_from(block.piece().get() * 8 + at).expect("a small block")
}

/// What would leave, if the socket took all.
fn pending(link: &Link) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in link.segments() {
        match segment {
            Segment::Bytes(words) => bytes.extend_from_slice(words),
            Segment::Block { head, block, rest } => {
                bytes.extend_from_slice(head);
                bytes.extend(rest.map(|at| payload_of(block, at)));
            }
        }
    }
    bytes
}

/// Lets `count` bytes leave and returns them, and how many were payload.
fn send_out(link: &mut Link, count: usize) -> (Vec<u8>, u64) {
    let bytes = pending(link)[..count].to_vec();
    let payload = link.sent(count);
    link.check();
    (bytes, payload)
}

#[test]
fn words_go_before_blocks_that_have_not_begun() {
    let mut link = Link::new();
    link.send_block(block(1));
    link.send(&Have(7));
    link.send_block(block(2));
    link.send(&Unchoke);
    assert_eq!(
        link.segments().collect::<Vec<_>>(),
        [
            Segment::Bytes(&hex("00000005 04 00000007 00000001 01")),
            Segment::Block {
                head: &hex("00000011 07 00000001 00000000"),
                block: block(1),
                rest: 0..8
            },
            Segment::Block {
                head: &hex("00000011 07 00000002 00000000"),
                block: block(2),
                rest: 0..8
            },
        ]
    );
    assert_eq!(link.waiting(), 2);
}

#[test]
fn a_block_that_has_begun_is_finished_first() {
    // Bytes of the block that left; what is left of its head and payload.
    for (sent, head, rest) in
        [(1, "000011 07 00000001 00000000", 0..8), (13, "", 0..8), (15, "", 2..8), (20, "", 7..8)]
    {
        let mut link = Link::new();
        link.send_block(block(1));
        link.send_block(block(2));
        send_out(&mut link, sent);
        link.send(&Choke);
        let first = link.segments().next();
        assert_eq!(first, Some(Segment::Block { head: &hex(head), block: block(1), rest }));
        assert_eq!(link.segments().nth(1), Some(Segment::Bytes(&hex("00000001 00"))));
        assert_eq!(link.waiting(), 2);
    }
}

#[test]
fn portions_of_any_size_make_the_same_bytes() {
    let fill = || {
        let mut link = Link::new();
        link.send_handshake(&Handshake::new(InfoHash([1; 20]), PeerId([2; 20])));
        link.send(&Message::Bitfield(vec![0xff; 13]));
        (0..5).for_each(|number| link.send_block(block(number)));
        link.send(&Interested);
        link
    };
    let expected = pending(&fill());
    assert_eq!(expected.len(), 68 + 18 + 5 * 21 + 5);
    for size in 1..=expected.len() {
        let (mut link, mut bytes, mut payload) = (fill(), Vec::new(), 0);
        while !link.is_idle() {
            let count = size.min(pending(&link).len());
            let (portion, of_it_payload) = send_out(&mut link, count);
            bytes.extend(portion);
            payload += of_it_payload;
        }
        assert_eq!(bytes, expected, "by {size}");
        assert_eq!(payload, 40, "by {size}");
    }
}

#[test]
fn messages_stay_whole_whatever_is_queued_between_portions() {
    for size in 1..40 {
        let (mut link, mut wire) = (Link::new(), Vec::new());
        for number in 0..20 {
            link.send_block(block(number));
            link.send(&Have(number));
            let count = size.min(pending(&link).len());
            wire.extend(send_out(&mut link, count).0);
        }
        let rest = pending(&link).len();
        wire.extend(send_out(&mut link, rest).0);
        let (mut reader, mut ear) = (shaken_hands(), Ear::default());
        ear.feed(&mut reader, None, &wire).expect("whole messages");
        assert_eq!(ear.frames.len(), 40);
        let haves: Vec<String> =
            ear.frames.iter().filter(|frame| frame.starts_with("have")).cloned().collect();
        let in_order: Vec<String> = (0..20).map(|piece| format!("have {piece}")).collect();
        assert_eq!(haves, in_order, "by {size}");
    }
}

#[test]
fn a_cancel_takes_back_only_what_has_not_begun() {
    let mut link = Link::new();
    (1..=3).for_each(|number| link.send_block(block(number)));
    assert!(link.cancel(block(2)));
    assert!(!link.cancel(block(2)), "it is gone");
    send_out(&mut link, 1);
    assert!(!link.cancel(block(1)), "its first byte has left");
    assert_eq!(link.waiting(), 2);
    assert!(link.cancel(block(3)));
    assert_eq!(link.waiting(), 1);
    assert_eq!(send_out(&mut link, 20), (pending_of(block(1))[1..].to_vec(), 8));
    assert!(link.is_idle());
}

fn pending_of(block: Block) -> Vec<u8> {
    let mut link = Link::new();
    link.send_block(block);
    pending(&link)
}

#[test]
fn a_choke_drops_blocks_but_for_the_one_that_has_begun() {
    for (sent, left) in [(0, 0), (1, 1), (21, 0), (22, 1)] {
        let mut link = Link::new();
        (1..=4).for_each(|number| link.send_block(block(number)));
        send_out(&mut link, sent);
        link.drop_blocks();
        link.check();
        assert_eq!(link.waiting(), left, "after {sent} bytes");
        assert_eq!(link.is_idle(), left == 0);
    }
}

#[test]
fn an_idle_link_owns_no_buffer() {
    let mut link = Link::new();
    assert_eq!(link.memory_bytes(), 0);
    (0..100).for_each(|number| link.send(&Have(number)));
    (0..10).for_each(|number| link.send_block(block(number)));
    assert!(link.memory_bytes() > 0);
    let rest = pending(&link).len();
    send_out(&mut link, rest);
    assert!(link.is_idle());
    assert_eq!(link.segments().count(), 0);
    assert_eq!(link.memory_bytes(), 0);
}

#[test]
fn words_that_nobody_reads_make_a_link_overfull() {
    let mut link = Link::new();
    while !link.is_overfull() {
        assert!(link.memory_bytes() <= 2 * 512 * 1024 + 9);
        link.send(&Have(0));
    }
    let before = pending(&link).len();
    assert_eq!(before, 512 * 1024 / 9 * 9 + 9);
    send_out(&mut link, 9);
    assert!(!link.is_overfull(), "what left does not count");
}

#[test]
#[should_panic(expected = "no more is sent than was queued")]
fn sending_what_nobody_queued_is_our_bug() {
    let mut link = Link::new();
    link.send(&Choke);
    link.sent(6);
}
