//! The builds of indexes that are asked for. A task of the store takes them.

use std::sync::atomic::{AtomicU64, Ordering};

use audit_core::Log;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// Asks for builds.
#[derive(Debug)]
pub(crate) struct Builds(UnboundedSender<Build>);

/// A build of the index of a log.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) log: Log,
    /// Whoever waits for the end of the build, whatever comes of it.
    pub(crate) waiting: Option<oneshot::Sender<()>>,
}

impl Builds {
    pub(crate) fn new() -> (Self, UnboundedReceiver<Build>) {
        let (asked, builds) = unbounded_channel();
        (Self(asked), builds)
    }

    /// Asks for the index of a log to be built. If it is being built, nothing more is done: a later append
    /// asks again.
    pub(crate) fn ask(&self, log: Log) {
        // Without the task the store is being closed.
        let _ = self.0.send(Build { log, waiting: None });
    }

    /// Has the index of a log built, whoever else does it, and waits until that has ended.
    pub(crate) async fn wait(&self, log: Log) {
        let (built, waiting) = oneshot::channel();
        if self.0.send(Build { log, waiting: Some(built) }).is_ok() {
            // The append goes on in any case, if need be with a longer tail.
            let _ = waiting.await;
        }
    }
}

/// The number of rows of indexes that the builds of this process have deleted, until they are removed.
#[derive(Debug, Default)]
pub(crate) struct DeadRows(AtomicU64);

impl DeadRows {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes all of them, to remove them. Returns `false` if they are no longer `count`.
    pub(crate) fn take(&self, count: u64) -> bool {
        self.0.compare_exchange(count, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
