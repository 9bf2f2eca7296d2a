//! Organizations, and the events of their changes.

use std::time::Duration;

use audit_core::limits::{
    MAX_ID_BYTES, MAX_ORGANIZATIONS_PAGE, MAX_PRIVATE_ENDPOINTS, MAX_TEXT_BYTES,
};
use audit_core::{
    Action, AuditContext, AuditEvent, ErrorKind, EventQuery, Head, Log, NewOrganization,
    Organization, OrganizationId, OrganizationUpdate, PrivateEndpoint, Result, Target, Timestamp,
    json::Object,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::changes::{assert_attributed, attributed, by, platform_scope};
use crate::TenantHarness;
use crate::harness::NewTenantHarness;
use crate::samples::{mixed, new_log};
use crate::subject::{Subject, refused};

/// The calls of the trait, blocking.
impl Subject<dyn TenantHarness> {
    pub(super) fn create(&self, new: NewOrganization, by: AuditContext) -> Result<Organization> {
        self.block_on(self.store().create_organization(new, by))
    }

    pub(super) fn organization(&self, id: OrganizationId) -> Result<Organization> {
        self.block_on(self.store().organization(id))
    }

    pub(super) fn update(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
    ) -> Result<Organization> {
        self.block_on(self.store().update_organization(id, update, by()))
    }

    pub(super) fn delete(&self, id: OrganizationId) -> Result<()> {
        self.block_on(self.store().delete_organization(id, by()))
    }

    fn list(&self, after: Option<OrganizationId>, limit: usize) -> Result<Vec<Organization>> {
        self.block_on(self.store().organizations(after, limit))
    }

    pub(super) fn created(&self, new: NewOrganization) -> Organization {
        self.create(new, by()).expect("an organization can be created")
    }
}

pub(super) fn endpoint(id: &str) -> PrivateEndpoint {
    PrivateEndpoint::new(id)
}

fn settings(value: &Value) -> Object {
    value.as_object().expect("an object").clone()
}

fn acme() -> NewOrganization {
    NewOrganization::new("Acme 東京")
        .external_id("ext_1")
        .private_endpoint(
            endpoint("vpce-1").description("main\0").cloud_provider("aws").region("us-east-1"),
        )
        .private_endpoint(endpoint("vpce-2"))
        .settings(settings(&json!({"theme": "dark", "limit": 1_u64 << 63, "nested": {"a": [1]}})))
        .created_by("founder@acme.example")
}

pub(crate) fn come_back_as_created(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let asked = acme();
    let created = subject.created(asked.clone());
    let mut expected = Organization::new(asked.id, asked.name, created.created_at);
    expected.external_id = asked.external_id;
    expected.private_endpoints = asked.private_endpoints;
    expected.settings = asked.settings;
    expected.created_by = asked.created_by;
    assert_eq!(created, expected, "an organization is created as asked");
    let least = subject.created(NewOrganization::new("B"));
    for organization in [created, least] {
        let found = subject.organization(organization.id).expect("an organization is readable");
        assert_eq!(found, organization, "an organization is read as it was created");
    }
}

/// Checks all that the event of a change says but the change itself.
fn assert_event(event: &AuditEvent, action: &Action, organization: &Organization) {
    let id = organization.id.to_string();
    assert_eq!(event.action, *action, "the event says what was done");
    assert_eq!(event.log, Log::from(organization.id), "the event is in the organization's log");
    let target = Target::new("organization", &id).name(&organization.name);
    assert_eq!(event.targets, [target], "the event's target is the organization");
    let named = event.organization.as_ref().map(|named| named.id.as_str());
    assert_eq!(named, Some(id.as_str()), "the event names the organization");
    let text = event.message.text.as_deref().unwrap_or_default();
    assert!(text.contains(&organization.name), "the event's message names the organization");
    assert!(event.message.title.is_some(), "the event's message has a title");
    assert_eq!(event.scope, platform_scope(), "the event has the surface `platform`");
}

pub(crate) fn record_their_creation(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let created = subject.create(acme(), attributed()).expect("an organization can be created");
    let event = subject.last_event(created.id, 1);
    assert_event(&event, &Action::ORGANIZATION_CREATED, &created);
    assert_attributed(&event);
    let facts = event.change.new.expect("the event holds the organization as created");
    assert_eq!(facts["name"], json!(created.name));
    assert_eq!(facts["settings"], json!(created.settings));
    assert!(facts["privateEndpoints"]["vpce-2"].is_object());
}

pub(crate) fn record_each_update(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let created = subject.created(acme());
    let update = OrganizationUpdate::default()
        .name("Acme Corp")
        .remove_endpoint("vpce-1")
        .settings(settings(&json!({"theme": "light", "limit": 1_u64 << 63, "nested": {"a": [1]}})));
    let store = subject.store();
    let updated = subject.block_on(store.update_organization(created.id, update, attributed()));
    let event = subject.last_event(created.id, 2);
    assert_event(&event, &Action::ORGANIZATION_UPDATED, &updated.expect("it can be updated"));
    assert_attributed(&event);
    let mut fields: Vec<_> = event.change.diff.iter().map(|change| &*change.field).collect();
    fields.sort_unstable();
    let expected = ["name", "privateEndpoints/vpce-1", "settings/theme"];
    assert_eq!(fields, expected, "the event has exactly the fields that differ");
    let name = event.change.diff.iter().find(|change| change.field == "name").unwrap();
    assert_eq!((&name.old, &name.new), (&Some(json!(created.name)), &Some(json!("Acme Corp"))));
}

pub(crate) fn record_their_deletion(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let created = subject.created(acme());
    let deleted = subject.block_on(subject.store().delete_organization(created.id, attributed()));
    deleted.expect("an organization can be deleted");
    let event = subject.last_event(created.id, 2);
    assert_event(&event, &Action::ORGANIZATION_DELETED, &created);
    assert_attributed(&event);
    let facts = event.change.old.expect("the event holds the organization as it was");
    assert_eq!(facts["name"], json!(created.name));
}

pub(crate) fn are_recorded_in_the_platform_log(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let placed = subject.put(Log::Platform, &mixed(2));
    let ids = [acme(), NewOrganization::new("B")].map(|new| {
        let id = subject.create(new, attributed()).expect("an organization can be created").id;
        subject.assert_recorded_in_both(&subject.last_event(id, 1));
        id
    });
    for id in ids {
        let update = OrganizationUpdate::default().name("New").add_endpoint(endpoint("e"));
        subject.update(id, update).expect("an organization can be updated");
        subject.assert_recorded_in_both(&subject.last_event(id, 2));
    }
    for id in ids {
        subject.delete(id).expect("an organization can be deleted");
        subject.assert_recorded_in_both(&subject.last_event(id, 3));
    }
    let events = subject.events(Log::Platform);
    assert_eq!(events[..2], placed, "the platform's own events stay");
    assert_eq!(events.len(), 2 + 6, "the platform's log records each change once");
    subject.put(ids[0].into(), &mixed(3));
    assert_eq!(subject.sizes(ids[0]), [6, 8], "the platform's log records nothing else");
}

pub(crate) fn never_reuse_an_id(new: NewTenantHarness<'_>) {
    let mut subject = Subject::new(new);
    let [kept, deleted] = [(); 2].map(|()| subject.created(acme()));
    subject.delete(deleted.id).expect("an organization can be deleted");
    for _ in 0..2 {
        for (id, events) in [(kept.id, 1), (deleted.id, 2)] {
            let again = subject.create(NewOrganization::new("Other").id(id), by());
            let error = refused(again, ErrorKind::Conflict, "an id that has been given");
            assert_eq!(error.field(), Some("id"), "an error names the field at fault");
            let sizes = subject.sizes(id);
            assert_eq!(sizes, [events, 3], "a refused creation leaves no event");
        }
        let found = subject.organization(kept.id).expect("an organization is readable");
        assert_eq!(found, kept, "a refused creation changes nothing");
        refused(subject.organization(deleted.id), ErrorKind::NotFound, "a deleted organization");
        subject = subject.reopen();
    }
}

pub(crate) fn unknown_or_deleted_are_not_found(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let deleted = subject.created(acme()).id;
    subject.delete(deleted).expect("an organization can be deleted");
    for (id, events) in [(OrganizationId::new(), 0), (deleted, 2)] {
        let update = OrganizationUpdate::default().name("New");
        for error in [
            subject.organization(id).map(drop),
            subject.update(id, update).map(drop),
            subject.update(id, OrganizationUpdate::default()).map(drop),
            subject.delete(id),
        ] {
            refused(error, ErrorKind::NotFound, "an organization that is not there");
        }
        assert_eq!(subject.sizes(id), [events, 2], "a call that finds nothing appends no event");
    }
}

pub(crate) fn change_only_as_asked(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let mut expected = subject.created(acme());
    let other = subject.created(acme());
    let replaced = endpoint("vpce-1").region("eu-west-1");
    let step = |update, change: &dyn Fn(&mut Organization)| {
        let mut wanted = expected.clone();
        change(&mut wanted);
        let updated = subject.update(wanted.id, update).expect("an organization can be updated");
        assert!(updated.updated_at >= wanted.updated_at, "the time of the last change is kept");
        wanted.updated_at = updated.updated_at;
        assert_eq!(updated, wanted, "an update changes what it names and nothing else");
        let found = subject.organization(wanted.id).expect("an organization is readable");
        assert_eq!(found, wanted, "an update is there for the next reader");
        expected = wanted;
    };
    let mut step = step;
    let update = OrganizationUpdate::default;
    step(update().name("New"), &|o| o.name = "New".into());
    step(update().settings(Object::new()), &|o| o.settings = Object::new());
    step(update().remove_endpoint("vpce-2").remove_endpoint("none"), &|o| {
        o.private_endpoints.truncate(1);
    });
    step(update().add_endpoint(endpoint("vpce-3")), &|o| {
        o.private_endpoints.push(endpoint("vpce-3"));
    });
    step(update().add_endpoint(replaced.clone()), &|o| o.private_endpoints[0] = replaced.clone());
    assert_eq!(subject.head(expected.id.into()).size.get(), 6, "each change leaves one event");
    let found = subject.organization(other.id).expect("an organization is readable");
    assert_eq!(found, other, "an update changes no other organization");
}

pub(crate) fn remove_endpoints_before_they_add(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let id = subject.created(acme()).id;
    let replacement = endpoint("vpce-1").region("eu-west-1");
    let update = OrganizationUpdate::default()
        .add_endpoint(replacement.clone())
        .remove_endpoint("vpce-1")
        .remove_endpoint("vpce-9")
        .add_endpoint(endpoint("vpce-9"));
    let updated = subject.update(id, update).expect("an organization can be updated");
    let expected = [endpoint("vpce-2"), replacement, endpoint("vpce-9")];
    assert_eq!(updated.private_endpoints, expected, "endpoints are removed before any is added");
    subject.last_event(id, 2);
    let found = subject.organization(id).expect("an organization is readable");
    assert_eq!(found, updated, "the state returned is the state kept");
}

pub(crate) fn that_do_not_change_append_no_event(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let created = subject.created(acme());
    for update in [
        OrganizationUpdate::default(),
        OrganizationUpdate::default().name(&created.name),
        OrganizationUpdate::default().remove_endpoint("none"),
        OrganizationUpdate::default().add_endpoint(created.private_endpoints[0].clone()),
        OrganizationUpdate::default().settings(created.settings.clone()),
    ] {
        let same = subject.update(created.id, update).expect("an update can be empty");
        assert_eq!(same, created, "an update that changes nothing leaves `updated_at`");
        let found = subject.organization(created.id).expect("an organization is readable");
        assert_eq!(found, created, "an update that changes nothing is not kept");
        assert_eq!(subject.sizes(created.id), [1, 1], "and leaves no event");
    }
}

pub(crate) fn beyond_a_limit_are_refused_by_field(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let created = subject.created(acme());
    let (id, long) = ("x".repeat(MAX_ID_BYTES + 1), "x".repeat(MAX_TEXT_BYTES + 1));
    let too_many: Vec<_> = (0..=MAX_PRIVATE_ENDPOINTS).map(|n| endpoint(&n.to_string())).collect();
    let large = settings(&json!({"text": long}));
    let base = || NewOrganization::new("Other");
    for (field, bad) in [
        ("name", NewOrganization::new("")),
        ("name", NewOrganization::new(&id)),
        ("externalId", base().external_id(&id)),
        ("createdBy", base().created_by(&id)),
        ("privateEndpoints[0].id", base().private_endpoint(endpoint(""))),
        (
            "privateEndpoints",
            too_many.iter().cloned().fold(base(), NewOrganization::private_endpoint),
        ),
        ("settings", base().settings(large.clone())),
    ] {
        let new_id = bad.id;
        let error = refused(subject.create(bad, by()), ErrorKind::Invalid, field);
        assert_eq!(error.field(), Some(field), "an error names the field at fault");
        refused(subject.organization(new_id), ErrorKind::NotFound, "a refused organization");
        assert_eq!(subject.head(new_id.into()), Head::default(), "and it has no event");
    }
    let update = OrganizationUpdate::default;
    let described = endpoint("e").description(long);
    for (field, bad) in [
        ("name", update().name("")),
        ("name", update().name(&id)),
        ("privateEndpoints[2].description", update().name("New").add_endpoint(described)),
        ("privateEndpoints", too_many.into_iter().fold(update(), OrganizationUpdate::add_endpoint)),
        ("settings", update().name("New").settings(large)),
    ] {
        let error = refused(subject.update(created.id, bad), ErrorKind::Invalid, field);
        assert_eq!(error.field(), Some(field), "an error names the field at fault");
    }
    let found = subject.organization(created.id).expect("an organization is readable");
    assert_eq!(found, created, "a refused update changes nothing");
    assert_eq!(subject.sizes(created.id), [1, 1], "a refused change has no event");
}

pub(crate) fn do_not_change_when_the_event_is_refused(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let created = subject.created(acme());
    let (id, store) = (created.id, subject.store());
    let bad = || by().reason("x".repeat(MAX_TEXT_BYTES + 1));
    let new = acme();
    let new_id = new.id;
    let update = OrganizationUpdate::default().name("New");
    for error in [
        subject.create(new, bad()).map(drop),
        subject.block_on(store.update_organization(id, update, bad())).map(drop),
        subject.block_on(store.delete_organization(id, bad())),
    ] {
        let error = refused(error, ErrorKind::Invalid, "a change whose event breaks a limit");
        assert_eq!(error.field(), Some("reason"), "an error names the field at fault");
    }
    refused(subject.organization(new_id), ErrorKind::NotFound, "it was not created");
    let found = subject.organization(id).expect("it was not deleted");
    assert_eq!(found, created, "a change and its event happen both or neither");
    assert_eq!(subject.head(new_id.into()), Head::default(), "nothing was recorded");
    assert_eq!(subject.sizes(id), [1, 1], "nothing more was recorded");
}

pub(crate) fn are_listed_by_ascending_id(new: NewTenantHarness<'_>) {
    let mut subject = Subject::new(new);
    assert_eq!(subject.list(None, 10).expect("a listing succeeds"), [], "the listing is empty");
    let ids = [9, 2, 7, 4, 1, 8, 3].map(|n| OrganizationId::from_uuid(Uuid::from_u128(n << 64)));
    let mut expected: Vec<_> =
        ids.iter().map(|&id| subject.created(NewOrganization::new("A").id(id))).collect();
    expected.sort_unstable_by_key(|organization| organization.id);
    let gone = expected.remove(2).id;
    subject.delete(gone).expect("an organization can be deleted");
    for _ in 0..2 {
        for limit in [1, 2, 5, 6, 7, MAX_ORGANIZATIONS_PAGE] {
            let (mut found, mut after) = (Vec::<Organization>::new(), None);
            loop {
                let page = subject.list(after, limit).expect("a listing succeeds");
                assert!(page.len() <= limit, "a listing holds at most its limit");
                found.extend(page);
                let last = found.last().map(|organization| organization.id);
                if last == after || found.len() > 99 {
                    break;
                }
                after = last;
            }
            assert_eq!(found, expected, "organizations are listed once each, by ascending id");
        }
        let after_a_deleted = subject.list(Some(gone), 2).expect("a listing succeeds");
        assert_eq!(after_a_deleted, expected[2..4], "a listing begins after any id");
        subject = subject.reopen();
    }
}

pub(crate) fn check_the_limit_of_a_listing(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    for limit in [0, MAX_ORGANIZATIONS_PAGE + 1, usize::MAX] {
        let error = refused(subject.list(None, limit), ErrorKind::Invalid, "a limit out of range");
        assert_eq!(error.field(), Some("limit"), "an error names the field at fault");
    }
    for limit in [1, MAX_ORGANIZATIONS_PAGE] {
        assert_eq!(subject.list(None, limit).expect("a limit in range is accepted"), []);
    }
}

pub(crate) fn keep_their_log_when_deleted(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let id = subject.created(acme()).id;
    let mut expected = subject.events(id.into());
    expected.extend(subject.put(id.into(), &mixed(5)));
    subject.delete(id).expect("an organization can be deleted");
    let logs = [Log::Platform, id.into()];
    assert_eq!(subject.logs(10), logs, "the log of a deleted organization is listed");
    let events = subject.events(id.into());
    assert_eq!(events[..6], expected, "the events of a deleted organization stay");
    let query = EventQuery::new(id).with_total();
    assert_eq!(subject.page(&query).total, Some(7), "and are found as before");
    subject.put(id.into(), &mixed(1));
    assert_eq!(subject.head(id.into()).size.get(), 8, "its log still takes events");
}

pub(crate) fn survive_a_reopen(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let first = subject.created(acme());
    let second = subject.created(NewOrganization::new("B"));
    subject.put(new_log(), &mixed(2));
    let update = OrganizationUpdate::default().name("C").add_endpoint(endpoint("e"));
    let second = subject.update(second.id, update).expect("an organization can be updated");
    let events = subject.events(second.id.into());
    let subject = subject.reopen();
    for expected in [&first, &second] {
        let found = subject.organization(expected.id).expect("organizations survive a reopen");
        assert_eq!(found, *expected, "an organization survives a reopen as it was");
        assert!(found.updated_at <= Timestamp::now().saturating_add(Duration::from_secs(3_600)));
    }
    assert_eq!(subject.events(second.id.into()), events, "so do the events of its changes");
}
