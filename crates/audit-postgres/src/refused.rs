//! Refused events: staged events that could not be taken in. Lists them, stages them again, and drops them.

use std::sync::Arc;

use audit_core::backend::{Batch, Refusal};
use audit_core::{AuditContext, Error, EventId, Log, RefusedEvent, Result, Timestamp};
use tokio_postgres::Row;

use crate::append::WriteTransaction;
use crate::change::Change;
use crate::connection::{Statement, column, types};
use crate::core::Core;
use crate::lock::Wanted;
use crate::readers::Readers;

/// Lists refused events.
pub(crate) const LIST: Statement = Statement {
    sql: "SELECT n, log, id, body, reason, refused_at FROM audit.refused
          WHERE n > $1 ORDER BY n LIMIT $2",
    types: types![INT8, INT8],
    context: "listing refused events",
};
/// Stages a refused event.
pub(crate) const RESTAGE: Statement = Statement {
    sql: "WITH d AS (DELETE FROM audit.refused WHERE n = $1 RETURNING log, id, body)
          INSERT INTO audit.staged (log, id, body) SELECT log, id, body FROM d",
    types: types![INT8],
    context: "staging a refused event",
};
/// Finds the log of a refused event.
pub(crate) const READ: Statement = Statement {
    sql: "SELECT log FROM audit.refused WHERE n = $1",
    types: types![INT8],
    context: "dropping a refused event",
};
/// Deletes a refused event.
pub(crate) const DELETE: Statement = Statement {
    sql: "DELETE FROM audit.refused WHERE n = $1 RETURNING id",
    types: types![INT8],
    context: "dropping a refused event",
};

/// Returns refused events after the number `after`, at most `limit`.
pub(crate) async fn list(readers: Readers, after: u64, limit: usize) -> Result<Vec<RefusedEvent>> {
    let (after, limit) = (number(after), i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = readers.take(Log::Platform).await?.query(&LIST, &[&after, &limit]).await?;
    rows.iter().map(refused_event).collect()
}

fn refused_event(row: &Row) -> Result<RefusedEvent> {
    let number = column::<i64>(row, 0)?.unsigned_abs();
    let refused_at = Timestamp::from_nanos(column(row, 5)?);
    let body = column::<String>(row, 3)?.into_bytes();
    let event = RefusedEvent::new(number, body, column(row, 4)?, refused_at);
    let id = EventId::from_uuid(column(row, 2)?);
    Ok(event.log(Log::from_bytes(column(row, 1)?)).id(Some(id)))
}

/// No event has a number that the server cannot count to.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Stages a refused event again.
pub(crate) async fn restage(core: Arc<Core>, n: u64) -> Result<()> {
    let session = core.writers.take().await?;
    session.begin_writing().await?;
    match session.execute(&RESTAGE, &[&number(n)]).await? {
        0 => Err(Error::not_found("refused event")),
        _ => session.commit().await,
    }
}

/// Deletes a refused event, with the event that records it.
pub(crate) async fn drop(core: Arc<Core>, n: u64, by: AuditContext) -> Result<()> {
    let row = core.writers.take().await?.query_opt(&READ, &[&number(n)]).await?;
    let row = row.ok_or_else(|| Error::not_found("refused event"))?;
    let log = Log::from_bytes(column(&row, 0)?).unwrap_or(Log::Platform);
    core.change(Drop { n, log, by }).await
}

struct Drop {
    n: u64,
    log: Log,
    by: AuditContext,
}

impl Change for Drop {
    type Output = ();

    fn wanted(&self) -> Wanted {
        Wanted::default().log(self.log)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<()> {
        let row = transaction.session.query_opt(&DELETE, &[&number(self.n)]).await?;
        let row = row.ok_or_else(|| Error::not_found("refused event"))?;
        let id = EventId::from_uuid(column(&row, 0)?);
        let event = Refusal::dropped(Some(id), self.by.clone())?;
        transaction.append_own(core, Batch::reserved(self.log, event)?)
    }
}
