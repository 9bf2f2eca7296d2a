//! The promises of every store, on PostgreSQL.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use audit_conformance::{
    DamageHarness, DurableHarness, FollowerHarness, Harness, RetentionHarness, StagingHarness,
    StagingTransaction, TenantHarness,
};
use audit_core::{AuditStore, FollowerStore, Log, RetentionStore, StagingStore, TenantStore};
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

impl FollowerHarness for InDatabase {
    fn open_followers(&self) -> Arc<dyn FollowerStore> {
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

/// Kinds of damage, and statements that do them to the log `LOG`.
const DAMAGES: [(&str, &str); 10] = [
    ("the tail is lost", "DELETE FROM audit.tail WHERE log = LOG"),
    ("the tail is empty", "UPDATE audit.tail SET data = '' WHERE log = LOG"),
    (
        "the tail is zeros",
        "UPDATE audit.tail SET data = decode(repeat('00', length(data)), 'hex') WHERE log = LOG",
    ),
    (
        "the segments are zeros",
        "UPDATE audit.part SET data = decode(repeat('00', length(data)), 'hex') WHERE log = LOG",
    ),
    (
        "the segments are cut",
        "UPDATE audit.part SET data = substr(data, 1, length(data) / 2) WHERE log = LOG",
    ),
    (
        "a byte of each part differs",
        // A part without terms has its checksum only.
        "UPDATE audit.part SET data = set_byte(data, length(data) / 2, \
             255 - get_byte(data, length(data) / 2)) WHERE log = LOG",
    ),
    ("the segments end early", "UPDATE audit.segment SET latest = earliest WHERE log = LOG"),
    ("the segments have no content", "DELETE FROM audit.part WHERE log = LOG"),
    ("the segments are lost", "DELETE FROM audit.segment WHERE log = LOG"),
    ("less is indexed than stated", "UPDATE audit.log SET indexed = indexed + 7 WHERE log = LOG"),
];

impl DamageHarness for InDatabase {
    fn damages(&self) -> Vec<&'static str> {
        DAMAGES.iter().map(|(damage, _)| *damage).collect()
    }

    fn damage(&self, log: Log, damage: &str) {
        let id = log.organization_id().expect("the log of an organization");
        let log = format!("'\\x{}'", id.to_string().replace('-', ""));
        let (_, sql) = DAMAGES.iter().find(|(name, _)| *name == damage).expect("a known damage");
        let sql =
            format!("WITH d AS ({} RETURNING 1) SELECT count(*) FROM d", sql.replace("LOG", &log));
        let rows = self.0.sql(&sql).expect("data can be damaged");
        assert_ne!(rows.trim(), "0", "{damage}");
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
audit_conformance::suite!(followers: InDatabase::new);
audit_conformance::suite!(damaged: InDatabase::new);
audit_conformance::suite!(tenants: InDatabase::new);
audit_conformance::suite!(durable: InDatabase::new, Place::of);
