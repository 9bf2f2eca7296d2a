//! The findings of a verification: what can be wrong with a log.

use std::fmt;

use audit_core::{Log, Sequence};

/// The first thing that is wrong with the records of a log, or with what it declares removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// An event is missing, repeated, or out of order.
    OutOfOrder {
        /// The sequence number that follows.
        expected: Sequence,
        /// The sequence number that was found.
        found: Sequence,
    },
    /// A record names another log, or another sequence number, than it was found under.
    Misplaced {
        /// The sequence number under which the record was found.
        at: Sequence,
        /// The log that the record names.
        log: Log,
        /// The sequence number that the record names.
        sequence: Sequence,
    },
    /// The log is shorter than its reference.
    Shorter {
        /// The number of events that were found.
        found: Sequence,
        /// The number of events of the reference.
        expected: Sequence,
        /// Where the expected size comes from.
        reference: Reference,
    },
    /// An event follows the end of the log.
    Longer {
        /// The size that the head of the log has.
        size: Sequence,
        /// The event that was found.
        found: Sequence,
    },
    /// One of the records from `first` to `last` was changed: a node of the tree, which the
    /// reference confirms, does not match them. There may be other changes.
    Changed {
        /// The first record that can be the changed one.
        first: Sequence,
        /// The last record that can be the changed one.
        last: Sequence,
    },
    /// The first `size` records do not have the root of the reference, and no node shows which of
    /// them was changed. The first `from` records were not read; the store's nodes replaced them,
    /// and one of these nodes can be the wrong one.
    RootMismatch {
        /// The number of records that were not read.
        from: Sequence,
        /// The number of records that an earlier checkpoint proves.
        after: Sequence,
        /// The size of the reference.
        size: Sequence,
        /// Where the expected root comes from.
        reference: Reference,
    },
    /// The head of the log and the frontier of its tree have different sizes.
    HeadMismatch {
        /// The size that the head has.
        head: Sequence,
        /// The size that the frontier has.
        frontier: Sequence,
    },
    /// The first events are missing, and no later event records their pruning.
    UndeclaredPruning {
        /// The last event that is missing.
        floor: Sequence,
    },
    /// More personal data is missing than the log records as erased.
    UndeclaredErasure {
        /// The first event of the range that shows it. Its personal data is missing.
        from: Sequence,
        /// The number of events from `from` on whose personal data is missing.
        missing: u64,
        /// The number of events that the log records as erased, from `from` on.
        declared: u64,
    },
    /// Less personal data is missing than the log records as erased: some was put back.
    Restored {
        /// The event that records the erasure.
        at: Sequence,
        /// The number of events before `at` whose personal data is missing.
        missing: u64,
        /// The number of events that the log records as erased, up to `at`.
        declared: u64,
    },
}

/// The source that a log is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// The head and the frontier that the store itself keeps.
    StoreHead,
    /// A checkpoint that was kept apart from the store.
    Checkpoint,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StoreHead => "the store's own head",
            Self::Checkpoint => "a kept checkpoint",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { expected, found } if found > expected => {
                write!(f, "event {expected} is missing: event {found} follows instead")
            }
            Self::OutOfOrder { expected, found } => {
                write!(f, "event {found} is repeated where event {expected} is expected")
            }
            Self::Misplaced { at, log, sequence } => {
                write!(f, "the record of event {at} names event {sequence} of log {log}")
            }
            Self::Shorter { found, expected, reference } => {
                write!(f, "the log has {found} events, and {reference} has {expected}")
            }
            Self::Longer { size, found } => {
                write!(f, "the log ends at event {size}, and event {found} was found")
            }
            Self::Changed { first, last } if first == last => {
                write!(f, "the record of event {first} was changed")
            }
            Self::Changed { first, last } => {
                write!(f, "a record of the events {first} to {last} was changed")
            }
            Self::RootMismatch { from, size, reference, .. } if size == from => write!(
                f,
                "the stored nodes of the first {size} events do not have the root of {reference}"
            ),
            Self::RootMismatch { from, after, size, reference } => {
                write!(f, "the first {size} records do not have the root of {reference}")?;
                if from.get() > 0 {
                    write!(f, ", with the stored nodes of the first {from}")?;
                }
                if after > from {
                    write!(f, "; the first {after} are proved")?;
                }
                Ok(())
            }
            Self::HeadMismatch { head, frontier } => write!(
                f,
                "the head of the log has {head} events, and the frontier of its tree {frontier}"
            ),
            Self::UndeclaredPruning { floor } => write!(
                f,
                "the events up to {floor} are missing, and no event records their pruning"
            ),
            Self::UndeclaredErasure { from, missing, declared } => write!(
                f,
                "personal data is missing without a recorded erasure: of {missing} events from \
                 event {from} on, where {declared} erasures are recorded"
            ),
            Self::Restored { at, missing, declared } => write!(
                f,
                "erased personal data was put back: before event {at} it is missing of {missing} \
                 events, and {declared} erasures are recorded"
            ),
        }
    }
}

impl std::error::Error for Finding {}
