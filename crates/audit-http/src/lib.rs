//! An [axum] router that serves an audit store over HTTP: a native API with every filter of the
//! model, tokens, a feed and proofs, and, by option, the APIs of five audit-log contracts at their own
//! paths.
//!
//! ```no_run
//! use audit_http::{ApiKeyAuthenticator, Contract, HttpOptions, ServeOptions};
//! # async fn example(store: audit_core::Result<impl audit_core::TenantStore + Clone>) -> Result<(), Box<dyn std::error::Error>> {
//! let store = store?; // a `SqliteStore`, for example
//! let authenticator = ApiKeyAuthenticator::new(store.clone());
//! let options =
//!     HttpOptions::default().with_tenants(store.clone()).with_contracts([Contract::AuditTrails]);
//! let router = audit_http::router(store, authenticator, options);
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! audit_http::serve(listener, router, ServeOptions::default(), async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | routes | mounted |
//! |---|---|
//! | a log: `…/events`, `…/checkpoint`, `…/events/{eventId}/evidence`, `…/tree-head`, `…/events/{eventId}/inclusion-proof`, `…/consistency-proof` below `/v1/organizations/{organizationId}` and `/v1/platform` | always |
//! | operation: `/healthz`, `/readyz`, `/metrics` (for super-admins), `/openapi.json`, `/docs` | always |
//! | `/v1/platform/organizations` | [with tenants](HttpOptions::with_tenants) |
//! | A, activities: `/v1/organizations/{organizationId}/activities` | [`Contract::OrganizationsAndActivities`] |
//! | A, organizations: `/v1/organizations`, `…/{organizationId}` | the same, with tenants |
//! | B: `/v1/organizations/{organizationId}/auditlogs` | [`Contract::AuditLogItems`] |
//! | C: `/api/v1.0/organizations/{organizationGuid}/audit-trails` | [`Contract::AuditTrails`] |
//! | D, audit logs: `/api/audit-logs` | [`Contract::OrganisationAuditLogs`] |
//! | D, organizations: `/api/organisations`, `/api/organisation` | the same, with tenants |
//! | E: `/super-admins/audit-logs` | [`Contract::SuperAdminAuditLogs`] |
//!
//! # Access
//! A caller belongs to at most one organization, as its [`Principal`] says, and has one
//! [`Role`](audit_core::Role). No path, header or body gives it access to another organization,
//! whose routes respond as if it did not exist. Only a super-admin reads the platform's log and,
//! through the native API, the log of any organization; each such request is itself an event of the
//! platform's log.
//!
//! The router trusts the principal. An organization must be in a store only for the routes that are
//! mounted with tenants, because they print it; so a service can serve the logs of tenants that it
//! keeps elsewhere.
//!
//! | file | content |
//! |---|---|
//! | `routes/` | the handlers: `log/` of the native API, and a file for each contract |
//! | `contract.rs`, `options.rs` | the mounted routes, and the limits |
//! | `authenticate.rs` | the credential of a request, and its principal |
//! | `caller.rs` | the caller of a request, and its rights |
//! | `rejection.rs`, `style.rs` | the response to a request that is not served, in each contract's form |
//! | `params.rs`, `body.rs`, `paging.rs` | parameters and bodies, read strictly; pages in pieces |
//! | `share.rs` | the capacity that organizations share |
//! | `places.rs`, `rate.rs`, `budget.rs`, `answer.rs` | places, rates, the memory of bodies and of answers |
//! | `guard.rs` | the layers in front of the handlers |
//! | `publish.rs` | checkpoints, signed at intervals |
//! | `staging.rs` | staged events, counted at intervals |
//! | `readiness.rs` | the check of the store for `/readyz` |
//! | `observe.rs` | request ids, spans, metrics |
//! | `openapi.rs`, `operations.rs`, `responses.rs` | the OpenAPI description |
//! | `serve.rs`, `serve_options.rs` | the connections, and their options |
//! | `connections.rs`, `socket.rs`, `pace.rs`, `proxy.rs` | which are open and idle, least rates, the path that a proxy takes off |
//! | `metrics.rs` | the metrics |

mod answer;
mod app;
mod authenticate;
mod body;
mod budget;
mod caller;
mod connections;
mod contract;
mod guard;
mod metrics;
mod observe;
mod openapi;
mod operations;
mod options;
mod pace;
mod paging;
mod params;
mod places;
mod proxy;
mod publish;
mod rate;
mod readiness;
mod rejection;
mod responses;
mod routes;
mod serve;
mod serve_options;
mod share;
mod socket;
mod staging;
mod style;
mod walk;

use std::sync::Arc;

use audit_core::AuditStore;
use axum::Router;

use crate::app::App;
use crate::style::Style;

pub use audit_request::{ProxyNet, TrustedProxies};

pub use crate::authenticate::{ApiKeyAuthenticator, Authenticator, Principal};
pub use crate::contract::Contract;
pub use crate::metrics::{metrics, metrics_and_readiness};
pub use crate::openapi::openapi;
pub use crate::options::HttpOptions;
pub use crate::publish::publish_checkpoints;
pub use crate::serve::serve;
pub use crate::serve_options::ServeOptions;
pub use crate::staging::count_staged;

/// Returns the router over `store`, for callers that `authenticator` accepts.
///
/// It can be merged into a service's own router, or nested below a path. Serve it with [`serve`],
/// which limits connections. Under another server, the peer's address is recorded if the server
/// adds [`ConnectInfo`](axum::extract::ConnectInfo).
pub fn router(
    store: impl AuditStore,
    authenticator: impl Authenticator,
    options: HttpOptions,
) -> Router {
    let app = App::new(Arc::new(store), Arc::new(authenticator), options);
    let open = Router::from(routes::open()).merge(openapi::page(&app.options));
    let router = routes::guarded(&app.options)
        .into_iter()
        .fold(open, |all, (style, routes)| all.merge(guard::layer(&app, style, routes.into())))
        .fallback(rejection::no_such_path);
    observe::layer(Style::Native.layer(router)).with_state(app)
}
