//! Scrubs: the `VACUUM` that ends an erasure. It removes the old versions of rows, unless somebody can
//! still see them.

use std::time::{Duration, Instant};

use audit_core::{Error, ErrorKind, Result};

use crate::connection::{Session, Statement, column, types};
use crate::core::Core;
use crate::error::corrupt;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Returns the number of the next transaction. Those before it have deleted what a scrub removes.
pub(crate) const NEXT_TRANSACTION: Statement = Statement {
    sql: "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
    types: &[],
    context: "removing erased data",
};
/// Finds who can see rows that transactions before a number have deleted: transactions and standbys,
/// slots, and prepared transactions. A transaction that has written keeps them by its own number, too, also
/// between two statements, when it has no snapshot. A `VACUUM` keeps none; an `ANALYZE` does.
pub(crate) const FIND_HOLDERS: Statement = Statement {
    sql: "WITH now AS (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next),
          held AS (
              SELECT xmin, 'another transaction or a standby' AS holder
              FROM pg_stat_activity,
                  LATERAL (VALUES (backend_xmin), (backend_xid)) AS numbers (xmin)
              WHERE xmin IS NOT NULL AND pid <> pg_backend_pid()
                  AND (datid IS NULL OR datname = current_database())
                  AND coalesce(leader_pid, pid) NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
              UNION ALL
              SELECT xmin, 'a replication slot' FROM pg_replication_slots WHERE xmin IS NOT NULL
              UNION ALL
              SELECT transaction, 'a prepared transaction' FROM pg_prepared_xacts
              WHERE database = current_database())
          SELECT holder FROM held, now WHERE next - age(xmin) < $1 LIMIT 1",
    types: types![INT8],
    context: "removing erased data",
};
/// Returns whether the role of the connection may `VACUUM` the tables.
pub(crate) const MAY_VACUUM: Statement = Statement {
    sql: "SELECT bool_and(pg_has_role(relowner, 'USAGE') OR CASE
              WHEN current_setting('server_version_num')::int >= 170000
              THEN has_table_privilege(oid, 'MAINTAIN') ELSE false END)
          FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind = 'r'",
    types: &[],
    context: "removing erased data",
};
/// Removes old versions of rows that hold personal data, their keys, or their terms, and of staged events. Without the
/// truncation, for which readers of a standby are cancelled.
const VACUUM: &str = "VACUUM (TRUNCATE false) audit.event, audit.key, audit.tail, audit.part, \
                      audit.segment, audit.api_key, audit.staged, audit.refused";

/// Removes what committed transactions have erased from the tables.
///
/// # Errors
/// [`Pending`](ErrorKind::Pending) if somebody can still see it, or the role may not remove it.
pub(crate) async fn scrub(core: &Core) -> Result<()> {
    let session = core.writers.take().await?;
    let next = session.query_opt(&NEXT_TRANSACTION, &[]).await?;
    let next: i64 = column(&next.ok_or_else(|| corrupt(NEXT_TRANSACTION.context))?, 0)?;
    let may = session.query_opt(&MAY_VACUUM, &[]).await?;
    if !may.map_or(Ok(Some(false)), |row| column::<Option<bool>>(&row, 0))?.unwrap_or(false) {
        return Err(pending("the role may not VACUUM the tables, as their owner may"));
    }
    let until = Instant::now() + core.timeout;
    while let Some(why) = holder(&session, next).await? {
        if Instant::now() >= until {
            return Err(pending(why));
        }
        tokio::time::sleep(PAUSE).await;
    }
    run(core, &session, VACUUM).await
}

/// Rewrites the tables whose unused bytes can have old keys, terms and addresses. The tables of events are
/// not among them, because their old bytes are sealed.
const REWRITE: &str = "VACUUM (FULL) audit.key, audit.tail, audit.part, audit.segment, \
                       audit.api_key, audit.organization, audit.staged, audit.refused";

/// Removes the last traces of erased data from the tables.
pub(crate) async fn compact(core: &Core) -> Result<()> {
    scrub(core).await?;
    run(core, &core.writers.take().await?, REWRITE).await
}

/// Runs a statement as long as the server answers on another connection.
pub(crate) async fn run(core: &Core, session: &Session, sql: &str) -> Result<()> {
    let check = || async {
        match core.writers.take().await {
            Ok(other) => other.query_opt(&NEXT_TRANSACTION, &[]).await.map(drop),
            // Those that have the connections meanwhile notice it, too.
            Err(error) if error.kind() == ErrorKind::Busy => Ok(()),
            Err(error) => Err(error),
        }
    };
    session.run(sql, NEXT_TRANSACTION.context, check).await
}

/// Returns who can see what transactions before `next` have deleted.
async fn holder(session: &Session, next: i64) -> Result<Option<&'static str>> {
    let Some(row) = session.query_opt(&FIND_HOLDERS, &[&next]).await? else { return Ok(None) };
    Ok(Some(match column::<&str>(&row, 0)? {
        "a replication slot" => "a replication slot holds older rows",
        "a prepared transaction" => "a prepared transaction can see older rows",
        _ => "another transaction, or one of a standby, can see older rows",
    }))
}

fn pending(why: &'static str) -> Error {
    Error::new(ErrorKind::Pending).with_context(why)
}
