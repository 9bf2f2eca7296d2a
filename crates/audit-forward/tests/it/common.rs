//! Stores, options and forwarders of tests.

use std::sync::Arc;
use std::time::Duration;

use audit_core::{Actor, AuditStore, FollowerStore, Log, NewEvent, OrganizationId, Result};
use audit_forward::{Forwarder, Sink, SinkOptions, Sinks};
use audit_memory::MemoryStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const NAME: &str = "siem";

pub(crate) fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new().unwrap())
}

pub(crate) fn new_log() -> Log {
    OrganizationId::new().into()
}

/// Returns options with pauses that a test can wait for.
pub(crate) fn options() -> SinkOptions {
    SinkOptions::new(NAME)
        .unwrap()
        .with_pauses(Duration::from_millis(1), Duration::from_millis(20))
        .with_beat(Duration::from_millis(200))
}

pub(crate) async fn append(store: &dyn AuditStore, log: Log, count: usize) {
    let event = |_| NewEvent::new("item.updated", Actor::user("u_7").name("Ana"));
    store.append(log, (0..count).map(event).collect()).await.unwrap();
}

/// A forwarder that runs.
pub(crate) struct Running {
    end: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl Running {
    pub(crate) fn start(
        store: &Arc<impl FollowerStore>,
        options: SinkOptions,
        sink: Arc<dyn Sink>,
    ) -> Self {
        let store: Arc<dyn FollowerStore> = store.clone();
        let forwarder = Forwarder::new(store).sink(options, sink).unwrap();
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(forwarder.run(async { drop(ended.await) }));
        Self { end, task }
    }

    /// Ends it in good order.
    pub(crate) async fn end(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// Ends it at once, as a crash does.
    pub(crate) async fn abort(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(crate) fn sinks(store: &Arc<impl FollowerStore>) -> Sinks {
    Sinks::of(store.clone())
}

/// Waits until something is so.
pub(crate) async fn eventually<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(120), wait).await;
    assert!(waited.is_ok(), "it never was so");
}
