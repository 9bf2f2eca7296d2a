//! The description of all routes, OpenAPI 3.1, made from the handlers, and its page.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::OriginalUri;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::{Modify, OpenApi, openapi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{App, routes};

/// What the description says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Audit",
        description = "An audit log: five source contracts at their own paths, and a native API.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    security(("basic" = []), ("bearer" = [])),
    // What the routes name but do not bring.
    components(schemas(
        crate::fault::Problem,
        audit_contracts::organizations_and_activities::Failure,
        audit_contracts::audit_trails::Problem,
        audit_contracts::organisation_audit_logs::Failed,
        audit_contracts::super_admin_audit_logs::AuditLogs,
        crate::routes::organisation_audit_logs::Scopes,
        audit_core::openapi::JsonValue,
    )),
    modifiers(&Schemes),
)]
pub(crate) struct Description;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let scheme = |scheme, description: &str| {
            let http = HttpBuilder::new().scheme(scheme).description(Some(description));
            SecurityScheme::Http(http.build())
        };
        let components = api.components.get_or_insert_default();
        components.add_security_scheme(
            "basic",
            scheme(HttpAuthScheme::Basic, "The key's id as user, its secret as password"),
        );
        components
            .add_security_scheme("bearer", scheme(HttpAuthScheme::Bearer, "The key's secret"));
    }
}

/// The OpenAPI 3.1 description of every route of [`router`](crate::router).
pub fn openapi() -> openapi::OpenApi {
    let mut api = routes::description();
    for item in api.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch];
        let operations = operations.into_iter().chain([&mut item.delete]).flatten();
        let parameters = operations.filter_map(|operation| operation.parameters.as_mut());
        for parameter in parameters.flatten() {
            if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter {
                without_null(schema);
            }
        }
    }
    api
}

/// A parameter that is not given is absent, never null.
fn without_null(schema: &mut RefOr<Schema>) {
    let kind = match schema {
        RefOr::T(Schema::Object(object)) => &mut object.schema_type,
        RefOr::T(Schema::Array(array)) => &mut array.schema_type,
        RefOr::T(Schema::OneOf(one)) => {
            if let Some(reference) = one.items.iter().find(|item| matches!(item, RefOr::Ref(_))) {
                *schema = reference.clone();
            }
            return;
        }
        _ => return,
    };
    if let SchemaType::Array(kinds) = kind {
        kinds.retain(|kind| *kind != Type::Null);
        if let [only] = kinds.as_slice() {
            *kind = SchemaType::Type(only.clone());
        }
    }
}

const PATH: &str = "/openapi.json";

/// The description, and a page for people.
pub(crate) fn page() -> Router<App> {
    let api = openapi();
    let page = SwaggerUi::new("/docs").config(Config::from("../openapi.json"));
    // Written once, when it is known below which path the router is nested.
    let written: Arc<OnceLock<(String, Bytes)>> = Arc::default();
    let described = move |OriginalUri(uri): OriginalUri| {
        let base = uri.path().strip_suffix(PATH).unwrap_or_default();
        let write = || {
            let mut api = api.clone();
            api.servers = (!base.is_empty()).then(|| vec![Server::new(base)]);
            (base.to_owned(), serde_json::to_vec(&api).unwrap_or_default().into())
        };
        let (of, text) = written.get_or_init(write);
        let text = if of == base { text.clone() } else { write().1 };
        std::future::ready(([(header::CONTENT_TYPE, "application/json")], text))
    };
    Router::from(page).route(PATH, get(described))
}

/// What each contract answers where it cannot answer.
pub(crate) mod responses {
    use std::collections::BTreeMap;

    use axum::http::StatusCode;
    use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
    use utoipa::{IntoResponses, ToSchema};

    const STATUSES: [u16; 14] =
        [400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 429, 500, 503, 507];

    macro_rules! styles {
        ($($(#[$doc:meta])* $name:ident: $body:ty, $media:literal;)*) => {$(
            $(#[$doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    faults(&<$body>::name(), $media)
                }
            }
        )*};
    }

    styles! {
        /// Of the native API and contract B.
        Native: crate::fault::Problem, "application/problem+json";
        /// Of contract A.
        A: audit_contracts::organizations_and_activities::Failure, "application/json";
        /// Of contract C.
        C: audit_contracts::audit_trails::Problem, "application/problem+json";
        /// Of contract D.
        D: audit_contracts::organisation_audit_logs::Failed, "application/json";
        /// Of contract E.
        E: audit_contracts::super_admin_audit_logs::AuditLogs, "application/json";
    }

    fn faults(body: &str, media: &str) -> BTreeMap<String, RefOr<Response>> {
        let fault = |code: u16| {
            let status = StatusCode::from_u16(code).unwrap_or_default();
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
            let response = ResponseBuilder::new()
                .description(status.canonical_reason().unwrap_or("Error"))
                .content(media, content)
                .build();
            (code.to_string(), RefOr::T(response))
        };
        STATUSES.into_iter().map(fault).collect()
    }
}
