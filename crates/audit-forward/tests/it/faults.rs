//! A receiver that fails in every way: nothing is lost, nothing comes out of order, and only what was not
//! acknowledged is repeated.

use std::collections::HashMap;

use audit_core::Log;

use crate::common::{NAME, Running, append, eventually, new_log, options, sinks, store};
use crate::receiver::{Answer, Receiver, Request};

/// Checks that the batches of each log follow one another, but for those that were not acknowledged.
fn check(requests: &[Request], acknowledged: impl Fn(usize) -> bool, last: u64) {
    let mut next = HashMap::<Log, u64>::new();
    for (at, request) in requests.iter().enumerate() {
        let next = next.entry(request.log).or_insert(1);
        assert_eq!(request.sequences.first(), Some(&*next), "request {at}");
        let end = *next + request.sequences.len() as u64;
        assert!(request.sequences.iter().copied().eq(*next..end), "request {at}");
        if acknowledged(at) {
            *next = end;
        }
    }
    assert!(next.values().all(|next| *next == last + 1), "{next:?}");
}

fn status(status: u16, headers: &str) -> Answer {
    Answer::Status(status, headers.to_owned())
}

#[tokio::test]
async fn nothing_is_lost_or_out_of_order_whatever_the_receiver_does() {
    let faults = |at: usize| match at % 16 {
        0 => status(500, ""),
        2 => status(429, "retry-after: 0\r\n"),
        3 => Answer::Hang,
        5 => Answer::Cut,
        7 => Answer::AcceptAndCut,
        8 => status(302, "location: http://127.0.0.1:1/\r\n"),
        10 => Answer::AcceptAndFail,
        11 => status(503, "retry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n"),
        13 => status(404, ""),
        _ => Answer::Accept,
    };
    let (store, receiver) = (store(), Receiver::start(move |_, at| faults(at)).await);
    let logs = [Log::Platform, new_log(), new_log()];
    for log in logs {
        append(&*store, log, 60).await;
    }
    let options = options().with_batch_events(7).unwrap().with_attempts(u32::MAX);
    let running = Running::start(&store, options, receiver.sink());
    receiver.wait_for(&logs, 60).await;
    let sinks = sinks(&store);
    eventually(|| async {
        let status = sinks.status(NAME).await.unwrap();
        status.logs.len() == 3 && status.logs.iter().all(|log| log.lag_events == 0)
    })
    .await;
    running.end().await;
    let acknowledged = |at| matches!(faults(at), Answer::Accept);
    check(&receiver.requests(), acknowledged, 60);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Receiver::start(|_, _| Answer::Accept).await;
    let to = format!("location: {}\r\n", other.url());
    let decide = move |_: &Request, at| match at {
        0..4 => status([301, 302, 307, 308][at], &to),
        _ => Answer::Accept,
    };
    let (store, receiver) = (store(), Receiver::start(decide).await);
    append(&*store, Log::Platform, 1).await;
    let running = Running::start(&store, options(), receiver.sink());
    receiver.wait_for(&[Log::Platform], 1).await;
    running.end().await;
    assert_eq!(receiver.requests().len(), 5);
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_pause_that_the_receiver_asks_for_holds_for_all_logs() {
    let decide = |_: &Request, at| match at {
        0 => status(429, "retry-after: 3600\r\n"),
        _ => Answer::Accept,
    };
    let (store, receiver) = (store(), Receiver::start(decide).await);
    append(&*store, Log::Platform, 1).await;
    let running = Running::start(&store, options().with_parallel(1), receiver.sink());
    receiver.wait_until(|requests| requests.len() == 1).await;
    append(&*store, new_log(), 1).await;
    let sinks = sinks(&store);
    let is_away = || async {
        let status = sinks.status(NAME).await.unwrap();
        status.unavailable_since.is_some()
    };
    eventually(is_away).await;
    running.end().await; // which does not wait for the pause
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_process_that_dies_repeats_one_batch_of_a_log_at_most() {
    let (store, receiver) = (store(), Receiver::start(|_, _| Answer::Accept).await);
    append(&*store, Log::Platform, 400).await;
    let options = options().with_batch_events(3).unwrap();
    for round in 1..=8 {
        let running = Running::start(&store, options.clone(), receiver.sink());
        receiver.wait_until(|requests| requests.len() >= round * 5).await;
        running.abort().await;
    }
    let running = Running::start(&store, options, receiver.sink());
    receiver.wait_for(&[Log::Platform], 400).await;
    running.end().await;
    let (mut first, mut next) = (1, 1);
    for request in receiver.requests() {
        let begin = request.sequences[0];
        assert!(begin == next || begin == first, "{begin} after {first} to {next}");
        (first, next) = (begin, begin + request.sequences.len() as u64);
    }
    assert_eq!(next, 401);
}
