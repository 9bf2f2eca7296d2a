//! The store of organizations and their API keys.

use async_trait::async_trait;
use audit_core::backend::Owner;
use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, Log, NewApiKey, NewOrganization, Organization,
    OrganizationId, OrganizationUpdate, Result, TenantStore,
};

use crate::read::Snapshot;
use crate::store::{Shared, SqliteStore};
use crate::{api_keys, schema};

#[async_trait]
impl TenantStore for SqliteStore {
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        let (organization, event) = Organization::create(new, by)?;
        let batches = Organization::batches(organization.id, event)?;
        let log = Log::Organization(organization.id);
        self.shared.writer.write(log, move |t| t.create_organization(organization, batches)).await
    }

    async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        let Shared { tenants, readers, .. } = &*self.shared;
        if let Some(organization) = tenants.organization(id) {
            return Ok(organization);
        }
        let find = move |snapshot: &Snapshot<'_>| {
            Ok((schema::tenant_generation(snapshot.connection)?, snapshot.organization(id)?))
        };
        let (generation, organization) = readers.look_up(Log::Organization(id), find).await?;
        tenants.keep_organization(generation, &organization);
        Ok(organization)
    }

    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        let list = move |snapshot: &Snapshot<'_>| snapshot.organizations(after, limit);
        self.shared.readers.read(Log::Platform, list).await
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        self.shared
            .writer
            .write(Log::Organization(id), move |t| t.update_organization(id, update, by))
            .await
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        self.shared
            .writer
            .write(Log::Organization(id), move |t| t.delete_organization(id, by))
            .await
    }

    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        let (key, secret, event) = ApiKey::create(new, by)?;
        let batches = key.batches(event)?;
        let log = Log::Organization(key.organization_id);
        let key = self.shared.writer.write(log, move |t| t.create_api_key(key, batches)).await?;
        Ok((key, secret))
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        let Shared { tenants, readers, .. } = &*self.shared;
        if let Some(key) = tenants.api_key(id) {
            return Ok(key);
        }
        let find = move |snapshot: &Snapshot<'_>| {
            let connection = snapshot.connection;
            Ok((schema::tenant_generation(connection)?, api_keys::find(connection, id)?))
        };
        let (generation, key) = readers.look_up(Owner::ApiKey(id), find).await?;
        tenants.keep_api_key(generation, &key);
        Ok(key)
    }

    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        let list = move |snapshot: &Snapshot<'_>| snapshot.api_keys(organization, after, limit);
        self.shared.readers.read(Log::Organization(organization), list).await
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.shared.writer.write(Owner::ApiKey(id), move |t| t.revoke_api_key(id, by)).await
    }

    async fn forget_api_key_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.shared.writer.write(Owner::ApiKey(id), move |t| t.forget_api_key_holder(id, by)).await
    }
}
