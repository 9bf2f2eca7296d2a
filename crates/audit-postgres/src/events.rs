//! Reads of events by their sequences.

use std::collections::HashMap;

use audit_core::{Log, Result, Sequence};

use crate::connection::{Session, Statement, types};
use crate::keys::join_key;
use crate::sealing::{SealedEvent, event_columns};

/// Reads events by their sequences.
pub(crate) const READ_EVENTS: Statement = Statement {
    sql: concat!(
        "SELECT ",
        event_columns!(),
        " FROM unnest($2) AS w (sequence)
          JOIN audit.event e ON e.log = $1 AND e.sequence = w.sequence ",
        join_key!()
    ),
    types: types![BYTEA, INT8_ARRAY],
    context: "reading events",
};

/// Reads events, in the order of `sequences`. Leaves out those that are missing.
pub(crate) async fn read_events(
    session: &Session,
    log: Log,
    sequences: &[Sequence],
) -> Result<Vec<SealedEvent>> {
    if sequences.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = sequences.iter().map(|sequence| sequence.as_i64()).collect();
    let rows = session.query(&READ_EVENTS, &[&log.as_bytes(), &numbers]).await?;
    let mut events = HashMap::with_capacity(rows.len());
    for row in &rows {
        let event = SealedEvent::read(row, 0)?;
        events.insert(event.sequence, event);
    }
    Ok(sequences.iter().filter_map(|sequence| events.remove(sequence)).collect())
}
