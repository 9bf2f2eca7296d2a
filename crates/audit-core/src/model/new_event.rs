//! How a caller creates an event: its setters, its JSON form and its limits.

use serde_json::Value;

use super::context::context_setters;
use crate::json::{self, Object};
use crate::limits::{
    self, MAX_ACTION_SEGMENTS, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TARGETS, MAX_TEXT_BYTES,
};
use crate::{
    Action, Actor, Attributes, AuditContext, Change, Error, EventId, IntoEvent, Message, NewEvent,
    OrganizationRef, Outcome, RequestInfo, Result, Scope, Severity, Source, Target, Timestamp,
    Violation,
};

context_setters!(NewEvent);

impl NewEvent {
    /// Returns the event of `action` by `actor`, with a new id and the time of its append.
    pub fn new(action: impl IntoEvent, actor: Actor) -> Self {
        action.into_event(AuditContext::new(actor))
    }

    /// Returns the event of `action` by `actor`.
    pub(super) fn named(action: Action, actor: Actor) -> Self {
        Self {
            occurred_at: None,
            submitted_by: None,
            id: EventId::new(),
            action,
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
        if let Some(id) = &self.submitted_by {
            limits::required(format_args!("submittedBy"), id, MAX_ID_BYTES)?;
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
