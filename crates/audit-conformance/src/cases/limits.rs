//! Events at the limits of the model, and beyond each.

use audit_core::limits::{
    MAX_ACTION_SEGMENTS, MAX_ATTRIBUTES, MAX_EVENT_BYTES, MAX_FIELD_CHANGES, MAX_ID_BYTES,
    MAX_JSON_DEPTH, MAX_NAME_BYTES, MAX_ON_BEHALF_OF, MAX_TARGETS, MAX_TEXT_BYTES,
};
use audit_core::{
    Actor, Change, EntityClass, Message, NewEvent, OrganizationRef, Outcome, Scope, Target,
};
use serde_json::{Value, json};

use crate::samples::{At as _, full};

fn base() -> NewEvent {
    NewEvent::new("user.login", Actor::user("u_1")).at(0)
}

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Returns a value nested to `levels`.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!(1), |value, _| json!([value]))
}

/// Returns `count` actors, each of whom acts for the next.
fn in_turn(count: usize, actor: impl Fn() -> Actor) -> Actor {
    (1..count).fold(actor(), |behalf, _| actor().on_behalf_of(behalf))
}

/// Returns the event with `count` attributes.
fn attributes(count: usize, event: NewEvent) -> NewEvent {
    (0..count).fold(event, |event, n| event.attribute(format!("key_{n}"), "value"))
}

/// Returns one event for each limit, which breaks it, with the field at fault.
pub(super) fn broken_limits() -> Vec<(&'static str, NewEvent)> {
    let (name, id, long) =
        (text(MAX_NAME_BYTES + 1), text(MAX_ID_BYTES + 1), text(MAX_TEXT_BYTES + 1));
    let user = || Actor::user("u");
    let by = |actor: Actor| base().actor(actor);
    let saying = |message: Message| base().message(message);
    let within = |scope: Scope| base().scope(scope);
    let to = |target: Target| base().target("a", "b").add_target(target);
    let diff = |field: &str| Change::default().field(field, None, None);
    let many_fields =
        (0..=MAX_FIELD_CHANGES).fold(Change::default(), |change, _| change.field("f", None, None));
    let many_targets =
        (0..=MAX_TARGETS).fold(base(), |event, _| event.add_target(Target::named("x")));
    vec![
        ("action", base().action("")),
        ("action", base().action(name.clone())),
        ("action", base().action("a.".repeat(MAX_ACTION_SEGMENTS))),
        ("action", base().action("user.*")),
        ("category", base().category(&name)),
        ("actor.kind", by(Actor::new(""))),
        ("actor.kind", by(Actor::new(name.clone()))),
        ("actor.id", by(user().id(&id))),
        ("actor.name", by(user().name(&long))),
        ("actor.email", by(user().email(&id))),
        ("actor.ip", by(user().ip(&id))),
        ("actor.userAgent", by(user().user_agent(&long))),
        ("actor.details", by(user().details(&long))),
        ("actor.entityClass", by(user().entity_class(EntityClass::new(name.clone())))),
        ("actor.organization.id", by(user().organization(OrganizationRef::new(&id)))),
        ("actor.organization.name", by(user().organization(OrganizationRef::new("o").name(&long)))),
        ("actor.sessionId", by(user().session_id(&id))),
        ("actor.onBehalfOf.kind", by(user().on_behalf_of(Actor::new("")))),
        ("actor.onBehalfOf.id", by(user().on_behalf_of(user().id(&id)))),
        ("actor.onBehalfOf.name", by(user().on_behalf_of(user().name(&long)))),
        (
            "actor.onBehalfOf.onBehalfOf.sessionId",
            by(user().on_behalf_of(user().on_behalf_of(user().session_id(&id)))),
        ),
        (
            "actor.onBehalfOf.onBehalfOf.onBehalfOf.onBehalfOf.onBehalfOf",
            by(in_turn(MAX_ON_BEHALF_OF + 2, user)),
        ),
        ("outcome.result", base().outcome(Outcome::new(""))),
        ("outcome.result", base().outcome(Outcome::new(name.clone()))),
        ("outcome.code", base().outcome(Outcome::failure().code(&id))),
        ("severity", base().severity("")),
        ("severity", base().severity(name.clone())),
        ("targets", many_targets),
        ("targets[1]", to(Target::default())),
        ("targets[1].type", to(Target::of_kind(&name))),
        ("targets[1].id", to(Target::with_id(&id))),
        ("targets[1].name", to(Target::named(&long))),
        ("organization.id", base().organization(OrganizationRef::new(&id))),
        ("organization.name", base().organization(OrganizationRef::new("o").name(&long))),
        ("scope.service", within(Scope::default().service(&id))),
        ("scope.product", within(Scope::default().product(&id))),
        ("scope.config", within(Scope::default().config(&id))),
        ("scope.environment", within(Scope::default().environment(&id))),
        ("scope.surface", within(Scope::default().surface(name.clone()))),
        ("change.diff", base().change(many_fields)),
        ("change.diff[0].field", base().change(diff(&long))),
        ("change.old", base().change(Change::default().with_old(nested(MAX_JSON_DEPTH + 2)))),
        ("change.new", base().change(Change::default().with_new(nested(MAX_JSON_DEPTH + 2)))),
        (
            "change.diff[0].new",
            base().change(Change::default().field("f", None, Some(nested(MAX_JSON_DEPTH + 2)))),
        ),
        ("message.title", saying(Message::default().title(&long))),
        ("message.text", saying(Message::text(&long))),
        ("message.key", saying(Message::default().key(&long))),
        ("message.params", saying(Message::default().params(&long))),
        ("location", base().location(&long)),
        ("reason", base().reason(&long)),
        ("request.method", base().request(&name, "/")),
        ("request.path", base().request("GET", &long)),
        ("request.id", base().request_id(&id)),
        ("attributes", attributes(MAX_ATTRIBUTES + 1, base())),
        ("attributes", base().attribute("", "v")),
        ("attributes", base().attribute(&name, "v")),
        ("attributes.plan", base().attribute("plan", &id)),
        ("source.system", base().source("", "1")),
        ("source.system", base().source(&name, "1")),
        ("source.id", base().source("s", &id)),
        ("metadata", base().metadata("deep", nested(MAX_JSON_DEPTH + 2))),
        // The whole event, which is no field of itself.
        ("", base().metadata("large", text(MAX_EVENT_BYTES))),
    ]
}

/// Returns events in which every limit is reached: the texts in one, the numbers of things in another.
pub(super) fn events_at_the_limits() -> Vec<NewEvent> {
    let (name, id, long) = (text(MAX_NAME_BYTES), text(MAX_ID_BYTES), text(MAX_TEXT_BYTES));
    let organization = OrganizationRef::new(&id).name(&long);
    let actor = Actor::new(name.clone())
        .id(&id)
        .name(&long)
        .email(&id)
        .ip(&id)
        .user_agent(&long)
        .details(&long)
        .organization(organization.clone())
        .entity_class(EntityClass::new(name.clone()))
        .session_id(&id)
        .on_behalf_of(in_turn(MAX_ON_BEHALF_OF, || Actor::new(name.clone()).id(&id)));
    let scope = Scope::default()
        .service(&id)
        .product(&id)
        .config(&id)
        .environment(&id)
        .surface(name.clone());
    let texts = base()
        .action(name.clone())
        .category(&name)
        .actor(actor)
        .outcome(Outcome::new(name.clone()).code(&id))
        .severity(name.clone())
        .add_target(Target::new(&name, &id).name(&long))
        .organization(organization)
        .scope(scope)
        .change(Change::default().field(&long, None, None))
        .message(Message::text(&long).title(&long).key(&long).params(&long))
        .location(&long)
        .reason(&long)
        .request(&name, &long)
        .request_id(&id)
        .attribute(&name, &id)
        .source(&name, &id);
    let change = (0..MAX_FIELD_CHANGES).fold(
        Change::default().with_old(nested(MAX_JSON_DEPTH)).with_new(nested(MAX_JSON_DEPTH)),
        |change, n| change.field(n.to_string(), Some(json!(n)), None),
    );
    let numbers = attributes(MAX_ATTRIBUTES, base())
        .action(vec!["a"; MAX_ACTION_SEGMENTS].join("."))
        .change(change)
        .metadata("deep", nested(MAX_JSON_DEPTH - 1));
    let numbers = (0..MAX_TARGETS).fold(numbers, |event, n| event.target("item", n.to_string()));
    let large = full().metadata("large", text(MAX_EVENT_BYTES - 8 * 1_024));
    vec![texts, numbers, large]
}
