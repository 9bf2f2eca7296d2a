//! The whole suite on a store that shares no code with the backends.

// What a test cannot set up, it fails for.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "support/list_store.rs"]
mod list_store;

audit_conformance::suite!(list_store::ListStore::new);
