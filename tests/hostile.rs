//! Scripted adversaries: whatever arrives, nobody panics, hangs, or grows by a claim.
//!
//! Here the link alone; in `hostile/engine.rs` a whole engine, by the rows of `fixtures/rows.txt`.

use proptest::prelude::*;

use swarmlet::base::{InfoHash, PeerId};
use swarmlet::wire::{Frame, Handshake, Link, Message};

#[path = "hostile/bench.rs"]
mod bench;
#[path = "dump/mod.rs"]
mod dump;
#[path = "hostile/engine.rs"]
mod engine;

// ── The link ────────────────────────────────────────────────────────────────────────────────

/// Feeds until a violation; asserts what must hold after every portion.
///
/// Returns how many bytes were looked at.
fn torment(link: &mut Link, piece_count: Option<u32>, portions: &[&[u8]]) -> usize {
    let mut looked_at = 0;
    for portion in portions {
        let mut input = *portion;
        loop {
            match link.feed(&mut input) {
                Ok(Some(Frame::Handshake(_))) => {
                    piece_count.into_iter().for_each(|count| link.expect_pieces(count));
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return looked_at + portion.len() - input.len(),
            }
        }
        assert!(input.is_empty());
        looked_at += portion.len();
        link.check();
        assert!(link.memory_bytes() <= 68.max(2 * looked_at), "grown by a claim");
    }
    looked_at
}

fn greeting() -> Vec<u8> {
    let mut bytes = Vec::new();
    Handshake::new(InfoHash([1; 20]), PeerId([2; 20])).write(&mut bytes);
    bytes
}

#[test]
fn offenders_are_cut_off_with_the_byte_that_offends() {
    for dump in dump::all().iter().filter(|dump| dump.violation.is_some()) {
        // Five bytes into the message, or at the first wrong byte of the handshake.
        let mut offence = None;
        let (mut link, mut ear) = (Link::new(), dump::Ear::default());
        for (at, byte) in dump.bytes.iter().enumerate() {
            if ear.feed(&mut link, dump.piece_count, &[*byte]).is_err() {
                offence = Some(at + 1);
                break;
            }
        }
        let offence = offence.unwrap_or_else(|| panic!("{} was never refused", dump.name));
        assert!(link.memory_bytes() <= 68, "{}", dump.name);
        if offence > 68 {
            let mut tail = dump.bytes[..offence].iter().rev();
            let id = *tail.next().expect("an id");
            let len: Vec<u8> = tail.take(4).rev().copied().collect();
            let len = u32::from_be_bytes(len.try_into().expect("four bytes"));
            let said = swarmlet::wire::message::check_len(id, len, dump.piece_count);
            let said = said.expect_err("the message itself is refused").to_string();
            assert_eq!(Some(said), dump.violation, "{}: not five bytes in", dump.name);
        }
    }
}

#[test]
fn every_single_bit_flip_of_a_conversation_is_survived() {
    for dump in dump::all() {
        for bit in 0..dump.bytes.len() * 8 {
            let mut bytes = dump.bytes.clone();
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            torment(&mut Link::new(), dump.piece_count, &[&bytes]);
            let portions: Vec<&[u8]> = bytes.chunks(3).collect();
            torment(&mut Link::new(), dump.piece_count, &portions);
        }
    }
}

#[test]
fn every_id_with_every_odd_length_is_judged_within_five_bytes() {
    let lengths = [1, 2, 3, 5, 8, 9, 10, 13, 0x4009, 0x1_0001, 0x2_000a, 0x10_0001, 1 << 31];
    for id in 0..=u8::MAX {
        for len in lengths.into_iter().chain([u32::MAX]) {
            let mut link = Link::new();
            let mut bytes = greeting();
            bytes.extend(len.to_be_bytes());
            bytes.push(id);
            torment(&mut link, Some(10), &[&bytes]);
            assert!(link.memory_bytes() <= 68, "id {id}, length {len}");
        }
    }
}

#[test]
fn a_stream_of_keep_alives_costs_no_memory() {
    let mut link = Link::new();
    let mut bytes = greeting();
    bytes.extend([0; 4 * 10_000]);
    torment(&mut link, Some(10), &[&bytes]);
    assert_eq!(link.memory_bytes(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>, size in 1_usize..40) {
        let portions: Vec<&[u8]> = bytes.chunks(size).collect();
        torment(&mut Link::new(), None, &portions);
        // Behind a good handshake they get further.
        let mut greeted = greeting();
        greeted.extend(&bytes);
        let portions: Vec<&[u8]> = greeted.chunks(size).collect();
        torment(&mut Link::new(), Some(1000), &portions);
    }

    #[test]
    fn random_messages_are_heard_as_they_were_said(
        numbers in prop::collection::vec((0_u8..9, any::<u32>()), 0..50),
        size in 1_usize..60,
    ) {
        let said: Vec<Message> = numbers.into_iter().map(message).collect();
        let mut bytes = greeting();
        said.iter().for_each(|message| message.write(&mut bytes));
        let (mut link, mut heard) = (Link::new(), Vec::new());
        for mut portion in bytes.chunks(size) {
            while let Some(frame) = link.feed(&mut portion).expect("good messages") {
                if let Frame::Message(message) = frame {
                    heard.push(message);
                }
            }
        }
        prop_assert_eq!(heard, said);
    }
}

fn message((kind, number): (u8, u32)) -> Message {
    let claim = swarmlet::base::Claim { piece: number, begin: !number, len: number / 2 };
    match kind {
        0 => Message::KeepAlive,
        1 => Message::Choke,
        2 => Message::Unchoke,
        3 => Message::Interested,
        4 => Message::Have(number),
        5 => Message::Bitfield(number.to_be_bytes().to_vec()),
        6 => Message::Request(claim),
        7 => Message::Cancel(claim),
        _ => Message::NotInterested,
    }
}
