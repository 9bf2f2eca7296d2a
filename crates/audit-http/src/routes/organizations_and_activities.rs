//! Contract A: the caller's organization, and the activities in it.

use audit_contracts::organizations_and_activities::{
    Activity, Organization, Success, UpdateOrganization,
};
use audit_core::openapi::TimeBound;
use audit_core::{AuditStoreExt as _, EventQuery, Filter, Log, Role, Token};
use axum::extract::State;
use axum::response::Response;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::paging::PAGE_BYTES;
use crate::params::{Params, PathParams, malformed};
use crate::rejection::Rejection;
use crate::responses::A;

/// The schemas that the routes name but do not add.
#[derive(OpenApi)]
#[openapi(components(schemas(audit_contracts::organizations_and_activities::Failure, TimeBound)))]
struct Schemas;

pub(crate) fn activities() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Schemas::openapi())
        .routes(routes!(list_activities))
        .routes(routes!(get_activity))
}

/// Returns the routes for which the store must have the caller's organization.
pub(crate) fn organizations() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_organizations))
        .routes(routes!(get_organization, update_organization))
}

type Answer = Result<Response, Rejection>;

const ORGANIZATION: &str = "organizationId";

/// Lists the organization of the key.
///
/// The list has one organization, and none after its deletion.
#[utoipa::path(
    get, path = "/v1/organizations", tag = "A · organizations and activities",
    responses((status = 200, body = Success<Vec<Organization>>, description = "The organization"), A),
)]
async fn list_organizations(State(app): State<App>, caller: Caller) -> Answer {
    let memory = caller.memory(&app, 0).await?;
    let found = caller.organizations(&app).await?.into_iter().map(Organization::from);
    memory.json(&success(&caller, found.collect::<Vec<_>>(), None))
}

/// Returns an organization.
///
/// The key must belong to it.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}", tag = "A · organizations and activities",
    params(("organizationId" = audit_core::OrganizationId, Path, description = "The organization")),
    responses((status = 200, body = Success<Organization>, description = "The organization"), A),
)]
async fn get_organization(State(app): State<App>, caller: Caller, path: PathParams) -> Answer {
    caller.require_own(path.organization(ORGANIZATION)?)?;
    let memory = caller.memory(&app, 0).await?;
    let organization = caller.organization(&app).await?;
    memory.json(&success(&caller, Organization::from(organization), None))
}

/// Changes an organization's name and private endpoints.
///
/// Endpoints are removed before others are added. Requires the role `admin`.
#[utoipa::path(
    patch, path = "/v1/organizations/{organizationId}", tag = "A · organizations and activities",
    params(("organizationId" = audit_core::OrganizationId, Path, description = "The organization")),
    request_body = UpdateOrganization,
    responses((status = 200, body = Success<Organization>, description = "The changed organization"), A),
)]
async fn update_organization(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    body: JsonBody,
) -> Answer {
    caller.require_own(path.organization(ORGANIZATION)?)?;
    let organization = caller.organization(&app).await?;
    caller.require(Role::Admin)?;
    let update = caller.read::<UpdateOrganization>(&app, body).await?.value;
    let mut removed = update.private_endpoints.iter().flat_map(|changes| &changes.remove);
    if removed.any(|endpoint| endpoint.id.is_empty()) {
        return Err(malformed("privateEndpoints.remove.id", "the id of an endpoint"));
    }
    let memory = caller.memory(&app, 0).await?;
    let updated = app
        .tenants()?
        .update_organization(organization.id, update.into(), caller.context())
        .await?;
    memory.json(&success(&caller, Organization::from(updated), None))
}

/// Lists the activities of an organization, latest first.
///
/// The key must belong to it. Following `nextCursor`, with the same dates, returns every activity that
/// the log had when the first page was read, each once.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/activities",
    tag = "A · organizations and activities",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        ("from_date" = Option<TimeBound>, Query, description = "The earliest time, inclusive"),
        ("to_date" = Option<TimeBound>, Query, description = "The latest time, exclusive; as a date, the last day. After `from_date`"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "The highest number of activities in a page; 100 by default"),
        ("cursor" = Option<String>, Query, max_length = 200, description = "The `nextCursor` of the previous page"),
    ),
    responses((status = 200, body = Success<Vec<Activity>>, description = "A page of activities, and the cursor of the next page if there is one"), A),
)]
async fn list_activities(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    mut params: Params,
) -> Answer {
    let id = path.organization(ORGANIZATION)?;
    caller.require_own(id)?;
    let mut filter = Filter::new();
    let (from, to) = params.range("from_date", "to_date")?;
    if let Some(from) = from {
        filter = filter.since(from);
    }
    if let Some(to) = to {
        filter = filter.until(to);
    }
    let limit = params.limit(1_000, 100)?;
    let query = EventQuery::new(id)
        .filter(filter)
        .limit(limit)
        .audience("a.activities")
        .max_bytes(PAGE_BYTES);
    let cursor = params.one("cursor")?;
    let reading = caller.reading(&app).await?;
    let page = match cursor {
        Some(cursor) => app.store.next_page(&query, &Token::new(cursor)).await,
        None => app.store.page(&query).await,
    };
    let page =
        page.map_err(|error| Rejection::renamed(error, &[("until", "to_date")], "cursor"))?;
    let activities: Vec<_> = page.events.iter().map(Activity::from).collect();
    reading.json(&success(&caller, activities, page.next))
}

/// Returns an activity of an organization.
///
/// The key must belong to it.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/activities/{activityId}",
    tag = "A · organizations and activities",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        ("activityId" = String, Path, description = "The activity"),
    ),
    responses((status = 200, body = Success<Activity>, description = "The activity"), A),
)]
async fn get_activity(State(app): State<App>, caller: Caller, path: PathParams) -> Answer {
    let organization = path.organization(ORGANIZATION)?;
    caller.require_own(organization)?;
    let id = Activity::event_id(path.text("activityId"));
    let reading = caller.reading(&app).await?;
    let event = app.store.get(Log::from(organization), id).await?;
    reading.json(&success(&caller, Activity::from(&event), None))
}

fn success<T>(caller: &Caller, result: T, next: Option<Token>) -> Success<T> {
    let next_cursor = next.map(|token| token.as_str().to_owned());
    Success { status: 200, request_id: caller.request_id(), result, next_cursor }
}
