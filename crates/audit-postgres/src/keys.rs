//! The keys of personal data, where they are kept: the table `key`, a row for each 32 events of a log.
//!
//! Every statement that reads or writes a key is here, or has a part that is here, and names keys by log and
//! group only. So keys could be kept in another database: in the order of writing that the comments give, no
//! crash leaves an event without its key, or an erased event with it.

use std::collections::BTreeMap;

use audit_core::{Log, Result};
use audit_sealing::{Group, GroupKey};

use crate::connection::{Session, Statement, types};
use crate::error::corrupt;

/// The stored form of the key of the event `e`, after [`join_key`]. `NULL` if its group has no key.
macro_rules! key_column {
    () => {
        "k.key"
    };
}

/// Joins the key of the event `e`.
macro_rules! join_key {
    () => {
        "LEFT JOIN audit.key k ON k.log = e.log AND k.grp = (e.sequence - 1) / 32"
    };
}

/// Writes new keys, as a part of the statement that writes their events. Elsewhere they are to be written
/// before: a key without events harms nobody. The arguments are arrays of logs, of groups and of keys. A
/// key that is damaged is replaced, with which no event of the group is read any more.
macro_rules! write_keys {
    ($logs:literal, $groups:literal, $keys:literal) => {
        concat!(
            "INSERT INTO audit.key (log, grp, key) SELECT * FROM unnest(",
            $logs,
            ", ",
            $groups,
            ", ",
            $keys,
            ") ON CONFLICT (log, grp) DO UPDATE SET key = excluded.key"
        )
    };
}

/// Deletes keys of the log `$1`, as a part of the statement that deletes their events; elsewhere after it.
/// The argument is a query of the groups.
macro_rules! delete_keys {
    ($groups:literal) => {
        concat!("DELETE FROM audit.key WHERE log = $1 AND grp IN (", $groups, ")")
    };
}

pub(crate) use {delete_keys, join_key, key_column, write_keys};

/// Reads the keys of the last groups of logs, unless they are full.
pub(crate) const READ_LAST: Statement = Statement {
    sql: "SELECT l.log, k.key FROM audit.log l
          JOIN audit.key k ON k.log = l.log AND k.grp = (l.size - 1) / 32
          WHERE l.log = ANY($1) AND l.size % 32 <> 0",
    types: types![BYTEA_ARRAY],
    context: "reading keys",
};
/// Replaces keys of groups of events.
pub(crate) const REPLACE: Statement = Statement {
    sql: "UPDATE audit.key k SET key = w.key FROM unnest($2, $3) AS w (grp, key)
          WHERE k.log = $1 AND k.grp = w.grp",
    types: types![BYTEA, INT8_ARRAY, BYTEA_ARRAY],
    context: "erasing",
};

/// Replaces keys of a log by those of which the keys of erased events are removed. Elsewhere this is to be
/// done before the events are written: whatever happens then, they cannot be read, and doing it again
/// changes nothing.
pub(crate) async fn replace(
    session: &Session,
    log: Log,
    keys: &BTreeMap<Group, GroupKey>,
) -> Result<()> {
    let groups = keys.keys().map(|group| i64::try_from(group.number()));
    let groups = groups.collect::<Result<Vec<_>, _>>().map_err(|_| corrupt(REPLACE.context))?;
    let keys: Vec<_> = keys.values().map(GroupKey::to_bytes).collect();
    session.execute(&REPLACE, &[&log.as_bytes(), &groups, &keys]).await.map(drop)
}
