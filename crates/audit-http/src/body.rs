//! The body of a request, read whole after the caller is authorized, within a limit for each body
//! and one for all.

use std::convert::Infallible;

use audit_core::json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::budget::{Budget, Text};
use crate::rejection::Rejection;
use crate::share::{Taken, Tenant};

/// A body that is not read yet, so that the caller can be authorized first.
#[derive(Debug)]
pub(crate) struct JsonBody(Request);

/// A body that has arrived, and the memory for its values.
#[derive(Debug)]
pub(crate) struct Received {
    text: Text,
    memory: Option<Taken>,
}

/// A body that has been read and parsed. Its memory counts against the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Buffered<T> {
    pub(crate) value: T,
    _memory: Option<Taken>,
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}

impl JsonBody {
    /// Receives the body, whose bytes take memory of `budget` for `tenant`.
    pub(crate) async fn receive(
        self,
        budget: &Budget,
        tenant: Tenant,
    ) -> Result<Received, Rejection> {
        require_json(self.0.headers())?;
        let (text, memory) = budget.read(self.0, tenant).await?;
        Ok(Received { text, memory })
    }
}

impl Received {
    /// Parses the body as a `T`, without loss; see [`json::from_slice`].
    pub(crate) fn parse<T: DeserializeOwned>(self) -> Result<Buffered<T>, Rejection> {
        let Self { text, memory } = self;
        let value = json::from_slice(&text.bytes)?;
        require_range(std::str::from_utf8(&text.bytes).unwrap_or_default())?;
        Ok(Buffered { value, _memory: memory })
    }
}

fn require_range(text: &str) -> Result<(), Rejection> {
    match json::numbers(text).find(|number| !is_in_range(number)) {
        None => Ok(()),
        Some(number) => {
            let shown: String = number.chars().take(40).collect();
            let detail = format!("the number {shown} is not from -2^63 to 2^64 - 1");
            Err(Rejection::bad_request("", detail))
        }
    }
}

/// Returns `true` for a number within the bounds of integers. OpenAPI can bound numbers, but cannot
/// distinguish `1` from `1.0`, so these bounds hold for all numbers.
fn is_in_range(number: &str) -> bool {
    const END: f64 = 18_446_744_073_709_551_616.0;
    number.parse::<f64>().is_ok_and(|number| (-END / 2.0..END).contains(&number))
        || number.parse::<u64>().is_ok()
}

/// Fails unless the content type is `application/json`, or ends in `+json`, without compression.
fn require_json(headers: &HeaderMap) -> Result<(), Rejection> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || essence.to_ascii_lowercase().ends_with("+json");
    let is_plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_json && is_plain {
        return Ok(());
    }
    let detail =
        "the body must be JSON, not compressed, with the header `Content-Type: application/json`";
    Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}
