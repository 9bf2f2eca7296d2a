//! The events that share a key.

use audit_core::tree::Tile;
use audit_core::{Result, Sequence};

/// A group of adjacent events of a log that share a [`GroupKey`](crate::GroupKey): the first 32 events
/// are group 0, the next 32 are group 1. A retention floor never divides a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(u64);

impl Group {
    /// The number of events of a group.
    pub const EVENTS: u64 = Tile::WIDTH;

    /// Returns the group of an event.
    pub const fn of(sequence: Sequence) -> Self {
        Self(sequence.previous().get() / Self::EVENTS)
    }

    /// Returns the number of the group, from zero.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the first event of the group.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid) if no log can have it.
    pub fn first(self) -> Result<Sequence> {
        Sequence::new(self.0 * Self::EVENTS + 1)
    }

    /// Returns the place of an event within its group, from zero.
    pub(crate) const fn leaf(sequence: Sequence) -> u8 {
        // Less than 32, so that it fits.
        (sequence.previous().get() % Self::EVENTS) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_of_thirty_two_events() {
        let at = |number| Sequence::new(number).unwrap();
        let groups = [1, 32, 33, 64, 65].map(|number| Group::of(at(number)).number());
        assert_eq!(groups, [0, 0, 1, 1, 2]);
        assert_eq!([1, 32, 33].map(|number| Group::leaf(at(number))), [0, 31, 0]);
        assert_eq!(Group::of(at(40)).first().unwrap(), at(33));
        let last = Group::of(Sequence::MAX);
        assert!(last.first().unwrap() < Sequence::MAX);
    }
}
