//! A store whose rows were edited without the library.

use std::collections::HashMap;

use async_trait::async_trait;
use audit_core::backend::delegate;
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    Actor, AuditContext, AuditStore, EntriesRequest, Head, Log, NewEvent, Result, Sequence,
};
use audit_memory::MemoryStore;
use futures_executor::block_on;

/// The rows of a log.
pub(crate) type Rows = Vec<LogEntry>;

/// Answers as the store below does, but for what is set here. It is of one log.
#[derive(Clone, Debug)]
pub(crate) struct Liar {
    pub(crate) store: MemoryStore,
    pub(crate) rows: Option<Rows>,
    pub(crate) nodes: HashMap<NodeId, Option<NodeHash>>,
    pub(crate) frontier: Option<Frontier>,
    pub(crate) head: Option<Head>,
    /// The name of every organization, which no event declares.
    pub(crate) name: Option<String>,
}

pub(crate) const LOG: Log = Log::Platform;

pub(crate) fn by() -> AuditContext {
    AuditContext::new(Actor::user("u_1"))
}

pub(crate) fn paid(number: u64) -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"))
        .target("invoice", format!("inv_{number}"))
        .message("Ana paid")
}

/// A store with a log of `events` events.
pub(crate) fn store(events: u64) -> MemoryStore {
    let store = MemoryStore::new().unwrap();
    append(&store, events);
    store
}

pub(crate) fn append(store: &MemoryStore, events: u64) {
    let events: Vec<_> = (1..=events).map(paid).collect();
    block_on(store.append(LOG, events)).unwrap();
}

impl Liar {
    /// The truth so far.
    pub(crate) fn new(store: &MemoryStore) -> Self {
        let (rows, nodes) = (None, HashMap::new());
        Self { store: store.clone(), rows, nodes, frontier: None, head: None, name: None }
    }

    /// With rows that `edit` has changed.
    pub(crate) fn edited(store: &MemoryStore, edit: impl FnOnce(&mut Rows)) -> Self {
        let mut rows = block_on(
            store.entries(LOG, EntriesRequest::default().after(Sequence::ZERO).limit(usize::MAX)),
        )
        .unwrap();
        edit(&mut rows);
        Self { rows: Some(rows), ..Self::new(store) }
    }
}

#[async_trait]
impl AuditStore for Liar {
    delegate!(store: token_keys, append, get, logs, scan, wait_for_append);

    async fn head(&self, log: Log) -> Result<Head> {
        let head = self.store.head(log).await?;
        Ok(self.head.unwrap_or(head))
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        let frontier = self.store.frontier(log).await?;
        Ok(self.frontier.clone().unwrap_or(frontier))
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        let truth = self.store.nodes(log, nodes.clone()).await?;
        let lie = |(name, truth)| self.nodes.get(name).copied().unwrap_or(truth);
        Ok(nodes.iter().zip(truth).map(lie).collect())
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Rows> {
        let Some(rows) = &self.rows else {
            return self.store.entries(log, request).await;
        };
        let after = rows.iter().filter(|entry| entry.sequence > request.after);
        Ok(after.take(request.limit).cloned().collect())
    }
}
