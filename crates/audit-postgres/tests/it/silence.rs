//! A server that is connected and does not answer.

use std::process::Command;
use std::time::Duration;

use audit_core::{Actor, AuditStore as _, AuditStoreExt as _, ErrorKind, EventId, Log, NewEvent};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::database;

const LOG: Log = Log::Platform;

/// The processes of the server that serve a store. They are frozen until this is dropped.
struct Frozen(Vec<String>);

impl Frozen {
    fn of(database: &Database) -> Self {
        let find = "SELECT pid FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'audit'";
        let found = database.sql(find).expect("they are listed");
        let frozen = Self(found.lines().map(str::to_owned).collect());
        frozen.signal("-STOP");
        frozen
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).args(&self.0).status();
        assert!(sent.expect("the program is there").success());
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[test]
fn an_append_to_a_server_that_does_not_answer_fails_and_can_be_sent_again() {
    let database = database();
    let options = PostgresOptions::default().with_timeout(Duration::from_millis(300));
    let store = block_on(PostgresStore::open_with(database.url(), options)).expect("it opens");
    let event = || NewEvent::new("task.step", Actor::user("u_1"));
    block_on(store.record(LOG, event())).expect("it is recorded");
    let again = event().id(EventId::new());
    {
        let _frozen = Frozen::of(&database);
        let error = block_on(store.record(LOG, again.clone())).expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.is_retryable());
    }
    let receipt = loop {
        match block_on(store.record(LOG, again.clone())) {
            Err(error) if error.is_retryable() => {}
            receipt => break receipt.expect("it is recorded"),
        }
    };
    assert_eq!(receipt.sequence.get(), 2);
    assert_eq!(block_on(store.head(LOG)).expect("it is read").size.get(), 2, "it is there once");
}
