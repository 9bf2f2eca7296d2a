//! The states of followers.

use std::sync::Arc;

use async_trait::async_trait;
use audit_core::{Error, ErrorKind, FollowerStore, Log, Result, limits};
use tokio_postgres::types::Type;

use crate::connection::{Statement, column};
use crate::core::Core;
use crate::log_row::log_of;
use crate::readers::Readers;
use crate::store::PostgresStore;

/// Reads a state.
pub(crate) const READ: Statement = Statement {
    sql: "SELECT state FROM audit.follower WHERE log = $1 AND name = $2",
    types: &[Type::BYTEA, Type::TEXT],
    context: "reading the state of a follower",
};
/// Lists the first states of a follower.
pub(crate) const LIST_FIRST: Statement = Statement {
    sql: "SELECT log, state FROM audit.follower WHERE name = $1 ORDER BY log LIMIT $2",
    types: &[Type::TEXT, Type::INT8],
    context: "listing the states of a follower",
};
/// Lists the states of a follower after a log.
pub(crate) const LIST: Statement = Statement {
    sql: "SELECT log, state FROM audit.follower WHERE name = $1 AND log > $3 ORDER BY log LIMIT $2",
    types: &[Type::TEXT, Type::INT8, Type::BYTEA],
    context: "listing the states of a follower",
};
const CONTEXT: &str = "writing the state of a follower";
/// Adds a state, unless one exists.
pub(crate) const INSERT: Statement = Statement {
    sql: "INSERT INTO audit.follower (log, name, state) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    types: &[Type::BYTEA, Type::TEXT, Type::TEXT],
    context: CONTEXT,
};
/// Changes a state, if it is still the one expected.
pub(crate) const UPDATE: Statement = Statement {
    sql: "UPDATE audit.follower SET state = $4 WHERE log = $1 AND name = $2 AND state = $3",
    types: &[Type::BYTEA, Type::TEXT, Type::TEXT, Type::TEXT],
    context: CONTEXT,
};
/// Deletes a state, if it is still the one expected.
pub(crate) const DELETE: Statement = Statement {
    sql: "DELETE FROM audit.follower WHERE log = $1 AND name = $2 AND state = $3",
    types: &[Type::BYTEA, Type::TEXT, Type::TEXT],
    context: CONTEXT,
};

#[async_trait]
impl FollowerStore for PostgresStore {
    async fn follower_state(&self, follower: &str, log: Log) -> Result<Option<String>> {
        limits::follower(follower, [])?;
        let follower = follower.to_owned();
        self.run(|core| find(core.readers.clone(), follower, log)).await
    }

    async fn follower_states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        limits::follower(follower, [])?;
        let follower = follower.to_owned();
        self.run(|core| list(core.readers.clone(), follower, after, limit)).await
    }

    async fn replace_follower_state(
        &self,
        follower: &str,
        log: Log,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<()> {
        limits::follower(follower, [before.as_deref(), after.as_deref()])?;
        let follower = follower.to_owned();
        self.write(|core| replace(core, follower, log, before, after)).await
    }
}

/// Returns the state that a follower has for a log.
async fn find(readers: Readers, follower: String, log: Log) -> Result<Option<String>> {
    let row = readers.take(log).await?.query_opt(&READ, &[&log.as_bytes(), &follower]).await?;
    row.map(|row| column(&row, 0)).transpose()
}

/// Returns the states of a follower after a log, at most `limit`.
async fn list(
    readers: Readers,
    follower: String,
    after: Option<Log>,
    limit: usize,
) -> Result<Vec<(Log, String)>> {
    limits::logs_page(limit)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let session = readers.take(Log::Platform).await?;
    let rows = match &after {
        Some(after) => session.query(&LIST, &[&follower, &limit, &after.as_bytes()]).await?,
        None => session.query(&LIST_FIRST, &[&follower, &limit]).await?,
    };
    rows.iter().map(|row| Ok((log_of(column(row, 0)?)?, column(row, 1)?))).collect()
}

/// Replaces the state that a follower has for a log.
async fn replace(
    core: Arc<Core>,
    follower: String,
    log: Log,
    before: Option<String>,
    after: Option<String>,
) -> Result<()> {
    let session = core.writers.take().await?;
    let log = log.as_bytes();
    let written = match (&before, &after) {
        (None, None) => u64::from(session.query_opt(&READ, &[&log, &follower]).await?.is_none()),
        (None, Some(after)) => session.execute(&INSERT, &[&log, &follower, after]).await?,
        (Some(before), Some(after)) => {
            session.execute(&UPDATE, &[&log, &follower, before, after]).await?
        }
        (Some(before), None) => session.execute(&DELETE, &[&log, &follower, before]).await?,
    };
    match written {
        0 => Err(Error::new(ErrorKind::Conflict).with_field("state")),
        _ => Ok(()),
    }
}
