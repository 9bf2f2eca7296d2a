//! The storage of the index: the calls of [`audit_index`] in SQL.
//!
//! The index is read and written by code that does no I/O of its own and waits for none. So it runs on a
//! thread for blocking work, and each call waits there for the server. What a query needs next is
//! announced to it, so that a page takes three or four round trips, whatever the size of the log.

use audit_core::tree::NodeHash;
use audit_core::{Filter, Log, Result, Scan, Sequence};
use audit_index::{
    FirstBuckets, IndexStorage, IndexStorageMut, IndexWriter, MERGE_SHARE, NewPart, PartId,
    Segment, SegmentInfo, Stage, TailRow, TermHasher, damaged,
};
use futures_util::future::join5;
use tokio_postgres::Row;

use crate::connection::{Parameter, Session, Statement, both, column, sequence, types};
use crate::events::read_events;
use crate::indexing::Indexing;
use crate::log_row::LogRow;
use crate::log_state::{IfStaged, log_state};
use crate::parts::{LogParts, PostgresParts, read_first_buckets};
use crate::sealing::SealedEvent;
use crate::tiles;

const READING: &str = "reading the index";
const WRITING: &str = "writing the index";

/// Locks the index of a log, if nobody else builds it.
pub(crate) const TRY_LOCK_INDEX: Statement = Statement {
    sql: "SELECT 1 FROM audit.builder WHERE log = $1 FOR UPDATE SKIP LOCKED",
    types: types![BYTEA],
    context: "locking the index",
};
/// Locks the index of a log.
pub(crate) const LOCK_INDEX: Statement = Statement {
    sql: "SELECT 1 FROM audit.builder WHERE log = $1 FOR UPDATE",
    types: types![BYTEA],
    context: "locking the index",
};
/// Sets the last event that is in a segment of the index.
pub(crate) const SET_INDEXED: Statement = Statement {
    sql: "UPDATE audit.log SET indexed = $2 WHERE log = $1 AND indexed = $3",
    types: types![BYTEA, INT8, INT8],
    context: "writing the index",
};

/// Reads the rows of a tail.
pub(crate) const READ_TAIL: Statement = Statement {
    sql: "SELECT first, data FROM audit.tail
          WHERE log = $1 AND first BETWEEN $2 AND $3 ORDER BY first",
    types: types![BYTEA, INT8, INT8],
    context: READING,
};
/// Writes rows of a tail.
pub(crate) const PUT_TAIL: Statement = Statement {
    sql: "INSERT INTO audit.tail (log, first, data)
          SELECT $1, w.first, w.data FROM unnest($2, $3) AS w (first, data)
          ON CONFLICT (log, first) DO UPDATE SET data = excluded.data",
    types: types![BYTEA, INT8_ARRAY, BYTEA_ARRAY],
    context: WRITING,
};
/// Deletes rows of a tail.
pub(crate) const CLEAR_TAIL: Statement = Statement {
    sql: "DELETE FROM audit.tail WHERE log = $1 AND first BETWEEN $2 AND $3",
    types: types![BYTEA, INT8, INT8],
    context: WRITING,
};
/// Reads the segments of a log, the newest first.
pub(crate) const DIRECTORY: Statement = Statement {
    sql: "SELECT id, stage, written, first, last, earliest, latest, bucket_bits, checksum
          FROM audit.segment WHERE log = $1 ORDER BY first DESC",
    types: types![BYTEA],
    context: READING,
};
/// Adds a segment to the directory.
pub(crate) const INSERT_SEGMENT: Statement = Statement {
    sql: "INSERT INTO audit.segment
          (log, first, last, earliest, latest, bucket_bits, checksum, stage, written)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
    types: types![BYTEA, INT8, INT8, INT8, INT8, INT8, INT8, INT8, INT8],
    context: WRITING,
};
/// Changes the stage of a segment.
pub(crate) const SET_STAGE: Statement = Statement {
    sql: "UPDATE audit.segment SET stage = $3, written = $4 WHERE log = $1 AND id = $2",
    types: types![BYTEA, INT8, INT8, INT8],
    context: WRITING,
};
/// Deletes a segment from the directory.
pub(crate) const DELETE_SEGMENT: Statement = Statement {
    sql: "DELETE FROM audit.segment WHERE log = $1 AND id = $2",
    types: types![BYTEA, INT8],
    context: WRITING,
};
/// Deletes the whole directory of a log, with the parts of its segments.
pub(crate) const CLEAR: Statement = Statement {
    sql: "WITH s AS (DELETE FROM audit.segment WHERE log = $1),
               t AS (DELETE FROM audit.tail WHERE log = $1)
          DELETE FROM audit.part WHERE log = $1",
    types: types![BYTEA],
    context: WRITING,
};
/// The stored index of one log, in a transaction. Its calls block, and so must be made on a thread for
/// blocking work.
pub(crate) struct PostgresIndex {
    parts: LogParts,
    row: LogRow,
    /// What was read before the first call.
    loaded: Option<Loaded>,
}

struct Loaded {
    directory: Vec<Row>,
    tail: Vec<Row>,
}

impl PostgresIndex {
    /// Begins to read one snapshot: the head, the tail, the directory, and the buckets that are read
    /// first, in one round trip. Returns `None` if events of the log are staged and that stops the read.
    pub(crate) async fn of_snapshot(
        session: Session,
        scan: &Scan,
        hasher: &TermHasher,
        if_staged: IfStaged,
    ) -> Result<Option<Self>> {
        let log = scan.log;
        let key = log.as_bytes();
        // A feed of all events needs no index.
        let needs_index = scan.order.is_by_time() || scan.filter != Filter::new();
        let (state, loaded, buckets) = if needs_index {
            let (begun, state, directory, tail, buckets) = join5(
                session.begin_reading(),
                log_state(&session, log),
                session.query(&DIRECTORY, &[&key]),
                session.query(&READ_TAIL, &[&key, &0_i64, &i64::MAX]),
                read_first_buckets(&session, log, FirstBuckets::of(scan, hasher)),
            )
            .await;
            begun?;
            (state?, Some(Loaded { directory: directory?, tail: tail? }), buckets?)
        } else {
            let ((), state) = both(session.begin_reading(), log_state(&session, log)).await?;
            (state, None, Vec::new())
        };
        if state.stops(if_staged) {
            session.release();
            return Ok(None);
        }
        let parts = LogParts::new(session, log, false);
        parts.keep(&buckets)?;
        Ok(Some(Self { parts, row: state.row.unwrap_or_default(), loaded }))
    }

    /// Continues a transaction that writes the index.
    pub(crate) fn of_transaction(session: Session, log: Log, row: LogRow) -> Self {
        Self { parts: LogParts::new(session, log, true), row, loaded: None }
    }

    /// Returns the connection.
    pub(crate) fn into_session(self) -> Session {
        self.parts.session
    }

    /// Returns the row of the log.
    pub(crate) fn row(&self) -> LogRow {
        self.row
    }

    pub(crate) fn writer(&self, indexing: &Indexing) -> IndexWriter<'_, Self> {
        let segment_events = indexing.segment_events;
        IndexWriter { storage: self, segment_events, merge_share: MERGE_SHARE }
    }

    /// Reads events, in the order of `sequences`. Leaves out those that are missing.
    pub(crate) fn events(&self, sequences: &[Sequence]) -> Result<Vec<SealedEvent>> {
        self.parts.wait(read_events(&self.parts.session, self.parts.log, sequences))
    }

    /// Does the same, and returns the node that identifies the first `bound` events as well.
    pub(crate) fn events_and_end(
        &self,
        sequences: &[Sequence],
        bound: Sequence,
    ) -> Result<(Vec<SealedEvent>, Option<NodeHash>)> {
        let LogParts { session, log, .. } = &self.parts;
        let events = read_events(session, *log, sequences);
        self.parts.wait(both(events, tiles::end(session, *log, bound)))
    }

    /// Sets the last event that is in a segment.
    pub(crate) fn set_indexed(&self, indexed: Sequence) -> Result<()> {
        let before = self.row.indexed;
        if indexed == before {
            return Ok(());
        }
        let (key, indexed, before) = (self.key(), indexed.as_i64(), before.as_i64());
        self.parts.execute(&SET_INDEXED, &[&key, &indexed, &before])
    }

    fn key(&self) -> &[u8] {
        self.parts.log.as_bytes()
    }
}

/// Returns the segment of a row of the directory.
fn segment(row: &Row) -> Result<Segment> {
    let get = |at| column::<i64>(row, at);
    let stage = Stage::from_numbers(get(1)?, get(2)?)?;
    let numbers = [get(3)?, get(4)?, get(5)?, get(6)?, get(7)?, get(8)?];
    Segment::new(get(0)?, SegmentInfo::from_numbers(numbers)?, stage)
}

impl IndexStorage for PostgresIndex {
    type Parts<'a> = PostgresParts<'a>;

    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        mut visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        let read;
        let rows = if let Some(loaded) = &self.loaded {
            &loaded.tail
        } else {
            let (key, first, last) = (self.key(), first.as_i64(), last.as_i64());
            read = self.parts.query(&READ_TAIL, &[&key, &first, &last])?;
            &read
        };
        for row in rows {
            let begin = column::<i64>(row, 0)?;
            if (first.as_i64()..=last.as_i64()).contains(&begin) {
                visit(TailRow { first: sequence(row, 0)?, data: column(row, 1)? })?;
            }
        }
        Ok(())
    }

    fn directory(&self) -> Result<Vec<Segment>> {
        match &self.loaded {
            Some(loaded) => loaded.directory.iter().map(segment).collect(),
            None => self.parts.query(&DIRECTORY, &[&self.key()])?.iter().map(segment).collect(),
        }
    }

    fn parts(&self) -> Result<PostgresParts<'_>> {
        Ok(PostgresParts(&self.parts))
    }
}

impl IndexStorageMut for PostgresIndex {
    /// Returns `None`: each append writes rows of its own.
    fn last_tail_row(&self, _: Sequence, _: Sequence) -> Result<Option<TailRow<Vec<u8>>>> {
        Ok(None)
    }

    fn put_tail<'r>(&self, rows: impl IntoIterator<Item = TailRow<&'r [u8]>>) -> Result<()> {
        let rows = rows.into_iter().map(|row| (row.first.as_i64(), row.data));
        let (first, data): (Vec<_>, Vec<_>) = rows.unzip();
        self.parts.execute(&PUT_TAIL, &[&self.key(), &first, &data])
    }

    fn clear(&self) -> Result<()> {
        self.parts.execute(&CLEAR, &[&self.key()])
    }

    fn clear_tail(&self, first: Sequence, last: Sequence) -> Result<()> {
        self.parts.execute(&CLEAR_TAIL, &[&self.key(), &first.as_i64(), &last.as_i64()])
    }

    fn insert_segment(&self, info: SegmentInfo, stage: Stage) -> Result<Segment> {
        let [first, last, earliest, latest, bits, checksum] = info.to_numbers();
        let (kind, written) = stage.to_numbers();
        let key = self.key();
        let row: [Parameter<'_>; 9] =
            [&key, &first, &last, &earliest, &latest, &bits, &checksum, &kind, &written];
        let rows = self.parts.query(&INSERT_SEGMENT, &row)?;
        Segment::new(column(rows.first().ok_or_else(damaged)?, 0)?, info, stage)
    }

    fn set_stage(&self, segment: &Segment, stage: Stage) -> Result<()> {
        let (kind, written) = stage.to_numbers();
        self.parts.execute(&SET_STAGE, &[&self.key(), &segment.id(), &kind, &written])
    }

    fn delete_segment(&self, segment: &Segment) -> Result<()> {
        self.parts.execute(&DELETE_SEGMENT, &[&self.key(), &segment.id()])
    }

    fn insert_parts(&self, segment: &Segment, parts: &[NewPart]) -> Result<()> {
        self.parts.insert(segment, parts)
    }

    fn last_part(&self, segment: &Segment) -> Result<Option<u32>> {
        self.parts.last(segment)
    }

    fn delete_parts(&self, segment: &Segment, first: u32) -> Result<()> {
        self.parts.delete(segment, first)
    }

    fn overwrite_part(&self, part: PartId, data: &[u8]) -> Result<()> {
        self.parts.overwrite(part, data)
    }
}
