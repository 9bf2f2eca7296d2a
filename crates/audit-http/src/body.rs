//! The body of a request, read whole after the caller is authorized, within a limit for each body
//! and one for all.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use audit_core::json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::options::HttpOptions;
use crate::rejection::Rejection;

/// The limits of bodies: the size and time of one, and the memory for the texts and the parsed
/// values of all that are being read.
#[derive(Clone)]
pub(crate) struct Budget {
    bodies: Arc<Semaphore>,
    values: Arc<Semaphore>,
    values_limit: usize,
    max_body: usize,
    timeout: Duration,
}

/// The size up to which a body takes none of the budget, in bytes. Concurrency bounds such bodies.
const SMALL: usize = 16 << 10;

/// The memory for parsed values, as a multiple of that for texts. A full batch of events with a
/// dozen objects each is within it; a body of tiny objects, which takes hundreds of times its size,
/// is not.
const VALUES_PER_BODY: usize = 8;

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
        let bodies =
            options.body_memory.max(options.max_body).min(Semaphore::MAX_PERMITS / VALUES_PER_BODY);
        let values_limit = bodies * VALUES_PER_BODY;
        let semaphore = |bytes| Arc::new(Semaphore::new(bytes));
        Self {
            bodies: semaphore(bodies),
            values: semaphore(values_limit),
            values_limit,
            max_body: options.max_body,
            timeout: options.request_timeout,
        }
    }
}

/// Waits for `bytes` of memory.
async fn take(from: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Rejection> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let taken = Arc::clone(from).acquire_many_owned(bytes).await;
    taken.map_err(|_| Rejection::overloaded("the service is closing"))
}

/// A body that is not read yet, so that the caller can be authorized first.
#[derive(Debug)]
pub(crate) struct JsonBody(Request);

/// A body that has been read and parsed. Its memory counts against the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Buffered<T> {
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
    /// Reads the body and parses it as a `T`, without loss; see [`json::from_slice`].
    pub(crate) async fn read<T: DeserializeOwned>(
        self,
        budget: &Budget,
    ) -> Result<Buffered<T>, Rejection> {
        let timeout = budget.timeout;
        require_json(self.0.headers())?;
        // Includes the wait for memory that other bodies hold.
        match tokio::time::timeout(timeout, self.read_in_time(budget)).await {
            Ok(body) => body,
            Err(_) => Err(Rejection::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {timeout:?}"),
            )),
        }
    }

    async fn read_in_time<T: DeserializeOwned>(
        self,
        budget: &Budget,
    ) -> Result<Buffered<T>, Rejection> {
        let limit = budget.max_body;
        let length = length(self.0.headers());
        if length.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        // Takes all memory at once: two bodies with a part each could deadlock.
        let most = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(limit);
        let text_memory = match most {
            0..=SMALL => None,
            _ => Some(take(&budget.bodies, most).await?),
        };
        let text = collect(self.0, limit).await?;
        let size = size_of_values(&text);
        if size > budget.values_limit {
            let detail = format!(
                "the body's JSON takes more than {} bytes of memory: {OBJECT} for each object and \
                 {VALUE} for each value",
                budget.values_limit
            );
            return Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let value_memory = match size {
            0..=SMALL => None,
            _ => Some(take(&budget.values, size).await?),
        };
        let value = json::from_slice(&text)?;
        require_range(std::str::from_utf8(&text).unwrap_or_default())?;
        Ok(Buffered { value, _memory: [text_memory, value_memory] })
    }
}

async fn collect(request: Request, limit: usize) -> Result<Vec<u8>, Rejection> {
    let mut body = request.into_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let cut = |_| Rejection::new(StatusCode::BAD_REQUEST, "the body is incomplete");
        let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

/// The memory of a JSON object, in bytes.
const OBJECT: usize = 640;
/// The memory of any other JSON value, in bytes.
const VALUE: usize = 32;

/// Estimates the memory that a text takes as JSON values, in bytes. Braces and commas inside
/// strings count too, so the estimate can be too high, but not too low.
fn size_of_values(text: &[u8]) -> usize {
    let size = |byte: &u8| match byte {
        b'{' => OBJECT,
        b'[' | b',' | b':' => VALUE,
        _ => 0,
    };
    text.iter().map(size).fold(text.len(), usize::saturating_add)
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

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Rejection {
    let detail = format!("the body has more than the limit of {limit} bytes");
    Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_values_is_estimated_before_parsing() {
        let bomb = format!("[{}0]", r#"{"":0},"#.repeat(1_000));
        assert!(size_of_values(bomb.as_bytes()) > 100 * bomb.len());
        let event = br#"{"action": "a", "actor": {"kind": "user"}}"#;
        assert!(size_of_values(event) < SMALL);
    }
}
