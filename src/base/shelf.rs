//! Shelf: a sorted map for the few, in one piece of memory.
//!
//! It answers to the names of `BTreeMap`, and walks in the order of the keys as that does. Within
//! are pairs side by side, found by halving: for connections, torrents and open pieces, by the
//! dozen or the hundred, that is quicker and smaller than a tree. A tree is the thing for tens of
//! thousands that come and go in any order, since whoever comes in the middle of a shelf moves all
//! that stand behind.
//!
//! # Why
//! Each kind of tree is 4 KiB of program, and there were fifty kinds; a shelf is half a KiB.

use std::borrow::Borrow;
use std::ops::Index;

use super::order;

/// Values by their keys; no key twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf<K, V> {
    /// Keys ascend strictly.
    pairs: Vec<(K, V)>,
}

impl<K, V> Shelf<K, V> {
    pub const fn new() -> Shelf<K, V> {
        Shelf { pairs: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + DoubleEndedIterator + Clone {
        self.pairs.iter().map(|(key, value)| (key, value))
    }

    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        self.pairs.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> + DoubleEndedIterator + Clone {
        self.pairs.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + DoubleEndedIterator + Clone {
        self.pairs.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut V> + DoubleEndedIterator {
        self.pairs.iter_mut().map(|(_, value)| value)
    }

    pub fn into_keys(self) -> impl ExactSizeIterator<Item = K> {
        self.pairs.into_iter().map(|(key, _)| key)
    }

    pub fn into_values(self) -> impl ExactSizeIterator<Item = V> {
        self.pairs.into_iter().map(|(_, value)| value)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.pairs.retain_mut(|(key, value)| keep(key, value));
    }
}

impl<K: Ord, V> Shelf<K, V> {
    /// Where `key` stands, or where it would have to.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.pairs.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| &self.pairs[at].1)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| &mut self.pairs[at].1)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Puts `value` under `key`; what was there comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.pairs[at].1, value)),
            Err(at) => {
                self.pairs.insert(at, (key, value));
                None
            }
        }
    }

    /// The value under `key`, which `make` makes if there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.pairs.insert(at, (key, make()));
            at
        });
        &mut self.pairs[at].1
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| self.pairs.remove(at).1)
    }

    /// Those whose keys lie before `end`, ascending.
    pub fn before(&self, end: K) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let len = self.find(&end).unwrap_or_else(|at| at);
        self.pairs[..len].iter().map(|(key, value)| (key, value))
    }
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Shelf::new()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Shelf<K, V> {
    /// Of those with equal keys the last one counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        let mut pairs: Vec<(K, V)> = iter.into_iter().collect();
        pairs.reverse();
        order::sort_by(&mut pairs, |(one, _), (other, _)| one.cmp(other));
        pairs.dedup_by(|(one, _), (other, _)| one == other);
        Shelf { pairs }
    }
}

impl<K, V> IntoIterator for Shelf<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for Shelf<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the caller put it there")
    }
}
