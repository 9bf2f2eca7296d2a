//! The audit: reads a log from its beginning and compares it with what was stated about it.

use std::cmp::Reverse;
use std::fmt;

use audit_core::{
    Error, Log, Result, Sequence, Violation,
    backend::{PersonalData, StoredEvent},
    tree::LogEntry,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::told::Told;
use crate::{
    Fault, Frontier, LeafHash, Node, NodeHash, NodeId, Nodes, Report, Stated, TreeHead,
    nodes::Whole,
};

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
    /// The largest first; of one size, the kept ones last.
    heads: Vec<(TreeHead, Stated)>,
    nodes: Option<&'a (dyn Nodes + Sync)>,
    /// What kept nodes say otherwise than the events since the last head that was right.
    suspects: Vec<Node>,
    /// The head that is not the root of the records.
    denied: Option<TreeHead>,
    /// The log, and how its records begin, up to their number.
    log: Option<(Log, String)>,
    /// The first record that says that it belongs elsewhere.
    misplaced: Option<Fault>,
    told: Told,
    report: Report,
}

/// The most entries of a list in a report.
pub(crate) const LISTED: usize = 1_000;

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
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if a head is smaller than the edge:
    /// there is nothing to compare it with.
    pub fn resume(frontier: Frontier, heads: impl IntoIterator<Item = TreeHead>) -> Result<Self> {
        let mut heads: Vec<_> = heads.into_iter().map(|head| (head, Stated::Checkpoint)).collect();
        sort(&mut heads);
        if heads.last().is_some_and(|(head, _)| head.size < frontier.size()) {
            let min = frontier.size().get().cast_signed();
            return Err(Error::invalid("heads", Violation::OutOfRange { min, max: i64::MAX }));
        }
        let report = Report { from: frontier.size(), ..Report::default() };
        let mut audit = Self {
            frontier,
            heads,
            nodes: None,
            suspects: Vec::new(),
            denied: None,
            log: None,
            misplaced: None,
            told: Told::default(),
            report,
        };
        audit.compare();
        Ok(audit)
    }

    /// Compares the nodes of the tree with kept ones, too.
    #[must_use]
    pub fn with_nodes(mut self, nodes: &'a (dyn Nodes + Sync)) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Asks of each record that it names `log`, and the number at which it stands.
    #[must_use]
    pub fn of(mut self, log: Log) -> Self {
        self.log = Some((log, format!(r#"{{"v":1,"log":"{log}","sequence":"#)));
        self
    }

    /// Compares with what the store itself states, too. It must not be smaller than what was read.
    pub(crate) fn expect(&mut self, own: TreeHead) {
        self.heads.push((own, Stated::Store));
        sort(&mut self.heads);
        self.compare();
    }

    /// The number of events that are behind.
    pub(crate) fn size(&self) -> Sequence {
        self.frontier.size()
    }

    /// Takes the next event, and checks its personal part against the record.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn event(&mut self, sequence: Sequence, event: &StoredEvent) -> Result<()> {
        self.look_into(sequence, event);
        self.record(sequence, &event.record)
    }

    /// As [`event`](Self::event), compared with the leaf beside it and with these nodes above.
    pub(crate) fn entry(&mut self, entry: &LogEntry, above: &dyn Nodes) -> Result<()> {
        self.look_into(entry.sequence, &entry.event);
        self.take(entry.sequence, &entry.event.record, Some(entry.leaf.into()), Some(above))
    }

    /// Takes what an event tells beside its hash.
    fn look_into(&mut self, sequence: Sequence, event: &StoredEvent) {
        self.told.event(sequence, event);
        if event.personal.as_ref().is_some_and(|part| !is_of(part, event))
            && self.report.personal.len() < LISTED
        {
            self.report.personal.push(sequence);
        }
    }

    /// Takes the record of the next event.
    ///
    /// What is wrong with it is no error but a [fault](Self::fault). After one the rest can still be
    /// given, and is no longer compared.
    ///
    /// # Errors
    /// Those of the kept nodes.
    pub fn record(&mut self, sequence: Sequence, record: &[u8]) -> Result<()> {
        let leaf = match self.nodes {
            Some(nodes) => nodes.node(NodeId::new(0, self.frontier.size().get()))?,
            None => None,
        };
        self.take(sequence, record, leaf, self.nodes.map(|nodes| nodes as _))
    }

    /// Takes a record, and compares the nodes that it completes with the kept leaf and those above.
    fn take(
        &mut self,
        sequence: Sequence,
        record: &[u8],
        kept: Option<NodeHash>,
        above: Option<&dyn Nodes>,
    ) -> Result<()> {
        if self.report.fault.is_some() {
            return Ok(());
        }
        let index = self.frontier.size().get();
        let expected = Sequence::new(index + 1)?;
        if sequence != expected {
            self.report.fault = Some(Fault::OutOfOrder { expected, found: sequence });
            return Ok(());
        }
        if self.misplaced.is_none() {
            self.misplaced = self.misplaced(sequence, record);
        }
        let leaf = LeafHash::of(record);
        let (suspects, mut read) = (&mut self.suspects, Ok(()));
        let mut compare = |node: Node, kept: Option<NodeHash>| {
            let other = kept.filter(|kept| *kept != node.hash && suspects.len() < LISTED);
            suspects.extend(other.map(|hash| Node { hash, ..node }));
        };
        compare(Node { id: NodeId::new(0, index), hash: leaf.into() }, kept);
        self.frontier.push(leaf, |node| {
            let Some(above) = above.filter(|_| read.is_ok()) else { return };
            match above.node(node.id) {
                Ok(kept) => compare(node, kept),
                Err(error) => read = Err(error),
            }
        })?;
        read?;
        self.compare();
        if let (Some(head), Some(kept)) = (self.denied, self.nodes) {
            for suspect in self.suspects.clone() {
                if self.convict(suspect, &head, kept)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A record that says that it belongs elsewhere. One that cannot be read says nothing.
    fn misplaced(&self, at: Sequence, record: &[u8]) -> Option<Fault> {
        let (log, begin) = self.log.as_ref()?;
        // Only one that does not begin as it should is read.
        let number = record.strip_prefix(begin.as_bytes()).and_then(|rest| {
            let digits = rest.split(|byte| *byte == b',').next()?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        });
        if number == Some(at.get()) {
            return None;
        }
        let says = StoredEvent { record: record.to_vec(), personal: None }.decode().ok()?;
        let is_right = (says.log, says.sequence) == (*log, at);
        let fault = Fault::Misplaced { at, log: says.log, sequence: says.sequence };
        (!is_right).then_some(fault)
    }

    /// The first thing that is wrong so far: a reason to stop.
    pub fn fault(&self) -> Option<&Fault> {
        self.report.fault.as_ref()
    }

    /// Ends the audit.
    ///
    /// Whether the log tells of all [erased](Report::erased) events is not judged: those that tell
    /// may come behind what was read.
    pub fn finish(mut self) -> Report {
        self.report.head = self.frontier.head();
        (self.report.erased, self.report.stated) = (self.told.erased, self.told.stated);
        let largest = self.heads.iter().max_by_key(|(head, by)| (head.size, *by));
        self.report.fault = match (self.report.fault.take(), self.misplaced, largest) {
            // What was put in before a record displaced it. No later one can be the first.
            (Some(Fault::Changed { first, last }), Some(Fault::Misplaced { at, .. }), _)
                if first < at =>
            {
                Some(Fault::Changed { first, last: last.min(at) })
            }
            (_, Some(misplaced), _) => Some(misplaced),
            (None, None, Some((head, by))) => {
                let (found, expected) = (self.frontier.size(), head.size);
                Some(Fault::Shorter { found, expected, by: *by })
            }
            (fault, ..) => fault,
        };
        self.report
    }

    /// What the events that were read tell of their log.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// Counts no more events without a personal part.
    pub(crate) fn count_no_more(&mut self) {
        self.told.close();
    }

    /// Takes `fault`, unless there is one.
    pub(crate) fn blame(&mut self, fault: Option<Fault>) {
        self.report.fault = self.report.fault.take().or(fault);
    }

    /// Notes nodes that are not kept as they should be.
    pub(crate) fn lacks(&mut self, nodes: Vec<NodeId>) {
        let room = LISTED.saturating_sub(self.report.nodes.len());
        self.report.nodes.extend(nodes.into_iter().take(room));
    }

    /// Compares the root with the heads of the size that is reached, the kept ones first.
    fn compare(&mut self) {
        let size = self.frontier.size();
        while self.report.fault.is_none()
            && let Some((head, by)) = self.heads.pop_if(|(head, _)| head.size == size)
        {
            if self.frontier.root() != head.root {
                let after = self.report.proved;
                let from = self.report.from;
                self.report.fault = Some(Fault::Differs { from, after, size, by });
                self.denied = Some(head);
                return;
            }
            if by == Stated::Checkpoint {
                self.report.proved = size;
            }
            let wrong = self.suspects.drain(..).map(|node| node.id).collect();
            self.lacks(wrong);
        }
    }

    /// What may be the first place where the records are wrong, and the head that says that they
    /// are.
    pub(crate) fn suspects(&self) -> Option<(TreeHead, Vec<Node>)> {
        self.denied.map(|head| (head, self.suspects.clone()))
    }

    /// Tells the place if the kept node `suspect` belongs to `head`: then the records are not those
    /// that were below it.
    pub(crate) fn convict(
        &mut self,
        suspect: Node,
        head: &TreeHead,
        kept: &dyn Nodes,
    ) -> Result<bool> {
        let (first, last) = suspect.id.events();
        // Of a node that reaches below the first record, others that are kept may be to blame.
        let holds = first > Sequence::try_from(self.report.from.get())?
            && Whole::new(kept, &self.frontier).holds(suspect, head)?;
        if holds {
            self.report.fault = Some(Fault::Changed { first, last });
        }
        Ok(holds)
    }
}

/// The next to compare comes last.
fn sort(heads: &mut [(TreeHead, Stated)]) {
    heads.sort_by_key(|(head, by)| (Reverse(head.size), *by));
}

/// Whether `part` is the personal part of the event.
fn is_of(part: &PersonalData, event: &StoredEvent) -> bool {
    // The digest is what the record ends with. Only where it does not is the record read.
    let mut digest = [0; 43];
    let end = event.record.strip_suffix(br#""}"#).and_then(|rest| rest.split_last_chunk());
    let is_at_end = URL_SAFE_NO_PAD.encode_slice(part.digest(), &mut digest) == Ok(digest.len())
        && end.is_some_and(|(rest, found)| *found == digest && rest.ends_with(br#","personal":""#));
    is_at_end || matches!(event.personal_is_intact(), Ok(Some(true)))
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
