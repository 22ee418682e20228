//! Tables in the order of their keys, in one piece of memory.
//!
//! A B-tree is made anew by the compiler for every pair of types, 4 KB of code each, and
//! what we keep in tables is small: this is a vector and a search by halving.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::gather::Gathered;

/// What is known by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map<K, V>(Vec<(K, V)>);

/// Things of which each is there once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<K>(Map<K, ()>);

impl<K, V> Map<K, V> {
    /// With nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The first in the order of the keys.
    #[must_use]
    pub fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// Takes out the first ones, for as long as they are wanted.
    pub fn take_first(&mut self, is_wanted: impl Fn(&K) -> bool) -> impl Iterator<Item = V> {
        let count = self.0.partition_point(|(key, _)| is_wanted(key));
        self.0.drain(..count).map(|(_, value)| value)
    }

    /// Forgets what `is_kept` does not want.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K) -> bool) {
        self.0.retain(|(key, _)| is_kept(key));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Ord, V> Map<K, V> {
    /// Where a key is, or where it would be.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0
            .binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// What is known by `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        Some(&self.0[place].1)
    }

    /// The same, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        Some(&mut self.0[place].1)
    }

    /// Whether there is something.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// What is known by `key`; where nothing is, `value` from now on.
    pub fn get_or_insert(&mut self, key: K, value: V) -> &mut V {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.0.insert(place, (key, value));
            place
        });
        &mut self.0[place].1
    }

    /// Puts `value` there, and gives what was known before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => Some(core::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (key, value));
                None
            }
        }
    }

    /// Takes out what is known by `key`.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        Some(self.0.remove(place).1)
    }

    /// All from `key` on, in the order of the keys.
    pub fn from<Q: Ord + ?Sized>(&self, key: &Q) -> impl Iterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (Ok(place) | Err(place)) = self.place(key);
        self.0[place..].iter().map(|(key, value)| (key, value))
    }
}

impl<K: Ord> Set<K> {
    /// With nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self(Map::new())
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// Puts it in; `false`: it was there already.
    pub fn insert(&mut self, key: K) -> bool {
        self.0.insert(key, ()).is_none()
    }

    /// Whether it is there.
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Takes it out; `false`: it was not there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.remove(key).is_some()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

// Derived ones would ask for keys and values that have a default.
impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord> Default for Set<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = alloc::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

// Of two with one key the later one stays.
impl<K: Ord, V> Gathered<(K, V)> for Map<K, V> {
    fn gathered(pairs: impl Iterator<Item = (K, V)>) -> Self {
        let mut map = Self::new();
        for (key, value) in pairs {
            map.insert(key, value);
        }
        map
    }
}

impl<K: Ord> Gathered<K> for Set<K> {
    fn gathered(keys: impl Iterator<Item = K>) -> Self {
        let mut set = Self::new();
        for key in keys {
            set.insert(key);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use super::{Map, Set};
    use crate::model::Gather as _;

    #[test]
    fn does_what_a_tree_does_in_any_order_of_calls() {
        let (mut ours, mut tree) = (Map::new(), BTreeMap::new());
        let mut dice = 1u32;
        for turn in 0..20_000u32 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (key, what) = ((dice >> 16) % 40, (dice >> 8) % 5);
            match what {
                0 => assert_eq!(ours.insert(key, turn), tree.insert(key, turn)),
                1 => assert_eq!(ours.remove(&key), tree.remove(&key)),
                2 => assert_eq!(
                    *ours.get_or_insert(key, turn),
                    *tree.entry(key).or_insert(turn)
                ),
                3 => assert_eq!(ours.get_mut(&key), tree.get_mut(&key)),
                _ => assert!(ours.from(&key).eq(tree.range(key..))),
            }
            assert_eq!(ours.contains_key(&key), tree.contains_key(&key));
            assert!(ours.iter().eq(&tree) && ours.keys().eq(tree.keys()));
        }
        assert_eq!(ours.first(), tree.first_key_value());
        let rest = tree.split_off(&15);
        assert!(ours.take_first(|key| *key < 15).eq(tree.into_values()));
        let mut tree = rest;
        ours.retain(|key| key % 3 == 0);
        tree.retain(|key, _| key % 3 == 0);
        assert!(ours.into_iter().eq(tree));
    }

    #[test]
    fn of_two_with_one_key_the_later_one_stays() {
        let map: Map<_, _> = [(2, "b"), (1, "a"), (2, "c")].into_iter().gather();
        let all: Vec<_> = map.into_iter().collect();
        assert_eq!(all, [(1, "a"), (2, "c")]);
    }

    #[test]
    fn a_set_says_whether_it_is_new() {
        let mut set: Set<&str> = ["a", "a"].into_iter().gather();
        assert!(set.insert("b") && !set.insert("b") && set.contains("b"));
        assert!(set.remove("b") && !set.remove("b") && !set.contains("b"));
        set.clear();
        assert!(!set.contains("a"));
    }
}
