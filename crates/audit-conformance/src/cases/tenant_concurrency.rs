//! Many callers at once that change organizations and keys.

use audit_core::{Action, ErrorKind, NewOrganization, OrganizationUpdate};

use super::api_keys::{Keys, admin};
use super::concurrency::{CALLERS, at_once};
use super::organizations::endpoint;
use crate::harness::NewTenantHarness;
use crate::samples::{At as _, event};
use crate::subject::Subject;

pub(crate) fn updates_of_an_organization_lose_nothing(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    let id = subject.created(NewOrganization::new("Acme")).id;
    at_once(|caller| {
        let subject = if caller % 2 == 0 { &subject } else { &other };
        for round in 0..5 {
            let add = endpoint(&format!("{caller}-{round}"));
            let update = OrganizationUpdate::default().add_endpoint(add);
            subject.update(id, update).expect("concurrent updates succeed");
        }
    });
    let organization = subject.organization(id).expect("an organization is readable");
    let mut ids: Vec<_> = organization.private_endpoints.into_iter().map(|e| e.id).collect();
    ids.sort_unstable();
    let expected: Vec<_> =
        (0..CALLERS).flat_map(|c| (0..5).map(move |round| format!("{c}-{round}"))).collect();
    assert_eq!(ids, expected, "of two updates at once, neither is lost");
    let events = subject.events(id.into());
    assert_eq!(events.len() as u64, 1 + CALLERS * 5, "each update leaves one event");
    let one_field = events[1..].iter().all(|event| event.change.diff.len() == 1);
    assert!(one_field, "each event has the difference from the state before");
}

pub(crate) fn creations_of_one_organization_have_one_winner(new: NewTenantHarness<'_>) {
    let subject = Subject::new(new);
    for _ in 0..3 {
        let new = NewOrganization::new("Acme");
        let id = new.id;
        let results = at_once(|caller| {
            let mut new = new.clone();
            new.name = format!("Acme {caller}");
            subject.create(new, event(0).at(0).actor.into())
        });
        let won: Vec<_> = results.iter().flatten().collect();
        assert_eq!(won.len(), 1, "an id is given once");
        let conflicts = results.iter().filter_map(|result| result.as_ref().err());
        assert!(conflicts.clone().all(|error| error.kind() == ErrorKind::Conflict));
        let found = subject.organization(id).expect("the winner's organization is there");
        assert_eq!(found, *won[0], "the winner's organization is kept");
        assert_eq!(subject.head(id.into()).size.get(), 1, "only the winner leaves an event");
    }
}

pub(crate) fn revocations_of_one_key_append_one_event(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let other = keys.with_other_handle();
    let id = keys.organization();
    for round in 1..=5 {
        let (key, _) = keys.created(id);
        let results = at_once(|caller| {
            let keys = if caller % 2 == 0 { &keys } else { &other };
            keys.revoked(key.id)
        });
        let found = keys.get(key.id).expect("a key is readable");
        assert!(found.revoked_at.is_some(), "the key is revoked");
        assert!(results.iter().all(|key| *key == found), "a key is revoked once");
        let events = 1 + round * 2;
        assert_eq!(keys.subject.sizes(id), [events; 2], "of many revocations one leaves an event");
    }
}

pub(crate) fn deletions_of_an_organization_end_the_creation_of_keys(new: NewTenantHarness<'_>) {
    let keys = Keys::new(new);
    let other = keys.with_other_handle();
    for _ in 0..5 {
        let id = keys.organization();
        let results = at_once(|caller| {
            let keys = if caller % 2 == 0 { &keys } else { &other };
            if caller == 0 {
                keys.subject.delete(id).expect("an organization can be deleted");
                return None;
            }
            Some(keys.create(admin(id)))
        });
        let created = results.iter().flatten().filter(|result| result.is_ok()).count();
        let errors = results.iter().flatten().filter_map(|result| result.as_ref().err());
        let not_found = errors.map(audit_core::Error::kind).all(|kind| kind == ErrorKind::NotFound);
        assert!(not_found, "a key that comes too late has no organization");
        assert_eq!(keys.all(id).len(), created, "each key is kept or refused");
        let mut events = keys.subject.events(id.into());
        let last = events.pop().expect("the deletion leaves an event");
        assert_eq!(last.action, Action::ORGANIZATION_DELETED, "no key is created after it");
        assert_eq!(events.len(), 1 + created, "each key that is kept leaves an event");
    }
}
