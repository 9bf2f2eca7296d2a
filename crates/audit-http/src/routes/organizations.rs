//! The native API of the organizations, for super-admins.

use audit_core::json::{self, Object};
use audit_core::openapi::JsonObject;
use audit_core::{
    NewOrganization, Organization, OrganizationId, OrganizationUpdate, PrivateEndpoint, Role,
    TenantStore,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::paging::PAGE_BYTES;
use crate::params::{Params, PathParams};
use crate::rejection::Rejection;
use crate::responses::Native;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_platform_organizations, create_platform_organization))
        .routes(routes!(
            get_platform_organization,
            update_platform_organization,
            delete_platform_organization
        ))
}

/// An organization to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateOrganization {
    /// The id; a new one by default.
    #[serde(default = "OrganizationId::new")]
    id: OrganizationId,
    /// The id in another system.
    external_id: Option<String>,
    /// The name.
    #[schema(min_length = 1)]
    name: String,
    /// The private endpoints.
    #[serde(default)]
    private_endpoints: Vec<PrivateEndpoint>,
    /// The settings.
    #[serde(default, deserialize_with = "json::object")]
    #[schema(value_type = JsonObject)]
    settings: Object,
    /// The e-mail address of the creator; the caller's by default.
    created_by: Option<String>,
}

/// Changes to an organization. A field that is absent is not changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct UpdateOrganization {
    /// The new name.
    #[schema(min_length = 1)]
    name: Option<String>,
    /// The ids of the private endpoints to remove, before others are added.
    remove_endpoints: Vec<String>,
    /// The private endpoints to add. One with the id of another replaces it.
    add_endpoints: Vec<PrivateEndpoint>,
    /// The new settings. They replace the old ones.
    #[serde(deserialize_with = "given_object")]
    #[schema(nullable = false, value_type = JsonObject)]
    settings: Option<Object>,
}

fn given_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Object>, D::Error> {
    json::object(deserializer).map(Some)
}

/// A page of organizations.
#[derive(Debug, Serialize, ToSchema)]
struct OrganizationPage {
    /// The organizations, by ascending id. Fewer than the limit if they are large.
    organizations: Vec<Organization>,
    /// The last id of the page, for `after`; null on the last page.
    next: Option<OrganizationId>,
}

const ORGANIZATION: &str = "organizationId";

/// Lists all organizations, by ascending id.
///
/// Requires the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/organizations", tag = "platform",
    params(
        ("after" = Option<OrganizationId>, Query, description = "The `next` of the previous page"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "The highest number of organizations in a page; 100 by default"),
    ),
    responses((status = 200, body = OrganizationPage, description = "A page of organizations"), Native),
)]
async fn list_platform_organizations(
    State(app): State<App>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, Rejection> {
    caller.require(Role::SuperAdmin)?;
    let after = params.uuid("after")?.map(OrganizationId::from);
    let limit = params.limit(1_000, 100)?;
    params.finish()?;
    let reading = caller.reading(&app).await?;
    reading.json(&page(app.tenants()?, after, limit).await?)
}

/// Reads a page, which ends before its limit once it has [`PAGE_BYTES`].
async fn page(
    tenants: &dyn TenantStore,
    after: Option<OrganizationId>,
    limit: usize,
) -> Result<OrganizationPage, Rejection> {
    /// The organizations that are read at a time. Each has 256 KiB at most.
    const PIECE: usize = 8;
    let (mut organizations, mut bytes) = (Vec::<Organization>::new(), 0);
    loop {
        let after = organizations.last().map_or(after, |last| Some(last.id));
        let wanted = PIECE.min(limit - organizations.len());
        let piece = tenants.organizations(after, wanted).await?;
        let is_last = piece.len() < wanted;
        for organization in piece {
            bytes += serde_json::to_vec(&organization).map_or(0, |text| text.len());
            organizations.push(organization);
        }
        if is_last {
            return Ok(OrganizationPage { organizations, next: None });
        }
        if organizations.len() == limit || bytes >= PAGE_BYTES {
            let next = organizations.last().map(|last| last.id);
            return Ok(OrganizationPage { organizations, next });
        }
    }
}

/// Creates an organization.
///
/// Requires the role `super-admin`.
#[utoipa::path(
    post, path = "/v1/platform/organizations", tag = "platform",
    request_body = CreateOrganization,
    responses((status = 201, body = Organization, description = "The organization"), Native),
)]
async fn create_platform_organization(
    State(app): State<App>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Response), Rejection> {
    caller.require(Role::SuperAdmin)?;
    let body = caller.read::<CreateOrganization>(&app, body).await?.value;
    let mut new = NewOrganization::new(body.name).id(body.id).settings(body.settings);
    new.external_id = body.external_id;
    new.private_endpoints = body.private_endpoints;
    new.created_by = body.created_by.or_else(|| caller.email().map(str::to_owned));
    let memory = caller.memory(&app, 0).await?;
    let created = app.tenants()?.create_organization(new, caller.context()).await?;
    Ok((StatusCode::CREATED, memory.json(&created)?))
}

/// Returns an organization.
///
/// Requires the role `super-admin`.
#[utoipa::path(
    get, path = "/v1/platform/organizations/{organizationId}", tag = "platform",
    params(("organizationId" = OrganizationId, Path, description = "The organization")),
    responses((status = 200, body = Organization, description = "The organization"), Native),
)]
async fn get_platform_organization(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
) -> Result<Response, Rejection> {
    caller.require(Role::SuperAdmin)?;
    let memory = caller.memory(&app, 0).await?;
    memory.json(&app.tenants()?.organization(path.organization(ORGANIZATION)?).await?)
}

/// Changes an organization.
///
/// A field that is left out does not change. Endpoints are removed before others are added.
/// Requires the role `super-admin`.
#[utoipa::path(
    patch, path = "/v1/platform/organizations/{organizationId}", tag = "platform",
    params(("organizationId" = OrganizationId, Path, description = "The organization")),
    request_body = UpdateOrganization,
    responses((status = 200, body = Organization, description = "The changed organization"), Native),
)]
async fn update_platform_organization(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    body: JsonBody,
) -> Result<Response, Rejection> {
    caller.require(Role::SuperAdmin)?;
    let id = path.organization(ORGANIZATION)?;
    let body = caller.read::<UpdateOrganization>(&app, body).await?.value;
    let mut update = OrganizationUpdate::default();
    (update.name, update.settings) = (body.name, body.settings);
    update.remove_endpoints = body.remove_endpoints;
    update.add_endpoints = body.add_endpoints;
    let memory = caller.memory(&app, 0).await?;
    memory.json(&app.tenants()?.update_organization(id, update, caller.context()).await?)
}

/// Deletes an organization.
///
/// Its audit log is kept. Requires the role `super-admin`.
#[utoipa::path(
    delete, path = "/v1/platform/organizations/{organizationId}", tag = "platform",
    params(("organizationId" = OrganizationId, Path, description = "The organization")),
    responses((status = 204, description = "The organization is deleted"), Native),
)]
async fn delete_platform_organization(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
) -> Result<StatusCode, Rejection> {
    caller.require(Role::SuperAdmin)?;
    app.tenants()?.delete_organization(path.organization(ORGANIZATION)?, caller.context()).await?;
    Ok(StatusCode::NO_CONTENT)
}
