//! The events of a log as they are appended: polled or streamed.

use std::convert::Infallible;
use std::io::Write as _;
use std::pin::pin;
use std::time::Duration;

use audit_core::{
    AuditEvent, AuditStoreExt as _, ErrorKind, EventQuery, FeedPage, FeedStart, Log, Sequence,
    Token,
};
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use utoipa::{IntoParams, ToSchema};

use super::access::ReadLog;
use super::query::{FilterParams, filter, of_token};
use crate::answer::frames;
use crate::app::App;
use crate::caller::Caller;
use crate::paging::PAGE_BYTES;
use crate::params::{Params, malformed};
use crate::places::{Place, Purpose};
use crate::rejection::Rejection;
use crate::responses::Native;
use crate::serve::Stopping;
use crate::socket::Client;

/// The longest wait that a client may request, in seconds.
const LONGEST_WAIT: u64 = 8;

/// The start of a feed, and its wait. Read by [`poll`] and [`stream`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // describes parameters; never constructed
pub(super) struct FollowParams {
    /// The start without a token: `beginning`, the default; `now`; or a sequence, to start after
    /// it.
    #[param(pattern = "^(beginning|now|0|[1-9][0-9]{0,17})$")]
    start: Option<String>,
    /// The `token` of the previous page. Conditions must be the same; the limit may differ. Not for
    /// a stream.
    #[param(max_length = 200)]
    token: Option<String>,
    /// The highest number of events in a page; 100 by default. Not for a stream.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// The seconds to wait for an event if the page is empty; 0 by default. Not for a stream.
    #[param(minimum = 0, maximum = 8)]
    wait: Option<u64>,
}

/// One page of a feed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventFeed {
    /// The events, by sequence; empty if there are no new ones.
    events: Vec<AuditEvent>,
    /// The token of the next page. A feed has no last page.
    token: String,
    /// `true` if the log had no further events when the page was read.
    caught_up: bool,
}

/// Returns the start: after `Last-Event-ID` if the client sends it, else the parameter.
fn begin(params: &mut Params, headers: &HeaderMap) -> Result<FeedStart, Rejection> {
    const SEEN: &str = "Last-Event-ID";
    let asked = match params.one("start")?.as_deref() {
        None | Some("beginning") => FeedStart::Beginning,
        Some("now") => FeedStart::Now,
        Some(text) => after("start", text)?,
    };
    headers.get(SEEN).map_or(Ok(asked), |id| after(SEEN, id.to_str().unwrap_or_default()))
}

fn after(name: &str, text: &str) -> Result<FeedStart, Rejection> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let sequence = text.parse().ok().filter(|_| digits).and_then(|n| Sequence::new(n).ok());
    let expected = "beginning, now, or a sequence from 0 to 9223372036854775807";
    sequence.map(FeedStart::After).ok_or_else(|| malformed(name, expected))
}

/// What ends a wait early: shutdown, or that the client has left. Under another server than
/// [`serve`](crate::serve()) nothing does.
struct End {
    stopping: Option<Stopping>,
    client: Option<Client>,
}

impl End {
    async fn wait(self) {
        let stopping = async {
            match self.stopping {
                Some(stopping) => stopping.wait().await,
                None => std::future::pending().await,
            }
        };
        let left = async {
            match self.client {
                Some(client) => client.left().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopping => {}
            () = left => {}
        }
    }
}

async fn poll(
    app: &App,
    caller: &Caller,
    log: Log,
    mut params: Params,
    headers: &HeaderMap,
    end: End,
) -> Result<Response, Rejection> {
    let filter = filter(&mut params)?;
    let query = EventQuery::new(log)
        .filter(filter)
        .limit(params.limit(1_000, 100)?)
        .audience("events.follow")
        .max_bytes(PAGE_BYTES);
    let begin = begin(&mut params, headers)?;
    let token = params.one("token")?;
    let wait = Duration::from_secs(params.number("wait", 0, LONGEST_WAIT, 0)?);
    params.finish()?;
    let until = Instant::now() + wait.min(app.options.request_timeout);
    // Before the first page, so that no append after it is missed.
    let mut size = if wait.is_zero() { Sequence::ZERO } else { app.store.head(log).await?.size };
    let mut reading = caller.reading(app).await?;
    let mut page = match token {
        Some(token) => app.store.next_feed(&query, &Token::new(token)).await.map_err(of_token)?,
        None => app.store.feed(&query, begin).await.map_err(of_start)?,
    };
    let mut end = pin!(end.wait());
    while page.events.is_empty() && !wait.is_zero() {
        // Neither a place nor memory is held during the wait.
        drop(reading);
        let appended = async {
            tokio::select! {
                head = app.store.wait_for_append(log, size) => Some(head),
                () = sleep_until(until) => None,
                () = &mut end => None,
            }
        };
        let appended = caller.waiting(app, Purpose::Follow, appended).await?;
        reading = caller.reading(app).await?;
        match appended {
            Some(head) => size = head?.size,
            None => break,
        }
        page = app.store.next_feed(&query, &page.token).await?;
    }
    let FeedPage { events, token, caught_up, .. } = page;
    reading.json(&EventFeed { events, token: token.as_str().to_owned(), caught_up })
}

/// The interval between two lines without meaning, by which a client sees that the stream is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The size at which a part of a stream ends, in bytes of stored events.
const PART_BYTES: usize = 64 << 10;

/// A stream of events. It holds a place among those that wait, and one for work while it reads.
struct EventStream {
    app: App,
    caller: Caller,
    query: EventQuery,
    /// The token of the next page, and whether there was none when the last one was read.
    next: (Token, bool),
    /// The size of the log before the last page was read.
    size: Sequence,
    _place: Place,
}

async fn stream(
    app: &App,
    caller: Caller,
    log: Log,
    mut params: Params,
    headers: &HeaderMap,
    end: End,
) -> Result<Response, Rejection> {
    let filter = filter(&mut params)?;
    let start = begin(&mut params, headers)?;
    params.finish()?;
    let query = EventQuery::new(log).filter(filter).audience("events.follow").max_bytes(PART_BYTES);
    let place = caller.begin_stream(app)?;
    let size = app.store.head(log).await?.size;
    // Rejects a wrong request before the stream begins.
    let reading = caller.reading(app).await?;
    let page = app.store.feed(&query, start).await.map_err(of_start)?;
    let first = reading.piece(sent(&page.events));
    let next = (page.token, page.caught_up);
    let state = EventStream { app: app.clone(), caller, query, next, size, _place: place };
    let duration = app.options.stream_duration;
    let end = async move {
        tokio::select! {
            () = end.wait() => {},
            () = tokio::time::sleep(duration) => {},
        }
    };
    let rest = stream::unfold(state, |mut state| async move {
        let part = state.part().await?;
        Some((part, state))
    });
    let parts = stream::iter([first]).chain(rest).take_until(Box::pin(end));
    let frames = parts.flat_map(|part| stream::iter(frames(part).map(Ok::<_, Infallible>)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // Asks a proxy to send each event at once.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

impl EventStream {
    /// Returns the next part. `None` if the store fails, or if the caller's credential is no longer
    /// valid: the client connects again and gets the reason.
    async fn part(&mut self) -> Option<Bytes> {
        let Self { app, caller, query, next, size, .. } = self;
        if next.1 {
            let appended = app.store.wait_for_append(query.log(), *size);
            match tokio::time::timeout(KEEP_ALIVE, appended).await {
                Ok(head) => *size = logged(head)?.size,
                Err(_) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
        let (_place, reading) = logged(caller.reading_on(app).await)?;
        if !caller.is_still_valid(app).await {
            return None;
        }
        let page = logged(app.store.next_feed(query, &next.0).await)?;
        *next = (page.token, page.caught_up);
        Some(reading.piece(sent(&page.events)))
    }
}

/// Rejects a start beyond the end of the log.
fn of_start(error: audit_core::Error) -> Rejection {
    match error.kind() {
        ErrorKind::Behind => Rejection::new(
            StatusCode::CONFLICT,
            "the log has fewer events than the requested start",
        ),
        _ => error.into(),
    }
}

/// Reports an error of the store, and returns `None` for it.
fn logged<T>(result: audit_core::Result<T>) -> Option<T> {
    result.inspect_err(|error| tracing::error!(%error, "a stream ended")).ok()
}

/// Returns events in the form of a stream. The id of each is its sequence.
fn sent(events: &[AuditEvent]) -> Vec<u8> {
    let mut text = Vec::new();
    for event in events {
        // Writing to memory does not fail.
        let _ = write!(text, "event: audit-event\nid: {}\ndata: ", event.sequence);
        let _ = serde_json::to_writer(&mut text, event);
        text.extend_from_slice(b"\n\n");
    }
    text.shrink_to_fit();
    text
}

/// Returns `true` if the client accepts server-sent events.
fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|media| {
            let media = media.split(';').next().unwrap_or_default().trim();
            media.eq_ignore_ascii_case("text/event-stream")
        })
}

/// Follows the events that match, by sequence, from a start.
///
/// As JSON, a page. With `wait`, an empty page waits for new events. The token is for the next
/// page; an empty page has one too.
///
/// With `Accept: text/event-stream`, server-sent events of the type `audit-event` as they are
/// appended. Their data is the event, their id its sequence. A client that reconnects with
/// `Last-Event-ID` misses none. The stream ends after a time, by default ten minutes.
#[utoipa::path(
    get, path = "/events/follow", tag = "events",
    params(
        ("Last-Event-ID" = Option<String>, Header, pattern = "^(0|[1-9][0-9]{0,17})$", description = "The sequence to start after, instead of `start`"),
        FilterParams, FollowParams,
    ),
    responses(
        (status = 200, description = "The events", content(
            (EventFeed = "application/json"), (String = "text/event-stream"),
        )),
        Native,
    ),
)]
pub(super) async fn follow_events(
    State(app): State<App>,
    caller: Caller,
    ReadLog(log): ReadLog,
    headers: HeaderMap,
    stopping: Option<Extension<Stopping>>,
    client: Option<Extension<Client>>,
    params: Params,
) -> Result<Response, Rejection> {
    let stopping = stopping.map(|Extension(stopping)| stopping);
    let client = client.map(|Extension(client)| client);
    let end = End { stopping, client };
    if wants_stream(&headers) {
        // A client that has closed its half of the connection may still read a stream.
        let end = End { client: None, ..end };
        return stream(&app, caller, log, params, &headers, end).await;
    }
    poll(&app, &caller, log, params, &headers, end).await
}
