//! Contract C: audit trails, a feed with a continuation token.

use audit_contracts::audit_trails::{AuditTrail, AuditTrails};
use audit_core::{AuditStoreExt as _, EventQuery, FeedStart, Token};
use axum::extract::State;
use axum::response::Response;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::paging::PAGE_BYTES;
use crate::params::{Params, PathParams};
use crate::rejection::Rejection;
use crate::responses::C;

/// The schema that the route names but does not add.
#[derive(OpenApi)]
#[openapi(components(schemas(audit_contracts::audit_trails::Problem)))]
struct Schemas;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Schemas::openapi()).routes(routes!(list_audit_trails))
}

/// Lists the audit trails of an organization in the order in which they were recorded.
///
/// A batch has fewer than 100. The feed has no last batch: an empty batch has a token too, to poll with
/// later. The key must belong to the organization.
#[utoipa::path(
    get, path = "/api/v1.0/organizations/{organizationGuid}/audit-trails", tag = "C · audit trails",
    params(
        ("organizationGuid" = audit_core::OrganizationId, Path, description = "The organization"),
        ("continuationToken" = Option<String>, Query, max_length = 200, description = "The token of the previous batch; without it, the feed begins with the first record"),
    ),
    responses((status = 200, body = AuditTrails, description = "The next batch"), C),
)]
async fn list_audit_trails(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    mut params: Params,
) -> Result<Response, Rejection> {
    const TOKEN: &str = "continuationToken";
    let organization = path.organization("organizationGuid")?;
    caller.require_own(organization)?;
    let query = EventQuery::new(organization)
        .limit(AuditTrail::BATCH)
        .audience("c.audit-trails")
        .max_bytes(PAGE_BYTES);
    let token = params.one(TOKEN)?;
    let reading = caller.reading(&app).await?;
    let page = match token {
        Some(token) => app.store.next_feed(&query, &Token::new(token)).await,
        None => app.store.feed(&query, FeedStart::Beginning).await,
    };
    let page = page.map_err(|error| Rejection::renamed(error, &[], TOKEN))?;
    reading.json(&AuditTrails {
        continuation_token: Some(page.token.as_str().to_owned()),
        response_data: Some(page.events.iter().map(AuditTrail::from).collect()),
    })
}
