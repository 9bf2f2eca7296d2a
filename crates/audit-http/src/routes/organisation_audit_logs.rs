//! Contract D: the lifecycle of an organization, and its audit log by page.

use audit_contracts::organisation_audit_logs::{
    AuditLog, AuditLogs, CreateOrganization, Data, Organization, Pagination, UpdateOrganization,
};
use audit_core::{EventQuery, Filter, NewOrganization, Role, limits};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::paging::whole_page;
use crate::params::{Params, malformed};
use crate::rejection::Rejection;
use crate::responses::D;

/// The schemas that the routes name but do not add.
#[derive(OpenApi)]
#[openapi(components(schemas(audit_contracts::organisation_audit_logs::Failed, Scopes)))]
struct Schemas;

pub(crate) fn audit_logs() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Schemas::openapi()).routes(routes!(list_audit_logs))
}

/// Returns the routes for which the store must have the caller's organization.
pub(crate) fn organisations() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_organisations, create_organisation)).routes(routes!(
        get_organisation,
        update_organisation,
        delete_organisation
    ))
}

type Answer = Result<Response, Rejection>;

/// Lists the organizations of the caller.
///
/// A key belongs to one; the list is empty after its deletion.
#[utoipa::path(
    get, path = "/api/organisations", tag = "D · organization lifecycle",
    responses((status = 200, body = Data<Vec<Organization>>, description = "The organizations"), D),
)]
async fn list_organisations(State(app): State<App>, caller: Caller) -> Answer {
    let memory = caller.memory(&app, 0).await?;
    let found = caller.organizations(&app).await?;
    memory.json(&Data { data: found.into_iter().map(Organization::from).collect::<Vec<_>>() })
}

/// Creates an organization.
///
/// Requires the role `admin`.
#[utoipa::path(
    post, path = "/api/organisations", tag = "D · organization lifecycle",
    request_body = CreateOrganization,
    responses((status = 201, body = Data<Organization>, description = "The organization"), D),
)]
async fn create_organisation(
    State(app): State<App>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Response), Rejection> {
    caller.require(Role::Admin)?;
    let body = caller.read::<CreateOrganization>(&app, body).await?.value;
    let mut new = NewOrganization::from(body);
    new.created_by = caller.email().map(str::to_owned);
    let memory = caller.memory(&app, 0).await?;
    let created = app.tenants()?.create_organization(new, caller.context()).await?;
    Ok((StatusCode::CREATED, memory.json(&Data { data: Organization::from(created) })?))
}

/// Returns the current organization.
///
/// It is the organization of the key.
#[utoipa::path(
    get, path = "/api/organisation", tag = "D · organization lifecycle",
    responses((status = 200, body = Data<Organization>, description = "The organization"), D),
)]
async fn get_organisation(State(app): State<App>, caller: Caller) -> Answer {
    let memory = caller.memory(&app, 0).await?;
    let organization = caller.organization(&app).await?;
    memory.json(&Data { data: Organization::from(organization) })
}

/// Changes the current organization's name or settings.
///
/// A field that is left out does not change. Requires the role `admin`.
#[utoipa::path(
    put, path = "/api/organisation", tag = "D · organization lifecycle",
    request_body = UpdateOrganization,
    responses((status = 200, body = Data<Organization>, description = "The changed organization"), D),
)]
async fn update_organisation(State(app): State<App>, caller: Caller, body: JsonBody) -> Answer {
    let organization = caller.organization(&app).await?;
    caller.require(Role::Admin)?;
    let update = caller.read::<UpdateOrganization>(&app, body).await?.value;
    let memory = caller.memory(&app, 0).await?;
    let updated = app
        .tenants()?
        .update_organization(organization.id, update.into(), caller.context())
        .await?;
    memory.json(&Data { data: Organization::from(updated) })
}

/// Deletes the current organization.
///
/// Its audit log is kept. Requires the role `admin`.
#[utoipa::path(
    delete, path = "/api/organisation", tag = "D · organization lifecycle",
    responses((status = 204, description = "The organization is deleted"), D),
)]
async fn delete_organisation(
    State(app): State<App>,
    caller: Caller,
) -> Result<StatusCode, Rejection> {
    let organization = caller.organization(&app).await?;
    caller.require(Role::Admin)?;
    app.tenants()?.delete_organization(organization.id, caller.context()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Product scopes, comma-separated.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^ *[^, ]+ *(, *[^, ]+ *){0,9}$")]
#[allow(dead_code)] // describes parameters; never constructed
struct Scopes(String);

/// Parses the scopes of the `include` parameters.
fn scopes(included: &[String]) -> Result<Vec<&str>, Rejection> {
    const MOST: usize = 10;
    let is_scope =
        |scope: &&str| (1..=limits::MAX_NAME_BYTES).contains(&scope.len()) && !scope.contains(' ');
    let mut all = Vec::new();
    for scopes in included {
        let scopes: Vec<_> = scopes.split(',').map(|scope| scope.trim_matches(' ')).collect();
        if included.len() > MOST || scopes.len() > MOST || !scopes.iter().all(is_scope) {
            let expected = "1 to 10 product scopes, separated by commas, at most 10 times";
            return Err(malformed("include", expected));
        }
        all.extend(scopes);
    }
    Ok(all)
}

/// Lists the audit log of the current organization, latest first.
///
/// The pages are numbered. An event that is appended meanwhile moves the others.
#[utoipa::path(
    get, path = "/api/audit-logs", tag = "D · organization lifecycle",
    params(
        ("action" = Option<String>, Query, min_length = 1, description = "The action"),
        ("email" = Option<String>, Query, min_length = 1, description = "The e-mail address of the user, in any case"),
        ("include" = Option<Vec<Scopes>>, Query, max_items = 10, description = "The product scopes, comma-separated or repeated; an entry has one of them. `platform` has the changes of organizations and keys"),
        ("page" = Option<u64>, Query, minimum = 1, description = "The page; 1 by default"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 200, description = "The entries of a page; 50 by default"),
    ),
    responses((status = 200, body = AuditLogs, description = "The page, and the number of entries in all"), D),
)]
async fn list_audit_logs(
    State(app): State<App>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, Rejection> {
    let log = caller.own()?;
    let mut filter = Filter::new();
    if let Some(action) = params.filled("action", limits::MAX_NAME_BYTES)? {
        filter = filter.action(action);
    }
    if let Some(email) = params.filled("email", limits::MAX_ID_BYTES)? {
        filter = filter.actor_email(email);
    }
    for scope in scopes(&params.all("include"))? {
        filter = filter.surface(scope);
    }
    let limit = params.limit(200, 50)?;
    // The last page whose entries have a number.
    let last_page = i64::MAX.unsigned_abs() / limit as u64;
    let number = params.number("page", 1, last_page, 1)?;
    let query = EventQuery::new(log).filter(filter).offset((number - 1) * limit as u64);
    let around = |total| {
        let pagination = Pagination { page: number, limit: limit as u64, total };
        around(&AuditLogs { data: Vec::new(), pagination })
    };
    whole_page(&app, &caller, query, limit, around, |event| AuditLog::from(event)).await
}

/// Returns the text before and after the entries of a page.
fn around(empty: &AuditLogs) -> (String, String) {
    let text = serde_json::to_string(empty).unwrap_or_default();
    // The first empty list is that of the entries.
    let (before, after) = text.split_once("[]").unwrap_or_default();
    (format!("{before}["), format!("]{after}"))
}
