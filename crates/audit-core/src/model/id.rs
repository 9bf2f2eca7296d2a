//! Identifiers: of events, organizations, change sets and keys, and the number of an event in its log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Result};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates a new id: a UUIDv7 (RFC 9562), which sorts by the time of its creation.
            #[allow(clippy::new_without_default)] // two calls differ, so there is no default
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Returns the id of `name` within `namespace`: a UUIDv5 (RFC 9562), the same at every call.
            pub fn derived(namespace: Uuid, name: &[u8]) -> Self {
                Self(Uuid::new_v5(&namespace, name))
            }

            /// Wraps a UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Returns the 16 bytes of the UUID in network order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let uuid = Uuid::try_parse(text)
                    .map_err(|source| Error::malformed($field, "a UUID").with_source(source))?;
                Ok(Self(uuid))
            }
        }
    };
}

uuid_id! {
    /// The id of an event, unique within its log.
    ///
    /// A UUIDv7 unless the caller gives another. An importer derives it from the source's own id,
    /// so that a second delivery of a record is recognized.
    ///
    /// ```
    /// use audit_core::EventId;
    ///
    /// let id: EventId = "3fa85f64-5717-4562-b3fc-2c963f66afa6".parse()?;
    /// assert_eq!(id.to_string(), "3fa85f64-5717-4562-b3fc-2c963f66afa6");
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    EventId, "id"
}

uuid_id! {
    /// The id of an [`Organization`](crate::Organization), the tenant to which a log belongs.
    OrganizationId, "organizationId"
}

uuid_id! {
    /// The id of a change set: the events of one change that has several parts.
    ChangeSetId, "changeSetId"
}

uuid_id! {
    /// The id of an [`ApiKey`](crate::ApiKey).
    ApiKeyId, "keyId"
}

/// The number of an event in its log: 1, 2, 3 … in the order in which events become visible.
///
/// Zero is the position before the first event. The size of a log is the number of its last event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct Sequence(u64);

impl Sequence {
    /// The position before the first event.
    pub const ZERO: Self = Self(0);
    /// The highest number: 2^63 − 1, the highest signed 64-bit integer.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// Creates the number `value`, at most [`Sequence::MAX`].
    pub fn new(value: u64) -> Result<Self> {
        if value > Self::MAX.0 {
            let violation = crate::Violation::OutOfRange { min: 0, max: i64::MAX };
            return Err(Error::invalid("sequence", violation));
        }
        Ok(Self(value))
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the number as a signed integer, as most databases store it.
    pub const fn as_i64(self) -> i64 {
        self.0.cast_signed() // at most i64::MAX by construction
    }

    /// Returns the next number, at most [`Sequence::MAX`].
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < Self::MAX.0 { Self(self.0 + 1) } else { self }
    }

    /// Returns the previous number, at least zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl TryFrom<u64> for Sequence {
    type Error = Error;

    fn try_from(value: u64) -> Result<Self> {
        Self::new(value)
    }
}

impl TryFrom<i64> for Sequence {
    type Error = Error;

    fn try_from(value: i64) -> Result<Self> {
        u64::try_from(value)
            .map_err(|_| {
                Error::invalid("sequence", crate::Violation::OutOfRange { min: 0, max: i64::MAX })
            })
            .and_then(Self::new)
    }
}

impl From<Sequence> for u64 {
    fn from(sequence: Sequence) -> Self {
        sequence.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_fits_a_signed_integer_or_is_refused() {
        assert_eq!(Sequence::new(7).unwrap().as_i64(), 7);
        assert!(Sequence::new(1 << 63).is_err());
        assert!(Sequence::try_from(-1_i64).is_err());
        assert_eq!(Sequence::MAX.next(), Sequence::MAX);
        assert_eq!(Sequence::ZERO.previous(), Sequence::ZERO);
    }

    #[test]
    fn a_malformed_id_names_its_field() {
        let error = "org_acme".parse::<OrganizationId>().unwrap_err();
        assert_eq!(error.field(), Some("organizationId"));
    }
}
