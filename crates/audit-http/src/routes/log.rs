//! The native API of a log: its events and its proofs.
//!
//! Each route is written once, and mounted for the log of an organization and for the platform's.

mod access;
mod download;
mod events;
mod feed;
mod proofs;
mod query;

use audit_core::OrganizationId;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::operations::operations;

/// The schemas that the routes name but do not add.
#[derive(OpenApi)]
#[openapi(components(schemas(crate::style::Problem, audit_core::openapi::TimeBound)))]
struct Schemas;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Schemas::openapi())
        .nest("/v1/organizations/{organizationId}", of_organization(of_log()))
        .nest("/v1/platform", of_platform(of_log()))
}

/// Returns the routes of one log, with paths below that of the log.
fn of_log() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(events::list_events, events::append_event))
        .routes(routes!(events::append_batch))
        .routes(routes!(feed::follow_events))
        .routes(routes!(download::export_events))
        .routes(routes!(events::get_event))
        .routes(routes!(proofs::get_checkpoint))
        .routes(routes!(proofs::get_evidence))
        .routes(routes!(proofs::get_tree_head))
        .routes(routes!(proofs::get_inclusion_proof))
        .routes(routes!(proofs::get_consistency_proof))
}

/// The path parameter of an organization's log.
#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
#[allow(dead_code)] // describes parameters; never constructed
struct OrganizationPath {
    /// The organization.
    organization_id: OrganizationId,
}

const APPEND_ACCESS: &str = "Requires a key of the organization with the role `admin`.";
const READ_ACCESS: &str = "Requires a key of the organization, or the role `super-admin`.";

/// Describes the routes of a log as those of an organization's.
fn of_organization(mut routes: OpenApiRouter<App>) -> OpenApiRouter<App> {
    for operation in operations(routes.get_openapi_mut()) {
        let path = OrganizationPath::into_params(|| Some(ParameterIn::Path));
        operation.parameters.get_or_insert_default().splice(..0, path.into_iter().map(Into::into));
        let is_append = operation.request_body.is_some();
        describe(operation, if is_append { APPEND_ACCESS } else { READ_ACCESS });
    }
    routes
}

/// Describes the routes of a log as those of the platform's.
fn of_platform(mut routes: OpenApiRouter<App>) -> OpenApiRouter<App> {
    for operation in operations(routes.get_openapi_mut()) {
        operation.tags = Some(vec!["platform".to_owned()]);
        // `list_events` becomes `list_platform_events`: an id is unique in the description.
        if let Some(id) = &mut operation.operation_id
            && let Some(verb) = id.find('_')
        {
            id.insert_str(verb, "_platform");
        }
        describe(operation, "Requires the role `super-admin`.");
    }
    routes
}

fn describe(operation: &mut Operation, sentence: &str) {
    let description = operation.description.get_or_insert_default();
    if !description.is_empty() {
        description.push(' ');
    }
    description.push_str(sentence);
}
