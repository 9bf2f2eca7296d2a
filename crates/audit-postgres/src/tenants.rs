//! The store of organizations and their API keys.

use async_trait::async_trait;
use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, NewApiKey, NewOrganization, Organization,
    OrganizationId, OrganizationUpdate, Result, TenantStore,
};

use crate::store::PostgresStore;
use crate::{api_keys, organizations};

#[async_trait]
impl TenantStore for PostgresStore {
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        let (organization, event) = Organization::create(new, by)?;
        let batches = Organization::batches(organization.id, event)?;
        self.write(|core| core.change(organizations::Create { organization, batches })).await
    }

    async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        self.run(|core| organizations::find(core.readers.clone(), id)).await
    }

    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        self.run(|core| organizations::list(core.readers.clone(), after, limit)).await
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        // Before the change, which creates rows for logs that have none.
        self.organization(id).await?;
        self.write(|core| core.change(organizations::Update { id, change: update, by })).await
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        self.organization(id).await?;
        self.write(|core| core.change(organizations::Delete { id, by })).await
    }

    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        let (key, secret, event) = ApiKey::create(new, by)?;
        let batches = key.batches(event)?;
        self.organization(key.organization_id).await?;
        let key = self.write(|core| core.change(api_keys::Create { key, batches })).await?;
        Ok((key, secret))
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.run(|core| api_keys::find(core.readers.clone(), id)).await
    }

    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        self.run(|core| api_keys::list(core.readers.clone(), organization, after, limit)).await
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let key = self.api_key(id).await?;
        let action = api_keys::Action::Revoke;
        self.write(|core| core.change(api_keys::Update { key, action, by })).await
    }

    async fn forget_api_key_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let key = self.api_key(id).await?;
        self.write(|core| api_keys::forget_holder(core, key, by)).await
    }
}
