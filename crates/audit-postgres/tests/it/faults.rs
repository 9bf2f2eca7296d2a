//! Lost connections, other transactions in the way, and appends that the server refuses.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt as _, ErrorKind, EventQuery, Log, NewEvent,
    NewOrganization, OrganizationId, Receipt, Result, RetentionStore as _, TenantStore as _,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::{Database, Server};
use futures_executor::block_on;

use crate::common::{database, open};

fn event(name: &str) -> NewEvent {
    NewEvent::new("task.step", Actor::user("u").name(name))
}

fn open_with(database: &Database, timeout: Duration) -> Arc<PostgresStore> {
    let options = PostgresOptions::default().with_timeout(timeout);
    Arc::new(block_on(PostgresStore::open_with(database.url(), options)).expect("the store opens"))
}

fn append(store: &Arc<PostgresStore>, log: Log, name: &str) -> thread::JoinHandle<Result<Receipt>> {
    let (store, event) = (Arc::clone(store), event(name));
    thread::spawn(move || block_on(store.record(log, event)))
}

/// Repeats a query until it returns what is expected.
fn wait_until(database: &Database, sql: &str, expected: &str) {
    while database.sql(sql).expect("it is read") != expected {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs SQL in a transaction that stays open until the returned value is dropped.
pub(crate) struct Held {
    release: mpsc::Sender<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Held {
    pub(crate) fn by(database: &Database, sql: &'static str) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let (held, is_held) = mpsc::channel();
        let url = database.url().to_owned();
        let run = move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let connected = tokio_postgres::connect(&url, tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("a connection");
                tokio::spawn(connection);
                client.batch_execute(&format!("BEGIN; {sql}")).await.expect("it runs");
                held.send(()).expect("the test waits");
                tokio::task::spawn_blocking(move || released.recv()).await.expect("it waits").ok();
                client.batch_execute("ROLLBACK").await.expect("it ends");
            });
        };
        let thread = Some(thread::spawn(run));
        is_held.recv().expect("it is held");
        Self { release, thread }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.release.send(());
        self.thread.take().map(thread::JoinHandle::join);
    }
}

#[test]
fn an_append_whose_commit_was_not_confirmed_is_recorded_once_with_its_first_receipt() {
    let server = Server::start().expect("a server");
    let database = server.database().expect("a database");
    let store = open_with(&database, Duration::from_secs(60));
    block_on(store.record(Log::Platform, event("before"))).expect("it is recorded");
    // A commit then waits for a standby that does not exist, and is complete when it is cut off.
    server.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").expect("it is set");
    server.reload().expect("it is read");
    wait_until(&database, "SHOW synchronous_standby_names", "nobody");
    let append = append(&store, Log::Platform, "a");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    wait_until(&database, waiting, "1");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    database.sql(cut).expect("it is cut off");
    // The second attempt finds the event, and waits as well: what it acknowledges must be as durable.
    wait_until(&database, waiting, "1");
    assert!(!append.is_finished(), "it is not acknowledged yet");
    server.sql("ALTER SYSTEM RESET synchronous_standby_names").expect("it is set");
    server.reload().expect("it is read");
    let receipt = append.join().expect("it ends").expect("it is recorded");
    assert!(!receipt.redelivered, "{receipt:?}");
    let count = block_on(store.count(&EventQuery::new(Log::Platform))).expect("it is counted");
    assert_eq!(count, 2);
}

/// Runs `work` so that the connection is lost while its commit waits for a standby, which then has it.
fn with_unconfirmed_commit<T: Send + 'static>(
    server: &Server,
    database: &Database,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    server.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").expect("it is set");
    server.reload().expect("it is read");
    wait_until(database, "SHOW synchronous_standby_names", "nobody");
    let work = thread::spawn(work);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    wait_until(database, waiting, "1");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    database.sql(cut).expect("it is cut off");
    wait_until(database, waiting, "1");
    assert!(!work.is_finished(), "it is not confirmed yet");
    server.sql("ALTER SYSTEM RESET synchronous_standby_names").expect("it is set");
    server.reload().expect("it is read");
    work.join().expect("it ends")
}

#[test]
fn a_change_whose_commit_was_not_confirmed_is_made_once_with_its_first_outcome() {
    let server = Server::start().expect("a server");
    let database = server.database().expect("a database");
    let store = open_with(&database, Duration::from_secs(60));
    let by = || AuditContext::new(Actor::system());
    let id = OrganizationId::new();
    let create = {
        let (store, new) = (Arc::clone(&store), NewOrganization::new("Acme").id(id));
        move || block_on(store.create_organization(new, by()))
    };
    let organization = with_unconfirmed_commit(&server, &database, create);
    assert_eq!(organization.expect("it is created").id, id);
    let log = Log::organization(id);
    let recorded = block_on(store.record(log, event("a person"))).expect("it is recorded");
    let erase = {
        let (store, sequences) = (Arc::clone(&store), vec![recorded.sequence]);
        move || block_on(store.erase_events(log, sequences, by()))
    };
    assert_eq!(with_unconfirmed_commit(&server, &database, erase).expect("it is erased"), 1);
    let delete = {
        let store = Arc::clone(&store);
        move || block_on(store.delete_organization(id, by()))
    };
    with_unconfirmed_commit(&server, &database, delete).expect("it is deleted");
    // The creation, the event, its erasure, the deletion.
    assert_eq!(block_on(store.head(log)).expect("it is read").size.get(), 4);
    assert_eq!(block_on(store.head(Log::Platform)).expect("it is read").size.get(), 2);
}

#[test]
fn appends_wait_for_a_server_that_is_killed_and_started_again() {
    let server = Server::start().expect("a server");
    let database = server.database().expect("a database");
    let store = open_with(&database, Duration::from_secs(60));
    block_on(store.record(Log::Platform, event("before"))).expect("it is recorded");
    server.kill().expect("it is killed");
    let under_way = append(&store, Log::Platform, "under way");
    let follower = {
        let store = Arc::clone(&store);
        let first = audit_core::Sequence::new(1).expect("a number");
        thread::spawn(move || {
            loop {
                // A feed asks again, as its extension does.
                match block_on(store.wait_for_append(Log::Platform, first)) {
                    Err(error) if error.is_retryable() => thread::sleep(Duration::from_millis(10)),
                    head => return head.expect("the head is read").size.get(),
                }
            }
        })
    };
    server.resume().expect("it starts");
    assert_eq!(under_way.join().expect("it ends").expect("it is recorded").sequence.get(), 2);
    assert_eq!(follower.join().expect("it ends"), 2);
}

#[test]
fn an_append_fails_as_busy_while_another_transaction_holds_its_log() {
    let database = database();
    let store = open_with(&database, Duration::from_millis(500));
    block_on(store.record(Log::Platform, event("before"))).expect("it is recorded");
    let held = Held::by(&database, "SELECT 1 FROM audit.log FOR UPDATE");
    let error = block_on(store.record(Log::Platform, event("during"))).expect_err("it is held");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    assert!(error.is_retryable());
    let count = block_on(store.count(&EventQuery::new(Log::Platform))).expect("reads do not wait");
    assert_eq!(count, 1);
    drop(held);
    block_on(store.record(Log::Platform, event("after"))).expect("it is recorded");
}

/// Makes the server raise an error with this code for the first `count` inserts of events that contain
/// `text`. A sequence counts them, because it is not undone.
fn raise(database: &Database, code: &str, text: &str, count: u32) {
    let sql = format!(
        "CREATE SEQUENCE raised;
         CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.record LIKE '%{text}%' AND nextval('raised') <= {count} THEN
                 RAISE EXCEPTION 'raised by the test' USING ERRCODE = '{code}';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER raise BEFORE INSERT ON audit.event
             FOR EACH ROW EXECUTE FUNCTION raise();"
    );
    database.sql(&sql).expect("the trigger is created");
}

#[test]
fn a_transaction_that_the_server_undoes_for_another_is_tried_again() {
    for code in ["40001", "40P01"] {
        let database = database();
        let store = open(&database);
        raise(&database, code, "task.step", 2);
        let receipt = block_on(store.record(Log::Platform, event("a"))).expect("it is recorded");
        assert_eq!(receipt.sequence.get(), 1);
        assert_eq!(database.sql("SELECT last_value FROM raised").expect("it is read"), "3");
    }
}

#[test]
fn an_append_that_the_server_refuses_harms_none_that_shares_its_transaction() {
    let database = database();
    let store = open_with(&database, Duration::from_secs(60));
    let org = Log::organization(OrganizationId::new());
    block_on(store.record(Log::Platform, event("first"))).expect("it is recorded");
    raise(&database, "P0001", "poisoned", 1_000);
    let held = Held::by(&database, "SELECT 1 FROM audit.log FOR UPDATE");
    // One waits for the lock, and the others for it.
    let names = ["a", "b", "c", "d"];
    let good: Vec<_> = names.iter().map(|name| append(&store, Log::Platform, name)).collect();
    let poisoned = NewEvent::new("poisoned", Actor::system());
    let poisoned = {
        let store = Arc::clone(&store);
        thread::spawn(move || block_on(store.record(org, poisoned)))
    };
    let waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    wait_until(&database, waiting, "t");
    drop(held);
    for append in good {
        append.join().expect("it ends").expect("it is recorded");
    }
    let error = poisoned.join().expect("it ends").expect_err("it is refused");
    let source = std::error::Error::source(&error).expect("the server's error");
    let source = source.downcast_ref::<tokio_postgres::Error>().expect("of the driver");
    assert_eq!(source.code().map(tokio_postgres::error::SqlState::code), Some("P0001"));
    assert_eq!(block_on(store.head(Log::Platform)).expect("it is read").size.get(), 5);
    assert_eq!(block_on(store.head(org)).expect("it is read").size.get(), 0);
    assert_eq!(block_on(store.logs(None, 10)).expect("they are listed"), [Log::Platform]);
}
