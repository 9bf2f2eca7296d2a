//! Events at the limits of the model, and beyond each.

use audit_core::limits::{
    MAX_ACTION_SEGMENTS, MAX_ATTRIBUTES, MAX_EVENT_BYTES, MAX_FIELD_CHANGES, MAX_ID_BYTES,
    MAX_JSON_DEPTH, MAX_NAME_BYTES, MAX_ON_BEHALF_OF, MAX_TARGETS, MAX_TEXT_BYTES,
};
use audit_core::{
    Actor, Change, EntityClass, Message, NewEvent, OrganizationRef, Outcome, Scope, Target,
    Violation, backend::PreparedEvent,
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

/// Returns the actors 1 to `count`, each of whom acts for the one before.
fn in_turn(count: usize, actor: impl Fn(usize) -> Actor) -> Actor {
    (2..=count).fold(actor(1), |principal, n| actor(n).on_behalf_of(principal))
}

/// Returns the event with `count` attributes.
fn attributes(count: usize, event: NewEvent) -> NewEvent {
    (0..count).fold(event, |event, n| event.attribute(format!("key_{n:02}"), n.to_string()))
}

/// A rule, and events that each break it, with the field at fault.
pub(crate) type BrokenRule = (Violation, Vec<(&'static str, NewEvent)>);

/// Returns events that each exceed one limit by one, with the field at fault, by the rule.
pub(crate) fn broken_limits() -> Vec<BrokenRule> {
    let mut broken = too_long_texts();
    let user = || Actor::user("u");
    let by = |actor: Actor| base().actor(actor);
    let for_another = |principal: Actor| by(user().on_behalf_of(principal));
    let to = |target: Target| base().target("a", "b").add_target(target);
    let deep = || nested(MAX_JSON_DEPTH + 1);
    let too_many = |limit| Violation::TooMany { limit, actual: limit + 1 };
    let malformed = |expected| Violation::Malformed { expected };
    let depths = vec![
        ("change.old", base().change(Change::default().with_old(deep()))),
        ("change.new", base().change(Change::default().with_new(deep()))),
        ("change.diff[0].new", base().change(Change::default().field("f", None, Some(deep())))),
        ("metadata", base().metadata("deep", nested(MAX_JSON_DEPTH))),
    ];
    let empty = vec![
        ("action", base().action("")),
        ("actor.kind", by(Actor::new(""))),
        ("actor.onBehalfOf.kind", for_another(Actor::new(""))),
        ("outcome.result", base().outcome(Outcome::new(""))),
        ("severity", base().severity("")),
        ("targets[1]", to(Target::default())),
        ("source.system", base().source("", "1")),
    ];
    let segments = ["a"; MAX_ACTION_SEGMENTS + 1].join(".");
    let fields =
        (0..=MAX_FIELD_CHANGES).fold(Change::default(), |change, _| change.field("f", None, None));
    let targets = (0..=MAX_TARGETS).fold(base(), |event, _| event.add_target(Target::named("x")));
    let principals = in_turn(MAX_ON_BEHALF_OF + 2, |_| user());
    let keys = "an object with keys of 1 to 256 bytes";
    broken.extend([
        (Violation::TooDeep { limit: MAX_JSON_DEPTH }, depths),
        (Violation::Empty, empty),
        (too_many(MAX_ACTION_SEGMENTS), vec![("action", base().action(segments))]),
        (malformed("an action without `*`"), vec![("action", base().action("user.*"))]),
        (
            Violation::TooDeep { limit: MAX_ON_BEHALF_OF },
            vec![("actor.onBehalfOf.onBehalfOf.onBehalfOf.onBehalfOf.onBehalfOf", by(principals))],
        ),
        (too_many(MAX_TARGETS), vec![("targets", targets)]),
        (too_many(MAX_FIELD_CHANGES), vec![("change.diff", base().change(fields))]),
        (too_many(MAX_ATTRIBUTES), vec![("attributes", attributes(MAX_ATTRIBUTES + 1, base()))]),
        (
            malformed(keys),
            vec![
                ("attributes", base().attribute("", "v")),
                ("attributes", base().attribute(text(MAX_NAME_BYTES + 1), "v")),
            ],
        ),
        // The whole event, which is no field of itself.
        (too_long(MAX_EVENT_BYTES), vec![("", of_size(MAX_EVENT_BYTES + 1, &base()))]),
    ]);
    broken
}

fn too_long(limit: usize) -> Violation {
    Violation::TooLong { limit, actual: limit + 1 }
}

/// Returns events with one text that is a byte too long.
fn too_long_texts() -> Vec<BrokenRule> {
    let (name, id, long) =
        (text(MAX_NAME_BYTES + 1), text(MAX_ID_BYTES + 1), text(MAX_TEXT_BYTES + 1));
    let user = || Actor::user("u");
    let by = |actor: Actor| base().actor(actor);
    let for_another = |principal: Actor| by(user().on_behalf_of(principal));
    let saying = |message: Message| base().message(message);
    let within = |scope: Scope| base().scope(scope);
    let to = |target: Target| base().target("a", "b").add_target(target);
    let of = |organization: OrganizationRef| by(user().organization(organization));
    let diff = |field: &str| Change::default().field(field, None, None);
    let names = vec![
        ("action", base().action(name.clone())),
        ("category", base().category(&name)),
        ("actor.kind", by(Actor::new(name.clone()))),
        ("actor.entityClass", by(user().entity_class(EntityClass::new(name.clone())))),
        ("outcome.result", base().outcome(Outcome::new(name.clone()))),
        ("severity", base().severity(name.clone())),
        ("targets[1].type", to(Target::of_kind(&name))),
        ("scope.surface", within(Scope::default().surface(name.clone()))),
        ("request.method", base().request(&name, "/")),
        ("source.system", base().source(&name, "1")),
    ];
    let ids = vec![
        ("actor.id", by(user().id(&id))),
        ("actor.email", by(user().email(&id))),
        ("actor.ip", by(user().ip(&id))),
        ("actor.sessionId", by(user().session_id(&id))),
        ("actor.organization.id", of(OrganizationRef::new(&id))),
        ("actor.onBehalfOf.id", for_another(user().id(&id))),
        (
            "actor.onBehalfOf.onBehalfOf.sessionId",
            for_another(user().on_behalf_of(user().session_id(&id))),
        ),
        ("outcome.code", base().outcome(Outcome::failure().code(&id))),
        ("targets[1].id", to(Target::with_id(&id))),
        ("organization.id", base().organization(OrganizationRef::new(&id))),
        ("scope.service", within(Scope::default().service(&id))),
        ("scope.product", within(Scope::default().product(&id))),
        ("scope.config", within(Scope::default().config(&id))),
        ("scope.environment", within(Scope::default().environment(&id))),
        ("request.id", base().request_id(&id)),
        ("attributes.plan", base().attribute("plan", &id)),
        ("source.id", base().source("s", &id)),
    ];
    let texts = vec![
        ("actor.name", by(user().name(&long))),
        ("actor.userAgent", by(user().user_agent(&long))),
        ("actor.details", by(user().details(&long))),
        ("actor.organization.name", of(OrganizationRef::new("o").name(&long))),
        ("actor.onBehalfOf.name", for_another(user().name(&long))),
        ("targets[1].name", to(Target::named(&long))),
        ("organization.name", base().organization(OrganizationRef::new("o").name(&long))),
        ("change.diff[0].field", base().change(diff(&long))),
        ("message.title", saying(Message::default().title(&long))),
        ("message.text", saying(Message::text(&long))),
        ("message.key", saying(Message::default().key(&long))),
        ("message.params", saying(Message::default().params(&long))),
        ("location", base().location(&long)),
        ("reason", base().reason(&long)),
        ("request.path", base().request("GET", &long)),
    ];
    vec![
        (too_long(MAX_NAME_BYTES), names),
        (too_long(MAX_ID_BYTES), ids),
        (too_long(MAX_TEXT_BYTES), texts),
    ]
}

/// Returns the event with as much metadata as makes it `bytes` large as stored.
pub(crate) fn of_size(bytes: usize, event: &NewEvent) -> NewEvent {
    let with = |length| event.clone().metadata("large", text(length));
    let least = PreparedEvent::new(&with(0)).expect("it is not large yet").size();
    with(bytes - least)
}

/// Returns events in which every limit is reached: the texts in one, the numbers of things in another.
pub(crate) fn events_at_the_limits() -> Vec<NewEvent> {
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
        .on_behalf_of(in_turn(MAX_ON_BEHALF_OF, |_| Actor::new(name.clone()).id(&id)));
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
    // The first of them is the last in turn.
    let actors = in_turn(MAX_ON_BEHALF_OF + 1, |n| {
        let of = |what: &str| format!("{what}_{n}");
        let actor = Actor::user(of("id")).name(of("name")).email(of("email")).ip(of("ip"));
        let actor = actor.user_agent(of("agent")).details(of("details")).session_id(of("session"));
        actor.organization(OrganizationRef::new(of("organization")).name(of("organization")))
    });
    let numbers = attributes(MAX_ATTRIBUTES, base())
        .actor(actors)
        .action(vec!["a"; MAX_ACTION_SEGMENTS].join("."))
        .change(change)
        .metadata("deep", nested(MAX_JSON_DEPTH - 1));
    let numbers = (0..MAX_TARGETS).fold(numbers, |event, n| {
        event.add_target(Target::new(format!("type_{n}"), format!("id_{n}")).name(n.to_string()))
    });
    vec![texts, numbers, of_size(MAX_EVENT_BYTES, &full())]
}
