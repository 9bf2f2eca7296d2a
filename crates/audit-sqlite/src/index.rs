//! The lists through which events are found: for each term, the events that have it, by time and
//! by sequence.
//!
//! All that the rest of the store knows of them is here: terms get their numbers, postings are
//! written, and a [`Cursor`] reads them. Another form of index changes this file and the tables
//! `audit_term` and `audit_posting`, nothing else.

use std::collections::HashMap;

use audit_core::index::{Cursor, Index, Term};
use audit_core::{Order, Position, Result, Sequence, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use crate::error::sqlite;

/// The numbers of the terms met lately, so that most need no look-up.
#[derive(Debug, Default)]
pub(crate) struct TermIds {
    known: HashMap<(i64, Term), i64>,
    bytes: usize,
}

/// What the numbers known may take, reckoned at the length of each term and this much more.
const KNOWN_BYTES: usize = 16 << 20;
const ENTRY_BYTES: usize = 96;

/// The statement that finds the number of a term.
pub(crate) const FIND_TERM: &str =
    "SELECT id FROM audit_term WHERE log = ?1 AND tag = ?2 AND value = ?3";

impl TermIds {
    /// The number of a term of one log, which it is given now if it has none.
    pub(crate) fn id_or_new(
        &mut self,
        connection: &Connection,
        log: i64,
        term: Term,
    ) -> Result<i64> {
        let key = (log, term);
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        let id = match find_term(connection, log, &key.1)? {
            Some(id) => id,
            None => insert_term(connection, log, &key.1)?,
        };
        if self.bytes >= KNOWN_BYTES {
            self.clear();
        }
        self.bytes += ENTRY_BYTES + key.1.value().len();
        self.known.insert(key, id);
        Ok(id)
    }

    /// Forgets every number: a transaction that gave some was undone, or another process wrote.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn find_term(connection: &Connection, log: i64, term: &Term) -> Result<Option<i64>> {
    let find = || {
        connection
            .prepare_cached(FIND_TERM)?
            .query_row(params![log, term.tag(), term.value()], |row| row.get(0))
            .optional()
    };
    find().map_err(sqlite("finding a term"))
}

fn insert_term(connection: &Connection, log: i64, term: &Term) -> Result<i64> {
    let insert = || {
        connection
            .prepare_cached("INSERT INTO audit_term (log, tag, value) VALUES (?1, ?2, ?3)")?
            .insert(params![log, term.tag(), term.value()])
    };
    insert().map_err(sqlite("writing a term"))
}

/// The postings of a transaction, written in one go.
#[derive(Default)]
pub(crate) struct Postings {
    entries: Vec<(i64, Timestamp, Sequence)>,
}

impl Postings {
    /// Adds the event at `position` to the list of `term`.
    pub(crate) fn add(&mut self, term: i64, position: Position) {
        self.entries.push((term, position.occurred_at, position.sequence));
    }

    /// Writes them in the order of their key, so that neighbours go to one page.
    pub(crate) fn write(mut self, connection: &Connection) -> Result<()> {
        self.entries.sort_unstable();
        let write = || {
            let mut insert = connection.prepare_cached(
                "INSERT INTO audit_posting (term, occurred_at, sequence) VALUES (?1, ?2, ?3)",
            )?;
            for (term, occurred_at, sequence) in &self.entries {
                insert.execute(params![*term, occurred_at.as_micros(), sequence.as_i64()])?;
            }
            Ok(())
        };
        write().map_err(sqlite("writing the index"))
    }
}

/// The lists of one log, as one connection sees them.
pub(crate) struct LogIndex<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) log: i64,
}

impl<'c> Index for LogIndex<'c> {
    type Cursor<'a>
        = PostingCursor<'c>
    where
        Self: 'a;

    fn cursor(&self, term: &Term, order: Order, bound: Sequence) -> Result<PostingCursor<'c>> {
        let open = |term| {
            let statement = self
                .connection
                .prepare_cached(seek_sql(order))
                .map_err(sqlite("opening a list"))?;
            Ok(List { statement, term })
        };
        let list = find_term(self.connection, self.log, term)?.map(open).transpose()?;
        let (read, at, taken) = (Vec::new(), 0, 0);
        Ok(PostingCursor { list, order, bound, read, at, taken, block: FIRST_BLOCK })
    }

    fn count(
        &self,
        term: &Term,
        first: Timestamp,
        last: Timestamp,
        bound: Sequence,
    ) -> Result<u64> {
        let Some(term) = find_term(self.connection, self.log, term)? else { return Ok(0) };
        let count = || {
            self.connection.prepare_cached(COUNT)?.query_row(
                params![term, first.as_micros(), last.as_micros(), bound.as_i64()],
                |row| row.get(0),
            )
        };
        let count: i64 = count().map_err(sqlite("counting a list"))?;
        Ok(count.unsigned_abs()) // never negative
    }
}

/// The statement that counts a run of a list.
pub(crate) const COUNT: &str = "SELECT count(*) FROM audit_posting
     WHERE term = ?1 AND occurred_at BETWEEN ?2 AND ?3 AND sequence <= ?4";

/// The statement that reads a block of a list in `order`, from a position on.
pub(crate) fn seek_sql(order: Order) -> &'static str {
    match order {
        Order::NewestFirst => {
            "SELECT occurred_at, sequence FROM audit_posting
             WHERE term = ?1 AND (occurred_at, sequence) <= (?2, ?3) AND sequence <= ?4
             ORDER BY occurred_at DESC, sequence DESC LIMIT ?5"
        }
        Order::OldestFirst => {
            "SELECT occurred_at, sequence FROM audit_posting
             WHERE term = ?1 AND (occurred_at, sequence) >= (?2, ?3) AND sequence <= ?4
             ORDER BY occurred_at, sequence LIMIT ?5"
        }
        // The time is given too, so that all three take the same parameters.
        Order::Sequence => {
            "SELECT occurred_at, sequence FROM audit_posting INDEXED BY audit_posting_by_sequence
             WHERE term = ?1 AND ?2 IS NOT NULL AND sequence >= ?3 AND sequence <= ?4
             ORDER BY sequence LIMIT ?5"
        }
    }
}

/// A reader of one list. It reads in blocks, which grow while most of each is taken, and shrink
/// while most is leaped over: a leap costs little, a long run of neighbours few statements.
pub(crate) struct PostingCursor<'c> {
    /// `None` where no event has the term.
    list: Option<List<'c>>,
    order: Order,
    bound: Sequence,
    read: Vec<Position>,
    at: usize,
    /// How many positions of the block were returned.
    taken: usize,
    block: usize,
}

struct List<'c> {
    statement: CachedStatement<'c>,
    term: i64,
}

const LEAST_BLOCK: usize = 4;
const FIRST_BLOCK: usize = 64;
const LAST_BLOCK: usize = 1_024;

impl Cursor for PostingCursor<'_> {
    fn seek(&mut self, from: Position) -> Result<Option<Position>> {
        let unread = self.read.get(self.at..).unwrap_or_default();
        self.at += unread.partition_point(|p| self.order.compare(p, &from).is_lt());
        if self.at == self.read.len() {
            self.read_block(from)?;
        }
        self.taken += 1;
        Ok(self.read.get(self.at).copied())
    }
}

impl PostingCursor<'_> {
    fn read_block(&mut self, from: Position) -> Result<()> {
        let Some(List { statement, term }) = &mut self.list else { return Ok(()) };
        if !self.read.is_empty() {
            self.block = if self.taken * 2 > self.read.len() {
                (self.block * 2).min(LAST_BLOCK)
            } else {
                (self.block / 4).max(LEAST_BLOCK)
            };
        }
        self.read.clear();
        (self.at, self.taken) = (0, 0);
        let (occurred_at, sequence) = (from.occurred_at.as_micros(), from.sequence.as_i64());
        let block = i64::try_from(self.block).unwrap_or(i64::MAX);
        let mut read = || {
            let given = params![*term, occurred_at, sequence, self.bound.as_i64(), block];
            let mut rows = statement.query(given)?;
            while let Some(row) = rows.next()? {
                self.read.push(position(row)?);
            }
            Ok(())
        };
        read().map_err(sqlite("reading a list"))?;
        Ok(())
    }
}

fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    let out_of_range = |column| {
        move |error| {
            let kind = rusqlite::types::Type::Integer;
            rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
        }
    };
    Ok(Position {
        occurred_at: Timestamp::from_micros(row.get(0)?).map_err(out_of_range(0))?,
        sequence: Sequence::try_from(row.get::<_, i64>(1)?).map_err(out_of_range(1))?,
    })
}
