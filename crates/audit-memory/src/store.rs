//! The store and the traits that it implements.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use audit_core::backend::{Batch, WaitingFeeds};
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditEvent, AuditStore, EntriesRequest, EventId,
    FollowerStore, Head, Log, NewApiKey, NewEvent, NewOrganization, Organization, OrganizationId,
    OrganizationUpdate, Pruned, Pruning, Receipt, Result, Retention, RetentionStore, Scan,
    ScanResult, Sequence, TenantStore, TokenKeys,
};

use crate::followers::Followers;
use crate::log::{Latest, LogState};
use crate::options::MemoryOptions;

/// A store in memory. Clones are handles of the same data, which ends with the last of them.
///
/// Any number of threads may use it at once; appends to different logs do not wait for each other.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) keys: TokenKeys,
    pub(crate) logs: RwLock<HashMap<Log, Arc<RwLock<LogState>>>>,
    /// `None` marks an organization that was deleted: its id is not given again.
    pub(crate) organizations: RwLock<BTreeMap<OrganizationId, Option<Organization>>>,
    pub(crate) api_keys: RwLock<BTreeMap<ApiKeyId, ApiKey>>,
    pub(crate) followers: RwLock<Followers>,
    pub(crate) latest: Latest,
    pub(crate) feeds: WaitingFeeds,
}

impl MemoryStore {
    /// Creates an empty store.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](audit_core::ErrorKind::Unavailable) if the system has no
    /// randomness for the key that signs tokens.
    pub fn new() -> Result<Self> {
        Self::with_options(MemoryOptions::default())
    }

    /// Creates an empty store with these options. Fails as [`MemoryStore::new`] does.
    pub fn with_options(options: MemoryOptions) -> Result<Self> {
        let keys = match options.token_keys {
            Some(keys) => keys,
            None => TokenKeys::from_secret(TokenKeys::generate_secret()?),
        };
        let shared = Shared {
            keys,
            logs: RwLock::default(),
            organizations: RwLock::default(),
            api_keys: RwLock::default(),
            followers: RwLock::default(),
            latest: Latest::default(),
            feeds: WaitingFeeds::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns another store that begins with the data and the token keys of this one, as a backup
    /// does that is opened elsewhere. Use it to test the behavior of a service after a restore.
    #[must_use]
    pub fn fork(&self) -> Self {
        // Tenants first: a change of one appends its events before it is stored.
        let organizations = read(&self.shared.organizations);
        let api_keys = read(&self.shared.api_keys);
        let followers = read(&self.shared.followers);
        let logs = read(&self.shared.logs);
        let latest = Latest::default();
        self.shared.latest.get().into_iter().for_each(|time| latest.raise(time));
        let copied = logs.iter().map(|(log, state)| {
            let state = read(state).clone();
            (*log, Arc::new(RwLock::new(state)))
        });
        let shared = Shared {
            keys: self.shared.keys.clone(),
            logs: RwLock::new(copied.collect()),
            organizations: RwLock::new(organizations.clone()),
            api_keys: RwLock::new(api_keys.clone()),
            followers: RwLock::new(followers.clone()),
            latest,
            feeds: WaitingFeeds::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the state of `log`; `None` while it has no events.
    pub(crate) fn log(&self, log: Log) -> Option<Arc<RwLock<LogState>>> {
        read(&self.shared.logs).get(&log).cloned()
    }

    pub(crate) fn log_or_new(&self, log: Log) -> Arc<RwLock<LogState>> {
        self.log(log)
            .unwrap_or_else(|| Arc::clone(write(&self.shared.logs).entry(log).or_default()))
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    fn token_keys(&self) -> &TokenKeys {
        &self.shared.keys
    }

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        self.append_batch(Batch::new(log, events)?)
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        self.find(log, id)
    }

    async fn head(&self, log: Log) -> Result<Head> {
        Ok(self.head_of(log))
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        self.list_logs(after, limit)
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        self.read_scan(&scan)
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        self.shared.feeds.add(log).wait_for_append(sequence, || self.head(log)).await
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        Ok(self.frontier_of(log))
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        Ok(self.read_nodes(log, &nodes))
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        self.read_entries(log, request)
    }
}

#[async_trait]
impl RetentionStore for MemoryStore {
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64> {
        self.erase_all(log, &sequences, by)
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        Ok(self.retention_of(log))
    }

    async fn set_retention(&self, log: Log, retention: Retention, by: AuditContext) -> Result<()> {
        self.change_retention(log, retention, by)
    }

    async fn prune(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        self.prune_log(log, pruning)
    }
}

#[async_trait]
impl TenantStore for MemoryStore {
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        self.create(new, by)
    }

    async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        self.find_organization(id)
    }

    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        self.list_organizations(after, limit)
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        self.update(id, update, by)
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        self.delete(id, by)
    }

    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        self.create_key(new, by)
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.find_key(id)
    }

    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        self.list_keys(organization, after, limit)
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.revoke_key(id, by)
    }

    async fn forget_api_key_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.forget_holder(id, by)
    }
}

#[async_trait]
impl FollowerStore for MemoryStore {
    async fn follower_state(&self, follower: &str, log: Log) -> Result<Option<String>> {
        read(&self.shared.followers).state(follower, log)
    }

    async fn follower_states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        read(&self.shared.followers).states(follower, after, limit)
    }

    async fn replace_follower_state(
        &self,
        follower: &str,
        log: Log,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<()> {
        write(&self.shared.followers).replace(follower, log, before.as_deref(), after)
    }
}

// Nothing can panic between two writes under a lock, so that the data of a poisoned one is
// complete.

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
