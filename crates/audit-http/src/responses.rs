//! The responses of rejections, as each contract's description lists them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

const STATUSES: [u16; 14] = [400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 429, 500, 503, 507];

macro_rules! styles {
    ($($(#[$doc:meta])* $name:ident: $body:ty, $media:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                rejections(&<$body>::name(), $media)
            }
        }
    )*};
}

styles! {
    /// The rejections of the native API and contract B.
    Native: crate::style::Problem, "application/problem+json";
    /// The rejections of contract A.
    A: audit_contracts::organizations_and_activities::Failure, "application/json";
    /// The rejections of contract C.
    C: audit_contracts::audit_trails::Problem, "application/problem+json";
    /// The rejections of contract D.
    D: audit_contracts::organisation_audit_logs::Failed, "application/json";
    /// The rejections of contract E.
    E: audit_contracts::super_admin_audit_logs::AuditLogs, "application/json";
}

/// Returns the response of every rejection, with the schema `body`.
fn rejections(body: &str, media: &str) -> BTreeMap<String, RefOr<Response>> {
    let rejection = |code: u16| {
        let status = StatusCode::from_u16(code).unwrap_or_default();
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
        let response = ResponseBuilder::new()
            .description(status.canonical_reason().unwrap_or("Error"))
            .content(media, content)
            .build();
        (code.to_string(), RefOr::T(response))
    };
    STATUSES.into_iter().map(rejection).collect()
}
