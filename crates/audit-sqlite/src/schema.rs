//! The tables, their version, and opening a file.
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

use std::path::Path;
use std::time::{Duration, Instant};

use audit_core::{Error, ErrorKind, Result, Sequence, TokenKeys};
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, MAIN_DB, OpenFlags, OptionalExtension as _, TransactionBehavior, params,
};

use crate::error::{damaged, sqlite};
use crate::marks;

/// The version of the tables that this library writes: the number of [`MIGRATIONS`].
const VERSION: i64 = 1;

/// Older versions of SQLite can lose committed data when a WAL is reset.
const LEAST_SQLITE: i32 = 3_051_003;

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

/// Whether a file without tables gets them when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    Create,
    MustExist,
}

/// Opens the file for writing, and creates or migrates the tables.
pub(crate) fn open(path: &Path, tables: Tables, busy_timeout: Duration) -> Result<Connection> {
    require_safe_sqlite()?;
    crate::file::require_file(path)?;
    let is_new = !path.exists();
    crate::file::require_one_name(path)?;
    let mut flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI;
    if tables == Tables::MustExist {
        flags -= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(sqlite("opening the file"))?;
    if is_new {
        make_private(path)?;
    }
    if connection.is_readonly(MAIN_DB).map_err(sqlite("opening the file"))? {
        return Err(Error::new(ErrorKind::ReadOnly).with_context("opening the file"));
    }
    let deadline = deadline(busy_timeout);
    // Before anything is written. Until then, a WAL that does not belong to the file is left alone.
    marks::keep_wal(&connection, true)?;
    retry_busy(deadline, || match version(&connection)? {
        Some(VERSION) => marks::check(&connection, || open_file_alone(path)),
        None if tables == Tables::MustExist => Err(no_tables()),
        _ => Ok(()),
    })?;
    marks::keep_wal(&connection, false)?;
    retry_busy(deadline, || set_pragmas(&connection))?;
    retry_busy(deadline, || migrate(&mut connection))?;
    Ok(connection)
}

fn no_tables() -> Error {
    Error::not_found("audit_store").with_context("the file has no tables of a store")
}

fn require_safe_sqlite() -> Result<()> {
    if rusqlite::version_number() < LEAST_SQLITE {
        let error = Error::new(ErrorKind::Incompatible);
        return Err(error.with_context("the linked SQLite is older than 3.51.3"));
    }
    Ok(())
}

/// Makes a new file readable by its owner only: it holds personal data and the secrets of the
/// store. SQLite gives the files that it creates beside it the same permissions.
#[cfg(unix)]
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    // By path: opening and closing the file here would drop SQLite's locks on it.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|error| {
        Error::new(ErrorKind::Unavailable)
            .with_context("setting the permissions of the file")
            .with_source(error)
    })
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> Result<()> {
    Ok(())
}

/// Keeps the first plan of every statement, whatever is bound to it. Otherwise SQLite plans some
/// statements again at each call.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// How readers open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// As a process that may write it, which SQLite needs for a WAL.
    Shared,
    /// Without writing it.
    ReadOnly,
    /// As one that nobody can change. Reads no WAL.
    Immutable,
}

/// Opens a file that has the tables, for reading, with a page cache of this many KiB.
pub(crate) fn open_reader(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
    cache_kib: i64,
) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match access {
        Access::Shared => {
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)
        }
        Access::ReadOnly => {
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
        Access::Immutable => {
            let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(immutable_uri(path), flags)
        }
    };
    let connection = connection.map_err(sqlite("opening the file"))?;
    let prepare = || {
        connection.busy_timeout(busy_timeout.min(LONGEST_TIMEOUT))?;
        keep_plans(&connection)?;
        // Negative, because SQLite then counts in KiB.
        connection.pragma_update(None, "cache_size", -cache_kib)?;
        connection.pragma_update(None, "query_only", true)
    };
    prepare().map_err(sqlite("opening the file"))?;
    Ok(connection)
}

/// Returns the URI with which SQLite opens a file that nobody can change.
fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write as _;

    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                uri.push(char::from(*byte));
            }
            // Writing to a text cannot fail.
            _ => drop(write!(uri, "%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}

/// The page cache of the connection that checks the version.
const CHECK_CACHE_KIB: i64 = 64;

/// Opens the file without its WAL.
fn open_file_alone(path: &Path) -> Result<Connection> {
    open_reader(path, Access::Immutable, Duration::ZERO, CHECK_CACHE_KIB)
}

/// Opens a store that is only read, without changing a byte of another application's file. Returns
/// how readers can open it.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) if the file has no tables of a store.
/// [`ReadOnly`](ErrorKind::ReadOnly) if it has a WAL that cannot be read, because SQLite would
/// have to write beside it.
pub(crate) fn open_read_only(path: &Path, busy_timeout: Duration) -> Result<(Connection, Access)> {
    require_safe_sqlite()?;
    crate::file::require_file(path)?;
    let open = |access| {
        let connection = open_reader(path, access, busy_timeout, CHECK_CACHE_KIB)?;
        marks::keep_wal(&connection, true)?;
        match version(&connection)? {
            Some(VERSION) => {
                marks::check(&connection, || open_file_alone(path))?;
                marks::keep_wal(&connection, false)?;
                Ok((connection, access))
            }
            Some(_) => Err(Error::new(ErrorKind::Incompatible)
                .with_context("the file was written by another version of this library")),
            None => Err(no_tables()),
        }
    };
    let cannot =
        |error: &Error| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::ReadOnly);
    match open(Access::ReadOnly) {
        Ok(read_only) => {
            // A process that may write leaves nothing beside the file when it closes it.
            let shared = open(Access::Shared).ok();
            Ok(shared.filter(|(c, _)| !c.is_readonly(MAIN_DB).unwrap_or(true)).unwrap_or(read_only))
        }
        Err(error) if cannot(&error) && path.exists() => {
            let wal = std::fs::metadata(crate::file::beside(path, "-wal"));
            if wal.is_ok_and(|wal| wal.len() > 0) {
                return Err(Error::new(ErrorKind::ReadOnly).with_source(error).with_context(
                    "the store has a WAL, which can be read only where a file can be made beside \
                     it: copy both to another directory",
                ));
            }
            open(Access::Immutable)
        }
        Err(error) => Err(error),
    }
}

/// A day. Longer time-outs could overflow the clock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Returns when a wait that begins now ends.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST_TIMEOUT)
}

/// Repeats `attempt` while it fails with [`Busy`](ErrorKind::Busy), until the deadline.
pub(crate) fn retry_busy<T>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut pause = Duration::from_micros(200);
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < deadline => {
                std::thread::sleep(pause);
                // Short, so that a waiting writer finds the gap between two others.
                pause = (pause * 2).min(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// The page cache of the writer, negative because SQLite then counts in KiB: room for the ends of
/// the tables, and for the pages of ids that do not rise with time.
const WRITE_CACHE_KIB: i64 = -32 << 10;

fn set_pragmas(connection: &Connection) -> Result<()> {
    let set = || {
        connection.busy_timeout(Duration::ZERO)?;
        keep_plans(connection)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", WRITE_CACHE_KIB)?;
        Ok(mode)
    };
    let mode = set().map_err(sqlite("opening the file"))?;
    set_secure_delete(connection)?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(Error::new(ErrorKind::Incompatible)
            .with_context("the file cannot be put into WAL mode")),
    }
}

fn migrate(connection: &mut Connection) -> Result<()> {
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

/// Makes the connection overwrite deleted data, including pages that become free. It costs little:
/// most pages that are freed are written again in the same transaction.
pub(crate) fn set_secure_delete(connection: &Connection) -> Result<()> {
    let set = connection.pragma_update(None, "secure_delete", "on");
    set.map_err(sqlite("setting secure_delete"))
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
fn version(connection: &Connection) -> Result<Option<i64>> {
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

/// Returns a number that SQLite changes with every commit of another connection.
pub(crate) fn data_version(connection: &Connection) -> Result<i64> {
    let version = connection.pragma_query_value(None, "data_version", |row| row.get(0));
    version.map_err(sqlite("looking for changes of the file"))
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
/// whoever made it. `None` if the file does not say it.
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

    #[test]
    fn a_file_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let connection = open(&path, Tables::Create, Duration::ZERO).unwrap();
        put(&connection, SCHEMA_VERSION, &(VERSION + 1)).unwrap();
        let error = open(&path, Tables::Create, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
    }
}
