//! Which events are as the catalogue says.

use audit_catalogue::Catalogue;
use audit_core::{Actor, Attempt, Log, NewEvent, Target, Violation};
use audit_derive::AuditAction;
use audit_memory::MemoryStore;
use futures_executor::block_on;

use crate::{Billing, named, paid};

#[test]
fn a_value_of_the_enum_makes_an_event_of_the_catalogue() {
    let catalogue = Catalogue::of::<Billing>();
    for event in
        [paid(), named("books.closed"), NewEvent::new(Billing::BooksClosed, Actor::system())]
    {
        catalogue.check(&event).unwrap();
    }
}

#[test]
fn each_fault_names_its_field() {
    let too_many = || Violation::TooMany { limit: 1, actual: 2 };
    let without = |kind: &str| {
        let mut event = paid();
        event.targets.retain(|target| target.kind.as_deref() != Some(kind));
        event
    };
    let mut no_method = paid();
    no_method.attributes.remove("method");
    let cases = [
        ("action", named("invoice.payed"), None),
        ("action", named("invoice"), None),
        ("targets[3].type", paid().target("refund", "1"), None),
        ("targets[0].type", named("books.closed").add_target(Target::named("2026")), None),
        ("targets[invoice]", without("invoice"), Some(Violation::Missing)),
        ("targets[invoice]", paid().target("invoice", "8"), Some(too_many())),
        (
            "targets[customer]",
            paid().target("customer", "1").target("customer", "2"),
            Some(too_many()),
        ),
        ("attributes.colour", paid().attribute("colour", "red"), Some(Violation::UnknownField)),
        ("attributes.method", no_method, Some(Violation::Missing)),
    ];
    for (field, event, violation) in cases {
        let error = Catalogue::of::<Billing>().check(&event).unwrap_err();
        assert_eq!(error.field(), Some(field));
        if violation.is_some() {
            assert_eq!(error.violation(), violation.as_ref(), "{field}");
        }
    }
}

#[test]
fn actions_that_are_allowed_may_state_anything() {
    let catalogue = Catalogue::of::<Billing>().allowing("http.*").allowing("ping");
    for action in ["http.post", "http.a.b", "ping"] {
        catalogue.check(&named(action).target("x", "1").attribute("y", "2")).unwrap();
    }
    for action in ["http", "https.post", "pings"] {
        assert!(catalogue.check(&named(action)).is_err(), "{action}");
    }
    // What is defined is not allowed to be otherwise.
    assert!(Catalogue::of::<Billing>().allowing("*").check(&named("invoice.paid")).is_err());
}

#[test]
fn the_events_of_an_attempt_are_those_of_its_action() {
    let catalogue = Catalogue::of::<Billing>();
    let store = MemoryStore::new().unwrap();
    let strict = audit_catalogue::Strict::refusing(store, catalogue);
    let attempt = block_on(Attempt::begin(&strict, Log::Platform, paid())).unwrap();
    block_on(attempt.end(&strict, audit_core::Outcome::success())).unwrap();
    let other = block_on(Attempt::begin(&strict, Log::Platform, named("invoice.payed")));
    assert_eq!(other.unwrap_err().field(), Some("events[0].action"));
}

#[test]
fn an_action_of_two_enums_is_known() {
    #[derive(AuditAction)]
    enum Books {
        /// The books were closed.
        #[audit(action = "books.closed")]
        #[allow(dead_code)]
        Closed,
    }
    let catalogue = Catalogue::of::<Billing>().and::<Books>();
    assert_eq!(catalogue.duplicates(), ["books.closed"]);
    assert_eq!(catalogue.get("books.closed").unwrap().summary(), "The books of a year were closed");
    assert!(Catalogue::of::<Billing>().duplicates().is_empty());
}
