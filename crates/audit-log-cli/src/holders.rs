//! The API keys that keep an e-mail address which is erased: that of their holder.

use audit_core::{ApiKeyId, AuditContext, Facet, Filter, Log, limits};

use crate::error::Result;
use crate::store::Store;

/// The keys of an organization whose holder has one of the addresses of an erasure.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// Keys that are revoked. Their holder can be forgotten.
    pub(crate) revoked: Vec<ApiKeyId>,
    /// Keys that are in use, and keep the address until they are revoked.
    pub(crate) in_use: Vec<ApiKeyId>,
}

impl Holders {
    /// Returns the keys of the organization of `log` that `filter` concerns: those whose holder has
    /// one of its addresses, in any case. A filter with another condition concerns events only.
    pub(crate) async fn find(store: &dyn Store, log: Log, filter: &Filter) -> Result<Self> {
        let mut found = Self::default();
        let Some(organization) = log.organization_id() else { return Ok(found) };
        let addresses = filter.values(Facet::ActorEmail);
        let addresses = addresses.fold(Filter::new(), Filter::actor_email);
        if addresses == Filter::new() || addresses != *filter {
            return Ok(found);
        }
        let has = |email: &str| {
            let email = email.to_lowercase();
            addresses.values(Facet::ActorEmail).any(|address| address.to_lowercase() == email)
        };
        let mut after = None;
        loop {
            let page = store.api_keys(organization, after, limits::MAX_API_KEYS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.id);
            for key in page.iter().filter(|key| key.email.as_deref().is_some_and(has)) {
                let keys =
                    if key.revoked_at.is_some() { &mut found.revoked } else { &mut found.in_use };
                keys.push(key.id);
            }
        }
    }

    /// Removes the address from the revoked keys.
    pub(crate) async fn forget(&self, store: &dyn Store, by: &AuditContext) -> Result<()> {
        for key in &self.revoked {
            store.forget_api_key_holder(*key, by.clone()).await?;
        }
        Ok(())
    }
}
