//! The memory of bodies that are on their way, dealt out by organization.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::options::HttpOptions;
use crate::pace::Pace;
use crate::rejection::Rejection;
use crate::share::{Pool, Share, Taken, Tenant};

/// The limits of bodies: the size, time and rate of one, and the memory for the texts and the parsed
/// values of all that are being read, dealt out by organization.
#[derive(Debug)]
pub(crate) struct Budget {
    texts: Pool,
    /// Memory for one whole body beside `texts`. Who has it can always go on, so that bodies that
    /// hold a part each cannot wait for each other for ever.
    last: Arc<Semaphore>,
    values: Pool,
    values_limit: usize,
    max_body: usize,
    timeout: Duration,
    least_rate: u32,
}

/// The size up to which a body takes none of the budget, in bytes. The number of bodies on their way
/// bounds such bodies.
const SMALL: usize = 16 << 10;

/// The memory for parsed values, as a multiple of that for texts. A full batch of events with a
/// dozen objects each is within it; a body of tiny objects, which takes hundreds of times its size,
/// is not.
const VALUES_PER_BODY: usize = 8;

/// The longest wait for bytes that is not paid for by those that came.
const PATIENCE: Duration = Duration::from_secs(5);

impl Budget {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let bodies = options.body_memory.max(options.max_body);
        let values_limit = bodies.saturating_mul(VALUES_PER_BODY);
        let share = Share::of(options.share);
        Self {
            texts: Pool::new(bodies - options.max_body, share, options.max_body),
            last: Arc::new(Semaphore::new(1)),
            values: Pool::new(values_limit, share, 0),
            values_limit,
            max_body: options.max_body,
            timeout: options.body_timeout,
            least_rate: options.least_rate,
        }
    }
}

/// The text of a body, and its memory.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    memory: Taken,
    last: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Reads a body in time, and takes the memory for its text and for its values.
    pub(crate) async fn read(
        &self,
        request: Request,
        tenant: Tenant,
    ) -> Result<(Text, Option<Taken>), Rejection> {
        if length(request.headers()).is_some_and(|length| length > self.max_body as u64) {
            return Err(too_large(self.max_body));
        }
        // Includes the wait for memory that other bodies hold.
        let read = timeout(self.timeout, self.read_in_time(request, tenant));
        read.await.unwrap_or_else(|_| {
            let detail = format!("the body did not arrive within {:?}", self.timeout);
            Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, detail))
        })
    }

    async fn read_in_time(
        &self,
        request: Request,
        tenant: Tenant,
    ) -> Result<(Text, Option<Taken>), Rejection> {
        let text = self.collect(request, tenant).await?;
        let size = size_of_values(&text.bytes);
        if size > self.values_limit {
            let detail = format!(
                "the body's JSON takes more than {} bytes of memory: {OBJECT} for each object and \
                 {VALUE} for each value",
                self.values_limit
            );
            return Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let values = match size {
            0..=SMALL => None,
            _ => Some(self.values.take(tenant, size).await),
        };
        Ok((text, values))
    }

    /// Reads a body. Its bytes take memory as they arrive.
    async fn collect(&self, request: Request, tenant: Tenant) -> Result<Text, Rejection> {
        let mut body = request.into_body();
        let mut text =
            Text { bytes: Vec::new(), memory: self.texts.take(tenant, 0).await, last: None };
        let mut pace = Pace::new(PATIENCE, self.least_rate);
        loop {
            let asked = Instant::now();
            let Ok(frame) = timeout(pace.left(), body.frame()).await else {
                let detail =
                    format!("the body came slower than {} bytes a second", self.least_rate);
                return Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, detail));
            };
            let Some(frame) = frame else { return Ok(text) };
            let cut = |_| Rejection::new(StatusCode::BAD_REQUEST, "the body is incomplete");
            let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
            pace.moved(asked.elapsed(), data.len());
            let size = text.bytes.len() + data.len();
            if size > self.max_body {
                return Err(too_large(self.max_body));
            }
            if size > SMALL {
                self.hold(&mut text, size).await;
            }
            text.bytes.extend_from_slice(&data);
        }
    }

    /// Waits until `text` may have `size` bytes.
    async fn hold(&self, text: &mut Text, size: usize) {
        let more = size - text.memory.amount();
        if text.last.is_some() || text.memory.try_grow(more) {
            return;
        }
        tokio::select! {
            () = text.memory.grow(more) => {}
            // Fails only if the semaphore is closed, which it never is.
            last = Arc::clone(&self.last).acquire_owned() => text.last = last.ok(),
        }
    }
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

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Rejection {
    let detail = format!("the body has more than the limit of {limit} bytes");
    Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, Bytes};
    use futures_util::stream;

    /// Returns a body of `size` bytes a second.
    fn body(size: usize) -> Request {
        let seconds = stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(vec![b' '; size])), ()))
        });
        Request::new(Body::from_stream(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_arrive_at_the_least_rate_and_in_time() {
        let budget = Budget::new(&HttpOptions::default());
        for (size, reason) in [(1, "slower than 1024 bytes a second"), (2_048, "within 30s")] {
            let rejection = budget.read(body(size), None).await.unwrap_err();
            assert_eq!(rejection.status(), StatusCode::REQUEST_TIMEOUT);
            assert!(rejection.detail().contains(reason), "{}", rejection.detail());
        }
    }

    #[test]
    fn the_size_of_values_is_estimated_before_parsing() {
        let bomb = format!("[{}0]", r#"{"":0},"#.repeat(1_000));
        assert!(size_of_values(bomb.as_bytes()) > 100 * bomb.len());
        let event = br#"{"action": "a", "actor": {"kind": "user"}}"#;
        assert!(size_of_values(event) < SMALL);
    }
}
