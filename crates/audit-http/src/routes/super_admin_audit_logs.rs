//! Contract E: the actions of super-admins, from the platform's log.

use audit_contracts::super_admin_audit_logs::{AuditLog, AuditLogs, Meta, Pagination};
use audit_core::{EventQuery, Filter, limits};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::paging::whole_page;
use crate::params::{Params, malformed};
use crate::rejection::Rejection;
use crate::responses::E;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_super_admin_audit_logs))
}

/// The header of the caller's context. The source requires it. It is not a filter.
const CONTEXT: &str = "SlashID-OrgID";

/// Lists the platform's audit log, latest first.
///
/// The pages begin at an offset. Requires the role `super-admin`.
#[utoipa::path(
    get, path = "/super-admins/audit-logs", tag = "E · super-admin audit logs",
    params(
        ("SlashID-OrgID" = uuid::Uuid, Header, description = "The organization in whose context the caller acts"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "The highest number of entries in a page; 100 by default"),
        ("offset" = Option<u64>, Query, minimum = 0, maximum = 9_223_372_036_854_775_807_u64, description = "The number of entries to skip; 0 by default"),
        ("super_admin_email" = Option<String>, Query, format = "email", description = "The e-mail address of the super-admin, in any case"),
        ("organization_id" = Option<uuid::Uuid>, Query, description = "The organization that the action concerned"),
    ),
    responses((status = 200, body = AuditLogs, description = "The entries, and the number of entries in all"), E),
)]
async fn list_super_admin_audit_logs(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Rejection> {
    let log = caller.platform()?;
    let context = headers.get(CONTEXT).and_then(|value| value.to_str().ok());
    if !context.is_some_and(|text| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()) {
        let detail = format!("the header `{CONTEXT}` is required, and must be a UUID");
        return Err(Rejection::bad_request(CONTEXT, detail));
    }
    let limit = params.limit(1_000, 100)?;
    let offset = params.number("offset", 0, i64::MAX.unsigned_abs(), 0)?;
    let mut filter = Filter::new();
    if let Some(email) = params.filled("super_admin_email", limits::MAX_ID_BYTES)? {
        let is_address =
            email.rsplit_once('@').is_some_and(|(l, d)| !l.is_empty() && !d.is_empty());
        if !is_address {
            return Err(malformed("super_admin_email", "an e-mail address"));
        }
        filter = filter.actor_email(email);
    }
    if let Some(id) = params.organization("organization_id")? {
        filter = filter.organization_id(id.to_string());
    }
    let query = EventQuery::new(log).filter(filter).offset(offset);
    let around = |total_count| {
        let pagination = Pagination { limit: limit as u64, offset, total_count };
        let meta = Meta { pagination };
        around(&AuditLogs { meta, errors: Vec::new(), result: Some(Vec::new()) })
    };
    whole_page(&app, &caller, query, limit, around, |event| AuditLog::from(event)).await
}

/// Returns the text before and after the entries of a page.
fn around(empty: &AuditLogs) -> (String, String) {
    let text = serde_json::to_string(empty).unwrap_or_default();
    // The last empty list is that of the entries.
    let (before, after) = text.rsplit_once("[]").unwrap_or_default();
    (format!("{before}["), format!("]{after}"))
}
