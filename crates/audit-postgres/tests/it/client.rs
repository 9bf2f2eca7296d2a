//! A client of the database that is not the store: it knows tokio-postgres and `STAGE`.

use audit_core::{EventId, Log, Staged};
use audit_postgres::STAGE;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

/// A connection of its own, used from threads without a runtime. If it is dropped, its transaction is
/// rolled back.
pub(crate) struct StagingClient {
    runtime: Runtime,
    client: Client,
}

impl StagingClient {
    pub(crate) fn connect(url: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls)).unwrap();
        runtime.spawn(connection);
        Self { runtime, client }
    }

    /// Runs SQL without parameters.
    pub(crate) fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    /// Stages rows that need not be events.
    pub(crate) fn stage_rows(&self, log: &str, ids: &[EventId], bodies: &[&str]) {
        let ids: Vec<_> = ids.iter().map(|id| *id.as_uuid()).collect();
        self.runtime.block_on(self.client.execute(STAGE, &[&log, &ids, &bodies])).unwrap();
    }

    pub(crate) fn stage(&self, staged: &Staged) {
        let ids: Vec<_> = staged.rows().map(|(id, _)| id).collect();
        self.stage_rows(&staged.log().to_string(), &ids, &staged.bodies());
    }

    /// Returns the message and the code of the error that SQL fails with.
    pub(crate) fn fails(&self, sql: &str) -> (String, String) {
        let error = self.runtime.block_on(self.client.batch_execute(sql)).unwrap_err();
        let error = error.as_db_error().unwrap();
        (error.message().to_owned(), error.code().code().to_owned())
    }

    /// Returns the number that a statement returns.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(sql, &[])).unwrap().get(0)
    }
}

impl audit_conformance::StagingTransaction for StagingClient {
    fn stage_row(&mut self, log: Log, id: EventId, body: &str) {
        self.stage_rows(&log.to_string(), &[id], &[body]);
    }

    fn stage(&mut self, staged: &Staged) {
        Self::stage(self, staged);
    }

    fn commit(self: Box<Self>) {
        self.run("COMMIT");
    }

    fn roll_back(self: Box<Self>) {
        self.run("ROLLBACK");
    }
}
