//! What an audit has found.

use std::fmt;

use audit_core::{Error, ErrorKind, Log, Result, Sequence};

use crate::{NodeId, TreeHead};

/// What an [`Audit`](crate::Audit), or a [verification](crate::ProvableExt::verify), has found. As
/// text it says so in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The events before the first that was read: none, or what retention has removed, or what a
    /// kept checkpoint stands for.
    pub from: Sequence,
    /// The size and the root of what was read, up to the first fault.
    pub head: TreeHead,
    /// The size of the largest kept head that is the root of what was read: the records up to it
    /// are those that were stated.
    pub proved: Sequence,
    /// The kept heads of fewer events than [`from`](Self::from): there was nothing to compare them
    /// with.
    pub skipped: Vec<TreeHead>,
    /// Events without a personal part. Erasing is allowed, and told by an event of its own.
    pub erased: u64,
    /// How many erased events the log tells of. It can be more than there are, where retention has
    /// removed some of them since.
    pub stated: u64,
    /// The first thing that is wrong with the records, and with it the audit's verdict on them.
    pub fault: Option<Fault>,
    /// Events whose personal part is not that which was recorded; the first 1,000.
    pub personal: Vec<Sequence>,
    /// Nodes, by level and index, that are missing or not those of the records; the first 1,000. The
    /// records are right, and proofs made of these nodes will fail.
    pub nodes: Vec<NodeId>,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An event is missing, or comes twice, or at the wrong place.
    OutOfOrder {
        /// The number that comes next.
        expected: Sequence,
        /// The number that came.
        found: Sequence,
    },
    /// The record at a place says that it belongs to another.
    Misplaced {
        /// Where the record is.
        at: Sequence,
        /// The log that it names.
        log: Log,
        /// The number that it names.
        sequence: Sequence,
    },
    /// The log ends before the event that is stated to be its last.
    Shorter {
        /// The events that were there.
        found: Sequence,
        /// The events that were stated.
        expected: Sequence,
        /// Who states it.
        by: Stated,
    },
    /// There is an event behind the end of the log.
    Longer {
        /// Where the log ends, as its head says.
        size: Sequence,
        /// The event that is there.
        found: Sequence,
    },
    /// One of the records from `first` to `last` was changed: a kept node, which what is stated
    /// proves, is not theirs. There may be others.
    Changed {
        /// The first record that can be it.
        first: Sequence,
        /// The last.
        last: Sequence,
    },
    /// The first `size` records do not have the root that is stated; the first `after` had that of
    /// a kept checkpoint. No kept node tells more. For the first `from`, which were not read, kept
    /// nodes stand, and what is wrong can be one of these.
    Differs {
        /// The records that were not read.
        from: Sequence,
        /// The records that are proved.
        after: Sequence,
        /// The size that is stated.
        size: Sequence,
        /// Who states it.
        by: Stated,
    },
    /// The head of the log and the edge of its tree are of different sizes.
    Edge {
        /// The events, as the head says.
        head: Sequence,
        /// The events, as the edge says.
        edge: Sequence,
    },
    /// The first events are gone, and none of those that are left tells that they were removed.
    Removed {
        /// The last event that is gone.
        floor: Sequence,
    },
    /// From an event on there are more without a personal part than the log tells of.
    Missing {
        /// The event, itself one of them.
        from: Sequence,
        /// How many have none, from there on.
        missing: u64,
        /// How many the log says were erased, from there on.
        stated: u64,
    },
    /// An event tells of erasures, and there are fewer before it: a personal part was put back.
    Restored {
        /// The event that tells.
        at: Sequence,
        /// How many before it have no personal part.
        missing: u64,
        /// How many the log, up to it, says were erased.
        stated: u64,
    },
}

/// Who states what a log should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stated {
    /// The store itself, in the log's head and the edge of its tree.
    Store,
    /// A kept checkpoint.
    Checkpoint,
}

impl Report {
    /// Whether nothing is wrong: not the records, not what there is of personal parts, not the kept
    /// nodes. Whether they were [proved](Self::proved) is another question.
    pub fn is_intact(&self) -> bool {
        self.fault.is_none() && self.personal.is_empty() && self.nodes.is_empty()
    }

    /// The report if [nothing is wrong](Self::is_intact).
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: the field is `records`, with the [`Fault`] as its source, or
    /// `personal[…]` or `nodes[…][…]` with the first of them.
    pub fn into_result(self) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt).with_context("verifying a log");
        if let Some(fault) = self.fault {
            return Err(corrupt().with_field("records").with_source(fault));
        }
        if let Some(sequence) = self.personal.first() {
            return Err(corrupt().with_field(format!("personal[{sequence}]")));
        }
        if let Some(id) = self.nodes.first() {
            return Err(corrupt().with_field(format!("nodes[{}][{}]", id.level, id.index)));
        }
        Ok(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, head: TreeHead { size, root }, proved, .. } = self;
        writeln!(f, "The events behind {from} were read up to {size}, where the root is {root}.")?;
        if proved.get() == 0 {
            writeln!(f, "No checkpoint states any of them.")?;
        } else {
            writeln!(f, "A checkpoint states the first {proved}.")?;
        }
        for head in &self.skipped {
            writeln!(f, "The checkpoint of {} events is of fewer, and says nothing.", head.size)?;
        }
        if self.erased > 0 {
            writeln!(
                f,
                "{} have no personal part; the log tells of {}.",
                self.erased, self.stated
            )?;
        }
        if let Some(fault) = &self.fault {
            writeln!(f, "WRONG: {fault}.")?;
        }
        if let Some(first) = self.personal.first() {
            let count = self.personal.len();
            writeln!(
                f,
                "WRONG: {count} personal parts were changed, first that of event {first}."
            )?;
        }
        if let Some(id) = self.nodes.first() {
            let count = self.nodes.len();
            writeln!(f, "WRONG: {count} nodes were changed, first ({}, {}).", id.level, id.index)?;
        }
        f.write_str(if self.is_intact() { "Nothing is wrong." } else { "The log is not intact." })
    }
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "the store's own head",
            Self::Checkpoint => "a checkpoint",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { expected, found } if found > expected => {
                write!(f, "event {expected} is missing: event {found} stands in its place")
            }
            Self::OutOfOrder { expected, found } => {
                write!(f, "event {found} comes again, where event {expected} should be")
            }
            Self::Misplaced { at, log, sequence } => {
                write!(f, "the record of event {at} says that it is event {sequence} of log {log}")
            }
            Self::Shorter { found, expected, by } => {
                write!(f, "there are {found} events, and {by} states {expected}")
            }
            Self::Longer { size, found } => {
                write!(f, "the log ends at event {size}, and there is event {found}")
            }
            Self::Changed { first, last } if first == last => {
                write!(f, "the record of event {first} was changed")
            }
            Self::Changed { first, last } => {
                write!(f, "a record of the events {first} to {last} was changed")
            }
            Self::Differs { from, size, by, .. } if size == from => write!(
                f,
                "the nodes that are kept of the first {size} events do not have the root that {by} \
                 states"
            ),
            Self::Differs { from, after, size, by } => {
                if from.get() > 0 {
                    write!(f, "with the nodes that are kept of those up to {from}, ")?;
                }
                write!(f, "the first {size} records do not have the root that {by} states")?;
                if after > from {
                    write!(f, "; up to {after} they are proved")?;
                }
                Ok(())
            }
            Self::Edge { head, edge } => {
                write!(f, "the log's head states {head} events, and the edge of its tree {edge}")
            }
            Self::Removed { floor } => {
                write!(
                    f,
                    "the events up to {floor} are gone, and no event tells that they were removed"
                )
            }
            Self::Missing { from, missing, stated } => write!(
                f,
                "personal parts are missing that no event tells of: {missing} from event {from} on, \
                 where the log tells of {stated}"
            ),
            Self::Restored { at, missing, stated } => write!(
                f,
                "personal parts that were erased are there: before event {at} {missing} are \
                 missing, and the log tells of {stated}"
            ),
        }
    }
}

impl std::error::Error for Fault {}
