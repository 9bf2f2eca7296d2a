//! The nodes that a store keeps of a log's tree.

use std::collections::HashMap;

use audit_core::{AuditStore, Error, ErrorKind, Log, Result, Sequence};

use crate::{NodeHash, NodeId};

/// Checks that `log` has `size` events, and returns the last one that retention has removed.
pub(crate) async fn check_size<S>(store: &S, log: Log, size: Sequence) -> Result<Sequence>
where
    S: AuditStore + ?Sized,
{
    let head = store.head(log).await?;
    if size > head.size {
        return Err(Error::new(ErrorKind::Behind).with_field("size"));
    }
    Ok(head.pruned)
}

/// Reads nodes, all of which are complete.
///
/// # Errors
/// [`ErrorKind::Gone`] if retention has removed one of them, [`ErrorKind::Corrupt`] if one is missing
/// that the store must keep.
pub(crate) async fn stored_nodes<S>(
    store: &S,
    log: Log,
    ids: Vec<NodeId>,
) -> Result<HashMap<NodeId, NodeHash>>
where
    S: AuditStore + ?Sized,
{
    let (stored, missing) = present_nodes(store, log, ids).await?;
    if let Some(id) = missing.first() {
        let is_retained = id.is_retained(store.head(log).await?.pruned);
        let kind = if is_retained { ErrorKind::Corrupt } else { ErrorKind::Gone };
        let error = Error::new(kind).with_context("proving");
        let NodeId { level, index } = id;
        return Err(if is_retained {
            error.with_field(format!("nodes[{level}][{index}]"))
        } else {
            error
        });
    }
    Ok(stored)
}

/// Reads nodes, and returns those that are stored and those that are missing.
pub(crate) async fn present_nodes<S>(
    store: &S,
    log: Log,
    ids: Vec<NodeId>,
) -> Result<(HashMap<NodeId, NodeHash>, Vec<NodeId>)>
where
    S: AuditStore + ?Sized,
{
    if ids.is_empty() {
        return Ok((HashMap::new(), Vec::new()));
    }
    let hashes = store.nodes(log, ids.clone()).await?;
    let (mut stored, mut missing) = (HashMap::with_capacity(ids.len()), Vec::new());
    // A short answer lacks the last nodes.
    for (id, hash) in ids.into_iter().zip(hashes.into_iter().chain(std::iter::repeat(None))) {
        match hash {
            Some(hash) => drop(stored.insert(id, hash)),
            None => missing.push(id),
        }
    }
    Ok((stored, missing))
}
