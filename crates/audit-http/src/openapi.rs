//! The OpenAPI 3.1 description of the routes, generated from the handlers, and its page.

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

use crate::app::App;
use crate::operations::operations;
use crate::options::HttpOptions;
use crate::routes;

/// The description of the whole, without routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Audit",
        description = "An audit log: the native API, and the source contracts that the service mounts.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    security(("basic" = []), ("bearer" = [])),
    modifiers(&Schemes),
)]
struct Description;

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

/// Returns the OpenAPI 3.1 description of every route that [`router`](crate::router) mounts with
/// `options`.
pub fn openapi(options: &HttpOptions) -> openapi::OpenApi {
    let mut api = Description::openapi();
    let guarded = routes::guarded(options).into_iter().map(|(_, routes)| routes);
    for mut routes in guarded.chain([routes::open()]) {
        api.merge(std::mem::take(routes.get_openapi_mut()));
    }
    let parameters = operations(&mut api).filter_map(|operation| operation.parameters.as_mut());
    for parameter in parameters.flatten() {
        if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter {
            without_null(schema);
        }
    }
    api
}

/// Removes `null` from the schema of an optional parameter, which is absent or has a value.
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

/// Returns the routes of the description and of its page for people.
pub(crate) fn page(options: &HttpOptions) -> Router<App> {
    let api = openapi(options);
    let page = SwaggerUi::new("/docs").config(Config::from("../openapi.json"));
    // Serialized at the first request, when the path below which the router is nested is known.
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
