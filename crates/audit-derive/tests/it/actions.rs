//! Enums of actions.

use audit_core::{
    Action, ActionDefinition, Actor, AuditAction, AuditContext, FieldCount, FieldDefinition,
    NewEvent, Severity, Target, limits,
};
use audit_derive::AuditAction;

#[path = "../../src/names.rs"]
#[allow(dead_code)]
mod names;

#[derive(AuditAction)]
enum Billing<'a> {
    /// A customer paid an invoice,
    /// in whole.
    ///
    /// Not when the bank confirms it.
    #[audit(action = "invoice.paid", severity = "low", since = "1.2", version = 2, ocsf = 6003)]
    InvoicePaid {
        /// The invoice.
        #[audit(target = "invoice")]
        r#ref: u64,
        #[audit(target = "coupon")]
        coupons: Vec<&'a str>,
        #[audit(attribute = "payment.method")]
        method: Option<Method>,
        #[audit(attribute)]
        r#type: char,
    },
    #[audit(action = "books.closed", summary = "The books of a year were closed")]
    BooksClosed,
}

enum Method {
    Card,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Card = self;
        f.write_str("card")
    }
}

#[test]
fn a_value_is_an_event_with_its_targets_and_attributes() {
    let paid =
        |method| Billing::InvoicePaid { r#ref: 9, coupons: vec!["A", "B"], method, r#type: 'x' };
    let context = AuditContext::new(Actor::user("u_7")).request_id("req-1");
    let event = context.clone().sync_scope(|| NewEvent::here(paid(Some(Method::Card)))).unwrap();
    let expected = context
        .new_event("invoice.paid")
        .id(event.id)
        .severity(Severity::LOW)
        .add_target(Target::new("invoice", "9"))
        .target("coupon", "A")
        .target("coupon", "B")
        .attribute("payment.method", "card")
        .attribute("type", "x");
    assert_eq!(event, expected);
    let event = NewEvent::new(paid(None), Actor::user("u_7"));
    assert_eq!(event.attributes.iter().collect::<Vec<_>>(), [("type", "x")]);
    let closed = NewEvent::new(Billing::BooksClosed, Actor::system());
    assert_eq!((closed.action, closed.severity), (Billing::BOOKS_CLOSED, None));
}

#[test]
fn the_definitions_say_what_the_enum_says() {
    let field = FieldDefinition::new;
    let paid = ActionDefinition::new("invoice.paid", "A customer paid an invoice, in whole")
        .with_severity("low")
        .with_since("1.2")
        .with_version(2)
        .with_ocsf_class(6003);
    let [first, second] = Billing::DEFINITIONS else { panic!("two actions") };
    assert_eq!(
        first.targets(),
        [
            field("invoice").with_summary("The invoice"),
            field("coupon").with_count(FieldCount::Many)
        ]
    );
    assert_eq!(
        first.attributes(),
        [field("payment.method").with_count(FieldCount::Optional), field("type")]
    );
    assert_eq!(first.with_targets(&[]).with_attributes(&[]), paid);
    assert_eq!(*second, ActionDefinition::new("books.closed", "The books of a year were closed"));
    assert_eq!(Billing::BooksClosed.definition(), second);
    assert_eq!(Billing::INVOICE_PAID, Action::from_static("invoice.paid"));
}

#[test]
fn the_rules_of_names_are_those_of_the_model() {
    assert_eq!(names::MAX_BYTES, limits::MAX_NAME_BYTES);
    assert_eq!(names::MAX_SEGMENTS, limits::MAX_ACTION_SEGMENTS);
    assert_eq!(names::MAX_ATTRIBUTES, limits::MAX_ATTRIBUTES);
    let reserved = Action::KNOWN.iter().filter(|action| action.is_reserved());
    assert_eq!(reserved.map(Action::as_str).collect::<Vec<_>>(), names::RESERVED);
    assert_eq!(Severity::KNOWN.iter().map(Severity::as_str).collect::<Vec<_>>(), names::SEVERITIES);
}
