//! The events of a log: appended, looked up and listed.

use audit_core::{AuditEvent, AuditStoreExt as _, NewEvent, Receipt, Token};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{AppendLog, ReadLog};
use super::query::{FilterParams, ListParams, list_query, of_token};
use crate::app::App;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::params::{Params, PathParams};
use crate::rejection::Rejection;
use crate::responses::Native;

/// Events to append, all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventBatch {
    /// The events: 1 to 10,000.
    #[schema(max_items = 10_000)]
    events: Vec<NewEvent>,
}

/// The receipts of appended events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchReceipts {
    /// One for each event, in the same order.
    receipts: Vec<Receipt>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventPage {
    /// The events, in the requested order.
    events: Vec<AuditEvent>,
    /// The token of the next page; null on the last page.
    next: Option<String>,
    /// The token of the previous page; null on the first page.
    previous: Option<String>,
    /// The number of events that match, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// The number of events in the log when the first page was read. Later events are on no page.
    size: u64,
}

/// Appends an event.
///
/// Returns the first receipt of an event that the log already has under the same id. Actions that are
/// reserved for the store, such as `log.erased`, are rejected. The event has the id of the caller's
/// key as `submittedBy`.
#[utoipa::path(
    post, path = "/events", tag = "events",
    request_body = NewEvent,
    responses(
        (status = 201, body = Receipt, description = "The event is durable"),
        (status = 200, body = Receipt, description = "The log already had the event"),
        Native,
    ),
)]
pub(super) async fn append_event(
    State(app): State<App>,
    caller: Caller,
    AppendLog(log): AppendLog,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<Receipt>), Rejection> {
    let body = caller.read::<NewEvent>(&app, body).await?;
    let receipts = app.store.append(log, vec![caller.submit(body.value)]).await;
    let receipt = receipts.map_err(of_one)?.pop().ok_or_else(no_receipt)?;
    let mut headers = HeaderMap::new();
    // Relative to the path of the request, so that it is right behind a proxy that takes off a prefix.
    if let Ok(location) = HeaderValue::from_str(&format!("events/{}", receipt.id)) {
        headers.insert(header::LOCATION, location);
    }
    let status = if receipt.redelivered { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, headers, Json(receipt)))
}

fn no_receipt() -> Rejection {
    Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "the store returned no receipt")
}

/// Names the field of an event that was sent alone without the index of a list.
fn of_one(error: audit_core::Error) -> Rejection {
    match error.field().and_then(|field| field.strip_prefix("events[0].")).map(str::to_owned) {
        Some(field) => error.with_field(field).into(),
        None => error.into(),
    }
}

/// Appends events, all or none.
///
/// A batch has at most 10,000 events and, unless the service is set up otherwise, 4 MiB. Its values may
/// take 128 MiB of memory, where an object counts as 640 bytes and any other value as 32; a batch beyond
/// that is rejected with 413.
#[utoipa::path(
    post, path = "/events/batch", tag = "events",
    request_body = EventBatch,
    responses(
        (status = 201, body = BatchReceipts, description = "The events are durable"),
        (status = 200, body = BatchReceipts, description = "The log already had all of them"),
        Native,
    ),
)]
pub(super) async fn append_batch(
    State(app): State<App>,
    caller: Caller,
    AppendLog(log): AppendLog,
    body: JsonBody,
) -> Result<(StatusCode, Response), Rejection> {
    /// About the size of a receipt, in bytes.
    const RECEIPT: usize = 256;
    let body = caller.read::<EventBatch>(&app, body).await?;
    let events = body.value.events.into_iter().map(|event| caller.submit(event));
    let events: Vec<_> = events.collect();
    let memory = caller.memory(&app, events.len() * RECEIPT).await?;
    let receipts = app.store.append(log, events).await?;
    let is_new = receipts.iter().any(|receipt| !receipt.redelivered);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, memory.json(&BatchReceipts { receipts })?))
}

/// Lists the events that match the filter, by pages.
///
/// All conditions must hold; a repeated one holds if the event has one of its values. Following `next`,
/// with the same conditions and order, returns every event that matched when the first page was read,
/// each once.
#[utoipa::path(
    get, path = "/events", tag = "events",
    params(FilterParams, ListParams),
    responses((status = 200, body = EventPage, description = "The page"), Native),
)]
pub(super) async fn list_events(
    State(app): State<App>,
    caller: Caller,
    ReadLog(log): ReadLog,
    params: Params,
) -> Result<Response, Rejection> {
    let (query, token) = list_query(log, params)?;
    let reading = caller.reading(&app).await?;
    let page = match token {
        Some(token) => app.store.next_page(&query, &Token::new(token)).await,
        None => app.store.page(&query).await,
    };
    let page = page.map_err(|error| of_token(error, "token"))?;
    reading.json(&EventPage {
        events: page.events,
        next: page.next.map(|token| token.as_str().to_owned()),
        previous: page.previous.map(|token| token.as_str().to_owned()),
        total: page.total,
        size: page.bound.get(),
    })
}

/// Returns an event.
///
/// 404 if the log has no such event, or retention has removed it.
#[utoipa::path(
    get, path = "/events/{eventId}", tag = "events",
    params(("eventId" = audit_core::EventId, Path, description = "The event")),
    responses((status = 200, body = AuditEvent, description = "The event"), Native),
)]
pub(super) async fn get_event(
    State(app): State<App>,
    caller: Caller,
    ReadLog(log): ReadLog,
    path: PathParams,
) -> Result<Response, Rejection> {
    let id = path.event()?;
    let reading = caller.reading(&app).await?;
    reading.json(&app.store.get(log, id).await?)
}
