//! The API keys. [`ApiKey`] decides each change; this file stores it.

use std::ops::Bound;

use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, Error, NewApiKey, NewEvent, OrganizationId,
    Result, limits,
};

use crate::store::{MemoryStore, read, write};

impl MemoryStore {
    pub(crate) fn create_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        let (key, secret, event) = ApiKey::create(new, by)?;
        let batches = key.batches(event)?;
        // Held to the end, so that the organization cannot be deleted meanwhile.
        let organizations = read(&self.shared.organizations);
        if !matches!(organizations.get(&key.organization_id), Some(Some(_))) {
            return Err(Error::not_found("organization"));
        }
        let mut keys = write(&self.shared.api_keys);
        self.append_all(batches)?;
        keys.insert(key.id, key.clone());
        Ok((key, secret))
    }

    pub(crate) fn find_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        let found = read(&self.shared.api_keys).get(&id).cloned();
        found.ok_or_else(|| Error::not_found("apiKey"))
    }

    pub(crate) fn list_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        limits::api_keys_page(limit)?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = read(&self.shared.api_keys);
        let own = keys.range((start, Bound::Unbounded)).map(|(_, key)| key);
        Ok(own.filter(|key| key.organization_id == organization).take(limit).cloned().collect())
    }

    pub(crate) fn revoke_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.change_key(id, |key| key.revoke(by))
    }

    pub(crate) fn forget_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.change_key(id, |key| key.forget_holder(by))
    }

    fn change_key(
        &self,
        id: ApiKeyId,
        change: impl FnOnce(&ApiKey) -> Result<Option<(ApiKey, NewEvent)>>,
    ) -> Result<ApiKey> {
        let mut keys = write(&self.shared.api_keys);
        let key = keys.get_mut(&id).ok_or_else(|| Error::not_found("apiKey"))?;
        if let Some((changed, event)) = change(key)? {
            self.append_all(changed.batches(event)?)?;
            *key = changed;
        }
        Ok(key.clone())
    }
}
