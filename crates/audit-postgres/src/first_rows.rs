//! The rows that a scan reads first, in one statement: the head of its log, the tail and the directory of
//! the index, and the buckets of the scan's terms in the first segments.

use std::cmp::Reverse;

use audit_core::{Log, Result, Sequence};
use audit_index::{FirstBuckets, PartId, Segment, TailRow, damaged};
use tokio_postgres::Row;

use crate::connection::{Parameter, Session, Statement, column, types};
use crate::error::corrupt;
use crate::index::segment_of;
use crate::log_state::LogState;

/// Reads the rows, each of a kind, with numbers and bytes. The numbers of the first row are those of
/// [`READ_STATE`](crate::log_state::READ_STATE); of a segment, those of
/// [`DIRECTORY`](crate::index::DIRECTORY). The buckets are found by the directory, as [`FirstBuckets`]
/// says, each by its whole key: a join would let the planner read all parts of a segment, of which it
/// expects few.
pub(crate) const READ_FIRST: Statement = Statement {
    sql: "WITH s AS MATERIALIZED (
              SELECT id, stage, written, first, last, earliest, latest, bucket_bits, checksum
              FROM audit.segment WHERE log = $1)
          SELECT 0::bigint, ARRAY[
                  (SELECT t.n FROM audit.staged t WHERE t.log = $1 ORDER BY t.n DESC LIMIT 1),
                  l.size, l.recorded_at, l.pruned, l.indexed], NULL::bytea
          FROM (VALUES (1)) AS one LEFT JOIN audit.log l ON l.log = $1
          UNION ALL
          SELECT 1, ARRAY[id, stage, written, first, last, earliest, latest, bucket_bits, checksum],
              NULL FROM s
          UNION ALL
          SELECT 2, ARRAY[first], data FROM audit.tail WHERE log = $1
          UNION ALL
          SELECT 3, ARRAY[w.id, w.part], p.data
          FROM (SELECT f.id, (f.last - f.first) / $9 + 1
                    + (u.prefix >> (32 - f.bucket_bits)::int) AS part
                FROM (SELECT id, first, last, bucket_bits FROM s
                      WHERE stage = 0 AND first > 0 AND bucket_bits BETWEEN 0 AND 32
                          AND last > $3 AND first <= $4 AND latest >= $5 AND earliest <= $6
                      ORDER BY first * $7 LIMIT $8) f
                CROSS JOIN unnest($2) AS u (prefix)) w
          CROSS JOIN LATERAL (
              SELECT data FROM audit.part WHERE log = $1 AND segment = w.id AND part = w.part
              LIMIT 1) p",
    types: types![BYTEA, INT8_ARRAY, INT8, INT8, INT8, INT8, INT8, INT8, INT8],
    context: "reading the index",
};

/// The kinds of rows; those of buckets have another one.
const OF_LOG: i64 = 0;
const OF_SEGMENT: i64 = 1;
const OF_TAIL: i64 = 2;

/// The rows that a scan reads first.
pub(crate) struct FirstRows {
    pub(crate) state: LogState,
    /// The numbers of each segment, the newest first.
    directory: Vec<[i64; 9]>,
    /// The rows of the tail, with their first events.
    tail: Vec<(i64, Row)>,
    pub(crate) buckets: Vec<(PartId, Vec<u8>)>,
}

impl FirstRows {
    /// Returns those of a scan that needs no index.
    pub(crate) fn without_index(state: LogState) -> Self {
        Self { state, directory: Vec::new(), tail: Vec::new(), buckets: Vec::new() }
    }

    /// Reads the rows.
    pub(crate) async fn read(
        session: &Session,
        log: Log,
        buckets: Option<FirstBuckets>,
    ) -> Result<Self> {
        let buckets = buckets.as_ref();
        let prefixes = buckets.map_or(&[][..], |buckets| &buckets.prefixes);
        let prefixes: Vec<i64> = prefixes.iter().copied().map(i64::from).collect();
        let number = |of: fn(&FirstBuckets) -> i64| buckets.map_or(0, of);
        let parameters: [Parameter<'_>; 9] = [
            &log.as_bytes(),
            &prefixes,
            &number(|buckets| buckets.after.as_i64()),
            &number(|buckets| buckets.last.as_i64()),
            &number(|buckets| buckets.earliest),
            &number(|buckets| buckets.latest),
            &number(|buckets| if buckets.is_descending { -1 } else { 1 }),
            &number(|buckets| i64::try_from(buckets.segments).unwrap_or(i64::MAX)),
            &i64::from(FirstBuckets::ROW_ENTRIES),
        ];
        Self::of(session.query(&READ_FIRST, &parameters).await?)
    }

    fn of(rows: Vec<Row>) -> Result<Self> {
        let (mut state, mut directory) = (None, Vec::new());
        let (mut tail, mut buckets) = (Vec::new(), Vec::new());
        for row in rows {
            let kind: i64 = column(&row, 0)?;
            if kind == OF_LOG {
                state = Some(LogState::of(&column::<Vec<Option<i64>>>(&row, 1)?)?);
                continue;
            }
            let numbers: Vec<i64> = column(&row, 1)?;
            match (kind, &numbers[..]) {
                (OF_SEGMENT, numbers) => {
                    directory.push(numbers.try_into().map_err(|_| damaged())?);
                }
                (OF_TAIL, [first]) => tail.push((*first, row)),
                (_, [segment, part]) => {
                    let number = u32::try_from(*part).map_err(|_| damaged())?;
                    buckets.push((PartId { segment: *segment, number }, column(&row, 2)?));
                }
                _ => return Err(damaged()),
            }
        }
        directory.sort_unstable_by_key(|[_, _, _, first, ..]: &[i64; 9]| Reverse(*first));
        tail.sort_unstable_by_key(|(first, _)| *first);
        let state = state.ok_or_else(|| corrupt(READ_FIRST.context))?;
        Ok(Self { state, directory, tail, buckets })
    }

    /// Returns the segments, the newest first.
    pub(crate) fn directory(&self) -> Result<Vec<Segment>> {
        self.directory.iter().copied().map(segment_of).collect()
    }

    /// Calls `visit` with the rows of the tail that begin between two events.
    pub(crate) fn visit_tail(
        &self,
        first: Sequence,
        last: Sequence,
        mut visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        let is_within = |begin: i64| (first.as_i64()..=last.as_i64()).contains(&begin);
        let rows = self.tail.iter().filter(|(begin, _)| is_within(*begin));
        rows.into_iter().try_for_each(|(begin, row)| {
            let first = Sequence::try_from(*begin)?;
            visit(TailRow { first, data: column(row, 2)? })
        })
    }
}
