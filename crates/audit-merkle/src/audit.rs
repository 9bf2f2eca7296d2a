//! The audit: reads a log from its beginning and compares it with what was stated about it.

use std::fmt;

use audit_core::{Error, ErrorKind, PersonalPart, Result, Sequence, StoredEvent, Violation};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Frontier, LeafHash, Node, NodeHash, Nodes, TreeHead, TreeSize, nodes::Whole};

/// Takes the events of a log in their order and compares their roots with the heads of kept
/// checkpoints.
///
/// The checkpoints must be verified, and kept where whoever can change the log cannot change them.
/// Each of them is compared when its size is reached, so that several tell between which of them a
/// log was changed. With the nodes that a store keeps, or a list of leaf hashes, it tells the place.
///
/// ```
/// use audit_core::Sequence;
/// use audit_merkle::{Audit, Fault, Frontier, LeafHash};
///
/// let mut frontier = Frontier::new();
/// frontier.append(LeafHash::of(b"one"))?;
/// frontier.append(LeafHash::of(b"two"))?;
///
/// let mut audit = Audit::new([frontier.head()])?;
/// audit.record(Sequence::new(1)?, b"one")?;
/// audit.record(Sequence::new(2)?, b"TWO")?;
/// assert!(matches!(audit.finish().fault, Some(Fault::Differs { .. })));
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Audit<'a> {
    frontier: Frontier,
    /// The largest first.
    heads: Vec<TreeHead>,
    nodes: Option<&'a dyn Nodes>,
    /// What `nodes` say otherwise than the events since the last head that was right.
    suspects: Vec<Node>,
    report: Report,
}

/// What an [`Audit`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The size and the root of what was read, up to the first fault.
    pub head: TreeHead,
    /// The size of the largest head that is the root of what was read: the records up to it are
    /// those that were stated.
    pub proved: TreeSize,
    /// Events without a personal part. Erasing is allowed, and an event of its own: whether there
    /// were so many is for the log to tell.
    pub erased: u64,
    /// The first thing that is wrong with the records, and with it the audit's verdict on them.
    pub fault: Option<Fault>,
    /// Events whose personal part is not that which was recorded; the first 1,000.
    pub personal: Vec<Sequence>,
    /// Nodes that are not those of the proved records; the first 1,000. The records are right, and
    /// proofs made of these nodes will fail.
    pub nodes: Vec<Node>,
}

/// What is wrong with the records of a log.
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
    /// The log ends before the event that a checkpoint states to be its last.
    Shorter {
        /// The events that were there.
        found: TreeSize,
        /// The events that were stated.
        expected: TreeSize,
    },
    /// One of the records from `first` to `last` was changed: a kept node, which the checkpoint
    /// proves, is not theirs. There may be others.
    Changed {
        /// The first record that can be it.
        first: Sequence,
        /// The last.
        last: Sequence,
    },
    /// The first `size` records do not have the root that a checkpoint states; the first `after`
    /// still had. No kept node tells more.
    Differs {
        /// The records that are proved.
        after: TreeSize,
        /// The size of the checkpoint.
        size: TreeSize,
    },
}

/// The most entries of a list in a report.
const LISTED: usize = 1_000;

impl<'a> Audit<'a> {
    /// An audit of a log from its first event, against `heads` in any order; without any, it
    /// computes the root and proves nothing.
    pub fn new(heads: impl IntoIterator<Item = TreeHead>) -> Result<Self> {
        Self::resume(Frontier::new(), heads)
    }

    /// An audit of what retention has left: of the events behind `frontier`.
    ///
    /// The edge need not be trusted. If it is not that of the removed events, no head is right.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if a head is smaller than the edge: there is nothing to compare it with.
    pub fn resume(frontier: Frontier, heads: impl IntoIterator<Item = TreeHead>) -> Result<Self> {
        let mut heads: Vec<_> = heads.into_iter().collect();
        heads.sort_by_key(|head| std::cmp::Reverse(head.size));
        if heads.last().is_some_and(|head| head.size < frontier.size()) {
            let min = frontier.size().get().cast_signed();
            return Err(Error::invalid("heads", Violation::OutOfRange { min, max: i64::MAX }));
        }
        let report = Report::default();
        let suspects = Vec::new();
        let mut audit = Self { frontier, heads, nodes: None, suspects, report };
        audit.compare()?;
        Ok(audit)
    }

    /// Compares the nodes of the tree with kept ones, too.
    #[must_use]
    pub fn with_nodes(mut self, nodes: &'a dyn Nodes) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Takes the next event, and checks its personal part against the record.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn event(&mut self, sequence: Sequence, event: &StoredEvent) -> Result<()> {
        match &event.personal {
            None => self.report.erased += 1,
            Some(part) if is_of(part, event) => {}
            Some(_) if self.report.personal.len() < LISTED => self.report.personal.push(sequence),
            Some(_) => {}
        }
        self.record(sequence, &event.record)
    }

    /// Takes the record of the next event.
    ///
    /// What is wrong with it is no error but a [fault](Self::fault). After one the rest can still be
    /// given, and is no longer compared.
    ///
    /// # Errors
    /// Those of the kept nodes.
    pub fn record(&mut self, sequence: Sequence, record: &[u8]) -> Result<()> {
        let expected = Sequence::new(self.frontier.size().get() + 1)?;
        if self.report.fault.is_some() {
            return Ok(());
        }
        if sequence != expected {
            self.report.fault = Some(Fault::OutOfOrder { expected, found: sequence });
            return Ok(());
        }
        let leaf = LeafHash::of(record);
        let Some(kept) = self.nodes else {
            self.frontier.push(leaf, |_| {})?;
            return self.compare();
        };
        let mut computed =
            vec![Node { level: 0, index: self.frontier.size().get(), hash: NodeHash::from(leaf) }];
        computed.extend(self.frontier.append(leaf)?);
        for Node { level, index, hash } in computed {
            match kept.node(level, index)? {
                Some(other) if other != hash && self.suspects.len() < LISTED => {
                    self.suspects.push(Node { level, index, hash: other });
                }
                _ => {}
            }
        }
        self.compare()
    }

    /// The first thing that is wrong so far: a reason to stop.
    pub fn fault(&self) -> Option<&Fault> {
        self.report.fault.as_ref()
    }

    /// Ends the audit.
    pub fn finish(mut self) -> Report {
        self.report.head = self.frontier.head();
        if let (None, Some(largest)) = (&self.report.fault, self.heads.first()) {
            let found = self.frontier.size();
            self.report.fault = Some(Fault::Shorter { found, expected: largest.size });
        }
        self.report
    }

    /// Compares the root with the heads of the size that is reached.
    fn compare(&mut self) -> Result<()> {
        while let Some(head) = self.heads.pop_if(|head| head.size == self.frontier.size()) {
            if self.frontier.root() != head.root {
                self.report.fault = Some(self.place(&head)?);
                return Ok(());
            }
            self.report.proved = head.size;
            let room = LISTED.saturating_sub(self.report.nodes.len());
            self.report.nodes.extend(self.suspects.drain(..).take(room));
        }
        Ok(())
    }

    /// Where the records are wrong: at the first node that belongs to `head` and is not theirs.
    fn place(&self, head: &TreeHead) -> Result<Fault> {
        if let Some(kept) = self.nodes {
            let whole = Whole::new(kept, &self.frontier);
            for suspect in &self.suspects {
                if whole.holds(*suspect, head)? {
                    let (first, last) = suspect.events();
                    return Ok(Fault::Changed { first, last });
                }
            }
        }
        Ok(Fault::Differs { after: self.report.proved, size: head.size })
    }
}

/// Whether `part` is the personal part of the event.
fn is_of(part: &PersonalPart, event: &StoredEvent) -> bool {
    // The digest is what the record ends with. Only where it does not is the record read.
    let end = format!(r#","personal":"{}"}}"#, URL_SAFE_NO_PAD.encode(part.digest()));
    event.record.ends_with(end.as_bytes()) || matches!(event.personal_is_intact(), Ok(Some(true)))
}

impl Report {
    /// Whether nothing is wrong: not the records, not what there is of personal parts, not the kept
    /// nodes.
    pub fn is_intact(&self) -> bool {
        self.fault.is_none() && self.personal.is_empty() && self.nodes.is_empty()
    }

    /// The report if [nothing is wrong](Self::is_intact).
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: the field is `records`, with the [`Fault`] as its source, `personal`
    /// or `nodes`.
    pub fn into_result(self) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt).with_context("verifying a log");
        if let Some(fault) = self.fault {
            return Err(corrupt().with_field("records").with_source(fault));
        }
        if let Some(sequence) = self.personal.first() {
            return Err(corrupt().with_field(format!("personal[{sequence}]")));
        }
        if let Some(Node { level, index, .. }) = self.nodes.first() {
            return Err(corrupt().with_field(format!("nodes[{level}][{index}]")));
        }
        Ok(self)
    }
}

impl fmt::Debug for Audit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("size", &self.frontier.size())
            .field("heads", &self.heads)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { expected, found } => {
                write!(f, "event {expected} comes next, and event {found} came")
            }
            Self::Shorter { found, expected } => {
                write!(f, "there are {found} events, and a checkpoint states {expected}")
            }
            Self::Changed { first, last } if first == last => {
                write!(f, "the record of event {first} was changed")
            }
            Self::Changed { first, last } => {
                write!(f, "a record of the events {first} to {last} was changed")
            }
            Self::Differs { after, size } => write!(
                f,
                "the first {size} records do not have the root that their checkpoint states; the \
                 first {after} had theirs"
            ),
        }
    }
}

impl std::error::Error for Fault {}
