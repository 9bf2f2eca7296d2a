//! The verification of a log in a store: reads it in slices and gives them to a [`LogVerifier`].

use std::borrow::Borrow;
use std::fmt;
use std::future::IntoFuture;
use std::task::Poll;

use audit_core::tree::{LogEntry, Tile};
use audit_core::{
    AuditStore, EntriesRequest, Error, ErrorKind, Head, Log, Result, RetentionStore, Sequence,
    TenantStore,
};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::reconstruction::holding_nodes;
use crate::state::{Extent, StateStores};
use crate::store_nodes::{present_nodes, stored_nodes};
use crate::{
    Finding, LogVerifier, NodeHash, NodeId, Nodes, Reference, Report, TreeHead, frontier_at,
    root_nodes,
};

/// A verification of a log, made by [`VerifyExt::verify`](crate::VerifyExt::verify). It runs when it
/// is awaited.
#[must_use = "a verification does nothing unless it is awaited"]
pub struct Verification<'a, S: ?Sized> {
    store: &'a S,
    log: Log,
    heads: Vec<TreeHead>,
    since: Option<TreeHead>,
    state: StateStores<'a>,
    on_progress: OnProgress<'a>,
}

type OnProgress<'a> = Box<dyn FnMut(Progress) + Send + 'a>;

/// The progress of a [verification](Verification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The last event that was read.
    pub read: Sequence,
    /// The last event that will be read.
    pub end: Sequence,
}

impl<'a, S: AuditStore + ?Sized> Verification<'a, S> {
    pub(crate) fn new(store: &'a S, log: Log) -> Self {
        let on_progress = Box::new(|_| ());
        let state = StateStores::default();
        Self { store, log, heads: Vec::new(), since: None, state, on_progress }
    }

    /// Compares the log with the heads of kept checkpoints, in any order. A second call adds to the
    /// first.
    ///
    /// Verify the signatures first. Keep the checkpoints where nobody who can write to the store can
    /// change them.
    pub fn against(mut self, heads: impl IntoIterator<Item = impl Borrow<TreeHead>>) -> Self {
        self.heads.extend(heads.into_iter().map(|head| *head.borrow()));
        self
    }

    /// Reads only the events after the kept head `head`, which covers the events before.
    pub fn since(mut self, head: TreeHead) -> Self {
        self.since = Some(head);
        self
    }

    /// Compares the retention and the legal hold that `store`, which is the same store, keeps of the
    /// log with the last event that declares them.
    pub fn with_retention(mut self, store: &'a dyn RetentionStore) -> Self {
        self.state.retention = Some(store);
        self
    }

    /// Compares the organizations and API keys that `store`, which is the same store, keeps with the
    /// events of the log that declare them: the organization of the log with its keys or, for the
    /// platform's log, all. A change that no event declares is a [finding](crate::StateFinding).
    ///
    /// Values that pruned or erased events declared are not known any more and are not compared.
    pub fn with_tenants(mut self, store: &'a dyn TenantStore) -> Self {
        self.state.tenants = Some(store);
        self
    }

    /// Calls `on_progress` after each slice of at most 1,000 events.
    pub fn on_progress(mut self, on_progress: impl FnMut(Progress) + Send + 'a) -> Self {
        self.on_progress = Box::new(on_progress);
        self
    }

    async fn run(mut self) -> Result<Report> {
        loop {
            let head = self.store.head(self.log).await?;
            let report = self.read(head).await;
            let is_intact = report.as_ref().is_ok_and(Report::is_intact);
            if is_intact || self.store.head(self.log).await?.pruned == head.pruned {
                return report;
            }
            // The missing events may have been pruned meanwhile. The floor only rises, so the loop
            // ends.
        }
    }

    async fn read(&mut self, head: Head) -> Result<Report> {
        let Self { store, log, heads, since, state, on_progress } = self;
        let (store, log, since, state) = (*store, *log, *since, *state);
        let kept = heads.len() + usize::from(since.is_some());
        let start = since.map_or(head.pruned, |since| since.size);
        if start < head.pruned {
            return Err(Error::new(ErrorKind::Gone).with_field("since"));
        }
        let own = store.frontier(log).await?.head();
        let later = store.head(log).await?.size;
        let nearest = own.size.max(head.size).min(later);
        let finding = if own.size != nearest {
            Some(Finding::HeadMismatch { head: nearest, frontier: own.size })
        } else if own.size < start {
            let reference = since.map_or(Reference::StoreHead, |_| Reference::Checkpoint);
            Some(Finding::Shorter { found: own.size, expected: start, reference })
        } else {
            None
        };
        if finding.is_some() {
            return Ok(Report { finding, ..Report::default() });
        }
        let frontier = frontier_at(&stored_nodes(store, log, root_nodes(start)).await?, start)?;
        let (heads, skipped): (Vec<TreeHead>, _) =
            heads.iter().partition(|head| head.size >= start);
        let mut verifier =
            LogVerifier::resume(frontier, heads.into_iter().chain(since))?.with_log(log);
        verifier.expect(own);
        let mut reading = Reading { store, log, verifier, on_progress };
        reading.read_to(own.size).await?;
        reading.locate().await?;
        if since.is_none() {
            reading.check_pruning(head.pruned);
        }
        // The end of a log that was cut is missing, and with it the erasures that it declared.
        if reading.verifier.size() == own.size {
            reading.check_erasures().await?;
        }
        reading.check_end().await?;
        let is_whole = start == Sequence::ZERO && reading.verifier.finding().is_none();
        let extent = if is_whole { Extent::Whole } else { Extent::Rest };
        let (declared, read) = (reading.verifier.state().clone(), reading.verifier.size());
        let mut report = reading.verifier.finish();
        if report.finding.is_none() {
            report.state = state.check(store, log, declared, read, extent).await?;
        }
        Ok(Report { kept, skipped, ..report })
    }
}

impl<'a, S: AuditStore + ?Sized> IntoFuture for Verification<'a, S> {
    type Output = Result<Report>;
    type IntoFuture = BoxFuture<'a, Result<Report>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<S: ?Sized> fmt::Debug for Verification<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification")
            .field("log", &self.log)
            .field("heads", &self.heads)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// The most events of a slice.
const SLICE_EVENTS: usize = 1_000;
/// The number of bytes after which a slice ends.
const SLICE_BYTES: usize = 4 << 20;

/// One reading of a log.
struct Reading<'a, 'f, S: ?Sized> {
    store: &'a S,
    log: Log,
    verifier: LogVerifier<'static>,
    on_progress: &'a mut OnProgress<'f>,
}

impl<S: AuditStore + ?Sized> Reading<'_, '_, S> {
    /// Reads up to event `end`, or to the first finding.
    async fn read_to(&mut self, end: Sequence) -> Result<()> {
        let (store, log) = (self.store, self.log);
        let entries = |after| {
            let request = EntriesRequest::default().after(after);
            store.entries(log, request.limit(SLICE_EVENTS).bytes(SLICE_BYTES))
        };
        let mut begun = None;
        while self.verifier.finding().is_none() && self.verifier.size() < end {
            let after = self.verifier.size();
            let slice = match begun.take() {
                Some((Some(slice), _)) => slice?,
                Some((None, reading)) => reading.await?,
                None => entries(after).await?,
            };
            if slice.is_empty() {
                return Ok(()); // the verifier reports that the log is shorter
            }
            let last = end.get().min(after.get() + slice.len() as u64);
            if last < end.get() {
                // The store reads the next slice while this one is verified.
                let mut reading = entries(Sequence::new(last)?);
                begun = Some(((&mut reading).now_or_never(), reading));
            }
            let above = SliceNodes::read(store, log, after.get(), last).await?;
            for entry in slice {
                let is_after_end = self.verifier.size() == end && entry.sequence > end;
                if is_after_end || self.verifier.finding().is_some() {
                    break;
                }
                self.verifier.entry(&entry, &above)?;
            }
            // Nodes of missing events are expected to be missing.
            if self.verifier.finding().is_none() {
                self.verifier.report_nodes(above.missing());
            }
            (self.on_progress)(Progress { read: self.verifier.size(), end });
            yield_now().await;
        }
        Ok(())
    }

    /// Narrows a root mismatch down to the records below a stored node, if one shows them.
    async fn locate(&mut self) -> Result<()> {
        let Some((head, suspects)) = self.verifier.suspects() else { return Ok(()) };
        for suspect in suspects {
            let ids = holding_nodes(suspect, &head)?;
            let (stored, _) = present_nodes(self.store, self.log, ids).await?;
            if self.verifier.locate(suspect, &head, &stored)? {
                break;
            }
        }
        Ok(())
    }

    /// Checks that the log declares the pruning of the events up to `floor`; and if none was pruned,
    /// that all personal data that it declares erased is missing.
    fn check_pruning(&mut self, floor: Sequence) {
        let removals = self.verifier.removals();
        self.verifier.report(if floor == Sequence::ZERO {
            removals.restored()
        } else {
            (removals.pruned_through < floor).then_some(Finding::UndeclaredPruning { floor })
        });
    }

    /// Checks that the log declares the erasure of the personal data that is missing.
    async fn check_erasures(&mut self) -> Result<()> {
        if self.verifier.finding().is_some() || self.verifier.removals().undeclared().is_none() {
            return Ok(());
        }
        // An erasure that ran during the reading is declared by a later event.
        let own = self.store.frontier(self.log).await?.head();
        self.verifier.close_removals();
        self.verifier.expect(own);
        self.read_to(own.size).await?;
        self.locate().await?;
        self.verifier.report(self.verifier.removals().undeclared());
        Ok(())
    }

    /// Checks that no event follows the end of the log.
    async fn check_end(&mut self) -> Result<()> {
        let end = self.store.head(self.log).await?.size;
        let request = EntriesRequest::default().after(end).limit(1).bytes(1);
        if let Some(LogEntry { sequence: found, .. }) =
            self.store.entries(self.log, request).await?.first()
        {
            // An append makes the event and the new end visible together.
            let size = self.store.head(self.log).await?.size;
            let finding = Finding::Longer { size, found: *found };
            self.verifier.report((*found > size).then_some(finding));
        }
        Ok(())
    }
}

/// The nodes that the events of a slice complete, at the levels of which tiles are made. The nodes
/// of the other levels are made of these.
struct SliceNodes {
    ids: Vec<NodeId>,
    hashes: Vec<Option<NodeHash>>,
    /// For each level of tiles above the leaves, the index of its first node, and the position of
    /// that node in `ids`.
    levels: Vec<(u64, usize)>,
}

impl SliceNodes {
    /// Reads the nodes that the events after `after` up to `last` complete.
    async fn read<S>(store: &S, log: Log, after: u64, last: u64) -> Result<Self>
    where
        S: AuditStore + ?Sized,
    {
        let (mut ids, mut levels) = (Vec::new(), Vec::new());
        for level in (Tile::HEIGHT..63).step_by(Tile::HEIGHT.into()) {
            levels.push((after >> level, ids.len()));
            ids.extend((after >> level..last >> level).map(|index| NodeId::new(level, index)));
        }
        let mut hashes = store.nodes(log, ids.clone()).await?;
        hashes.resize(ids.len(), None); // a short answer lacks the last nodes
        Ok(Self { ids, hashes, levels })
    }

    fn missing(&self) -> Vec<NodeId> {
        let all = self.ids.iter().zip(&self.hashes);
        all.filter(|(_, hash)| hash.is_none()).map(|(id, _)| *id).collect()
    }
}

impl Nodes for SliceNodes {
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        let tier = (id.level / Tile::HEIGHT).checked_sub(1);
        let Some(tier) = tier.filter(|_| id.level.is_multiple_of(Tile::HEIGHT)) else {
            return Ok(None);
        };
        let at = self.levels.get(usize::from(tier)).and_then(|(first, at)| {
            let offset = usize::try_from(id.index.checked_sub(*first)?).ok()?;
            at.checked_add(offset).filter(|at| self.ids.get(*at) == Some(&id))
        });
        Ok(at.and_then(|at| self.hashes.get(at).copied().flatten()))
    }
}

/// Lets the executor run other tasks.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
