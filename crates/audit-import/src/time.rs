//! The forms in which other systems write a time, and how each is read.
//!
//! | form | example | read as |
//! |---|---|---|
//! | RFC 3339 | `2024-03-15T14:48:51.123Z` | unchanged |
//! | with an offset without colon, or in hours | `2024-03-15T14:48:51+0000`, `…+02` | the same offset |
//! | with a space, without an offset | `2024-03-15 14:48:51.123` | UTC |
//! | with a decimal comma | `2024-03-15 14:48:51,123` | as with a point |
//! | as Go prints it | `2024-03-15 14:48:51.123 +0000 UTC` | the offset; the name must be `UTC` or `GMT` |
//! | without separators | `20240315144851.123`, `20240315T144851Z` | UTC without an offset |
//! | American | `3/15/2024, 2:48:51.123 PM`, `Mar 15, 2024 2:48:51 PM` | month first, UTC |
//! | JSON of .NET, as PowerShell writes it | `/Date(1710514131123)/`, `/Date(1710514131123+0200)/` | milliseconds since 1970, whatever the offset |
//! | seconds since 1970, less than 10^11 | `1710514131`, `1710514131.123` | seconds |
//! | milliseconds, less than 10^14 | `1710514131123`, `1710514131123.0` | milliseconds |
//! | microseconds, less than 10^17 | `1710514131123456` | microseconds |
//! | nanoseconds, from 10^17 on | `1710514131123456789` | nanoseconds |
//!
//! The last four are a number, or its digits as a text of any length but 8 and 14, the lengths of a
//! date, and of a date and a time, written without separators. A number is read by its decimal digits, never through binary
//! arithmetic. A time finer than a nanosecond is rounded down; the metadata keeps the time as it was
//! written. Anything else is an error: a time is not guessed.

use audit_core::{Error, Result, Timestamp};
use serde_json::Value;

const EXPECTED: &str = "an RFC 3339 time, YYYY-MM-DD HH:MM:SS, or a number of seconds, milliseconds, \
                        microseconds or nanoseconds since 1970";

/// Reads a time in one of the forms above. The field of an error is `time`.
pub fn read(value: &Value) -> Result<Timestamp> {
    match value {
        Value::Number(number) => epoch(&number.to_string()),
        Value::String(text) => {
            let text = text.trim();
            if let Some(millis) = dotnet(text) {
                return millis;
            }
            let digits = text.split('.').next().map_or(0, str::len);
            match text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
                true if digits == 8 => Err(malformed()),
                true if digits == 14 => calendar(&separated(text)?),
                true => epoch(text),
                false if text.as_bytes().get(8) == Some(&b'T') => calendar(&separated(text)?),
                false => match american(text) {
                    Some(text) => calendar(&text),
                    None => calendar(text),
                },
            }
        }
        _ => Err(malformed()),
    }
}

fn malformed() -> Error {
    Error::malformed("time", EXPECTED)
}

fn out_of_range() -> Error {
    Error::malformed("time", "a time from the year 1677 to 2262")
}

/// Reads a date and a time of day by rewriting them in the form of RFC 3339.
fn calendar(text: &str) -> Result<Timestamp> {
    let (date, rest) = text.split_at_checked(10).ok_or_else(malformed)?;
    let rest = rest.strip_prefix(['T', 't', ' ']).ok_or_else(malformed)?;
    let (clock, rest) = rest.split_at_checked(8).ok_or_else(malformed)?;
    let (fraction, offset) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at(end)
        }
        None => ("0", rest),
    };
    if fraction.is_empty() {
        return Err(malformed());
    }
    let fraction = &fraction[..fraction.len().min(9)];
    let offset = offset.trim_start();
    let named = ["UTC", "GMT"].iter().find_map(|name| offset.strip_suffix(name));
    let offset = match named.unwrap_or(offset).trim_end().as_bytes() {
        b"" | b"Z" | b"z" => ['+', '0', '0', ':', '0', '0'],
        [sign @ (b'+' | b'-'), h1, h2, rest @ ..] => {
            let (m1, m2) = match rest {
                [] => (b'0', b'0'),
                [m1, m2] | [b':', m1, m2] => (*m1, *m2),
                _ => return Err(malformed()),
            };
            [*sign, *h1, *h2, b':', m1, m2].map(char::from)
        }
        _ => return Err(malformed()),
    };
    let mut text = String::with_capacity("2024-03-15T14:48:51.123456789+00:00".len());
    text.extend([date, "T", clock, ".", fraction]);
    text.extend(offset);
    text.parse().map_err(|error: Error| malformed().with_source(error))
}

/// Puts the separators into a date and a time without them: `20240315144851.5`, `20240315T144851Z`.
fn separated(text: &str) -> Result<String> {
    let (date, rest) = text.split_at_checked(8).ok_or_else(malformed)?;
    let rest = rest.strip_prefix('T').unwrap_or(rest);
    let (clock, rest) = rest.split_at_checked(6).ok_or_else(malformed)?;
    if !date.bytes().chain(clock.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let (year, day) = date.split_at(4);
    let ((month, day), (hour, second)) = (day.split_at(2), clock.split_at(2));
    let (minute, second) = second.split_at(2);
    Ok(format!("{year}-{month}-{day}T{hour}:{minute}:{second}{rest}"))
}

/// Rewrites an American time, `3/15/2024, 2:48:51 PM` or `Mar 15, 2024 2:48:51 PM`; `None` if the text
/// has another form. Only with AM or PM: other countries write the day first, and 24 hours.
fn american(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (rest, half) = text.rsplit_once([' ', '\u{202f}'])?;
    let noon = match half.to_ascii_uppercase().as_str() {
        "AM" => 0,
        "PM" => 12,
        _ => return None,
    };
    let (date, clock) = rest.rsplit_once(' ')?;
    let date = date.trim_end_matches(',');
    let (month, day, year) = if let Some((month, rest)) = date.split_once('/') {
        let (day, year) = rest.split_once('/')?;
        (month.parse().ok()?, day, year)
    } else {
        let (name, rest) = date.split_once(' ')?;
        let (day, year) = rest.split_once(", ")?;
        let month = MONTHS.iter().position(|month| name.get(..3) == Some(*month))?;
        (month + 1, day, year)
    };
    let (hour, rest) = clock.split_once(':')?;
    let (hour, day): (u32, u32) = (hour.parse().ok()?, day.parse().ok()?);
    if !(1..=12).contains(&hour) || year.len() != 4 {
        return None;
    }
    let hour = hour % 12 + noon;
    Some(format!("{year}-{month:02}-{day:02}T{hour:02}:{rest}"))
}

/// Reads the time in `/Date(…)/`, whose offset names a zone and moves nothing; `None` if the text has another form.
fn dotnet(text: &str) -> Option<Result<Timestamp>> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let millis = match inner.split_at_checked(inner.len().saturating_sub(5)) {
        Some((millis, offset)) if !millis.is_empty() && offset.starts_with(['+', '-']) => millis,
        _ => inner,
    };
    let Ok(millis) = millis.parse::<i64>() else { return Some(Err(malformed())) };
    Some(millis.checked_mul(1_000_000).map(Timestamp::from_nanos).ok_or_else(out_of_range))
}

/// Reads a time since 1970 in the unit that its magnitude implies.
fn epoch(number: &str) -> Result<Timestamp> {
    let (digits, exponent) = decimal(number).ok_or_else(malformed)?;
    // Scaled to 10^-9 of the unit, so that every digit that can matter is in the integer.
    let scaled = shift(digits, exponent + 9).ok_or_else(out_of_range)?;
    let nanos_per_unit = match scaled.unsigned_abs() / 10_u128.pow(9) {
        size if size < 10_u128.pow(11) => 9,
        size if size < 10_u128.pow(14) => 6,
        size if size < 10_u128.pow(17) => 3,
        _ => 0,
    };
    let nanos = shift(scaled, nanos_per_unit - 9).ok_or_else(out_of_range)?;
    i64::try_from(nanos).map(Timestamp::from_nanos).map_err(|_| out_of_range())
}

/// Returns a decimal number as the integer of its digits and the power of ten of the last digit.
fn decimal(number: &str) -> Option<(i128, i32)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let exponent: i32 = exponent.parse().ok()?;
    let decimals = i32::try_from(fraction.len()).ok()?;
    Some((format!("{whole}{fraction}").parse().ok()?, exponent.checked_sub(decimals)?))
}

/// Returns `value` × 10^`power`, rounded down; `None` if it does not fit.
fn shift(value: i128, power: i32) -> Option<i128> {
    let Some(factor) = 10_i128.checked_pow(power.unsigned_abs()) else {
        return if power < 0 || value == 0 { Some(value.signum().min(0)) } else { None };
    };
    if power < 0 { Some(value.div_euclid(factor)) } else { value.checked_mul(factor) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::Violation;
    use proptest::prelude::*;
    use serde_json::json;

    fn time(value: &Value) -> String {
        read(value).unwrap().to_string()
    }

    #[test]
    fn every_form_is_the_same_instant() {
        for value in [
            json!("2024-03-15T14:48:51.123Z"),
            json!("2024-03-15T14:48:51.123000000Z"),
            json!("2024-03-15t14:48:51.123z"),
            json!("2024-03-15T14:48:51.123+0000"),
            json!("2024-03-15T14:48:51.123+00"),
            json!("2024-03-15T16:48:51.123+02:00"),
            json!("2024-03-15T09:18:51.123-0530"),
            json!("2024-03-15 14:48:51.123"),
            json!("2024-03-15 14:48:51.123000000"),
            json!("2024-03-15 14:48:51,123"),
            json!("2024-03-15 14:48:51.123 +0000"),
            json!("2024-03-15 14:48:51.123000000 +0000 UTC"),
            json!("2024-03-15 16:48:51.123 +0200"),
            json!("2024-03-15T14:48:51.123 GMT"),
            json!("20240315144851.123"),
            json!("20240315T144851.123Z"),
            json!("20240315T164851.123+0200"),
            json!("3/15/2024, 2:48:51.123 PM"),
            json!("03/15/2024 02:48:51.123 pm"),
            json!("Mar 15, 2024 2:48:51.123 PM"),
            json!("March 15, 2024, 2:48:51.123\u{202f}PM"),
            json!("/Date(1710514131123)/"),
            json!("/Date(1710514131123+0200)/"),
            json!(1_710_514_131.123),
            json!("1710514131.123"),
            json!(1_710_514_131_123_u64),
            json!(1_710_514_131_123.0),
            json!("1710514131123"),
            json!(1_710_514_131_123_000_u64),
            json!(1_710_514_131_123_000.0),
            json!(1_710_514_131_123_000_000_u64),
            json!(1.710_514_131_123e18),
            json!("1710514131123000000"),
        ] {
            assert_eq!(time(&value), "2024-03-15T14:48:51.123000Z", "{value}");
        }
        assert_eq!(time(&json!(1_612_869_308)), "2021-02-09T11:15:08.000000Z");
        assert_eq!(time(&json!("12/31/2023, 12:00:00 AM")), "2023-12-31T00:00:00.000000Z");
        assert_eq!(time(&json!("12/31/2023, 12:00:00 PM")), "2023-12-31T12:00:00.000000Z");
        assert_eq!(time(&json!("20241217000000")), "2024-12-17T00:00:00.000000Z");
        assert_eq!(time(&json!(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(&json!(-1.5)), "1969-12-31T23:59:58.500000Z");
    }

    #[test]
    fn what_is_finer_than_a_nanosecond_is_rounded_down() {
        assert_eq!(
            time(&json!("2024-01-01T00:00:00.1234567899Z")),
            "2024-01-01T00:00:00.123456789Z"
        );
        assert_eq!(time(&json!(1_710_514_131_123_456_789_u64)), "2024-03-15T14:48:51.123456789Z");
        assert_eq!(time(&json!(-1e-10)), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn no_time_is_guessed() {
        for value in [
            json!("2024-12-17 00:00:00000000"),
            json!("2024-12-17"),
            json!("20241217"),
            json!("20241217240000"),
            json!("20241317000000"),
            json!("20241217T0000"),
            json!("2024121x000000"),
            json!("2016-12-31T23:59:60Z"),
            json!("2025-04-11:21:02.3387000Z"),
            json!("2023-09-20T23:00:000.000000Z"),
            json!("1.59015E+12"),
            json!("13/1/2024, 2:00:00 PM"),
            json!("1/2/2024, 14:00:00"),
            json!("1/2/2024, 14:00:00 PM"),
            json!("1/2/2024, 0:00:00 AM"),
            json!("1/2/24, 1:00:00 AM"),
            json!("Foo 5, 2020 9:21:45 PM"),
            json!("2024-12-17T00:00:00 CET"),
            json!("17/Dec/2024:10:00:00 +0000"),
            json!("2024-02-30 00:00:00"),
            json!("2024-12-17 24:00:01"),
            json!("2024-12-17T00:00:00."),
            json!("2024-12-17T00:00:00+5"),
            json!("2024-12-1é 00:00:00"),
            json!("1.2.3"),
            json!("."),
            json!("e5"),
            json!("yesterday"),
            json!("/Date(2024-12-17)/"),
            json!("/Date()/"),
            json!(true),
            json!([1]),
        ] {
            let error = read(&value).unwrap_err();
            assert!(matches!(error.violation(), Some(Violation::Malformed { .. })), "{value}");
        }
    }

    #[test]
    fn beyond_the_range_is_an_error() {
        for value in [json!(1e300), json!(u64::MAX), json!(i64::MIN), json!("9".repeat(30))] {
            assert_eq!(read(&value).is_ok(), value == json!(i64::MIN), "{value}");
        }
        for text in ["0001-01-01T00:00:00Z", "9999-12-31 00:00:00", "/Date(253402300799999)/"] {
            assert!(read(&json!(text)).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_number_panics(text in "\\PC*", number in any::<f64>()) {
            let _ = read(&json!(text));
            let _ = read(&json!(number));
        }

        #[test]
        fn milliseconds_are_exact(millis in 100_000_000_000_i64..9_223_372_036_854) {
            prop_assert_eq!(read(&json!(millis)).unwrap().as_micros(), millis * 1_000);
            prop_assert_eq!(read(&json!(format!("{millis}.0"))).unwrap().as_micros(), millis * 1_000);
        }
    }
}
