//! The order of a walk, and the position of an event in it.

use std::cmp::Ordering;

use crate::{AuditEvent, Sequence, Timestamp};

/// The order in which a walk goes through a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// By `(occurred_at, sequence)`, the latest first.
    #[default]
    NewestFirst,
    /// By `(occurred_at, sequence)`, the earliest first.
    OldestFirst,
    /// By `sequence`: the order in which events were appended.
    Sequence,
    /// By `sequence`, the last first.
    SequenceReversed,
}

/// The position of an event in every order. A coordinate: it has these two parts and gains none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The time of the event.
    pub occurred_at: Timestamp,
    /// The event's sequence.
    pub sequence: Sequence,
}

impl Position {
    /// Returns the position of `event`.
    pub fn of(event: &AuditEvent) -> Self {
        Self { occurred_at: event.occurred_at, sequence: event.sequence }
    }
}

impl Order {
    /// Every order.
    pub const ALL: [Self; 4] =
        [Self::NewestFirst, Self::OldestFirst, Self::Sequence, Self::SequenceReversed];

    /// Returns the same order backwards.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::NewestFirst => Self::OldestFirst,
            Self::OldestFirst => Self::NewestFirst,
            Self::Sequence => Self::SequenceReversed,
            Self::SequenceReversed => Self::Sequence,
        }
    }

    /// Returns whether this is an order by time.
    pub const fn is_by_time(self) -> bool {
        matches!(self, Self::NewestFirst | Self::OldestFirst)
    }

    /// Compares two positions: the lesser is the one that a walk in this order reaches first.
    pub fn compare(self, a: &Position, b: &Position) -> Ordering {
        let by_time = || (a.occurred_at, a.sequence).cmp(&(b.occurred_at, b.sequence));
        match self {
            Self::NewestFirst => by_time().reverse(),
            Self::OldestFirst => by_time(),
            Self::Sequence => a.sequence.cmp(&b.sequence),
            Self::SequenceReversed => b.sequence.cmp(&a.sequence),
        }
    }
}
