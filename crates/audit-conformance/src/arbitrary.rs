//! Any event, and the filters that find it.

use audit_core::{
    Actor, Attributes, AuditEvent, Change, EventId, Facet, FieldChange, Filter, Message, NewEvent,
    OrganizationRef, Outcome, RequestInfo, Scope, Source, SpanId, Target, Timestamp, Trace,
    TraceId,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The values of which [`Values::event`] makes any event. A field that may be absent sometimes is.
#[derive(Clone, Debug)]
pub struct Values {
    /// Ids of events and change sets.
    pub id: BoxedStrategy<Uuid>,
    /// Times.
    pub time: BoxedStrategy<Timestamp>,
    /// Actions.
    pub action: BoxedStrategy<String>,
    /// Kinds of actors.
    pub actor_kind: BoxedStrategy<String>,
    /// Foreign systems.
    pub system: BoxedStrategy<String>,
    /// Other terms of vocabularies. Where a term must not be empty, `word` is taken instead.
    pub term: BoxedStrategy<String>,
    /// Identifiers.
    pub identifier: BoxedStrategy<String>,
    /// Other texts.
    pub text: BoxedStrategy<String>,
    /// JSON values.
    pub value: BoxedStrategy<Value>,
}

impl Default for Values {
    /// Returns values that often occur twice, that are hard to index, and any other.
    fn default() -> Self {
        Self {
            id: any::<u128>().prop_map(Uuid::from_u128).boxed(),
            time: time().boxed(),
            action: action().boxed(),
            actor_kind: text().prop_map(filled).boxed(),
            system: text().prop_map(filled).boxed(),
            term: text().boxed(),
            identifier: text().boxed(),
            text: text().boxed(),
            value: value().boxed(),
        }
    }
}

impl Values {
    /// Returns any event that a log accepts. Every field is present in some and absent in others.
    pub fn event(&self) -> impl Strategy<Value = NewEvent> + use<> {
        // Two events that shrink to one id would conflict.
        let id = self.id.clone().prop_map(EventId::from_uuid).no_shrink();
        let source = (self.system.clone(), self.identifier.clone())
            .prop_map(|(system, id)| Source::new(system, id));
        let change_set = self.id.clone().prop_map(Into::into);
        let attributes = vec((self.word(), self.text.clone()), 0..4);
        let attributes = attributes.prop_map(Attributes::from_iter);
        let metadata = btree_map(self.text.clone(), self.value.clone(), 0..4);
        (
            (id, self.time.clone(), self.action.clone(), self.term(), self.actor()),
            (option::of(self.outcome()), option::of(self.word()), vec(self.target(), 0..4)),
            (option::of(self.organization()), self.scope(), self.change()),
            (option::of(change_set), self.message(), self.text(), self.text()),
            (self.request(), option::of(trace()), option::of(source), attributes, metadata),
        )
            .prop_map(|(head, (outcome, severity, targets), about, said, tail)| {
                let (id, occurred_at, action, category, actor) = head;
                let (organization, scope, change) = about;
                let (change_set_id, message, location, reason) = said;
                let (request, trace, source, attributes, metadata) = tail;
                let mut event = NewEvent::new(action, actor).id(id).occurred_at(occurred_at);
                (event.category, event.targets) = (category, targets);
                (event.outcome, event.severity) = (outcome, severity.map(Into::into));
                (event.organization, event.scope, event.change) = (organization, scope, change);
                (event.change_set_id, event.message) = (change_set_id, message);
                (event.location, event.reason) = (location, reason);
                (event.request, event.trace, event.source) = (request, trace, source);
                (event.attributes, event.metadata) = (attributes, Map::from_iter(metadata));
                event
            })
    }

    /// A term that is not empty.
    fn word(&self) -> BoxedStrategy<String> {
        self.term.clone().prop_map(filled).boxed()
    }

    fn term(&self) -> impl Strategy<Value = Option<String>> + use<> {
        option::of(self.term.clone())
    }

    fn identifier(&self) -> impl Strategy<Value = Option<String>> + use<> {
        option::of(self.identifier.clone())
    }

    fn text(&self) -> impl Strategy<Value = Option<String>> + use<> {
        option::of(self.text.clone())
    }

    fn outcome(&self) -> impl Strategy<Value = Outcome> + use<> {
        (self.word(), self.identifier()).prop_map(|(result, code)| {
            let outcome = Outcome::new(result);
            code.into_iter().fold(outcome, Outcome::code)
        })
    }

    fn organization(&self) -> impl Strategy<Value = OrganizationRef> + use<> {
        (self.identifier.clone(), self.text()).prop_map(|(id, name)| {
            let mut organization = OrganizationRef::new(id);
            organization.name = name;
            organization
        })
    }

    /// An actor, alone or on behalf of up to four others in turn.
    fn actor(&self) -> impl Strategy<Value = Actor> + use<> {
        vec(self.one_actor(), 1..=5).prop_map(|actors| {
            let nested =
                actors.into_iter().rev().reduce(|principal, actor| actor.on_behalf_of(principal));
            nested.expect("at least one actor")
        })
    }

    fn one_actor(&self) -> impl Strategy<Value = Actor> + use<> {
        let address = || self.identifier();
        (
            (self.actor_kind.clone(), self.identifier(), self.text(), address(), address()),
            (self.text(), self.text(), option::of(self.organization())),
            (self.term(), self.identifier()),
        )
            .prop_map(
                |((kind, id, name, email, ip), (user_agent, details, organization), ids)| {
                    let (entity_class, session_id) = ids;
                    let mut actor = Actor::new(kind);
                    (actor.id, actor.name, actor.email, actor.ip) = (id, name, email, ip);
                    (actor.user_agent, actor.details) = (user_agent, details);
                    actor.organization = organization;
                    actor.entity_class = entity_class.map(Into::into);
                    actor.session_id = session_id;
                    actor
                },
            )
    }

    fn target(&self) -> impl Strategy<Value = Target> + use<> {
        let one = "a target has a type, an id or a name";
        (self.term(), self.identifier(), self.text())
            .prop_filter_map(one, |(kind, id, name)| Target::from_parts(kind, id, name))
    }

    fn scope(&self) -> impl Strategy<Value = Scope> + use<> {
        let id = || self.identifier();
        (id(), id(), id(), id(), self.term()).prop_map(
            |(service, product, config, environment, surface)| {
                let mut scope = Scope::default();
                (scope.service, scope.product) = (service, product);
                (scope.config, scope.environment) = (config, environment);
                scope.surface = surface.map(Into::into);
                scope
            },
        )
    }

    fn change(&self) -> impl Strategy<Value = Change> + use<> {
        let value = || option::of(self.value.clone());
        let field = (self.text.clone(), value(), value())
            .prop_map(|(field, old, new)| FieldChange::new(field, old, new));
        (value(), value(), vec(field, 0..3), any::<bool>()).prop_map(|parts| {
            let mut change = Change::default();
            (change.old, change.new, change.diff, change.truncated) = parts;
            change
        })
    }

    fn message(&self) -> impl Strategy<Value = Message> + use<> {
        (self.text(), self.text(), self.text(), self.text()).prop_map(|parts| {
            let mut message = Message::default();
            (message.title, message.text, message.key, message.params) = parts;
            message
        })
    }

    fn request(&self) -> impl Strategy<Value = RequestInfo> + use<> {
        (self.term(), self.text(), self.text(), self.identifier()).prop_map(|parts| {
            let mut request = RequestInfo::default();
            (request.method, request.path, request.route, request.id) = parts;
            request
        })
    }
}

fn trace() -> impl Strategy<Value = Trace> {
    let trace_id = (1_u128..).prop_map(|id| TraceId::from_bytes(id.to_be_bytes()).expect("an id"));
    let span_id = (1_u64..).prop_map(|id| SpanId::from_bytes(id.to_be_bytes()).expect("an id"));
    (trace_id, option::of(span_id)).prop_map(|(trace_id, span_id)| {
        span_id.into_iter().fold(Trace::new(trace_id), Trace::span_id)
    })
}

/// Returns a text that is not empty.
fn filled(text: String) -> String {
    if text.is_empty() { "word".to_owned() } else { text }
}

fn text() -> impl Strategy<Value = String> {
    let words = select(vec!["", "1", "2", "a=b", r"\=", "É@x", "é@x", "\0", " ", "user"]);
    prop_oneof![3 => words.prop_map(str::to_owned), 1 => any::<String>()]
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
    let other = text().prop_map(|text| filled(text).replace(['*', '.'], "-"));
    prop_oneof![known.prop_map(str::to_owned), other]
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
