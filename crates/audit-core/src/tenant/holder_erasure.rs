//! The erasure of the holder of an API key.

use async_trait::async_trait;

use crate::limits::MAX_ORGANIZATIONS_PAGE;
use crate::{
    ApiKeyId, AuditContext, AuditStoreExt as _, ChangeSetId, Erased, Erasure, EventQuery, Filter,
    OrganizationUpdate, Result, RetentionStore, RetentionStoreExt as _, TenantStore,
};

/// Removes the holder of an API key from a store that keeps keys and can erase.
#[async_trait]
pub trait HolderErasure: TenantStore + RetentionStore {
    /// Removes the e-mail address of the holder of a revoked key for ever: from the key, from the
    /// organizations that have it as that of their creator, and from the events of every log of which
    /// the key is the actor or a target. The personal data of these events is erased. Returns the
    /// number of these events.
    ///
    /// Events that name the person but not the key are left: erase them by the person's id or address.
    /// A second call, after a failure for instance, continues with the rest. Compact the file of a
    /// durable store afterwards.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the key is not revoked,
    /// [`NotFound`](crate::ErrorKind::NotFound) if it does not exist. Nothing is changed then, nor
    /// with [`LegalHold`](crate::ErrorKind::LegalHold) if one of the logs is under a legal hold.
    async fn erase_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<Erased> {
        let key = self.api_key(id).await?;
        // Checked before anything is changed. A holder that is forgotten has no events left.
        if key.forget_holder(by.clone())?.is_none() {
            return Ok(Erased::default());
        }
        let filter = Filter::new().involving(id.to_string());
        let mut logs = Vec::new();
        for log in self.all_logs().await? {
            if self.count(&EventQuery::new(log).filter(filter.clone())).await? > 0 {
                self.retention(log).await?.permits_removal()?;
                logs.push(log);
            }
        }
        // Shared by all events that record it.
        let by =
            AuditContext { change_set_id: by.change_set_id.or(Some(ChangeSetId::new())), ..by };
        if let Some(email) = &key.email {
            forget_creator(self, email, &by).await?;
        }
        let mut erased = Erased::default();
        for log in logs {
            let erasure = Erasure::matching(filter.clone());
            erased.events += self.erase(log, erasure, by.clone()).await?.events;
        }
        // Last, so that a call that failed before can be repeated.
        self.forget_api_key_holder(id, by).await?;
        Ok(erased)
    }
}

impl<S: TenantStore + RetentionStore + ?Sized> HolderErasure for S {}

/// Removes `email` from the organizations of whose creator it is.
async fn forget_creator<S: TenantStore + ?Sized>(
    store: &S,
    email: &str,
    by: &AuditContext,
) -> Result<()> {
    // As in a filter: one mailbox is spelled in several ways.
    let email = email.to_lowercase();
    let is_creator = |by: &Option<String>| by.as_ref().is_some_and(|by| by.to_lowercase() == email);
    let mut after = None;
    loop {
        let page = store.organizations(after, MAX_ORGANIZATIONS_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for organization in page.iter().filter(|o| is_creator(&o.created_by)) {
            let update = OrganizationUpdate::default().forget_creator();
            store.update_organization(organization.id, update, by.clone()).await?;
        }
    }
}
