//! The scan: a part of a log, from one snapshot.

use std::sync::Arc;

use audit_core::backend::index::{Selection, select};
use audit_core::tree::NodeHash;
use audit_core::{Error, ErrorKind, Result, Scan, ScanResult, Sequence};
use audit_index::{LogIndex, TermHasher};
use futures_util::future::join3;

use crate::connection::{Session, both};
use crate::core::Core;
use crate::error::corrupt;
use crate::events::read_events;
use crate::indexing::Indexing;
use crate::log_row::LogRow;
use crate::log_state::IfStaged;
use crate::readers::Readers;
use crate::replica::last_removal;
use crate::sealing::SealedEvent;
use crate::snapshot::SnapshotIndex;
use crate::tiles;

/// The result of a scan in its stored form. The caller decodes it, after the connection is free.
pub(crate) struct SealedResult {
    events: Vec<SealedEvent>,
    more: bool,
    total: Option<u64>,
    bound: Sequence,
    end: Option<NodeHash>,
}

impl SealedResult {
    pub(crate) fn decode(self) -> Result<ScanResult> {
        let Self { events, more, total, bound, end } = self;
        let decoded = events.into_iter().map(|event| event.unseal_whole()?.decode());
        let events = decoded.collect::<Result<_>>()?;
        Ok(ScanResult::new(events, more, bound, end).total(total))
    }
}

/// Reads a part of a log from one snapshot.
///
/// # Errors
/// [`Behind`](ErrorKind::Behind) if the log is shorter than `least`, or than the scan's bound.
async fn scan_of(
    readers: Readers,
    indexing: Indexing,
    scan: Scan,
    least: Sequence,
    if_staged: IfStaged,
) -> Result<Option<SealedResult>> {
    let session = readers.take(scan.log).await?;
    let hasher = &indexing.hasher;
    let Some(index) = SnapshotIndex::begin(session, &scan, hasher, if_staged).await? else {
        return Ok(None);
    };
    if index.row().head.size < least {
        index.into_session().release();
        return Err(Error::new(ErrorKind::Behind));
    }
    let (scan, hasher) = (Arc::new(scan), hasher.clone());
    let of_scan = Arc::clone(&scan);
    let search = move |index: &SnapshotIndex| select_events(index, &hasher, &of_scan);
    let (session, (selection, bound)) = index.search(search).await?;
    read_selected(session, &scan, &selection, bound).await.map(Some)
}

/// Returns the events that a scan selects, and the scan's bound.
fn select_events(
    index: &SnapshotIndex,
    hasher: &TermHasher,
    scan: &Scan,
) -> Result<(Selection, Sequence)> {
    let LogRow { head, indexed } = index.row();
    let bound = scan.bound_within(head)?;
    let log_index = LogIndex { storage: index, hasher, size: head.size, indexed };
    Ok((select(&log_index, scan, bound, head.pruned)?, bound))
}

/// Reads the selected events, and the node that identifies the first `bound` events. Ends the transaction.
async fn read_selected(
    session: Session,
    scan: &Scan,
    selection: &Selection,
    bound: Sequence,
) -> Result<SealedResult> {
    let sequences = &selection.sequences[..];
    let (events, end) = match sequences {
        // A total has no token.
        [] if scan.limit == 0 => {
            session.release();
            (Vec::new(), None)
        }
        page if page.len() <= EVENTS_AHEAD => {
            let events = read_events(&session, scan.log, page);
            let end = tiles::end(&session, scan.log, bound);
            let (events, end, ended) = join3(events, end, session.commit()).await;
            let read = (events?, end?);
            ended?;
            read
        }
        _ => {
            let read = read_in_chunks(&session, scan, sequences, bound).await;
            session.release();
            read?
        }
    };
    let mut events = events.into_iter();
    let next =
        |sequence| events.next().filter(|event| event.sequence == sequence).ok_or_else(missing);
    let (events, more) = selection.read(scan, next, SealedEvent::size)?;
    Ok(SealedResult { events, more, total: selection.total, bound, end })
}

/// Reads events until they have the bytes that `scan` asks for, and the node.
async fn read_in_chunks(
    session: &Session,
    scan: &Scan,
    sequences: &[Sequence],
    bound: Sequence,
) -> Result<(Vec<SealedEvent>, Option<NodeHash>)> {
    let mut chunks = sequences.chunks(EVENTS_AHEAD);
    let first = read_events(session, scan.log, chunks.next().unwrap_or_default());
    let (mut events, end) = both(first, tiles::end(session, scan.log, bound)).await?;
    for chunk in chunks {
        if events.iter().map(SealedEvent::size).sum::<usize>() >= scan.bytes {
            break;
        }
        events.extend(read_events(session, scan.log, chunk).await?);
    }
    Ok((events, end))
}

/// The events that are read in one round trip: those of a page. It bounds the memory, since an event
/// can have a MiB.
const EVENTS_AHEAD: usize = 64;

fn missing() -> Error {
    corrupt("an event is missing")
}

/// Reads a part of a log: from the replica, if there is one that can answer, else from the primary.
/// What is staged when a scan with a bound begins comes after the bound.
pub(crate) async fn scan(
    core: Arc<Core>,
    scan: Scan,
    if_staged: IfStaged,
) -> Result<Option<SealedResult>> {
    let indexing = core.indexing.clone();
    let replica = core.replica.as_ref().filter(|replica| replica.may_be_asked());
    if let (Some(replica), Some(bound)) = (replica, scan.bound) {
        let least = bound.max(last_removal(&core.readers, scan.log).await?);
        let readers = replica.readers.clone();
        match scan_of(readers, indexing.clone(), scan.clone(), least, IfStaged::Ignore).await {
            // Whatever the reason, the primary knows better.
            Err(error) => replica.note(&error),
            found => return found,
        }
    }
    scan_of(core.readers.clone(), indexing, scan, Sequence::ZERO, if_staged).await
}
