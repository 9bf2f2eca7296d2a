//! An [axum] router that serves an audit store over HTTP: five source contracts at their own paths,
//! and a native API with every filter of the model, tokens, and a feed to follow.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use audit_http::{ApiKeyAuthenticator, HttpOptions};
//! # async fn example(store: audit_core::Result<impl audit_core::TenantStore + Clone>) -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(store?); // a `SqliteStore`, for example
//! let authenticator = Arc::new(ApiKeyAuthenticator::new(store.clone()));
//! let router = audit_http::router(store, authenticator, HttpOptions::default());
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! audit_http::serve(listener, router, async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | contract | routes |
//! |---|---|
//! | A, organizations and activities | `/v1/organizations`, `…/{organizationId}`, `…/activities` |
//! | B, audit log items | `/v1/organizations/{organizationId}/auditlogs` |
//! | C, audit trails | `/api/v1.0/organizations/{organizationGuid}/audit-trails` |
//! | D, organization lifecycle | `/api/organisations`, `/api/organisation`, `/api/audit-logs` |
//! | E, super-admin audit logs | `/super-admins/audit-logs` |
//! | native | `/v1/organizations/{organizationId}/events`, `/v1/platform/events`, `/v1/platform/organizations` |
//! | proofs | `…/checkpoint`, `…/events/{eventId}/evidence`, `…/tree-head`, `…/events/{eventId}/inclusion-proof`, `…/consistency-proof` below `/v1/organizations/{organizationId}` and `/v1/platform` |
//! | for operators | `/healthz`, `/readyz`, `/openapi.json`, `/docs` |
//!
//! Who may do what: a caller is of one organization, as its [`Principal`] says, and of one
//! [`Role`](audit_core::Role). No path, header or body makes it another's; another's organization
//! is answered as one that does not exist. Only a super-admin reads the platform's log, and, through
//! the native API, the log of any one organization; each such request is itself an event of the
//! platform's log.
//!
//! | file | noun |
//! |---|---|
//! | `routes/` | the handlers, a file for each contract |
//! | `authenticate.rs` | the credential, and whom it names |
//! | `caller.rs` | whom a request is from, and what is open to it |
//! | `fault.rs` | what goes wrong, in the words of each contract |
//! | `params.rs`, `body.rs` | what a request says, read strictly |
//! | `guard.rs`, `rate.rs` | the limits |
//! | `publish.rs` | checkpoints, signed when nobody asks |
//! | `observe.rs` | request ids, spans, metrics |
//! | `openapi.rs` | the description of it all |
//! | `serve.rs` | connections |

mod authenticate;
mod body;
mod caller;
mod fault;
mod guard;
mod observe;
mod openapi;
mod options;
mod params;
mod publish;
mod rate;
mod routes;
mod serve;

use std::sync::Arc;

use audit_core::TenantStore;
use axum::Router;

pub use crate::authenticate::{ApiKeyAuthenticator, Authenticator, Principal};
pub use crate::openapi::openapi;
pub use crate::options::HttpOptions;
pub use crate::publish::publish_checkpoints;
pub use crate::serve::serve;

/// What the handlers share.
#[derive(Clone, Debug)]
struct App {
    store: Arc<dyn TenantStore>,
    authenticator: Arc<dyn Authenticator>,
    options: Arc<HttpOptions>,
    rates: Arc<rate::Rates>,
    bodies: body::Budget,
}

/// The router of all routes over `store`, for callers whom `authenticator` knows.
///
/// It may be merged into a service's own, or nested below a path. [`serve`] serves it with limits
/// on connections; under another server, peers' addresses are known if it provides
/// [`ConnectInfo`](axum::extract::ConnectInfo).
pub fn router(
    store: Arc<dyn TenantStore>,
    authenticator: Arc<dyn Authenticator>,
    options: HttpOptions,
) -> Router {
    let app = App {
        store,
        authenticator,
        rates: Arc::new(rate::Rates::new(&options)),
        bodies: body::Budget::new(&options),
        options: Arc::new(options),
    };
    let router = routes::all(&app).merge(openapi::page()).fallback(fault::no_such_path);
    observe::layer(fault::Style::Native.layer(router)).with_state(app)
}
