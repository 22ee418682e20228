//! What many have in common, kept once.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// So many different ones are looked at, the last ones first: those of neighbours in a
/// configuration are alike, and more would cost time where none are.
const LOOKED_AT: usize = 16;

/// A value that equal ones may share. Whoever changes it changes one of its own.
#[derive(Debug, Default, PartialEq)]
pub struct Alike<T>(Arc<T>);

impl<T: PartialEq> Alike<T> {
    /// Shares one of those that are `known`, if it is equal to one; otherwise it is known
    /// from now on.
    pub fn share(&mut self, known: &mut Vec<Self>) {
        let mut last = known.iter().rev().take(LOOKED_AT);
        match last.find(|one| *one == self) {
            Some(one) => *self = one.clone(),
            None => known.push(self.clone()),
        }
    }
}

// A derived one would ask for values that are cloned.
impl<T> Clone for Alike<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Alike<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Alike<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Alike<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(one: &Alike<u32>, other: &Alike<u32>) -> bool {
        core::ptr::eq(&**one, &**other)
    }

    #[test]
    fn equal_ones_are_kept_once_until_one_is_changed() {
        let mut known = Vec::new();
        let mut all = [1, 2, 1].map(Alike::from);
        all.iter_mut().for_each(|one| one.share(&mut known));
        assert_eq!(known.len(), 2);
        assert!(is_same(&all[0], &all[2]) && !is_same(&all[0], &all[1]));
        *all[2] = 3;
        assert_eq!(all.map(|one| *one), [1, 2, 3]);
    }
}
