//! The state that a store keeps beside its logs, compared with the events that declare it: retention,
//! legal holds, organizations and API keys.

use std::collections::BTreeSet;
use std::fmt;

use audit_core::backend::StoredEvent;
use audit_core::limits::{MAX_API_KEYS_PAGE, MAX_ORGANIZATIONS_PAGE};
use audit_core::{
    ApiKeyId, AuditStore, DeclaredTenants, EntriesRequest, Error, ErrorKind, Log, OrganizationId,
    Result, Retention, RetentionStore, Sequence, TenantStore,
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

/// How often the state is compared again because it may have changed meanwhile.
const ATTEMPTS: usize = 8;

impl StateStores<'_> {
    /// Compares the state with what the events of `log` declare: `state` after event `read`, and the
    /// events after that.
    pub(crate) async fn check<S: AuditStore + ?Sized>(
        self,
        store: &S,
        log: Log,
        mut state: DeclaredState,
        mut read: Sequence,
        extent: Extent,
    ) -> Result<Vec<StateFinding>> {
        if self.retention.is_none() && self.tenants.is_none() {
            return Ok(Vec::new());
        }
        let mut findings = Vec::new();
        for _ in 0..ATTEMPTS {
            let before = store.head(log).await?.size;
            while read < before {
                let request = EntriesRequest::default().after(read).bytes(1 << 20);
                let entries = store.entries(log, request).await?;
                let Some(last) = entries.last() else { break };
                read = last.sequence;
                for entry in &entries {
                    state.event(&entry.event);
                }
            }
            findings = self.differences(log, &state, extent).await?;
            // A change appends its event together with the new state.
            if findings.is_empty() || store.head(log).await?.size == before {
                break;
            }
        }
        Ok(findings)
    }

    async fn differences(
        self,
        log: Log,
        state: &DeclaredState,
        extent: Extent,
    ) -> Result<Vec<StateFinding>> {
        let mut findings = Vec::new();
        if let Some(store) = self.retention {
            let kept = unless_corrupt(store.retention(log).await)?;
            let declared = match extent {
                Extent::Whole => Some(state.retention.unwrap_or_default()),
                Extent::Rest => state.retention,
            };
            if declared.is_some_and(|declared| kept != Some(declared)) {
                findings.push(StateFinding::Retention);
            }
        }
        let Some(store) = self.tenants else { return Ok(findings) };
        let tenants = Tenants { store, declared: &state.tenants, extent };
        match log {
            Log::Organization(id) => tenants.of(id, &mut findings).await?,
            Log::Platform => {
                for id in tenants.all().await? {
                    tenants.of(id, &mut findings).await?;
                }
            }
        }
        Ok(findings)
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
    extent: Extent,
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
    async fn of(&self, id: OrganizationId, findings: &mut Vec<StateFinding>) -> Result<()> {
        let kept = match unless_corrupt(self.store.organization(id).await) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            kept => kept.map(Some),
        };
        let difference = match (self.declared.organization(id), kept?) {
            (Some(declared), None) => declared.exists.then_some(Difference::Missing),
            (Some(declared), Some(Some(kept))) if declared.matches(&kept) => None,
            (_, Some(None)) | (Some(_), Some(_)) => Some(Difference::Changed),
            (None, Some(_)) => self.undeclared(),
            (None, None) => None,
        };
        findings.extend(difference.map(|how| StateFinding::Organization { id, how }));
        self.keys_of(id, findings).await
    }

    async fn keys_of(&self, id: OrganizationId, findings: &mut Vec<StateFinding>) -> Result<()> {
        let mut missing: BTreeSet<ApiKeyId> = self
            .declared
            .api_keys()
            .filter(|(_, key)| key.organization_id == id)
            .map(|(id, _)| id)
            .collect();
        let mut after = None;
        loop {
            let page = self.store.api_keys(id, after, MAX_API_KEYS_PAGE).await?;
            let Some(last) = page.last() else { break };
            require_progress(after.replace(last.id), &last.id)?;
            for key in page {
                missing.remove(&key.id);
                let difference = match self.declared.api_key(key.id) {
                    Some(declared) => (!declared.matches(&key)).then_some(Difference::Changed),
                    None => self.undeclared(),
                };
                findings.extend(difference.map(|how| StateFinding::ApiKey { id: key.id, how }));
            }
        }
        let how = Difference::Missing;
        findings.extend(missing.into_iter().map(|id| StateFinding::ApiKey { id, how }));
        Ok(())
    }

    fn undeclared(&self) -> Option<Difference> {
        (self.extent == Extent::Whole).then_some(Difference::Undeclared)
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
