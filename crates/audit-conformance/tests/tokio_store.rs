//! The cases of `AuditStore` on a store that panics outside a runtime, and that is nothing else: it
//! has no retention and no tenants.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use audit_conformance::Harness;
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    AuditEvent, AuditStore, EntriesRequest, EventId, Head, Log, NewEvent, Receipt, Result, Scan,
    ScanResult, Sequence, TokenKeys,
};
use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, Runtime};

use list_store::ListStore;

#[path = "../../audit-core/examples/list_store.rs"]
#[allow(dead_code)] // this test uses a part of it
mod list_store;

audit_conformance::suite!(store: OnTokio::new);

#[test]
#[should_panic(expected = "no reactor running")]
fn it_panics_outside_a_runtime() {
    let store = TokioStore(ListStore::new().expect("the store opens"));
    let _ = futures_executor::block_on(store.head(Log::Platform));
}

/// Its threads run the tasks that the store spawns.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("tokio starts"));

struct OnTokio(ListStore);

impl OnTokio {
    fn new() -> Self {
        Self(ListStore::new().expect("the store opens"))
    }
}

impl Harness for OnTokio {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(TokioStore(self.0.clone()))
    }

    fn block_on(&self, future: BoxFuture<'_, ()>) {
        RUNTIME.block_on(future);
    }
}

#[derive(Debug)]
struct TokioStore(ListStore);

impl TokioStore {
    /// Returns the store.
    ///
    /// # Panics
    /// Outside a runtime.
    fn inner(&self) -> &ListStore {
        let _ = Handle::current();
        &self.0
    }
}

#[async_trait]
impl AuditStore for TokioStore {
    fn token_keys(&self) -> &TokenKeys {
        self.0.token_keys()
    }

    /// Appends in a task of its own, which its caller cannot cancel.
    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        let store = self.0.clone();
        let append = tokio::spawn(async move { store.append(log, events).await });
        append.await.expect("an append does not panic")
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        self.inner().get(log, id).await
    }

    async fn head(&self, log: Log) -> Result<Head> {
        self.inner().head(log).await
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        self.inner().logs(after, limit).await
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        self.inner().scan(scan).await
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        self.inner().wait_for_append(log, sequence).await
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        self.inner().frontier(log).await
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        self.inner().nodes(log, nodes).await
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        self.inner().entries(log, request).await
    }
}
