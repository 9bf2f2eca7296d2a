//! The tables, and their version.
//!
//! | table | one row for each | key |
//! |---|---|---|
//! | `audit_store` | fact about the store: its version, its secrets | `name` |
//! | `audit_log` | log, with its head | `id`, a small number |
//! | `audit_event` | event in its stored form, with its leaf hash | `event_key`: the log and the sequence in one number |
//! | `audit_sealing_key` | key that seals personal data; the only copy of it | `id`, always rising |
//! | `audit_tile` | tile of a log's tree | `event_key` of its first event, the lowest bits replaced |
//! | `audit_event_id` | event id | id, log |
//! | `audit_tail` | run of the newest events, with their terms | `event_key` of the first |
//! | `audit_segment` | segment of the index, also one that is being merged or removed | `id`; log and first sequence |
//! | `audit_part` | part of a segment | the segment and the part in one number |
//! | `audit_mark` | mark of the WAL, see `marks.rs` | `id`, always 1 |
//! | `audit_staged` | event that a caller has staged | `n`, in the order of the transactions |
//! | `audit_refused` | staged event that was refused, with the reason | `n`, never used again |
//! | `audit_organization` | organization; without a body once deleted | `id` |
//! | `audit_api_key` | API key, without its secret | `id`; organization and id |
//! | `audit_follower` | follower and log, with where it has come to | `name`, `log` |

use audit_core::{Error, ErrorKind, Result, Sequence, TokenKeys};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::error::{damaged, sqlite};
use crate::marks;

/// The version of the tables that this library writes: the number of [`MIGRATIONS`].
pub(crate) const VERSION: i64 = 1;

/// The steps from one version to the next: the first creates the tables in an empty file.
const MIGRATIONS: [&str; 1] = [VERSION_1];

const VERSION_1: &str = "CREATE TABLE audit_store (
         name TEXT PRIMARY KEY,
         value ANY NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE audit_log (
         id INTEGER PRIMARY KEY,
         name BLOB NOT NULL UNIQUE,
         size INTEGER NOT NULL,
         recorded_at INTEGER NOT NULL,
         indexed INTEGER NOT NULL,
         pruned INTEGER NOT NULL DEFAULT 0,
         retention BLOB,
         sealing_key INTEGER,
         frontier BLOB NOT NULL DEFAULT x'0000000000000000'
     ) STRICT;
     CREATE TABLE audit_event (
         event_key INTEGER PRIMARY KEY,
         leaf BLOB NOT NULL,
         record BLOB NOT NULL,
         sealing_key INTEGER,
         personal BLOB
     ) STRICT;
     CREATE TABLE audit_event_id (
         id BLOB NOT NULL,
         log INTEGER NOT NULL,
         sequence INTEGER NOT NULL,
         PRIMARY KEY (id, log)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE audit_sealing_key (
         id INTEGER PRIMARY KEY,
         key BLOB NOT NULL
     ) STRICT;
     CREATE TABLE audit_tile (
         event_key INTEGER PRIMARY KEY,
         leaves BLOB NOT NULL
     ) STRICT;
     CREATE TABLE audit_tail (
         event_key INTEGER PRIMARY KEY,
         data BLOB NOT NULL
     ) STRICT;
     CREATE TABLE audit_segment (
         id INTEGER PRIMARY KEY,
         log INTEGER NOT NULL,
         first INTEGER NOT NULL,
         last INTEGER NOT NULL,
         earliest INTEGER NOT NULL,
         latest INTEGER NOT NULL,
         bucket_bits INTEGER NOT NULL,
         checksum INTEGER NOT NULL,
         stage INTEGER NOT NULL,
         written INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX audit_segment_of_log ON audit_segment (log, first);
     CREATE TABLE audit_part (
         id INTEGER PRIMARY KEY,
         data BLOB NOT NULL
     ) STRICT;
     CREATE TABLE audit_mark (
         id INTEGER PRIMARY KEY,
         mark BLOB NOT NULL,
         previous BLOB NOT NULL
     ) STRICT;
     INSERT INTO audit_mark VALUES (1, x'', x'');
     CREATE TABLE audit_staged (
         n INTEGER PRIMARY KEY,
         log BLOB NOT NULL,
         id BLOB NOT NULL,
         body TEXT NOT NULL
     ) STRICT;
     CREATE INDEX audit_staged_of_log ON audit_staged (log);
     CREATE TABLE audit_refused (
         n INTEGER PRIMARY KEY,
         log BLOB NOT NULL,
         id BLOB NOT NULL,
         body TEXT NOT NULL,
         reason TEXT NOT NULL,
         refused_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE audit_organization (
         id BLOB PRIMARY KEY,
         body BLOB
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE audit_api_key (
         id BLOB PRIMARY KEY,
         organization BLOB NOT NULL,
         body BLOB NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE UNIQUE INDEX audit_api_key_of_organization ON audit_api_key (organization, id);
     CREATE TABLE audit_follower (
         name TEXT NOT NULL,
         log BLOB NOT NULL,
         state TEXT NOT NULL,
         PRIMARY KEY (name, log)
     ) STRICT, WITHOUT ROWID;
     INSERT INTO audit_store (name, value) VALUES ('tenants', randomblob(16)), ('refused', 0);
     CREATE TRIGGER audit_organization_inserted AFTER INSERT ON audit_organization BEGIN
         UPDATE audit_store SET value = randomblob(16) WHERE name = 'tenants';
     END;
     CREATE TRIGGER audit_organization_updated AFTER UPDATE ON audit_organization BEGIN
         UPDATE audit_store SET value = randomblob(16) WHERE name = 'tenants';
     END;
     CREATE TRIGGER audit_organization_deleted AFTER DELETE ON audit_organization BEGIN
         UPDATE audit_store SET value = randomblob(16) WHERE name = 'tenants';
     END;
     CREATE TRIGGER audit_api_key_inserted AFTER INSERT ON audit_api_key BEGIN
         UPDATE audit_store SET value = randomblob(16) WHERE name = 'tenants';
     END;
     CREATE TRIGGER audit_api_key_updated AFTER UPDATE ON audit_api_key BEGIN
         UPDATE audit_store SET value = randomblob(16) WHERE name = 'tenants';
     END;
     CREATE TRIGGER audit_api_key_deleted AFTER DELETE ON audit_api_key BEGIN
         UPDATE audit_store SET value = randomblob(16) WHERE name = 'tenants';
     END;";

/// The bits of an event key that hold the sequence: 2^40 events a log, 2^23 logs a file.
const SEQUENCE_BITS: u32 = 40;

/// The last event that a log can hold.
pub(crate) const LAST_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

/// Returns the key of an event in `audit_event`. The keys of one log's events are neighbours, in
/// the order of their sequences.
///
/// # Errors
/// [`StorageFull`](ErrorKind::StorageFull) if the log or the sequence is beyond what a file holds.
pub(crate) fn event_key(log: i64, sequence: Sequence) -> Result<i64> {
    let fits = sequence.get() >> SEQUENCE_BITS == 0 && log >> (63 - SEQUENCE_BITS) == 0;
    if !fits {
        let error = Error::new(ErrorKind::StorageFull);
        return Err(error.with_context("a file can hold 2^23 logs of 2^40 events each"));
    }
    Ok(log << SEQUENCE_BITS | sequence.as_i64())
}

/// Returns the sequence of the event with that key.
pub(crate) fn sequence_of(event_key: i64) -> Result<Sequence> {
    Sequence::try_from(event_key & ((1 << SEQUENCE_BITS) - 1)).map_err(damaged)
}

/// Creates or migrates the tables.
pub(crate) fn migrate(connection: &mut Connection) -> Result<()> {
    let context = "creating the tables";
    // The common case takes no lock.
    if version(connection)? == Some(VERSION) {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite(context))?;
    let found = version(&transaction)?.unwrap_or(0);
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    let Some(steps) = MIGRATIONS.get(done..) else {
        let error = Error::new(ErrorKind::Incompatible);
        return Err(error.with_context("the file was written by a later version of this library"));
    };
    for step in steps {
        transaction.execute_batch(step).map_err(sqlite(context))?;
    }
    if done == 0 {
        put(&transaction, TOKEN_SECRET, &TokenKeys::generate_secret()?)?;
        let random = TokenKeys::generate_secret()?;
        marks::begin(&transaction)?;
        put(&transaction, INDEX_SECRET, &&random[..INDEX_SECRET_BYTES])?;
    }
    put(&transaction, SCHEMA_VERSION, &VERSION)?;
    transaction.commit().map_err(sqlite(context))?;
    // So that the file itself has the tables and their first marks. If another connection is in the
    // way, it does so.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    Ok(())
}

const SCHEMA_VERSION: &str = "schema_version";
const TOKEN_SECRET: &str = "token_secret";
const INDEX_SECRET: &str = "index_secret";
const INDEX_SECRET_BYTES: usize = 16;
/// Replaced by triggers at every change of an organization or a key.
const TENANTS: &str = "tenants";

/// Finds the tables of the store among the few tables of the file.
pub(crate) const FIND_TABLES: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'audit_store'";

/// Returns `true` if the file has the tables of a store.
pub(crate) fn has_tables(connection: &Connection) -> Result<bool> {
    let found = connection.query_row(FIND_TABLES, [], |_| Ok(())).optional();
    Ok(found.map_err(sqlite("reading the version"))?.is_some())
}

/// Returns the version of the tables in the file; `None` if it has no tables.
pub(crate) fn version(connection: &Connection) -> Result<Option<i64>> {
    if !has_tables(connection)? {
        return Ok(None);
    }
    fact(connection, SCHEMA_VERSION)
}

/// Checks that the tables are still of the version that this library writes: a later one can migrate
/// them while this one has the file open.
///
/// # Errors
/// [`Incompatible`](ErrorKind::Incompatible) otherwise.
pub(crate) fn require_version(connection: &Connection) -> Result<()> {
    let found: Option<i64> = fact(connection, SCHEMA_VERSION)?;
    if found == Some(VERSION) {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Incompatible);
    Err(error.with_context("another version of this library has migrated the file; open it again"))
}

/// Reads a fact about the store.
pub(crate) const READ_FACT: &str = "SELECT value FROM audit_store WHERE name = ?1";

/// Returns the secret that signs the store's tokens, made with the tables.
pub(crate) fn token_secret(connection: &Connection) -> Result<[u8; 32]> {
    fact(connection, TOKEN_SECRET)?
        .ok_or_else(|| Error::new(ErrorKind::Corrupt).with_context("the token secret is missing"))
}

/// Returns the secret of the index keys, made with the tables.
pub(crate) fn index_secret(connection: &Connection) -> Result<[u8; INDEX_SECRET_BYTES]> {
    fact(connection, INDEX_SECRET)?
        .ok_or_else(|| Error::new(ErrorKind::Corrupt).with_context("the index secret is missing"))
}

/// Returns the generation of the organizations and API keys: other bytes after each change of one,
/// whichever program made it. `None` if the file does not have it.
pub(crate) fn tenant_generation(connection: &Connection) -> Result<Option<Vec<u8>>> {
    fact(connection, TENANTS)
}

fn fact<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<Option<T>> {
    let query =
        || connection.prepare_cached(READ_FACT)?.query_row([name], |row| row.get(0)).optional();
    query().map_err(sqlite("reading the table audit_store"))
}

fn put(connection: &Connection, name: &str, value: &dyn rusqlite::ToSql) -> Result<()> {
    let sql = "INSERT INTO audit_store (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection
        .execute(sql, params![name, value])
        .map_err(sqlite("writing the table audit_store"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_keys_sort_by_log_and_sequence() {
        let at = |log, sequence| event_key(log, Sequence::new(sequence).unwrap()).unwrap();
        assert!(at(1, 1) < at(1, 2) && at(1, (1 << 40) - 1) < at(2, 1));
        assert!(event_key(1, Sequence::new(1 << 40).unwrap()).is_err());
        assert!(event_key(1 << 23, Sequence::ZERO).is_err());
    }
}
