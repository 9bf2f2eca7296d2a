//! The handlers, a file for each contract. They read a request, ask the store, and write the
//! contract's own record; what decides anything is elsewhere.

mod audit_log_items;
mod audit_trails;
mod events;
mod health;
pub(crate) mod organisation_audit_logs;
mod organizations_and_activities;
mod platform;
mod super_admin_audit_logs;

use axum::Router;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::fault::Style;
use crate::guard::Guard;
use crate::openapi::Description;

/// The routes that ask for a credential, each group with the style of its contract.
fn guarded() -> [(Style, OpenApiRouter<App>); 7] {
    [
        (Style::A, organizations_and_activities::routes()),
        (Style::Native, audit_log_items::routes()),
        (Style::C, audit_trails::routes()),
        (Style::D, organisation_audit_logs::routes()),
        (Style::E, super_admin_audit_logs::routes()),
        (Style::Native, events::routes()),
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
