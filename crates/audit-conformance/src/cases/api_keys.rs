//! API keys, and the events of their changes.

use audit_core::limits::{MAX_API_KEYS_PAGE, MAX_ID_BYTES, MAX_TEXT_BYTES};
use audit_core::{
    Action, ApiKey, ApiKeyId, ApiKeySecret, AuditEvent, ErrorKind, Log, NewApiKey, NewOrganization,
    OrganizationId, Result, Role, Target,
};
use serde_json::{Value, json};

use super::changes::{assert_attributed, attributed, by, platform_scope};
use crate::TenantHarness;
use crate::harness::NewTenantHarness;
use crate::samples::mixed;
use crate::subject::{Subject, refused};

/// The store under test through two handles, one of which is used for the keys.
pub(super) struct Keys {
    pub(super) keys: Subject<dyn TenantHarness>,
    pub(super) subject: Subject<dyn TenantHarness>,
}

/// The calls of the trait, blocking.
impl Keys {
    pub(super) fn new(new: NewTenantHarness<'_>) -> Self {
        Self::of(Subject::new(new))
    }

    fn of(subject: Subject<dyn TenantHarness>) -> Self {
        Self { keys: subject.with_other_handle(), subject }
    }

    fn reopen(self) -> Self {
        let Self { keys, subject } = self;
        drop(keys);
        Self::of(subject.reopen())
    }

    pub(super) fn with_other_handle(&self) -> Self {
        Self::of(self.subject.with_other_handle())
    }

    pub(super) fn organization(&self) -> OrganizationId {
        self.subject.created(NewOrganization::new("Acme")).id
    }

    pub(super) fn create(&self, new: NewApiKey) -> Result<(ApiKey, ApiKeySecret)> {
        self.keys.block_on(self.keys.store().create_api_key(new, by()))
    }

    pub(super) fn created(&self, organization: OrganizationId) -> (ApiKey, ApiKeySecret) {
        self.create(admin(organization)).expect("a key can be created")
    }

    pub(super) fn get(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.keys.block_on(self.keys.store().api_key(id))
    }

    fn found(&self, id: ApiKeyId) -> ApiKey {
        self.get(id).expect("a key is readable")
    }

    fn list(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        self.keys.block_on(self.keys.store().api_keys(organization, after, limit))
    }

    pub(super) fn all(&self, organization: OrganizationId) -> Vec<ApiKey> {
        self.list(organization, None, MAX_API_KEYS_PAGE).expect("a listing succeeds")
    }

    pub(super) fn revoke(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.keys.block_on(self.keys.store().revoke_api_key(id, by()))
    }

    pub(super) fn revoked(&self, id: ApiKeyId) -> ApiKey {
        self.revoke(id).expect("a key can be revoked")
    }
}

pub(super) fn admin(organization: OrganizationId) -> NewApiKey {
    NewApiKey::new(organization, Role::Admin, "ana@acme.example")
}

pub(crate) fn come_back_as_created(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let organizations = [(); 2].map(|()| keys.organization());
    let emails =
        ["ana@acme.example", "東京@acme.example", &format!("{}@x", "x".repeat(MAX_ID_BYTES - 2))]
            .map(str::to_owned);
    let asked = organizations.into_iter().flat_map(|organization| {
        let emails = &emails;
        Role::ALL.into_iter().flat_map(move |role| {
            emails.iter().map(move |email| NewApiKey::new(organization, role, email))
        })
    });
    let mut created = Vec::new();
    for new in asked {
        let (key, secret) = keys.create(new.clone()).expect("a key can be created");
        let is_as_asked = (key.organization_id, key.role, key.email.as_ref(), key.revoked_at);
        let expected = (new.organization_id, new.role, Some(&new.email), None);
        assert_eq!(is_as_asked, expected, "a key is created as asked");
        assert_eq!(secret.key_id(), Some(key.id), "a secret has the id of its key");
        created.push((key, secret));
    }
    for (n, (key, secret)) in created.iter().enumerate() {
        let found = keys.found(key.id);
        assert_eq!(found, *key, "a key is read as it was created");
        assert!(keys.all(key.organization_id).contains(key), "and listed as it was created");
        for (m, (_, other)) in created.iter().enumerate() {
            assert_eq!(found.accepts(other), n == m, "a key accepts its own secret alone");
        }
        assert!(key.accepts(secret), "so does the key as it was returned");
    }
}

/// Checks all that the event of a change says but the change itself.
fn assert_event(event: &AuditEvent, action: &Action, key: &ApiKey) {
    assert_eq!(event.action, *action, "the event says what was done");
    assert_eq!(event.log, Log::from(key.organization_id), "it is in the organization's log");
    let target = Target::new("api_key", key.id.to_string());
    assert_eq!(event.targets, [target], "the event's target is the key");
    let named = event.organization.as_ref().map(|named| named.id.clone());
    assert_eq!(named, Some(key.organization_id.to_string()), "the event names the organization");
    let text = event.message.text.as_deref().unwrap_or_default();
    let email = key.email.as_deref().expect("a key has a holder");
    assert!(text.contains(email), "the event's message names the holder");
    assert!(text.contains(key.role.name()), "the event's message names the role");
    assert!(event.message.title.is_some(), "the event's message has a title");
    assert_eq!(event.scope, platform_scope(), "the event has the surface `platform`");
}

/// Checks that no event contains the secret or its digest.
fn assert_not_revealed(keys: &Keys, key: &ApiKey, secret: &ApiKeySecret) {
    let digest = json!(key)["digest"].clone();
    assert!(digest.as_array().is_some_and(|bytes| bytes.len() == 32), "a key has a digest");
    let bytes: Vec<_> = digest.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    // Its end is random, and begins after the id, which is no secret.
    let random = &secret.expose()[secret.expose().len() - 40..];
    for log in [key.organization_id.into(), Log::Platform] {
        for event in keys.subject.events(log) {
            let text = json!(event).to_string();
            assert!(!text.contains(random), "no event contains the secret");
            for digest in [&digest.to_string(), &hex] {
                assert!(!text.to_lowercase().contains(digest), "no event contains its digest");
            }
        }
    }
}

pub(crate) fn record_their_creation(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let created = keys.keys.block_on(keys.keys.store().create_api_key(admin(id), attributed()));
    let (key, secret) = created.expect("a key can be created");
    let event = keys.subject.last_event(id, 2);
    assert_event(&event, &Action::API_KEY_CREATED, &key);
    assert_attributed(&event);
    let facts = event.change.new.clone().expect("the event holds the key as created");
    assert_eq!(facts, json!({ "role": "admin", "email": key.email }));
    keys.subject.assert_recorded_in_both(&event);
    assert_eq!(keys.subject.sizes(id), [2, 2], "a creation leaves one event in each log");
    assert_not_revealed(&keys, &key, &secret);
}

pub(crate) fn record_their_revocation(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let (key, secret) = keys.created(id);
    let revoked = keys.keys.block_on(keys.keys.store().revoke_api_key(key.id, attributed()));
    let revoked = revoked.expect("a key can be revoked");
    let event = keys.subject.last_event(id, 3);
    assert_event(&event, &Action::API_KEY_REVOKED, &revoked);
    assert_attributed(&event);
    let facts = event.change.old.clone().expect("the event holds the key as it was");
    assert_eq!(facts, json!({ "role": "admin", "email": key.email }));
    keys.subject.assert_recorded_in_both(&event);
    assert_eq!(keys.subject.sizes(id), [3, 3], "a revocation leaves one event in each log");
    assert_not_revealed(&keys, &key, &secret);
}

pub(crate) fn revoked_twice_append_one_event(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let (key, _) = keys.created(id);
    let first = keys.revoked(key.id);
    let mut expected = key.clone();
    expected.revoked_at = first.revoked_at;
    assert!(first.revoked_at.is_some(), "a key that was revoked says when");
    assert_eq!(first, expected, "a revocation changes nothing else");
    assert_eq!(keys.found(key.id), first, "the state returned is the state kept");
    for keys in [&keys, &keys.with_other_handle()] {
        assert_eq!(keys.revoked(key.id), first, "a second revocation leaves `revoked_at`");
        assert_eq!(keys.found(key.id), first, "and changes nothing that is kept");
        assert_eq!(keys.subject.sizes(id), [3, 3], "and leaves no event");
    }
}

pub(crate) fn are_good_until_revoked(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let other = keys.with_other_handle();
    let id = keys.organization();
    let (kept, its_secret) = keys.created(id);
    for (creator, revoker) in [(&keys, &other), (&other, &keys), (&keys, &keys)] {
        let (key, secret) = creator.created(id);
        for keys in [&keys, &other] {
            assert!(keys.found(key.id).accepts(&secret), "a key is good with every handle");
            assert!(!keys.found(key.id).accepts(&its_secret), "and with no other key's secret");
        }
        revoker.revoked(key.id);
        for keys in [&keys, &other] {
            let found = keys.found(key.id);
            assert!(!found.accepts(&secret), "a revoked key is good with no handle");
            assert!(found.revoked_at.is_some(), "each handle sees that it was revoked");
            assert!(keys.all(id).contains(&found), "also in a listing");
            assert_eq!(keys.found(kept.id), kept, "a revocation changes no other key");
            assert!(keys.found(kept.id).accepts(&its_secret), "which is as good as before");
        }
    }
}

pub(crate) fn need_an_organization(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let deleted = keys.organization();
    keys.subject.delete(deleted).expect("an organization can be deleted");
    // A log needs no organization, and makes none.
    let unknown = OrganizationId::new();
    keys.subject.put(unknown.into(), &mixed(1));
    for (id, events) in [(unknown, 1), (deleted, 2)] {
        refused(keys.create(admin(id)), ErrorKind::NotFound, "a key of no organization");
        assert_eq!(keys.all(id), [], "a refused key is not kept");
        assert_eq!(keys.subject.sizes(id), [events, 2], "and has no event");
    }
}

pub(crate) fn unknown_are_not_found(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let (key, _) = keys.created(id);
    // An id of another kind is the id of no key.
    for unknown in [ApiKeyId::new(), ApiKeyId::from_uuid(*id.as_uuid())] {
        refused(keys.get(unknown), ErrorKind::NotFound, "a key that is not there");
        refused(keys.revoke(unknown), ErrorKind::NotFound, "a key that is not there");
    }
    assert_eq!(keys.subject.sizes(id), [2, 2], "a call that finds nothing appends no event");
    assert_eq!(keys.found(key.id), key, "and changes no other key");
}

pub(crate) fn outlive_their_organization(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let [(key, secret), (revoked, _)] = [(); 2].map(|()| keys.created(id));
    let revoked = keys.revoked(revoked.id);
    keys.subject.delete(id).expect("an organization with keys can be deleted");
    for expected in [&key, &revoked] {
        assert_eq!(keys.found(expected.id), *expected, "a deletion leaves the keys as they are");
    }
    assert_eq!(keys.subject.sizes(id), [5, 5], "and appends no event of a key");
    let after = keys.revoked(key.id);
    assert!(!after.accepts(&secret), "a key can be revoked when its organization is gone");
    assert_eq!(keys.found(key.id), after, "the state returned is the state kept");
    let event = keys.subject.last_event(id, 6);
    assert_event(&event, &Action::API_KEY_REVOKED, &key);
    keys.subject.assert_recorded_in_both(&event);
}

pub(crate) fn beyond_a_limit_are_refused_by_field(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    for email in [String::new(), "x".repeat(MAX_ID_BYTES + 1)] {
        let new = NewApiKey::new(id, Role::Member, email);
        let error = refused(keys.create(new), ErrorKind::Invalid, "email");
        assert_eq!(error.field(), Some("email"), "an error names the field at fault");
        assert_eq!(keys.all(id), [], "a refused key is not kept");
        assert_eq!(keys.subject.sizes(id), [1, 1], "and has no event");
    }
}

pub(crate) fn do_not_change_when_the_event_is_refused(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let (key, _) = keys.created(id);
    let bad = || by().reason("x".repeat(MAX_TEXT_BYTES + 1));
    for error in [
        keys.keys.block_on(keys.keys.store().create_api_key(admin(id), bad())).map(drop),
        keys.keys.block_on(keys.keys.store().revoke_api_key(key.id, bad())).map(drop),
    ] {
        let error = refused(error, ErrorKind::Invalid, "a change whose event breaks a limit");
        assert_eq!(error.field(), Some("reason"), "an error names the field at fault");
    }
    assert_eq!(keys.all(id), [key], "a change and its event happen both or neither");
    assert_eq!(keys.subject.sizes(id), [2, 2], "nothing more was recorded");
}

pub(crate) fn are_listed_by_ascending_id(new: NewTenantHarness<'_>) {
    let mut keys = Keys::new(new);
    let organizations = [(); 2].map(|()| keys.organization());
    assert_eq!(keys.all(organizations[0]), [], "the listing is empty");
    // In turns, so that the ids of the one lie between those of the other.
    let mut expected = [(); 6].map(|()| organizations.map(|id| keys.created(id).0)).concat();
    for key in expected.iter_mut().skip(3).step_by(3) {
        *key = keys.revoked(key.id);
    }
    expected.sort_unstable_by_key(|key| key.id);
    for _ in 0..2 {
        for organization in organizations {
            let own = |key: &&ApiKey| key.organization_id == organization;
            let of_all: Vec<_> = expected.iter().filter(own).cloned().collect();
            for limit in [1, 2, 5, 6, 7, MAX_API_KEYS_PAGE] {
                let (mut found, mut after) = (Vec::<ApiKey>::new(), None);
                loop {
                    let page = keys.list(organization, after, limit).expect("a listing succeeds");
                    assert!(page.len() <= limit, "a listing holds at most its limit");
                    found.extend(page);
                    let last = found.last().map(|key| key.id);
                    if last == after || found.len() > 99 {
                        break;
                    }
                    after = last;
                }
                assert_eq!(found, of_all, "an organization's keys are listed once, by id");
            }
            for key in &expected {
                let rest = keys.list(organization, Some(key.id), 2).expect("a listing succeeds");
                let all = expected.iter().filter(|other| other.id > key.id).filter(own);
                let all: Vec<_> = all.take(2).cloned().collect();
                assert_eq!(rest, all, "a listing begins after any id");
            }
        }
        assert_eq!(keys.all(OrganizationId::new()), [], "another organization has none");
        keys = keys.reopen();
    }
}

pub(crate) fn check_the_limit_of_a_listing(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    for limit in [0, MAX_API_KEYS_PAGE + 1, usize::MAX] {
        let error = refused(keys.list(id, None, limit), ErrorKind::Invalid, "a limit out of range");
        assert_eq!(error.field(), Some("limit"), "an error names the field at fault");
    }
    for limit in [1, MAX_API_KEYS_PAGE] {
        assert_eq!(keys.list(id, None, limit).expect("a limit in range is accepted"), []);
    }
}

pub(crate) fn survive_a_reopen(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let [(good, secret), (revoked, its_secret)] = [(); 2].map(|()| keys.created(id));
    let revoked = keys.revoked(revoked.id);
    let [own, platform] = [id.into(), Log::Platform].map(|log| keys.subject.events(log));
    let keys = keys.reopen();
    for expected in [&good, &revoked] {
        assert_eq!(keys.found(expected.id), *expected, "a key survives a reopen as it was");
    }
    assert_eq!(keys.all(id).len(), 2, "a listing does, too");
    assert!(keys.found(good.id).accepts(&secret), "a good key is still good");
    assert!(!keys.found(revoked.id).accepts(&its_secret), "a revoked one still is not");
    assert_eq!(keys.subject.events(id.into()), own, "so do the events of their changes");
    assert_eq!(keys.subject.events(Log::Platform), platform, "in both logs");
    keys.revoked(good.id);
    assert!(!keys.found(good.id).accepts(&secret), "a key can be revoked after a reopen");
}

pub(crate) fn forget_their_holder_once_revoked(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let id = keys.organization();
    let (key, _) = keys.created(id);
    let forget = |keys: &Keys, id| {
        keys.keys.block_on(keys.keys.store().forget_api_key_holder(id, attributed()))
    };
    refused(forget(&keys, key.id), ErrorKind::Invalid, "forgetting the holder of a valid key");
    refused(forget(&keys, ApiKeyId::new()), ErrorKind::NotFound, "an unknown key");
    assert_eq!(keys.found(key.id), key, "a refused call changes nothing");
    let revoked = keys.revoked(key.id);
    for _ in 0..2 {
        let forgotten = forget(&keys, key.id).expect("the holder of a revoked key is forgotten");
        let mut expected = revoked.clone();
        expected.email = None;
        assert_eq!(forgotten, expected, "the address is removed, and nothing else");
        assert_eq!(keys.found(key.id), expected, "it stays removed");
        assert_eq!(keys.all(id), [expected], "it is listed without the address");
        assert_eq!(keys.subject.sizes(id), [4, 4], "it leaves one event in each log, once");
    }
    let event = keys.subject.last_event(id, 4);
    assert_eq!(event.action, Action::API_KEY_HOLDER_FORGOTTEN, "the event says what was done");
    assert_eq!(event.targets, [Target::new("api_key", key.id.to_string())]);
    let text = json!([event.message, event.change, event.targets]).to_string();
    assert!(!text.contains("ana@acme.example"), "the event does not name the holder");
    keys.subject.assert_recorded_in_both(&event);
}
