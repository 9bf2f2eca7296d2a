//! Verification of a store whose tenants change at every read.

use std::future::IntoFuture as _;

use async_trait::async_trait;
use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditStore as _, NewApiKey, NewOrganization,
    Organization, OrganizationId, OrganizationUpdate, Result, Role, TenantStore,
};
use audit_memory::MemoryStore;
use audit_merkle::{Difference, Report, StateFinding, VerifyExt as _};
use futures_executor::block_on;

use crate::liar::{Liar, by};

/// Changes what it is asked for before it answers.
#[async_trait]
impl TenantStore for Liar {
    async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        let head = self.store.head(id.into()).await?;
        let update = OrganizationUpdate::default().name(format!("Acme {}", head.size));
        self.store.update_organization(id, update, by()).await?;
        let mut organization = self.store.organization(id).await?;
        if let Some(name) = &self.name {
            organization.name.clone_from(name);
        }
        Ok(organization)
    }

    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        if after.is_none() {
            let new = NewApiKey::new(organization, Role::Member, "ana@acme.example");
            self.store.create_api_key(new, by()).await?;
            for key in self.store.api_keys(organization, None, 2).await? {
                self.store.revoke_api_key(key.id, by()).await?;
            }
        }
        self.store.api_keys(organization, after, limit).await
    }

    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        self.store.create_organization(new, by).await
    }

    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        self.store.organizations(after, limit).await
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        self.store.update_organization(id, update, by).await
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        self.store.delete_organization(id, by).await
    }

    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        self.store.create_api_key(new, by).await
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.store.api_key(id).await
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.store.revoke_api_key(id, by).await
    }

    async fn forget_api_key_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.store.forget_api_key_holder(id, by).await
    }
}

fn verify(liar: &Liar, id: OrganizationId) -> Report {
    block_on(liar.verify(id.into()).with_tenants(liar).into_future()).unwrap()
}

fn acme() -> (Liar, OrganizationId) {
    let store = MemoryStore::new().unwrap();
    let id = block_on(store.create_organization(NewOrganization::new("Acme"), by())).unwrap().id;
    (Liar::new(&store), id)
}

#[test]
fn a_change_during_the_verification_is_no_finding() {
    let (liar, id) = acme();
    for _ in 0..3 {
        let report = verify(&liar, id);
        assert_eq!(report.state, [], "{report}");
    }
}

#[test]
fn an_edit_is_found_whatever_changes_during_the_verification() {
    let (mut liar, id) = acme();
    liar.name = Some("Evil".to_owned());
    let report = verify(&liar, id);
    let how = Difference::Changed;
    assert_eq!(report.state, [StateFinding::Organization { id, how }], "{report}");
}
