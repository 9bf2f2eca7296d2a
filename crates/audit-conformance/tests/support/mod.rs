//! Stores to try the suite on.

pub(crate) mod expectations;
#[path = "../../../audit-core/examples/list_store.rs"]
#[allow(dead_code)] // it has a `main` of its own
pub(crate) mod list_store;
pub(crate) mod mutations;
