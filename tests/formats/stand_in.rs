//! The stand-in for SHA-1 in simulations: any change changes it, and it cares for no cuts.

use swarmlet::base::Random;
use swarmlet::format::digest::{Digest, Hashing};
use swarmlet::format::layout::Layout;

fn sum(bytes: &[u8]) -> [u8; 20] {
    let mut digest = Digest::by(Hashing::StandIn);
    digest.update(bytes);
    digest.finish()
}

fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Random::new(seed).fill(&mut bytes);
    bytes
}

#[test]
fn a_layout_is_hashed_by_sha_1_unless_somebody_says_otherwise() {
    let layout = Layout::single(16, "a", 100).expect("a fine layout");
    assert_eq!(layout.hashing(), Hashing::Sha1);
    assert_eq!(layout.with_stand_in_hashes().hashing(), Hashing::StandIn);
    assert_eq!(Digest::by(Hashing::Sha1).finish(), Digest::of(b""));
}

#[test]
fn it_makes_no_difference_where_the_bytes_are_cut() {
    let bytes = random_bytes(1, 300);
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut digest = Digest::by(Hashing::StandIn);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(1 + random.below(rest.len().min(70)));
            digest.update(part);
            digest.update(&[]);
            rest = behind;
        }
        assert_eq!(digest.finish(), sum(&bytes), "seed {seed}");
    }
}

#[test]
fn one_bit_two_places_and_the_length_all_count() {
    let bytes = random_bytes(2, 100);
    let right = sum(&bytes);
    for bit in 0..bytes.len() * 8 {
        let mut spoilt = bytes.clone();
        spoilt[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(sum(&spoilt), right, "bit {bit}");
    }
    for (one, other) in [(0, 1), (0, 8), (0, 32), (3, 67), (95, 99)] {
        let mut swapped = bytes.clone();
        swapped.swap(one, other);
        assert_ne!(sum(&swapped), right, "{one} and {other}");
    }
    // Zeros fill the last round; their number is part of the sum.
    let sums: Vec<[u8; 20]> = (0..70).map(|len| sum(&vec![0; len])).collect();
    for (len, one) in sums.iter().enumerate() {
        assert!(!sums[..len].contains(one), "{len} zeros");
    }
}

#[test]
fn a_copy_of_a_sum_is_a_way_back() {
    let bytes = random_bytes(3, 100);
    let mut digest = Digest::by(Hashing::StandIn);
    digest.update(&bytes[..50]);
    let before = digest.clone();
    digest.update(b"something else");
    let mut again = before;
    again.update(&bytes[50..]);
    assert_eq!(again.finish(), sum(&bytes));
}
