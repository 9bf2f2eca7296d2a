//! The model: the event, its parts, and its lean view.

mod activity;
mod actor;
mod attributes;
mod change;
mod context;
mod event;
mod id;
mod log;
mod message;
mod new_event;
mod organization_ref;
mod outcome;
mod request;
mod scope;
mod target;
mod timestamp;
mod trace;
mod vocabulary;

pub use activity::Activity;
pub use actor::Actor;
pub use attributes::Attributes;
pub use change::{Change, FieldChange};
pub use context::AuditContext;
pub use event::{AuditEvent, NewEvent};
pub use id::{ApiKeyId, ChangeSetId, EventId, OrganizationId, Sequence};
pub use log::Log;
pub use message::Message;
pub use organization_ref::OrganizationRef;
pub use outcome::Outcome;
pub use request::{RequestInfo, Source};
pub use scope::Scope;
pub use target::Target;
pub use timestamp::Timestamp;
pub use trace::{SpanId, Trace, TraceId};
pub use vocabulary::{Action, ActorKind, EntityClass, OutcomeResult, Severity, Surface};
