//! The states of followers.

use audit_core::{Error, ErrorKind, Log, Result, limits};
use rusqlite::{OptionalExtension as _, params};

use crate::append::WriteTransaction;
use crate::error::{damaged, sqlite};
use crate::read::Snapshot;

/// Reads a state.
pub(crate) const READ: &str = "SELECT state FROM audit_follower WHERE name = ?1 AND log = ?2";

/// Lists the states of a follower after a log.
pub(crate) const LIST: &str = "SELECT log, state FROM audit_follower
     WHERE name = ?1 AND log > ?2 ORDER BY log LIMIT ?3";

/// Lists the first states of a follower.
pub(crate) const LIST_FIRST: &str = "SELECT log, state FROM audit_follower
     WHERE name = ?1 ORDER BY log LIMIT ?2";

const INSERT: &str = "INSERT INTO audit_follower (name, log, state) VALUES (?1, ?2, ?3)
     ON CONFLICT DO NOTHING";

/// Changes a state, if it is still the one expected.
pub(crate) const UPDATE: &str = "UPDATE audit_follower SET state = ?4
     WHERE name = ?1 AND log = ?2 AND state = ?3";

/// Deletes a state, if it is still the one expected.
pub(crate) const DELETE: &str = "DELETE FROM audit_follower
     WHERE name = ?1 AND log = ?2 AND state = ?3";

impl Snapshot<'_> {
    pub(crate) fn follower_state(&self, follower: &str, log: Log) -> Result<Option<String>> {
        let query = || {
            let mut statement = self.connection.prepare_cached(READ)?;
            statement.query_row(params![follower, log.as_bytes()], |row| row.get(0)).optional()
        };
        query().map_err(sqlite("reading the state of a follower"))
    }

    pub(crate) fn follower_states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        limits::logs_page(limit)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = || {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let connection = self.connection;
            match after {
                Some(after) => connection
                    .prepare_cached(LIST)?
                    .query_map(params![follower, after.as_bytes(), limit], row)?
                    .collect::<rusqlite::Result<Vec<(Vec<u8>, String)>>>(),
                None => connection
                    .prepare_cached(LIST_FIRST)?
                    .query_map(params![follower, limit], row)?
                    .collect(),
            }
        };
        let rows = query().map_err(sqlite("listing the states of a follower"))?;
        let state = |(log, state): (Vec<u8>, String)| {
            let log = Log::from_bytes(&log);
            Ok((log.ok_or_else(|| damaged(Error::new(ErrorKind::Corrupt)))?, state))
        };
        rows.into_iter().map(state).collect()
    }
}

impl WriteTransaction<'_> {
    pub(crate) fn replace_follower_state(
        &mut self,
        follower: &str,
        log: Log,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<()> {
        let (connection, log) = (self.connection, log.as_bytes());
        let write = || match (before, after) {
            (None, None) => {
                let mut read = connection.prepare_cached(READ)?;
                read.exists(params![follower, log]).map(|exists| usize::from(!exists))
            }
            (None, Some(state)) => {
                connection.prepare_cached(INSERT)?.execute(params![follower, log, state])
            }
            (Some(before), Some(state)) => {
                connection.prepare_cached(UPDATE)?.execute(params![follower, log, before, state])
            }
            (Some(before), None) => {
                connection.prepare_cached(DELETE)?.execute(params![follower, log, before])
            }
        };
        match write().map_err(sqlite("writing the state of a follower"))? {
            0 => Err(Error::new(ErrorKind::Conflict).with_field("state")),
            _ => Ok(()),
        }
    }
}
