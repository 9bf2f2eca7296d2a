//! The model: the event, its parts, and its lean view.

mod activity;
mod actor;
mod change;
mod context;
mod event;
mod id;
mod log;
mod message;
mod organization_ref;
mod request;
mod scope;
mod target;
mod timestamp;
mod vocabulary;

pub use activity::Activity;
pub use actor::Actor;
pub use change::{Change, FieldChange};
pub use context::AuditContext;
pub use event::{AuditEvent, NewEvent};
pub use id::{ApiKeyId, ChangeSetId, EventId, OrganizationId, Sequence};
pub use log::Log;
pub use message::Message;
pub use organization_ref::OrganizationRef;
pub use request::{RequestInfo, Source};
pub use scope::Scope;
pub use target::Target;
pub use timestamp::Timestamp;
pub use vocabulary::{Action, ActorKind, EntityClass, Surface};
