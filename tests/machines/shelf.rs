//! The sorted map and the sorted set for the few, against trees.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use swarmlet::base::{Set, Shelf};

#[test]
fn of_equal_keys_the_last_one_counts() {
    let shelf: Shelf<&str, u32> = [("b", 1), ("a", 2), ("b", 3)].into_iter().collect();
    assert_eq!(shelf.into_iter().collect::<Vec<_>>(), [("a", 2), ("b", 3)]);
}

proptest! {
    #[test]
    fn a_shelf_says_what_a_tree_would_say(
        steps in proptest::collection::vec((0..5u8, 0..20u8, any::<u16>()), 0..200),
    ) {
        let (mut shelf, mut tree) = (Shelf::new(), BTreeMap::new());
        for (step, key, value) in steps {
            match step {
                0 => prop_assert_eq!(shelf.insert(key, value), tree.insert(key, value)),
                1 => prop_assert_eq!(shelf.remove(&key), tree.remove(&key)),
                2 => prop_assert_eq!(
                    shelf.get_or_insert_with(key, || value),
                    tree.entry(key).or_insert(value)
                ),
                3 => prop_assert_eq!(shelf.get_mut(&key), tree.get_mut(&key)),
                _ => {
                    shelf.retain(|other, _| *other != key);
                    tree.retain(|other, _| *other != key);
                }
            }
            prop_assert_eq!(shelf.contains_key(&key), tree.contains_key(&key));
            prop_assert_eq!(shelf.len(), tree.len());
            prop_assert!(shelf.iter().eq(&tree));
            prop_assert!(shelf.before(key).eq(tree.range(..key)));
        }
        let pairs: Vec<(u8, u16)> = tree.into_iter().collect();
        prop_assert_eq!(shelf.into_iter().collect::<Vec<_>>(), pairs);
    }
}

proptest! {
    #[test]
    fn a_set_says_what_a_tree_would_say(
        first in proptest::collection::vec(0..20u8, 0..20),
        steps in proptest::collection::vec((0..4u8, 0..20u8), 0..200),
    ) {
        let (mut set, mut tree) = (Set::from(first.clone()), BTreeSet::from_iter(first));
        for (step, key) in steps {
            match step {
                0 => prop_assert_eq!(set.insert(key), tree.insert(key)),
                1 => prop_assert_eq!(set.remove(&key), tree.remove(&key)),
                2 => {
                    set.extend([key, key / 2]);
                    tree.extend([key, key / 2]);
                }
                _ => {
                    set.retain(|other| *other != key);
                    tree.retain(|other| *other != key);
                }
            }
            prop_assert_eq!(set.contains(&key), tree.contains(&key));
            prop_assert_eq!(set.len(), tree.len());
            prop_assert!(set.iter().eq(&tree));
        }
    }
}
