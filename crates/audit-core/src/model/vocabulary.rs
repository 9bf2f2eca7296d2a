//! Open vocabularies: known terms as constants, unknown terms kept as they came.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$term_doc:meta])* $term:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            $($(#[$term_doc])* pub const $term: Self = Self(Cow::Borrowed($text));)*

            /// The known terms, in the order of their source.
            pub const KNOWN: &'static [Self] = &[$(Self::$term),*];

            /// The term `text`, known or not.
            pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
                Self(text.into())
            }

            /// The term as text.
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

        impl From<&'static str> for $name {
            fn from(text: &'static str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
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
    /// What was done, usually dotted from the general to the special: `user.login.failed`.
    ///
    /// 1 to [`limits::MAX_NAME_BYTES`](crate::limits::MAX_NAME_BYTES) bytes, at most
    /// [`limits::MAX_ACTION_SEGMENTS`](crate::limits::MAX_ACTION_SEGMENTS) segments between dots, and no
    /// `*`: in a [`Filter`](crate::Filter), `prefix.*` selects the actions that start with `prefix.`.
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
        /// Personal parts of events of the log were erased.
        LOG_ERASED = "log.erased",
        /// The first events of the log were removed.
        LOG_PRUNED = "log.pruned",
        /// What the log keeps, and for how long, was changed.
        LOG_RETENTION_CHANGED = "log.retention_changed",
    }
}

impl Action {
    /// Whether a log tells of itself by it. Only a store records such an event: who verifies the log
    /// counts on what it says.
    pub fn is_reserved(&self) -> bool {
        [Self::LOG_ERASED, Self::LOG_PRUNED, Self::LOG_RETENTION_CHANGED].contains(self)
    }
}

vocabulary! {
    /// What kind of party acted.
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
        /// The source does not say.
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
    /// How severe an event is, in the terms of OCSF (`severity_id`).
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
    /// The product surface that an event belongs to, a tag for filters.
    Surface {
        /// Auth, users, teams, roles, organizations, cloud accounts.
        PLATFORM = "platform",
        /// Schedules, resource groups, overrides, schedule executions.
        SCHEDULING = "scheduling",
        /// Reports, recommendations, anomalies, budgets, billing.
        COST = "cost",
        /// Deployment spaces, provisioning jobs, components.
        PROVISIONING = "provisioning",
        /// Deploy service activity.
        DEPLOYMENT = "deployment",
    }
}

vocabulary! {
    /// The class of the entity that an actor is, in an identity graph.
    EntityClass {
        /// Not known.
        UNKNOWN = "unknown",
        /// A person or machine identity.
        IDENTITY = "identity",
        /// A credential.
        CREDENTIAL = "credential",
        /// A policy.
        POLICY = "policy",
        /// A resource.
        RESOURCE = "resource",
        /// An application.
        APPLICATION = "application",
        /// An application as the catalogue knows it.
        CANONICAL_APPLICATION = "canonical_application",
        /// A sensor.
        SENSOR = "sensor",
    }
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
}
