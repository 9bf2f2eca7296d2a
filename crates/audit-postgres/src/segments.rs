//! The segments that appends of many events write themselves.
//!
//! The entries of such an append are in memory. To write them to the tail, and to read them back and
//! delete them when the tail becomes a segment, would write each twice. So the append writes the segment,
//! of the tail and of its own events.

use audit_core::{Log, Result, Sequence};
use audit_index::{IndexEntry, NewSegment, TailRow, is_damage, tail_entries};

use crate::connection::{Parameter, Session, Statement, both, column, sequence, types};
use crate::index::{CLEAR_TAIL, READ_TAIL, TRY_LOCK_INDEX};
use crate::log_end::LogEnd;

/// Writes segments, one of each log, with their parts.
pub(crate) const INSERT_SEGMENTS: Statement = Statement {
    sql: "WITH s AS (
              INSERT INTO audit.segment
              (log, first, last, earliest, latest, bucket_bits, checksum, stage, written)
              SELECT w.log, w.first, w.last, w.earliest, w.latest, w.bits, w.checksum, 0, 0
              FROM unnest($1, $2, $3, $4, $5, $6, $7)
                  AS w (log, first, last, earliest, latest, bits, checksum)
              RETURNING log, id)
          INSERT INTO audit.part (log, segment, part, data)
          SELECT s.log, s.id, w.part, w.data FROM unnest($8, $9, $10) AS w (log, part, data)
          JOIN s ON s.log = w.log",
    types: types![
        BYTEA_ARRAY,
        INT8_ARRAY,
        INT8_ARRAY,
        INT8_ARRAY,
        INT8_ARRAY,
        INT8_ARRAY,
        INT8_ARRAY,
        BYTEA_ARRAY,
        INT8_ARRAY,
        BYTEA_ARRAY
    ],
    context: "writing the index",
};

/// Takes the tail of a log, whose head is locked, to make a segment of it and of the events that follow.
/// Returns `None` if it is longer than `longest`, damaged, or being built by another: then the events
/// have to follow it.
pub(crate) async fn take_tail(
    session: &Session,
    log: Log,
    end: &LogEnd,
    longest: u64,
) -> Result<Option<Vec<IndexEntry>>> {
    let (first, last) = (end.row.indexed.next(), end.before);
    if first > last {
        return Ok((end.row.indexed == last).then(Vec::new));
    }
    if last.get() - first.get() >= longest {
        return Ok(None);
    }
    let key = log.as_bytes();
    // Whoever builds the index locks it first, and waits for the head: so it must not be waited for.
    let (first_number, last_number) = (first.as_i64(), last.as_i64());
    let bounds: [Parameter<'_>; 3] = [&key, &first_number, &last_number];
    let lock = session.query_opt(&TRY_LOCK_INDEX, &bounds[..1]);
    let (lock, rows) = both(lock, session.query(&READ_TAIL, &bounds)).await?;
    if lock.is_none() {
        return Ok(None);
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(TailRow { first: sequence(row, 0)?, data: column(row, 1)? });
    }
    match tail_entries(first, last, found) {
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(entries) => {
            session.execute(&CLEAR_TAIL, &bounds).await?;
            Ok(Some(entries))
        }
    }
}

/// The segments that an append writes, a column each, and their parts.
#[derive(Default)]
pub(crate) struct NewSegments {
    log: Vec<Vec<u8>>,
    first: Vec<i64>,
    last: Vec<i64>,
    earliest: Vec<i64>,
    latest: Vec<i64>,
    bits: Vec<i64>,
    checksum: Vec<i64>,
    of_part: Vec<Vec<u8>>,
    part: Vec<i64>,
    data: Vec<Vec<u8>>,
}

impl NewSegments {
    /// Adds the segment of `entries`, which begin with the event `first`.
    pub(crate) fn add(&mut self, log: Log, first: Sequence, entries: &[IndexEntry]) -> Result<()> {
        let NewSegment { info, parts, .. } = NewSegment::of(first, entries)?;
        let log = log.as_bytes();
        let [first, last, earliest, latest, bits, checksum] = info.to_numbers();
        self.log.push(log.to_vec());
        self.first.push(first);
        self.last.push(last);
        self.earliest.push(earliest);
        self.latest.push(latest);
        self.bits.push(bits);
        self.checksum.push(checksum);
        for part in parts {
            self.of_part.push(log.to_vec());
            self.part.push(part.number.into());
            self.data.push(part.data);
        }
        Ok(())
    }

    /// Writes the segments.
    pub(crate) async fn write(&self, session: &Session) -> Result<()> {
        let Self { log, first, last, earliest, latest, bits, checksum, of_part, part, data } = self;
        if log.is_empty() {
            return Ok(());
        }
        let parameters: [Parameter<'_>; 10] =
            [log, first, last, earliest, latest, bits, checksum, of_part, part, data];
        session.execute(&INSERT_SEGMENTS, &parameters).await.map(drop)
    }
}
