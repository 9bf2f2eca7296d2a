//! Reads of heads, of logs and of single events.

use std::sync::Arc;

use audit_core::{AuditEvent, Error, EventId, Head, Log, Result};

use crate::connection::{Parameter, Statement, both, column, types};
use crate::core::Core;
use crate::error::{corrupt, damaged};
use crate::keys::join_key;
use crate::log_row::log_of;
use crate::log_state::{IfStaged, is_any_staged, is_staged, log_state};
use crate::sealing::{SealedEvent, event_columns};

/// Lists the logs from one on.
pub(crate) const LIST_LOGS: Statement = Statement {
    sql: "SELECT log FROM audit.log WHERE log >= $1 AND size > 0 ORDER BY log LIMIT $2",
    types: types![BYTEA, INT8],
    context: "listing the logs",
};
/// Finds an event by its id.
pub(crate) const FIND_EVENT: Statement = Statement {
    sql: concat!(
        "SELECT ",
        event_columns!(),
        " FROM audit.event e JOIN audit.log l ON l.log = e.log ",
        join_key!(),
        " WHERE e.id = $2 AND e.log = $1 AND e.sequence > l.pruned"
    ),
    types: types![BYTEA, UUID],
    context: "finding an event",
};

/// Returns the head of `log`.
pub(crate) async fn head(core: Arc<Core>, log: Log, if_staged: IfStaged) -> Result<Option<Head>> {
    let state = log_state(&core.readers.take(log).await?, log).await?;
    Ok((!state.stops(if_staged)).then(|| state.row.unwrap_or_default().head))
}

/// Returns the logs that have events, in ascending order, after `after`, at most `limit`.
pub(crate) async fn logs(
    core: Arc<Core>,
    after: Option<Log>,
    limit: usize,
    if_staged: IfStaged,
) -> Result<Option<Vec<Log>>> {
    let session = core.readers.take(Log::Platform).await?;
    let from = after.as_ref().map_or(&[][..], Log::as_bytes);
    // One more, because the first one can be `after` itself.
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let parameters: [Parameter<'_>; 2] = [&from, &more];
    let list = session.query(&LIST_LOGS, &parameters);
    let (is_staged, rows) = both(is_any_staged(&session, from, if_staged), list).await?;
    if is_staged {
        return Ok(None);
    }
    let logs = rows.iter().map(|row| log_of(column(row, 0)?));
    let following = logs.filter(|log| log.as_ref().is_err() || log.as_ref().ok() != after.as_ref());
    following.take(limit).collect::<Result<_>>().map(Some)
}

/// Returns the event that has this id.
pub(crate) async fn event(
    core: Arc<Core>,
    log: Log,
    id: EventId,
    if_staged: IfStaged,
) -> Result<Option<SealedEvent>> {
    let session = core.readers.take(log).await?;
    let key = log.as_bytes();
    let parameters: [Parameter<'_>; 2] = [&key, id.as_uuid()];
    let find = session.query_opt(&FIND_EVENT, &parameters);
    // Sent first: what somebody else takes in between is found.
    let (is_staged, row) = both(is_staged(&session, log, if_staged), find).await?;
    if is_staged {
        return Ok(None);
    }
    SealedEvent::read(&row.ok_or_else(|| Error::not_found("event"))?, 0).map(Some)
}

/// Decodes the event that was found under an id.
pub(crate) fn decode_event(event: SealedEvent, id: EventId) -> Result<AuditEvent> {
    let event = event.unseal_whole()?.decode()?;
    // A damaged row must not make the store return another event.
    if event.id != id {
        return Err(damaged(corrupt("finding an event").with_field("id")));
    }
    Ok(event)
}
