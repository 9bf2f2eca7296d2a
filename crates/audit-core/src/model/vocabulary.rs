//! Open vocabularies: known terms are constants, and an unknown term is kept as it is.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Visitor};

/// Reads a term of a vocabulary from a text.
struct TermVisitor<T>(PhantomData<T>);

impl<T: for<'a> From<&'a str> + From<String>> Visitor<'_> for TermVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(T::from(text))
    }
}

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$term_doc:meta])* $term:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            $($(#[$term_doc])* pub const $term: Self = Self(Cow::Borrowed($text));)*

            /// The terms that this crate defines.
            pub const KNOWN: &'static [Self] = &[$(Self::$term),*];

            /// Returns the term `text` as a constant.
            ///
            /// ```
            #[doc = concat!("use audit_core::", stringify!($name), ";")]
            ///
            #[doc = concat!("const OWN: ", stringify!($name), " = ", stringify!($name), "::from_static(\"own\");")]
            /// assert_eq!(OWN.as_str(), "own");
            /// ```
            pub const fn from_static(text: &'static str) -> Self {
                Self(Cow::Borrowed(text))
            }

            /// Returns the term `text`, known or not.
            pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
                Self(text.into())
            }

            /// Returns the term as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            /// Allocates nothing for a term that this crate defines.
            fn from(text: &str) -> Self {
                let known = Self::KNOWN.iter().find(|term| term.as_str() == text);
                known.cloned().unwrap_or_else(|| Self::new(text.to_owned()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_string(TermVisitor(PhantomData))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(term: $name) -> Self {
                term.0.into_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

vocabulary! {
    /// An action, usually dotted from the general to the specific: `user.login.failed`.
    ///
    /// 1 to [`limits::MAX_NAME_BYTES`](crate::limits::MAX_NAME_BYTES) bytes, at most
    /// [`limits::MAX_ACTION_SEGMENTS`](crate::limits::MAX_ACTION_SEGMENTS) segments between dots, and
    /// no `*`: in a [`Filter`](crate::Filter), `prefix.*` selects the actions that start with
    /// `prefix.`.
    ///
    /// ```
    /// use audit_core::{Action, Actor, Filter, NewEvent};
    ///
    /// const PAID: Action = Action::from_static("invoice.paid");
    ///
    /// let event = NewEvent::new(PAID, Actor::user("u_7"));
    /// let filter = Filter::new().action(PAID);
    /// ```
    Action {
        /// An organization was created.
        ORGANIZATION_CREATED = "organization.created",
        /// An organization's name, settings or private endpoints changed.
        ORGANIZATION_UPDATED = "organization.updated",
        /// An organization was deleted.
        ORGANIZATION_DELETED = "organization.deleted",
        /// An API key was created.
        API_KEY_CREATED = "api_key.created",
        /// An API key was revoked.
        API_KEY_REVOKED = "api_key.revoked",
        /// The e-mail address of the holder of an API key was removed.
        API_KEY_HOLDER_FORGOTTEN = "api_key.holder_forgotten",
        /// An [`Attempt`](crate::Attempt) began, whose own event follows.
        ATTEMPT_BEGUN = "attempt.begun",
        /// The personal data of events of the log was erased.
        LOG_ERASED = "log.erased",
        /// The oldest events of the log were removed.
        LOG_PRUNED = "log.pruned",
        /// The retention of the log was changed.
        LOG_RETENTION_CHANGED = "log.retention_changed",
        /// Staged events could not be taken into the log and were set aside.
        LOG_STAGED_REFUSED = "log.staged_refused",
        /// A refused event was dropped.
        LOG_REFUSED_DROPPED = "log.refused_dropped",
    }
}

impl Action {
    /// Returns `true` for the actions that are reserved for the store: `log.erased`, `log.pruned`,
    /// `log.retention_changed`, `log.staged_refused` and `log.refused_dropped`. `append` rejects them,
    /// because verification relies on them.
    ///
    /// A service may use the other actions of the store, such as `organization.created`, for events
    /// of its own. The store's own events are [marked](crate::AuditEvent::by_store).
    pub fn is_reserved(&self) -> bool {
        [
            Self::LOG_ERASED,
            Self::LOG_PRUNED,
            Self::LOG_RETENTION_CHANGED,
            Self::LOG_STAGED_REFUSED,
            Self::LOG_REFUSED_DROPPED,
        ]
        .contains(self)
    }
}

vocabulary! {
    /// The kind of party that acted.
    ActorKind {
        /// A person.
        USER = "user",
        /// A member of the provider's support staff.
        SUPPORT = "support",
        /// The system itself.
        SYSTEM = "system",
        /// An API key or other machine credential.
        API = "api",
        /// Another service.
        SERVICE = "service",
        /// The source does not state the kind.
        UNKNOWN = "unknown",
    }
}

vocabulary! {
    /// The result of an action.
    OutcomeResult {
        /// The action was carried out.
        SUCCESS = "success",
        /// The action failed.
        FAILURE = "failure",
        /// The actor was not permitted to perform the action.
        DENIED = "denied",
        /// The result is not known.
        UNKNOWN = "unknown",
    }
}

vocabulary! {
    /// The severity of an event, in the terms of OCSF (`severity_id`).
    Severity {
        /// The severity is not known.
        UNKNOWN = "unknown",
        /// No action is required.
        INFORMATIONAL = "informational",
        /// The reader decides whether action is needed.
        LOW = "low",
        /// Action is required, but the situation is not serious.
        MEDIUM = "medium",
        /// Action is required at once.
        HIGH = "high",
        /// Action is required at once, and the scope is broad.
        CRITICAL = "critical",
        /// An error occurred, and it is too late to act.
        FATAL = "fatal",
        /// The source uses a severity that OCSF does not define.
        OTHER = "other",
    }
}

vocabulary! {
    /// The part of a product that an event belongs to, a tag for filters. A service defines its own.
    Surface {
        /// The platform itself: sign-in, users, teams, roles and organizations. The store sets it on
        /// the events of organizations and their API keys.
        PLATFORM = "platform",
    }
}

vocabulary! {
    /// The class of the entity that an actor is, in an identity graph. A service defines its own.
    EntityClass {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_term_round_trips_and_a_known_one_is_the_constant() {
        let unknown: ActorKind = serde_json::from_str("\"robot\"").unwrap();
        assert_eq!(serde_json::to_string(&unknown).unwrap(), "\"robot\"");
        let known: ActorKind = serde_json::from_str("\"support\"").unwrap();
        assert_eq!(known, ActorKind::SUPPORT);
    }

    #[test]
    fn a_term_is_made_of_a_text_of_any_lifetime() {
        let text = String::from("invoice.paid");
        assert_eq!(Action::from(text.as_str()), Action::from_static("invoice.paid"));
        assert_eq!(String::from(Action::from_static("invoice.paid")), text);
    }
}
