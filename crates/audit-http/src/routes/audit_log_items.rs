//! Contract B: audit log items, a bare array.

use std::time::Duration;

use audit_contracts::audit_log_items::AuditLogItem;
use audit_core::openapi::TimeBound;
use audit_core::{AuditStoreExt as _, EventQuery, Facet, Filter, Timestamp, Token};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::paging::PAGE_BYTES;
use crate::params::{Params, PathParams};
use crate::rejection::Rejection;
use crate::responses::Native;

/// The schemas that the route names but does not add.
#[derive(OpenApi)]
#[openapi(components(schemas(crate::style::Problem, TimeBound)))]
struct Schemas;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Schemas::openapi()).routes(routes!(list_audit_log_items))
}

/// The seconds of a day.
const DAY: u64 = 86_400;
/// The span before `to` if there is no `from`.
const DEFAULT_SPAN: Duration = Duration::from_secs(7 * DAY);
/// The longest span between the dates.
const LONGEST_SPAN: Duration = Duration::from_secs(30 * DAY);
/// The highest number of items in a response.
const LIMIT: usize = 1_000;

const FROM: &str = "fromUtcDateTime";
const TO: &str = "toUtcDateTime";

/// Lists the audit log items of an organization, latest first.
///
/// A response has at most 1,000; the header `Link` with `rel="next"` links to the next ones. Without
/// dates, lists those of the last 7 days. The dates may be at most 30 days apart.
#[utoipa::path(
    get, path = "/v1/organizations/{organizationId}/auditlogs", tag = "B · audit log items",
    params(
        ("organizationId" = audit_core::OrganizationId, Path, description = "The organization"),
        ("productId" = Option<uuid::Uuid>, Query, description = "The product"),
        ("configId" = Option<uuid::Uuid>, Query, description = "The config"),
        ("environmentId" = Option<uuid::Uuid>, Query, description = "The environment"),
        ("auditLogType" = Option<String>, Query, min_length = 1, description = "The type of the items"),
        ("fromUtcDateTime" = Option<TimeBound>, Query, description = "The earliest time, inclusive"),
        ("toUtcDateTime" = Option<TimeBound>, Query, description = "The latest time, exclusive; as a date, the last day. At most 30 days after the earliest"),
        ("token" = Option<String>, Query, max_length = 200, description = "The token in the `Link` of the previous response"),
    ),
    responses((status = 200, body = Vec<AuditLogItem>, description = "The items"), Native),
)]
async fn list_audit_log_items(
    State(app): State<App>,
    caller: Caller,
    path: PathParams,
    mut params: Params,
) -> Result<(HeaderMap, Response), Rejection> {
    let organization = path.organization("organizationId")?;
    caller.require_own(organization)?;
    let mut wanted: Vec<(&str, String)> = Vec::new();
    let mut filter = Filter::new();
    for (name, facet) in [
        ("productId", Facet::Product),
        ("configId", Facet::Config),
        ("environmentId", Facet::Environment),
    ] {
        if let Some(id) = params.uuid(name)? {
            let id = id.hyphenated().to_string();
            filter = filter.with(facet, id.clone());
            wanted.push((name, id));
        }
    }
    if let Some(kind) = params.filled("auditLogType", 256)? {
        filter = filter.action(kind.clone());
        wanted.push(("auditLogType", kind));
    }
    let (from, to) = params.range(FROM, TO)?;
    let (from, to) = span(from, to)?;
    filter = filter.since(from);
    wanted.push((FROM, from.to_string()));
    if let Some(to) = to {
        filter = filter.until(to);
        wanted.push((TO, to.to_string()));
    }
    let query = EventQuery::new(organization)
        .filter(filter)
        .limit(LIMIT)
        .audience("b.auditlogs")
        .max_bytes(PAGE_BYTES);
    let token = params.one("token")?;
    let reading = caller.reading(&app).await?;
    let page = match token {
        Some(token) => app.store.next_page(&query, &Token::new(token)).await,
        None => app.store.page(&query).await,
    };
    let page = page.map_err(|error| Rejection::renamed(error, &[("until", TO)], "token"))?;
    let mut headers = HeaderMap::new();
    if let Some(token) = page.next {
        wanted.push(("token", token.as_str().to_owned()));
        let value = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let query: Vec<_> = wanted.iter().map(|(n, v)| format!("{n}={}", value(v))).collect();
        // Relative to the request, so that it is right behind a proxy that takes off a prefix.
        let link = format!("<?{}>; rel=\"next\"", query.join("&"));
        if let Ok(link) = HeaderValue::from_str(&link) {
            headers.insert(header::LINK, link);
        }
    }
    let items: Vec<_> = page.events.iter().map(AuditLogItem::from).collect();
    Ok((headers, reading.json(&items)?))
}

/// Returns the range of times. It has no end if only the present would end it.
fn span(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<(Timestamp, Option<Timestamp>), Rejection> {
    let end = to.unwrap_or_else(Timestamp::now);
    let from = from.unwrap_or_else(|| end.saturating_sub(DEFAULT_SPAN));
    if end.duration_since(from) > LONGEST_SPAN {
        let detail = format!("`{FROM}` and `{TO}`, or now, must be at most 30 days apart");
        return Err(Rejection::bad_request(FROM, detail));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_is_a_week_unless_given_and_a_month_at_most() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let to = at("2024-03-31T00:00:00Z");
        assert_eq!(span(None, to).unwrap().0, at("2024-03-24T00:00:00Z").unwrap());
        assert!(span(at("2024-03-01T00:00:00Z"), to).is_ok());
        assert!(span(at("2024-02-29T23:59:59.999999Z"), to).is_err());
        assert!(span(at("2024-03-01T00:00:00Z"), None).is_err());
        assert!(span(None, None).unwrap().1.is_none());
        assert!(span(Some(Timestamp::MIN), Some(Timestamp::MAX)).is_err());
        assert!(span(None, Some(Timestamp::MIN)).is_ok());
    }
}
