//! The log: the unit of order, of proof, of retention.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::OrganizationId;

/// The log to which an event belongs. Every query names exactly one.
///
/// In JSON an organization's log is its id, the platform's is `"platform"`.
///
/// ```
/// use audit_core::{Log, OrganizationId};
///
/// let log = Log::organization(OrganizationId::new());
/// assert_ne!(log, Log::Platform);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// The platform's own log: what super-admins do.
    Platform,
    /// The log of one organization.
    Organization(OrganizationId),
}

impl Log {
    /// Returns the log of one organization.
    pub fn organization(id: impl Into<OrganizationId>) -> Self {
        Self::Organization(id.into())
    }

    /// Returns the organization to which the log belongs; `None` for the platform's.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        match self {
            Self::Platform => None,
            Self::Organization(id) => Some(*id),
        }
    }

    /// Returns the key of the log in bytes: empty for the platform's, else the organization's id.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Platform => &[],
            Self::Organization(id) => id.as_bytes(),
        }
    }
}

impl Log {
    /// Returns the log with this key; `None` if no log has it. See [`Log::as_bytes`].
    pub fn from_bytes(key: &[u8]) -> Option<Self> {
        match key {
            [] => Some(Self::Platform),
            id => uuid::Uuid::from_slice(id).ok().map(Self::organization),
        }
    }
}

const PLATFORM: &str = "platform";

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str(PLATFORM),
            Self::Organization(id) => id.fmt(f),
        }
    }
}

impl From<OrganizationId> for Log {
    fn from(id: OrganizationId) -> Self {
        Self::Organization(id)
    }
}

impl std::str::FromStr for Log {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        if text == PLATFORM { Ok(Self::Platform) } else { text.parse().map(Self::Organization) }
    }
}

impl Serialize for Log {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Log {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Log;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a UUID or \"{PLATFORM}\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Log, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
