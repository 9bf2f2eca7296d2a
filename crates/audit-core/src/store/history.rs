//! The history of a log, to which tokens are bound.

use crate::query::{Cursor, HistoryMark};
use crate::{AuditStore, Error, ErrorKind, Log, Result, Sequence};

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
    let ids: Vec<_> = sizes.iter().filter_map(|size| HistoryMark::node(*size)).collect();
    if ids.is_empty() {
        return Ok(vec![HistoryMark::default(); sizes.len()]);
    }
    let mut nodes = store.nodes(log, ids).await?.into_iter();
    let mut marks = Vec::with_capacity(sizes.len());
    for size in sizes {
        marks.push(match HistoryMark::node(size).map(|_| nodes.next().flatten()) {
            None => HistoryMark::default(),
            Some(Some(node)) => HistoryMark::of(node),
            Some(None) => return Err(missing(store, log, size).await?),
        });
    }
    Ok(marks)
}

/// Returns the mark of the first `size` events of `log`. Fails as [`marks`] does.
pub(super) async fn mark<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    size: Sequence,
) -> Result<HistoryMark> {
    Ok(marks(store, log, [size]).await?.pop().unwrap_or_default())
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
    if mark(store, log, cursor.bound).await? == cursor.history { Ok(()) } else { Err(changed()) }
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
        Error::new(ErrorKind::Corrupt).with_context("reading the tree of a log")
    })
}
