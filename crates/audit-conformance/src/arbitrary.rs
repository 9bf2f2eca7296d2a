//! Any event, and the filters that find it.

use audit_core::{
    Actor, Attributes, AuditEvent, Change, EventId, Facet, FieldChange, Filter, Message, NewEvent,
    OrganizationRef, Outcome, RequestInfo, Scope, Source, SpanId, Target, Timestamp, Trace,
    TraceId,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Any event that a log accepts. Every field is present in some events and absent in others.
pub(crate) fn event() -> impl Strategy<Value = NewEvent> {
    // Two events that shrink to one id would conflict.
    let id = any::<u128>().prop_map(|id| EventId::from_uuid(Uuid::from_u128(id))).no_shrink();
    let outcome = (word(), option::of(text())).prop_map(|(result, code)| {
        let outcome = Outcome::new(result);
        code.into_iter().fold(outcome, Outcome::code)
    });
    let source = (word(), text()).prop_map(|(system, id)| Source::new(system, id));
    let change_set = any::<u128>().prop_map(|id| Uuid::from_u128(id).into());
    let attributes = vec((word(), text()), 0..4).prop_map(Attributes::from_iter);
    (
        (id, time(), action(), option::of(text()), actor()),
        (option::of(outcome), option::of(word()), vec(target(), 0..4)),
        (option::of(organization()), scope(), change(), option::of(change_set), message()),
        (option::of(text()), option::of(text()), request(), option::of(trace())),
        (option::of(source), attributes, object()),
    )
        .prop_map(
            |(
                head,
                (outcome, severity, targets),
                body,
                (location, reason, request, trace),
                tail,
            )| {
                let (id, occurred_at, action, category, actor) = head;
                let (organization, scope, change, change_set_id, message) = body;
                let (source, attributes, metadata) = tail;
                let mut event = NewEvent::new(action, actor).id(id).occurred_at(occurred_at);
                (event.category, event.targets) = (category, targets);
                (event.outcome, event.severity) = (outcome, severity.map(Into::into));
                (event.organization, event.scope, event.change) = (organization, scope, change);
                (event.change_set_id, event.message) = (change_set_id, message);
                (event.location, event.reason) = (location, reason);
                (event.request, event.trace, event.source) = (request, trace, source);
                (event.attributes, event.metadata) = (attributes, metadata);
                event
            },
        )
}

/// Texts that often occur twice, that are hard to index, and any other.
fn text() -> impl Strategy<Value = String> {
    let words = select(vec!["", "1", "2", "a=b", r"\=", "É@x", "é@x", "\0", " ", "user"]);
    prop_oneof![3 => words.prop_map(str::to_owned), 1 => any::<String>()]
}

/// A text that is not empty.
fn word() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "word".to_owned() } else { text })
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => any::<i64>().prop_map(Timestamp::from_nanos),
        2 => (-3_i64..3).prop_map(Timestamp::from_nanos),
        1 => select(vec![Timestamp::MIN, Timestamp::MAX]),
    ]
}

fn action() -> impl Strategy<Value = String> {
    let known = select(vec!["user", "user.login", "user.login.failed", "item.updated"]);
    // `*` is reserved for patterns, and the number of dots is limited.
    let other = word().prop_map(|word| word.replace(['*', '.'], "-"));
    prop_oneof![known.prop_map(str::to_owned), other]
}

fn organization() -> impl Strategy<Value = OrganizationRef> {
    (text(), option::of(text())).prop_map(|(id, name)| {
        let mut organization = OrganizationRef::new(id);
        organization.name = name;
        organization
    })
}

/// An actor, alone or on behalf of up to four others in turn.
fn actor() -> impl Strategy<Value = Actor> {
    vec(one_actor(), 1..=5).prop_map(|actors| {
        let nested =
            actors.into_iter().rev().reduce(|principal, actor| actor.on_behalf_of(principal));
        nested.expect("at least one actor")
    })
}

fn one_actor() -> impl Strategy<Value = Actor> {
    (
        (word(), option::of(text()), option::of(text()), option::of(text()), option::of(text())),
        (option::of(text()), option::of(text()), option::of(organization())),
        (option::of(text()), option::of(text())),
    )
        .prop_map(|((kind, id, name, email, ip), (user_agent, details, organization), ids)| {
            let (entity_class, session_id) = ids;
            let mut actor = Actor::new(kind);
            (actor.id, actor.name, actor.email, actor.ip) = (id, name, email, ip);
            (actor.user_agent, actor.details) = (user_agent, details);
            actor.organization = organization;
            actor.entity_class = entity_class.map(Into::into);
            actor.session_id = session_id;
            actor
        })
}

fn target() -> impl Strategy<Value = Target> {
    let one = "a target has a type, an id or a name";
    (option::of(text()), option::of(text()), option::of(text()))
        .prop_filter_map(one, |(kind, id, name)| Target::from_parts(kind, id, name))
}

fn scope() -> impl Strategy<Value = Scope> {
    let id = || option::of(text());
    (id(), id(), id(), id(), option::of(text())).prop_map(
        |(service, product, config, environment, surface)| {
            let mut scope = Scope::default();
            (scope.service, scope.product) = (service, product);
            (scope.config, scope.environment) = (config, environment);
            scope.surface = surface.map(Into::into);
            scope
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    let field = (text(), option::of(value()), option::of(value()))
        .prop_map(|(field, old, new)| FieldChange::new(field, old, new));
    (option::of(value()), option::of(value()), vec(field, 0..3), any::<bool>()).prop_map(|parts| {
        let mut change = Change::default();
        (change.old, change.new, change.diff, change.truncated) = parts;
        change
    })
}

fn message() -> impl Strategy<Value = Message> {
    (option::of(text()), option::of(text()), option::of(text()), option::of(text())).prop_map(
        |parts| {
            let mut message = Message::default();
            (message.title, message.text, message.key, message.params) = parts;
            message
        },
    )
}

fn request() -> impl Strategy<Value = RequestInfo> {
    (option::of(text()), option::of(text()), option::of(text())).prop_map(|parts| {
        let mut request = RequestInfo::default();
        (request.method, request.path, request.id) = parts;
        request
    })
}

fn trace() -> impl Strategy<Value = Trace> {
    let trace_id = (1_u128..).prop_map(|id| TraceId::from_bytes(id.to_be_bytes()).expect("an id"));
    let span_id = (1_u64..).prop_map(|id| SpanId::from_bytes(id.to_be_bytes()).expect("an id"));
    (trace_id, option::of(span_id)).prop_map(|(trace_id, span_id)| {
        span_id.into_iter().fold(Trace::new(trace_id), Trace::span_id)
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(text(), value(), 0..4).prop_map(Map::from_iter)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from), // null for a number that JSON does not have
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |below| {
        prop_oneof![
            vec(below.clone(), 0..3).prop_map(Value::from),
            btree_map(text(), below, 0..3).prop_map(|map| Value::Object(Map::from_iter(map))),
        ]
    })
}

/// The filters on `facet` that find `event`: one for each value that it has.
pub(crate) fn filters_by(facet: Facet, event: &AuditEvent) -> Vec<Filter> {
    let filter = Filter::new;
    let of_actors = |actors: &dyn Fn(&Actor) -> Option<String>, skip: usize| {
        event.actor.chain().skip(skip).filter_map(actors).collect::<Vec<_>>()
    };
    let of_targets = |field: fn(&Target) -> Option<String>| -> Vec<_> {
        event.targets.iter().filter_map(field).collect()
    };
    let id = |actor: &Actor| actor.id.clone();
    let scope = &event.scope;
    let values = match facet {
        Facet::Action => {
            let action = event.action.as_str();
            let above = action.match_indices('.').map(|(dot, _)| format!("{}.*", &action[..dot]));
            above.chain([action.to_owned()]).collect()
        }
        Facet::Category => Vec::from_iter(event.category.clone()),
        Facet::ActorKind => vec![event.actor.kind.as_str().to_owned()],
        Facet::ActorId => Vec::from_iter(event.actor.id.clone()),
        Facet::ActorEmail => Vec::from_iter(event.actor.email.clone()),
        Facet::ActorIp => Vec::from_iter(event.actor.ip.clone()),
        Facet::OnBehalfOf => of_actors(&id, 1),
        Facet::Session => of_actors(&|actor| actor.session_id.clone(), 0),
        Facet::Involving => [of_actors(&id, 0), of_targets(|target| target.id.clone())].concat(),
        Facet::Outcome => event.outcome.iter().map(|o| o.result.as_str().to_owned()).collect(),
        Facet::Severity => event.severity.iter().map(|s| s.as_str().to_owned()).collect(),
        Facet::TargetType => of_targets(|target| target.kind.clone()),
        Facet::TargetId => of_targets(|target| target.id.clone()),
        Facet::Organization => event.organization.iter().map(|o| o.id.clone()).collect(),
        Facet::Service => Vec::from_iter(scope.service.clone()),
        Facet::Product => Vec::from_iter(scope.product.clone()),
        Facet::Config => Vec::from_iter(scope.config.clone()),
        Facet::Environment => Vec::from_iter(scope.environment.clone()),
        Facet::Surface => scope.surface.iter().map(|s| s.as_str().to_owned()).collect(),
        Facet::ChangeSet => event.change_set_id.iter().map(ToString::to_string).collect(),
        Facet::Request => Vec::from_iter(event.request.id.clone()),
        Facet::Trace => event.trace.iter().map(|trace| trace.trace_id.to_string()).collect(),
        Facet::SourceSystem => event.source.iter().map(|s| s.system.clone()).collect(),
        Facet::Target => {
            let pairs = event.targets.iter().filter_map(|t| t.kind.as_ref().zip(t.id.as_ref()));
            return pairs.map(|(kind, id)| filter().target(kind, id)).collect();
        }
        Facet::Source => {
            return event.source.iter().map(|s| filter().source(&s.system, &s.id)).collect();
        }
        Facet::Attribute => {
            return event.attributes.iter().map(|(k, v)| filter().attribute(k, v)).collect();
        }
        other => panic!("no filter by {other:?} is known: add one"),
    };
    values.into_iter().map(|value| filter().with(facet, value)).collect()
}
