//! The parts of segments: reads them in as few round trips as possible, and writes them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use audit_core::{Log, Result};
use audit_index::{NewPart, PartId, ReadParts, Segment, TableSearch, damaged};
use tokio::runtime::Handle;
use tokio_postgres::Row;

use crate::connection::{Parameter, Session, Statement, both, column, types};

const READING: &str = "reading the index";
const WRITING: &str = "writing the index";

/// Searches tables of segments, and reads the rows with which the searches end, with the rows beside them.
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
          JOIN audit.part p ON p.log = $1 AND p.segment = f.segment
              AND p.part BETWEEN f.part - 1 AND f.part + 1",
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

/// What is read of parts in one round trip.
#[derive(Debug, Default)]
pub(crate) struct WantedParts {
    pub(crate) parts: Vec<PartId>,
    pub(crate) searches: Vec<TableSearch>,
}

/// The parts that were read, and the row that each search has found.
#[derive(Debug, Default)]
pub(crate) struct FoundParts {
    pub(crate) parts: Vec<(PartId, Vec<u8>)>,
    pub(crate) rows: Vec<u32>,
}

impl WantedParts {
    /// Reads them. Leaves out the parts that are missing.
    pub(crate) async fn read(&self, session: &Session, log: Log) -> Result<FoundParts> {
        let parts = self.read_parts(session, log);
        let (parts, found) = both(parts, self.search(session, log)).await?;
        let rows = vec![0; self.searches.len()];
        let mut all = FoundParts { parts: parts_of(&parts)?, rows };
        for row in &found {
            let at = usize::try_from(column::<i64>(row, 0)?).map_err(|_| damaged())?;
            let number = |at| u32::try_from(column::<i64>(row, at)?).map_err(|_| damaged());
            let part = PartId { segment: column(row, 3)?, number: number(1)? };
            all.parts.push((part, column(row, 2)?));
            *all.rows.get_mut(at).ok_or_else(damaged)? = number(4)?;
        }
        Ok(all)
    }

    async fn read_parts(&self, session: &Session, log: Log) -> Result<Vec<Row>> {
        if self.parts.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = self.parts.iter().map(|part| (part.segment, i64::from(part.number)));
        let (segments, numbers): (Vec<_>, Vec<_>) = numbers.unzip();
        session.query(&READ_PARTS, &[&log.as_bytes(), &segments, &numbers]).await
    }

    async fn search(&self, session: &Session, log: Log) -> Result<Vec<Row>> {
        if self.searches.is_empty() {
            return Ok(Vec::new());
        }
        let searches = || self.searches.iter();
        let numbers: Vec<i64> = (0..).take(self.searches.len()).collect();
        let segments: Vec<i64> = searches().map(|search| search.segment).collect();
        let before = searches().map(|search| (search.before ^ i64::MIN).to_be_bytes().to_vec());
        let before: Vec<_> = before.collect();
        let rows: Vec<i64> = searches().map(|search| search.rows.into()).collect();
        let parameters: [Parameter<'_>; 5] = [&log.as_bytes(), &numbers, &segments, &before, &rows];
        session.query(&SEARCH_TABLES, &parameters).await
    }
}

/// Returns the parts of rows.
pub(crate) fn parts_of(rows: &[Row]) -> Result<Vec<(PartId, Vec<u8>)>> {
    let part = |row: &Row| {
        let number = u32::try_from(column::<i64>(row, 1)?).map_err(|_| damaged())?;
        Ok((PartId { segment: column(row, 0)?, number }, column(row, 2)?))
    };
    rows.iter().map(part).collect()
}

/// The parts of the segments of one log, in a transaction that writes them. Reads them in the order of
/// their numbers, as a merge does. Calls block, and so must be made on a thread for blocking work.
pub(crate) struct LogParts {
    pub(crate) session: Session,
    pub(crate) log: Log,
    runtime: Handle,
    /// The parts that were read ahead.
    known: RefCell<HashMap<PartId, Vec<u8>>>,
    /// The number of rows deleted.
    deleted: Cell<u64>,
}

impl LogParts {
    pub(crate) fn new(session: Session, log: Log) -> Self {
        let (known, deleted) = (RefCell::default(), Cell::default());
        Self { session, log, runtime: Handle::current(), known, deleted }
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

    /// Deletes rows, and counts them.
    pub(crate) fn delete_rows(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<()> {
        let count = self.wait(self.session.execute(statement, parameters))?;
        self.deleted.set(self.deleted.get() + count);
        Ok(())
    }

    /// Returns the number of rows deleted.
    pub(crate) fn deleted(&self) -> u64 {
        self.deleted.get()
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
        self.delete_rows(&DELETE_PARTS, &[&self.log.as_bytes(), &segment.id(), &first])
    }

    pub(crate) fn overwrite(&self, part: PartId, data: &[u8]) -> Result<()> {
        let number = i64::from(part.number);
        self.known.borrow_mut().clear();
        self.execute(&OVERWRITE_PART, &[&self.log.as_bytes(), &part.segment, &number, &data])
    }
}

impl ReadParts for &LogParts {
    const IS_REMOTE: bool = true;

    fn prefetch(&mut self, parts: impl Iterator<Item = PartId>) -> Result<()> {
        self.search(parts, &[]).map(drop)
    }

    fn search(
        &mut self,
        parts: impl Iterator<Item = PartId>,
        searches: &[TableSearch],
    ) -> Result<Vec<u32>> {
        let parts = parts.filter(|part| !self.known.borrow().contains_key(part)).collect();
        let wanted = WantedParts { parts, searches: searches.to_vec() };
        let found = self.wait(wanted.read(&self.session, self.log))?;
        self.known.borrow_mut().extend(found.parts);
        Ok(found.rows)
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        if !self.known.borrow().contains_key(&part) {
            let (key, number) = (self.log.as_bytes(), i64::from(part.number));
            let rows = self.query(&READ_PARTS_FROM, &[&key, &part.segment, &number])?;
            self.known.borrow_mut().extend(parts_of(&rows)?);
        }
        // It is not read again, unless it is overwritten before.
        let data = self.known.borrow_mut().remove(&part);
        read(&data.ok_or_else(damaged)?)
    }
}
