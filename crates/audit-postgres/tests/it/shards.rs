//! The logs of a store need not be on one machine. Two clusters in small: tables that are partitioned by
//! log, as distributed engines do it, and databases of which each has some of the logs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use audit_conformance::{Harness, RetentionHarness, TenantHarness};
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    AuditContext, AuditEvent, AuditStore, EntriesRequest, EventId, Head, Log, NewEvent, Pruned,
    Pruning, Receipt, Result, Retention, RetentionStore, Scan, ScanResult, Sequence, TenantStore,
    TokenKeys,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::{database, open};

/// Partitions each table with a log by it, but for the list of refused events. The server refuses that for
/// a table with a key or a unique index without the log.
const PARTITION: &str = "DO $$
    DECLARE
        name text;
        number int;
    BEGIN
        FOR name IN
            SELECT c.relname FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'log'
            WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind = 'r'
                AND c.relname <> 'refused'
        LOOP
            EXECUTE format('ALTER TABLE audit.%I RENAME TO old', name);
            EXECUTE format('CREATE TABLE audit.%I (LIKE audit.old INCLUDING ALL)
                PARTITION BY HASH (log)', name);
            FOR number IN 0..2 LOOP
                EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.%I
                    FOR VALUES WITH (MODULUS 3, REMAINDER %s)', name || number, name, number);
            END LOOP;
            DROP TABLE audit.old CASCADE;
        END LOOP;
    END $$";

/// Tables that are partitioned by log. The heads of logs are locked one by one, as such engines ask for.
struct Partitioned(Database);

impl Partitioned {
    fn new() -> Self {
        static EMPTY: LazyLock<Database> = LazyLock::new(|| {
            let database = database();
            drop(open(&database));
            database.sql(PARTITION).expect("each key has the log");
            database
        });
        let copy = EMPTY.copy().expect("a database");
        // Each store has a secret of its own.
        let secret = "UPDATE audit.store SET value = sha256(gen_random_uuid()::text::bytea)
                      WHERE name = 'token_secret'";
        copy.sql(secret).expect("it is changed");
        Self(copy)
    }

    fn store(&self) -> Arc<PostgresStore> {
        let options = PostgresOptions::default().existing().locking_each_log();
        Arc::new(block_on(PostgresStore::open_with(self.0.url(), options)).expect("it opens"))
    }
}

impl Harness for Partitioned {
    fn open(&self) -> Arc<dyn AuditStore> {
        self.store()
    }
}

impl RetentionHarness for Partitioned {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        self.store()
    }
}

impl TenantHarness for Partitioned {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        self.store()
    }
}

mod partitioned {
    use super::Partitioned;

    audit_conformance::suite!(store: Partitioned::new);
    audit_conformance::suite!(retention: Partitioned::new);
    audit_conformance::suite!(tenants: Partitioned::new);
}

const SHARDS: usize = 3;

/// Databases of which each has some of the logs.
struct Shards {
    databases: [Database; SHARDS],
    keys: TokenKeys,
}

impl Shards {
    fn new() -> Self {
        let secret = TokenKeys::generate_secret().expect("there is randomness");
        let keys = TokenKeys::from_secret(secret);
        Self { databases: std::array::from_fn(|_| database()), keys }
    }

    fn router(&self) -> Arc<Router> {
        Arc::new(Router(self.databases.each_ref().map(|database| {
            let options = PostgresOptions::default().with_token_keys(self.keys.clone());
            block_on(PostgresStore::open_with(database.url(), options)).expect("it opens")
        })))
    }
}

impl Harness for Shards {
    fn open(&self) -> Arc<dyn AuditStore> {
        self.router()
    }
}

impl RetentionHarness for Shards {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        self.router()
    }
}

/// A store that sends each call to the store that has the log.
#[derive(Debug)]
struct Router([PostgresStore; SHARDS]);

impl Router {
    fn of(&self, log: Log) -> &PostgresStore {
        let mut hasher = DefaultHasher::new();
        log.hash(&mut hasher);
        let at = usize::try_from(hasher.finish() % SHARDS as u64).expect("a small number");
        &self.0[at]
    }
}

#[async_trait]
impl AuditStore for Router {
    fn token_keys(&self) -> &TokenKeys {
        self.0[0].token_keys()
    }

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        self.of(log).append(log, events).await
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        self.of(log).get(log, id).await
    }

    async fn head(&self, log: Log) -> Result<Head> {
        self.of(log).head(log).await
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        let mut logs = Vec::new();
        for store in &self.0 {
            logs.extend(store.logs(after, limit).await?);
        }
        logs.sort_unstable();
        logs.truncate(limit);
        Ok(logs)
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        self.of(scan.log).scan(scan).await
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        self.of(log).wait_for_append(log, sequence).await
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        self.of(log).frontier(log).await
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        self.of(log).nodes(log, nodes).await
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        self.of(log).entries(log, request).await
    }
}

#[async_trait]
impl RetentionStore for Router {
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64> {
        self.of(log).erase_events(log, sequences, by).await
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        self.of(log).retention(log).await
    }

    async fn set_retention(&self, log: Log, retention: Retention, by: AuditContext) -> Result<()> {
        self.of(log).set_retention(log, retention, by).await
    }

    async fn prune(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        self.of(log).prune(log, pruning).await
    }
}

/// Cases in which several logs, or several handles, play a part.
const CASES: [(&str, &str); 8] = [
    ("logs", "are_listed_by_pages"),
    ("logs", "are_listed_by_every_handle"),
    ("appends", "keep_the_same_id_in_two_logs_apart"),
    ("feeds", "go_on_after_a_reopen"),
    ("waits", "sleep_while_other_logs_grow"),
    ("tokens", "of_another_log_are_refused"),
    ("isolation", "never_see_each_others_events"),
    ("trees", "of_two_logs_are_apart"),
];

/// The same of retention.
const RETENTION_CASES: [(&str, &str); 2] =
    [("erasures", "do_not_change_other_logs"), ("prunings", "do_not_change_other_logs")];

#[test]
fn logs_of_several_databases_are_one_store() {
    for (group, case) in CASES {
        audit_conformance::run::<dyn Harness>(group, case, &|| Box::new(Shards::new()));
    }
    for (group, case) in RETENTION_CASES {
        audit_conformance::run::<dyn RetentionHarness>(group, case, &|| Box::new(Shards::new()));
    }
}
