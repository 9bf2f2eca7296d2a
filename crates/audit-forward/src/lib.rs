//! Follows audit logs and delivers their events to sinks: at least once, and in order within each log.
//!
//! A [`Forwarder`] serves any number of sinks with the logs of one store. A sink is code or configuration
//! of the operator; no API call of a tenant adds one.
//!
//! ```no_run
//! use audit_core::{FollowerStore, Result};
//! use audit_forward::{EndpointOptions, Forwarder, SinkOptions, WebhookSink};
//!
//! async fn forward(store: impl FollowerStore, secret: &str) -> Result<()> {
//!     let siem = WebhookSink::new("https://siem.example/events", &EndpointOptions::default())?
//!         .with_secret(secret.parse()?);
//!     let forwarder = Forwarder::new(store).sink(SinkOptions::new("siem")?, siem)?;
//!     forwarder.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await
//! }
//! ```
//!
//! # What is promised
//! - Each event that matches is delivered until the sink acknowledges it, even if the process is killed: the
//!   position is in the store's own database, and is written after the acknowledgement. A restored copy of the
//!   store has the positions of its time.
//! - The events of one log are delivered in order, one batch after the other. Several logs are delivered at
//!   once.
//! - A batch is delivered again if its acknowledgement was not received, or the process died before it wrote
//!   that down: one batch for each log at most. Each event has its id, by which a receiver recognizes it.
//! - Deliveries to a sink that cannot be reached are retried with growing pauses for as long as it takes.
//!   Nothing is lost meanwhile, because the log keeps the events.
//! - An event that a sink refuses again and again is set aside ("dead") only if the sink takes others: a
//!   later one, or those of other logs. A sink that refuses everything is treated as unavailable. Dead events
//!   are listed, and can be [retried](Sinks::retry_dead).
//! - If retention removes events before they are delivered, they are counted and reported as missed.
//! - Of several processes, one serves a sink; another takes over when it shows no sign of life.
//!
//! # Many logs
//! A log that does not grow costs nothing: its follower waits in
//! [`wait_for_append`](audit_core::AuditStore::wait_for_append), and a store looks for appends of other
//! processes once for all waiting followers. Once a second the requests of operators are read, and the logs
//! are listed; the larger their list, the less often.
//!
//! # Erasure
//! Delivered events are out of the store's reach. An erasure removes personal data from the log, and records
//! that by an event, [`log.erased`](audit_core::Action::LOG_ERASED), which is delivered as any other: it says
//! how many events were erased, and not which. An event that is delivered after its erasure has no personal
//! data.
//!
//! | file | noun |
//! |---|---|
//! | `forwarder.rs` | the forwarder |
//! | `route.rs` | the route from the store to a sink |
//! | `follower.rs` | the follower of one log for one sink |
//! | `sink.rs`, `options.rs` | sinks, batches, and the options of a sink |
//! | `sinks.rs` | the sinks of a store, for operators |
//! | `state.rs`, `lease.rs` | the state of a sink in the store |
//! | `dead.rs` | dead events |
//! | `gate.rs`, `backoff.rs` | pauses |
//! | `progress.rs` | metrics |
//! | `config.rs`, `config/` | sinks from a configuration |
//! | `file.rs`, `webhook.rs`, `syslog.rs`, `collector.rs` | the sinks that come with the crate |
//! | `endpoint.rs`, `connect.rs`, `address.rs`, `tls.rs` | HTTP, connections, addresses, TLS |

mod address;
mod backoff;
mod collector;
mod config;
mod connect;
mod dead;
mod endpoint;
mod file;
mod follower;
mod forwarder;
mod gate;
mod lease;
mod options;
mod progress;
mod route;
mod sink;
mod sinks;
mod state;
mod syslog;
mod tls;
mod webhook;

pub use crate::collector::CollectorSink;
pub use crate::config::Config;
pub use crate::endpoint::EndpointOptions;
pub use crate::file::{FileSink, StdoutSink};
pub use crate::forwarder::Forwarder;
pub use crate::options::{SinkOptions, Start};
pub use crate::sink::{Batch, DeliveryError, DeliveryErrorKind, Sink};
pub use crate::sinks::{LogStatus, ReplayFrom, SinkStatus, Sinks};
pub use crate::state::DeadEvent;
pub use crate::syslog::SyslogSink;
pub use crate::webhook::{WebhookFormat, WebhookSecret, WebhookSink};
