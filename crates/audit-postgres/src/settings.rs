//! The settings of a server: those that the promises of a store depend on, and those that a transaction
//! sets for itself.

use std::time::Duration;

use audit_core::{Error, ErrorKind, Result};

use crate::connection::{Session, Statement, column, types};
use crate::error::corrupt;

/// Reads what a server must be like to keep the promises of a store.
const READ_SETTINGS: Statement = Statement {
    sql: "SELECT current_setting('server_version_num')::int,
             current_setting('server_encoding'),
             current_setting('fsync'),
             current_setting('full_page_writes'),
             current_setting('synchronous_commit'),
             pg_is_in_recovery(),
             current_setting('transaction_read_only')",
    types: &[],
    context: "reading the settings of the server",
};
/// Sets the time-outs of a transaction, and reads what its durability depends on.
pub(crate) const SET_TIMEOUTS: Statement = Statement {
    sql: "SELECT current_setting('synchronous_commit'), set_config('lock_timeout', $1, true),
             set_config('idle_in_transaction_session_timeout', $2, true)",
    types: types![TEXT, TEXT],
    context: "setting the time-outs of a transaction",
};
/// Lets a transaction that writes derived data alone commit without waiting for the disk or a standby. A
/// crash can undo it as a whole, and not if a later transaction is durable.
pub(crate) const DEFER_COMMIT: Statement = Statement {
    sql: "SELECT set_config('synchronous_commit', 'off', true)",
    types: &[],
    context: "setting the durability of a transaction",
};

/// The oldest version that is tested: 13 and 14 lack nothing that is used, and end before this is old.
const LEAST_VERSION: i32 = 150_000;

/// How long a transaction may be idle before the server undoes it: its process may be gone.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// Checks that the server can keep the promises of a store.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) if it does not answer: a pooler accepts connections while its
/// server is away. [`Incompatible`](ErrorKind::Incompatible), with the name of the setting as the field, or
/// [`ReadOnly`](ErrorKind::ReadOnly) for a server that cannot be written, unless the store is only read.
pub(crate) async fn check_server(session: &Session, is_read_only: bool) -> Result<()> {
    let row = session.query_opt(&READ_SETTINGS, &[]).await?;
    let row = row.ok_or_else(|| corrupt(READ_SETTINGS.context))?;
    let text = |at| column::<&str>(&row, at);
    let refuse =
        |field, why| Err(Error::new(ErrorKind::Incompatible).with_field(field).with_context(why));
    if column::<i32>(&row, 0)? < LEAST_VERSION {
        return refuse("server_version", "the server must be PostgreSQL 15 or later");
    }
    if text(1)? != "UTF8" {
        return refuse("server_encoding", "the encoding of the database must be UTF8");
    }
    if is_read_only {
        return Ok(());
    }
    let is_standby = column(&row, 5)?;
    if is_standby || text(6)? == "on" {
        let why = if is_standby {
            "the server is a standby, which can only be read"
        } else {
            "transactions of this role or database are read-only"
        };
        return Err(Error::new(ErrorKind::ReadOnly).with_context(why));
    }
    for (at, setting) in [(2, "fsync"), (3, "full_page_writes")] {
        if text(at)? != "on" {
            return refuse(
                setting,
                "the setting must be on, or a crash of the machine loses events",
            );
        }
    }
    check_commit(text(4)?)
}

/// Checks the value of the setting `synchronous_commit`.
fn check_commit(value: &str) -> Result<()> {
    if matches!(value, "on" | "remote_apply" | "remote_write") {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Incompatible).with_field("synchronous_commit");
    Err(error.with_context(
        "the setting must be on, remote_write or remote_apply, or a crash loses events",
    ))
}

/// Sets how long the statements of a transaction wait for locks, and checks that its commit will be
/// durable.
pub(crate) async fn set_timeouts(session: &Session, for_locks: Duration) -> Result<()> {
    // Zero would mean without end.
    let for_locks = for_locks.as_millis().max(1).to_string();
    let idle = LONGEST_IDLE.as_millis().to_string();
    let settings = session.query_opt(&SET_TIMEOUTS, &[&for_locks, &idle]).await?;
    check_commit(column(&settings.ok_or_else(|| corrupt(SET_TIMEOUTS.context))?, 0)?)
}
