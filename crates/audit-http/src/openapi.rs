//! The OpenAPI 3.1 description of the routes, generated from the handlers, and its page.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::{Modify, OpenApi, openapi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::answer;
use crate::app::App;
use crate::operations::operations;
use crate::options::HttpOptions;
use crate::proxy::Prefix;
use crate::routes;

mod prose;

/// The description of the service, without routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Audit",
        description = "An audit log: the native API, and the source contracts that the service mounts.",
        contact(name = "The audit project", url = "https://github.com/audit-rs/audit"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "events", description = "The events of an organization's log: append, read, list and follow."),
        (name = "proofs", description = "Checkpoints and proofs of an organization's log."),
        (name = "platform", description = "The platform's own log, and the organizations. For the role `super-admin`."),
        (name = "operation", description = "The state of the service, for its operator."),
        (name = "A · organizations and activities", description = "Contract A: the organization of the key, and its activities."),
        (name = "B · audit log items", description = "Contract B: audit log items by type, product, config and environment."),
        (name = "C · audit trails", description = "Contract C: audit trails, a feed with a continuation token."),
        (name = "D · organization lifecycle", description = "Contract D: the lifecycle of an organization, and its audit log by page."),
        (name = "E · super-admin audit logs", description = "Contract E: the platform's log, for super-admins."),
    ),
    servers((url = "/", description = "The host that serves this description.")),
    security(("basic" = []), ("bearer" = [])),
    modifiers(&Schemes),
)]
struct Base;

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
    let mut api = Base::openapi();
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
    retain_used_tags(&mut api);
    retain_used_schemas(&mut api);
    if let Some(components) = &mut api.components {
        require_event_id(&mut components.schemas);
        components.schemas.values_mut().for_each(prose::rewrite);
    }
    api
}

/// States that an event in a log has an id, although one to append need not have it.
fn require_event_id(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    if let Some(RefOr::T(Schema::Object(event))) = schemas.get_mut("AuditEvent") {
        event.required.push("id".to_owned());
    }
}

/// Removes the tags of routes that are not mounted.
fn retain_used_tags(api: &mut openapi::OpenApi) {
    let used: BTreeSet<_> =
        operations(api).filter_map(|operation| operation.tags.clone()).flatten().collect();
    if let Some(tags) = &mut api.tags {
        tags.retain(|tag| used.contains(&tag.name));
    }
}

/// Removes the schemas that nothing refers to, such as one that is written out where it is used.
fn retain_used_schemas(api: &mut openapi::OpenApi) {
    loop {
        let mut used = BTreeSet::new();
        collect_references(&serde_json::to_value(&*api).unwrap_or_default(), &mut used);
        let Some(components) = &mut api.components else { return };
        let count = components.schemas.len();
        components.schemas.retain(|name, _| used.contains(name));
        if components.schemas.len() == count {
            return;
        }
    }
}

fn collect_references(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|path| path.strip_prefix("#/components/schemas/"));
            names.extend(name.map(str::to_owned));
            object.values().for_each(|value| collect_references(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, names)),
        _ => {}
    }
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
    let page = SwaggerUi::new("/docs").config(Config::from("../openapi.json"));
    let description = Arc::new(Description::of(openapi(options)));
    let described = move |OriginalUri(uri): OriginalUri,
                          prefix: Option<Extension<Prefix>>,
                          headers: HeaderMap| {
        let prefix = prefix.as_ref().map_or("", |Extension(prefix)| prefix.as_str());
        let nested = uri.path().strip_suffix(PATH).unwrap_or_default();
        std::future::ready(description.answer(&format!("{prefix}{nested}"), &headers))
    };
    Router::from(page).route(PATH, get(described))
}

/// The description as text, written once. The path below which the router is nested, or that a proxy
/// takes off, is known at a request only: its server is put before the rest.
struct Description {
    whole: Bytes,
    /// The text without servers, after its first brace.
    rest: Bytes,
    /// The server of the whole.
    server: Server,
    digest: String,
}

impl Description {
    fn of(mut api: openapi::OpenApi) -> Self {
        let whole = Bytes::from(serde_json::to_vec(&api).unwrap_or_default());
        let server = api.servers.take().and_then(|servers| servers.into_iter().next());
        let mut rest = Bytes::from(serde_json::to_vec(&api).unwrap_or_default());
        drop(rest.split_to(rest.len().min(1)));
        let digest = digest(&whole);
        Self { whole, rest, server: server.unwrap_or_default(), digest }
    }

    /// Answers with the description of the routes below `base`, or with 304 if the client has it.
    fn answer(&self, base: &str, headers: &HeaderMap) -> Response {
        let tag = match base {
            "" => format!("\"{}\"", self.digest),
            base => format!("\"{}\"", digest(format!("{}{base}", self.digest).as_bytes())),
        };
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
        let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
        let is_known = known.any(|known| known == "*" || known.trim_start_matches("W/") == tag);
        let response = match (is_known, base) {
            (true, _) => StatusCode::NOT_MODIFIED.into_response(),
            (false, "") => answer::whole(self.whole.clone()),
            (false, base) => {
                let mut server = self.server.clone();
                base.clone_into(&mut server.url);
                let servers = serde_json::to_string(&[server]).unwrap_or_default();
                let first = Bytes::from(format!("{{\"servers\":{servers},"));
                let parts = [first, self.rest.clone()].map(Ok::<_, Infallible>);
                answer::json(Body::from_stream(stream::iter(parts)))
            }
        };
        ([(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")], response)
            .into_response()
    }
}

fn digest(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}
