//! The trace context of an event, as W3C Trace Context defines it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $field:literal, $expected:literal) => {
        $(#[$doc])*
        ///
        /// As text it is lower-case hexadecimal. Upper-case digits are accepted when a text is
        /// read. The id of zeros is invalid, as W3C Trace Context defines.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Returns the id of these bytes.
            ///
            /// # Errors
            /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if all bytes are zero.
            pub fn from_bytes(bytes: [u8; $bytes]) -> Result<Self> {
                if bytes == [0; $bytes] {
                    return Err(Error::malformed($field, $expected));
                }
                Ok(Self(bytes))
            }

            /// Returns the bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let malformed = || Error::malformed($field, $expected);
                let (digits, []) = text.as_bytes().as_chunks::<2>() else {
                    return Err(malformed());
                };
                if digits.len() != $bytes {
                    return Err(malformed());
                }
                let mut bytes = [0; $bytes];
                for (byte, digits) in bytes.iter_mut().zip(digits) {
                    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
                    let value = high.zip(low).map(|(high, low)| high << 4 | low);
                    *byte = value.and_then(|value| u8::try_from(value).ok()).ok_or_else(malformed)?;
                }
                Self::from_bytes(bytes)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }
    };
}

hex_id! {
    /// The id of a trace: 16 bytes.
    TraceId, 16, "trace.traceId", "32 hexadecimal digits that are not all zero"
}

hex_id! {
    /// The id of a span of a trace: 8 bytes.
    SpanId, 8, "trace.spanId", "16 hexadecimal digits that are not all zero"
}

/// The trace, and the span of it, in which an event occurred.
///
/// ```
/// use audit_core::Trace;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let trace = Trace::from_traceparent(header)?;
/// assert_eq!(trace.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Trace {
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The id of the span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
}

impl Trace {
    /// Returns the trace `trace_id` without a span.
    pub const fn new(trace_id: TraceId) -> Self {
        Self { trace_id, span_id: None }
    }

    /// Sets the span.
    #[must_use]
    pub const fn span_id(mut self, id: SpanId) -> Self {
        self.span_id = Some(id);
        self
    }

    /// Reads the value of a `traceparent` header (W3C Trace Context): version, trace id, span id
    /// and flags. Of a later version than `00` it reads the same four fields, as the
    /// recommendation requires.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the header is not of that form.
    pub fn from_traceparent(header: &str) -> Result<Self> {
        let malformed = || Error::malformed("traceparent", "a W3C traceparent header");
        let mut fields = header.split('-');
        let mut field = || fields.next().ok_or_else(malformed);
        let (version, trace_id, span_id, flags) = (field()?, field()?, field()?, field()?);
        let is_hex = |text: &str| {
            text.len() == 2 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        let rest_is_valid = version != "00" || fields.next().is_none();
        if !is_hex(version) || version == "ff" || !is_hex(flags) || !rest_is_valid {
            return Err(malformed());
        }
        let below = |error: Error| malformed().with_source(error);
        Ok(Self::new(trace_id.parse().map_err(below)?).span_id(span_id.parse().map_err(below)?))
    }
}

impl From<TraceId> for Trace {
    fn from(id: TraceId) -> Self {
        Self::new(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn an_id_is_lower_case_and_of_its_length_and_not_zero() {
        let id: TraceId = TRACE.to_uppercase().parse().unwrap();
        assert_eq!(id.to_string(), TRACE);
        assert_eq!(TraceId::from_bytes(*id.as_bytes()).unwrap(), id);
        let zeros = "0".repeat(32);
        let foreign = TRACE.replace('f', "g");
        let signed = TRACE.replace("4b", "+4");
        for bad in ["", &TRACE[1..], &TRACE[2..], &zeros, &foreign, &signed, "é"] {
            assert_eq!(bad.parse::<TraceId>().unwrap_err().field(), Some("trace.traceId"), "{bad}");
        }
        assert!("0".repeat(16).parse::<SpanId>().is_err());
    }

    #[test]
    fn a_traceparent_is_read_as_the_recommendation_says() {
        let trace = Trace::from_traceparent(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!(trace.span_id.unwrap().to_string(), SPAN);
        let later = format!("01-{TRACE}-{SPAN}-01-more");
        assert_eq!(Trace::from_traceparent(&later).unwrap(), trace);
        for bad in [
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-0"),
            String::new(),
        ] {
            assert_eq!(Trace::from_traceparent(&bad).unwrap_err().field(), Some("traceparent"));
        }
    }

    #[test]
    fn json_is_two_texts() {
        let trace = Trace::new(TRACE.parse().unwrap());
        let text = serde_json::to_string(&trace).unwrap();
        assert_eq!(text, format!(r#"{{"traceId":"{TRACE}"}}"#));
        assert_eq!(serde_json::from_str::<Trace>(&text).unwrap(), trace);
    }
}
