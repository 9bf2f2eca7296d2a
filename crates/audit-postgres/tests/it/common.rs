//! A database of its own for each test.

use std::sync::Arc;

use audit_postgres::PostgresStore;
use audit_postgres_server::{Database, Server};
use futures_executor::block_on;

/// Returns an empty database. Its store has secrets of its own.
pub(crate) fn database() -> Database {
    Server::shared().expect("a server").database().expect("a database")
}

/// Opens the store in a database.
pub(crate) fn open(database: &Database) -> Arc<PostgresStore> {
    Arc::new(block_on(PostgresStore::open(database.url())).expect("the store opens"))
}
