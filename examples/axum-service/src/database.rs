//! The tables of the service, beside the audit log in the same file, and the transaction of a change.

use std::fmt;
use std::path::Path;

use audit_core::{AuditContext, IntoEvent, Log, NewEvent, Outcome, Staged, Violation};
use audit_sqlite::{STAGE_ALL, SqliteStore};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{Sqlite, SqliteConnection, Transaction};

/// The tables and the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pool: SqlitePool,
    audit: SqliteStore,
}

/// A transaction of the context's tenant.
#[derive(Debug)]
pub(crate) struct Change {
    transaction: Transaction<'static, Sqlite>,
    log: Log,
}

impl Database {
    pub(crate) async fn open(path: impl AsRef<Path>) -> Result<Self, Failed> {
        let audit = SqliteStore::open(&path)?;
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await?;
        let table = "CREATE TABLE IF NOT EXISTS customer (
             id INTEGER PRIMARY KEY, log TEXT NOT NULL, name TEXT NOT NULL, iban TEXT NOT NULL
         )";
        sqlx::query(table).execute(&pool).await?;
        Ok(Self { pool, audit })
    }

    pub(crate) fn audit(&self) -> &SqliteStore {
        &self.audit
    }

    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Sqlite>, Failed> {
        Ok(self.pool.acquire().await?)
    }

    /// Begins a change of the tenant whose user sends the request.
    pub(crate) async fn begin(&self) -> Result<Change, Failed> {
        let log = tenant()?;
        // It is going to write: one that begins to read could not do so after another has written.
        Ok(Change { transaction: self.pool.begin_with("BEGIN IMMEDIATE").await?, log })
    }
}

impl Change {
    pub(crate) fn log(&self) -> Log {
        self.log
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Commits the change with its event: both, or neither. There is no other way to commit.
    pub(crate) async fn commit(
        mut self,
        action: impl IntoEvent,
        diff: audit_core::Change,
    ) -> Result<(), Failed> {
        let event = NewEvent::here(action)?.change(diff).outcome(Outcome::success());
        let staged = Staged::new(self.log, vec![event])?;
        let stage = sqlx::query(STAGE_ALL).bind(staged.to_json());
        stage.execute(&mut *self.transaction).await?;
        Ok(self.transaction.commit().await?)
    }
}

/// Returns the log of the tenant whose user sends the request.
pub(crate) fn tenant() -> Result<Log, Failed> {
    let log = AuditContext::current().and_then(|context| context.log);
    log.ok_or_else(|| Failed::Audit(audit_core::Error::invalid("log", Violation::Missing)))
}

/// Why a request fails. The client sees the status only.
#[derive(Debug)]
pub(crate) enum Failed {
    NotFound,
    Sql(sqlx::Error),
    Audit(audit_core::Error),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            error => Self::Sql(error),
        }
    }
}

impl From<audit_core::Error> for Failed {
    fn from(error: audit_core::Error) -> Self {
        Self::Audit(error)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::Sql(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Audit(error) if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Sql(_) | Self::Audit(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status != StatusCode::NOT_FOUND {
            eprintln!("a request failed: {self}");
        }
        status.into_response()
    }
}
