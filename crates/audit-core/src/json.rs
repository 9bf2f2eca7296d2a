//! Reads JSON without loss: input that cannot be stored exactly is an error, never a silent change.
//!
//! A common parser keeps the last of two equal keys, rounds `12345678901234567890123` to a float
//! and truncates `0.12345678901234567890` to the precision of a float. An audit log must not, so
//! every text that becomes an event is read by this module.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::{Error, Result, Violation};
use strict::Strict;

mod strict;

/// A JSON object.
pub type Object = Map<String, Value>;

/// Reads a JSON text as any value.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the path of the fault as its field: not
/// UTF-8, not JSON, nested deeper than the parser's 128 levels, a duplicate key, a lone
/// surrogate, or a number with more digits than an `i64`, `u64` or `f64` holds.
///
/// ```
/// use audit_core::{json, Violation};
///
/// assert_eq!(json::parse(br#"{"n": 9007199254740993}"#)?["n"], 9_007_199_254_740_993_u64);
/// let error = json::parse(br#"{"n": 123456789012345678901234567890}"#).unwrap_err();
/// assert_eq!(error.violation(), Some(&Violation::Inexact));
/// # Ok::<(), audit_core::Error>(())
/// ```
pub fn parse(text: &[u8]) -> Result<Value> {
    let text = utf8(text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    // The path of a fault is tracked only when there is one.
    let value = Exact::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let Ok(Exact(value)) = value else {
        return from_slice::<Exact>(text.as_bytes()).map(|Exact(value)| value);
    };
    // An integer that is stored as one has all of its digits.
    if has_float(&value) {
        check_numbers(text)?;
    }
    Ok(value)
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}

fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|source| Error::malformed("", "UTF-8").with_source(source))
}

/// Reads a JSON text as a `T`, under the same rules as [`parse`]. If `T` is a struct, the text must
/// be an object: an array of the field values, which serde accepts as well, is an error.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let text = utf8(text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(Strict(&mut reader)).map_err(fault)?;
    reader.end().map_err(|source| Error::malformed("", "one JSON value").with_source(source))?;
    check_numbers(text)?;
    Ok(value)
}

/// Fails if a number of a well-formed text has more digits than are stored. Only of such a text is every
/// digit outside a string a part of a number.
fn check_numbers(text: &str) -> Result<()> {
    match numbers(text).find(|number| !is_exact(number)) {
        None => Ok(()),
        Some(number) => {
            let excerpt: String = number.chars().take(40).collect();
            Err(Error::invalid("", Violation::Inexact).with_source(excerpt))
        }
    }
}

fn fault(error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    let field = match error.path().to_string() {
        // Of a text that ends too early, the parser knows no path.
        path if path == "." || path == "?" => String::new(),
        path => path,
    };
    let source = error.into_inner();
    let words = source.to_string();
    // The parser distinguishes its errors only by their text.
    let violation = if words.starts_with("unknown field") {
        Violation::UnknownField
    } else if words.starts_with("missing field") {
        Violation::Missing
    } else if words.starts_with("duplicate") {
        Violation::DuplicateKey
    } else if words.starts_with("recursion limit") {
        Violation::TooDeep { limit: crate::limits::MAX_JSON_DEPTH }
    } else if source.is_data() {
        Violation::Malformed { expected: "of the documented type" }
    } else {
        Violation::Malformed { expected: "well-formed JSON" }
    };
    Error::invalid(field, violation).with_source(source)
}

/// Returns the number tokens of a well-formed JSON text, as written.
///
/// ```
/// use audit_core::json;
///
/// let numbers: Vec<_> = json::numbers(r#"{"a": [1, -2.50e3], "b 7": "8"}"#).collect();
/// assert_eq!(numbers, ["1", "-2.50e3"]);
/// ```
pub fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    at += 1;
                    while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                        at += if bytes[at] == b'\\' { 2 } else { 1 };
                    }
                    at += 1;
                }
                b'-' | b'0'..=b'9' => {
                    let start = at;
                    while bytes.get(at).is_some_and(|byte| {
                        matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
                    }) {
                        at += 1;
                    }
                    return Some(&text[start..at]);
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// Returns `true` if the number that the parser stores for `token` has the same digits.
fn is_exact(token: &str) -> bool {
    if !token.contains(['.', 'e', 'E']) {
        return token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok();
    }
    match token.parse::<f64>() {
        // Printed as the value will be: of two equally short texts for one float, the standard
        // library's formatter may choose the other.
        Ok(float) if float.is_finite() => {
            decimal(token) == decimal(&Value::from(float).to_string())
        }
        _ => false,
    }
}

/// Returns a decimal number as its significant digits and the power of ten of the last one.
fn decimal(token: &str) -> Option<(bool, String, i64)> {
    let (negative, token) = token.strip_prefix('-').map_or((false, token), |rest| (true, rest));
    let (mantissa, exponent) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - significant.len()).ok()?;
    let exponent =
        exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((negative, String::new(), 0));
    }
    Some((negative, significant.to_owned(), exponent.checked_add(dropped)?))
}

/// Merges `added` into `value`: objects by key, arrays by index. A value that is there stays, unless it
/// is null.
pub(crate) fn merge(value: &mut Value, added: Value) {
    match (value, added) {
        (Value::Object(fields), Value::Object(added)) => {
            for (key, added) in added {
                merge(fields.entry(key).or_insert(Value::Null), added);
            }
        }
        (Value::Array(items), Value::Array(added)) => {
            items.iter_mut().zip(added).for_each(|(item, added)| merge(item, added));
        }
        (value @ Value::Null, added) => *value = added,
        _ => {}
    }
}

/// A JSON value without duplicate keys.
struct Exact(Value);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExactVisitor).map(Self)
    }
}

struct ExactVisitor;

impl<'de> Visitor<'de> for ExactVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Exact(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match object.entry(key) {
                Entry::Vacant(entry) => drop(entry.insert(entries.next_value::<Exact>()?.0)),
                Entry::Occupied(entry) => {
                    let key = entry.key();
                    return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// Reads a JSON object without duplicate keys at any depth. Use it with
/// `#[serde(deserialize_with)]`: a plain [`Object`] field keeps the last of two equal keys.
pub fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
    match Exact::deserialize(deserializer)? {
        Exact(Value::Object(object)) => Ok(object),
        _ => Err(D::Error::custom("invalid type: expected an object")),
    }
}

/// Reads a JSON value without duplicate keys at any depth; a null is `Some(Value::Null)`. Use it
/// with `#[serde(default, deserialize_with)]` on a field for which absent and null differ.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Exact::deserialize(deserializer).map(|Exact(value)| Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn violation(text: &[u8]) -> Violation {
        parse(text).unwrap_err().violation().unwrap().clone()
    }

    #[test]
    fn what_would_be_altered_is_refused() {
        for text in ["18446744073709551616", "-9223372036854775809", "[0.12345678901234567890]"] {
            assert_eq!(violation(text.as_bytes()), Violation::Inexact, "{text}");
        }
        for text in
            ["1.0e-9223372036854775808", "1e-9223372036854775808", "0.0e9223372036854775807"]
        {
            // Out of range or zero, but no overflow in looking at it.
            let _ = parse(text.as_bytes());
        }
        assert_eq!(violation(br#"{"a":{"b":1,"b":1}}"#), Violation::DuplicateKey);
        let deep = "[".repeat(1_000_000);
        assert!(matches!(violation(deep.as_bytes()), Violation::TooDeep { .. }));
        for text in [&b"\"\xff\""[..], br#""\ud800""#, b"1e400", b"{}{}", b"", b"nul"] {
            assert!(matches!(violation(text), Violation::Malformed { .. }), "{text:?}");
        }
    }

    #[test]
    fn what_can_be_kept_is_kept() {
        // Midway between the shortest texts of one float, where printers differ.
        assert!(parse(b"-1855149311086081.2").is_ok());
        for text in ["0.1", "1.50", "1e5", "-0.0", "1E-7", "0.000", "100.0", "2.5e+3", "5e-324"] {
            assert!(parse(text.as_bytes()).is_ok(), "{text}");
        }
        let text = r#"{"a.b $":"\u0000\ufeff 12345678901234567890123","n":18446744073709551615}"#;
        assert_eq!(parse(text.as_bytes()).unwrap()["n"], u64::MAX);
    }

    #[test]
    fn the_fault_is_named_by_its_path() {
        let error = parse(br#"{"a":[{"b":1,"b":2}]}"#).unwrap_err();
        assert_eq!(error.field(), Some("a[0]"));
        assert!(error.to_string().contains("duplicate key `b`"));
    }

    proptest! {
        #[test]
        fn every_float_is_exact_in_its_own_digits(float in any::<f64>()) {
            prop_assume!(float.is_finite());
            let text = serde_json::to_string(&float).unwrap();
            prop_assert_eq!(parse(text.as_bytes()).unwrap(), Value::from(float));
        }
    }
}
