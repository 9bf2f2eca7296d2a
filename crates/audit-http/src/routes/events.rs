//! The native API: the events of one log, appended, looked up, listed and followed.

mod feed;
mod query;

use audit_core::{AuditEvent, AuditStoreExt as _, ErrorKind, Log, NewEvent, Receipt, Role, Token};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::openapi::responses::Native;
use crate::params::{Params, PathParams};
use query::{FilterParams, list_query};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_events, append_event))
        .routes(routes!(append_batch))
        .routes(routes!(feed::follow_events))
        .routes(routes!(get_event))
        .routes(routes!(list_platform_events, append_platform_event))
        .routes(routes!(append_platform_batch))
        .routes(routes!(feed::follow_platform_events))
        .routes(routes!(get_platform_event))
}

pub(super) const ORGANIZATION: &str = "organizationId";

/// The events to append: all of them or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventBatch {
    /// At most 10,000.
    #[schema(max_items = 10_000)]
    events: Vec<NewEvent>,
}

/// Where the appended events stand.
#[derive(Debug, Serialize, ToSchema)]
struct Receipts {
    /// One for each event, in their order.
    receipts: Vec<Receipt>,
}

/// One page of a walk.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventPage {
    /// The events, in the order asked for.
    events: Vec<AuditEvent>,
    /// The token of the next page; null when the walk is done.
    next: Option<String>,
    /// How many events match, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// The size of the log when the walk began: every page answers from these first events.
    size: u64,
}

async fn append(
    app: &App,
    caller: &Caller,
    log: Log,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<Receipt>), Fault> {
    let held = body.read::<NewEvent>(app).await?;
    let receipts = app.store.append(log, vec![held.value]).await;
    let receipt = receipts.map_err(of_one)?.pop().ok_or_else(no_receipt)?;
    let mut headers = HeaderMap::new();
    if let Ok(location) = HeaderValue::from_str(&format!("{}/{}", caller.path(), receipt.id)) {
        headers.insert(header::LOCATION, location);
    }
    let status = if receipt.redelivered { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, headers, Json(receipt)))
}

fn no_receipt() -> Fault {
    Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "the store returned no receipt")
}

/// An event that was given alone is not the first of a list.
fn of_one(error: audit_core::Error) -> Fault {
    match error.field().and_then(|field| field.strip_prefix("events[0].")).map(str::to_owned) {
        Some(field) => error.with_field(field).into(),
        None => error.into(),
    }
}

async fn append_all(
    app: &App,
    log: Log,
    body: JsonBody,
) -> Result<(StatusCode, Json<Receipts>), Fault> {
    let held = body.read::<EventBatch>(app).await?;
    let receipts = app.store.append(log, held.value.events).await?;
    let is_new = receipts.iter().any(|receipt| !receipt.redelivered);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Receipts { receipts })))
}

async fn list(app: &App, log: Log, params: Params) -> Result<Json<EventPage>, Fault> {
    let (query, token) = list_query(log, params)?;
    let page = match token {
        Some(token) => app.store.next_page(&query, &Token::new(token)).await,
        None => app.store.page(&query).await,
    };
    let page = page.map_err(of_token)?;
    Ok(Json(EventPage {
        events: page.events,
        next: page.next.map(|token| token.as_str().to_owned()),
        total: page.total,
        size: page.bound.get(),
    }))
}

/// A token that is not of this question conflicts with it; nothing tells why. One that stands at
/// what retention has removed leads nowhere.
fn of_token(error: audit_core::Error) -> Fault {
    match error.kind() {
        ErrorKind::InvalidToken | ErrorKind::Behind | ErrorKind::Gone => {
            error.with_field("token").into()
        }
        _ => error.into(),
    }
}

/// The log that a request appends to: an admin's own.
async fn log_to_append(app: &App, caller: &Caller, path: &PathParams) -> Result<Log, Fault> {
    let organization = caller.own(&*app.store, path.organization(ORGANIZATION)?).await?;
    caller.require(Role::Admin)?;
    Ok(organization.id.into())
}

/// Appends an event. The same event under the same id again is answered with the first receipt. The
/// actions by which a log tells of itself, such as `log.erased`, are refused.
/// Requires the role `admin`.
#[utoipa::path(
    post, path = "/v1/organizations/{organizationId}/events", tag = "events",
    params(("organizationId" = audit_core::OrganizationId, Path, description = "The organization")),
    request_body = NewEvent,
    responses(
        (status = 201, body = Receipt, description = "It is durable"),
        (status = 200, body = Receipt, description = "The log held it already"),
        Native,
    ),
)]
async fn append_event(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<Receipt>), Fault> {
    let log = log_to_append(&app, &caller, &path).await?;
    append(&app, &caller, log, body).await
}

/// Appends events, all or none. Requires the role `admin`.
#[utoipa::path(
    post, path = "/v1/organizations/{organizationId}/events/batch", tag = "events",
    params(("organizationId" = audit_core::OrganizationId, Path, description = "The organization")),
    request_body = EventBatch,
    responses(
        (status = 201, body = Receipts, description = "They are durable"),
        (status = 200, body = Receipts, description = "The log held all of them already"),
        Native,
    ),
)]
async fn append_batch(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    body: JsonBody,
) -> Result<(StatusCode, Json<Receipts>), Fault> {
    let log = log_to_append(&app, &caller, &path).await?;
    append_all(&app, log, body).await
}

/// A page of the events that match. All conditions hold together; one that is repeated holds where
/// an event has one of its values. Following `next`, with the same conditions and order, returns
/// every event that matched when the first page was read, each once.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/events", tag = "events",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        FilterParams, query::ListParams,
    ),
    responses((status = 200, body = EventPage, description = "The page"), Native),
)]
async fn list_events(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    params: Params,
) -> Result<Json<EventPage>, Fault> {
    let log = caller.log(&*app.store, path.organization(ORGANIZATION)?).await?;
    list(&app, log, params).await
}

/// One event.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/events/{eventId}", tag = "events",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        ("eventId" = audit_core::EventId, Path, description = "The event"),
    ),
    responses((status = 200, body = AuditEvent, description = "The event"), Native),
)]
async fn get_event(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
) -> Result<Json<AuditEvent>, Fault> {
    let (organization, id) = (path.organization(ORGANIZATION)?, path.event()?);
    let log = caller.log(&*app.store, organization).await?;
    Ok(Json(app.store.get(log, id).await?))
}

/// Appends an event to the platform's log. Requires the role `super-admin`.
#[utoipa::path(
    post, path = "/v1/platform/events", tag = "platform",
    request_body = NewEvent,
    responses(
        (status = 201, body = Receipt, description = "It is durable"),
        (status = 200, body = Receipt, description = "The log held it already"),
        Native,
    ),
)]
async fn append_platform_event(
    State(app): State<App>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<Receipt>), Fault> {
    let log = caller.platform()?;
    append(&app, &caller, log, body).await
}

/// Appends events to the platform's log, all or none. Requires the role `super-admin`.
#[utoipa::path(
    post, path = "/v1/platform/events/batch", tag = "platform",
    request_body = EventBatch,
    responses(
        (status = 201, body = Receipts, description = "They are durable"),
        (status = 200, body = Receipts, description = "The log held all of them already"),
        Native,
    ),
)]
async fn append_platform_batch(
    State(app): State<App>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Json<Receipts>), Fault> {
    let log = caller.platform()?;
    append_all(&app, log, body).await
}

/// A page of the platform's events that match. Requires the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/events", tag = "platform",
    params(FilterParams, query::ListParams),
    responses((status = 200, body = EventPage, description = "The page"), Native),
)]
async fn list_platform_events(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<EventPage>, Fault> {
    let log = caller.platform()?;
    list(&app, log, params).await
}

/// One event of the platform. Requires the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/events/{eventId}", tag = "platform",
    params(("eventId" = audit_core::EventId, Path, description = "The event")),
    responses((status = 200, body = AuditEvent, description = "The event"), Native),
)]
async fn get_platform_event(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
) -> Result<Json<AuditEvent>, Fault> {
    let log = caller.platform()?;
    Ok(Json(app.store.get(log, path.event()?).await?))
}
