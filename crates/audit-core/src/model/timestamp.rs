//! An instant in UTC, to the nanosecond.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{Date, Month, OffsetDateTime};

use crate::{Error, Result, Violation};

/// An instant in UTC, to the nanosecond, from [`Timestamp::MIN`] (in 1677) to [`Timestamp::MAX`]
/// (in 2262): the range of a signed 64-bit integer.
///
/// Its text form is RFC 3339 with `Z` and six decimals, or nine if the last three are not zero. It
/// reads what RFC 3339 allows: an offset, `-00:00`, `t` and `z`, and a space for the `T`. Fails to
/// read what it would have to alter: more than nine significant decimals, a leap second, and a time
/// outside its range; [`parse_since`](Self::parse_since) and
/// [`parse_until`](Self::parse_until) read the bounds of ranges.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use audit_core::Timestamp;
///
/// let time: Timestamp = "2024-03-15T14:48:51+02:00".parse()?;
/// assert_eq!(time.to_string(), "2024-03-15T12:48:51.000000Z");
/// let later = time.saturating_add(Duration::from_nanos(7));
/// assert_eq!(later.to_string(), "2024-03-15T12:48:51.000000007Z");
/// assert_eq!(later.duration_since(time), Duration::from_nanos(7));
/// assert_eq!(Timestamp::try_from(SystemTime::from(later))?, later);
/// assert!("2024-03-15T14:48:51.1234567891Z".parse::<Timestamp>().is_err());
/// assert!("9999-12-31T00:00:00Z".parse::<Timestamp>().is_err());
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const EXPECTED: &str = "an RFC 3339 time with at most nine decimals";
const RANGE: &str = "a time from 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z";
const LEAP_SECOND: &str = "a time that is not in a leap second";

impl Timestamp {
    /// The first instant: 1677-09-21T00:12:43.145224192Z.
    pub const MIN: Self = Self(i64::MIN);
    /// The last instant: 2262-04-11T23:47:16.854775807Z.
    pub const MAX: Self = Self(i64::MAX);

    /// Returns the present instant of the system's clock.
    pub fn now() -> Self {
        Self::saturating(OffsetDateTime::now_utc().unix_timestamp_nanos())
    }

    /// Returns the instant `nanos` nanoseconds after 1970-01-01T00:00:00Z, or before if negative.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since 1970-01-01T00:00:00Z.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns the instant `micros` microseconds after 1970-01-01T00:00:00Z, or before if negative.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it is outside the range.
    pub fn from_micros(micros: i64) -> Result<Self> {
        Self::from_wide(i128::from(micros) * 1_000)
    }

    /// Returns the microseconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn as_micros(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Reads an RFC 3339 time as the bound of a range. A time outside the range of a `Timestamp` is
    /// [`Timestamp::MIN`] or [`Timestamp::MAX`], so that a range from `0001-01-01` to `9999-12-31`
    /// holds every event.
    ///
    /// # Errors
    /// As those of [`str::parse`], except for the range.
    pub(crate) fn parse_saturating(text: &str) -> Result<Self> {
        parse(text).map(Self::saturating)
    }

    /// Returns the same instant as the `time` crate's type.
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        // The type's range is wider; the epoch is never returned.
        OffsetDateTime::from_unix_timestamp_nanos(self.0.into())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Returns the instant `duration` later, or `None` if that is outside the range.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        Self::from_wide(i128::from(self.0) + nanos(duration)).ok()
    }

    /// Returns the instant `duration` earlier, or `None` if that is outside the range.
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        Self::from_wide(i128::from(self.0) - nanos(duration)).ok()
    }

    /// Returns the instant `duration` later, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::saturating(i128::from(self.0) + nanos(duration))
    }

    /// Returns the instant `duration` earlier, at least [`Timestamp::MIN`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self::saturating(i128::from(self.0) - nanos(duration))
    }

    /// Returns the time from `earlier` to this instant, or zero if `earlier` is later.
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(if self > earlier { self.0.abs_diff(earlier.0) } else { 0 })
    }

    fn from_wide(nanos: i128) -> Result<Self> {
        match i64::try_from(nanos) {
            Ok(nanos) => Ok(Self(nanos)),
            Err(_) => Err(Error::malformed("time", RANGE)),
        }
    }

    fn saturating(nanos: i128) -> Self {
        let end = if nanos < 0 { Self::MIN } else { Self::MAX };
        i64::try_from(nanos).map_or(end, Self)
    }
}

/// The nanoseconds of a duration. At most some 2^94, so that no sum of two overflows.
fn nanos(duration: Duration) -> i128 {
    i128::from(duration.as_secs()) * 1_000_000_000 + i128::from(duration.subsec_nanos())
}

/// Reads an RFC 3339 time as nanoseconds since 1970.
fn parse(text: &str) -> Result<i128> {
    let malformed = || Error::malformed("time", EXPECTED);
    let (head, rest) = text.as_bytes().split_at_checked(19).ok_or_else(malformed)?;
    let number = |from: usize, to: usize| {
        head[from..to].iter().try_fold(0_u16, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + u16::from(digit - b'0'))
        })
    };
    let part = |from, to| number(from, to).and_then(|value| u8::try_from(value).ok());
    let separators = [head[4], head[7], head[10].to_ascii_uppercase(), head[13], head[16]];
    if !matches!(separators, [b'-', b'-', b'T' | b' ', b':', b':']) {
        return Err(malformed());
    }
    let date = || {
        let month = Month::try_from(part(5, 7)?).ok()?;
        Date::from_calendar_date(number(0, 4)?.into(), month, part(8, 10)?).ok()
    };
    let date = date().ok_or_else(malformed)?;
    let (hour, minute, second) = (part(11, 13), part(14, 16), part(17, 19));
    let (Some(hour @ ..24), Some(minute @ ..60), Some(second @ ..61)) = (hour, minute, second)
    else {
        return Err(malformed());
    };
    if second == 60 {
        return Err(Error::malformed("time", LEAP_SECOND));
    }
    let (fraction, offset) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at_checked(end).filter(|_| end > 0).ok_or_else(malformed)?
        }
        None => (&b""[..], rest),
    };
    let offset = offset_seconds(offset).ok_or_else(malformed)?;
    let (kept, lost) = fraction.split_at(fraction.len().min(9));
    if lost.iter().any(|digit| *digit != b'0') {
        return Err(Error::invalid("time", Violation::Inexact));
    }
    // Each decimal that is not written is a zero.
    let unit = (kept.len()..9).fold(1, |unit, _| unit * 10);
    let fraction = kept.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')) * unit;
    let days = i64::from(date.to_julian_day() - OffsetDateTime::UNIX_EPOCH.to_julian_day());
    let of_day = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    Ok(i128::from(days * 86_400 + of_day - offset) * 1_000_000_000 + i128::from(fraction))
}

/// Reads `Z`, `+hh:mm` or `-hh:mm` as seconds east of UTC.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    if let [b'Z' | b'z'] = text {
        return Some(0);
    }
    let [sign, hour_tens, hour_units, b':', minute_tens, minute_units] = text else { return None };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let hours = digit(hour_tens)? * 10 + digit(hour_units)?;
    let minutes = digit(minute_tens)? * 10 + digit(minute_units)?;
    let seconds = (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * 60)?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = Error;

    /// Fails if `time` is outside the range.
    fn try_from(time: OffsetDateTime) -> Result<Self> {
        Self::from_wide(time.unix_timestamp_nanos())
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = Error;

    /// Fails if `time` is outside the range.
    fn try_from(time: SystemTime) -> Result<Self> {
        Self::from_wide(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => nanos(after),
            Err(before) => -nanos(before.duration()),
        })
    }
}

impl From<Timestamp> for SystemTime {
    /// Rounds to the precision of the system's clock.
    fn from(time: Timestamp) -> Self {
        let distance = Duration::from_nanos(time.0.unsigned_abs());
        let epoch = Self::UNIX_EPOCH;
        // Every system's range is wider; the epoch is never returned.
        let time =
            if time.0 < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) };
        time.unwrap_or(epoch)
    }
}

/// The bytes of a time with nanoseconds, as it is printed.
const PRINTED_BYTES: usize = "2262-04-11T23:47:16.854775807Z".len();

impl Timestamp {
    /// Prints the time into `buffer`.
    fn encode(self, buffer: &mut [u8; PRINTED_BYTES]) -> &str {
        let time = self.to_offset_date_time();
        let nanos = time.nanosecond();
        let (fraction, digits) =
            if nanos.is_multiple_of(1_000) { (nanos / 1_000, 6) } else { (nanos, 9) };
        let (year, month) = (time.year().unsigned_abs(), u8::from(time.month()).into());
        let mut end = 0;
        for (number, digits, after) in [
            (year, 4, b'-'),
            (month, 2, b'-'),
            (time.day().into(), 2, b'T'),
            (time.hour().into(), 2, b':'),
            (time.minute().into(), 2, b':'),
            (time.second().into(), 2, b'.'),
            (fraction, digits, b'Z'),
        ] {
            let mut rest: u32 = number;
            for digit in buffer[end..end + digits].iter_mut().rev() {
                *digit = b"0123456789"[(rest % 10) as usize];
                rest /= 10;
            }
            buffer[end + digits] = after;
            end += digits + 1;
        }
        // All of it is ASCII.
        std::str::from_utf8(&buffer[..end]).unwrap_or_default()
    }
}

/// Prints the form of RFC 3339 in UTC, with six digits of the second, or nine if it needs them.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encode(&mut [0; PRINTED_BYTES]))
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
        parse(text).and_then(Self::from_wide)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.encode(&mut [0; PRINTED_BYTES]))
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
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::format_description::well_known::Rfc3339;

    fn refusal(text: &str) -> Violation {
        text.parse::<Timestamp>().unwrap_err().violation().unwrap().clone()
    }

    #[test]
    fn the_ends_of_the_range_are_as_documented_and_beyond_them_is_an_error_or_the_end() {
        let (min, max) = ("1677-09-21T00:12:43.145224192Z", "2262-04-11T23:47:16.854775807Z");
        assert_eq!(
            (Timestamp::MIN.to_string(), Timestamp::MAX.to_string()),
            (min.into(), max.into())
        );
        assert!(RANGE.contains(min) && RANGE.contains(max));
        for (text, end) in [
            ("1677-09-21T00:12:43.145224191Z", Timestamp::MIN),
            ("0000-01-01T00:00:00+23:59", Timestamp::MIN),
            ("0001-01-01T00:00:00Z", Timestamp::MIN),
            ("2262-04-11T23:47:16.854775808Z", Timestamp::MAX),
            ("9999-12-31T23:59:59.999999999-23:59", Timestamp::MAX),
        ] {
            assert_eq!(refusal(text), Violation::Malformed { expected: RANGE });
            assert_eq!(Timestamp::parse_saturating(text).unwrap(), end);
        }
        for end in [min, max, "2024-01-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse_saturating(end).unwrap(), end.parse().unwrap());
        }
        assert!(Timestamp::parse_saturating("9999-12-31").is_err());
    }

    #[test]
    fn what_rfc_3339_allows_is_read() {
        let time = Timestamp::from_nanos(1_710_514_131_500_000_000);
        for text in [
            "2024-03-15T14:48:51.5Z",
            "2024-03-15t14:48:51.500000000000z",
            "2024-03-15 14:48:51.50-00:00",
            "2024-03-16T00:18:51.5+09:30",
            "2024-03-15T05:18:51.5-09:30",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap(), time, "{text}");
        }
    }

    #[test]
    fn what_rfc_3339_does_not_allow_is_refused() {
        for text in [
            "",
            "2024-03-15",
            "2024-03-15T14:48:51",
            "2024-03-15T14:48:51.Z",
            "2024-03-15T14:48:51,5Z",
            "2024-03-15T14:48:51+0200",
            "2024-03-15T14:48:51+24:00",
            "2024-03-15T14:48:51+02:60",
            "2024-03-15T14:48:51 02:00",
            "2024-03-15T24:00:00Z",
            "2024-03-15T14:60:00Z",
            "2024-03-15T14:48:61Z",
            "2024-02-30T14:48:51Z",
            "2024-13-01T14:48:51Z",
            "2024-03-15T14:48:51ZZ",
            "+024-03-15T14:48:51Z",
            "2024-03-15_14:48:51Z",
            "2024-03-1éT14:48:51Z",
            "2024-03-15T14:48:51.5éZ",
        ] {
            assert_eq!(refusal(text), Violation::Malformed { expected: EXPECTED }, "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_refused_not_moved() {
        for text in ["2016-12-31T23:59:60Z", "2017-01-01T08:59:60+09:00"] {
            assert_eq!(refusal(text), Violation::Malformed { expected: LEAP_SECOND });
        }
    }

    #[test]
    fn decimals_that_would_be_lost_are_refused() {
        assert!("2024-01-01T00:00:00.123456789000Z".parse::<Timestamp>().is_ok());
        assert_eq!(refusal("2024-01-01T00:00:00.1234567891Z"), Violation::Inexact);
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let nano = Duration::from_nanos(1);
        assert_eq!(Timestamp::MAX.checked_add(nano), None);
        assert_eq!(Timestamp::MIN.checked_sub(nano), None);
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        let all = Timestamp::MAX.duration_since(Timestamp::MIN);
        assert_eq!(Timestamp::MIN.checked_add(all), Some(Timestamp::MAX));
        assert_eq!(Timestamp::MIN.duration_since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_nanos(-1).as_micros(), -1);
        assert!(Timestamp::from_micros(i64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn text_and_back(nanos: i64) {
            let time = Timestamp::from_nanos(nanos);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
            prop_assert_eq!(Timestamp::try_from(time.to_offset_date_time()).unwrap(), time);
            prop_assert_eq!(Timestamp::try_from(SystemTime::from(time)).unwrap(), time);
            prop_assert_eq!(Timestamp::from_nanos(time.as_nanos()), time);
        }

        #[test]
        fn the_reader_agrees_with_that_of_the_time_crate(
            text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-5][0-9])"
        ) {
            let theirs = OffsetDateTime::parse(&text, &Rfc3339).ok();
            let theirs = theirs.and_then(|time| Timestamp::try_from(time).ok());
            prop_assert_eq!(text.parse::<Timestamp>().ok(), theirs);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
