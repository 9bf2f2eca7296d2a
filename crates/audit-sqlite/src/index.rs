//! The storage of the index: the calls of [`audit_index`] in SQL.

use audit_core::{Result, Sequence};
use audit_index::{
    IndexStorage, IndexStorageMut, IndexWriter, MAX_PARTS, MERGE_SHARE, NewPart, PartId, ReadParts,
    SEGMENT_EVENTS, Segment, SegmentInfo, Stage, TableSearch, TailRow, TermHasher, damaged,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use crate::error::sqlite;
use crate::schema;

/// How events are indexed.
#[derive(Clone, Debug)]
pub(crate) struct Indexing {
    pub(crate) hasher: TermHasher,
    /// How many events make a segment.
    pub(crate) segment_events: u64,
    /// See [`IndexWriter::merge_share`].
    pub(crate) merge_share: usize,
}

impl Indexing {
    /// Reads how the file is indexed.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let hasher = TermHasher::new(&schema::index_secret(connection)?);
        Ok(Self { hasher, segment_events: SEGMENT_EVENTS, merge_share: MERGE_SHARE })
    }
}

/// The stored index of one log.
#[derive(Debug)]
pub(crate) struct SqliteIndex<'c> {
    pub(crate) connection: &'c Connection,
    /// The log's number.
    pub(crate) log: i64,
}

const READING: &str = "reading the index";
const WRITING: &str = "writing the index";

/// Reads the rows of a tail.
pub(crate) const READ_TAIL: &str = "SELECT event_key, data FROM audit_tail
     WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";
/// Reads the last row of a tail.
pub(crate) const LAST_TAIL_ROW: &str = "SELECT event_key, data FROM audit_tail
     WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key DESC LIMIT 1";
/// Deletes the rows of a tail.
pub(crate) const CLEAR_TAIL: &str = "DELETE FROM audit_tail WHERE event_key BETWEEN ?1 AND ?2";
/// Reads the segments of a log, the newest first.
pub(crate) const DIRECTORY: &str =
    "SELECT id, stage, written, first, last, earliest, latest, bucket_bits, checksum
     FROM audit_segment WHERE log = ?1 ORDER BY first DESC";
/// Changes the stage of a segment.
pub(crate) const SET_STAGE: &str =
    "UPDATE audit_segment SET stage = ?2, written = ?3 WHERE id = ?1";
/// Finds the id of the last segment of the file.
pub(crate) const LAST_SEGMENT: &str = "SELECT id FROM audit_segment ORDER BY id DESC LIMIT 1";
/// Deletes a segment from the directory.
pub(crate) const DELETE_SEGMENT: &str = "DELETE FROM audit_segment WHERE id = ?1";
/// Lists the ids of the segments of a log.
pub(crate) const SEGMENT_IDS: &str = "SELECT id FROM audit_segment WHERE log = ?1";
/// Deletes the directory of a log.
pub(crate) const CLEAR_DIRECTORY: &str = "DELETE FROM audit_segment WHERE log = ?1";
/// Reads a part of a segment.
pub(crate) const READ_PART: &str = "SELECT data FROM audit_part WHERE id = ?1";
/// Finds the last part of a segment.
pub(crate) const LAST_PART: &str = "SELECT id FROM audit_part
     WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
/// Overwrites a part of a segment.
pub(crate) const OVERWRITE_PART: &str = "UPDATE audit_part SET data = ?2 WHERE id = ?1";
/// Deletes parts of a segment.
pub(crate) const DELETE_PARTS: &str = "DELETE FROM audit_part WHERE id BETWEEN ?1 AND ?2";

impl SqliteIndex<'_> {
    pub(crate) fn writer<'s>(&'s self, indexing: &Indexing) -> IndexWriter<'s, Self> {
        let Indexing { segment_events, merge_share, .. } = *indexing;
        IndexWriter { storage: self, segment_events, merge_share }
    }

    fn event_keys(&self, first: Sequence, last: Sequence) -> Result<[i64; 2]> {
        let last = last.min(Sequence::new(schema::LAST_SEQUENCE)?);
        Ok([schema::event_key(self.log, first)?, schema::event_key(self.log, last)?])
    }
}

impl IndexStorage for SqliteIndex<'_> {
    type Parts<'a>
        = SqliteParts<'a>
    where
        Self: 'a;

    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        mut visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        let event_keys = self.event_keys(first, last)?;
        let mut statement = self.connection.prepare_cached(READ_TAIL).map_err(sqlite(READING))?;
        let mut rows = statement.query(event_keys).map_err(sqlite(READING))?;
        while let Some(row) = rows.next().map_err(sqlite(READING))? {
            let event_key = row.get(0).map_err(sqlite(READING))?;
            let data = row.get_ref(1).map_err(sqlite(READING))?.as_blob();
            let data = data.map_err(|error| sqlite(READING)(error.into()))?;
            visit(TailRow { first: schema::sequence_of(event_key)?, data })?;
        }
        Ok(())
    }

    fn directory(&self) -> Result<Vec<Segment>> {
        let query = || {
            let mut statement = self.connection.prepare_cached(DIRECTORY)?;
            let rows = statement.query_map([self.log], |row| Ok(segment(row)))?;
            rows.collect::<rusqlite::Result<Result<Vec<_>>>>()
        };
        query().map_err(sqlite(READING))?
    }

    fn parts(&self) -> Result<SqliteParts<'_>> {
        let statement = self.connection.prepare_cached(READ_PART).map_err(sqlite(READING))?;
        Ok(SqliteParts(statement))
    }
}

/// Reads a segment from its row in the directory.
fn segment(row: &Row<'_>) -> Result<Segment> {
    let get = |column| row.get::<_, i64>(column).map_err(sqlite(READING));
    let id = get(0)?;
    if !(1..=LAST_SEGMENT_ID).contains(&id) {
        return Err(damaged());
    }
    let stage = Stage::from_numbers(get(1)?, get(2)?)?;
    let numbers = [get(3)?, get(4)?, get(5)?, get(6)?, get(7)?, get(8)?];
    Segment::new(id, SegmentInfo::from_numbers(numbers)?, stage)
}

/// Reads parts of segments.
pub(crate) struct SqliteParts<'c>(CachedStatement<'c>);

impl ReadParts for SqliteParts<'_> {
    const IS_REMOTE: bool = false;

    fn search(&mut self, _: impl Iterator<Item = PartId>, _: &[TableSearch]) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }

    fn prefetch(&mut self, _: impl Iterator<Item = PartId>) -> Result<()> {
        Ok(())
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let mut rows = self.0.query([part_key(part)]).map_err(sqlite(READING))?;
        let row = rows.next().map_err(sqlite(READING))?.ok_or_else(damaged)?;
        read(row.get_ref(0).map_err(sqlite(READING))?.as_blob().map_err(|_| damaged())?)
    }
}

/// Returns the key of a part in `audit_part`.
fn part_key(part: PartId) -> i64 {
    part.segment << MAX_PARTS.ilog2() | i64::from(part.number)
}

/// Returns the first and the last key that a part of the segment can have.
fn part_keys(segment: &Segment) -> (i64, i64) {
    parts_of(segment.id())
}

fn parts_of(segment: i64) -> (i64, i64) {
    let key = |number| part_key(PartId { segment, number });
    (key(0), key(MAX_PARTS - 1))
}

/// The last id that a segment can have.
const LAST_SEGMENT_ID: i64 = i64::MAX >> MAX_PARTS.ilog2();

impl IndexStorageMut for SqliteIndex<'_> {
    fn last_tail_row(&self, first: Sequence, last: Sequence) -> Result<Option<TailRow<Vec<u8>>>> {
        let event_keys = self.event_keys(first, last)?;
        let query = || {
            self.connection
                .prepare_cached(LAST_TAIL_ROW)?
                .query_row(event_keys, |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        };
        let row: Option<(i64, Vec<u8>)> = query().map_err(sqlite(READING))?;
        row.map(|(event_key, data)| Ok(TailRow { first: schema::sequence_of(event_key)?, data }))
            .transpose()
    }

    fn put_tail<'r>(&self, rows: impl IntoIterator<Item = TailRow<&'r [u8]>>) -> Result<()> {
        let mut put = self
            .connection
            .prepare_cached(
                "INSERT INTO audit_tail (event_key, data) VALUES (?1, ?2)
                 ON CONFLICT (event_key) DO UPDATE SET data = excluded.data",
            )
            .map_err(sqlite(WRITING))?;
        for row in rows {
            let event_key = schema::event_key(self.log, row.first)?;
            put.execute(params![event_key, row.data]).map_err(sqlite(WRITING))?;
        }
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        let delete = || {
            let mut ids = self.connection.prepare_cached(SEGMENT_IDS)?;
            let ids = ids.query_map([self.log], |row| row.get::<_, i64>(0))?;
            let ids = ids.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut delete_parts = self.connection.prepare_cached(DELETE_PARTS)?;
            for id in ids.into_iter().filter(|id| (1..=LAST_SEGMENT_ID).contains(id)) {
                delete_parts.execute(parts_of(id))?;
            }
            self.connection.prepare_cached(CLEAR_DIRECTORY)?.execute([self.log])
        };
        delete().map_err(sqlite(WRITING))?;
        self.clear_tail(Sequence::ZERO, Sequence::MAX)
    }

    fn clear_tail(&self, first: Sequence, last: Sequence) -> Result<()> {
        let event_keys = self.event_keys(first, last)?;
        let delete = || self.connection.prepare_cached(CLEAR_TAIL)?.execute(event_keys);
        delete().map_err(sqlite(WRITING))?;
        Ok(())
    }

    fn insert_segment(&self, info: SegmentInfo, stage: Stage) -> Result<Segment> {
        let last = || self.connection.prepare_cached(LAST_SEGMENT)?.query_row([], |row| row.get(0));
        let last: Option<i64> = last().optional().map_err(sqlite(READING))?;
        let id = last.unwrap_or(0).saturating_add(1);
        if !(1..=LAST_SEGMENT_ID).contains(&id) {
            return Err(damaged());
        }
        let [first, last, earliest, latest, bucket_bits, checksum] = info.to_numbers();
        let (kind, written) = stage.to_numbers();
        let row =
            [id, self.log, first, last, earliest, latest, bucket_bits, checksum, kind, written];
        let insert = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_segment
                     (id, log, first, last, earliest, latest, bucket_bits, checksum, stage, written)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(row)
        };
        insert().map_err(sqlite(WRITING))?;
        Segment::new(id, info, stage)
    }

    fn set_stage(&self, segment: &Segment, stage: Stage) -> Result<()> {
        let (kind, written) = stage.to_numbers();
        let update = || {
            self.connection.prepare_cached(SET_STAGE)?.execute(params![segment.id(), kind, written])
        };
        update().map_err(sqlite(WRITING))?;
        Ok(())
    }

    fn delete_segment(&self, segment: &Segment) -> Result<()> {
        let delete = || self.connection.prepare_cached(DELETE_SEGMENT)?.execute([segment.id()]);
        delete().map_err(sqlite(WRITING))?;
        Ok(())
    }

    fn insert_parts(&self, segment: &Segment, parts: &[NewPart]) -> Result<()> {
        let insert = || {
            // A damaged directory can have lost the segment to which an old part belonged.
            let mut insert = self.connection.prepare_cached(
                "INSERT INTO audit_part (id, data) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            )?;
            for NewPart { number, data } in parts {
                let part = PartId { segment: segment.id(), number: *number };
                insert.execute(params![part_key(part), data])?;
            }
            Ok(())
        };
        insert().map_err(sqlite(WRITING))
    }

    fn last_part(&self, segment: &Segment) -> Result<Option<u32>> {
        let query = || {
            let mut last = self.connection.prepare_cached(LAST_PART)?;
            last.query_row(part_keys(segment), |row| row.get(0)).optional()
        };
        let last: Option<i64> = query().map_err(sqlite(READING))?;
        let (first, _) = part_keys(segment);
        last.map(|last| u32::try_from(last - first).map_err(|_| damaged())).transpose()
    }

    fn delete_parts(&self, segment: &Segment, first: u32) -> Result<()> {
        let (low, high) = part_keys(segment);
        let keys = [low + i64::from(first), high];
        let delete = || self.connection.prepare_cached(DELETE_PARTS)?.execute(keys);
        delete().map_err(sqlite(WRITING))?;
        Ok(())
    }

    fn overwrite_part(&self, part: PartId, data: &[u8]) -> Result<()> {
        let update = || {
            self.connection.prepare_cached(OVERWRITE_PART)?.execute(params![part_key(part), data])
        };
        update().map_err(sqlite(WRITING))?;
        Ok(())
    }
}
