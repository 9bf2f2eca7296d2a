//! The tables, their version, and how a file is opened.
//!
//! | table | one row for | key |
//! |---|---|---|
//! | `audit_store` | a fact about the store: its version, the secret of its tokens | `name` |
//! | `audit_log` | a log, with its end | `id`, a small number |
//! | `audit_event` | an event in its stored form, with its leaf hash | `place`: the log and the sequence in one number |
//! | `audit_key` | a key that seals personal parts, the only copy of it | `id`, only ever higher |
//! | `audit_tile` | some nodes of a log's tree | `place` of the first event, but for the lowest bits |
//! | `audit_event_id` | an event id | id, log |
//! | `audit_tail` | some of the newest events, with their terms | `place` of the first |
//! | `audit_segment` | a segment of the index | `id`; log and first sequence |
//! | `audit_part` | a part of a segment | the segment and the part in one number |
//! | `audit_organization` | a tenant; without a body once deleted | `id` |
//! | `audit_api_key` | a credential, without its secret | `id`; organization and id |

use std::path::Path;
use std::time::{Duration, Instant};

use audit_core::backend::Term;
use audit_core::{
    Error, ErrorKind, LeafHash, Result, Sequence, TokenKeys,
    backend::{PersonalData, StoredEvent},
    tree::Frontier,
};
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, MAIN_DB, OpenFlags, OptionalExtension as _, TransactionBehavior, params,
};

use crate::append::insert_event;
use crate::error::{damaged, sqlite};
use crate::index::{Growth, Indexing, SEGMENT};
use crate::personal::Key;
use crate::read::event_at;
use crate::tail::Entry;
use crate::terms::TermHasher;
use crate::tree;

/// The version of the tables that this library writes: the number of [`MIGRATIONS`].
const VERSION: i64 = 4;

/// Older versions of SQLite can lose what they committed when a WAL is reset.
const LEAST_SQLITE: i32 = 3_051_003;

/// The steps from one version to the next: the first makes the tables in an empty file.
const MIGRATIONS: [&str; 4] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

const VERSION_1: &str = "CREATE TABLE audit_store (
         name TEXT PRIMARY KEY,
         value ANY NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE audit_log (
         id INTEGER PRIMARY KEY,
         name BLOB NOT NULL UNIQUE,
         size INTEGER NOT NULL,
         recorded_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE audit_event (
         place INTEGER PRIMARY KEY,
         record BLOB NOT NULL,
         salt BLOB,
         personal BLOB
     ) STRICT;
     CREATE TABLE audit_event_id (
         log INTEGER NOT NULL,
         id BLOB NOT NULL,
         sequence INTEGER NOT NULL,
         PRIMARY KEY (log, id)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE audit_term (
         id INTEGER PRIMARY KEY,
         log INTEGER NOT NULL,
         tag INTEGER NOT NULL,
         value BLOB NOT NULL,
         UNIQUE (log, tag, value)
     ) STRICT;
     CREATE TABLE audit_posting (
         term INTEGER NOT NULL,
         occurred_at INTEGER NOT NULL,
         sequence INTEGER NOT NULL,
         PRIMARY KEY (term, occurred_at, sequence)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX audit_posting_by_sequence ON audit_posting (term, sequence);
     CREATE TABLE audit_organization (
         id BLOB PRIMARY KEY,
         body BLOB
     ) STRICT, WITHOUT ROWID;";

/// Another index; and event ids first by id, so that new ones, which rise with time, lie side by
/// side whatever their logs.
const VERSION_2: &str = "DROP TABLE audit_term;
     DROP TABLE audit_posting;
     ALTER TABLE audit_log ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE audit_event_id RENAME TO audit_event_id_1;
     CREATE TABLE audit_event_id (
         id BLOB NOT NULL,
         log INTEGER NOT NULL,
         sequence INTEGER NOT NULL,
         PRIMARY KEY (id, log)
     ) STRICT, WITHOUT ROWID;
     INSERT INTO audit_event_id SELECT id, log, sequence FROM audit_event_id_1 ORDER BY id, log;
     DROP TABLE audit_event_id_1;
     CREATE TABLE audit_tail (
         place INTEGER PRIMARY KEY,
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
         UNIQUE (log, first)
     ) STRICT;
     CREATE TABLE audit_part (
         id INTEGER PRIMARY KEY,
         data BLOB NOT NULL
     ) STRICT;";

/// API keys.
const VERSION_3: &str = "CREATE TABLE audit_api_key (
         id BLOB PRIMARY KEY,
         organization BLOB NOT NULL,
         body BLOB NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE UNIQUE INDEX audit_api_key_of_organization ON audit_api_key (organization, id);";

/// The tree, retention, and personal parts that are sealed with keys of a table of their own.
const VERSION_4: &str = "ALTER TABLE audit_log ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE audit_log ADD COLUMN retention BLOB;
     ALTER TABLE audit_log ADD COLUMN key INTEGER;
     ALTER TABLE audit_log ADD COLUMN edge BLOB NOT NULL DEFAULT x'0000000000000000';
     ALTER TABLE audit_event RENAME TO audit_event_3;
     CREATE TABLE audit_event (
         place INTEGER PRIMARY KEY,
         leaf BLOB NOT NULL,
         record BLOB NOT NULL,
         key INTEGER,
         personal BLOB
     ) STRICT;
     CREATE TABLE audit_key (
         id INTEGER PRIMARY KEY,
         key BLOB NOT NULL
     ) STRICT;
     CREATE TABLE audit_tile (
         place INTEGER PRIMARY KEY,
         leaves BLOB NOT NULL
     ) STRICT;";

/// The bits of a place that hold the sequence: 2^40 events a log, 2^23 logs a file.
const SEQUENCE_BITS: u32 = 40;

/// The last event that a log can hold.
pub(crate) const LAST_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

/// Where an event stands in `audit_event`: events of one log lie side by side, by sequence.
pub(crate) fn place(log: i64, sequence: Sequence) -> Result<i64> {
    let fits = sequence.get() >> SEQUENCE_BITS == 0 && log >> (63 - SEQUENCE_BITS) == 0;
    if !fits {
        let error = Error::new(ErrorKind::StorageFull);
        return Err(error.with_context("a file holds 2^23 logs of 2^40 events"));
    }
    Ok(log << SEQUENCE_BITS | sequence.as_i64())
}

/// The sequence of an event that stands at `place`.
pub(crate) fn sequence_of(place: i64) -> Result<Sequence> {
    Sequence::try_from(place & ((1 << SEQUENCE_BITS) - 1)).map_err(damaged)
}

/// Opens the file for writing, and makes or migrates the tables.
pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    if rusqlite::version_number() < LEAST_SQLITE {
        let error = Error::new(ErrorKind::Incompatible);
        return Err(error.with_context("the linked SQLite is older than 3.51.3"));
    }
    let is_new = !path.exists();
    let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(sqlite("opening the file"))?;
    if is_new {
        make_private(path)?;
    }
    if connection.is_readonly(MAIN_DB).map_err(sqlite("opening the file"))? {
        return Err(Error::new(ErrorKind::ReadOnly).with_context("opening the file"));
    }
    let deadline = deadline(busy_timeout);
    retry_busy(deadline, || set_pragmas(&connection))?;
    retry_busy(deadline, || migrate(&mut connection))?;
    Ok(connection)
}

/// Makes a new file readable by its owner alone: it holds what people did, and the secret of the
/// tokens. What SQLite will put beside it gets the same rights.
#[cfg(unix)]
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    // By its path: to open and close it here would drop the locks that SQLite has on it.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|error| {
        Error::new(ErrorKind::Unavailable).with_context("making the file").with_source(error)
    })
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> Result<()> {
    Ok(())
}

/// Has every statement keep the plan that it was first given, whatever is bound to it: otherwise
/// some are planned again each time.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Opens the file, whose tables are there, for reading.
pub(crate) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI - OpenFlags::SQLITE_OPEN_CREATE;
    let connection =
        Connection::open_with_flags(path, flags).map_err(sqlite("opening the file"))?;
    let prepare = || {
        connection.busy_timeout(busy_timeout.min(LONGEST_TIMEOUT))?;
        keep_plans(&connection)?;
        connection.pragma_update(None, "cache_size", READ_CACHE_KIB)?;
        connection.pragma_update(None, "query_only", true)
    };
    prepare().map_err(sqlite("opening the file"))?;
    Ok(connection)
}

/// A day: what is longer might overflow a clock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// When a wait that begins now ends.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST_TIMEOUT)
}

/// Repeats `attempt` while another connection is in the way, until the deadline.
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

/// What the writer may keep of the file, negative as SQLite counts KiB: the ends of the logs, and
/// the pages where ids go that do not rise with time.
const WRITE_CACHE_KIB: i64 = -32 << 10;
/// What each reader may keep: a page of three filters reads some hundred pages all over the file.
const READ_CACHE_KIB: i64 = -16 << 10;

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
        _ => Err(Error::new(ErrorKind::Incompatible).with_context("the file cannot use a WAL")),
    }
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let context = "making the tables";
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
    }
    if done < 4 {
        seal_events(&transaction)?;
        transaction.execute("DROP TABLE audit_event_3", []).map_err(sqlite(context))?;
        overwrite_free_pages(&transaction).map_err(sqlite(context))?;
    }
    if done < 2 {
        put(&transaction, INDEX_SECRET, &TermHasher::generate_secret()?)?;
        index_events(&transaction)?;
    }
    put(&transaction, SCHEMA_VERSION, &VERSION)?;
    transaction.commit().map_err(sqlite(context))
}

/// Has the connection overwrite what it deletes, pages that become free included. It costs little:
/// most pages that are freed are written again in the same transaction.
pub(crate) fn set_secure_delete(connection: &Connection) -> Result<()> {
    let set = connection.pragma_update(None, "secure_delete", "on");
    set.map_err(sqlite("setting secure_delete"))
}

/// Puts zeros over the pages that are free, which earlier versions left as they were.
fn overwrite_free_pages(connection: &Connection) -> rusqlite::Result<()> {
    /// The most bytes that are written at a time.
    const BYTES: i64 = 64 << 20;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let mut left = pragma("freelist_count")?.saturating_mul(pragma("page_size")?);
    connection.execute_batch("CREATE TABLE audit_filling (zeros BLOB NOT NULL) STRICT")?;
    while left > 0 {
        // It takes the free pages one after the other, and fills them.
        let insert = "INSERT INTO audit_filling VALUES (zeroblob(?1))";
        connection.execute(insert, [left.min(BYTES)])?;
        left -= BYTES;
    }
    connection.execute_batch("DROP TABLE audit_filling")
}

/// The logs of the file, by number, with their sizes.
fn logs(connection: &Connection) -> Result<Vec<(i64, Sequence)>> {
    let query = || {
        let mut statement = connection.prepare("SELECT id, size FROM audit_log")?;
        let logs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        logs.collect::<rusqlite::Result<Vec<(i64, i64)>>>()
    };
    let logs = query().map_err(sqlite("reading the logs"))?.into_iter();
    logs.map(|(log, size)| Ok((log, Sequence::try_from(size).map_err(damaged)?))).collect()
}

/// Seals the personal parts of a file that has them open, and grows the trees.
fn seal_events(connection: &Connection) -> Result<()> {
    const CONTEXT: &str = "sealing the events";
    for (log, size) in logs(connection)? {
        let mut frontier = Frontier::new();
        let mut nodes = Vec::new();
        let mut key = None;
        let mut read = connection
            .prepare("SELECT record, salt, personal FROM audit_event_3 WHERE place = ?1")
            .map_err(sqlite(CONTEXT))?;
        for sequence in 1..=size.get() {
            let sequence = Sequence::new(sequence)?;
            let place = place(log, sequence)?;
            let event = read.query_row([place], |row| {
                let personal = match (row.get(1)?, row.get(2)?) {
                    (Some(salt), Some(bytes)) => Some(PersonalData { salt, bytes }),
                    _ => None,
                };
                Ok(StoredEvent { record: row.get(0)?, personal })
            });
            let event = event.map_err(sqlite(CONTEXT))?;
            let leaf = LeafHash::of(&event.record);
            frontier.push(leaf, |node| nodes.push(node))?;
            let of_event = match key.filter(|_| Key::is_shared_by(sequence)) {
                Some(key) => key,
                None => *key.insert(Key::create(connection)?),
            };
            insert_event(connection, of_event, place, leaf, &event)?;
            if nodes.len() > 10_000 {
                tree::write_nodes(connection, log, &nodes)?;
                nodes.clear();
            }
        }
        tree::write_nodes(connection, log, &nodes)?;
        connection
            .execute(
                "UPDATE audit_log SET edge = ?2, key = ?3 WHERE id = ?1",
                params![log, frontier.to_bytes(), key.map(|key| key.id)],
            )
            .map_err(sqlite(CONTEXT))?;
    }
    Ok(())
}

/// Indexes the events of a file that has no index.
fn index_events(connection: &Connection) -> Result<()> {
    let indexing = indexing(connection)?;
    logs(connection)?
        .into_iter()
        .try_for_each(|(log, size)| index_log(connection, log, size, &indexing))
}

fn index_log(connection: &Connection, log: i64, size: Sequence, indexing: &Indexing) -> Result<()> {
    /// Events at a time.
    const SLICE: u64 = 8_192;
    let mut indexed = Sequence::ZERO;
    let mut first = Sequence::ZERO.next();
    while first <= size {
        let last = size.get().min(first.get() + SLICE - 1);
        let mut entries = Vec::new();
        for sequence in first.get()..=last {
            let event = event_at(connection, log, Sequence::new(sequence)?)?.decode()?;
            let keys = indexing.hasher.keys(&Term::of_stored(&event));
            entries.push(Entry { occurred_at: event.occurred_at, keys });
        }
        let floor = Sequence::ZERO;
        indexed = Growth { log, indexed, floor, first, entries }.write(connection, indexing)?;
        first = Sequence::new(last + 1)?;
    }
    connection
        .execute("UPDATE audit_log SET indexed = ?2 WHERE id = ?1", [log, indexed.as_i64()])
        .map_err(sqlite("writing the end of a log"))?;
    Ok(())
}

const SCHEMA_VERSION: &str = "schema_version";
const TOKEN_SECRET: &str = "token_secret";
const INDEX_SECRET: &str = "index_secret";

/// The version of the tables in the file; `None` if it has none.
fn version(connection: &Connection) -> Result<Option<i64>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'audit_store')";
    let context = "reading the version";
    let made: bool = connection.query_row(sql, [], |row| row.get(0)).map_err(sqlite(context))?;
    if !made {
        return Ok(None);
    }
    fact(connection, SCHEMA_VERSION)
}

/// The secret that signs the store's tokens, made with the tables.
pub(crate) fn token_secret(connection: &Connection) -> Result<[u8; 32]> {
    fact(connection, TOKEN_SECRET)?
        .ok_or_else(|| Error::new(ErrorKind::Corrupt).with_context("the token secret is missing"))
}

/// How events are indexed, with the secret made with the tables.
pub(crate) fn indexing(connection: &Connection) -> Result<Indexing> {
    let secret: Option<[u8; 16]> = fact(connection, INDEX_SECRET)?;
    let missing = || Error::new(ErrorKind::Corrupt).with_context("the index secret is missing");
    let hasher = TermHasher::new(&secret.ok_or_else(missing)?);
    Ok(Indexing { hasher, segment: SEGMENT })
}

fn fact<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<Option<T>> {
    connection
        .query_row("SELECT value FROM audit_store WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(sqlite("reading a fact about the store"))
}

fn put(connection: &Connection, name: &str, value: &dyn rusqlite::ToSql) -> Result<()> {
    let sql = "INSERT INTO audit_store (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection
        .execute(sql, params![name, value])
        .map_err(sqlite("writing a fact about the store"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_the_order_of_log_and_sequence() {
        let at = |log, sequence| place(log, Sequence::new(sequence).unwrap()).unwrap();
        assert!(at(1, 1) < at(1, 2) && at(1, (1 << 40) - 1) < at(2, 1));
        assert!(place(1, Sequence::new(1 << 40).unwrap()).is_err());
        assert!(place(1 << 23, Sequence::ZERO).is_err());
    }

    #[test]
    fn a_file_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let connection = open(&path, Duration::ZERO).unwrap();
        put(&connection, SCHEMA_VERSION, &(VERSION + 1)).unwrap();
        let error = open(&path, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
    }
}
