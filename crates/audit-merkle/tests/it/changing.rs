//! Verification of a store whose tenants change at every read.

use std::future::IntoFuture as _;

use async_trait::async_trait;
use audit_core::backend::delegate;
use audit_core::{
    ApiKey, ApiKeyId, AuditStore as _, NewApiKey, NewOrganization, Organization, OrganizationId,
    OrganizationUpdate, Result, Role, TenantStore,
};
use audit_memory::MemoryStore;
use audit_merkle::{Difference, Report, StateFinding, VerifyExt as _};
use futures_executor::block_on;

use crate::liar::{Liar, by};

/// Changes what it is asked for before it answers.
#[async_trait]
impl TenantStore for Liar {
    delegate!(store: create_organization, organizations, update_organization, delete_organization, create_api_key);
    delegate!(store: api_key, revoke_api_key, forget_api_key_holder);

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
