//! Events that a sink refuses for good.

use audit_core::{Log, Sequence};

use crate::common::{NAME, Running, append, eventually, new_log, options, sinks, store};
use crate::receiver::{Answer, Receiver, Request};

fn refuse(poison: &'static [u64]) -> impl Fn(&Request, usize) -> Answer {
    |request, _| {
        let is_bad = request.sequences.iter().any(|sequence| poison.contains(sequence));
        if is_bad { Answer::Status(422, String::new()) } else { Answer::Accept }
    }
}

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

#[tokio::test]
async fn events_that_are_refused_while_later_ones_are_taken_are_set_aside_and_can_be_tried_again() {
    let (store, receiver) = (store(), Receiver::start(refuse(&[4, 5, 17])).await);
    append(&*store, Log::Platform, 20).await;
    let running = Running::start(&store, options().with_attempts(3), receiver.sink());
    receiver.wait_for(&[Log::Platform], 20).await;
    let expected: Vec<_> = (1..=20).filter(|n| ![4, 5, 17].contains(n)).collect();
    assert_eq!(receiver.taken()[&Log::Platform], expected, "in order, each once");
    let tries = |n| receiver.requests().iter().filter(|r| r.sequences == [n]).count();
    assert!(tries(4) >= 3 && tries(17) >= 3);
    let sinks = sinks(&store);
    let dead = sinks.dead(NAME).await.unwrap();
    let numbers: Vec<_> = dead.iter().map(|(_, dead)| dead.sequence.get()).collect();
    assert_eq!(numbers, [4, 5, 17]);
    assert!(dead.iter().all(|(_, dead)| dead.attempts >= 3 && dead.error.contains("422")));
    // One is forgotten; one is refused again; then the sink is mended.
    assert_eq!(sinks.drop_dead(NAME, Log::Platform, Some(sequence(5))).await.unwrap(), 1);
    let before = dead[0].1.attempts;
    assert_eq!(sinks.retry_dead(NAME, Log::Platform, Some(sequence(4))).await.unwrap(), 1);
    eventually(|| async {
        let dead = sinks.dead(NAME).await.unwrap();
        dead[0].1.attempts == before + 1 && !dead[0].1.is_due
    })
    .await;
    receiver.decide(|_, _| Answer::Accept);
    assert_eq!(sinks.retry_dead(NAME, Log::Platform, None).await.unwrap(), 2);
    eventually(|| async { sinks.dead(NAME).await.unwrap().is_empty() }).await;
    running.end().await;
    let taken = &receiver.taken()[&Log::Platform];
    assert_eq!(taken[17..], [4, 17]);
}

#[tokio::test]
async fn the_last_event_is_set_aside_if_the_sink_takes_those_of_other_logs() {
    let log = new_log();
    let decide = move |request: &Request, _| match request.log {
        refused if refused == log => Answer::Status(400, String::new()),
        _ => Answer::Accept,
    };
    let (store, receiver) = (store(), Receiver::start(decide).await);
    append(&*store, log, 1).await;
    let running = Running::start(&store, options().with_attempts(2), receiver.sink());
    receiver.wait_until(|requests| requests.len() >= 10).await;
    let sinks = sinks(&store);
    assert!(sinks.dead(NAME).await.unwrap().is_empty(), "the sink may refuse everything");
    append(&*store, Log::Platform, 1).await;
    eventually(|| async { sinks.dead(NAME).await.unwrap().len() == 1 }).await;
    running.end().await;
}

fn unauthorized() -> Answer {
    Answer::Status(401, String::new())
}

#[tokio::test]
async fn a_sink_that_refuses_everything_loses_nothing() {
    let (store, receiver) = (store(), Receiver::start(|_, _| unauthorized()).await);
    let logs = [Log::Platform, new_log()];
    for log in logs {
        append(&*store, log, 30).await;
    }
    let running = Running::start(&store, options().with_attempts(2), receiver.sink());
    receiver.wait_until(|requests| requests.len() >= 60).await;
    let sinks = sinks(&store);
    let found = sinks.status(NAME).await.unwrap();
    assert!(found.logs.iter().all(|log| log.dead == 0 && log.delivered.get() == 0));
    assert!(found.logs[0].error.as_ref().unwrap().contains("401"));
    receiver.decide(|_, _| Answer::Accept);
    receiver.wait_for(&logs, 30).await;
    eventually(|| async { sinks.dead(NAME).await.unwrap().is_empty() }).await;
    running.end().await;
    for log in logs {
        let mut taken = receiver.taken().remove(&log).unwrap();
        // One that the sink refused just before it was mended can come after the next.
        taken.sort_unstable();
        assert_eq!(taken, (1..=30).collect::<Vec<_>>());
    }
    assert!(sinks.dead(NAME).await.unwrap().is_empty());
}
