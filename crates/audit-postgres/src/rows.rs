//! The rows that an append writes, as arrays, and the statement that writes them.

use std::collections::BTreeMap;

use audit_core::tree::Tile;
use audit_core::{Log, Result};
use audit_index::{IndexEntry, tail_rows};
use futures_util::future::join;
use uuid::Uuid;

use crate::connection::{Parameter, Session, Statement, types};
use crate::error::corrupt;
use crate::keys::write_keys;
use crate::log_end::LogEnd;
use crate::segments::NewSegments;

/// Writes the heads of logs and all rows that belong to their new events. A head that is not as it was
/// locked makes the key of its events null, which undoes all.
pub(crate) const APPEND: Statement = Statement {
    sql: concat!(
        "WITH h AS (
              UPDATE audit.log l
              SET size = w.size, recorded_at = w.recorded_at, frontier = w.frontier,
                  indexed = w.indexed
              FROM unnest($1, $2, $3, $4, $5, $6)
                  AS w (log, before, size, recorded_at, frontier, indexed)
              WHERE l.log = w.log AND l.size = w.before
              RETURNING l.log),
          n AS (
              INSERT INTO audit.node (log, level, index, hash)
              SELECT * FROM unnest($7, $8, $9, $10)
              ON CONFLICT (log, level, index) DO UPDATE SET hash = excluded.hash),
          k AS (",
        write_keys!("$11", "$12", "$13"),
        "),
          t AS (
              INSERT INTO audit.tail (log, first, data) SELECT * FROM unnest($14, $15, $16)
              ON CONFLICT (log, first) DO UPDATE SET data = excluded.data)
          INSERT INTO audit.event (log, sequence, id, leaf, record, personal)
          SELECT h.log, w.sequence, w.id, w.leaf, w.record, w.personal
          FROM unnest($17, $18, $19, $20, $21, $22)
              AS w (log, sequence, id, leaf, record, personal)
          LEFT JOIN h ON h.log = w.log"
    ),
    types: types![
        BYTEA_ARRAY,
        INT8_ARRAY,
        INT8_ARRAY,
        INT8_ARRAY,
        BYTEA_ARRAY,
        INT8_ARRAY,
        BYTEA_ARRAY,
        INT2_ARRAY,
        INT8_ARRAY,
        BYTEA_ARRAY,
        BYTEA_ARRAY,
        INT8_ARRAY,
        BYTEA_ARRAY,
        BYTEA_ARRAY,
        INT8_ARRAY,
        BYTEA_ARRAY,
        BYTEA_ARRAY,
        INT8_ARRAY,
        UUID_ARRAY,
        BYTEA_ARRAY,
        TEXT_ARRAY,
        BYTEA_ARRAY
    ],
    context: "writing events",
};

/// The rows of an append, a column each.
#[derive(Default)]
pub(crate) struct NewRows {
    heads: Heads,
    nodes: Nodes,
    keys: Keyed,
    tail: Keyed,
    segments: NewSegments,
    events: Events,
}

#[derive(Default)]
struct Heads {
    log: Vec<Vec<u8>>,
    before: Vec<i64>,
    size: Vec<i64>,
    recorded_at: Vec<i64>,
    frontier: Vec<Vec<u8>>,
    indexed: Vec<i64>,
}

#[derive(Default)]
struct Nodes {
    log: Vec<Vec<u8>>,
    level: Vec<i16>,
    index: Vec<i64>,
    hash: Vec<Vec<u8>>,
}

/// Rows of a table with bytes for a log and a number.
#[derive(Default)]
struct Keyed {
    log: Vec<Vec<u8>>,
    number: Vec<i64>,
    data: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Events {
    log: Vec<Vec<u8>>,
    sequence: Vec<i64>,
    id: Vec<Uuid>,
    leaf: Vec<Vec<u8>>,
    record: Vec<String>,
    personal: Vec<Option<Vec<u8>>>,
}

impl NewRows {
    /// Takes the events that were added to the logs, and seals their personal data.
    pub(crate) fn of(ends: &mut BTreeMap<Log, LogEnd>) -> Result<Self> {
        let mut rows = Self::default();
        for (log, end) in ends.iter_mut().filter(|(_, end)| !end.events.is_empty()) {
            rows.add(log, end)?;
        }
        Ok(rows)
    }

    /// Returns `true` if there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.heads.log.is_empty()
    }

    fn add(&mut self, owner: &Log, end: &mut LogEnd) -> Result<()> {
        let log = || owner.as_bytes().to_vec();
        let head = end.row.head;
        self.heads.log.push(log());
        self.heads.before.push(end.before.as_i64());
        self.heads.size.push(head.size.as_i64());
        self.heads.recorded_at.push(head.recorded_at.as_nanos());
        self.heads.frontier.push(end.frontier.to_bytes());
        for node in end.nodes.iter().filter(|node| node.id.level.is_multiple_of(Tile::HEIGHT)) {
            self.nodes.log.push(log());
            self.nodes.level.push(node.id.level.into());
            self.nodes
                .index
                .push(i64::try_from(node.id.index).map_err(|_| corrupt(APPEND.context))?);
            self.nodes.hash.push(node.hash.as_bytes().to_vec());
        }
        let mut events = std::mem::take(&mut end.events);
        let mut keys = Vec::new();
        self.events.personal.extend(end.keys.seal(&mut events, &mut keys)?);
        for (group, key) in keys {
            self.keys.log.push(log());
            self.keys
                .number
                .push(i64::try_from(group.number()).map_err(|_| corrupt(APPEND.context))?);
            self.keys.data.push(key);
        }
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            self.events.log.push(log());
            self.events.sequence.push(event.sequence.as_i64());
            self.events.id.push(*event.id.as_uuid());
            self.events.leaf.push(event.leaf.as_bytes().to_vec());
            let record = String::from_utf8(event.stored.record);
            let record = record.map_err(|source| corrupt(APPEND.context).with_source(source))?;
            self.events.record.push(record);
            entries.push(IndexEntry { occurred_at: event.occurred_at, keys: event.terms });
        }
        if let Some(mut all) = end.taken_tail.take() {
            all.extend(entries);
            self.segments.add(*owner, end.row.indexed.next(), &all)?;
            end.row.indexed = head.size;
        } else {
            for row in tail_rows(end.before.next(), &entries) {
                self.tail.log.push(log());
                self.tail.number.push(row.first.as_i64());
                self.tail.data.push(row.data);
            }
        }
        self.heads.indexed.push(end.row.indexed.as_i64());
        Ok(())
    }

    /// Writes the rows.
    pub(crate) async fn write(&self, session: &Session) -> Result<()> {
        let Self { heads, nodes, keys, tail, segments, events } = self;
        let parameters: [Parameter<'_>; 22] = [
            &heads.log,
            &heads.before,
            &heads.size,
            &heads.recorded_at,
            &heads.frontier,
            &heads.indexed,
            &nodes.log,
            &nodes.level,
            &nodes.index,
            &nodes.hash,
            &keys.log,
            &keys.number,
            &keys.data,
            &tail.log,
            &tail.number,
            &tail.data,
            &events.log,
            &events.sequence,
            &events.id,
            &events.leaf,
            &events.record,
            &events.personal,
        ];
        let (segments, rows) =
            join(segments.write(session), session.execute(&APPEND, &parameters)).await;
        rows.and(segments)
    }
}
