//! The event: as a caller creates it, and as a log holds it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::json::{self, Object};
use crate::limits::{self, MAX_ACTION_SEGMENTS, MAX_NAME_BYTES, MAX_TARGETS, MAX_TEXT_BYTES};
use crate::{
    Action, Actor, Attributes, Change, ChangeSetId, Error, EventId, Log, Message, OrganizationRef,
    Outcome, RequestInfo, Result, Scope, Sequence, Severity, Source, Target, Timestamp, Trace,
    Violation,
};

/// Declares the event with and without the fields that the log adds, so that a field is written once.
macro_rules! events {
    ($($(#[$meta:meta])* $field:ident: $type:ty,)*) => {
        /// An event to append.
        ///
        /// Most events are one expression:
        ///
        /// ```
        /// use audit_core::{Actor, NewEvent};
        ///
        /// let event = NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@example.org"))
        ///     .target("invoice", "inv_9")
        ///     .message("Ana paid invoice 9");
        /// event.validate()?;
        /// # Ok::<(), audit_core::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[non_exhaustive]
        pub struct NewEvent {
            /// The time of the event, by the caller's clock. If `None`, the time of the append: an
            /// event that is delivered again without a time has the time of its first delivery.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub occurred_at: Option<Timestamp>,
            $($(#[$meta])* pub $field: $type,)*
        }

        /// An event in its log, as a store returns it. It never changes, except that its personal data
        /// can be erased.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "camelCase", deny_unknown_fields, remote = "Self")]
        #[non_exhaustive]
        pub struct AuditEvent {
            /// The log that holds the event.
            pub log: Log,
            /// The event's number in its log.
            pub sequence: Sequence,
            /// The time at which the store recorded the event, never earlier than that of the
            /// previous event.
            pub recorded_at: Timestamp,
            /// Whether the personal data is erased: names, addresses, texts, values.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub erased: bool,
            /// The time of the event, by the caller's clock, or the time of its append.
            pub occurred_at: Timestamp,
            $($(#[$meta])* pub $field: $type,)*
            #[serde(skip)]
            pub(crate) unknown: Object,
        }

        impl AuditEvent {
            /// Returns the event `content` with this sequence of `log`. It occurred at `recorded_at`
            /// if it has no time.
            pub fn new(
                log: Log,
                sequence: Sequence,
                recorded_at: Timestamp,
                content: NewEvent,
            ) -> Self {
                let NewEvent { occurred_at, $($field),* } = content;
                let occurred_at = occurred_at.unwrap_or(recorded_at);
                Self { log, sequence, recorded_at, erased: false, occurred_at, $($field,)* unknown: Object::new() }
            }

            /// Returns the content, with its time.
            pub fn into_content(self) -> NewEvent {
                let Self { occurred_at, $($field,)* .. } = self;
                NewEvent { occurred_at: Some(occurred_at), $($field),* }
            }

            /// Returns whether the event has this content. A content without a time has the time of
            /// the event.
            pub fn has_content(&self, content: &NewEvent) -> bool {
                content.occurred_at.is_none_or(|time| self.occurred_at == time)
                    && $(self.$field == content.$field)&&*
            }
        }

        impl NewEvent {
            /// Returns `true` if `other` differs at most in its time.
            pub(crate) fn is_same_but_for_time(&self, other: &Self) -> bool {
                $(self.$field == other.$field)&&*
            }
        }
    };
}

events! {
    /// The event's id, unique within its log; a new UUIDv7 unless given.
    #[serde(default = "EventId::new")]
    id: EventId,
    /// The action.
    action: Action,
    /// The category of the action. At most [`MAX_NAME_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// The actor.
    actor: Actor,
    /// The outcome: the result and a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// The severity. 1 to [`MAX_NAME_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// The targets of the action. At most [`MAX_TARGETS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Target>,
    /// The organization of the event, if it is not that of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationRef>,
    /// The part of the product to which the event belongs.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    scope: Scope,
    /// The change. Personal.
    #[serde(default, skip_serializing_if = "Change::is_empty")]
    change: Change,
    /// The change set, shared by the events of one change that has several parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change_set_id: Option<ChangeSetId>,
    /// The message for people. Personal.
    #[serde(default, skip_serializing_if = "Message::is_empty")]
    message: Message,
    /// The location of the action, as the service describes it. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// The reason for the action, as the actor stated it. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The request that caused the event.
    #[serde(default, skip_serializing_if = "RequestInfo::is_empty")]
    request: RequestInfo,
    /// The trace of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Trace>,
    /// The foreign system that recorded it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    /// Properties that the service defines and filters by. At most
    /// [`MAX_ATTRIBUTES`](limits::MAX_ATTRIBUTES).
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
    /// Further properties of the service, not indexed. At most
    /// [`MAX_JSON_DEPTH`](limits::MAX_JSON_DEPTH) levels. Personal.
    #[serde(
        default,
        skip_serializing_if = "Object::is_empty",
        deserialize_with = "json::object"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::JsonObject))]
    metadata: Object,
}

impl AuditEvent {
    /// Returns the fields that a later version of this library wrote and this one does not know, in
    /// the shape of the event's JSON. They are part of that JSON.
    pub fn unknown_fields(&self) -> &Object {
        &self.unknown
    }

    pub(crate) fn with_unknown_fields(mut self, unknown: Value) -> Self {
        if let Value::Object(unknown) = unknown {
            self.unknown = unknown;
        }
        self
    }
}

impl Serialize for AuditEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.unknown.is_empty() {
            return Self::serialize(self, serializer);
        }
        let value = Self::serialize(self, serde_json::value::Serializer);
        let mut value = value.map_err(serde::ser::Error::custom)?;
        json::merge(&mut value, Value::Object(self.unknown.clone()));
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AuditEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl NewEvent {
    /// Returns the event of `action` by `actor`, with a new id and the time of its append.
    pub fn new(action: impl Into<Action>, actor: Actor) -> Self {
        Self {
            occurred_at: None,
            id: EventId::new(),
            action: action.into(),
            category: None,
            actor,
            outcome: None,
            severity: None,
            targets: Vec::new(),
            organization: None,
            scope: Scope::default(),
            change: Change::default(),
            change_set_id: None,
            message: Message::default(),
            location: None,
            reason: None,
            request: RequestInfo::default(),
            trace: None,
            source: None,
            attributes: Attributes::new(),
            metadata: Object::new(),
        }
    }

    /// Reads an event from its JSON form and validates it. Fails if a value cannot be stored exactly;
    /// see [`json::from_slice`].
    ///
    /// ```
    /// use audit_core::{NewEvent, Violation};
    ///
    /// let event = NewEvent::from_json(br#"{"action": "user.login", "actor": {"kind": "user"}}"#)?;
    /// assert_eq!(event.action.as_str(), "user.login");
    ///
    /// let error = NewEvent::from_json(br#"{"action": "a", "actor": {"kind": "user", "age": 7}}"#)
    ///     .unwrap_err();
    /// assert_eq!(error.field(), Some("actor.age"));
    /// assert_eq!(error.violation(), Some(&Violation::UnknownField));
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let event: Self = json::from_slice(text)?;
        event.validate()?;
        Ok(event)
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: impl Into<EventId>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets the action.
    #[must_use]
    pub fn action(mut self, action: impl Into<Action>) -> Self {
        self.action = action.into();
        self
    }

    /// Sets the actor.
    #[must_use]
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// Sets the time of the event.
    #[must_use]
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// Sets the category.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Sets the outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: impl Into<Outcome>) -> Self {
        self.outcome = Some(outcome.into());
        self
    }

    /// Sets the severity.
    #[must_use]
    pub fn severity(mut self, severity: impl Into<Severity>) -> Self {
        self.severity = Some(severity.into());
        self
    }

    /// Adds the target of type `kind` with the id `id`.
    #[must_use]
    pub fn target(self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        self.add_target(Target::new(kind, id))
    }

    /// Adds a target.
    #[must_use]
    pub fn add_target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Sets the organization of the event.
    #[must_use]
    pub fn organization(mut self, organization: OrganizationRef) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Sets the part of the product to which the event belongs.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets the change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.change = change;
        self
    }

    /// Sets the change set.
    #[must_use]
    pub fn change_set_id(mut self, id: impl Into<ChangeSetId>) -> Self {
        self.change_set_id = Some(id.into());
        self
    }

    /// Sets the message for people.
    #[must_use]
    pub fn message(mut self, message: impl Into<Message>) -> Self {
        self.message = message.into();
        self
    }

    /// Sets the location of the action.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Sets the reason for the action.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the method and the path of the request that caused the event.
    #[must_use]
    pub fn request(mut self, method: impl Into<String>, path: impl Into<String>) -> Self {
        self.request.method = Some(method.into());
        self.request.path = Some(path.into());
        self
    }

    /// Sets the id of the request that caused the event.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request.id = Some(id.into());
        self
    }

    /// Sets the trace of the event.
    #[must_use]
    pub fn trace(mut self, trace: impl Into<Trace>) -> Self {
        self.trace = Some(trace.into());
        self
    }

    /// Sets the foreign system that recorded it first.
    #[must_use]
    pub fn source(mut self, system: impl Into<String>, id: impl Into<String>) -> Self {
        self.source = Some(Source::new(system, id));
        self
    }

    /// Sets one attribute.
    #[must_use]
    pub fn attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(key, value);
        self
    }

    /// Sets one entry of the metadata.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Checks every limit of [`limits`] except the size of the whole event, which is checked when it is
    /// appended.
    pub fn validate(&self) -> Result<()> {
        let action = self.action.as_str();
        limits::required(format_args!("action"), action, MAX_NAME_BYTES)?;
        if action.split('.').count() > MAX_ACTION_SEGMENTS {
            let actual = action.split('.').count();
            let violation = Violation::TooMany { limit: MAX_ACTION_SEGMENTS, actual };
            return Err(Error::invalid("action", violation));
        }
        if action.contains('*') {
            return Err(Error::malformed("action", "an action without `*`"));
        }
        limits::optional(format_args!("category"), self.category.as_deref(), MAX_NAME_BYTES)?;
        self.actor.validate()?;
        if let Some(outcome) = &self.outcome {
            outcome.validate()?;
        }
        if let Some(severity) = &self.severity {
            limits::required(format_args!("severity"), severity.as_str(), MAX_NAME_BYTES)?;
        }
        limits::count("targets", self.targets.len(), MAX_TARGETS)?;
        for (index, target) in self.targets.iter().enumerate() {
            target.validate(index)?;
        }
        if let Some(organization) = &self.organization {
            organization.validate("organization")?;
        }
        self.scope.validate()?;
        self.change.validate()?;
        self.message.validate()?;
        limits::optional(format_args!("location"), self.location.as_deref(), MAX_TEXT_BYTES)?;
        limits::optional(format_args!("reason"), self.reason.as_deref(), MAX_TEXT_BYTES)?;
        self.request.validate()?;
        if let Some(source) = &self.source {
            source.validate()?;
        }
        self.attributes.validate()?;
        limits::depth(format_args!("metadata"), 1, self.metadata.values())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_ID_BYTES;
    use serde_json::json;

    fn event() -> NewEvent {
        NewEvent::new("user.login", Actor::user("u_1"))
    }

    #[test]
    fn json_is_camel_case_with_microseconds_and_no_empty_fields() {
        let mut event = event().occurred_at("2024-03-15T14:48:51Z".parse().unwrap());
        event.change_set_id = Some(event.id.as_uuid().to_owned().into());
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(
            value,
            json!({
                "id": event.id, "occurredAt": "2024-03-15T14:48:51.000000Z", "action": "user.login",
                "actor": {"kind": "user", "id": "u_1"}, "changeSetId": event.id,
            })
        );
    }

    #[test]
    fn each_bound_names_its_field() {
        let long = |n: usize| "x".repeat(n + 1);
        let cases = [
            ("action", NewEvent { action: long(MAX_NAME_BYTES).into(), ..event() }),
            ("action", NewEvent { action: "a.".repeat(MAX_ACTION_SEGMENTS).into(), ..event() }),
            ("action", NewEvent { action: "user.*".into(), ..event() }),
            ("action", NewEvent { action: "a*b".into(), ..event() }),
            (
                "actor.email",
                NewEvent { actor: Actor::user("u").email(long(MAX_ID_BYTES)), ..event() },
            ),
            ("actor.kind", NewEvent { actor: Actor::new(""), ..event() }),
            ("targets[1].id", event().target("a", "b").target("a", long(MAX_ID_BYTES))),
            ("targets[0]", event().add_target(Target::default())),
            ("targets", NewEvent { targets: vec![Target::named("x"); MAX_TARGETS + 1], ..event() }),
            ("scope.product", event().scope(Scope::default().product(long(MAX_ID_BYTES)))),
            ("message.text", event().message(long(MAX_TEXT_BYTES))),
            ("reason", event().reason(long(MAX_TEXT_BYTES))),
            ("request.method", event().request(long(MAX_NAME_BYTES), "/")),
            ("source.system", event().source("", "1")),
        ];
        for (field, event) in cases {
            assert_eq!(event.validate().unwrap_err().field(), Some(field));
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_wherever_it_stands() {
        for text in [
            r#"{"action":"a","action":"b","actor":{"kind":"user"}}"#,
            r#"{"action":"a","actor":{"kind":"user"},"metadata":{"x":1,"x":2}}"#,
            r#"{"action":"a","actor":{"kind":"user"},"change":{"old":{"x":[{"y":1,"y":2}]}}}"#,
        ] {
            let error = NewEvent::from_json(text.as_bytes()).unwrap_err();
            assert_eq!(error.violation(), Some(&Violation::DuplicateKey), "{text}");
        }
    }
}
