//! The verifier of a log: takes its records in order and compares the tree with kept heads.

use std::cmp::Reverse;
use std::fmt;

use audit_core::{
    Error, Log, Result, Sequence, Violation,
    backend::{PersonalData, StoredEvent},
    tree::LogEntry,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::reconstruction::ReconstructedNodes;
use crate::removals::DeclaredRemovals;
use crate::state::DeclaredState;
use crate::{
    Finding, Frontier, LeafHash, Node, NodeHash, NodeId, Nodes, Reference, Report, TreeHead,
};

/// Verifies the records of a log, one after the other, against the heads of kept checkpoints.
///
/// Use it for records that are in no store: an export, or the rows of a database. For a store, use
/// [`VerifyExt::verify`](crate::VerifyExt::verify).
///
/// The signatures of the checkpoints must be verified, and the checkpoints kept where nobody who can
/// change the log can change them. Each head is compared when its size is reached, so several heads
/// narrow down where a log was changed. The nodes that a store keeps, or a list of leaf hashes,
/// narrow it down to the record.
///
/// ```
/// use audit_core::Sequence;
/// use audit_merkle::{Finding, Frontier, LeafHash, LogVerifier};
///
/// let mut frontier = Frontier::new();
/// frontier.append(LeafHash::of(b"one"))?;
/// frontier.append(LeafHash::of(b"two"))?;
///
/// let mut verifier = LogVerifier::new([frontier.head()]);
/// verifier.record(Sequence::new(1)?, b"one")?;
/// verifier.record(Sequence::new(2)?, b"TWO")?;
/// assert!(matches!(verifier.finish().finding, Some(Finding::RootMismatch { .. })));
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone)]
pub struct LogVerifier<'a> {
    frontier: Frontier,
    /// The heads to compare, the largest first; of one size, the kept ones last.
    heads: Vec<(TreeHead, Reference)>,
    nodes: Option<&'a (dyn Nodes + Sync)>,
    /// The stored nodes that do not match the records since the last head that matched.
    suspects: Vec<Node>,
    /// The head that does not match the records.
    mismatch: Option<TreeHead>,
    /// The log, and how its records begin, up to the sequence number.
    log: Option<(Log, String)>,
    /// The first record that names another log or sequence number.
    misplaced: Option<Finding>,
    removals: DeclaredRemovals,
    state: DeclaredState,
    report: Report,
}

/// The highest number of entries of a list in a report.
pub(crate) const MAX_LISTED: usize = 1_000;

impl<'a> LogVerifier<'a> {
    /// Creates a verifier that starts at the first event and compares with `heads`, in any order.
    /// Without heads it computes the root and proves nothing.
    pub fn new(heads: impl IntoIterator<Item = TreeHead>) -> Self {
        let heads = heads.into_iter().map(|head| (head, Reference::Checkpoint));
        Self::start(Frontier::new(), heads.collect())
    }

    /// Creates a verifier that starts after `frontier`, for a log whose first events were pruned.
    ///
    /// The frontier need not be trusted. If it is not that of the removed events, no head matches.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) with the field `heads` if a head is
    /// smaller than the frontier: it cannot be compared.
    pub fn resume(frontier: Frontier, heads: impl IntoIterator<Item = TreeHead>) -> Result<Self> {
        let heads: Vec<_> = heads.into_iter().map(|head| (head, Reference::Checkpoint)).collect();
        if heads.iter().any(|(head, _)| head.size < frontier.size()) {
            let min = frontier.size().get().cast_signed();
            return Err(Error::invalid("heads", Violation::OutOfRange { min, max: i64::MAX }));
        }
        Ok(Self::start(frontier, heads))
    }

    fn start(frontier: Frontier, mut heads: Vec<(TreeHead, Reference)>) -> Self {
        sort(&mut heads);
        let report = Report { from: frontier.size(), kept: heads.len(), ..Report::default() };
        let mut verifier = Self {
            frontier,
            heads,
            nodes: None,
            suspects: Vec::new(),
            mismatch: None,
            log: None,
            misplaced: None,
            removals: DeclaredRemovals::default(),
            state: DeclaredState::default(),
            report,
        };
        verifier.compare();
        verifier
    }

    /// Compares the nodes of the tree with stored ones as well.
    #[must_use]
    pub fn with_nodes(mut self, nodes: &'a (dyn Nodes + Sync)) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Requires of each record that it names `log` and the sequence number under which it is given.
    #[must_use]
    pub fn with_log(mut self, log: Log) -> Self {
        self.log = Some((log, format!(r#"{{"v":1,"log":"{log}","sequence":"#)));
        self
    }

    /// Compares with the store's own head as well. It must not be smaller than what was read.
    pub(crate) fn expect(&mut self, own: TreeHead) {
        self.heads.push((own, Reference::StoreHead));
        sort(&mut self.heads);
        self.compare();
    }

    /// Returns the number of the last event that was taken.
    pub(crate) fn size(&self) -> Sequence {
        self.frontier.size()
    }

    /// Takes the next event, and compares its personal data with the digest in the record.
    ///
    /// # Errors
    /// Those of [`record`](Self::record).
    pub fn event(&mut self, sequence: Sequence, event: &StoredEvent) -> Result<()> {
        self.inspect(sequence, event);
        self.record(sequence, &event.record)
    }

    /// Takes the next event, and compares it with its stored leaf and with the nodes `above`.
    pub(crate) fn entry(&mut self, entry: &LogEntry, above: &dyn Nodes) -> Result<()> {
        self.inspect(entry.sequence, &entry.event);
        self.take(entry.sequence, &entry.event.record, Some(entry.leaf.into()), Some(above))
    }

    /// Takes the declared removals, and the state of the personal data.
    fn inspect(&mut self, sequence: Sequence, event: &StoredEvent) {
        self.removals.event(sequence, event);
        self.state.event(event);
        if event.personal.as_ref().is_some_and(|personal| !is_of(personal, event))
            && self.report.personal.len() < MAX_LISTED
        {
            self.report.personal.push(sequence);
        }
    }

    /// Takes the record of the next event.
    ///
    /// A wrong record is no error but a [finding](Self::finding). After one, further records can be
    /// given; they are not compared.
    ///
    /// # Errors
    /// Those of the [nodes](Self::with_nodes).
    pub fn record(&mut self, sequence: Sequence, record: &[u8]) -> Result<()> {
        let leaf = match self.nodes {
            Some(nodes) => nodes.node(NodeId::new(0, self.frontier.size().get()))?,
            None => None,
        };
        self.take(sequence, record, leaf, self.nodes.map(|nodes| nodes as _))
    }

    /// Takes a record, and compares the nodes that it completes with its stored leaf and the stored
    /// nodes above.
    fn take(
        &mut self,
        sequence: Sequence,
        record: &[u8],
        stored: Option<NodeHash>,
        above: Option<&dyn Nodes>,
    ) -> Result<()> {
        if self.report.finding.is_some() {
            return Ok(());
        }
        let index = self.frontier.size().get();
        let expected = Sequence::new(index + 1)?;
        if sequence != expected {
            self.report.finding = Some(Finding::OutOfOrder { expected, found: sequence });
            return Ok(());
        }
        if self.misplaced.is_none() {
            self.misplaced = self.misplaced(sequence, record);
        }
        self.report.clock_faults += u64::from(has_clock_reading(record));
        let leaf = LeafHash::of(record);
        let (suspects, mut read) = (&mut self.suspects, Ok(()));
        let mut compare = |node: Node, stored: Option<NodeHash>| {
            let other = stored.filter(|stored| *stored != node.hash && suspects.len() < MAX_LISTED);
            suspects.extend(other.map(|hash| Node { hash, ..node }));
        };
        compare(Node { id: NodeId::new(0, index), hash: leaf.into() }, stored);
        self.frontier.push(leaf, |node| {
            let Some(above) = above.filter(|_| read.is_ok()) else { return };
            match above.node(node.id) {
                Ok(stored) => compare(node, stored),
                Err(error) => read = Err(error),
            }
        })?;
        read?;
        self.compare();
        if let (Some(head), Some(nodes)) = (self.mismatch, self.nodes) {
            for suspect in self.suspects.clone() {
                if self.locate(suspect, &head, nodes)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns a finding if the record names another log or sequence number. A record that cannot be
    /// decoded names nothing.
    fn misplaced(&self, at: Sequence, record: &[u8]) -> Option<Finding> {
        let (log, begin) = self.log.as_ref()?;
        // Only a record that does not begin as expected is decoded.
        let number = record.strip_prefix(begin.as_bytes()).and_then(|rest| {
            let digits = rest.split(|byte| *byte == b',').next()?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        });
        if number == Some(at.get()) {
            return None;
        }
        let named = StoredEvent::new(record.to_vec(), None).decode().ok()?;
        let is_right = (named.log, named.sequence) == (*log, at);
        let finding = Finding::Misplaced { at, log: named.log, sequence: named.sequence };
        (!is_right).then_some(finding)
    }

    /// Returns the first finding so far. The caller may stop then.
    pub fn finding(&self) -> Option<&Finding> {
        self.report.finding.as_ref()
    }

    /// Ends the verification.
    ///
    /// Does not judge whether the log declares all [erased](Report::erased) events: the events that
    /// declare them may come after the last one that was given.
    pub fn finish(mut self) -> Report {
        self.report.head = self.frontier.head();
        self.report.erased = self.removals.missing;
        self.report.declared_erased = self.removals.erased_count;
        let largest = self.heads.iter().max_by_key(|(head, reference)| (head.size, *reference));
        self.report.finding = match (self.report.finding.take(), self.misplaced, largest) {
            // Something was inserted before a record that it displaced. The change cannot be later.
            (Some(Finding::Changed { first, last }), Some(Finding::Misplaced { at, .. }), _)
                if first < at =>
            {
                Some(Finding::Changed { first, last: last.min(at) })
            }
            (_, Some(misplaced), _) => Some(misplaced),
            (None, None, Some((head, reference))) => {
                let (found, expected) = (self.frontier.size(), head.size);
                Some(Finding::Shorter { found, expected, reference: *reference })
            }
            (finding, ..) => finding,
        };
        self.report
    }

    /// Returns the removals that the events taken so far declare.
    pub(crate) fn removals(&self) -> &DeclaredRemovals {
        &self.removals
    }

    /// Returns the state that the events taken so far declare.
    pub(crate) fn state(&self) -> &DeclaredState {
        &self.state
    }

    /// Stops counting events whose personal data is missing.
    pub(crate) fn close_removals(&mut self) {
        self.removals.close();
    }

    /// Reports `finding`, unless there is an earlier one.
    pub(crate) fn report(&mut self, finding: Option<Finding>) {
        self.report.finding = self.report.finding.take().or(finding);
    }

    /// Reports nodes that are missing or wrong.
    pub(crate) fn report_nodes(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        let room = MAX_LISTED.saturating_sub(self.report.nodes.len());
        self.report.nodes.extend(nodes.into_iter().take(room));
    }

    /// Compares the root with the heads of the size that is reached, the kept ones first.
    fn compare(&mut self) {
        let size = self.frontier.size();
        while self.report.finding.is_none()
            && let Some((head, reference)) = self.heads.pop_if(|(head, _)| head.size == size)
        {
            if self.frontier.root() != head.root {
                let after = self.report.proved;
                let from = self.report.from;
                self.report.finding = Some(Finding::RootMismatch { from, after, size, reference });
                self.mismatch = Some(head);
                return;
            }
            if reference == Reference::Checkpoint {
                self.report.proved = size;
            }
            let wrong: Vec<_> = self.suspects.drain(..).map(|node| node.id).collect();
            self.report_nodes(wrong);
        }
    }

    /// Returns the head that does not match, and the stored nodes that may show where.
    pub(crate) fn suspects(&self) -> Option<(TreeHead, Vec<Node>)> {
        self.mismatch.map(|head| (head, self.suspects.clone()))
    }

    /// Narrows the finding down to the records below `suspect` if that stored node belongs to
    /// `head`: then the records below it were changed.
    pub(crate) fn locate(
        &mut self,
        suspect: Node,
        head: &TreeHead,
        nodes: &dyn Nodes,
    ) -> Result<bool> {
        let (first, last) = suspect.id.events();
        // A node that reaches below the first record was made of other stored nodes as well.
        let holds = first > self.report.from
            && ReconstructedNodes::new(nodes, &self.frontier).holds(suspect, head)?;
        if holds {
            self.report.finding = Some(Finding::Changed { first, last });
        }
        Ok(holds)
    }
}

/// Sorts so that the next head to compare is the last.
fn sort(heads: &mut [(TreeHead, Reference)]) {
    heads.sort_by_key(|(head, reference)| (Reverse(head.size), *reference));
}

/// Returns whether a record has a reading of the clock that was not believed. It is in the begin of
/// the record, which has no text of a caller.
fn has_clock_reading(record: &[u8]) -> bool {
    const FIELD: &[u8] = br#","clockReading":""#;
    /// The most bytes up to the end of the field.
    const BEGIN: usize = 190;
    record[..record.len().min(BEGIN)].windows(FIELD.len()).any(|bytes| bytes == FIELD)
}

/// Returns whether `personal` matches the digest in the record.
fn is_of(personal: &PersonalData, event: &StoredEvent) -> bool {
    // The record ends with the digest. It is decoded only if it does not end so.
    let mut digest = [0; 43];
    let end = event.record.strip_suffix(br#""}"#).and_then(|rest| rest.split_last_chunk());
    let is_at_end = URL_SAFE_NO_PAD.encode_slice(personal.digest(), &mut digest)
        == Ok(digest.len())
        && end.is_some_and(|(rest, found)| *found == digest && rest.ends_with(br#","personal":""#));
    is_at_end || matches!(event.personal_is_intact(), Ok(Some(true)))
}

impl fmt::Debug for LogVerifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogVerifier")
            .field("size", &self.frontier.size())
            .field("heads", &self.heads)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
