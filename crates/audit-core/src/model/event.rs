//! The fields of an event, as a caller creates it and as a log holds it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::json::{self, Object};
use crate::{
    Action, Actor, Attributes, Change, ChangeSetId, EventId, Log, Message, OrganizationRef,
    Outcome, RequestInfo, Scope, Sequence, Severity, Source, Target, Timestamp, Trace,
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
            /// The id of the credential with which the event was sent; see
            /// [`AuditEvent::submitted_by`]. Not part of the content, nor of its JSON: the
            /// service that accepts an event sets it from the credential. 1 to
            /// [`MAX_ID_BYTES`](crate::limits::MAX_ID_BYTES) bytes.
            #[serde(skip)]
            pub submitted_by: Option<String>,
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
            /// The reading of the store's clock, if it was out of the expected range: long before the
            /// previous event, or more than two years after the last one of the store. The time of
            /// that event is then recorded instead.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub clock_reading: Option<Timestamp>,
            /// The id of the credential, for example of the API key, with which the event was sent
            /// over the network. Absent for an event that the service itself appended.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub submitted_by: Option<String>,
            /// Whether the store itself wrote the event, of a change that it made. No caller can set
            /// it: an event with the same action that a caller appended does not have it.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub by_store: bool,
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
                let NewEvent { occurred_at, submitted_by, $($field),* } = content;
                let occurred_at = occurred_at.unwrap_or(recorded_at);
                Self {
                    log,
                    sequence,
                    recorded_at,
                    clock_reading: None,
                    submitted_by,
                    by_store: false,
                    erased: false,
                    occurred_at,
                    $($field,)*
                    unknown: Object::new(),
                }
            }

            /// Returns the content, with its time and the credential with which it was sent.
            pub fn into_content(self) -> NewEvent {
                let Self { occurred_at, submitted_by, $($field,)* .. } = self;
                NewEvent { occurred_at: Some(occurred_at), submitted_by, $($field),* }
            }

            /// Returns whether the event has this content. A content without a time has the time of
            /// the event.
            pub fn has_content(&self, content: &NewEvent) -> bool {
                content.occurred_at.is_none_or(|time| self.occurred_at == time)
                    && $(self.$field == content.$field)&&*
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
    /// The category of the action. At most [`MAX_NAME_BYTES`](crate::limits::MAX_NAME_BYTES) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// The actor.
    actor: Actor,
    /// The outcome: the result and a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// The severity. 1 to [`MAX_NAME_BYTES`](crate::limits::MAX_NAME_BYTES) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// The targets of the action. At most [`MAX_TARGETS`](crate::limits::MAX_TARGETS).
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
    /// The location of the action, as the service describes it. At most
    /// [`MAX_TEXT_BYTES`](crate::limits::MAX_TEXT_BYTES) bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// The reason for the action, as the actor stated it. At most
    /// [`MAX_TEXT_BYTES`](crate::limits::MAX_TEXT_BYTES) bytes. Personal.
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
    /// [`MAX_ATTRIBUTES`](crate::limits::MAX_ATTRIBUTES).
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
    /// Further properties of the service, not indexed. At most
    /// [`MAX_JSON_DEPTH`](crate::limits::MAX_JSON_DEPTH) levels. Personal.
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
