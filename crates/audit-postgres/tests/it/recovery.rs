//! A backup that is restored to a moment.

use audit_core::{
    Actor, AuditContext, AuditEvent, AuditStore as _, AuditStoreExt as _, Erasure, ErrorKind,
    EventQuery, FeedStart, Filter, Log, NewEvent, Order, RetentionStoreExt as _,
};
use audit_merkle::VerifyExt as _;
use audit_postgres::PostgresStore;
use audit_postgres_server::ServerOptions;
use futures_executor::block_on;

use crate::common::open;

const LOG: Log = Log::Platform;

fn event(number: u32) -> NewEvent {
    let actor = Actor::user(format!("u_{}", number % 3)).email(format!("{number}@acme.example"));
    NewEvent::new("invoice.paid", actor)
}

fn query() -> EventQuery {
    EventQuery::new(LOG).order(Order::Sequence).limit(10)
}

fn sequences(events: &[AuditEvent]) -> Vec<u64> {
    events.iter().map(|event| event.sequence.get()).collect()
}

fn erase(store: &PostgresStore) -> u64 {
    let of_one = Erasure::matching(Filter::new().actor_email("7@acme.example"));
    block_on(store.erase(LOG, of_one, AuditContext::new(Actor::system()))).unwrap().events
}

#[test]
fn a_restored_log_has_the_history_up_to_the_moment_and_no_other() {
    let server = ServerOptions::new().archive().start().unwrap();
    let database = server.database().unwrap();
    let store = open(&database);
    block_on(store.append(LOG, (0..20).map(event).collect())).unwrap();
    let backup = server.backup().unwrap();
    // After the backup, from the archive.
    block_on(store.append(LOG, (20..40).map(event).collect())).unwrap();
    let head_before = block_on(store.tree_head(LOG)).unwrap();
    let walk_before = block_on(store.page(&query())).unwrap().next.unwrap();
    let feed_before = block_on(store.feed(&query(), FeedStart::Now)).unwrap().token;
    server.sql("SELECT pg_create_restore_point('moment')").unwrap();

    assert_eq!(erase(&store), 1);
    block_on(store.append(LOG, (40..60).map(event).collect())).unwrap();
    let head_after = block_on(store.tree_head(LOG)).unwrap();
    let feed_after = block_on(store.feed(&query(), FeedStart::Now)).unwrap().token;
    let walk_after = block_on(store.page(&query())).unwrap().next.unwrap();
    drop(store);

    let restored = backup.restore("recovery_target_name", "moment").unwrap();
    let store = block_on(PostgresStore::open(&restored.url_of(&database))).unwrap();
    assert_eq!(block_on(store.head(LOG)).unwrap().size, head_before.size);
    let is_intact =
        |head| block_on(store.verify(LOG).against([head]).into_future()).unwrap().is_intact();
    assert!(is_intact(head_before) && !is_intact(head_after));
    let refused = || {
        let feed = block_on(store.next_feed(&query(), &feed_after)).unwrap_err();
        let walk = block_on(store.next_page(&query(), &walk_after)).unwrap_err();
        assert_eq!([feed.kind(), walk.kind()], [ErrorKind::HistoryChanged; 2]);
    };
    refused();

    // What was erased after the moment has to be erased again.
    assert_eq!(erase(&store), 1);
    block_on(store.append(LOG, (100..130).map(event).collect())).unwrap();
    assert!(block_on(store.head(LOG)).unwrap().size > head_after.size);
    refused();
    assert!(is_intact(head_before) && !is_intact(head_after));
    let page = block_on(store.next_page(&query(), &walk_before)).unwrap();
    assert_eq!(sequences(&page.events), (11..=20).collect::<Vec<_>>());
    let page = block_on(store.next_feed(&query(), &feed_before)).unwrap();
    assert_eq!(sequences(&page.events), (41..=50).collect::<Vec<_>>());
}
