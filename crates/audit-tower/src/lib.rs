//! Audits the requests of an axum service, or of any tower service.
//!
//! An [`AuditLayer`] provides the context of a request: the actor, the client, the route, the request's id and
//! the trace. A handler records its own event in one line. If it records none, the layer records the request.
//!
//! ```
//! use std::sync::Arc;
//!
//! use audit_core::{Actor, AuditContext, AuditStore};
//! use audit_tower::{Audit, AuditLayer, NotRecorded};
//! use axum::extract::Path;
//! use axum::routing::post;
//! use axum::Router;
//!
//! async fn pay(audit: Audit, Path(id): Path<String>) -> Result<(), NotRecorded> {
//!     audit.record("invoice.paid").target("invoice", id).await?; // durable from here on
//!     Ok(())
//! }
//!
//! fn router(store: Arc<dyn AuditStore>) -> Router {
//!     let audit = AuditLayer::new(store, |parts| {
//!         let user = parts.headers.get("x-user")?.to_str().ok()?; // or from your session
//!         Some(AuditContext::new(Actor::user(user)))
//!     });
//!     Router::new().route("/invoices/{id}/pay", post(pay)).layer(audit)
//! }
//! ```
//!
//! # What is recorded when
//! | the handler | the event | its outcome |
//! |---|---|---|
//! | awaits [`Audit::record`] | is durable when `await` returns | that which the handler sets, else success |
//! | calls [`Record::on_response`] | is durable before the client has the response | that which the handler sets, else that of the response |
//! | makes it with [`Record::into_event`], [`Record::stage`] or [`NewEvent::here`](audit_core::NewEvent::here), for its own transaction | is durable with that transaction | that which the handler sets, else success for a `Record` |
//! | records nothing, and the [`Policy`] covers the request | is durable before the client has the response | that of the response |
//! | is dropped because the client hung up, or panics | is recorded by the layer in the background | `unknown` |
//!
//! A read that the policy covers, and whose body is produced while it is sent, is recorded when the body
//! ends. If an event cannot be recorded, the client gets 503 or 500 instead of the response. A spool in front of
//! the store avoids this.
//!
//! Any code below the layer can create events without an [`Audit`]:
//! [`NewEvent::here`](audit_core::NewEvent::here) takes the actor and the request from the running
//! task. A task that is spawned needs [`AuditContext::carry`](audit_core::AuditContext::carry).
//!
//! # Request ids
//! `X-Request-Id` of the client or of a proxy is kept if it is at most 128 visible ASCII characters, else a
//! new one is made. The handler sees it in the headers of the request, the client in the response.
//!
//! # Without axum
//! Any service of `http` requests and responses can have the layer. Its handlers find the [`Audit`] in the
//! extensions of the request. The address of the client is that of an `IpAddr` or `SocketAddr` in the extensions. A
//! service that knows its routes sets them by [`AuditContext::route`](audit_core::AuditContext::route).
//!
//! | feature | |
//! |---|---|
//! | `axum` (default) | the extractor, the matched route, `ConnectInfo` |
//! | `opentelemetry` | the trace is that of the current span, if there is one, else that of `traceparent` |
//! | `metrics` | the counter `audit_capture_events_total`, with the label `result`: `recorded`, `spooled`, `failed` |
//!
//! | file | noun |
//! |---|---|
//! | `layer.rs` | the layer |
//! | `config.rs` | its options, as its services use them |
//! | `service.rs` | a request between the layer and its handler |
//! | `open.rs` | a request that has not ended |
//! | `audit.rs` | the handle of a handler |
//! | `record.rs` | an event that a handler is about to record |
//! | `policy.rs`, `policy_service.rs` | what the layer records by itself, and that of a route |
//! | `client.rs` | the head of a request, from the types of `http` and axum |
//! | `span.rs` | the current span of OpenTelemetry |
//! | `body.rs` | a body that is produced while it is sent |
//! | `finisher.rs` | appends whose callers have left |
//! | `not_recorded.rs` | the error of a handler |
//! | `coverage.rs` | which routes leave events |

mod audit;
mod body;
mod client;
mod config;
mod coverage;
mod finisher;
mod layer;
mod not_recorded;
mod open;
mod policy;
mod policy_service;
mod record;
mod service;
#[cfg(feature = "opentelemetry")]
mod span;

pub use audit_request::{ProxyNet, TrustedProxies};

pub use crate::audit::Audit;
#[cfg(feature = "axum")]
pub use crate::audit::MissingLayer;
pub use crate::body::AuditBody;
pub use crate::coverage::{Coverage, Routes};
pub use crate::layer::AuditLayer;
pub use crate::not_recorded::NotRecorded;
pub use crate::policy::Policy;
pub use crate::policy_service::PolicyService;
pub use crate::record::{Record, Recording};
pub use crate::service::AuditService;
