//! Building the index, beside the appends: the tail becomes a segment, and segments are merged. Appends of
//! many events write [segments](crate::segments) of their own.
//!
//! The row of a log in `builder` is the lock: of all processes one builds the index of a log. It takes
//! the lock of the head last, for as long as it takes to commit, which waits for no disk. A process that dies
//! in between loses its work, and a crash of the server the last of it; the next one that appends does it.

use audit_core::{Log, Result, Sequence};
use tokio::task::spawn_blocking;

use crate::connection::{Session, both};
use crate::core::Core;
use crate::error::task;
use crate::index::{LOCK_INDEX, PostgresIndex, SET_INDEXED, TRY_LOCK_INDEX};
use crate::log_row::{LogRow, log_row};
use crate::settings::{DEFER_COMMIT, set_timeouts};
use crate::vacuum::vacuum;

/// The pages that one transaction writes for merges.
const MERGE_BUDGET: usize = 512;

/// Whether to wait for another builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    No,
    Yes,
}

/// Builds a segment of the tail of a log if that is long enough, and merges segments.
pub(crate) async fn build(core: &Core, log: Log, wait: Wait) -> Result<()> {
    let Some((session, row)) = begin_deferred(core, log, wait).await? else { return Ok(()) };
    let tail = row.head.size.get().saturating_sub(row.indexed.get());
    let mut more = if tail >= core.indexing.segment_events {
        make_segment(core, session, log, row).await?;
        true
    } else {
        merge(core, session, log, row).await?
    };
    while more {
        let Some((session, row)) = begin_deferred(core, log, Wait::No).await? else { break };
        more = merge(core, session, log, row).await?;
        vacuum(core).await?;
    }
    Ok(())
}

/// Builds a segment of the tail, and commits.
async fn make_segment(core: &Core, session: Session, log: Log, row: LogRow) -> Result<()> {
    let indexing = core.indexing.clone();
    let index = PostgresIndex::of_transaction(session, log, row);
    let write = move || {
        let indexed = index.writer(&indexing).build(row.indexed, row.head.size);
        indexed.map(|indexed| (index.deleted(), index.into_session(), indexed))
    };
    let (deleted, session, indexed) = spawn_blocking(write).await.map_err(task)??;
    let (key, before, indexed) = (log.as_bytes(), row.indexed.as_i64(), indexed.as_i64());
    // An append may have made a segment of the tail meanwhile.
    if session.execute(&SET_INDEXED, &[&key, &indexed, &before]).await? == 1 {
        session.commit().await?;
        core.dead_rows.add(deleted);
        Ok(())
    } else {
        session.rollback().await
    }
}

/// Does some of the merges of a log, and commits. Returns `true` if more may be left.
async fn merge(core: &Core, session: Session, log: Log, row: LogRow) -> Result<bool> {
    let indexing = core.indexing.clone();
    let index = PostgresIndex::of_transaction(session, log, row);
    let write = move || {
        let more = index.writer(&indexing).merge(row.head.pruned, MERGE_BUDGET);
        more.map(|more| (index.deleted(), index.into_session(), more))
    };
    let (deleted, session, more) = spawn_blocking(write).await.map_err(task)??;
    session.commit().await?;
    core.dead_rows.add(deleted);
    Ok(more)
}

/// Deletes about `limit` parts of the segments of a log that have no event after `floor`. Returns `true`
/// if more may be left.
pub(crate) async fn remove_through(
    core: &Core,
    log: Log,
    floor: Sequence,
    limit: usize,
) -> Result<bool> {
    let indexing = core.indexing.clone();
    let Some((session, row)) = begin(core, log, Wait::Yes).await? else { return Ok(false) };
    let index = PostgresIndex::of_transaction(session, log, row);
    let write = move || {
        let more = index.writer(&indexing).remove_through(floor, limit);
        more.map(|more| (index.deleted(), index.into_session(), more))
    };
    let (deleted, session, more) = spawn_blocking(write).await.map_err(task)??;
    session.commit().await?;
    core.dead_rows.add(deleted);
    Ok(more)
}

/// Begins a transaction as [`begin`] does, whose commit waits for nothing.
async fn begin_deferred(core: &Core, log: Log, wait: Wait) -> Result<Option<(Session, LogRow)>> {
    let begun = begin(core, log, wait).await?;
    if let Some((session, _)) = &begun {
        session.query(&DEFER_COMMIT, &[]).await?;
    }
    Ok(begun)
}

/// Begins a transaction in which the index of `log` is locked. Returns `None` if another one has the
/// lock, or the log has no row.
async fn begin(core: &Core, log: Log, wait: Wait) -> Result<Option<(Session, LogRow)>> {
    let session = core.writers.take().await?;
    let lock = if wait == Wait::Yes { &LOCK_INDEX } else { &TRY_LOCK_INDEX };
    let key = log.as_bytes();
    let begin = both(session.begin_writing(), set_timeouts(&session, core.timeout));
    let locked = both(begin, session.query_opt(lock, &[&key])).await?.1;
    // A statement of its own: what another builder has committed counts.
    if let (Some(_), Some(row)) = (locked, log_row(&session, log).await?) {
        return Ok(Some((session, row)));
    }
    session.rollback().await?;
    Ok(None)
}
