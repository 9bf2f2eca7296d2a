//! The storage of the index: the calls of [`audit_index`] in SQL.
//!
//! The index is written by code that does no I/O of its own and waits for none. So it runs on a thread for
//! blocking work, and each call waits there for the server. How a scan reads it is in
//! [`snapshot`](crate::snapshot).

use audit_core::{Log, Result, Sequence};
use audit_index::{
    IndexStorage, IndexStorageMut, IndexWriter, MERGE_SHARE, NewPart, PartId, Segment, SegmentInfo,
    Stage, TailRow, damaged,
};
use tokio_postgres::Row;

use crate::connection::{Parameter, Session, Statement, column, sequence, types};
use crate::events::read_events;
use crate::indexing::Indexing;
use crate::log_row::LogRow;
use crate::parts::LogParts;
use crate::sealing::SealedEvent;

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
}

impl PostgresIndex {
    /// Continues a transaction that writes the index.
    pub(crate) fn of_transaction(session: Session, log: Log, row: LogRow) -> Self {
        Self { parts: LogParts::new(session, log), row }
    }

    /// Returns the connection.
    pub(crate) fn into_session(self) -> Session {
        self.parts.session
    }

    /// Returns the number of rows deleted.
    pub(crate) fn deleted(&self) -> u64 {
        self.parts.deleted()
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
    let mut numbers = [0; 9];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = column(row, at)?;
    }
    segment_of(numbers)
}

/// Returns the segment with the numbers of a row of the directory.
pub(crate) fn segment_of(numbers: [i64; 9]) -> Result<Segment> {
    let [id, kind, written, bounds @ ..] = numbers;
    let stage = Stage::from_numbers(kind, written)?;
    Segment::new(id, SegmentInfo::from_numbers(bounds)?, stage)
}

/// Calls `visit` with rows of a tail.
fn visit_tail<'r>(
    rows: impl IntoIterator<Item = &'r Row>,
    mut visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
) -> Result<()> {
    rows.into_iter()
        .try_for_each(|row| visit(TailRow { first: sequence(row, 0)?, data: column(row, 1)? }))
}

impl IndexStorage for PostgresIndex {
    type Parts<'a> = &'a LogParts;

    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        let (key, first, last) = (self.key(), first.as_i64(), last.as_i64());
        visit_tail(&self.parts.query(&READ_TAIL, &[&key, &first, &last])?, visit)
    }

    fn directory(&self) -> Result<Vec<Segment>> {
        self.parts.query(&DIRECTORY, &[&self.key()])?.iter().map(segment).collect()
    }

    fn parts(&self) -> Result<&LogParts> {
        Ok(&self.parts)
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
        self.parts.delete_rows(&CLEAR_TAIL, &[&self.key(), &first.as_i64(), &last.as_i64()])
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
