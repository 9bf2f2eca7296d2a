//! The tables, their version, and opening a database.
//!
//! All tables are in the schema `audit`. The key of each begins with the log, so that the rows of a log
//! are together, and a log can be on a machine of its own.
//!
//! | table | one row for each | key |
//! |---|---|---|
//! | `store` | fact about the store: its version, its secrets | `name` |
//! | `log` | log, with its head; its lock numbers the events | `log` |
//! | `builder` | log; only its lock is used, by the builder of its index | `log` |
//! | `event` | event in its stored form, with its leaf hash | `log, sequence`; `id, log` |
//! | `key` | key that seals the personal data of 32 events | `log, grp` |
//! | `node` | node of every fifth level of a log's tree, above the leaves | `log, level, index` |
//! | `tail` | run of the newest events, with their terms | `log, first` |
//! | `segment` | segment of the index, also one that is being merged or removed | `log, id` |
//! | `part` | part of a segment | `log, segment, part` |
//! | `staged` | event that a caller has staged | `log, n`; `n` in the order of each transaction |
//! | `refused` | staged event that was refused, with the reason | `n`, never used again |
//! | `organization` | organization; without a body once deleted | `id` |
//! | `api_key` | API key, without its secret | `id`; organization and id |
//! | `follower` | log and follower, with where it has come to | `log, name`; `name, log` |
//!
//! The view `events` shows records to people, with their fields as columns. The store does not use it.
//!
//! A log is its [bytes](audit_core::Log::as_bytes): none for the platform's, else the id of the
//! organization, so that no organization can have the platform's.

use std::future::ready;
use std::time::{Duration, Instant};

use audit_core::{Error, ErrorKind, Result, TokenKeys};

use crate::connection::{Session, Statement, column, types};
use crate::error::{corrupt, silent};
use crate::options::PostgresOptions;

/// The version of the tables that this library writes: the number of [`MIGRATIONS`].
const VERSION: i32 = 1;

/// The steps from one version to the next: the first creates the tables.
const MIGRATIONS: [&str; 1] = [VERSION_1];

/// Hashes are not compressed, and rows of up to 8 KiB have no second table. A row of `log` and of `key`
/// is updated in its page.
const VERSION_1: &str = concat!(
    "DO $$ BEGIN
         -- A role that may not create schemas can be given this one.
         IF to_regnamespace('audit') IS NULL THEN CREATE SCHEMA audit; END IF;
     END $$;
     CREATE TABLE audit.store (
         name text PRIMARY KEY,
         value bytea NOT NULL
     );
     CREATE TABLE audit.log (
         log bytea PRIMARY KEY,
         size bigint NOT NULL DEFAULT 0,
         recorded_at bigint NOT NULL DEFAULT 0,
         indexed bigint NOT NULL DEFAULT 0,
         pruned bigint NOT NULL DEFAULT 0,
         removed bigint NOT NULL DEFAULT 0,
         frontier bytea NOT NULL DEFAULT '\\x0000000000000000',
         retention bytea
     ) WITH (fillfactor = 50);
     CREATE TABLE audit.builder (
         log bytea PRIMARY KEY
     );
     CREATE TABLE audit.event (
         log bytea NOT NULL,
         sequence bigint NOT NULL,
         id uuid,
         leaf bytea NOT NULL,
         record text NOT NULL,
         personal bytea,
         PRIMARY KEY (log, sequence),
         CONSTRAINT event_id UNIQUE (id, log)
     ) WITH (toast_tuple_target = 8160);
     ALTER TABLE audit.event ALTER leaf SET STORAGE PLAIN, ALTER personal SET STORAGE EXTERNAL;
     CREATE TABLE audit.key (
         log bytea NOT NULL,
         grp bigint NOT NULL,
         key bytea NOT NULL,
         PRIMARY KEY (log, grp)
     ) WITH (fillfactor = 50);
     ALTER TABLE audit.key ALTER key SET STORAGE PLAIN;
     CREATE TABLE audit.node (
         log bytea NOT NULL,
         level smallint NOT NULL,
         index bigint NOT NULL,
         hash bytea NOT NULL,
         PRIMARY KEY (log, level, index)
     );
     CREATE TABLE audit.tail (
         log bytea NOT NULL,
         first bigint NOT NULL,
         data bytea NOT NULL,
         PRIMARY KEY (log, first)
     ) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0,
             autovacuum_vacuum_threshold = 20000);
     ALTER TABLE audit.tail ALTER data SET STORAGE EXTERNAL;
     CREATE TABLE audit.segment (
         log bytea NOT NULL,
         id bigint GENERATED ALWAYS AS IDENTITY,
         first bigint NOT NULL,
         last bigint NOT NULL,
         earliest bigint NOT NULL,
         latest bigint NOT NULL,
         bucket_bits bigint NOT NULL,
         checksum bigint NOT NULL,
         stage bigint NOT NULL,
         written bigint NOT NULL,
         PRIMARY KEY (log, id)
     );
     CREATE TABLE audit.part (
         log bytea NOT NULL,
         segment bigint NOT NULL,
         part bigint NOT NULL,
         data bytea NOT NULL,
         PRIMARY KEY (log, segment, part)
     ) WITH (toast_tuple_target = 8160);
     ALTER TABLE audit.part ALTER data SET STORAGE EXTERNAL;
     CREATE TABLE audit.organization (
         id uuid PRIMARY KEY,
         body text
     );
     CREATE TABLE audit.api_key (
         id uuid PRIMARY KEY,
         organization uuid NOT NULL,
         body text NOT NULL
     );
     CREATE UNIQUE INDEX api_key_of_organization ON audit.api_key (organization, id);
     CREATE TABLE audit.follower (
         log bytea NOT NULL,
         name text NOT NULL,
         state text NOT NULL,
         PRIMARY KEY (log, name)
     ) WITH (fillfactor = 50);
     CREATE INDEX follower_of_name ON audit.follower (name, log);",
    include_str!("staged.sql"),
    include_str!("capture.sql"),
    include_str!("events.sql")
);

/// Returns the size of the tables, with their indexes, in bytes.
pub(crate) const READ_SIZE: Statement = Statement {
    sql: "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_catalog.pg_class
          WHERE relnamespace = 'audit'::regnamespace AND relkind = 'r'",
    types: &[],
    context: "reading the size of the tables",
};
/// Finds the tables of a store in the catalog itself: a connection that waited for another migration may
/// still remember that there were none.
const FIND_TABLES: Statement = Statement {
    sql: "SELECT EXISTS (
              SELECT 1 FROM pg_catalog.pg_class c
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = 'audit' AND c.relname = 'store')",
    types: &[],
    context: "reading the version",
};
/// Reads a fact about the store.
pub(crate) const READ_FACT: Statement = Statement {
    sql: "SELECT value FROM audit.store WHERE name = $1",
    types: types![TEXT],
    context: "reading the table audit.store",
};
const PUT_FACT: Statement = Statement {
    sql: "INSERT INTO audit.store (name, value) VALUES ($1, $2)
          ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    types: types![TEXT, BYTEA],
    context: "writing the table audit.store",
};
/// Excludes other migrations until the transaction ends. The number is of this library.
const LOCK_MIGRATIONS: &str =
    "SET LOCAL lock_timeout = '3s'; SELECT pg_advisory_xact_lock(7020105801210987109)";

/// How long a step of a migration may take.
const LONGEST_STEP: Duration = Duration::from_secs(60);

const SCHEMA_VERSION: &str = "schema_version";
const TOKEN_SECRET: &str = "token_secret";
const INDEX_SECRET: &str = "index_secret";
const INDEX_SECRET_BYTES: usize = 16;

/// Checks the version of the tables, and creates or migrates them.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) if there are none and none may be created.
/// [`Incompatible`](ErrorKind::Incompatible) if a later version of this library wrote them.
pub(crate) async fn prepare(session: &Session, options: &PostgresOptions) -> Result<()> {
    // The common case takes no lock.
    let found = version(session).await?;
    match found {
        Some(VERSION) => return Ok(()),
        None if !options.creates_tables => {
            return Err(Error::not_found("audit.store")
                .with_context("the database has no tables of a store"));
        }
        Some(found) if found < VERSION && options.is_read_only => {
            return Err(Error::new(ErrorKind::Incompatible)
                .with_context("the tables were written by an earlier version of this library"));
        }
        _ => {}
    }
    session.begin_writing().await?;
    run(session, LOCK_MIGRATIONS, "waiting for another migration").await?;
    let migrated = migrate(session).await;
    match migrated {
        Ok(()) => session.commit().await,
        Err(error) => {
            session.rollback().await?;
            Err(error)
        }
    }
}

async fn migrate(session: &Session) -> Result<()> {
    let found = version(session).await?.unwrap_or(0);
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    let Some(steps) = MIGRATIONS.get(done..) else {
        let error = Error::new(ErrorKind::Incompatible);
        return Err(
            error.with_context("the tables were written by a later version of this library")
        );
    };
    for step in steps {
        run(session, step, "creating the tables").await?;
    }
    if done == 0 {
        put(session, TOKEN_SECRET, &TokenKeys::generate_secret()?).await?;
        let random = TokenKeys::generate_secret()?;
        put(session, INDEX_SECRET, &random[..INDEX_SECRET_BYTES]).await?;
    }
    put(session, SCHEMA_VERSION, &VERSION.to_be_bytes()).await
}

/// Runs a step of a migration. It takes a few moments, longer than a time-out may be, and not much longer.
async fn run(session: &Session, sql: &str, context: &'static str) -> Result<()> {
    let until = Instant::now() + LONGEST_STEP;
    let check = || ready(if Instant::now() < until { Ok(()) } else { Err(silent()) });
    session.run(sql, context, check).await
}

/// Returns the version of the tables; `None` if there are none.
async fn version(session: &Session) -> Result<Option<i32>> {
    let found = session.query_opt(&FIND_TABLES, &[]).await?;
    if !found.map_or(Ok(false), |row| column(&row, 0))? {
        return Ok(None);
    }
    let version = fact(session, SCHEMA_VERSION).await?;
    let version = version.and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
    version.map(Some).ok_or_else(|| corrupt("the version is missing"))
}

/// Returns the secret that signs the store's tokens, made with the tables.
pub(crate) async fn token_secret(session: &Session) -> Result<[u8; 32]> {
    let secret = fact(session, TOKEN_SECRET).await?.and_then(|bytes| bytes.try_into().ok());
    secret.ok_or_else(|| corrupt("the token secret is missing"))
}

/// Returns the secret of the index keys, made with the tables.
pub(crate) async fn index_secret(session: &Session) -> Result<[u8; INDEX_SECRET_BYTES]> {
    let secret = fact(session, INDEX_SECRET).await?.and_then(|bytes| bytes.try_into().ok());
    secret.ok_or_else(|| corrupt("the index secret is missing"))
}

async fn fact(session: &Session, name: &str) -> Result<Option<Vec<u8>>> {
    let row = session.query_opt(&READ_FACT, &[&name]).await?;
    row.map(|row| column(&row, 0)).transpose()
}

async fn put(session: &Session, name: &str, value: &[u8]) -> Result<()> {
    session.execute(&PUT_FACT, &[&name, &value]).await.map(drop)
}
