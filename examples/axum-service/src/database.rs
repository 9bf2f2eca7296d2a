//! The tables of the service, beside the audit log in the same file.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use audit_core::{AuditContext, Log, NewEvent, Violation};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::{self, Connection, TransactionBehavior};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// The tables and the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    connection: Arc<Mutex<Connection>>,
    audit: SqliteStore,
}

/// Why a request fails. The client sees the status only.
#[derive(Debug)]
pub(crate) enum Failed {
    NotFound,
    Sql(rusqlite::Error),
    Audit(audit_core::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound,
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

impl Database {
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self, Failed> {
        let audit = SqliteStore::open(&path)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS customer (
                 id INTEGER PRIMARY KEY, log TEXT NOT NULL, name TEXT NOT NULL, iban TEXT NOT NULL
             )",
        )?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), audit })
    }

    pub(crate) fn audit(&self) -> &SqliteStore {
        &self.audit
    }

    /// Runs `work`, which reads, on a thread where it may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        self.with(move |connection| work(connection)).await
    }

    /// Runs `work` in a transaction of the context's tenant, and records the event that it returns in the same
    /// transaction: both, or neither.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, Log) -> Result<(T, NewEvent), Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        let (audit, log) = (self.audit.clone(), tenant()?);
        self.with(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let (value, event) = work(&transaction, log)?;
            audit.append_in(&transaction, log, vec![event])?;
            transaction.commit()?;
            Ok(value)
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        let connection = Arc::clone(&self.connection);
        // The context of the request goes along.
        let work = AuditContext::carry_sync(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// Returns the log of the tenant whose user sends the request.
pub(crate) fn tenant() -> Result<Log, Failed> {
    let log = AuditContext::current().and_then(|context| context.log);
    log.ok_or_else(|| Failed::Audit(audit_core::Error::invalid("log", Violation::Missing)))
}
