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

/// The signals that end a wait early: shutdown, or that the client has left. Under another server than
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
    let begin = Begin::take(&mut params, headers)?;
    let wait = Duration::from_secs(params.number("wait", 0, LONGEST_WAIT, 0)?);
    params.finish()?;
    let until = Instant::now() + wait.min(app.options.request_timeout);
    // Before the first page, so that no append after it is missed.
    let mut size = if wait.is_zero() { Sequence::ZERO } else { app.store.head(log).await?.size };
    let mut reading = caller.reading(app).await?;
    let mut page = begin.page(app, &query).await?;
    let mut end = pin!(end.wait());
    let waits = page.events.is_empty() && !wait.is_zero();
    while page.events.is_empty() && waits {
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
    if waits {
        caller.confirm(app).await?;
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
    ids: StreamIds,
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
    let begin = Begin::take(&mut params, headers)?;
    params.finish()?;
    let query = EventQuery::new(log).filter(filter).audience("events.follow").max_bytes(PART_BYTES);
    let place = caller.begin_stream(app)?;
    let size = app.store.head(log).await?.size;
    // Rejects a wrong request before the stream begins.
    let reading = caller.reading(app).await?;
    let page = begin.page(app, &query).await?;
    let mut ids = StreamIds::default();
    let first = reading.piece(ids.messages(app, &query, &page).await?);
    let next = (page.token, page.caught_up);
    let state = EventStream { app: app.clone(), caller, query, next, size, ids, _place: place };
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
        let Self { app, caller, query, next, size, ids, .. } = self;
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
        let messages = logged(ids.messages(app, query, &page).await)?;
        *next = (page.token, page.caught_up);
        Some(reading.piece(messages))
    }
}

/// The ids that a stream sends: each is the token of the place after an event.
#[derive(Default)]
struct StreamIds {
    /// When the last id was sent.
    sent_at: Option<Instant>,
}

/// The time after which a stream without events sends its place again.
const PLACE_EVERY: Duration = Duration::from_secs(10);

impl StreamIds {
    /// Returns the messages for a page: its events, each with its id. A page without events has a
    /// message that is only an id, at the begin of the stream and from time to time.
    async fn messages(
        &mut self,
        app: &App,
        query: &EventQuery,
        page: &FeedPage,
    ) -> audit_core::Result<Vec<u8>> {
        let mut text = Vec::new();
        let Some((last, others)) = page.events.split_last() else {
            if self.sent_at.is_none_or(|sent| sent.elapsed() >= PLACE_EVERY) {
                self.sent_at = Some(Instant::now());
                text = format!("id: {}\n\n", page.token.as_str()).into_bytes();
            }
            return Ok(text);
        };
        let ids = app.store.feed_tokens(query, others).await?;
        for (event, id) in others.iter().zip(&ids) {
            write_event(&mut text, event, id);
        }
        // Nothing matches between the last event and the place of the page.
        write_event(&mut text, last, &page.token);
        self.sent_at = Some(Instant::now());
        Ok(text)
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

/// Writes an event in the form of a stream.
fn write_event(text: &mut Vec<u8>, event: &AuditEvent, id: &Token) {
    // Writing to memory does not fail.
    let _ = write!(text, "event: audit-event\nid: {}\ndata: ", id.as_str());
    let _ = serde_json::to_writer(&mut *text, event);
    text.extend_from_slice(b"\n\n");
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
