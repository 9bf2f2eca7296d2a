//! Mutations of API keys.

use std::sync::atomic::Ordering;
use std::time::Duration;

use audit_core::{
    Actor, ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditStore, Error, ErrorKind, NewApiKey,
    NewEvent, OrganizationId, Result, Role, TenantStore, limits::MAX_API_KEYS_PAGE,
};
use serde_json::json;

use super::writes::wait_until;
use super::{Mutated, Mutation};

impl Mutated {
    pub(super) fn spoil_error<T>(&self, result: Result<T>) -> Result<T> {
        match (self.mutation, result) {
            (Mutation::NotFoundIsUnavailable, Err(error))
                if error.kind() == ErrorKind::NotFound =>
            {
                Err(Error::new(ErrorKind::Unavailable))
            }
            (_, result) => self.forget_field(result),
        }
    }

    pub(super) async fn mutated_create_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        if let Mutation::CreatesKeysByAnOldRead = self.mutation {
            self.inner.organization(new.organization_id).await?;
            self.notes.looks.fetch_add(1, Ordering::SeqCst);
            wait_until(|| self.notes.deletions.load(Ordering::SeqCst) > 0);
            return self.create_blindly(new, by);
        }
        let created = self.inner.create_api_key(new.clone(), by.clone()).await;
        match (self.mutation, &created) {
            (Mutation::ChangesBeforeChecking, Err(error)) if error.kind() == ErrorKind::Invalid => {
                let harmless = NewApiKey::new(new.organization_id, Role::Member, "a@b.example");
                self.inner.create_api_key(harmless, by.actor.into()).await?;
            }
            (Mutation::KeyWithoutOrganization, Err(error))
                if error.kind() == ErrorKind::NotFound =>
            {
                return self.create_blindly(new, by);
            }
            (Mutation::RevealsTheDigest, Ok((key, _))) => {
                *self.notes.credential.lock().unwrap() = json!(key)["digest"].clone();
            }
            (Mutation::RevealsTheSecret, Ok((_, secret))) => {
                *self.notes.credential.lock().unwrap() = json!(secret.expose());
            }
            _ => {}
        }
        created
    }

    fn create_blindly(&self, new: NewApiKey, by: AuditContext) -> Result<(ApiKey, ApiKeySecret)> {
        let (key, secret, event) = ApiKey::create(new, by)?;
        self.inner.state().put_api_key(&key, event)?;
        Ok((key, secret))
    }

    pub(super) async fn mutated_forget(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let before = self.inner.api_key(id).await;
        if let (Mutation::ForgetsHoldersOfValidKeys, Ok(key)) = (self.mutation, &before)
            && key.revoked_at.is_none()
        {
            self.inner.revoke_api_key(id, by.clone()).await?;
        }
        let forgotten = self.inner.forget_api_key_holder(id, by).await;
        if let (Mutation::ForgetsHoldersForNow, Ok(before), Ok(_)) =
            (self.mutation, before, &forgotten)
        {
            self.inner.state().api_keys.insert(id, before);
        }
        forgotten
    }

    pub(super) async fn mutated_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        let mut key = self.inner.api_key(id).await?;
        match self.mutation {
            Mutation::AltersKeys(alter) => alter(&mut key),
            Mutation::CachesKeys => {
                key = self.seen.lock().unwrap().entry(id).or_insert(key).clone();
            }
            Mutation::KeysEndWithTheirOrganization => {
                self.inner.organization(key.organization_id).await?;
            }
            Mutation::KeysStayGood => key.revoked_at = None,
            _ => {}
        }
        Ok(key)
    }

    pub(super) async fn mutated_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        let (after, limit) = match self.mutation {
            Mutation::IgnoresAfter => (None, limit),
            Mutation::IgnoresTheListLimit => (after, MAX_API_KEYS_PAGE),
            _ => (after, limit),
        };
        let mut list = self.inner.api_keys(organization, after, limit).await?;
        match self.mutation {
            Mutation::AltersKeys(alter) => list.iter_mut().for_each(alter),
            Mutation::HidesRevokedKeys => list.retain(|key| key.revoked_at.is_none()),
            Mutation::KeysOfAllOrganizations => {
                let state = self.inner.state();
                let every = state.api_keys.values();
                let rest = every.filter(|key| after.is_none_or(|after| key.id > after));
                list = rest.take(limit).cloned().collect();
            }
            Mutation::ListsInReverse => list.reverse(),
            _ => {}
        }
        Ok(list)
    }

    pub(super) async fn mutated_revoke(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        let before = self.inner.api_key(id).await?;
        match self.mutation {
            Mutation::RevocationNeedsAnOrganization => {
                self.inner.organization(before.organization_id).await?;
            }
            Mutation::RevokesByAnOldRead => {
                self.notes.looks.fetch_add(1, Ordering::SeqCst);
                wait_until(|| self.notes.looks.load(Ordering::SeqCst) > 1);
                let Some((after, event)) = before.revoke(by)? else { return Ok(before) };
                self.inner.state().put_api_key(&after, event)?;
                return Ok(after);
            }
            Mutation::RevokesNothing => return Ok(before),
            _ => {}
        }
        let revoked = self.inner.revoke_api_key(id, by.clone()).await;
        match (self.mutation, &revoked) {
            (Mutation::CachesKeys, Ok(key)) => {
                self.seen.lock().unwrap().insert(id, key.clone());
            }
            (Mutation::ChangesBeforeChecking, Err(error)) if error.kind() == ErrorKind::Invalid => {
                self.inner.revoke_api_key(id, by.actor.into()).await?;
            }
            (Mutation::MovesRevocations, Ok(_)) if before.revoked_at.is_some() => {
                let mut moved = before;
                moved.revoked_at =
                    moved.revoked_at.map(|at| at.saturating_add(Duration::from_nanos(1)));
                self.inner.state().api_keys.insert(id, moved.clone());
                return Ok(moved);
            }
            (Mutation::RecordsEachRevocation, Ok(_)) if before.revoked_at.is_some() => {
                let event = NewEvent::new("api_key.revoked", Actor::system());
                self.inner.append(before.organization_id.into(), vec![event]).await?;
            }
            (Mutation::RevokesAllKeys, Ok(revoked)) => {
                for key in self.inner.state().api_keys.values_mut() {
                    key.revoked_at = revoked.revoked_at;
                }
            }
            _ => {}
        }
        revoked
    }
}
