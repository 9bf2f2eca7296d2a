//! The history of a log, to which tokens are bound.

use crate::query::{Cursor, HistoryMark};
use crate::tree::NodeId;
use crate::{AuditStore, Error, ErrorKind, Log, Result, ScanResult, Sequence};

/// Returns the mark of the first events of `log`, for each of these sizes.
///
/// # Errors
/// [`Gone`](ErrorKind::Gone) if retention has removed more events than a size.
/// [`HistoryChanged`](ErrorKind::HistoryChanged) if the log has fewer.
/// [`Corrupt`](ErrorKind::Corrupt) if a node is missing that the store must keep.
pub(super) async fn marks<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    sizes: impl IntoIterator<Item = Sequence>,
) -> Result<Vec<HistoryMark>> {
    let sizes: Vec<Sequence> = sizes.into_iter().collect();
    let ids: Vec<_> = sizes.iter().filter_map(|size| NodeId::identifying(*size)).collect();
    if ids.is_empty() {
        return Ok(vec![HistoryMark::default(); sizes.len()]);
    }
    let mut nodes = store.nodes(log, ids).await?.into_iter();
    let mut marks = Vec::with_capacity(sizes.len());
    for size in sizes {
        marks.push(match NodeId::identifying(size).map(|_| nodes.next().flatten()) {
            None => HistoryMark::default(),
            Some(Some(node)) => HistoryMark::of(node),
            Some(None) => return Err(missing(store, log, size).await?),
        });
    }
    Ok(marks)
}

/// Returns the mark of the events among which `result` was found.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) if the node is missing that the store must keep.
pub(super) fn mark_of(result: &ScanResult) -> Result<HistoryMark> {
    match result.end {
        Some(node) => Ok(HistoryMark::of(node)),
        None if result.bound == Sequence::ZERO => Ok(HistoryMark::default()),
        None => Err(damaged()),
    }
}

/// Fails unless the history of `log` is still that of the token's cursor.
///
/// # Errors
/// [`HistoryChanged`](ErrorKind::HistoryChanged) otherwise. Those of [`marks`].
pub(super) async fn require<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    cursor: &Cursor,
) -> Result<()> {
    require_mark(cursor, marks(store, log, [cursor.bound]).await?.pop().unwrap_or_default())
}

/// Fails unless `mark`, of the events up to the bound of the token's cursor, is still that of the
/// cursor.
///
/// # Errors
/// [`HistoryChanged`](ErrorKind::HistoryChanged) otherwise.
pub(super) fn require_mark(cursor: &Cursor, mark: HistoryMark) -> Result<()> {
    if mark == cursor.history { Ok(()) } else { Err(changed()) }
}

/// Replaces the error for a log that is shorter than a token's bound.
pub(super) fn of_token(error: Error) -> Error {
    if error.kind() == ErrorKind::Behind { changed() } else { error }
}

/// Returns the one answer to a token of another history.
fn changed() -> Error {
    Error::new(ErrorKind::HistoryChanged)
}

async fn missing<S: AuditStore + ?Sized>(store: &S, log: Log, size: Sequence) -> Result<Error> {
    let head = store.head(log).await?;
    Ok(if size > head.size {
        changed()
    } else if size < head.pruned {
        Error::new(ErrorKind::Gone)
    } else {
        damaged()
    })
}

fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt).with_context("reading the tree of a log")
}
