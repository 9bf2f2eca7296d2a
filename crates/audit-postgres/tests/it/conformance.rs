//! The promises of every store, on PostgreSQL.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use audit_conformance::{
    DurableHarness, Harness, RetentionHarness, StagingHarness, StagingTransaction, TenantHarness,
};
use audit_core::{AuditStore, RetentionStore, StagingStore, TenantStore};
use audit_postgres::PostgresStore;
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::client::StagingClient;
use crate::common::{database, open};

struct InDatabase(Database);

impl InDatabase {
    fn new() -> Self {
        Self(database())
    }
}

impl Harness for InDatabase {
    fn open(&self) -> Arc<dyn AuditStore> {
        open(&self.0)
    }
}

impl RetentionHarness for InDatabase {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        open(&self.0)
    }
}

impl TenantHarness for InDatabase {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        open(&self.0)
    }
}

impl StagingHarness for InDatabase {
    fn open_staging(&self) -> Arc<dyn StagingStore> {
        open(&self.0)
    }

    fn begin(&self) -> Box<dyn StagingTransaction> {
        let client = StagingClient::connect(self.0.url());
        client.run("BEGIN");
        Box::new(client)
    }
}

impl DurableHarness for InDatabase {
    fn place(&self) -> OsString {
        self.0.url().into()
    }
}

/// Opens the database of another process.
struct Place(String);

impl Place {
    fn of(place: &OsStr) -> Self {
        Self(place.to_str().expect("a URL").to_owned())
    }
}

impl Harness for Place {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(block_on(PostgresStore::open(&self.0)).expect("the store opens"))
    }
}

audit_conformance::suite!(store: InDatabase::new);
audit_conformance::suite!(retention: InDatabase::new);
audit_conformance::suite!(staged: InDatabase::new);
audit_conformance::suite!(tenants: InDatabase::new);
audit_conformance::suite!(durable: InDatabase::new, Place::of);
