//! Stores to try the suite on.

pub(crate) mod expectations;
pub(crate) mod faulty;
pub(crate) mod list_store;
