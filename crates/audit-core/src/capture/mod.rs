//! How a service records what it does: where its events go, effects outside its own transaction, and
//! types that say how their values are audited.

mod attempt;
mod audited;
mod recorder;

pub use attempt::Attempt;
pub(crate) use audited::Form;
pub use audited::{Audited, AuditedField, AuditedValue, FieldKey};
pub use recorder::{Accepted, Recorder};
