//! The verification of a log in a store: reads it slice by slice and drives the [`Audit`].

use std::task::Poll;

use audit_core::tree::Tile;
use audit_core::{
    AuditStore, EntriesRequest, Error, ErrorKind, Head, Log, Result, Sequence, tree::LogEntry,
};
use futures_util::FutureExt as _;

use crate::nodes::holding_nodes;
use crate::provable::{ask, kept_nodes};
use crate::{
    Audit, Fault, NodeHash, NodeId, Nodes, Report, Stated, TreeHead, frontier_at, root_nodes,
};

/// How far a [verification](crate::ProvableExt::verify) has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The last event that was read.
    pub read: Sequence,
    /// The last that is to be read.
    pub end: Sequence,
}

/// The events of a slice.
const EVENTS: usize = 1_000;
/// The bytes of a slice.
const BYTES: usize = 4 << 20;

/// The reading of one log.
struct Reading<'a, S: ?Sized> {
    store: &'a S,
    log: Log,
    audit: Audit<'static>,
    on_progress: &'a mut (dyn FnMut(Progress) + Send),
}

pub(crate) async fn verify<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    heads: &[TreeHead],
    since: Option<TreeHead>,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report> {
    loop {
        let head = store.head(log).await?;
        let found = read(store, log, head, heads, since, on_progress).await;
        let is_right = found.as_ref().is_ok_and(Report::is_intact);
        if is_right || store.head(log).await?.pruned == head.pruned {
            return found;
        }
        // What was missing may have been pruned meanwhile. The floor only rises: this ends.
    }
}

async fn read<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    head: Head,
    heads: &[TreeHead],
    since: Option<TreeHead>,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report> {
    let start = since.map_or(head.pruned, |since| since.size);
    if start < head.pruned {
        return Err(Error::new(ErrorKind::Gone).with_field("since"));
    }
    let own = store.frontier(log).await?.head();
    let later = store.head(log).await?.size;
    let nearest = own.size.max(head.size).min(later);
    let fault = if own.size != nearest {
        Some(Fault::Edge { head: nearest, edge: own.size })
    } else if own.size < start {
        let by = since.map_or(Stated::Store, |_| Stated::Checkpoint);
        Some(Fault::Shorter { found: own.size, expected: start, by })
    } else {
        None
    };
    if fault.is_some() {
        return Ok(Report { fault, ..Report::default() });
    }
    let edge = frontier_at(&kept_nodes(store, log, root_nodes(start)).await?, start)?;
    let (heads, skipped): (Vec<TreeHead>, _) = heads.iter().partition(|head| head.size >= start);
    let mut audit = Audit::resume(edge, heads.into_iter().chain(since))?.of(log);
    audit.expect(own);
    let mut reading = Reading { store, log, audit, on_progress };
    reading.to(own.size).await?;
    reading.place().await?;
    if since.is_none() {
        reading.removed(head.pruned);
    }
    // Of a log that was cut, the end tells what is missing no more.
    if reading.audit.size() == own.size {
        reading.erased().await?;
    }
    reading.beyond().await?;
    Ok(Report { skipped, ..reading.audit.finish() })
}

impl<S: AuditStore + ?Sized> Reading<'_, S> {
    /// Reads up to event `end`, or to the first fault.
    async fn to(&mut self, end: Sequence) -> Result<()> {
        let (store, log) = (self.store, self.log);
        let entries = |after| {
            store.entries(log, EntriesRequest::default().after(after).limit(EVENTS).bytes(BYTES))
        };
        let mut begun = None;
        while self.audit.fault().is_none() && self.audit.size() < end {
            let after = Sequence::new(self.audit.size().get())?;
            let slice = match begun.take() {
                Some((Some(slice), _)) => slice?,
                Some((None, reading)) => reading.await?,
                None => entries(after).await?,
            };
            if slice.is_empty() {
                return Ok(()); // the audit knows what it expects
            }
            let last = end.get().min(after.get() + slice.len() as u64);
            if last < end.get() {
                // The store reads the next slice while this one is looked at.
                let mut reading = entries(Sequence::new(last)?);
                begun = Some(((&mut reading).now_or_never(), reading));
            }
            let above = SliceNodes::read(self.store, self.log, after.get(), last).await?;
            for entry in slice {
                let is_behind = self.audit.size() == end && entry.sequence.get() > end.get();
                if is_behind || self.audit.fault().is_some() {
                    break;
                }
                self.audit.entry(&entry, &above)?;
            }
            // Of events that are not there no node is missing.
            if self.audit.fault().is_none() {
                self.audit.lacks(above.missing());
            }
            (self.on_progress)(Progress { read: self.audit.size(), end });
            yield_now().await;
        }
        Ok(())
    }

    /// Tells where the records are wrong, if kept nodes show it.
    async fn place(&mut self) -> Result<()> {
        let Some((head, suspects)) = self.audit.suspects() else { return Ok(()) };
        for suspect in suspects {
            let (kept, _) = ask(self.store, self.log, holding_nodes(suspect, &head)?).await?;
            if self.audit.convict(suspect, &head, &kept)? {
                break;
            }
        }
        Ok(())
    }

    /// Asks whether the log tells that events were removed, where they are gone; and where none is,
    /// whether all that it says was erased is gone.
    fn removed(&mut self, floor: Sequence) {
        let told = self.audit.told();
        self.audit.blame(if floor == Sequence::ZERO {
            told.restored()
        } else {
            (told.removed < floor).then_some(Fault::Removed { floor })
        });
    }

    /// Asks whether the log tells of the personal parts that are missing.
    async fn erased(&mut self) -> Result<()> {
        if self.audit.fault().is_some() || self.audit.told().missing().is_none() {
            return Ok(());
        }
        // Of what was erased while the events were read, an event behind them tells.
        let own = self.store.frontier(self.log).await?.head();
        self.audit.count_no_more();
        self.audit.expect(own);
        self.to(own.size).await?;
        self.place().await?;
        self.audit.blame(self.audit.told().missing());
        Ok(())
    }

    /// Looks behind the end of the log, where nothing should be.
    async fn beyond(&mut self) -> Result<()> {
        let end = self.store.head(self.log).await?.size;
        if let Some(LogEntry { sequence: found, .. }) = self
            .store
            .entries(self.log, EntriesRequest::default().after(end).limit(1).bytes(1))
            .await?
            .first()
        {
            // An append makes the event visible, and the end, at once.
            let size = self.store.head(self.log).await?.size;
            let fault = Fault::Longer { size, found: *found };
            self.audit.blame((*found > size).then_some(fault));
        }
        Ok(())
    }
}

/// The nodes that the events of a slice complete, of those above them that tiles are made of: the
/// others are made of these.
struct SliceNodes {
    names: Vec<NodeId>,
    hashes: Vec<Option<NodeHash>>,
    /// For each level of tiles above the leaves the first node, and where it stands.
    levels: Vec<(u64, usize)>,
}

impl SliceNodes {
    /// Reads those that the events behind `after` up to `last` complete.
    async fn read<S: AuditStore + ?Sized>(
        store: &S,
        log: Log,
        after: u64,
        last: u64,
    ) -> Result<Self> {
        let (mut names, mut levels) = (Vec::new(), Vec::new());
        for level in (Tile::HEIGHT..63).step_by(Tile::HEIGHT.into()) {
            levels.push((after >> level, names.len()));
            names.extend((after >> level..last >> level).map(|index| NodeId::new(level, index)));
        }
        let mut hashes = store.nodes(log, names.clone()).await?;
        hashes.resize(names.len(), None); // what a store leaves out it has not kept
        Ok(Self { names, hashes, levels })
    }

    fn missing(&self) -> Vec<NodeId> {
        let all = self.names.iter().zip(&self.hashes);
        all.filter(|(_, hash)| hash.is_none()).map(|(name, _)| *name).collect()
    }
}

impl Nodes for SliceNodes {
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        let tier = (id.level / Tile::HEIGHT).checked_sub(1);
        let Some(tier) = tier.filter(|_| id.level.is_multiple_of(Tile::HEIGHT)) else {
            return Ok(None);
        };
        let at = self.levels.get(usize::from(tier)).and_then(|(first, at)| {
            let behind = usize::try_from(id.index.checked_sub(*first)?).ok()?;
            at.checked_add(behind).filter(|at| self.names.get(*at) == Some(&id))
        });
        Ok(at.and_then(|at| self.hashes.get(at).copied().flatten()))
    }
}

/// Lets other tasks have their turn, whatever the executor.
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
