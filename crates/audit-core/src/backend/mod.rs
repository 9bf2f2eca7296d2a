//! For authors of stores: the stored form of an event, the batch, and the index.
//!
//! A service does not need this module.
//!
//! To write a store, implement [`AuditStore`](crate::AuditStore), and
//! [`RetentionStore`](crate::RetentionStore) and [`TenantStore`](crate::TenantStore) if it has
//! retention and tenants. Then run the cases of the crate `audit-conformance` on it. A store in front of
//! another one leaves the methods that it does not change to [`delegate!`].
//!
//! # A complete store
//!
//! This is `examples/list_store.rs` of this crate.
//!
//! ```
#![doc = include_str!("../../examples/list_store.rs")]
//! ```

mod batch;
mod captured;
mod clock;
mod delegate;
pub mod index;
mod lenient;
mod parts;
mod prepared;
mod queued;
mod rotation;
mod sequenced;
mod staged;
mod staged_body;
mod stored;
mod term;
#[cfg(test)]
mod vectors;
mod waiting;

pub use batch::Batch;
pub(crate) use clock::is_implausible;
pub use clock::{LONGEST_SILENCE, RecordedTime};
pub use delegate::delegate;
pub use prepared::PreparedEvent;
pub use queued::{QueuedBytes, QueuedShare};
pub use rotation::{Owner, Rotation};
pub use sequenced::{SequencedBatch, SequencedEvent};
pub use staged::{
    Refusal, STAGED_STEP_BYTES, STAGED_STEP_ROWS, STAGED_STEPS_BEFORE_APPEND, StagedRow,
};
pub(crate) use staged_body::StagedBody;
pub use stored::{PersonalData, StoredEvent};
pub use term::Term;
pub use waiting::{WaitingFeed, WaitingFeeds};
