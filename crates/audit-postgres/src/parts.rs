//! The parts of segments: reads them in as few round trips as possible, and writes them.

use std::cell::RefCell;
use std::collections::HashMap;

use audit_core::{Log, Result};
use audit_index::{FirstBuckets, NewPart, PartId, ReadParts, Segment, TableSearch, damaged};
use tokio::runtime::Handle;
use tokio_postgres::Row;

use crate::connection::{Parameter, Session, Statement, both, column, types};

const READING: &str = "reading the index";
const WRITING: &str = "writing the index";

/// Reads the buckets of some keys in the first segments that a query reaches. It needs nothing of the
/// directory, and is sent with the statement that reads that.
pub(crate) const READ_FIRST_BUCKETS: Statement = Statement {
    sql: "SELECT s.id, p.part, p.data
          FROM (SELECT id, first, last, bucket_bits FROM audit.segment
                WHERE log = $1 AND stage = 0 AND first > 0 AND bucket_bits BETWEEN 0 AND 32
                    AND last > $3 AND first <= $4 AND latest >= $5 AND earliest <= $6
                ORDER BY first * $7 LIMIT $8) s
          CROSS JOIN unnest($2) AS w (prefix)
          JOIN audit.part p ON p.log = $1 AND p.segment = s.id
              AND p.part = (s.last - s.first) / $9 + 1 + (w.prefix >> (32 - s.bucket_bits)::int)",
    types: types![BYTEA, INT8_ARRAY, INT8, INT8, INT8, INT8, INT8, INT8, INT8],
    context: READING,
};
/// Searches tables of segments, and reads the rows with which the searches end, with the rows after them.
/// A time is compared by its bytes, the sign turned over.
pub(crate) const SEARCH_TABLES: Statement = Statement {
    sql: "WITH RECURSIVE s (number, segment, before, low, high) AS (
              SELECT w.number, w.segment, w.before, 0::bigint, w.rows
              FROM unnest($2, $3, $4, $5) AS w (number, segment, before, rows)
              UNION ALL
              SELECT s.number, s.segment, s.before,
                  CASE WHEN m.is_before THEN m.part ELSE s.low END,
                  CASE WHEN m.is_before THEN s.high ELSE m.part END
              FROM s CROSS JOIN LATERAL (
                  SELECT p.part,
                      set_byte(substr(p.data, 1, 8), 0, get_byte(p.data, 0) # 128) < s.before
                          AS is_before
                  FROM audit.part p
                  WHERE p.log = $1 AND p.segment = s.segment AND p.part = (s.low + s.high) / 2
                      AND length(p.data) >= 8) m
              WHERE s.high - s.low > 1),
          f AS (SELECT number, segment, max(low) AS part FROM s GROUP BY number, segment)
          SELECT f.number, p.part, p.data, p.segment, f.part FROM f
          JOIN audit.part p ON p.log = $1 AND p.segment = f.segment AND p.part = f.part
          UNION ALL
          SELECT f.number, p.part, p.data, p.segment, f.part FROM f
          JOIN audit.part p ON p.log = $1 AND p.segment = f.segment AND p.part = f.part + 1",
    types: types![BYTEA, INT8_ARRAY, INT8_ARRAY, BYTEA_ARRAY, INT8_ARRAY],
    context: READING,
};
/// Reads parts of segments.
pub(crate) const READ_PARTS: Statement = Statement {
    sql: "SELECT w.segment, w.part, p.data FROM unnest($2, $3) AS w (segment, part)
          JOIN audit.part p ON p.log = $1 AND p.segment = w.segment AND p.part = w.part",
    types: types![BYTEA, INT8_ARRAY, INT8_ARRAY],
    context: READING,
};
/// Reads adjacent parts of a segment.
pub(crate) const READ_PARTS_FROM: Statement = Statement {
    sql: "SELECT segment, part, data FROM audit.part
          WHERE log = $1 AND segment = $2 AND part >= $3 ORDER BY part LIMIT 32",
    types: types![BYTEA, INT8, INT8],
    context: READING,
};
/// Writes parts of a segment.
pub(crate) const INSERT_PARTS: Statement = Statement {
    sql: "INSERT INTO audit.part (log, segment, part, data)
          SELECT $1, $2, w.part, w.data FROM unnest($3, $4) AS w (part, data)
          ON CONFLICT (log, segment, part) DO UPDATE SET data = excluded.data",
    types: types![BYTEA, INT8, INT8_ARRAY, BYTEA_ARRAY],
    context: WRITING,
};
/// Finds the last part of a segment.
pub(crate) const LAST_PART: Statement = Statement {
    sql: "SELECT part FROM audit.part WHERE log = $1 AND segment = $2 ORDER BY part DESC LIMIT 1",
    types: types![BYTEA, INT8],
    context: READING,
};
/// Overwrites a part of a segment.
pub(crate) const OVERWRITE_PART: Statement = Statement {
    sql: "UPDATE audit.part SET data = $4 WHERE log = $1 AND segment = $2 AND part = $3",
    types: types![BYTEA, INT8, INT8, BYTEA],
    context: WRITING,
};
/// Deletes parts of a segment.
pub(crate) const DELETE_PARTS: Statement = Statement {
    sql: "DELETE FROM audit.part WHERE log = $1 AND segment = $2 AND part >= $3",
    types: types![BYTEA, INT8, INT8],
    context: WRITING,
};

/// The parts of the segments of one log, in a transaction. Calls block, and so must be made on a thread
/// for blocking work.
pub(crate) struct LogParts {
    pub(crate) session: Session,
    pub(crate) log: Log,
    runtime: Handle,
    /// The parts that have been announced.
    known: RefCell<HashMap<PartId, Vec<u8>>>,
    /// Whether parts are read in the order of their numbers, as a merge does.
    is_sequential: bool,
}

impl LogParts {
    pub(crate) fn new(session: Session, log: Log, is_sequential: bool) -> Self {
        let (runtime, known) = (Handle::current(), RefCell::default());
        Self { session, log, runtime, known, is_sequential }
    }

    /// Waits for the end of `work` on the connection.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn query(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>> {
        self.wait(self.session.query(statement, parameters))
    }

    pub(crate) fn execute(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<()> {
        self.wait(self.session.execute(statement, parameters)).map(drop)
    }

    /// Keeps parts that were read.
    pub(crate) fn keep(&self, rows: &[Row]) -> Result<()> {
        let mut known = self.known.borrow_mut();
        for row in rows {
            let number = u32::try_from(column::<i64>(row, 1)?).map_err(|_| damaged())?;
            let part = PartId { segment: column(row, 0)?, number };
            known.insert(part, column(row, 2)?);
        }
        Ok(())
    }

    pub(crate) fn insert(&self, segment: &Segment, parts: &[NewPart]) -> Result<()> {
        let rows = parts.iter().map(|part| (i64::from(part.number), &part.data[..]));
        let (numbers, data): (Vec<_>, Vec<_>) = rows.unzip();
        self.known.borrow_mut().clear();
        self.execute(&INSERT_PARTS, &[&self.log.as_bytes(), &segment.id(), &numbers, &data])
    }

    /// Returns the number of the last part of a segment.
    pub(crate) fn last(&self, segment: &Segment) -> Result<Option<u32>> {
        let rows = self.query(&LAST_PART, &[&self.log.as_bytes(), &segment.id()])?;
        let Some(row) = rows.first() else { return Ok(None) };
        u32::try_from(column::<i64>(row, 0)?).map(Some).map_err(|_| damaged())
    }

    /// Deletes the parts of a segment from the number `first` on.
    pub(crate) fn delete(&self, segment: &Segment, first: u32) -> Result<()> {
        let first = i64::from(first);
        self.known.borrow_mut().clear();
        self.execute(&DELETE_PARTS, &[&self.log.as_bytes(), &segment.id(), &first])
    }

    pub(crate) fn overwrite(&self, part: PartId, data: &[u8]) -> Result<()> {
        let number = i64::from(part.number);
        self.known.borrow_mut().clear();
        self.execute(&OVERWRITE_PART, &[&self.log.as_bytes(), &part.segment, &number, &data])
    }
}

/// Reads parts of segments.
pub(crate) struct PostgresParts<'i>(pub(crate) &'i LogParts);

impl PostgresParts<'_> {
    /// Returns the segments and numbers of those of `parts` that are not known.
    fn unknown(&self, parts: impl Iterator<Item = PartId>) -> (Vec<i64>, Vec<i64>) {
        let known = self.0.known.borrow();
        let mut wanted: Vec<_> = parts.filter(|part| !known.contains_key(part)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.iter().map(|part| (part.segment, i64::from(part.number))).unzip()
    }
}

impl ReadParts for PostgresParts<'_> {
    const IS_REMOTE: bool = true;

    fn prefetch(&mut self, parts: impl Iterator<Item = PartId>) -> Result<()> {
        let (segments, numbers) = self.unknown(parts);
        if segments.is_empty() {
            return Ok(());
        }
        let key = self.0.log.as_bytes();
        self.0.keep(&self.0.query(&READ_PARTS, &[&key, &segments, &numbers])?)
    }

    fn search(
        &mut self,
        parts: impl Iterator<Item = PartId>,
        searches: &[TableSearch],
    ) -> Result<Vec<u32>> {
        if searches.is_empty() {
            return self.prefetch(parts).map(|()| Vec::new());
        }
        let (segments, numbers) = self.unknown(parts);
        let key = self.0.log.as_bytes();
        let ends = SearchRows::of(searches);
        let parameters: [Parameter<'_>; 5] =
            [&key, &ends.number, &ends.segment, &ends.before, &ends.rows];
        let session = &self.0.session;
        let parts = async {
            if segments.is_empty() {
                return Ok(Vec::new());
            }
            session.query(&READ_PARTS, &[&key, &segments, &numbers]).await
        };
        let both = both(parts, session.query(&SEARCH_TABLES, &parameters));
        let (parts, found) = self.0.wait(both)?;
        self.0.keep(&parts)?;
        ends.found(&found, self.0)
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        if !self.0.known.borrow().contains_key(&part) {
            if self.0.is_sequential {
                let (key, number) = (self.0.log.as_bytes(), i64::from(part.number));
                let rows = self.0.query(&READ_PARTS_FROM, &[&key, &part.segment, &number])?;
                self.0.keep(&rows)?;
            } else {
                self.prefetch(std::iter::once(part))?;
            }
        }
        if self.0.is_sequential {
            // It is not read again, unless it is overwritten before.
            let data = self.0.known.borrow_mut().remove(&part);
            return read(&data.ok_or_else(damaged)?);
        }
        read(self.0.known.borrow().get(&part).ok_or_else(damaged)?)
    }
}

/// Searches, a column each.
#[derive(Default)]
struct SearchRows {
    number: Vec<i64>,
    segment: Vec<i64>,
    before: Vec<Vec<u8>>,
    rows: Vec<i64>,
}

impl SearchRows {
    fn of(searches: &[TableSearch]) -> Self {
        let mut columns = Self::default();
        for (number, search) in (0..).zip(searches) {
            columns.number.push(number);
            columns.segment.push(search.segment);
            columns.before.push((search.before ^ i64::MIN).to_be_bytes().to_vec());
            columns.rows.push(search.rows.into());
        }
        columns
    }

    /// Keeps the rows of tables that were read, and returns the number of each that was searched.
    fn found(&self, rows: &[Row], parts: &LogParts) -> Result<Vec<u32>> {
        let mut found = vec![0; self.number.len()];
        let mut known = parts.known.borrow_mut();
        for row in rows {
            let at = usize::try_from(column::<i64>(row, 0)?).map_err(|_| damaged())?;
            let number = |at| u32::try_from(column::<i64>(row, at)?).map_err(|_| damaged());
            let part = PartId { segment: column(row, 3)?, number: number(1)? };
            known.insert(part, column(row, 2)?);
            *found.get_mut(at).ok_or_else(damaged)? = number(4)?;
        }
        Ok(found)
    }
}

/// Reads the buckets that a query reads first.
pub(crate) async fn read_first_buckets(
    session: &Session,
    log: Log,
    buckets: Option<FirstBuckets>,
) -> Result<Vec<Row>> {
    let Some(buckets) = buckets else { return Ok(Vec::new()) };
    let FirstBuckets { prefixes, segments, is_descending, after, last, earliest, latest, .. } =
        buckets;
    let prefixes: Vec<i64> = prefixes.into_iter().map(i64::from).collect();
    let segments = i64::try_from(segments).unwrap_or(i64::MAX);
    let direction = if is_descending { -1_i64 } else { 1 };
    let (after, last) = (after.as_i64(), last.as_i64());
    let entries = i64::from(FirstBuckets::ROW_ENTRIES);
    let parameters: [Parameter<'_>; 9] = [
        &log.as_bytes(),
        &prefixes,
        &after,
        &last,
        &earliest,
        &latest,
        &direction,
        &segments,
        &entries,
    ];
    session.query(&READ_FIRST_BUCKETS, &parameters).await
}
