//! A server that is connected and does not answer.

use std::process::Command;
use std::time::Duration;

use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt as _, EntriesRequest, Error, ErrorKind, EventId,
    EventQuery, Log, NewApiKey, NewEvent, NewOrganization, OrganizationId, Pruning, Result,
    Retention, RetentionStore as _, Role, Sequence, StagingStore as _, TenantStore as _,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, join_all, select};

use crate::common::database;
use crate::proxy::Proxy;

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

type Call<'s> = (&'static str, BoxFuture<'s, Result<()>>);

/// A call, with its name and without its result.
macro_rules! calls {
    ($($name:literal: $call:expr),* $(,)?) => {
        vec![$(($name, $call.map(|result| result.map(drop)).boxed())),*]
    };
}

fn reads(store: &PostgresStore) -> Vec<Call<'_>> {
    calls![
        "head": store.head(LOG),
        "get": store.get(LOG, EventId::new()),
        "logs": store.logs(None, 10),
        "page": async { store.page(&EventQuery::new(LOG)).await },
        "count": async { store.count(&EventQuery::new(LOG)).await },
        "frontier": store.frontier(LOG),
        "entries": store.entries(LOG, EntriesRequest::default()),
        "wait for append": store.wait_for_append(LOG, Sequence::new(1).expect("a number")),
        "retention": store.retention(LOG),
        "staged counts": store.staged_counts(),
        "refused": store.refused(0, 10),
        "organizations": store.organizations(None, 10),
        "check": store.check(),
        "size": store.size(),
        "check derived": store.check_derived(LOG),
    ]
}

fn writes(store: &PostgresStore) -> Vec<Call<'_>> {
    let by = || AuditContext::new(Actor::user("u_1"));
    let organization = OrganizationId::new();
    calls![
        "append": async { store.record(LOG, NewEvent::new("task.step", Actor::user("u_1"))).await },
        "set retention": store.set_retention(LOG, Retention::default().max_events(1), by()),
        "prune": store.prune(LOG, Pruning::from(by())),
        "erase": store.erase_events(LOG, vec![Sequence::new(1).expect("a number")], by()),
        "take in": store.take_in(),
        "restage": store.restage(1),
        "create organization": store.create_organization(NewOrganization::new("o"), by()),
        "create key": store.create_api_key(NewApiKey::new(organization, Role::Member, "a@example.com"), by()),
        "reindex": store.reindex(LOG),
        "compact": store.compact(),
    ]
}

fn fails_for_silence(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.is_retryable()
}

#[test]
fn every_call_ends_when_a_network_swallows_what_is_sent() {
    let database = database();
    let proxy = Proxy::before(&database);
    let options = PostgresOptions::default()
        .with_timeout(Duration::from_millis(400))
        .with_staging_interval(None)
        .with_readers(32);
    let store = block_on(PostgresStore::open_with(&proxy.url(), options)).expect("it opens");
    block_on(store.record(LOG, NewEvent::new("task.step", Actor::user("u_1")))).expect("recorded");
    let mut feed = store.wait_for_append(LOG, Sequence::new(2).expect("a number"));
    // It waits when these are answered.
    let others = async {
        for _ in 0..3 {
            store.head(LOG).await.expect("it is read");
        }
    };
    let waiting = block_on(select(&mut feed, others.boxed()));
    assert!(matches!(waiting, Either::Right(_)), "nothing was appended");
    let mut calls = reads(&store);
    calls.push(("a feed that waits", feed.map(|result| result.map(drop)).boxed()));
    // At most as many at once as there are connections for them.
    let mut writes = writes(&store).into_iter();
    calls.extend(writes.by_ref().take(5));
    proxy.set_silent(true);
    for calls in [calls, writes.collect()] {
        let (names, calls): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        for (name, result) in names.iter().zip(block_on(join_all(calls))) {
            let error = result.expect_err(name);
            assert!(fails_for_silence(&error), "{name}: {error:?}");
        }
    }
    proxy.set_silent(false);
    // The silent connections were closed, so that the store goes on with others.
    let head = loop {
        match block_on(store.head(LOG)) {
            Err(error) if error.is_retryable() => {}
            head => break head.expect("it is read"),
        }
    };
    assert!(head.size.get() >= 1);
}
