//! The body of a request, read whole, within a bound for each and one for all.

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

/// The memory for all bodies that are being read.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("left", &self.0.available_permits()).finish()
    }
}

impl Budget {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let bytes = options.body_memory.max(options.max_body).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(bytes)))
    }

    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Fault> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.0).acquire_many_owned(bytes).await;
        taken.map_err(|_| Fault::overloaded("the service is closing"))
    }
}

/// A JSON body. It counts against the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct JsonBody {
    bytes: Vec<u8>,
    held: Option<OwnedSemaphorePermit>,
}

impl JsonBody {
    /// The body as a `T`, without loss; see [`json::from_slice`].
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let value = json::from_slice(&self.bytes)?;
        let mut numbers = json::numbers(std::str::from_utf8(&self.bytes).unwrap_or_default());
        match numbers.find(|number| !is_in_range(number)) {
            None => Ok(value),
            Some(number) => {
                let shown: String = number.chars().take(40).collect();
                let detail = format!("the number {shown} is not from -2^63 to 2^64 - 1");
                Err(Fault::bad_request("", detail))
            }
        }
    }
}

impl FromRequest<App> for JsonBody {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        require_json(request.headers())?;
        let limit = app.options.max_body;
        if length(request.headers()).is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        // A body that takes longer is the client's doing, or that of others who fill the memory.
        let read = read(request, limit, &app.bodies);
        match tokio::time::timeout(app.options.request_timeout, read).await {
            Ok(body) => body,
            Err(_) => Err(Fault::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not come within {:?}", app.options.request_timeout),
            )),
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

async fn read(request: Request, limit: usize, budget: &Budget) -> Result<JsonBody, Fault> {
    let mut body = request.into_body();
    let mut whole = JsonBody { bytes: Vec::new(), held: None };
    while let Some(frame) = body.frame().await {
        let cut = |_| Fault::new(StatusCode::BAD_REQUEST, "the body ends before it is whole");
        let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
        if whole.bytes.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        let taken = budget.take(data.len()).await?;
        match &mut whole.held {
            Some(held) => held.merge(taken),
            held => *held = Some(taken),
        }
        whole.bytes.extend_from_slice(&data);
    }
    Ok(whole)
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
    if is_json {
        return Ok(());
    }
    let detail = "the body must be JSON, with the header `Content-Type: application/json`";
    Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}
