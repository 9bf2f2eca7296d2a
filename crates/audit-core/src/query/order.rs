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
    /// By `sequence`, the order in which the log took the events in.
    Sequence,
}

/// The place of an event in its log, in whichever order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// When the event occurred.
    pub occurred_at: Timestamp,
    /// The event's number.
    pub sequence: Sequence,
}

impl Position {
    /// The place of `event`.
    pub fn of(event: &AuditEvent) -> Self {
        Self { occurred_at: event.occurred_at, sequence: event.sequence }
    }
}

impl Order {
    /// Which of two places a walk in this order reaches first.
    pub fn compare(self, a: &Position, b: &Position) -> Ordering {
        let by_time = || (a.occurred_at, a.sequence).cmp(&(b.occurred_at, b.sequence));
        match self {
            Self::NewestFirst => by_time().reverse(),
            Self::OldestFirst => by_time(),
            Self::Sequence => a.sequence.cmp(&b.sequence),
        }
    }
}
