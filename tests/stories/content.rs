//! Files that keep only what differs from the truth, and ropes: what they hand out is always the
//! very bytes that a plain vector would.

use swarmlet::base::Random;
use swarmlet::lab::content::Content;
use swarmlet::lab::rope::{Rope, Sink};
use swarmlet::lab::source::Stretch;

const LEN: usize = 300;

fn truth(random: &mut Random) -> Stretch {
    let mut bytes = vec![0; LEN];
    random.fill(&mut bytes);
    Stretch::from(bytes)
}

/// A range of the file, at times an empty one.
fn range(random: &mut Random) -> (usize, usize) {
    let begin = random.below(LEN);
    (begin, random.below(LEN - begin + 1).min(random.below(100)))
}

#[test]
fn a_file_is_what_was_written_whatever_it_keeps() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let truth = truth(&mut random);
        let mut content = Content::empty(truth.clone());
        let mut model: Vec<u8> = Vec::new();
        let mut undo = Vec::new();
        for _ in 0..60 {
            let (begin, len) = range(&mut random);
            match random.below(8) {
                0 => {
                    let is_there = begin < model.len();
                    assert_eq!(content.flip(begin), is_there);
                    model.get_mut(begin).into_iter().for_each(|byte| *byte ^= 1);
                    undo.clear();
                }
                1 => {
                    content.truncate(begin);
                    model.truncate(begin);
                    undo.clear();
                }
                2 => {
                    // Undone last first, all old bytes are back; the length is not.
                    while let Some((cutting, before)) = undo.pop() {
                        content.put_back(cutting);
                        let before: Vec<u8> = before;
                        let end = before.len();
                        model[..end].copy_from_slice(&before);
                        model[end..].fill(0);
                    }
                }
                kind => {
                    let mut bytes = truth[begin..begin + len].to_vec();
                    if kind == 3 {
                        random.fill(&mut bytes);
                    }
                    let before = model.clone();
                    model.resize(model.len().max(begin + len), 0);
                    model[begin..begin + len].copy_from_slice(&bytes);
                    undo.push((content.write(begin, &bytes), before));
                }
            }
            content.check();
            assert_eq!(content.bytes(), model, "seed {seed}");
            let (begin, len) = range(&mut random);
            let mut read = Vec::new();
            let found = content.read(begin, len, &mut read).map(|()| &read[..]);
            assert_eq!(found, model.get(begin..begin + len), "seed {seed}");
            let is_true = found == Some(&truth[begin..begin + len]);
            assert_eq!(content.is_true(&truth, begin, len), is_true, "seed {seed}");
        }
        let differs = content.first_difference(&truth);
        assert_eq!(differs.is_none(), model == *truth, "seed {seed}");
    }
}

#[test]
fn a_whole_copy_is_true_until_one_bit_is_not() {
    let truth = truth(&mut Random::new(1));
    let mut content = Content::whole(truth.clone());
    assert_eq!(content.first_difference(&truth), None);
    assert!(content.flip(123));
    assert_eq!(content.first_difference(&truth), Some(123));
    assert!(!content.is_true(&truth, 120, 4) && content.is_true(&truth, 124, 100));
    assert!(content.flip(123));
    assert_eq!(content.first_difference(&truth), None);
}

#[test]
fn a_copy_of_another_source_is_compared_byte_by_byte() {
    let one = truth(&mut Random::new(1));
    let (same, other) = (Stretch::from(one.to_vec()), truth(&mut Random::new(2)));
    let content = Content::whole(one);
    assert_eq!(content.first_difference(&same), None);
    assert!(content.first_difference(&other).is_some());
}

#[test]
fn a_rope_gives_back_what_was_put_in_cut_anywhere() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let truth = truth(&mut random);
        let (mut rope, mut model) = (Rope::new(), Vec::new());
        for _ in 0..60 {
            let (begin, len) = range(&mut random);
            match random.below(6) {
                0 => {
                    rope.bytes(&truth[begin..begin + len]);
                    model.bytes(&truth[begin..begin + len]);
                }
                1 => {
                    rope.stretch(truth.part(begin, len));
                    model.stretch(truth.part(begin, len));
                }
                2 => {
                    rope.zeros(len);
                    model.zeros(len);
                }
                3 => {
                    let mut more = Rope::new();
                    more.bytes(&truth[..3]);
                    more.stretch(truth.part(begin, len));
                    rope.append(&mut more);
                    assert!(more.is_empty());
                    model.extend_from_slice(&truth[..3]);
                    model.extend_from_slice(&truth[begin..begin + len]);
                }
                4 => {
                    let keep = begin.min(model.len());
                    rope.truncate(keep);
                    model.truncate(keep);
                }
                _ => {
                    let mut taken = Vec::new();
                    let count = begin.min(model.len());
                    rope.take(count, &mut taken);
                    assert_eq!(taken, model.drain(..count).collect::<Vec<u8>>(), "seed {seed}");
                }
            }
            assert_eq!(rope.len(), model.len(), "seed {seed}");
        }
    }
}
