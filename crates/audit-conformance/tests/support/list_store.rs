//! A store that keeps every event in a list and looks at each to answer a scan.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use audit_conformance::Harness;
use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, ApiKeyStore, Attribution, AuditEvent, AuditStore, Batch, Error,
    ErrorKind, EventId, Head, Log, NewApiKey, NewEvent, NewOrganization, Organization,
    OrganizationId, OrganizationUpdate, Position, Receipt, Result, Scan, Sequence, Slice,
    Timestamp, TokenKeys, Total, limits,
};

/// Holds every promise but speed and durability. Clones are handles of the same state.
#[derive(Clone, Debug)]
pub(crate) struct ListStore {
    keys: TokenKeys,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    logs: BTreeMap<Log, Vec<AuditEvent>>,
    organizations: BTreeMap<OrganizationId, Option<Organization>>,
    pub(crate) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    waiting: Vec<Waker>,
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

    fn open_api_keys(&self) -> Arc<dyn ApiKeyStore> {
        Arc::new(self.clone())
    }
}

impl State {
    fn events(&self, log: Log) -> &[AuditEvent] {
        self.logs.get(&log).map_or(&[], Vec::as_slice)
    }

    fn head(&self, log: Log) -> Head {
        self.events(log).last().map_or(Head::default(), |last| Head {
            size: last.sequence,
            recorded_at: last.recorded_at,
        })
    }

    fn append(&mut self, batch: Batch) -> Result<Vec<Receipt>> {
        let log = batch.log();
        let find = |id| Ok(self.events(log).iter().find(|event| event.id == id).cloned());
        let placement = batch.place(self.head(log), Timestamp::now(), find)?;
        let new: Vec<_> = placement.new.iter().map(|e| e.stored.open()).collect::<Result<_>>()?;
        self.logs.entry(log).or_default().extend(new);
        self.waiting.drain(..).for_each(Waker::wake);
        Ok(placement.receipts)
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
        let found = state.events(log).iter().find(|event| event.id == id);
        found.cloned().ok_or_else(|| Error::not_found("event"))
    }

    async fn head(&self, log: Log) -> Result<Head> {
        Ok(self.state().head(log))
    }

    async fn scan(&self, scan: Scan) -> Result<Slice> {
        let state = self.state();
        let bound = scan.bound_within(state.head(scan.log))?;
        let mut events: Vec<_> = state.events(scan.log).iter().collect();
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
        Ok(Slice { events: rest.into_iter().take(fitting).collect(), more, total, bound })
    }

    async fn wait_beyond(&self, log: Log, sequence: Sequence) -> Result<Head> {
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

    async fn create_organization(
        &self,
        new: NewOrganization,
        by: Attribution,
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
        by: Attribution,
    ) -> Result<Organization> {
        let mut state = self.state();
        let before = state.organization(id)?;
        let Some((after, event)) = before.update(update, by)? else { return Ok(before) };
        state.tell(Organization::batches(id, event)?)?;
        state.organizations.insert(id, Some(after.clone()));
        Ok(after)
    }

    async fn delete_organization(&self, id: OrganizationId, by: Attribution) -> Result<()> {
        let mut state = self.state();
        let event = state.organization(id)?.delete(by)?;
        state.tell(Organization::batches(id, event)?)?;
        state.organizations.insert(id, None); // the id is not given again
        Ok(())
    }
}

#[async_trait]
impl ApiKeyStore for ListStore {
    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: Attribution,
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

    async fn revoke_api_key(&self, id: ApiKeyId, by: Attribution) -> Result<ApiKey> {
        let mut state = self.state();
        let before = state.api_key(id)?;
        let Some((after, event)) = before.revoke(by)? else { return Ok(before) };
        state.keep_api_key(&after, event)?;
        Ok(after)
    }
}
