//! How a service records its actions: where its events go, effects outside its own transaction,
//! types that say how their values are audited, and the actions that it records.

mod attempt;
mod audited;
mod definition;
mod into_event;
mod recorder;

pub use attempt::Attempt;
pub(crate) use audited::Form;
pub use audited::{Audited, AuditedField, AuditedValue, FieldKey};
pub use definition::{ActionDefinition, AuditAction, FieldCount, FieldDefinition};
pub use into_event::IntoEvent;
pub use recorder::{Accepted, Recorder};
