//! The events of a log as they are appended: polled or streamed.

use std::convert::Infallible;
use std::time::Duration;

use audit_core::{
    AuditEvent, AuditStoreExt as _, ErrorKind, EventQuery, FeedPage, FeedStart, Log, Sequence,
    Token,
};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, KeepAliveStream};
use axum::response::{IntoResponse as _, Response, Sse};
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};

use super::access::ReadLog;
use super::query::{FilterParams, filter, of_token};
use crate::app::App;
use crate::caller::Caller;
use crate::paging::PAGE_BYTES;
use crate::params::{Params, malformed};
use crate::rejection::Rejection;
use crate::responses::Native;
use crate::serve::Stopping;

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

/// Waits until the service stops. Under another server than [`serve`](crate::serve()) it never
/// does.
async fn stopped(stopping: Option<Stopping>) {
    match stopping {
        Some(stopping) => stopping.wait().await,
        None => std::future::pending().await,
    }
}

async fn poll(
    app: &App,
    log: Log,
    mut params: Params,
    headers: &HeaderMap,
    stopping: Option<Stopping>,
) -> Result<Json<EventFeed>, Rejection> {
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
    let mut page = match token {
        Some(token) => app.store.next_feed(&query, &Token::new(token)).await.map_err(of_token)?,
        None => app.store.feed(&query, begin).await.map_err(of_start)?,
    };
    let mut stopped = std::pin::pin!(stopped(stopping));
    while page.events.is_empty() {
        let token = page.token.clone();
        let next = timeout_at(until, app.store.wait_feed(&query, &token));
        tokio::select! {
            next = next => match next {
                Ok(next) => page = next?,
                Err(_) => break,
            },
            () = &mut stopped => break,
        }
    }
    let FeedPage { events, token, caught_up, .. } = page;
    Ok(Json(EventFeed { events, token: token.as_str().to_owned(), caught_up }))
}

type EventStream = Sse<KeepAliveStream<BoxStream<'static, Result<Event, Infallible>>>>;

async fn stream(
    app: &App,
    caller: Caller,
    log: Log,
    mut params: Params,
    headers: &HeaderMap,
    stopping: Option<Stopping>,
) -> Result<EventStream, Rejection> {
    let filter = filter(&mut params)?;
    let start = begin(&mut params, headers)?;
    params.finish()?;
    let query = EventQuery::new(log).filter(filter).audience("events.follow").max_bytes(PAGE_BYTES);
    // Rejects a wrong request before the stream begins.
    let first = app.store.feed(&query, start).await.map_err(of_start)?;
    let pages = pages(app.clone(), caller, query, first);
    let duration = app.options.stream_duration;
    let end = async move {
        tokio::select! {
            () = stopped(stopping) => {},
            () = tokio::time::sleep(duration) => {},
        }
    };
    let events = pages.flat_map(|page| stream::iter(page).map(|event| Ok(sent(&event))));
    let events = events.take_until(Box::pin(end)).boxed();
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Returns the pages of a feed, from the first on. They end if the store fails, or if the caller's
/// credential is no longer valid: the client connects again and gets the reason.
fn pages(
    app: App,
    caller: Caller,
    query: EventQuery,
    first: FeedPage,
) -> impl Stream<Item = Vec<AuditEvent>> {
    let state = (app, caller, query, Some(first), None);
    stream::unfold(state, |(app, caller, query, first, at)| async move {
        let page = match (first, at) {
            (Some(first), _) => first,
            (None, Some((token, true))) => logged(app.store.wait_feed(&query, &token).await)?,
            (None, Some((token, false))) => logged(app.store.next_feed(&query, &token).await)?,
            (None, None) => return None,
        };
        if !caller.is_still_valid(&app).await {
            return None;
        }
        let at = Some((page.token, page.caught_up));
        Some((page.events, (app, caller, query, None, at)))
    })
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
fn logged(page: audit_core::Result<FeedPage>) -> Option<FeedPage> {
    page.inspect_err(|error| tracing::error!(%error, "a stream ended")).ok()
}

/// Returns an event in the form of a stream. Its id is the sequence.
fn sent(event: &AuditEvent) -> Event {
    let id = event.sequence.to_string();
    let data = serde_json::to_string(event).unwrap_or_default();
    Event::default().event("audit-event").id(id).data(data)
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
    params: Params,
) -> Result<Response, Rejection> {
    let stopping = stopping.map(|Extension(stopping)| stopping);
    if wants_stream(&headers) {
        return Ok(stream(&app, caller, log, params, &headers, stopping).await?.into_response());
    }
    Ok(poll(&app, log, params, &headers, stopping).await?.into_response())
}
