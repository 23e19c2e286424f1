//! Set: a sorted set for the few, in one piece of memory; what `Shelf` is among maps.
//!
//! It answers to the names of `BTreeSet`, and walks in the same order. What ascends anyway is put
//! at the end, at no cost; whoever comes in the middle moves all that stand behind.
//!
//! # Why
//! As with `Shelf`: each kind of tree is 4 KiB of program, a kind of set a tenth of that.

use std::borrow::Borrow;

use serde::Serialize;

use super::order;

/// Keys; none twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Set<K> {
    /// They ascend strictly.
    keys: Vec<K>,
}

impl<K> Set<K> {
    pub const fn new() -> Set<K> {
        Set { keys: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn clear(&mut self) {
        self.keys.clear();
    }

    pub fn iter(&self) -> std::slice::Iter<'_, K> {
        self.keys.iter()
    }

    pub fn retain(&mut self, keep: impl FnMut(&K) -> bool) {
        self.keys.retain(keep);
    }
}

impl<K: Ord> Set<K> {
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Puts `key` in. Returns whether it was not there.
    pub fn insert(&mut self, key: K) -> bool {
        match self.find(&key) {
            Ok(_) => false,
            Err(at) => {
                self.keys.insert(at, key);
                true
            }
        }
    }

    /// Takes `key` out. Returns whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).map(|at| self.keys.remove(at)).is_ok()
    }

    /// Where `key` stands, or where it would have to.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.keys.binary_search_by(|other| other.borrow().cmp(key))
    }
}

impl<K> Default for Set<K> {
    fn default() -> Self {
        Set::new()
    }
}

impl<K: Ord> From<Vec<K>> for Set<K> {
    fn from(mut keys: Vec<K>) -> Set<K> {
        order::sort(&mut keys);
        keys.dedup();
        Set { keys }
    }
}

impl<K> From<Set<K>> for Vec<K> {
    fn from(set: Set<K>) -> Vec<K> {
        set.keys
    }
}

impl<K: Ord> FromIterator<K> for Set<K> {
    fn from_iter<I: IntoIterator<Item = K>>(iter: I) -> Self {
        Set::from(iter.into_iter().collect::<Vec<K>>())
    }
}

impl<K: Ord> Extend<K> for Set<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, iter: I) {
        self.keys.extend(iter);
        *self = Set::from(std::mem::take(&mut self.keys));
    }
}

impl<'s, K> IntoIterator for &'s Set<K> {
    type Item = &'s K;
    type IntoIter = std::slice::Iter<'s, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.iter()
    }
}

impl<K> IntoIterator for Set<K> {
    type Item = K;
    type IntoIter = std::vec::IntoIter<K>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter()
    }
}
