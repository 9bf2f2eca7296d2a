//! The requests that operators can make to a sink.

use std::sync::Arc;

use audit_core::{
    AuditStore as _, AuditStoreExt as _, ErrorKind, EventQuery, Log, Order, Sequence,
};
use audit_forward::{Forwarder, ReplayFrom, SinkOptions, StdoutSink};

use crate::common::{NAME, Running, append, eventually, new_log, options, sinks, store};
use crate::receiver::{Answer, Receiver, Request};

#[tokio::test]
async fn a_sink_is_paused_and_resumed() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    append(&*store, Log::Platform, 1).await;
    let running = Running::start(&store, options(), receiver.sink());
    receiver.wait_for(&[Log::Platform], 1).await;
    let sinks = sinks(&store);
    sinks.pause(NAME).await.unwrap();
    assert!(sinks.status(NAME).await.unwrap().paused);
    running.end().await; // so that the next one surely knows
    append(&*store, Log::Platform, 1).await;
    append(&*store, new_log(), 1).await;
    let running = Running::start(&store, options(), receiver.sink());
    eventually(|| async { sinks.status(NAME).await.unwrap().served_at.is_some() }).await;
    assert_eq!(receiver.requests().len(), 1);
    sinks.resume(NAME).await.unwrap();
    receiver.wait_for(&[Log::Platform], 2).await;
    receiver.wait_until(|requests| requests.len() == 3).await;
    running.end().await;
}

/// Returns how many events of the platform's log were delivered.
fn count(requests: &[Request]) -> usize {
    let of_log = requests.iter().filter(|request| request.log == Log::Platform);
    of_log.map(|request| request.sequences.len()).sum()
}

#[tokio::test]
async fn a_log_is_delivered_again_from_a_sequence_or_a_time() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    let other = new_log();
    append(&*store, other, 1).await;
    for _ in 0..6 {
        append(&*store, Log::Platform, 1).await;
    }
    let running = Running::start(&store, options(), receiver.sink());
    receiver.wait_for(&[Log::Platform], 6).await;
    let sinks = sinks(&store);
    let again = |from| sinks.replay(NAME, Log::Platform, from);
    let first = again(ReplayFrom::Sequence(Sequence::new(4).unwrap())).await.unwrap();
    assert_eq!(first.get(), 4);
    receiver.wait_until(|requests| count(requests) == 9).await;
    let query = EventQuery::new(Log::Platform).order(Order::Sequence);
    let events = store.page(&query).await.unwrap().events;
    // Several may have been recorded at that time.
    let time = events[2].recorded_at;
    let first = events.iter().find(|event| event.recorded_at >= time).unwrap().sequence;
    assert_eq!(again(ReplayFrom::Time(time)).await.unwrap(), first);
    let expected: Vec<_> = (1..=6).chain(4..=6).chain(first.get()..=6).collect();
    receiver.wait_until(|requests| count(requests) == expected.len()).await;
    running.end().await;
    let taken = receiver.taken();
    assert_eq!(taken[&Log::Platform], expected);
    assert_eq!(taken[&other], [1], "another log is not delivered again");
    let beyond = ReplayFrom::Sequence(Sequence::new(9).unwrap());
    assert_eq!(again(beyond).await.unwrap_err().kind(), ErrorKind::Behind);
}

#[tokio::test]
async fn an_unknown_sink_is_not_found() {
    let store = store();
    let sinks = sinks(&store);
    assert!(sinks.names().await.unwrap().is_empty());
    for error in [
        sinks.status(NAME).await.unwrap_err(),
        sinks.pause(NAME).await.unwrap_err(),
        sinks.dead(NAME).await.unwrap_err(),
        sinks.retry_dead(NAME, Log::Platform, None).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("sink")));
    }
    assert_eq!(store.head(Log::Platform).await.unwrap().size.get(), 0);
}

#[tokio::test]
async fn of_two_processes_one_serves_a_sink_and_the_other_takes_over() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    append(&*store, Log::Platform, 1).await;
    let first = Running::start(&store, options(), receiver.sink());
    receiver.wait_for(&[Log::Platform], 1).await;
    let second = Running::start(&store, options(), receiver.sink());
    for last in 2..=30 {
        append(&*store, Log::Platform, 1).await;
        receiver.wait_for(&[Log::Platform], last).await;
    }
    first.abort().await;
    append(&*store, Log::Platform, 1).await;
    receiver.wait_for(&[Log::Platform], 31).await;
    second.end().await;
    let taken = &receiver.taken()[&Log::Platform];
    let mut once = taken.clone();
    once.dedup();
    assert_eq!(once, (1..=31).collect::<Vec<_>>());
    assert!(taken.len() <= 32, "the one in delivery can be repeated: {taken:?}");
}

#[test]
fn options_and_names_are_checked() {
    for name in ["", "Siem", "a b", "a/b", "é", &"n".repeat(65)] {
        assert_eq!(SinkOptions::new(name).unwrap_err().field(), Some("name"));
    }
    for events in [0, 1_001] {
        assert_eq!(options().with_batch_events(events).unwrap_err().field(), Some("batch"));
    }
    let forwarder = Forwarder::new(store());
    let forwarder = forwarder.sink(options(), Arc::new(StdoutSink::new())).unwrap();
    let error = forwarder.sink(options(), Arc::new(StdoutSink::new())).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("name")));
}
