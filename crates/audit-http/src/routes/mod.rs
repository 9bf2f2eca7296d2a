//! The handlers of the native API, and a file for each contract.

mod audit_log_items;
mod audit_trails;
mod health;
mod log;
mod metrics;
mod organisation_audit_logs;
mod organizations;
mod organizations_and_activities;
mod super_admin_audit_logs;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::contract::Contract;
use crate::options::HttpOptions;
use crate::style::Style;

/// Returns the routes that need no credential.
pub(crate) fn open() -> OpenApiRouter<App> {
    health::routes()
}

/// Returns the routes that need a credential, each group with the style of its rejections.
pub(crate) fn guarded(options: &HttpOptions) -> Vec<(Style, OpenApiRouter<App>)> {
    let mut groups = vec![(Style::Native, log::routes()), (Style::Native, self::metrics::routes())];
    for contract in &options.contracts {
        groups.push(match contract {
            Contract::OrganizationsAndActivities => {
                (Style::A, organizations_and_activities::activities())
            }
            Contract::AuditLogItems => (Style::Native, audit_log_items::routes()),
            Contract::AuditTrails => (Style::C, audit_trails::routes()),
            Contract::OrganisationAuditLogs => (Style::D, organisation_audit_logs::audit_logs()),
            Contract::SuperAdminAuditLogs => (Style::E, super_admin_audit_logs::routes()),
        });
    }
    if options.tenants.is_some() {
        groups.push((Style::Native, organizations::routes()));
        if options.contracts.contains(&Contract::OrganizationsAndActivities) {
            groups.push((Style::A, organizations_and_activities::organizations()));
        }
        if options.contracts.contains(&Contract::OrganisationAuditLogs) {
            groups.push((Style::D, organisation_audit_logs::organisations()));
        }
    }
    groups
}
