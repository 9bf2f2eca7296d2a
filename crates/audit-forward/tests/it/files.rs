//! Events in files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use audit_core::{AuditEvent, Log};
use audit_forward::FileSink;

use crate::common::{NAME, Running, append, eventually, options, sinks, store};

fn numbers(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let event = |line| serde_json::from_str::<AuditEvent>(line).unwrap();
    text.lines().map(|line| event(line).sequence.get()).collect()
}

async fn deliver_all(store: &Arc<audit_memory::MemoryStore>, sink: FileSink) {
    let options = options().with_batch_events(4).unwrap();
    let running = Running::start(store, options, Arc::new(sink));
    let sinks = sinks(store);
    eventually(|| async {
        let status = sinks.status(NAME).await;
        status.is_ok_and(|s| !s.logs.is_empty() && s.logs.iter().all(|log| log.lag_events == 0))
    })
    .await;
    running.end().await;
}

#[tokio::test]
async fn a_line_that_was_cut_is_removed_and_its_event_delivered_again() {
    let directory = tempfile::tempdir().unwrap();
    let (store, path) = (store(), directory.path().join("events.jsonl"));
    append(&*store, Log::Platform, 10).await;
    deliver_all(&store, FileSink::open(&path).unwrap()).await;
    assert_eq!(numbers(&path), (1..=10).collect::<Vec<_>>());
    let whole = fs::read(&path).unwrap();
    let half = [&whole[..], &whole[..whole.len() / 20]].concat();
    fs::write(&path, half).unwrap();
    append(&*store, Log::Platform, 1).await;
    deliver_all(&store, FileSink::open(&path).unwrap()).await;
    assert_eq!(numbers(&path), (1..=11).collect::<Vec<_>>());
    for garbage in [&b"no line"[..], b""] {
        fs::write(&path, garbage).unwrap();
        FileSink::open(&path).unwrap();
        assert!(fs::read(&path).unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_long_file_is_rotated_and_the_oldest_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let (store, path) = (store(), directory.path().join("events.jsonl"));
    append(&*store, Log::Platform, 20).await;
    // Each batch of four is longer than this.
    deliver_all(&store, FileSink::open(&path).unwrap().with_rotation(500, 2)).await;
    assert_eq!(numbers(&path), [17, 18, 19, 20]);
    assert_eq!(numbers(&path.with_extension("jsonl.1")), [13, 14, 15, 16]);
    assert_eq!(numbers(&path.with_extension("jsonl.2")), [9, 10, 11, 12]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("below");
    fs::create_dir(&below).unwrap();
    let (store, path) = (store(), below.join("events.jsonl"));
    let sink = FileSink::open(&path).unwrap().with_rotation(1, 1);
    append(&*store, Log::Platform, 4).await;
    deliver_all(&store, sink.clone()).await;
    // The next batch needs a rotation, which fails.
    fs::remove_dir_all(&below).unwrap();
    append(&*store, Log::Platform, 3).await;
    let running = Running::start(&store, options(), Arc::new(sink));
    let sinks = sinks(&store);
    eventually(|| async { sinks.status(NAME).await.unwrap().error.is_some() }).await;
    fs::create_dir(&below).unwrap();
    fs::write(&path, "").unwrap();
    eventually(|| async { sinks.status(NAME).await.unwrap().logs[0].lag_events == 0 }).await;
    running.end().await;
    assert_eq!(numbers(&path), [5, 6, 7]);
}
