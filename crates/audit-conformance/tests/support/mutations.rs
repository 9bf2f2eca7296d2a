//! A good store, broken in one way.

mod api_keys;
mod client;
mod mutation;
mod rare;
mod reads;
mod removals;
mod trees;
mod writes;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use audit_core::{
    Actor, ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditEvent, AuditStore, EntriesRequest,
    Error, EventId, EventQuery, Head, Log, NewApiKey, NewEvent, NewOrganization, Organization,
    OrganizationId, OrganizationUpdate, Pruned, Pruning, Receipt, Result, Retention,
    RetentionStore, Scan, ScanResult, Sequence, TenantStore, Token, TokenKeys, Violation,
    tree::NodeId,
    tree::{Frontier, LogEntry, NodeHash},
};

use futures_executor::block_on;
use futures_util::future::BoxFuture;
use serde_json::Value;

pub(crate) use mutation::{Mutation, Seen};
pub(crate) use rare::with_values;

use super::list_store::ListStore;

/// Opens a [`ListStore`] that has a [`Mutation`].
pub(crate) struct MutatedHarness {
    mutation: Mutation,
    store: ListStore,
    notes: Arc<Notes>,
}

/// The memory of a broken store, shared by its handles.
#[derive(Debug, Default)]
struct Notes {
    opened: AtomicUsize,
    updates: AtomicUsize,
    deletions: AtomicUsize,
    /// How often something was looked at that was to be changed then.
    looks: AtomicUsize,
    /// How often the size of a log was read.
    reads: AtomicUsize,
    /// The log that was used first, and how often.
    calls: Mutex<Option<(Log, usize)>>,
    /// A value that no event may contain.
    credential: Mutex<Value>,
    logs: Mutex<Vec<Log>>,
    ids: Mutex<HashMap<EventId, Log>>,
    tokens: Mutex<HashMap<Token, EventQuery>>,
    /// The tokens of previous pages.
    previous: Mutex<HashSet<Token>>,
    erasures: AtomicUsize,
    /// The nodes of trees as they were read first.
    nodes: Mutex<HashMap<(Log, NodeId), NodeHash>>,
    retention: Mutex<Retention>,
    /// Erased events as they were, and pruned ones.
    gone: Mutex<Vec<AuditEvent>>,
}

#[derive(Debug)]
struct Mutated {
    inner: ListStore,
    mutation: Mutation,
    keys: TokenKeys,
    notes: Arc<Notes>,
    /// The API keys that this handle has read.
    seen: Mutex<HashMap<ApiKeyId, ApiKey>>,
    /// The logs that this handle has listed first.
    logs: Mutex<Option<Vec<Log>>>,
    /// The frontiers that this handle has read.
    frontiers: Mutex<HashMap<Log, Frontier>>,
}

impl MutatedHarness {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self { mutation, store: ListStore::new().unwrap(), notes: Arc::default() }
    }

    fn open_mutated(&self) -> Mutated {
        let is_first = self.notes.opened.fetch_add(1, Ordering::Relaxed) == 0;
        // The harness's notes are nobody else's when no handle is open.
        if matches!(self.mutation, Mutation::ForgetsKeys) && Arc::strong_count(&self.notes) == 1 {
            self.store.state().api_keys.clear();
        }
        let (mut inner, mut keys) = (self.store.clone(), self.store.token_keys().clone());
        match self.mutation {
            Mutation::ForgetsOnReopen if !is_first => inner = ListStore::new().unwrap(),
            Mutation::KeysChangeOnReopen if !is_first => {
                keys = ListStore::new().unwrap().token_keys().clone();
            }
            _ => {}
        }
        let notes = Arc::clone(&self.notes);
        Mutated {
            inner,
            mutation: self.mutation,
            keys,
            notes,
            seen: Mutex::default(),
            logs: Mutex::default(),
            frontiers: Mutex::default(),
        }
    }
}

impl Mutated {
    /// Another log that holds something.
    fn other_log(&self, log: Log) -> Option<Log> {
        self.notes.logs.lock().unwrap().iter().copied().find(|other| *other != log)
    }

    /// Records in the platform's log a change that did not happen.
    async fn record_more<T>(&self, changed: Result<T>, happened: impl Fn(&T) -> bool) -> Result<T> {
        if matches!(self.mutation, Mutation::RecordsFailuresInThePlatformLog)
            && !changed.as_ref().is_ok_and(happened)
        {
            let event = NewEvent::new("organization.updated", Actor::system());
            self.inner.append(Log::Platform, vec![event]).await?;
        }
        changed
    }

    fn forget_field<T>(&self, result: Result<T>) -> Result<T> {
        match self.mutation {
            Mutation::ErrorsForgetTheField => result.map_err(|error| Error::new(error.kind())),
            Mutation::ErrorsForgetTheRule => result.map_err(without_rule),
            _ => result,
        }
    }
}

/// Returns the error with the field, but with another rule.
fn without_rule(error: Error) -> Error {
    match error.field() {
        Some(field) if error.violation().is_some() => {
            Error::invalid(field.to_owned(), Violation::Missing)
        }
        _ => error,
    }
}

#[async_trait]
impl AuditStore for Mutated {
    fn token_keys(&self) -> &TokenKeys {
        &self.keys
    }

    // Written out, because one mutation appends before the future is polled.
    fn append<'life0, 'async_trait>(
        &'life0 self,
        log: Log,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'async_trait, Result<Vec<Receipt>>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        if matches!(self.mutation, Mutation::AppendsUnasked) {
            return Box::pin(std::future::ready(block_on(self.inner.append(log, events))));
        }
        Box::pin(async move { self.forget_field(self.mutated_append(log, events).await) })
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        self.mutated_get(log, id).await
    }

    async fn head(&self, log: Log) -> Result<Head> {
        let mut head = self.inner.head(log).await?;
        self.notes.reads.fetch_add(1, Ordering::Relaxed);
        match self.mutation {
            Mutation::HeadOffByOne => head.size = head.size.next(),
            Mutation::ReadsMakeLogs => drop(self.inner.state().logs.entry(log).or_default()),
            _ => {}
        }
        Ok(head)
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        self.forget_field(self.mutated_logs(after, limit).await)
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        self.mutated_scan(scan).await
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        match self.mutation {
            Mutation::NeverWakes => std::future::pending().await,
            Mutation::WakesAtOnce => self.inner.head(log).await,
            Mutation::MissesAppends => self.wait_late(log, sequence).await,
            Mutation::WaitsReturnOldHeads => self.wait_with_old_time(log, sequence).await,
            _ => self.inner.wait_for_append(log, sequence).await,
        }
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        self.mutated_frontier(log).await
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        self.mutated_nodes(log, nodes).await
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        self.mutated_entries(log, request).await
    }
}

#[async_trait]
impl RetentionStore for Mutated {
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64> {
        self.forget_field(self.mutated_erase(log, sequences, by).await)
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        self.mutated_retention(log).await
    }

    async fn set_retention(&self, log: Log, retention: Retention, by: AuditContext) -> Result<()> {
        self.forget_field(self.mutated_set_retention(log, retention, by).await)
    }

    async fn prune(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        self.mutated_prune(log, pruning).await
    }
}

#[async_trait]
impl TenantStore for Mutated {
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        let created = self.record_more(self.mutated_create(new, by).await, |_| true).await;
        self.forget_field(created)
    }

    async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        let mut organization = self.inner.organization(id).await?;
        if let Mutation::AltersOrganizations = self.mutation {
            organization.name.push('!');
        }
        Ok(organization)
    }

    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        self.mutated_list(after, limit).await
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        let before = self.inner.organization(id).await;
        let updated = self.mutated_update(id, update, by).await;
        let changed = |after: &Organization| before.as_ref().is_ok_and(|before| before != after);
        self.forget_field(self.record_more(updated, changed).await)
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        let deleted = self.record_more(self.mutated_delete(id, by).await, |()| true).await;
        self.forget_field(deleted)
    }

    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        let created = self.record_more(self.mutated_create_key(new, by).await, |_| true).await;
        self.spoil_error(created)
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.spoil_error(self.mutated_key(id).await)
    }

    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        self.spoil_error(self.mutated_keys(organization, after, limit).await)
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let before = self.inner.api_key(id).await;
        let revoked = self.mutated_revoke(id, by).await;
        let changed = |after: &ApiKey| before.as_ref().is_ok_and(|before| before != after);
        self.spoil_error(self.record_more(revoked, changed).await)
    }

    async fn forget_api_key_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.mutated_forget(id, by).await
    }
}
