//! What every [`AuditStore`](audit_core::AuditStore), and every
//! [`TenantStore`](audit_core::TenantStore), must prove: one test for each promise.
//!
//! A backend describes in a [`Harness`] how its store is opened, and calls [`suite!`] once. That
//! gives it one named test for each case of [`CASES`]. The list is written once, so no backend can
//! leave a case out, and a case that stands in no list does not compile.
//!
//! ```
//! use std::sync::Arc;
//!
//! use audit_conformance::{Harness, Store};
//! # fn open_at(_: &std::path::Path) -> Arc<dyn Store> { unimplemented!() }
//!
//! struct InFile(std::path::PathBuf);
//!
//! impl InFile {
//!     fn new() -> Self {
//!         // A directory of its own for each test.
//! #       Self("/tmp/x".into())
//!     }
//! }
//!
//! impl Harness for InFile {
//!     fn open(&self) -> Arc<dyn Store> {
//!         open_at(&self.0)
//!     }
//!
//!     fn open_api_keys(&self) -> Arc<dyn Store> {
//!         open_at(&self.0)
//!     }
//! }
//!
//! audit_conformance::suite!(InFile::new);
//! # fn main() {}
//! ```
//!
//! Each case can fail: the crate's own tests break a good store in one way after the other and
//! require that every case notices at least one.
//!
//! # The long run
//!
//! `state_machine::agrees_with_the_model` plays random operations against a plain list. It plays
//! 256 cases unless the environment variable `AUDIT_CONFORMANCE_CASES` says otherwise, and prints
//! how much it did:
//!
//! ```text
//! AUDIT_CONFORMANCE_CASES=100000 cargo test --release -p <backend> state_machine -- --nocapture
//! ```

// To fail is this crate's subject: a case says by a panic which promise was broken.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]
// A case that is in no list is a mistake, not a warning.
#![deny(dead_code)]

mod cases;
pub mod checkpoints;
mod harness;
mod model;
mod registry;
mod samples;
mod state_machine;
mod subject;
mod tree;

use checkpoints::checkpoint_list; // `for_each_checkpoint_case!` looks for it here
pub use harness::{Harness, NewHarness, Store};
use registry::case_list;
pub use registry::{CASES, Case, run}; // `for_each_case!` looks for it here
