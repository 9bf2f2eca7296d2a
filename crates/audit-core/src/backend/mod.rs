//! For authors of stores: the stored form of an event, the batch, and the index.
//!
//! A service does not need this module.

mod batch;
pub mod index;
mod stored;
mod term;

pub use batch::{Batch, SequencedBatch, SequencedEvent};
pub use stored::{PersonalData, PreparedEvent, StoredEvent};
pub use term::Term;
