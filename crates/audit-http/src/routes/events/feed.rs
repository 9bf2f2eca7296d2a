//! The events of one log as they come: asked for again and again, or streamed.

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

use super::query::{FilterParams, filter};
use super::{ORGANIZATION, of_token};
use crate::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::openapi::responses::Native;
use crate::params::{Params, PathParams, malformed};
use crate::routes::PAGE_BYTES;
use crate::serve::Stopping;

/// The longest that a feed can be made to wait, in seconds.
const LONGEST_WAIT: u64 = 8;

/// Where to begin, and how long to wait. Read by [`feed`] and [`stream`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // describes, and is never made
pub(super) struct FollowParams {
    /// Where to begin without a token: `beginning`, unless given; `now`; or a sequence, after which
    /// to begin.
    #[param(pattern = "^(beginning|now|0|[1-9][0-9]{0,17})$")]
    start: Option<String>,
    /// The `token` of the page before. Conditions must be the same; the limit may differ. Not for a
    /// stream.
    #[param(max_length = 200)]
    token: Option<String>,
    /// The events of a page; 100 unless given. Not for a stream.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// How many seconds to wait for an event where there is none; 0 unless given. Not for a stream.
    #[param(minimum = 0, maximum = 8)]
    wait: Option<u64>,
}

/// One page of a feed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventFeed {
    /// The events, by sequence; empty when nothing new has come.
    events: Vec<AuditEvent>,
    /// The token with which to ask for what follows; a feed has no end.
    token: String,
    /// Whether the log held nothing more when this was read.
    caught_up: bool,
}

/// Where to begin: where the client says that it was, else where it asks to.
fn begin(params: &mut Params, headers: &HeaderMap) -> Result<FeedStart, Fault> {
    const SEEN: &str = "Last-Event-ID";
    let asked = match params.one("start")?.as_deref() {
        None | Some("beginning") => FeedStart::Beginning,
        Some("now") => FeedStart::Now,
        Some(text) => after("start", text)?,
    };
    headers.get(SEEN).map_or(Ok(asked), |id| after(SEEN, id.to_str().unwrap_or_default()))
}

fn after(name: &str, text: &str) -> Result<FeedStart, Fault> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let sequence = text.parse().ok().filter(|_| digits).and_then(|n| Sequence::new(n).ok());
    let expected = "beginning, now, or a sequence from 0 to 9223372036854775807";
    sequence.map(FeedStart::After).ok_or_else(|| malformed(name, expected))
}

/// Another server would give no such sign.
async fn stopped(stopping: Option<Stopping>) {
    match stopping {
        Some(stopping) => stopping.wait().await,
        None => std::future::pending().await,
    }
}

async fn feed(
    app: &App,
    log: Log,
    mut params: Params,
    headers: &HeaderMap,
    stopping: Option<Stopping>,
) -> Result<Json<EventFeed>, Fault> {
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
) -> Result<EventStream, Fault> {
    let filter = filter(&mut params)?;
    let start = begin(&mut params, headers)?;
    params.finish()?;
    let query = EventQuery::new(log).filter(filter).audience("events.follow").max_bytes(PAGE_BYTES);
    // What is wrong with the request is said before the stream begins.
    let first = app.store.feed(&query, start).await.map_err(of_start)?;
    let still = Still { app: app.clone(), caller, headers: headers.clone() };
    let pages = pages(still, query, first);
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

/// The caller of a stream, who may have lost the right to it meanwhile.
struct Still {
    app: App,
    caller: Caller,
    headers: HeaderMap,
}

/// The pages of a feed, from the first on. It ends when the store fails, or when the caller may no
/// longer read the log: the client connects again, and is told why.
fn pages(still: Still, query: EventQuery, first: FeedPage) -> impl Stream<Item = Vec<AuditEvent>> {
    stream::unfold((still, query, Some(first), None), |(still, query, first, at)| async move {
        let store = &still.app.store;
        let page = match (first, at) {
            (Some(first), _) => first,
            (None, Some((token, true))) => failed(store.wait_feed(&query, &token).await)?,
            (None, Some((token, false))) => failed(store.next_feed(&query, &token).await)?,
            (None, None) => return None,
        };
        if !still.caller.may_still_read(&still.app, &still.headers, query.log()).await {
            return None;
        }
        let at = Some((page.token, page.caught_up));
        Some((page.events, (still, query, None, at)))
    })
}

/// A place beyond the log, where no token is at fault.
fn of_start(error: audit_core::Error) -> Fault {
    match error.kind() {
        ErrorKind::Behind => {
            Fault::new(StatusCode::CONFLICT, "the log has fewer events than the place to begin at")
        }
        _ => error.into(),
    }
}

fn failed(page: audit_core::Result<FeedPage>) -> Option<FeedPage> {
    page.inspect_err(|error| tracing::error!(%error, "a stream ended")).ok()
}

/// An event as a stream sends it. Its id is the sequence, with which the stream can be resumed.
fn sent(event: &AuditEvent) -> Event {
    let id = event.sequence.to_string();
    let data = serde_json::to_string(event).unwrap_or_default();
    Event::default().event("audit-event").id(id).data(data)
}

/// Whether the client asks for server-sent events.
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

async fn follow(
    app: &App,
    caller: Caller,
    log: Log,
    params: Params,
    headers: &HeaderMap,
    stopping: Option<Extension<Stopping>>,
) -> Result<Response, Fault> {
    let stopping = stopping.map(|Extension(stopping)| stopping);
    if wants_stream(headers) {
        return Ok(stream(app, caller, log, params, headers, stopping).await?.into_response());
    }
    Ok(feed(app, log, params, headers, stopping).await?.into_response())
}

/// The events that match, by sequence, from a place on.
///
/// As JSON, a page; with `wait`, of the events that come meanwhile. Its token asks for what follows;
/// an empty page has one, too.
///
/// With `Accept: text/event-stream`, as they come: server-sent events of the type `audit-event`,
/// whose data is the event and whose id is its sequence. A client that connects again with
/// `Last-Event-ID` misses none. The stream ends after a while, by default ten minutes.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/events/follow", tag = "events",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        ("Last-Event-ID" = Option<String>, Header, pattern = "^(0|[1-9][0-9]{0,17})$", description = "The sequence after which to go on, rather than `start`"),
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
    path: PathParams,
    headers: HeaderMap,
    stopping: Option<Extension<Stopping>>,
    params: Params,
) -> Result<Response, Fault> {
    let log = caller.log(&*app.store, path.organization(ORGANIZATION)?).await?;
    follow(&app, caller, log, params, &headers, stopping).await
}

/// The platform's events that match, by sequence, from a place on; as those of an organization.
/// Requires the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/events/follow", tag = "platform",
    params(
        ("Last-Event-ID" = Option<String>, Header, pattern = "^(0|[1-9][0-9]{0,17})$", description = "The sequence after which to go on, rather than `start`"),
        FilterParams, FollowParams,
    ),
    responses(
        (status = 200, description = "The events", content(
            (EventFeed = "application/json"), (String = "text/event-stream"),
        )),
        Native,
    ),
)]
pub(super) async fn follow_platform_events(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    stopping: Option<Extension<Stopping>>,
    params: Params,
) -> Result<Response, Fault> {
    let log = caller.platform()?;
    follow(&app, caller, log, params, &headers, stopping).await
}
