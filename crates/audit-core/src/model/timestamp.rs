//! An instant in UTC, to the microsecond.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use crate::{Error, Result, Violation};

/// An instant in UTC, to the microsecond, from the year 0 to 9999 (the range of RFC 3339).
///
/// Its text form is RFC 3339 with six decimals and `Z`. A text with another offset is the same
/// instant and is accepted; one with more than six significant decimals is an error, because a
/// part of it would be lost; so is one in a leap second, which the model cannot tell from the
/// second before.
///
/// ```
/// use audit_core::Timestamp;
///
/// let time: Timestamp = "2024-03-15T14:48:51+02:00".parse()?;
/// assert_eq!(time.to_string(), "2024-03-15T12:48:51.000000Z");
/// assert!("2024-03-15T14:48:51.1234567Z".parse::<Timestamp>().is_err());
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const EXPECTED: &str = "an RFC 3339 time with at most six decimals";

impl Timestamp {
    /// The first instant: 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self(micros(datetime!(0000-01-01 0:00 UTC)));
    /// The last instant: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(micros(datetime!(9999-12-31 23:59:59.999_999 UTC)));

    /// The present instant of the system's clock, rounded down.
    pub fn now() -> Self {
        Self(micros(OffsetDateTime::now_utc())).clamp(Self::MIN, Self::MAX)
    }

    /// The instant `micros` microseconds after 1970-01-01T00:00:00Z, or before if negative.
    pub fn from_micros(micros: i64) -> Result<Self> {
        let (min, max) = (Self::MIN.0, Self::MAX.0);
        if (min..=max).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(Error::invalid("time", Violation::OutOfRange { min, max }))
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The same instant as the `time` crate's type.
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        // Within the crate's range by construction; the epoch is never reached.
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The instant `micros` later, or earlier if negative; it stops at the ends of the range.
    #[must_use]
    pub fn saturating_add_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros)).clamp(Self::MIN, Self::MAX)
    }
}

/// Rounds down to the microsecond, the unit of the model.
const fn micros(time: OffsetDateTime) -> i64 {
    // `microsecond` counts forward within the second, so this is a floor on both sides of 1970.
    time.unix_timestamp() * 1_000_000 + time.microsecond() as i64
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = Error;

    /// Rounds down to the microsecond; an error outside the years 0 to 9999.
    fn try_from(time: OffsetDateTime) -> Result<Self> {
        Self::from_micros(micros(time))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.to_offset_date_time();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.microsecond(),
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|source| Error::malformed("time", EXPECTED).with_source(source))?;
        // The parser takes a leap second for the instant before it.
        if text.get(17..19) == Some("60") {
            return Err(Error::malformed("time", "a time that is not in a leap second"));
        }
        // The parser reads nine decimals and drops the rest, so the text itself is looked at.
        let decimals = text.split_once('.').map_or("", |(_, rest)| {
            &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]
        });
        if decimals.bytes().skip(6).any(|digit| digit != b'0') {
            return Err(Error::invalid("time", Violation::Inexact));
        }
        Self::try_from(time)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_of_the_range_print_and_parse() {
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(end.to_string().parse::<Timestamp>().unwrap(), end);
        }
        assert!(Timestamp::from_micros(Timestamp::MAX.as_micros() + 1).is_err());
    }

    #[test]
    fn a_leap_second_is_refused_not_moved() {
        assert!("2016-12-31T23:59:60Z".parse::<Timestamp>().is_err());
        assert!("2017-01-01T08:59:60+09:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn decimals_that_would_be_lost_are_refused() {
        assert!("2024-01-01T00:00:00.123456000Z".parse::<Timestamp>().is_ok());
        assert!("2024-01-01T00:00:00.0000000000001Z".parse::<Timestamp>().is_err());
    }

    proptest! {
        #[test]
        fn text_and_back(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let time = Timestamp::from_micros(micros).unwrap();
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
            prop_assert_eq!(Timestamp::try_from(time.to_offset_date_time()).unwrap(), time);
        }
    }
}
