//! Comparing derived data with the records, and rebuilding it, in small transactions.

use std::sync::Arc;

use audit_core::backend::StoredEvent;
use audit_core::{EventId, Log, Result, Sequence};
use audit_index::{Compared, DerivedFinding};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::append::WriteTransaction;
use crate::change::Change;
use crate::connection::{Session, Statement, column, sequence, types};
use crate::core::Core;
use crate::derived;
use crate::error::task;
use crate::index::PostgresIndex;
use crate::lock::Wanted;
use crate::log_row::{LogRow, log_row};

const CONTEXT: &str = "comparing derived data";

/// Reads the ids of events, as the rows have them and as the records have them.
pub(crate) const READ_IDS: Statement = Statement {
    sql: "SELECT sequence, id, record FROM audit.event
          WHERE log = $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence LIMIT 512",
    types: types![BYTEA, INT8, INT8],
    context: CONTEXT,
};
/// Takes ids from events that have them wrongly.
pub(crate) const TAKE_IDS: Statement = Statement {
    sql: "UPDATE audit.event SET id = NULL WHERE log = $1 AND id = ANY($2)",
    types: types![BYTEA, UUID_ARRAY],
    context: CONTEXT,
};
/// Sets the ids of events.
pub(crate) const SET_IDS: Statement = Statement {
    sql: "UPDATE audit.event e SET id = w.id FROM unnest($2, $3) AS w (sequence, id)
          WHERE e.log = $1 AND e.sequence = w.sequence",
    types: types![BYTEA, INT8_ARRAY, UUID_ARRAY],
    context: CONTEXT,
};

/// The result of a step.
#[derive(Default)]
struct Step {
    found: Vec<DerivedFinding>,
    /// The event after which to go on.
    next: Option<Sequence>,
}

impl Step {
    fn of_part(part: &Compared, row: LogRow) -> Self {
        let next = (part.through < row.head.size).then_some(part.through);
        Self { found: part.finding.into_iter().collect(), next }
    }

    fn of_ids(wrong: &WrongIds) -> Self {
        let of_event = |number: &Sequence| DerivedFinding::EventId { sequence: *number };
        Self { found: wrong.sequences.iter().map(of_event).collect(), next: wrong.through }
    }
}

/// The events of a step whose rows have other ids than their records.
#[derive(Default)]
struct WrongIds {
    sequences: Vec<Sequence>,
    ids: Vec<Uuid>,
    /// The last event of the step; `None` if there is no more.
    through: Option<Sequence>,
}

impl WrongIds {
    async fn read(session: &Session, log: Log, after: Sequence, row: LogRow) -> Result<Self> {
        let after = after.max(row.head.pruned).as_i64();
        let size = row.head.size.as_i64();
        let rows = session.query(&READ_IDS, &[&log.as_bytes(), &after, &size]).await?;
        let mut wrong = Self::default();
        for row in &rows {
            let at = sequence(row, 0)?;
            wrong.through = Some(at);
            let (id, record) = (column::<Option<Uuid>>(row, 1)?, column::<String>(row, 2)?);
            // An id cannot be known from a damaged record.
            let Ok(event) = StoredEvent::new(record.into_bytes(), None).decode() else { continue };
            if id.map(EventId::from_uuid) != Some(event.id) {
                wrong.sequences.push(at);
                wrong.ids.push(*event.id.as_uuid());
            }
        }
        Ok(wrong)
    }

    async fn repair(&self, session: &Session, log: Log) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let key = log.as_bytes();
        let sequences: Vec<_> = self.sequences.iter().map(|sequence| sequence.as_i64()).collect();
        session.execute(&TAKE_IDS, &[&key, &self.ids]).await?;
        session.execute(&SET_IDS, &[&key, &sequences, &self.ids]).await.map(drop)
    }
}

/// A part of the derived data.
#[derive(Clone, Copy)]
enum Part {
    Index,
    Ids,
}

/// Compares a part of the derived data, and rebuilds it if it is wrong.
struct Repair {
    log: Log,
    part: Part,
    after: Sequence,
}

impl Change for Repair {
    type Output = Step;

    fn wanted(&self) -> Wanted {
        Wanted::default().log(self.log).index()
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<Step> {
        let (log, after) = (self.log, self.after);
        let row = transaction.end(log)?.row;
        match self.part {
            Part::Index => {
                let indexing = core.indexing.clone();
                let repair = move |writer: &derived::Writer<'_>, index: &_| {
                    derived::repair(writer, index, &indexing, after)
                };
                let compared = transaction.with_index(core, log, repair).await?;
                Ok(Step::of_part(&compared, row))
            }
            Part::Ids => {
                let wrong = WrongIds::read(&transaction.session, log, after, row).await?;
                wrong.repair(&transaction.session, log).await?;
                Ok(Step::of_ids(&wrong))
            }
        }
    }
}

/// Rebuilds those parts of the index of a log that cannot be read.
pub(crate) struct Heal(pub(crate) Log);

impl Change for Heal {
    type Output = ();

    fn wanted(&self) -> Wanted {
        Wanted::default().log(self.0).index()
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<()> {
        let indexing = core.indexing.clone();
        let heal = move |writer: &derived::Writer<'_>, index: &_| {
            derived::heal(writer, index, &indexing).map(drop)
        };
        transaction.with_index(core, self.0, heal).await
    }
}

/// Compares a part of the derived data, from one snapshot.
async fn compare(core: Arc<Core>, log: Log, part: Part, after: Sequence) -> Result<Step> {
    let session = core.readers.take(log).await?;
    session.begin_reading().await?;
    let Some(row) = log_row(&session, log).await? else { return Ok(Step::default()) };
    match part {
        Part::Index => {
            let indexing = core.indexing.clone();
            let index = PostgresIndex::of_transaction(session, log, row);
            let compare = move || {
                let compared = derived::compare(&index.writer(&indexing), &index, &indexing, after);
                index.into_session().release();
                compared
            };
            let compared = spawn_blocking(compare).await.map_err(task)??;
            Ok(Step::of_part(&compared, row))
        }
        Part::Ids => {
            let wrong = WrongIds::read(&session, log, after, row).await?;
            session.release();
            Ok(Step::of_ids(&wrong))
        }
    }
}

/// Compares the derived data of a log, and rebuilds what is wrong if `repair` is set.
pub(crate) async fn compare_all(
    core: Arc<Core>,
    log: Log,
    repair: bool,
) -> Result<Vec<DerivedFinding>> {
    let mut found = Vec::new();
    if log_row(&core.readers.take(log).await?, log).await?.is_none() {
        return Ok(found);
    }
    for part in [Part::Index, Part::Ids] {
        let mut at = Some(Sequence::ZERO);
        while let Some(after) = at {
            let core = Arc::clone(&core);
            let step = if repair {
                core.change(Repair { log, part, after }).await?
            } else {
                compare(core, log, part, after).await?
            };
            found.extend(step.found);
            at = step.next;
        }
    }
    Ok(found)
}
