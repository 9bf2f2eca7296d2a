//! The state that a store keeps beside its logs, compared with the events that declare it: retention,
//! legal holds, organizations and API keys.

use std::collections::BTreeSet;
use std::fmt;

use audit_core::backend::StoredEvent;
use audit_core::limits::{MAX_API_KEYS_PAGE, MAX_ORGANIZATIONS_PAGE};
use audit_core::{
    ApiKey, ApiKeyId, AuditStore, DeclaredTenants, EntriesRequest, Error, ErrorKind, Log,
    Organization, OrganizationId, Result, Retention, RetentionStore, Sequence, TenantStore,
};

/// A part of the store's state that differs from what the events of the log declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateFinding {
    /// The retention or the legal hold of the log.
    Retention,
    /// An organization.
    Organization {
        /// Its id.
        id: OrganizationId,
        /// How it differs.
        how: Difference,
    },
    /// An API key.
    ApiKey {
        /// Its id.
        id: ApiKeyId,
        /// How it differs.
        how: Difference,
    },
}

/// How a part of the state differs from the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It was changed, or put back after its deletion, and no event declares that.
    Changed,
    /// It is missing, and no event declares its deletion.
    Missing,
    /// It is there, and no event declares its creation. The events may be missing instead.
    Undeclared,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "differs from what its last event declares",
            Self::Missing => "is missing, and no event declares its deletion",
            Self::Undeclared => "exists, and no event of the log declares its creation",
        })
    }
}

impl fmt::Display for StateFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retention => f.write_str(
                "the retention or the legal hold differs from what its last event declares",
            ),
            Self::Organization { id, how } => write!(f, "the organization {id} {how}"),
            Self::ApiKey { id, how } => write!(f, "the API key {id} {how}"),
        }
    }
}

impl std::error::Error for StateFinding {}

/// The state that the events read so far declare.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclaredState {
    retention: Option<Retention>,
    tenants: DeclaredTenants,
}

impl DeclaredState {
    /// Takes the next event. Few are of the store, and no other is decoded.
    pub(crate) fn event(&mut self, event: &StoredEvent) {
        let is_marked = std::str::from_utf8(&event.record)
            .is_ok_and(|record| record.contains(r#""byStore":true"#));
        if !is_marked {
            return;
        }
        // One that cannot be decoded declares nothing. Its hash shows that it was changed.
        let Ok(event) = event.decode() else { return };
        if event.by_store {
            self.retention = Retention::declared(&event).or(self.retention);
            self.tenants.event(&event);
        }
    }
}

/// The stores whose state is compared.
#[derive(Clone, Copy, Default)]
pub(crate) struct StateStores<'a> {
    pub(crate) retention: Option<&'a dyn RetentionStore>,
    pub(crate) tenants: Option<&'a dyn TenantStore>,
}

/// Whether the events were read from the first on, so that what they do not declare is not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Rest,
}

/// A part of the state, as the store keeps it.
#[derive(Debug)]
enum Kept {
    /// `None` if it cannot be read: it differs from anything declared.
    Retention(Option<Retention>),
    Organization(OrganizationId, KeptOrganization),
    /// `None` if it is missing.
    ApiKey(ApiKeyId, Option<ApiKey>),
}

#[derive(Debug)]
enum KeptOrganization {
    Readable(Organization),
    /// It differs from anything declared.
    Unreadable,
    Missing,
}

impl Kept {
    /// Returns how it differs from what the events declare.
    fn finding(&self, declared: &DeclaredState, extent: Extent) -> Option<StateFinding> {
        let undeclared = (extent == Extent::Whole).then_some(Difference::Undeclared);
        match self {
            Self::Retention(kept) => {
                let declared = match extent {
                    Extent::Whole => Some(declared.retention.unwrap_or_default()),
                    Extent::Rest => declared.retention,
                };
                declared
                    .is_some_and(|declared| *kept != Some(declared))
                    .then_some(StateFinding::Retention)
            }
            Self::Organization(id, kept) => {
                let how = match (declared.tenants.organization(*id), kept) {
                    (Some(declared), KeptOrganization::Missing) => {
                        declared.exists.then_some(Difference::Missing)
                    }
                    (Some(declared), KeptOrganization::Readable(kept)) => {
                        (!declared.matches(kept)).then_some(Difference::Changed)
                    }
                    (_, KeptOrganization::Unreadable) => Some(Difference::Changed),
                    (None, KeptOrganization::Readable(_)) => undeclared,
                    (None, KeptOrganization::Missing) => None,
                };
                how.map(|how| StateFinding::Organization { id: *id, how })
            }
            Self::ApiKey(id, kept) => {
                let how = match (declared.tenants.api_key(*id), kept) {
                    (Some(_), None) => Some(Difference::Missing),
                    (Some(declared), Some(kept)) => {
                        (!declared.matches(kept)).then_some(Difference::Changed)
                    }
                    (None, Some(_)) => undeclared,
                    (None, None) => None,
                };
                how.map(|how| StateFinding::ApiKey { id: *id, how })
            }
        }
    }
}

impl StateStores<'_> {
    /// Compares the state with what the events of `log` declare: `declared` after event `read`, and the
    /// events after that.
    pub(crate) async fn check<S: AuditStore + ?Sized>(
        self,
        store: &S,
        log: Log,
        mut declared: DeclaredState,
        mut read: Sequence,
        extent: Extent,
    ) -> Result<Vec<StateFinding>> {
        if self.retention.is_none() && self.tenants.is_none() {
            return Ok(Vec::new());
        }
        let before = store.head(log).await?.size;
        for_each_event(store, log, &mut read, before, |event| declared.event(event)).await?;
        let mut differing = self.differing(log, &declared, extent).await?;
        if !differing.is_empty() {
            // A change appends its event together with the new state. So what was read after a change is
            // as one of the events since then declares it.
            let after = store.head(log).await?.size;
            let compare = |event: &StoredEvent| {
                declared.event(event);
                differing.retain(|kept| kept.finding(&declared, extent).is_some());
            };
            for_each_event(store, log, &mut read, after, compare).await?;
        }
        Ok(differing.iter().filter_map(|kept| kept.finding(&declared, extent)).collect())
    }

    /// Returns the parts of the state that differ from what the events declare.
    async fn differing(
        self,
        log: Log,
        declared: &DeclaredState,
        extent: Extent,
    ) -> Result<Vec<Kept>> {
        let mut differing = Differing { declared, extent, parts: Vec::new() };
        if let Some(store) = self.retention {
            differing.add(Kept::Retention(unless_corrupt(store.retention(log).await)?));
        }
        let Some(store) = self.tenants else { return Ok(differing.parts) };
        let tenants = Tenants { store, declared: &declared.tenants };
        match log {
            Log::Organization(id) => tenants.of(id, &mut differing).await?,
            Log::Platform => {
                for id in tenants.all().await? {
                    tenants.of(id, &mut differing).await?;
                }
            }
        }
        Ok(differing.parts)
    }
}

/// Reads the events after `read` up to `end`.
async fn for_each_event<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    read: &mut Sequence,
    end: Sequence,
    mut visit: impl FnMut(&StoredEvent),
) -> Result<()> {
    while *read < end {
        let request = EntriesRequest::default().after(*read).bytes(1 << 20);
        let entries = store.entries(log, request).await?;
        let Some(last) = entries.last() else { break };
        *read = last.sequence;
        for entry in &entries {
            visit(&entry.event);
        }
    }
    Ok(())
}

/// The parts of the state that differ from what the events declare.
struct Differing<'a> {
    declared: &'a DeclaredState,
    extent: Extent,
    parts: Vec<Kept>,
}

impl Differing<'_> {
    fn add(&mut self, kept: Kept) {
        if kept.finding(self.declared, self.extent).is_some() {
            self.parts.push(kept);
        }
    }
}

/// Returns `None` if what the store keeps cannot be read: it differs from anything declared.
fn unless_corrupt<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        result => result.map(Some),
    }
}

/// The tenants of a store, and what a log declares of them.
struct Tenants<'a> {
    store: &'a dyn TenantStore,
    declared: &'a DeclaredTenants,
}

impl Tenants<'_> {
    /// Returns the organizations that are declared or kept.
    async fn all(&self) -> Result<BTreeSet<OrganizationId>> {
        let mut all: BTreeSet<_> = self.declared.organizations().collect();
        let mut after = None;
        loop {
            let page = self.store.organizations(after, MAX_ORGANIZATIONS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(all) };
            require_progress(after.replace(last.id), &last.id)?;
            all.extend(page.iter().map(|organization| organization.id));
        }
    }

    /// Compares an organization and its keys.
    async fn of(&self, id: OrganizationId, differing: &mut Differing<'_>) -> Result<()> {
        let kept = match unless_corrupt(self.store.organization(id).await) {
            Err(error) if error.kind() == ErrorKind::NotFound => KeptOrganization::Missing,
            kept => kept?.map_or(KeptOrganization::Unreadable, KeptOrganization::Readable),
        };
        differing.add(Kept::Organization(id, kept));
        let declared = self.declared.api_keys().filter(|(_, key)| key.organization_id == id);
        let mut missing: BTreeSet<ApiKeyId> = declared.map(|(id, _)| id).collect();
        let mut after = None;
        loop {
            let page = self.store.api_keys(id, after, MAX_API_KEYS_PAGE).await?;
            let Some(last) = page.last() else { break };
            require_progress(after.replace(last.id), &last.id)?;
            for key in page {
                missing.remove(&key.id);
                differing.add(Kept::ApiKey(key.id, Some(key)));
            }
        }
        for id in missing {
            differing.add(Kept::ApiKey(id, None));
        }
        Ok(())
    }
}

/// Fails unless a page of a list ends after the one before it: of an object that was copied over
/// another, a store can list an id at another's place, and the list would have no end.
fn require_progress<T: Ord>(before: Option<T>, last: &T) -> Result<()> {
    if before.is_some_and(|before| *last <= before) {
        let error = Error::new(ErrorKind::Corrupt).with_field("id");
        return Err(error.with_context("reading a list that is not in the order of its ids"));
    }
    Ok(())
}
