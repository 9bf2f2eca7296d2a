//! Roles with few privileges.

use audit_core::{Actor, AuditStoreExt as _, Log, NewEvent};
use audit_postgres::PostgresStore;
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::database;

/// Returns the URL with which a role connects to the database.
pub(crate) fn url_of(database: &Database, role: &str) -> String {
    let url = database.url().replacen("postgres://postgres@", &format!("postgres://{role}@"), 1);
    assert_ne!(url, database.url());
    url
}

#[test]
fn a_role_that_may_not_create_schemas_uses_the_one_that_it_is_given() {
    let database = database();
    let owner = format!("owner_{}", database.name());
    let sql = format!("CREATE ROLE {owner} LOGIN; CREATE SCHEMA audit AUTHORIZATION {owner}");
    database.sql(&sql).unwrap();
    let store = block_on(PostgresStore::open(&url_of(&database, &owner))).unwrap();
    let event = NewEvent::new("user.login", Actor::user("u_1"));
    block_on(store.record(Log::Platform, event)).unwrap();
    drop(store);
    database.sql(&format!("DROP OWNED BY {owner}; DROP ROLE {owner}")).unwrap();
}
