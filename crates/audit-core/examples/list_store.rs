//! A complete store in one file: start here to write your own.
//!
//! Keeps each log as a list, and reads the whole list to answer a scan. It keeps every promise of
//! the three traits except durability and the index; `audit-conformance` runs its cases on it.
//!
//! Core makes the decisions and a store keeps the result. `Batch` checks, encodes, numbers and
//! hashes events, `Retention` computes what to prune, and `Organization` and `ApiKey` return the
//! event of each change. A store does two things: it writes what they return in one transaction,
//! here under one lock, and it reads it back.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use audit_core::backend::{Batch, RecordedTime, StoredEvent};
use audit_core::tree::{self, Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    Actor, ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditEvent, AuditStore, AuditStoreExt,
    EntriesRequest, Erasure, Error, ErrorKind, EventId, EventQuery, Head, LeafHash, Log, NewApiKey,
    NewEvent, NewOrganization, Organization, OrganizationId, OrganizationUpdate, Position, Pruned,
    Pruning, Receipt, Result, Retention, RetentionStore, Scan, ScanResult, Sequence, TenantStore,
    Timestamp, TokenKeys, Total, limits,
};

fn main() -> Result<()> {
    let store = ListStore::new()?;
    futures_executor::block_on(async {
        store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
        let page = store.page(&EventQuery::new(Log::Platform)).await?;
        assert_eq!(page.events[0].action.as_str(), "user.login");
        Ok(())
    })
}

/// A store in memory. A clone is another handle of the same store.
#[derive(Clone, Debug)]
pub(crate) struct ListStore {
    keys: TokenKeys,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) logs: BTreeMap<Log, LogState>,
    /// `None` for a deleted organization, whose id is not used again.
    pub(crate) organizations: BTreeMap<OrganizationId, Option<Organization>>,
    pub(crate) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    waiting: Vec<Waker>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LogState {
    pub(crate) head: Head,
    /// The events that are not pruned, stored and decoded.
    pub(crate) events: Vec<(StoredEvent, AuditEvent)>,
    /// The leaves of all events, including pruned ones.
    pub(crate) leaves: Vec<LeafHash>,
    pub(crate) frontier: Frontier,
    pub(crate) retention: Retention,
}

impl ListStore {
    pub(crate) fn new() -> Result<Self> {
        let keys = TokenKeys::from_secret(TokenKeys::generate_secret()?);
        Ok(Self { keys, state: Arc::default() })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogState {
    fn events(&self) -> impl Iterator<Item = &AuditEvent> {
        self.events.iter().map(|(_, event)| event)
    }

    fn append(&mut self, batch: Batch, latest: Option<Timestamp>) -> Result<Vec<Receipt>> {
        let find = |id| {
            let found = self.events.iter().find(|(_, event)| event.id == id);
            Ok(found.map(|(stored, _)| stored.clone()))
        };
        let time = RecordedTime::after(self.head, Timestamp::now(), || Ok(latest))?;
        let batch = batch.sequence(self.head, self.frontier.clone(), time, find)?;
        for new in batch.new {
            let event = new.stored.decode()?;
            self.events.push((new.stored, event));
            self.leaves.push(new.leaf);
        }
        (self.head, self.frontier) = (batch.head, batch.frontier);
        Ok(batch.receipts)
    }

    fn node(&self, id: NodeId) -> Option<NodeHash> {
        let width = 1_usize.checked_shl(id.level.into())?;
        let first = width.checked_mul(usize::try_from(id.index).ok()?)?;
        tree::subtree_root(self.leaves.get(first..first.checked_add(width)?)?)
    }

    /// Erases the personal data of events, and returns how many had some.
    pub(crate) fn erase(&mut self, sequences: &[Sequence]) -> Result<u64> {
        let mut erased = 0;
        for (stored, event) in &mut self.events {
            if sequences.contains(&event.sequence) && stored.personal.is_some() {
                stored.erase()?;
                *event = stored.decode()?;
                erased += 1;
            }
        }
        Ok(erased)
    }

    /// Removes the events up to `floor`.
    pub(crate) fn prune(&mut self, floor: Sequence) {
        self.events.retain(|(_, event)| event.sequence > floor);
        self.head.pruned = floor;
    }
}

impl State {
    pub(crate) fn append(&mut self, batch: Batch) -> Result<Vec<Receipt>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let latest = self.logs.values().map(|log| log.head.recorded_at).max();
        let receipts = self.logs.entry(batch.log()).or_default().append(batch, latest)?;
        self.wake();
        Ok(receipts)
    }

    /// Wakes the callers that wait for an append.
    pub(crate) fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    /// Appends the event of a change to the log of the organization and to the platform's.
    fn append_both(&mut self, batches: [Batch; 2]) -> Result<()> {
        batches.into_iter().try_for_each(|batch| self.append(batch).map(drop))
    }

    /// Writes a key and the event of its change.
    pub(crate) fn put_api_key(&mut self, key: &ApiKey, event: NewEvent) -> Result<()> {
        self.append_both(key.batches(event)?)?;
        self.api_keys.insert(key.id, key.clone());
        Ok(())
    }

    fn head(&self, log: Log) -> Head {
        self.logs.get(&log).map(|log| log.head).unwrap_or_default()
    }

    fn retention(&self, log: Log) -> Retention {
        self.logs.get(&log).map(|log| log.retention).unwrap_or_default()
    }

    fn organization(&self, id: OrganizationId) -> Result<Organization> {
        let organization = self.organizations.get(&id).cloned().flatten();
        organization.ok_or_else(|| Error::not_found("organization"))
    }

    fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.api_keys.get(&id).cloned().ok_or_else(|| Error::not_found("apiKey"))
    }
}

#[async_trait]
impl AuditStore for ListStore {
    fn token_keys(&self) -> &TokenKeys {
        &self.keys
    }

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        let batch = Batch::new(log, events)?; // checks and encodes, before the lock
        self.state().append(batch)
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        let state = self.state();
        let found = state.logs.get(&log).and_then(|log| log.events().find(|event| event.id == id));
        found.cloned().ok_or_else(|| Error::not_found("event"))
    }

    async fn head(&self, log: Log) -> Result<Head> {
        Ok(self.state().head(log))
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        limits::logs_page(limit)?;
        let state = self.state();
        let logs = state.logs.keys().filter(|log| Some(**log) > after);
        Ok(logs.take(limit).copied().collect())
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        let state = self.state();
        let bound = scan.bound_within(state.head(scan.log))?;
        let mut events: Vec<_> =
            state.logs.get(&scan.log).into_iter().flat_map(LogState::events).collect();
        events.retain(|event| event.sequence <= bound && scan.filter.matches(event));
        events.sort_by(|a, b| scan.order.compare(&Position::of(a), &Position::of(b)));
        let total = (scan.total == Total::Exact).then_some(events.len() as u64);
        events.retain(|event| {
            scan.after.is_none_or(|after| scan.order.compare(&Position::of(event), &after).is_gt())
        });
        let offset = usize::try_from(scan.offset).unwrap_or(usize::MAX);
        let rest = events.into_iter().skip(offset).take(scan.limit.saturating_add(1));
        let mut events: Vec<_> = rest.cloned().collect();
        let count = scan.fitting(&events);
        let more = events.len() > count;
        events.truncate(count);
        let log = state.logs.get(&scan.log);
        let end = NodeId::identifying(bound).and_then(|node| log?.node(node));
        Ok(ScanResult::new(events, more, bound, end).total(total))
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        poll_fn(|context| {
            let mut state = self.state();
            let head = state.head(log);
            if head.size > sequence {
                return Poll::Ready(Ok(head));
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        Ok(self.state().logs.get(&log).map(|log| log.frontier.clone()).unwrap_or_default())
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        let state = self.state();
        Ok(nodes.into_iter().map(|id| state.logs.get(&log)?.node(id)).collect())
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        let EntriesRequest { after, limit, bytes, .. } = request;
        let state = self.state();
        let Some(log) = state.logs.get(&log) else { return Ok(Vec::new()) };
        let pruned = log.leaves.len() - log.events.len();
        let (mut entries, mut size) = (Vec::new(), 0);
        for ((stored, event), leaf) in log.events.iter().zip(&log.leaves[pruned..]) {
            if entries.len() == limit || (size >= bytes && !entries.is_empty()) {
                break;
            }
            if event.sequence > after {
                size += stored.size();
                entries.push(LogEntry::new(event.sequence, *leaf, stored.clone()));
            }
        }
        Ok(entries)
    }
}

#[async_trait]
impl RetentionStore for ListStore {
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64> {
        limits::erased_events(sequences.len())?;
        let mut state = self.state();
        state.retention(log).permits_removal()?;
        Erasure::event(1, by.clone())?; // fails before anything changes
        let Some(log_state) = state.logs.get_mut(&log) else { return Ok(0) };
        let erased = log_state.erase(&sequences)?;
        if erased > 0 {
            state.append(Batch::reserved(log, Erasure::event(erased, by)?)?)?;
        }
        Ok(erased)
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        Ok(self.state().retention(log))
    }

    async fn set_retention(&self, log: Log, to: Retention, by: AuditContext) -> Result<()> {
        to.validate()?;
        let mut state = self.state();
        let before = state.retention(log);
        if before != to {
            state.append(Batch::reserved(log, to.event(&before, by)?)?)?;
            state.logs.entry(log).or_default().retention = to;
        }
        Ok(())
    }

    async fn prune(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        let mut state = self.state();
        let Some(log_state) = state.logs.get_mut(&log) else {
            return Ok(Pruned::new(Head::default(), Sequence::ZERO));
        };
        let recorded_at = |sequence: Sequence| {
            let found = log_state.events().find(|event| event.sequence == sequence);
            found.map(|event| event.recorded_at).ok_or_else(|| Error::not_found("event"))
        };
        let head = log_state.head;
        let floor = log_state.retention.floor(head, &pruning, Timestamp::now(), recorded_at)?;
        let pruned = Pruned::new(head, floor);
        if pruned.events > 0 {
            let event = pruned.event(pruning.by)?;
            log_state.prune(floor);
            state.append(Batch::reserved(log, event)?)?;
        }
        Ok(pruned)
    }
}

#[async_trait]
impl TenantStore for ListStore {
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        let (organization, event) = Organization::create(new, by)?;
        let mut state = self.state();
        if state.organizations.contains_key(&organization.id) {
            return Err(Error::new(ErrorKind::Conflict).with_field("id"));
        }
        state.append_both(Organization::batches(organization.id, event)?)?;
        state.organizations.insert(organization.id, Some(organization.clone()));
        Ok(organization)
    }

    async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        self.state().organization(id)
    }

    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        limits::organizations_page(limit)?;
        let state = self.state();
        let organizations = state.organizations.values().flatten();
        Ok(organizations.filter(|o| Some(o.id) > after).take(limit).cloned().collect())
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        let mut state = self.state();
        let before = state.organization(id)?;
        let Some((after, event)) = before.update(update, by)? else { return Ok(before) };
        state.append_both(Organization::batches(id, event)?)?;
        state.organizations.insert(id, Some(after.clone()));
        Ok(after)
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        let mut state = self.state();
        let event = state.organization(id)?.delete(by)?;
        state.append_both(Organization::batches(id, event)?)?;
        state.organizations.insert(id, None);
        Ok(())
    }

    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        let (key, secret, event) = ApiKey::create(new, by)?;
        let mut state = self.state();
        state.organization(key.organization_id)?;
        state.put_api_key(&key, event)?;
        Ok((key, secret))
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.state().api_key(id)
    }

    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        limits::api_keys_page(limit)?;
        let state = self.state();
        let keys = state.api_keys.values().filter(|key| key.organization_id == organization);
        Ok(keys.filter(|key| Some(key.id) > after).take(limit).cloned().collect())
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let mut state = self.state();
        let before = state.api_key(id)?;
        let Some((after, event)) = before.revoke(by)? else { return Ok(before) };
        state.put_api_key(&after, event)?;
        Ok(after)
    }

    async fn forget_api_key_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let mut state = self.state();
        let before = state.api_key(id)?;
        let Some((after, event)) = before.forget_holder(by)? else { return Ok(before) };
        state.put_api_key(&after, event)?;
        Ok(after)
    }
}
