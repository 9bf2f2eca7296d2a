//! The dead rows of the index, and the `VACUUM` after which their space is used again.
//!
//! Merges write rows as often as they delete some. Autovacuum looks at a table once a minute at most: in
//! that time, the index of a busy store would grow to several times its size.

use audit_core::Result;

use crate::connection::{Statement, both, column, types};
use crate::core::Core;
use crate::scrub::{MAY_VACUUM, run};

/// The fewest dead rows that are removed: some 10 MB.
const LEAST: u64 = 4_096;
/// There must be one dead row for this many, because the whole key of the table is read.
const ROWS_FOR_ONE: u64 = 16;

/// Reads how many rows the table of parts had at the last look of the server.
pub(crate) const READ_ROWS: Statement = Statement {
    sql: "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'audit.part'::regclass",
    types: types![],
    context: "reading the size of the index",
};

/// Waits for no other one, and truncates nothing, for which readers of a standby are cancelled.
const VACUUM: &str = "VACUUM (SKIP_LOCKED, TRUNCATE false, PARALLEL 0) \
                      audit.part, audit.tail, audit.segment";

/// Removes the dead rows if they are many, and the role may do it.
pub(crate) async fn vacuum(core: &Core) -> Result<()> {
    let dead = core.dead_rows.count();
    if dead < LEAST {
        return Ok(());
    }
    let session = core.writers.take().await?;
    let rows = session.query_opt(&READ_ROWS, &[]);
    let (rows, may) = both(rows, session.query_opt(&MAY_VACUUM, &[])).await?;
    let rows = rows.map_or(Ok(0), |row| column::<i64>(&row, 0))?.unsigned_abs();
    let may = may.map_or(Ok(None), |row| column::<Option<bool>>(&row, 0))?;
    let are_many = dead >= LEAST + rows / ROWS_FOR_ONE;
    if may == Some(true) && are_many && core.dead_rows.take(dead) {
        run(core, &session, VACUUM).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use audit_postgres_server::Server;
    use futures_executor::block_on;

    use super::*;
    use crate::PostgresStore;

    #[test]
    fn dead_rows_are_removed_once_they_are_many() {
        let database = Server::shared().expect("a server").database().expect("a database");
        let store = block_on(PostgresStore::open(database.url())).expect("the store opens");
        let delete = |count| {
            let deleted = store.run(|core| async move {
                core.dead_rows.add(count);
                vacuum(&core).await?;
                Ok(core.dead_rows.count())
            });
            block_on(deleted).expect("it is looked for them")
        };
        let vacuums = || {
            let sql = "SELECT string_agg(relname || ' ' || vacuum_count, ', ' ORDER BY relname)
                       FROM pg_stat_user_tables
                       WHERE relname IN ('event', 'part', 'segment', 'tail')";
            database.sql(sql).expect("it is read")
        };
        assert_eq!(delete(LEAST - 1), LEAST - 1);
        assert_eq!(vacuums(), "event 0, part 0, segment 0, tail 0");
        assert_eq!(delete(1), 0);
        assert_eq!(vacuums(), "event 0, part 1, segment 1, tail 1");
        // A large table is read as a whole, and so less often.
        database
            .sql("UPDATE pg_class SET reltuples = 16000 WHERE oid = 'audit.part'::regclass")
            .expect("it looks large");
        assert_eq!(delete(LEAST + 999), LEAST + 999);
        assert_eq!(delete(1), 0);
        assert_eq!(vacuums(), "event 0, part 2, segment 2, tail 2");
    }

    #[test]
    fn a_role_that_may_not_remove_them_leaves_them() {
        let database = Server::shared().expect("a server").database().expect("a database");
        drop(block_on(PostgresStore::open(database.url())).expect("the store opens"));
        let role = format!("writer_{}", database.name());
        database
            .sql(&format!(
                "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA audit TO {role};
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA audit TO {role}"
            ))
            .expect("a role");
        let url =
            database.url().replacen("postgres://postgres@", &format!("postgres://{role}@"), 1);
        let store = block_on(PostgresStore::open(&url)).expect("the store opens");
        let left = store.run(|core| async move {
            core.dead_rows.add(LEAST);
            vacuum(&core).await?;
            Ok(core.dead_rows.count())
        });
        assert_eq!(block_on(left).expect("it is no failure"), LEAST);
        drop(store);
        database
            .sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .expect("the role is removed");
    }
}
