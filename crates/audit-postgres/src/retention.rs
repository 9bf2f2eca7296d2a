//! Retention: the settings of a log, and the removal of pruned events in small transactions.

use std::collections::HashMap;
use std::sync::Arc;

use audit_core::backend::{Batch, StoredEvent};
use audit_core::tree::Tile;
use audit_core::{
    AuditContext, Error, ErrorKind, Head, Log, Pruned, Pruning, Result, Retention, Sequence,
    Timestamp,
};

use crate::append::WriteTransaction;
use crate::build;
use crate::change::Change;
use crate::connection::{Session, Statement, column, types};
use crate::core::Core;
use crate::error::corrupt;
use crate::keys::delete_keys;
use crate::lock::Wanted;
use crate::log_row::log_row;
use crate::readers::Readers;
use crate::replica::note_removal;

const CONTEXT: &str = "removing events";

/// The number of events, or other rows, that one transaction removes: whole groups of keys.
const STEP: u16 = 512;

/// Reads the retention of a log.
pub(crate) const READ_RETENTION: Statement = Statement {
    sql: "SELECT retention FROM audit.log WHERE log = $1",
    types: types![BYTEA],
    context: "reading the retention",
};
/// Sets the retention of a log.
pub(crate) const SET_RETENTION: Statement = Statement {
    sql: "UPDATE audit.log SET retention = $2 WHERE log = $1",
    types: types![BYTEA, BYTEA],
    context: "setting the retention",
};
/// Sets the last event that retention has removed.
pub(crate) const SET_FLOOR: Statement = Statement {
    sql: "UPDATE audit.log SET pruned = $2 WHERE log = $1",
    types: types![BYTEA, INT8],
    context: "pruning",
};
/// Reads the record of an event.
pub(crate) const READ_RECORD: Statement = Statement {
    sql: "SELECT record FROM audit.event WHERE log = $1 AND sequence = $2",
    types: types![BYTEA, INT8],
    context: CONTEXT,
};
/// Deletes the first events of a log, with their keys.
pub(crate) const DELETE_EVENTS: Statement = Statement {
    sql: concat!(
        "WITH e AS (
              DELETE FROM audit.event WHERE log = $1 AND sequence IN (
                  SELECT sequence FROM audit.event WHERE log = $1 AND sequence <= $2
                  ORDER BY sequence LIMIT $3)
              RETURNING sequence),
          k AS (",
        delete_keys!("SELECT (sequence - 1) / 32 FROM e"),
        ")
          SELECT count(*) FROM e"
    ),
    types: types![BYTEA, INT8, INT8],
    context: CONTEXT,
};
/// Deletes the first nodes of a level of a log's tree.
pub(crate) const DELETE_NODES: Statement = Statement {
    sql: "DELETE FROM audit.node WHERE log = $1 AND level = $2 AND index IN (
              SELECT index FROM audit.node WHERE log = $1 AND level = $2 AND index < $3
              ORDER BY index LIMIT $4)",
    types: types![BYTEA, INT2, INT8, INT8],
    context: CONTEXT,
};

/// Returns the retention of a log.
pub(crate) async fn find(readers: Readers, log: Log) -> Result<Retention> {
    read(&readers.take(log).await?, log).await
}

/// Reads the retention of a log.
pub(crate) async fn read(session: &Session, log: Log) -> Result<Retention> {
    let row = session.query_opt(&READ_RETENTION, &[&log.as_bytes()]).await?;
    let kept = row.as_ref().map(|row| column::<Option<&[u8]>>(row, 0)).transpose()?.flatten();
    kept.map_or(Ok(Retention::default()), |kept| {
        serde_json::from_slice(kept)
            .map_err(|source| corrupt(READ_RETENTION.context).with_source(source))
    })
}

/// Sets the retention of a log.
pub(crate) struct SetRetention {
    pub(crate) log: Log,
    pub(crate) retention: Retention,
    pub(crate) by: AuditContext,
}

impl Change for SetRetention {
    type Output = ();

    fn wanted(&self) -> Wanted {
        Wanted::default().log(self.log)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<()> {
        let before = read(&transaction.session, self.log).await?;
        if before == self.retention {
            return Ok(());
        }
        let kept = serde_json::to_vec(&self.retention)
            .map_err(|source| Error::new(ErrorKind::Invalid).with_source(source))?;
        let event = self.retention.event(&before, self.by.clone())?;
        transaction.append_own(core, Batch::reserved(self.log, event)?)?;
        transaction.session.execute(&SET_RETENTION, &[&self.log.as_bytes(), &kept]).await.map(drop)
    }
}

/// Raises the floor of a log to what its retention keeps at the current time, and records an event
/// about it. Events up to the floor are not visible from then on.
pub(crate) struct Prune {
    pub(crate) log: Log,
    pub(crate) pruning: Pruning,
}

impl Change for Prune {
    type Output = Pruned;

    fn wanted(&self) -> Wanted {
        Wanted::default().log(self.log)
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<Pruned> {
        let session = &transaction.session;
        let retention = read(session, self.log).await?;
        let head = transaction.end(self.log)?.row.head;
        let floor = self.floor(&transaction.session, &retention, head).await?;
        let pruned = Pruned::new(head, floor);
        if pruned.events > 0 {
            let key = self.log.as_bytes();
            transaction.session.execute(&SET_FLOOR, &[&key, &floor.as_i64()]).await?;
            transaction.end(self.log)?.row.head.pruned = floor;
            let event = pruned.event(self.pruning.by.clone())?;
            transaction.append_own(core, Batch::reserved(self.log, event)?)?;
            let last = transaction.end(self.log)?.row.head.size;
            note_removal(&transaction.session, self.log, last).await?;
        }
        Ok(pruned)
    }
}

impl Prune {
    /// Asks the retention for the floor, again with each time that it wants to know.
    async fn floor(
        &self,
        session: &Session,
        retention: &Retention,
        head: Head,
    ) -> Result<Sequence> {
        let (now, mut times) = (Timestamp::now(), HashMap::new());
        loop {
            let mut unknown = None;
            let floor = retention.floor(head, &self.pruning, now, |sequence| {
                times.get(&sequence).copied().ok_or_else(|| {
                    unknown = Some(sequence);
                    corrupt(CONTEXT)
                })
            });
            let Some(sequence) = unknown else { return floor };
            times.insert(sequence, recorded_at(session, self.log, sequence).await?);
        }
    }
}

/// Returns the time at which an event was recorded.
async fn recorded_at(session: &Session, log: Log, sequence: Sequence) -> Result<Timestamp> {
    let row = session.query_opt(&READ_RECORD, &[&log.as_bytes(), &sequence.as_i64()]).await?;
    let row = row.ok_or_else(|| corrupt(CONTEXT))?;
    let record: String = column(&row, 0)?;
    Ok(StoredEvent::new(record.into_bytes(), None).decode()?.recorded_at)
}

/// Raises the floor of a log, and deletes what is below it. Each step has its own transaction, so that
/// appends can run in between.
pub(crate) async fn prune(core: Arc<Core>, log: Log, pruning: Pruning) -> Result<Pruned> {
    if log_row(&core.writers.take().await?, log).await?.is_none() {
        return Ok(Pruned::new(Head::default(), Sequence::ZERO));
    }
    let pruned = Arc::clone(&core).change(Prune { log, pruning }).await?;
    if pruned.floor > Sequence::ZERO {
        while delete_events(&core, log, pruned.floor).await? {}
        while build::remove_through(&core, log, pruned.floor, STEP.into()).await? {}
        delete_nodes(&core, log, pruned.floor).await?;
    }
    Ok(pruned)
}

/// Deletes some of the pruned events. Returns `true` if there may be more.
async fn delete_events(core: &Core, log: Log, floor: Sequence) -> Result<bool> {
    let session = core.writers.take().await?;
    let (key, floor, most) = (log.as_bytes(), floor.as_i64(), i64::from(STEP));
    let deleted = session.query_opt(&DELETE_EVENTS, &[&key, &floor, &most]).await;
    let deleted = deleted?.ok_or_else(|| corrupt(CONTEXT))?;
    Ok(column::<i64>(&deleted, 0)? == most)
}

/// Deletes the nodes that no proof needs: those of tiles without an event above the floor.
async fn delete_nodes(core: &Core, log: Log, floor: Sequence) -> Result<()> {
    let session = core.writers.take().await?;
    let mut level = Tile::HEIGHT;
    // A tile has as many events as its nodes and the levels below have leaves.
    while let Some(tiles) =
        floor.get().checked_shr((level + Tile::HEIGHT).into()).filter(|n| *n > 0)
    {
        let first_kept = i64::try_from(tiles * Tile::WIDTH).map_err(|_| corrupt(CONTEXT))?;
        let (key, of_level, most) = (log.as_bytes(), i16::from(level), i64::from(STEP));
        while session.execute(&DELETE_NODES, &[&key, &of_level, &first_kept, &most]).await?
            == u64::from(STEP)
        {}
        level += Tile::HEIGHT;
    }
    Ok(())
}
