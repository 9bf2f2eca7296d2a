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
    /// The `token` of the previous page, or an id of a stream. Conditions must be the same; the
    /// limit may differ. The start is ignored.
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

/// Where a feed begins.
enum Begin {
    /// At a start that the client names.
    Start(FeedStart),
    /// After a token. The name is that of the parameter or the header with the token.
    Token(Token, &'static str),
}

impl Begin {
    /// Takes the header `Last-Event-ID` if the client sends it, else the parameter `token`, else
    /// `start`.
    fn take(params: &mut Params, headers: &HeaderMap) -> Result<Self, Rejection> {
        const SEEN: &str = "Last-Event-ID";
        let start = match params.one("start")?.as_deref() {
            None | Some("beginning") => FeedStart::Beginning,
            Some("now") => FeedStart::Now,
            Some(text) => after("start", text)?,
        };
        let token = params.one("token")?;
        Ok(match (headers.get(SEEN), token) {
            // A token is ASCII, so any other text is none.
            (Some(id), _) => Self::Token(Token::new(id.to_str().unwrap_or_default()), SEEN),
            (None, Some(token)) => Self::Token(Token::new(token), "token"),
            (None, None) => Self::Start(start),
        })
    }

    /// Returns the first page.
    async fn page(self, app: &App, query: &EventQuery) -> Result<FeedPage, Rejection> {
        match self {
            Self::Start(start) => app.store.feed(query, start).await.map_err(of_start),
            Self::Token(token, name) => {
                app.store.next_feed(query, &token).await.map_err(|error| of_token(error, name))
            }
        }
    }
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
    caller: &Caller,
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
    let begin = Begin::take(&mut params, headers)?;
    let wait = Duration::from_secs(params.number("wait", 0, LONGEST_WAIT, 0)?);
    params.finish()?;
    let until = Instant::now() + wait.min(app.options.request_timeout);
    let mut page = begin.page(app, &query).await?;
    let mut stopped = std::pin::pin!(stopped(stopping));
    let waits = page.events.is_empty() && !wait.is_zero();
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
    if waits {
        caller.confirm(app).await?;
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
    let begin = Begin::take(&mut params, headers)?;
    params.finish()?;
    let query = EventQuery::new(log).filter(filter).audience("events.follow").max_bytes(PAGE_BYTES);
    // Rejects a wrong request before the stream begins.
    let first = begin.page(app, &query).await?;
    let pages = pages(app.clone(), caller, query, first);
    let duration = app.options.stream_duration;
    let end = async move {
        tokio::select! {
            () = stopped(stopping) => {},
            () = tokio::time::sleep(duration) => {},
        }
    };
    let events = pages.flat_map(|page| stream::iter(page).map(Ok));
    let events = events.take_until(Box::pin(end)).boxed();
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Returns the messages of the pages of a feed, from the first on. They end if the store fails, or
/// if the caller's credential is no longer valid: the client connects again and gets the reason.
fn pages(
    app: App,
    caller: Caller,
    query: EventQuery,
    first: FeedPage,
) -> impl Stream<Item = Vec<Event>> {
    let state = (app, caller, query, Some(first), None, Places::default());
    stream::unfold(state, |(app, caller, query, first, at, mut places)| async move {
        let page = match (first, at) {
            (Some(first), _) => first,
            (None, Some((token, true))) => logged(app.store.wait_feed(&query, &token).await)?,
            (None, Some((token, false))) => logged(app.store.next_feed(&query, &token).await)?,
            (None, None) => return None,
        };
        if !caller.is_still_valid(&app).await {
            return None;
        }
        let messages = logged(places.messages(&app, &query, &page).await)?;
        let at = Some((page.token, page.caught_up));
        Some((messages, (app, caller, query, None, at, places)))
    })
}

/// The ids that a stream sends: each is the token of the place after an event.
#[derive(Default)]
struct Places {
    /// When the last id was sent.
    sent_at: Option<Instant>,
}

/// The time after which a stream without events sends its place again.
const PLACE_EVERY: Duration = Duration::from_secs(10);

impl Places {
    /// Returns the messages for a page: its events, each with its id. A page without events has a
    /// message that is only an id, at the begin of the stream and from time to time.
    async fn messages(
        &mut self,
        app: &App,
        query: &EventQuery,
        page: &FeedPage,
    ) -> audit_core::Result<Vec<Event>> {
        let Some((_, others)) = page.events.split_last() else {
            let is_due = self.sent_at.is_none_or(|sent| sent.elapsed() >= PLACE_EVERY);
            let place = is_due.then(|| Event::default().id(page.token.as_str()));
            if place.is_some() {
                self.sent_at = Some(Instant::now());
            }
            return Ok(place.into_iter().collect());
        };
        let mut ids = app.store.feed_tokens(query, others).await?;
        // Nothing matches between the last event and the place of the page.
        ids.push(page.token.clone());
        self.sent_at = Some(Instant::now());
        Ok(page.events.iter().zip(&ids).map(|(event, id)| sent(event, id)).collect())
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
fn logged<T>(page: audit_core::Result<T>) -> Option<T> {
    page.inspect_err(|error| tracing::error!(%error, "a stream ended")).ok()
}

/// Returns an event in the form of a stream.
fn sent(event: &AuditEvent, id: &Token) -> Event {
    let data = serde_json::to_string(event).unwrap_or_default();
    Event::default().event("audit-event").id(id.as_str()).data(data)
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
/// appended. Their data is the event, their id the token that continues after it. A stream without
/// events begins with an id alone. A client that reconnects with `Last-Event-ID` misses none. The
/// stream ends after a time, by default ten minutes.
#[utoipa::path(
    get, path = "/events/follow", tag = "events",
    params(
        ("Last-Event-ID" = Option<String>, Header, max_length = 200, description = "The last id of a stream, or the token of a page, to continue after; instead of `start` and `token`"),
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
    Ok(poll(&app, &caller, log, params, &headers, stopping).await?.into_response())
}
