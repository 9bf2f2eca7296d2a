//! The events that are delivered, and their batches.

use std::collections::HashSet;
use std::sync::Arc;

use audit_core::{
    Actor, AuditContext, AuditStore as _, Erasure, Filter, Log, NewEvent, Retention,
    RetentionStore as _, RetentionStoreExt as _,
};
use audit_forward::{EndpointOptions, Start, WebhookSink};

use crate::common::{NAME, Running, append, eventually, new_log, options, sinks, store};
use crate::receiver::{Answer, Receiver};

#[tokio::test]
async fn each_event_of_each_log_is_delivered_once_and_in_order() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    let logs = [Log::Platform, new_log(), new_log()];
    for log in logs {
        append(&*store, log, 25).await;
    }
    let options = options().with_batch_events(10).unwrap();
    let running = Running::start(&store, options.clone(), receiver.sink());
    receiver.wait_for(&logs, 25).await;
    append(&*store, logs[1], 7).await;
    receiver.wait_for(&logs[1..2], 32).await;
    running.end().await;
    // Another process continues where it ended, also with a log that is new.
    append(&*store, logs[1], 1).await;
    let late = new_log();
    append(&*store, late, 3).await;
    let running = Running::start(&store, options, receiver.sink());
    receiver.wait_for(&logs[1..2], 33).await;
    receiver.wait_for(&[late], 3).await;
    running.end().await;
    for (log, taken) in receiver.taken() {
        let last = if log == late {
            3
        } else if log == logs[1] {
            33
        } else {
            25
        };
        assert_eq!(taken, (1..=last).collect::<Vec<_>>(), "{log}");
    }
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request.sequences.len() <= 10));
    let ids: HashSet<_> = requests.iter().map(|request| &request.id).collect();
    assert_eq!(ids.len(), requests.len(), "each batch has a key of its own");
}

#[tokio::test]
async fn a_single_event_has_its_id_as_the_key() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    append(&*store, Log::Platform, 3).await;
    let running = Running::start(&store, options().with_batch_events(1).unwrap(), receiver.sink());
    receiver.wait_for(&[Log::Platform], 3).await;
    running.end().await;
    for request in receiver.requests() {
        assert_eq!(request.body["data"]["events"][0]["id"], request.id);
    }
}

#[tokio::test]
async fn only_what_matches_is_delivered_and_the_rest_is_no_lag() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    let event = |n: usize| {
        NewEvent::new(if n % 10 == 4 { "user.login" } else { "item.updated" }, Actor::system())
    };
    store.append(Log::Platform, (1..=60).map(event).collect()).await.unwrap();
    let filter = Filter::new().action("user.*");
    let running = Running::start(&store, options().with_filter(filter), receiver.sink());
    receiver.wait_for(&[Log::Platform], 54).await;
    store.append(Log::Platform, (5..=9).map(event).collect()).await.unwrap();
    let sinks = sinks(&store);
    eventually(|| async {
        let logs = sinks.status(NAME).await.unwrap().logs;
        logs.iter().any(|log| log.lag_events == 0 && log.delivered.get() == 65)
    })
    .await;
    running.end().await;
    assert_eq!(receiver.taken()[&Log::Platform], [4, 14, 24, 34, 44, 54]);
}

#[tokio::test]
async fn a_sink_can_begin_now_and_with_some_logs_only() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    let (followed, other) = (new_log(), new_log());
    for log in [followed, other] {
        append(&*store, log, 5).await;
    }
    let options = options().with_logs([followed]).with_start(Start::Now);
    let running = Running::start(&store, options, receiver.sink());
    let sinks = sinks(&store);
    eventually(|| async { sinks.status(NAME).await.is_ok() }).await;
    for log in [followed, other] {
        append(&*store, log, 2).await;
    }
    receiver.wait_for(&[followed], 7).await;
    running.end().await;
    let taken = receiver.taken();
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), [(followed, vec![6, 7])]);
}

#[tokio::test]
async fn an_erasure_is_delivered_as_a_notice() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    append(&*store, Log::Platform, 2).await;
    let by = AuditContext::new(Actor::user("officer"));
    store.erase(Log::Platform, Erasure::matching(Filter::new().actor_id("u_7")), by).await.unwrap();
    let running = Running::start(&store, options(), receiver.sink());
    receiver.wait_for(&[Log::Platform], 3).await;
    running.end().await;
    let body = receiver.requests()[0].body["data"]["events"].clone();
    assert_eq!(body[2]["action"], "log.erased");
    assert!(!body.to_string().contains("Ana"), "what was erased before is not delivered");
}

#[tokio::test]
async fn what_retention_removed_before_it_was_delivered_is_counted() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    append(&*store, Log::Platform, 10).await;
    let running = Running::start(&store, options(), receiver.sink());
    receiver.wait_for(&[Log::Platform], 10).await;
    running.end().await;
    append(&*store, Log::Platform, 600).await;
    let by = || AuditContext::new(Actor::user("officer"));
    let retention = Retention::default().max_events(100);
    store.set_retention(Log::Platform, retention, by()).await.unwrap();
    let pruned = store.prune(Log::Platform, by().into()).await.unwrap().floor.get();
    assert!(pruned > 10);
    let size = store.head(Log::Platform).await.unwrap().size.get();
    let running = Running::start(&store, options(), receiver.sink());
    receiver.wait_for(&[Log::Platform], size).await;
    running.end().await;
    let expected: Vec<_> = (1..=10).chain(pruned + 1..=size).collect();
    assert_eq!(receiver.taken()[&Log::Platform], expected);
    let status = sinks(&store).status(NAME).await.unwrap();
    assert_eq!(status.logs[0].missed, pruned - 10);
}

#[tokio::test]
async fn a_name_that_stands_for_a_private_address_is_not_connected_to() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    append(&*store, Log::Platform, 1).await;
    let url = format!("http://localhost:{}/events", receiver.address.port());
    let sink = WebhookSink::new(&url, &EndpointOptions::default().with_plain_text()).unwrap();
    let running = Running::start(&store, options(), Arc::new(sink));
    let sinks = sinks(&store);
    eventually(|| async {
        let status = sinks.status(NAME).await;
        status.is_ok_and(|status| status.error.is_some_and(|e| e.contains("not a public address")))
    })
    .await;
    running.end().await;
    assert!(receiver.requests().is_empty());
}
