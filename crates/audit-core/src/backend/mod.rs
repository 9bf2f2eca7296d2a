//! For authors of stores: the stored form of an event, the batch, and the index.
//!
//! A service does not need this module.

mod batch;
pub mod index;
mod parts;
mod prepared;
mod stored;
mod term;

pub use batch::{Batch, SequencedBatch, SequencedEvent};
pub use prepared::PreparedEvent;
pub use stored::{PersonalData, StoredEvent};
pub use term::Term;
