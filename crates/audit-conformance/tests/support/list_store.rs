//! A store that keeps every event in a list and looks at each to answer a scan.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use audit_conformance::{Harness, RetentionHarness, TenantHarness};
use audit_core::tree::NodeId;
use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditEvent, AuditStore, EntriesRequest, Erasure,
    Error, ErrorKind, EventId, Head, LeafHash, Log, NewApiKey, NewEvent, NewOrganization,
    Organization, OrganizationId, OrganizationUpdate, Position, Pruned, Receipt, Result, Retention,
    RetentionStore, Scan, ScanResult, Sequence, TenantStore, Timestamp, TokenKeys, Total,
    backend::{Batch, StoredEvent},
    limits, tree,
    tree::{Frontier, LogEntry, NodeHash},
};

/// Holds every promise but speed and durability. Clones are handles of the same state.
#[derive(Clone, Debug)]
pub(crate) struct ListStore {
    keys: TokenKeys,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) logs: BTreeMap<Log, LogState>,
    organizations: BTreeMap<OrganizationId, Option<Organization>>,
    pub(crate) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    waiting: Vec<Waker>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LogState {
    pub(crate) head: Head,
    /// Those that are not pruned, as they are kept and as they are read.
    pub(crate) events: Vec<(StoredEvent, AuditEvent)>,
    /// Of every event, those that are pruned too.
    leaves: Vec<LeafHash>,
    frontier: Frontier,
    pub(crate) retention: Retention,
}

impl ListStore {
    pub(crate) fn new() -> Self {
        let secret = TokenKeys::generate_secret().expect("the system has randomness");
        Self { keys: TokenKeys::from_secret(secret), state: Arc::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no call panics")
    }
}

impl Harness for ListStore {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(self.clone())
    }
}

impl RetentionHarness for ListStore {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        Arc::new(self.clone())
    }
}

impl TenantHarness for ListStore {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        Arc::new(self.clone())
    }
}

impl LogState {
    fn events(&self) -> impl Iterator<Item = &AuditEvent> {
        self.events.iter().map(|(_, event)| event)
    }

    /// The leaves of the events that are not pruned.
    fn leaves_left(&self) -> &[LeafHash] {
        &self.leaves[self.leaves.len() - self.events.len()..]
    }

    fn node(&self, id: NodeId) -> Option<NodeHash> {
        let width = 1_usize.checked_shl(id.level.into())?;
        let first = width.checked_mul(usize::try_from(id.index).ok()?)?;
        tree::subtree_root(self.leaves.get(first..first.checked_add(width)?)?)
    }

    fn append(&mut self, batch: Batch) -> Result<Vec<Receipt>> {
        let find = |id| {
            let found = self.events.iter().find(|(_, event)| event.id == id);
            Ok(found.map(|(stored, _)| stored.clone()))
        };
        let placement = batch.sequence(self.head, self.frontier.clone(), Timestamp::now(), find)?;
        for new in placement.new {
            self.leaves.push(new.leaf);
            let event = new.stored.decode()?;
            self.events.push((new.stored, event));
        }
        (self.head, self.frontier) = (placement.head, placement.frontier);
        Ok(placement.receipts)
    }

    /// Erases what `wanted` selects, and tells nobody.
    pub(crate) fn erase(&mut self, wanted: impl Fn(Sequence) -> bool) -> Result<u64> {
        let mut erased = 0;
        for (stored, event) in &mut self.events {
            if wanted(event.sequence) && stored.personal.is_some() {
                stored.erase()?;
                *event = stored.decode()?;
                erased += 1;
            }
        }
        Ok(erased)
    }

    /// Removes the events up to `floor`, and tells nobody.
    pub(crate) fn remove_up_to(&mut self, floor: Sequence) {
        self.events.retain(|(_, event)| event.sequence > floor);
        self.head.pruned = floor;
    }
}

impl State {
    fn log(&self, log: Log) -> Option<&LogState> {
        self.logs.get(&log)
    }

    fn head(&self, log: Log) -> Head {
        self.log(log).map(|log| log.head).unwrap_or_default()
    }

    pub(crate) fn append(&mut self, batch: Batch) -> Result<Vec<Receipt>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let receipts = self.logs.entry(batch.log()).or_default().append(batch)?;
        self.waiting.drain(..).for_each(Waker::wake);
        Ok(receipts)
    }

    /// Appends the event that tells of a change of a log.
    fn append_one(&mut self, log: Log, event: NewEvent) -> Result<()> {
        self.append(Batch::reserved(log, event)?).map(drop)
    }

    fn tell(&mut self, batches: [Batch; 2]) -> Result<()> {
        batches.into_iter().try_for_each(|batch| self.append(batch).map(drop))
    }

    /// Keeps a key as it is after a change, and tells of the change.
    pub(crate) fn keep_api_key(&mut self, key: &ApiKey, event: NewEvent) -> Result<()> {
        self.tell(key.batches(event)?)?;
        self.api_keys.insert(key.id, key.clone());
        Ok(())
    }

    fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.api_keys.get(&id).cloned().ok_or_else(|| Error::not_found("apiKey"))
    }

    fn organization(&self, id: OrganizationId) -> Result<Organization> {
        let organization = self.organizations.get(&id).cloned().flatten();
        organization.ok_or_else(|| Error::not_found("organization"))
    }
}

#[async_trait]
impl AuditStore for ListStore {
    fn token_keys(&self) -> &TokenKeys {
        &self.keys
    }

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        let batch = Batch::new(log, events)?;
        self.state().append(batch)
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        let state = self.state();
        let found = state.log(log).and_then(|log| log.events().find(|event| event.id == id));
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
            state.log(scan.log).into_iter().flat_map(LogState::events).collect();
        events.retain(|event| event.sequence <= bound && scan.filter.matches(event));
        events.sort_by(|a, b| scan.order.compare(&Position::of(a), &Position::of(b)));
        let total = (scan.total == Total::Exact).then_some(events.len() as u64);
        events.retain(|event| {
            scan.after.is_none_or(|after| scan.order.compare(&Position::of(event), &after).is_gt())
        });
        let offset = usize::try_from(scan.offset).unwrap_or(usize::MAX);
        let rest = &events[offset.min(events.len())..];
        let rest: Vec<_> = rest.iter().copied().cloned().collect();
        let fitting = scan.fitting(&rest);
        let more = rest.len() > fitting;
        Ok(ScanResult { events: rest.into_iter().take(fitting).collect(), more, total, bound })
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
        Ok(self.state().log(log).map(|log| log.frontier.clone()).unwrap_or_default())
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        let state = self.state();
        let node = |id| state.log(log)?.node(id);
        Ok(nodes.into_iter().map(node).collect())
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        let EntriesRequest { after, limit, bytes, .. } = request;
        let state = self.state();
        let Some(log) = state.log(log) else { return Ok(Vec::new()) };
        let behind = log.events.iter().zip(log.leaves_left());
        let mut size = 0;
        let behind = behind.filter(|((_, event), _)| event.sequence > after);
        let fitting = behind.take_while(|((stored, _), _)| {
            let fits = size == 0 || size < bytes;
            size += stored.size();
            fits
        });
        let entry = |((stored, event), leaf): (&(StoredEvent, AuditEvent), &LeafHash)| LogEntry {
            sequence: event.sequence,
            leaf: *leaf,
            event: stored.clone(),
        };
        Ok(fitting.map(entry).take(limit).collect())
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
        let Some(reserved) = state.logs.get_mut(&log) else { return Ok(0) };
        reserved.retention.permits_removal()?;
        Erasure::event(1, by.clone())?; // what can be refused is, before anything changes
        let erased = reserved.erase(|sequence| sequences.contains(&sequence))?;
        if erased > 0 {
            state.append_one(log, Erasure::event(erased, by)?)?;
        }
        Ok(erased)
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        Ok(self.state().log(log).map(|log| log.retention).unwrap_or_default())
    }

    async fn set_retention(&self, log: Log, to: Retention, by: AuditContext) -> Result<()> {
        to.validate()?;
        let mut state = self.state();
        let before = state.log(log).map(|log| log.retention).unwrap_or_default();
        if before != to {
            state.append_one(log, to.event(&before, by)?)?;
            state.logs.entry(log).or_default().retention = to;
        }
        Ok(())
    }

    async fn prune(&self, log: Log, by: AuditContext) -> Result<Pruned> {
        let mut state = self.state();
        let reserved = state.logs.entry(log).or_default();
        let (head, events) = (reserved.head, &reserved.events);
        let recorded_at = |sequence: Sequence| {
            let found = events.iter().find(|(_, event)| event.sequence == sequence);
            found.map(|(_, event)| event.recorded_at).ok_or_else(|| Error::not_found("event"))
        };
        let floor = reserved.retention.floor(head, Timestamp::now(), recorded_at)?;
        let pruned = Pruned::new(head, floor);
        if pruned.events > 0 {
            let told = pruned.event(by)?;
            reserved.remove_up_to(floor);
            state.append_one(log, told)?;
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
        state.tell(Organization::batches(organization.id, event)?)?;
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
        let present = state.organizations.values().flatten();
        Ok(present
            .filter(|o| after.is_none_or(|after| o.id > after))
            .take(limit)
            .cloned()
            .collect())
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
        state.tell(Organization::batches(id, event)?)?;
        state.organizations.insert(id, Some(after.clone()));
        Ok(after)
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        let mut state = self.state();
        let event = state.organization(id)?.delete(by)?;
        state.tell(Organization::batches(id, event)?)?;
        state.organizations.insert(id, None); // the id is not given again
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
        state.keep_api_key(&key, event)?;
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
        let own = state.api_keys.values().filter(|key| key.organization_id == organization);
        let behind = own.filter(|key| after.is_none_or(|after| key.id > after));
        Ok(behind.take(limit).cloned().collect())
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let mut state = self.state();
        let before = state.api_key(id)?;
        let Some((after, event)) = before.revoke(by)? else { return Ok(before) };
        state.keep_api_key(&after, event)?;
        Ok(after)
    }
}
