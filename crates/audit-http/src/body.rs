//! The body of a request, read whole once the caller may, within a bound for each and one for all.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use audit_core::json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::Fault;
use crate::{App, HttpOptions};

/// The memory for all bodies that are being read, and for what they become.
#[derive(Clone)]
pub(crate) struct Budget {
    bodies: Arc<Semaphore>,
    values: Arc<Semaphore>,
    values_limit: usize,
}

/// A body of so many bytes takes none of the budget: those at a time are bounded.
const SMALL: usize = 16 << 10;

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("bodies", &self.bodies.available_permits())
            .field("values", &self.values.available_permits())
            .finish_non_exhaustive()
    }
}

impl Budget {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let bodies = options.body_memory.max(options.max_body).min(Semaphore::MAX_PERMITS / 2);
        let values_limit = bodies * 2;
        let semaphore = |bytes| Arc::new(Semaphore::new(bytes));
        Self { bodies: semaphore(bodies), values: semaphore(values_limit), values_limit }
    }
}

async fn take(from: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Fault> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let taken = Arc::clone(from).acquire_many_owned(bytes).await;
    taken.map_err(|_| Fault::overloaded("the service is closing"))
}

/// A body that is still to be read, so that who asks can be looked at first.
#[derive(Debug)]
pub(crate) struct JsonBody(Request);

/// What a body held. Its memory counts against the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) value: T,
    _memory: [Option<OwnedSemaphorePermit>; 2],
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}

impl JsonBody {
    /// The body as a `T`, without loss; see [`json::from_slice`].
    pub(crate) async fn read<T: DeserializeOwned>(self, app: &App) -> Result<Held<T>, Fault> {
        let timeout = app.options.request_timeout;
        require_json(self.0.headers())?;
        // A body that takes longer is the client's doing, or that of others who fill the memory.
        match tokio::time::timeout(timeout, self.read_in_time(app)).await {
            Ok(body) => body,
            Err(_) => Err(Fault::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not come within {timeout:?}"),
            )),
        }
    }

    async fn read_in_time<T: DeserializeOwned>(self, app: &App) -> Result<Held<T>, Fault> {
        let limit = app.options.max_body;
        let length = length(self.0.headers());
        if length.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        // All of it at once: two that each held a part could wait for each other.
        let most = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(limit);
        let text_memory = match most {
            0..=SMALL => None,
            _ => Some(take(&app.bodies.bodies, most).await?),
        };
        let text = collect(self.0, limit).await?;
        let size = size_of_values(&text);
        if size > app.bodies.values_limit {
            let detail = "the body has too many objects and values for its size";
            return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let value_memory = match size {
            0..=SMALL => None,
            _ => Some(take(&app.bodies.values, size).await?),
        };
        let value = json::from_slice(&text)?;
        require_range(std::str::from_utf8(&text).unwrap_or_default())?;
        Ok(Held { value, _memory: [text_memory, value_memory] })
    }
}

async fn collect(request: Request, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut body = request.into_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let cut = |_| Fault::new(StatusCode::BAD_REQUEST, "the body ends before it is whole");
        let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

/// About how many bytes a text takes as JSON values: four bytes of text, `{},`, can become hundreds.
/// What stands within strings counts, too; that is too much, and never too little.
fn size_of_values(text: &[u8]) -> usize {
    const OBJECT: usize = 640;
    const VALUE: usize = 32;
    let size = |byte: &u8| match byte {
        b'{' => OBJECT,
        b'[' | b',' | b':' => VALUE,
        _ => 0,
    };
    text.iter().map(size).fold(text.len(), usize::saturating_add)
}

fn require_range(text: &str) -> Result<(), Fault> {
    match json::numbers(text).find(|number| !is_in_range(number)) {
        None => Ok(()),
        Some(number) => {
            let shown: String = number.chars().take(40).collect();
            let detail = format!("the number {shown} is not from -2^63 to 2^64 - 1");
            Err(Fault::bad_request("", detail))
        }
    }
}

/// A description can bound numbers, but not tell integers from others as they are written. So the
/// bounds of integers hold for all.
fn is_in_range(number: &str) -> bool {
    const END: f64 = 18_446_744_073_709_551_616.0;
    number.parse::<f64>().is_ok_and(|number| (-END / 2.0..END).contains(&number))
        || number.parse::<u64>().is_ok()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Fault {
    let detail = format!("the body has more than the limit of {limit} bytes");
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// `application/json`, or anything that ends in `+json`.
fn require_json(headers: &HeaderMap) -> Result<(), Fault> {
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
    Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_large_is_told_before_it_is_made() {
        let bomb = format!("[{}0]", r#"{"":0},"#.repeat(1_000));
        assert!(size_of_values(bomb.as_bytes()) > 100 * bomb.len());
        let event = br#"{"action": "a", "actor": {"kind": "user"}}"#;
        assert!(size_of_values(event) < SMALL);
    }
}
