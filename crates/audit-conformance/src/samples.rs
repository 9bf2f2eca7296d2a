//! Events to test with.

use audit_core::{
    Actor, Change, ChangeSetId, EntityClass, Facet, Filter, Log, Message, NewEvent, OrganizationId,
    OrganizationRef, Outcome, Receipt, Scope, Sequence, Severity, Surface, Target, Timestamp,
    Trace,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Returns `second` seconds after an instant of 2024.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_710_514_131 + second) * 1_000_000).expect("a time in 2024")
}

pub(crate) fn sequence(number: u64) -> Sequence {
    Sequence::new(number).expect("a small number")
}

/// Returns the log of an organization that no other test knows.
pub(crate) fn new_log() -> Log {
    Log::organization(OrganizationId::new())
}

/// Returns an event that occurs at second `n`.
pub(crate) fn event(n: i64) -> NewEvent {
    NewEvent::new("item.updated", Actor::user("u_1")).target("item", format!("i_{n}")).at(n)
}

pub(crate) fn events(count: i64) -> Vec<NewEvent> {
    (0..count).map(event).collect()
}

/// Returns events of few values, so that filters find many, with ties and with times that go back.
pub(crate) fn mixed(count: i64) -> Vec<NewEvent> {
    let pick = |n: i64, of: &[&'static str]| of[usize::try_from(n).unwrap() % of.len()];
    (0..count)
        .map(|n| {
            NewEvent::new(
                pick(n, &["user.login", "user.login.failed", "item.updated"]),
                Actor::user(pick(n / 2, &["u_1", "u_2"])),
            )
            .target(pick(n, &["item", "team"]), pick(n / 3, &["1", "2", "3"]))
            .at((n * 7) % 5)
        })
        .collect()
}

/// Returns an event with every field set.
pub(crate) fn full() -> NewEvent {
    let actor = Actor::user("u_7")
        .name("Ana")
        .email("ana@example.org")
        .ip("2001:db8::7")
        .user_agent("Mozilla/5.0")
        .details("on call")
        .organization(OrganizationRef::new("org_8").name("Partner"))
        .entity_class(EntityClass::from_static("identity"))
        .session_id("sess_7")
        .on_behalf_of(
            Actor::new("agent").id("bot_1").on_behalf_of(
                Actor::user("u_9")
                    .name("Bruno")
                    .email("bruno@example.org")
                    .ip("192.0.2.9")
                    .user_agent("curl/8")
                    .details("off duty")
                    .organization(OrganizationRef::new("org_9").name("Umbrella"))
                    .entity_class(EntityClass::from_static("identity"))
                    .session_id("sess_9"),
            ),
        );
    let scope = Scope::default()
        .service("svc_1")
        .product("prd_1")
        .config("cfg_1")
        .environment("env_1")
        .surface(Surface::from_static("cost"));
    let mut change = Change::default()
        .with_old(json!({"paid": false}))
        .with_new(json!({"paid": true}))
        .field("paid", Some(json!(false)), Some(json!(true)))
        .field("note", None, Some(Value::Null));
    change.truncated = true;
    let message = Message::text("Ana paid invoice 9")
        .title("Invoice paid")
        .key("InvoicePaid")
        .params(r#"["9"]"#);
    NewEvent::new("invoice.item.paid", actor)
        .at(0)
        .category("billing")
        .add_target(Target::new("invoice", "inv_9").name("March"))
        .add_target(Target::of_kind("ledger"))
        .add_target(Target::with_id("x_1"))
        .add_target(Target::named("nameless"))
        .organization(OrganizationRef::new("org_7").name("Acme"))
        .scope(scope)
        .change(change)
        .change_set_id(ChangeSetId::new())
        .message(message)
        .location("checkout")
        .reason("month's end")
        .submitted_by("key_7")
        .request("POST", "/invoices/9/pay")
        .route("/invoices/{id}/pay")
        .request_id("req_1")
        .trace(trace("4bf92f3577b34da6a3ce929d0e0e4736"))
        .outcome(Outcome::failure().code("card_declined"))
        .severity(Severity::HIGH)
        .attribute("region", "eu")
        .attribute("plan", "pro")
        .source("erp", "4711")
        .metadata("attempt", 2)
        .metadata("nested", json!({"list": [1, "two", null, {"three": 3.5}]}))
}

/// Returns the span `00f067aa0ba902b7` of a trace.
pub(crate) fn trace(id: &str) -> Trace {
    let span = "00f067aa0ba902b7".parse().expect("a span id");
    Trace::new(id.parse().expect("a trace id")).span_id(span)
}

/// Returns two values that events can have of `facet`, which no sample event has of another facet.
pub(crate) fn values_of(facet: Facet) -> [String; 2] {
    match facet {
        Facet::ChangeSet => [7, 8].map(|n| Uuid::from_u128(n).to_string()),
        Facet::Involving => ["gamma", "delta"].map(str::to_owned),
        Facet::Attribute | Facet::Source | Facet::Target => {
            ["alpha=one", r"al\\pha\=o=ne"].map(str::to_owned)
        }
        Facet::OnBehalfOf => ["epsilon", "zeta"].map(str::to_owned),
        Facet::Trace => [7, 8].map(|n| format!("{n:032x}")),
        _ => ["alpha.one", "beta"].map(str::to_owned),
    }
}

/// Returns values that a filter accepts of `facet`, and that no sample event has.
pub(crate) fn absent_values_of(facet: Facet) -> Vec<String> {
    let mut values = match facet {
        Facet::ChangeSet => vec![Uuid::from_u128(9).to_string()],
        Facet::Trace => vec![format!("{:032x}", 9)],
        Facet::Attribute | Facet::Source | Facet::Target => {
            ["none=one", "alpha=", "=one"].map(str::to_owned).to_vec()
        }
        _ => ["none", "alpha", "alpha.one.", ""].map(str::to_owned).to_vec(),
    };
    // A value that no event can have is rejected: an empty action, for example.
    values.retain(|value| Filter::new().with(facet, value).validate().is_ok());
    values
}

/// Returns an event that has `value` of `facet`.
pub(crate) fn event_with(facet: Facet, value: &str) -> NewEvent {
    let event = NewEvent::new("some.thing", Actor::unknown()).at(0);
    let (actor, scope) = (Actor::unknown(), Scope::default());
    let value = value.to_owned();
    match facet {
        Facet::Action => event.action(value),
        Facet::Category => event.category(value),
        Facet::ActorKind => event.actor(Actor::new(value)),
        Facet::ActorId => event.actor(actor.id(value)),
        Facet::ActorEmail => event.actor(actor.email(value)),
        Facet::TargetType => {
            event.add_target(Target::named("first")).add_target(Target::of_kind(value))
        }
        Facet::TargetId => {
            event.add_target(Target::named("first")).add_target(Target::with_id(value))
        }
        Facet::ActorIp => event.actor(actor.ip(value)),
        Facet::OnBehalfOf => {
            let principal = Actor::unknown().on_behalf_of(Actor::user(value));
            event.actor(actor.on_behalf_of(principal))
        }
        Facet::Session => event.actor(actor.session_id(value)),
        Facet::Involving => event.target("some", value),
        Facet::Outcome => event.outcome(Outcome::new(value)),
        Facet::Severity => event.severity(value),
        Facet::Target => event.target(pair(&value).0, pair(&value).1),
        Facet::Source => event.source(pair(&value).0, pair(&value).1),
        Facet::Attribute => event.attribute(pair(&value).0, pair(&value).1),
        Facet::Request => event.request_id(value),
        Facet::Trace => event.trace(trace(&value)),
        Facet::SourceSystem => event.source(value, "1"),
        Facet::Organization => event.organization(OrganizationRef::new(value)),
        Facet::Service => event.scope(scope.service(value)),
        Facet::Product => event.scope(scope.product(value)),
        Facet::Config => event.scope(scope.config(value)),
        Facet::Environment => event.scope(scope.environment(value)),
        Facet::Surface => event.scope(scope.surface(value)),
        Facet::ChangeSet => event.change_set_id(value.parse::<Uuid>().expect("a UUID")),
        other => panic!("no sample has a value of {other:?}: add one"),
    }
}

/// Returns the pair that a value of [`values_of`] is the form of.
fn pair(value: &str) -> (&'static str, &'static str) {
    if value == "alpha=one" { ("alpha", "one") } else { (r"al\pha=o", "ne") }
}

/// Returns the receipt of a later delivery of the event of `first`.
pub(crate) fn redelivered(mut first: Receipt) -> Receipt {
    first.redelivered = true;
    first
}

/// A short way to say when an event occurs.
pub(crate) trait At {
    /// Returns the same event, at second `n`.
    fn at(self, n: i64) -> Self;
}

impl At for NewEvent {
    fn at(self, n: i64) -> Self {
        self.occurred_at(at(n))
    }
}
