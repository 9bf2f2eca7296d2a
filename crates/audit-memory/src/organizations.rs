//! The organizations. [`Organization`] decides each change; this file stores it.

use std::collections::btree_map::Entry;
use std::ops::Bound;

use audit_core::{
    AuditContext, Error, ErrorKind, NewOrganization, Organization, OrganizationId,
    OrganizationUpdate, Result, limits,
};

use crate::store::{MemoryStore, read, write};

// Each change holds the lock from the first read to the write. It appends its event first; that
// event has a new id and has been checked, so that no log refuses it.
impl MemoryStore {
    pub(crate) fn create(&self, new: NewOrganization, by: AuditContext) -> Result<Organization> {
        let (organization, event) = Organization::create(new, by)?;
        let batches = Organization::batches(organization.id, event)?;
        let mut organizations = write(&self.shared.organizations);
        let Entry::Vacant(entry) = organizations.entry(organization.id) else {
            return Err(Error::new(ErrorKind::Conflict).with_field("id"));
        };
        self.append_all(batches)?;
        entry.insert(Some(organization.clone()));
        Ok(organization)
    }

    pub(crate) fn find_organization(&self, id: OrganizationId) -> Result<Organization> {
        let found = read(&self.shared.organizations).get(&id).cloned().flatten();
        found.ok_or_else(|| Error::not_found("organization"))
    }

    pub(crate) fn list_organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        limits::organizations_page(limit)?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let organizations = read(&self.shared.organizations);
        let present =
            organizations.range((start, Bound::Unbounded)).filter_map(|(_, o)| o.as_ref());
        Ok(present.take(limit).cloned().collect())
    }

    pub(crate) fn update(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        let mut organizations = write(&self.shared.organizations);
        let Some(Some(organization)) = organizations.get_mut(&id) else {
            return Err(Error::not_found("organization"));
        };
        if let Some((updated, event)) = organization.update(update, by)? {
            self.append_all(Organization::batches(id, event)?)?;
            *organization = updated;
        }
        Ok(organization.clone())
    }

    pub(crate) fn delete(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        let mut organizations = write(&self.shared.organizations);
        let entry = organizations.get_mut(&id).filter(|entry| entry.is_some());
        let Some(Some(organization)) = entry.as_deref() else {
            return Err(Error::not_found("organization"));
        };
        let event = organization.delete(by)?;
        self.append_all(Organization::batches(id, event)?)?;
        if let Some(entry) = entry {
            *entry = None;
        }
        Ok(())
    }
}
