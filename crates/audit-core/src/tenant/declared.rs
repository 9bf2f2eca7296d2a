//! The tenants that a log declares: organizations and API keys as the store's own events left them.

use std::collections::BTreeMap;

use super::changes::FINGERPRINT;
use crate::{Action, ApiKey, ApiKeyId, AuditEvent, Organization, OrganizationId, Role, Target};

/// The organizations and API keys that the store's own events declare, folded in the order of the log.
/// Verification compares them with those that the store keeps. What a caller appended
/// [declares nothing](AuditEvent::by_store).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeclaredTenants {
    organizations: BTreeMap<OrganizationId, DeclaredOrganization>,
    keys: BTreeMap<ApiKeyId, DeclaredKey>,
}

/// An organization as the events of a log declare it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DeclaredOrganization {
    /// Whether it was not deleted.
    pub exists: bool,
    fingerprint: Option<String>,
}

/// An API key as the events of a log declare it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeclaredKey {
    /// The organization of the key.
    pub organization_id: OrganizationId,
    role: Option<Role>,
    fingerprint: Option<String>,
    email: Option<String>,
    revoked: bool,
    forgotten: bool,
}

impl DeclaredTenants {
    /// Takes the next event of the log.
    pub fn event(&mut self, event: &AuditEvent) {
        if !event.by_store {
            return;
        }
        let changes = [
            Action::ORGANIZATION_CREATED,
            Action::ORGANIZATION_UPDATED,
            Action::ORGANIZATION_DELETED,
        ];
        if changes.contains(&event.action) {
            let Some(id) = target(event, Organization::TARGET).and_then(|id| id.parse().ok())
            else {
                return;
            };
            let exists = event.action != Action::ORGANIZATION_DELETED;
            let fingerprint = event.attributes.get(FINGERPRINT).map(str::to_owned);
            self.organizations.insert(id, DeclaredOrganization { exists, fingerprint });
        } else if let Some(id) = target(event, ApiKey::TARGET).and_then(|id| id.parse().ok()) {
            self.key(id, event);
        }
    }

    fn key(&mut self, id: ApiKeyId, event: &AuditEvent) {
        let organization = event.organization.as_ref().and_then(|of| of.id.parse().ok());
        let Some(organization_id) = organization else { return };
        let attribute = |key| event.attributes.get(key).map(str::to_owned);
        let facts = event.change.new.as_ref().or(event.change.old.as_ref());
        let email = facts.and_then(|facts| facts["email"].as_str()).map(str::to_owned);
        let before = self.keys.remove(&id);
        let was = |flag: fn(&DeclaredKey) -> bool| before.as_ref().is_some_and(flag);
        let is = |actions: &[Action]| actions.contains(&event.action);
        let key = DeclaredKey {
            organization_id,
            role: attribute(ApiKey::ROLE).and_then(|role| role.parse().ok()),
            fingerprint: attribute(FINGERPRINT),
            // Only the holder of a revoked key is forgotten.
            revoked: is(&[Action::API_KEY_REVOKED, Action::API_KEY_HOLDER_FORGOTTEN])
                || was(|key| key.revoked),
            forgotten: is(&[Action::API_KEY_HOLDER_FORGOTTEN]) || was(|key| key.forgotten),
            email: email.or(before.and_then(|key| key.email)),
        };
        self.keys.insert(id, key);
    }

    /// Returns what the log declares of an organization; `None` if it declares nothing.
    pub fn organization(&self, id: OrganizationId) -> Option<&DeclaredOrganization> {
        self.organizations.get(&id)
    }

    /// Returns the organizations of which the log declares something, in the order of their ids.
    pub fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        self.organizations.keys().copied()
    }

    /// Returns what the log declares of an API key; `None` if it declares nothing.
    pub fn api_key(&self, id: ApiKeyId) -> Option<&DeclaredKey> {
        self.keys.get(&id)
    }

    /// Returns the API keys of which the log declares something, in the order of their ids.
    pub fn api_keys(&self) -> impl Iterator<Item = (ApiKeyId, &DeclaredKey)> {
        self.keys.iter().map(|(id, key)| (*id, key))
    }
}

impl DeclaredOrganization {
    /// Returns `true` if `organization` is as its last event declares.
    pub fn matches(&self, organization: &Organization) -> bool {
        self.exists && self.fingerprint.as_deref() == Some(&*organization.fingerprint())
    }
}

impl DeclaredKey {
    /// Returns `true` if `key` is as its events declare: its organization, its role, its secret,
    /// whether it is revoked, and its holder as far as that was not erased.
    pub fn matches(&self, key: &ApiKey) -> bool {
        let same_email = match &key.email {
            Some(email) => !self.forgotten && self.email.as_ref().is_none_or(|own| own == email),
            None => self.forgotten,
        };
        self.organization_id == key.organization_id
            && self.role == Some(key.role)
            && self.fingerprint.as_deref() == Some(&*key.fingerprint())
            && self.revoked == key.revoked_at.is_some()
            && same_email
    }
}

/// Returns the id of the first target of a type.
fn target<'e>(event: &'e AuditEvent, kind: &str) -> Option<&'e str> {
    let of_kind = |target: &&Target| target.kind.as_deref() == Some(kind);
    event.targets.iter().find(of_kind)?.id.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Batch;
    use crate::tree::Frontier;
    use crate::{
        Actor, AuditContext, Head, NewApiKey, NewEvent, NewOrganization, OrganizationUpdate,
        Timestamp,
    };

    fn by() -> AuditContext {
        AuditContext::new(Actor::system())
    }

    /// Folds the events of changes, as the store records them, or as a caller could append them.
    fn fold(events: Vec<NewEvent>, reserved: bool) -> DeclaredTenants {
        let log = OrganizationId::new().into();
        let mut declared = DeclaredTenants::default();
        for event in events {
            let batch =
                if reserved { Batch::reserved(log, event) } else { Batch::new(log, vec![event]) };
            let batch = batch.unwrap();
            let sequenced =
                batch.sequence(Head::default(), Frontier::new(), Timestamp::now(), |_| Ok(None));
            declared.event(&sequenced.unwrap().new[0].stored.decode().unwrap());
        }
        declared
    }

    #[test]
    fn an_organization_matches_its_last_change_alone() {
        let (created, event) = Organization::create(NewOrganization::new("Acme"), by()).unwrap();
        let update = OrganizationUpdate::default().name("Umbrella");
        let (updated, change) = created.update(update, by()).unwrap().unwrap();
        let deletion = updated.delete(by()).unwrap();
        let matches = |events: &[&NewEvent], organization: &Organization| {
            let declared = fold(events.iter().map(|event| (*event).clone()).collect(), true);
            declared.organization(created.id).unwrap().matches(organization)
        };
        assert!(matches(&[&event], &created) && !matches(&[&event], &updated));
        assert!(matches(&[&event, &change], &updated) && !matches(&[&event, &change], &created));
        assert!(!matches(&[&event, &change, &deletion], &updated));
        assert!(matches(&[&change], &updated), "the creation is pruned");
        assert!(!matches(&[&change], &created), "and the change is not");
        assert_eq!(fold(vec![event], false), DeclaredTenants::default(), "a caller's event");
    }

    #[test]
    fn a_key_matches_what_its_events_declare() {
        let new = |role| NewApiKey::new(OrganizationId::new(), role, "ana@acme.example");
        let (key, _, created) = ApiKey::create(new(Role::Member), by()).unwrap();
        let (other, ..) = ApiKey::create(new(Role::Member), by()).unwrap();
        let (revoked, revocation) = key.revoke(by()).unwrap().unwrap();
        let (forgotten, forgetting) = revoked.forget_holder(by()).unwrap().unwrap();
        let events = [created, revocation, forgetting];
        let states = [&key, &revoked, &forgotten];
        for count in 1..=3 {
            let declared = fold(events[..count].to_vec(), true);
            let declared = declared.api_key(key.id).unwrap();
            for (n, state) in states.iter().enumerate() {
                assert_eq!(declared.matches(state), n + 1 == count, "{count} events, state {n}");
            }
        }
        let declared = fold(events[..1].to_vec(), true);
        let declared = declared.api_key(key.id).unwrap();
        let forged = |from: &ApiKey, forge: fn(&mut ApiKey)| {
            let mut key = ApiKey::clone(from);
            forge(&mut key);
            key
        };
        let raised = forged(&key, |key| key.role = Role::SuperAdmin);
        let renamed = forged(&key, |key| key.email = Some("eve@acme.example".to_owned()));
        let mut stolen = other;
        (stolen.id, stolen.organization_id) = (key.id, key.organization_id);
        for forged in [raised, renamed, stolen] {
            assert!(!declared.matches(&forged), "{forged:?}");
        }
    }
}
