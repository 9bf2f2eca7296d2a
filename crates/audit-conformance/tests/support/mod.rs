//! Stores to try the suite on.

pub(crate) mod expectations;
pub(crate) mod list_store;
pub(crate) mod mutations;
