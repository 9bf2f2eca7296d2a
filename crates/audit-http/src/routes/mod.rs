//! The handlers, a file for each contract. They read a request, ask the store, and write the
//! contract's own record; what decides anything is elsewhere.

mod audit_log_items;
mod audit_trails;
mod events;
mod health;
pub(crate) mod organisation_audit_logs;
mod organizations_and_activities;
mod platform;
mod proofs;
mod super_admin_audit_logs;

use audit_core::{AuditEvent, AuditStoreExt as _, EventQuery, TenantStore};
use axum::Router;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::fault::Style;
use crate::guard::Guard;
use crate::openapi::Description;

/// About how many bytes the events of a page have as stored: a page that has as many ends, and its
/// token leads on.
const PAGE_BYTES: usize = 1 << 20;

/// A page that ends at its limit and nowhere else, as contracts with offsets have it: the records
/// that `record` makes of its events, and how many match in all. The events themselves are held a
/// few at a time.
async fn whole_page<T>(
    store: &dyn TenantStore,
    query: EventQuery,
    limit: usize,
    record: impl Fn(&AuditEvent) -> T,
) -> audit_core::Result<(Vec<T>, u64)> {
    let query = query.max_bytes(PAGE_BYTES).limit(limit);
    let mut page = store.page(&query.clone().with_total()).await?;
    let total = page.total.unwrap_or_default();
    let mut records: Vec<T> = page.events.iter().map(&record).collect();
    while let Some(token) = page.next.filter(|_| records.len() < limit) {
        page = store.next_page(&query.clone().limit(limit - records.len()), &token).await?;
        records.extend(page.events.iter().map(&record));
    }
    Ok((records, total))
}

/// The routes that ask for a credential, each group with the style of its contract.
fn guarded() -> [(Style, OpenApiRouter<App>); 8] {
    [
        (Style::A, organizations_and_activities::routes()),
        (Style::Native, audit_log_items::routes()),
        (Style::C, audit_trails::routes()),
        (Style::D, organisation_audit_logs::routes()),
        (Style::E, super_admin_audit_logs::routes()),
        (Style::Native, events::routes()),
        (Style::Native, proofs::routes()),
        (Style::Native, platform::routes()),
    ]
}

/// Every route, behind its guard.
pub(crate) fn all(app: &App) -> Router<App> {
    let guard = Guard::new(app);
    guarded().into_iter().fold(health::routes().into(), |all, (style, routes)| {
        all.merge(guard.layer(style, routes.into()))
    })
}

/// The description of every route.
pub(crate) fn description() -> OpenApi {
    let groups = guarded().into_iter().map(|(_, routes)| routes).chain([health::routes()]);
    groups.fold(Description::openapi(), |mut all, mut routes| {
        all.merge(std::mem::take(routes.get_openapi_mut()));
        all
    })
}
