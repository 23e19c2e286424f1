//! The census: written, read back, cut, and changed.

use swarmlet::base::InfoHash;
use swarmlet::format::census::{
    AGE_MINS_MAX, Census, SwarmHead, read_age, write_end, write_head, write_peer,
};
use swarmlet::format::digest::Digest;

/// A census of two swarms: one with peers of all four kinds, and an empty one.
fn census() -> Vec<u8> {
    let mut out = Vec::new();
    write_head(1_700_000_000, &mut out);
    let info_hash = InfoHash([7; 20]);
    SwarmHead { info_hash, completed: 3, heard_mins: 4, counts: [1, 2, 1, 1] }.write(&mut out);
    write_peer(b"\x0a\0\0\x01\x1a\xe1", 0, false, &mut out);
    write_peer(b"\x0a\0\0\x02\x1a\xe1", 61, true, &mut out);
    write_peer(b"\x0a\0\0\x03\x1a\xe1", u16::MAX, false, &mut out);
    write_peer(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1", 1, false, &mut out);
    write_peer(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x1a\xe1", 2, false, &mut out);
    let info_hash = InfoHash([8; 20]);
    SwarmHead { info_hash, completed: 9, heard_mins: 0, counts: [0; 4] }.write(&mut out);
    seal(out)
}

fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let mut digest = Digest::new();
    digest.update(&body);
    write_end(digest, &mut body);
    body
}

#[test]
fn a_census_is_read_as_it_was_written() {
    let bytes = census();
    let census = Census::parse(&bytes).expect("a whole one");
    assert_eq!(census.taken_secs, 1_700_000_000);
    let swarms: Vec<_> = census.swarms().collect();
    assert_eq!(swarms.len(), 2);
    let first = &swarms[0];
    assert_eq!((first.head.completed, first.head.heard_mins), (3, 4));
    assert_eq!(first.v4_seeds, [*b"\x0a\0\0\x01\x1a\xe1\0\0"]);
    assert_eq!((first.v4_leechers.len(), first.v6_seeds.len(), first.v6_leechers.len()), (2, 1, 1));
    let age = |peer: &[u8; 8]| read_age([peer[6], peer[7]]);
    assert_eq!(age(&first.v4_leechers[0]), (61, true));
    assert_eq!(age(&first.v4_leechers[1]), (AGE_MINS_MAX, false), "as old as can be told");
    assert_eq!((swarms[1].head.info_hash, swarms[1].head.completed), (InfoHash([8; 20]), 9));
    assert!(Census::parse(&seal(bytes[..26].to_vec())).expect("empty").swarms().next().is_none());
}

#[test]
fn every_truncation_and_every_flipped_bit_of_a_census_is_refused() {
    let whole = census();
    for cut in 0..whole.len() {
        assert!(Census::parse(&whole[..cut]).is_err(), "cut after {cut}");
    }
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(Census::parse(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn what_is_sealed_but_makes_no_sense_is_refused() {
    let whole = census();
    let body = &whole[..whole.len() - 21];
    for cut in 27..body.len() {
        // A cut between two swarms leaves a whole census of the first.
        let is_whole = cut == 26 + 43 + 3 * 8 + 2 * 20;
        assert_eq!(Census::parse(&seal(body[..cut].to_vec())).is_ok(), is_whole, "cut at {cut}");
    }
    let mut huge = body.to_vec();
    huge[26 + 27..26 + 31].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(Census::parse(&seal(huge)).is_err(), "a count of 2^32 - 1");
    let mut odd = body.to_vec();
    odd[26] = 2;
    assert!(Census::parse(&seal(odd)).is_err(), "a record of another kind");
}
