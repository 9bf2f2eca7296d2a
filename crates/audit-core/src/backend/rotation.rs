//! A queue that serves owners in turn, so that none waits for all that another has asked for.

use std::collections::{HashMap, VecDeque};

use crate::{ApiKeyId, Log};

/// For whom a store reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Owner {
    /// The callers that use a log.
    Log(Log),
    /// The holder of an API key, whose organization is not known yet.
    ApiKey(ApiKeyId),
}

impl From<Log> for Owner {
    fn from(log: Log) -> Self {
        Self::Log(log)
    }
}

/// A queue that serves owners in turn: the first item of one comes before the second of another,
/// however many the other has. The items of one owner are served in their order.
///
/// ```
/// use audit_core::backend::{Owner, Rotation};
/// use audit_core::{Log, OrganizationId};
///
/// let [busy, quiet] = [(); 2].map(|()| Owner::Log(Log::organization(OrganizationId::new())));
/// let mut rotation = Rotation::default();
/// rotation.push(busy, 1);
/// rotation.push(busy, 2);
/// rotation.push(quiet, 3);
/// assert_eq!(rotation.take(|_, _| true), Some((busy, 1)));
/// assert_eq!(rotation.take(|_, _| true), Some((quiet, 3)));
/// ```
#[derive(Debug)]
pub struct Rotation<T> {
    /// The waiting items by owner; no list is empty.
    waiting: HashMap<Owner, VecDeque<T>>,
    /// The owners of what waits, the next one first.
    owners: VecDeque<Owner>,
}

impl<T> Default for Rotation<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), owners: VecDeque::new() }
    }
}

impl<T> Rotation<T> {
    /// Returns `true` if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Returns `true` if an owner other than `owner` waits.
    pub fn has_other(&self, owner: Owner) -> bool {
        self.owners.iter().any(|other| *other != owner)
    }

    /// Adds an item after those of its owner.
    pub fn push(&mut self, owner: Owner, item: T) {
        self.of(owner).push_back(item);
    }

    /// Adds an item before those of its owner.
    pub fn push_first(&mut self, owner: Owner, item: T) {
        self.of(owner).push_front(item);
    }

    fn of(&mut self, owner: Owner) -> &mut VecDeque<T> {
        self.waiting.entry(owner).or_insert_with(|| {
            self.owners.push_back(owner);
            VecDeque::new()
        })
    }

    /// Takes the first item of the first owner for which `may` accepts it. The next turn of this
    /// owner is after those of all others.
    pub fn take(&mut self, mut may: impl FnMut(Owner, &T) -> bool) -> Option<(Owner, T)> {
        let is_next = |owner: &Owner| {
            let first = self.waiting.get(owner).and_then(VecDeque::front);
            first.is_some_and(|item| may(*owner, item))
        };
        let at = self.owners.iter().position(is_next)?;
        let owner = self.owners.remove(at)?;
        let of_owner = self.waiting.get_mut(&owner)?;
        let item = of_owner.pop_front()?;
        if of_owner.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.owners.push_back(owner);
        }
        Some((owner, item))
    }
}

#[cfg(test)]
mod tests {
    use crate::OrganizationId;

    use super::*;

    fn owners<const N: usize>() -> [Owner; N] {
        [(); N].map(|()| Owner::Log(Log::organization(OrganizationId::new())))
    }

    #[test]
    fn owners_are_served_in_turn_and_each_in_order() {
        let [many, few] = owners();
        let mut rotation = Rotation::default();
        for item in ["m1", "m2", "m3"] {
            rotation.push(many, item);
        }
        assert!(!rotation.has_other(many) && rotation.has_other(few));
        rotation.push(few, "f1");
        rotation.push_first(few, "f0");
        let mut served = Vec::new();
        while let Some((_, item)) = rotation.take(|_, _| true) {
            served.push(item);
        }
        assert_eq!(served, ["m1", "f0", "m2", "f1", "m3"]);
        assert!(rotation.is_empty());
    }

    #[test]
    fn an_owner_that_may_not_go_keeps_its_place() {
        let [first, second, third] = owners();
        let mut rotation = Rotation::default();
        for owner in [first, second, third] {
            rotation.push(owner, ());
        }
        assert_eq!(rotation.take(|of, ()| of != first), Some((second, ())));
        assert_eq!(rotation.take(|_, ()| false), None);
        assert_eq!(rotation.take(|_, ()| true), Some((first, ())));
        assert_eq!(rotation.take(|_, ()| true), Some((third, ())));
    }
}
