//! The Merkle tree of a log, and the entries that verification reads. The frontier is in the row of the
//! log.

use std::sync::Arc;

use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{EntriesRequest, Log, Result, Sequence};
use futures_util::future::join3;

use crate::connection::{Parameter, Statement, both, column, types};
use crate::core::Core;
use crate::keys::join_key;
use crate::log_state::{IfStaged, is_staged, log_state};
use crate::sealing::{SealedEvent, event_columns};
use crate::tiles::Tiles;

/// Reads the frontier of a log.
pub(crate) const READ_FRONTIER: Statement = Statement {
    sql: "SELECT frontier FROM audit.log WHERE log = $1",
    types: types![BYTEA],
    context: "reading the tree",
};
/// Reads events in their stored form.
pub(crate) const READ_ENTRIES: Statement = Statement {
    sql: concat!(
        "SELECT ",
        event_columns!(),
        " FROM audit.event e ",
        join_key!(),
        " WHERE e.log = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3"
    ),
    types: types![BYTEA, INT8, INT8],
    context: "reading events",
};

/// The events that are read in one round trip. It bounds the memory, since an event can have a MiB.
const ENTRIES_AT_ONCE: usize = 64;

/// Returns the frontier of a log.
pub(crate) async fn frontier(
    core: Arc<Core>,
    log: Log,
    if_staged: IfStaged,
) -> Result<Option<Frontier>> {
    let session = core.readers.take(log).await?;
    let key = log.as_bytes();
    let parameters: [Parameter<'_>; 1] = [&key];
    let read = session.query_opt(&READ_FRONTIER, &parameters);
    let (is_staged, row) = both(is_staged(&session, log, if_staged), read).await?;
    match row {
        _ if is_staged => Ok(None),
        Some(row) => Frontier::from_bytes(column(&row, 0)?).map(Some),
        None => Ok(Some(Frontier::new())),
    }
}

/// Returns the hashes of nodes: one entry for each, `None` for one that is not complete or not there.
pub(crate) async fn nodes(
    core: Arc<Core>,
    log: Log,
    nodes: Vec<NodeId>,
    if_staged: IfStaged,
) -> Result<Option<Vec<Option<NodeHash>>>> {
    let session = core.readers.take(log).await?;
    let (begun, state, tiles) = join3(
        session.begin_reading(),
        log_state(&session, log),
        Tiles::read(&session, log, &nodes),
    )
    .await;
    begun?;
    let (state, tiles) = (state?, tiles?);
    session.release();
    let size = state.row.unwrap_or_default().head.size;
    let hashes = || nodes.iter().map(|node| tiles.node(*node, size)).collect();
    Ok((!state.stops(if_staged)).then(hashes))
}

/// Returns stored events with their leaves, as they are.
pub(crate) async fn entries(
    core: Arc<Core>,
    log: Log,
    request: EntriesRequest,
    if_staged: IfStaged,
) -> Result<Option<Vec<SealedEvent>>> {
    let session = core.readers.take(log).await?;
    let ((), state) = both(session.begin_reading(), log_state(&session, log)).await?;
    let Some(row) = state.row.filter(|_| !state.stops(if_staged)) else {
        session.release();
        return Ok((!state.stops(if_staged)).then(Vec::new));
    };
    let EntriesRequest { after, limit, bytes, .. } = request;
    let mut after = after.max(row.head.pruned);
    let (mut entries, mut size) = (Vec::new(), 0);
    while entries.len() < limit && (entries.is_empty() || size < bytes) {
        let count = (limit - entries.len()).min(ENTRIES_AT_ONCE);
        let most = i64::try_from(count).unwrap_or(i64::MAX);
        let key = log.as_bytes();
        let rows = session.query(&READ_ENTRIES, &[&key, &after.as_i64(), &most]).await?;
        for row in &rows {
            if !entries.is_empty() && size >= bytes {
                break;
            }
            let event = SealedEvent::read(row, 0)?;
            size += event.size();
            after = event.sequence;
            entries.push(event);
        }
        if rows.len() < count {
            break;
        }
    }
    session.release();
    Ok(Some(entries))
}

/// Unseals stored events.
pub(crate) fn unseal(entries: Vec<SealedEvent>) -> Vec<LogEntry> {
    let unseal = |event: SealedEvent| {
        let (sequence, leaf): (Sequence, _) = (event.sequence, event.leaf);
        LogEntry::new(sequence, leaf, event.unseal())
    };
    entries.into_iter().map(unseal).collect()
}
