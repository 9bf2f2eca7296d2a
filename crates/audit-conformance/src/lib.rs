//! The conformance suite: one test for each promise of a store.
//!
//! The cases come in groups, one for each trait: [`AuditStore`](audit_core::AuditStore),
//! [`RetentionStore`](audit_core::RetentionStore), [`TenantStore`](audit_core::TenantStore) and others. A
//! backend implements a [`Harness`], which opens its store, and a [`RetentionHarness`] and a
//! [`TenantHarness`] if it implements these traits, and calls [`suite!`]. This gives it one
//! named test for each case of a group. The list is written once, so no backend can leave out a
//! case, and a case that is not in the list does not compile.
//!
//! ```
//! use std::sync::Arc;
//!
//! use audit_conformance::{Harness, RetentionHarness};
//! use audit_core::{AuditStore, RetentionStore};
//! # fn open_at(_: &std::path::Path) -> Arc<dyn RetentionStore> { unimplemented!() }
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
//!     fn open(&self) -> Arc<dyn AuditStore> {
//!         open_at(&self.0)
//!     }
//! }
//!
//! impl RetentionHarness for InFile {
//!     fn open_retention(&self) -> Arc<dyn RetentionStore> {
//!         open_at(&self.0)
//!     }
//! }
//!
//! audit_conformance::suite!(store: InFile::new);
//! audit_conformance::suite!(retention: InFile::new); // it keeps no organizations
//! # fn main() {}
//! ```
//!
//! A store into whose database callers stage events in their own transactions also implements a
//! [`StagingHarness`], which is such a caller: `suite!(staged: …)`.
//!
//! A store that keeps the states of followers also implements a [`FollowerHarness`]:
//! `suite!(followers: …)`.
//!
//! A store that keeps data beside its records which it derives from them, such as an index, also
//! implements a [`DamageHarness`]: `suite!(damaged: …)`.
//!
//! A store that keeps events in a file also implements a [`DurableHarness`], with which the suite
//! kills processes that append. [`arbitrary::Values`] makes any event, for further property tests.
//!
//! Each case can fail: the crate's own tests break a good store in many ways, one at a time, and
//! require that every case notices at least one.
//!
//! # The long run
//!
//! Four cases use random values: `state_machine::agrees_with_the_model` plays operations against a
//! plain list, `any_event::comes_back_and_is_found` and `any_erasure::removes_personal_data_only`
//! write events with any field, and `tokens::of_any_other_query_are_refused` uses tokens with other
//! queries. They run 256 and 32 times, unless the environment variable
//! `AUDIT_CONFORMANCE_CASES` says otherwise. The state machine prints how much it did:
//!
//! ```text
//! AUDIT_CONFORMANCE_CASES=100000 cargo test --release -p <backend> state_machine -- --nocapture
//! ```

// To fail is this crate's subject: a case says by a panic which promise was broken.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]
// A case that is in no list is a mistake, not a warning.
#![deny(dead_code)]

pub mod arbitrary;
mod cases;
pub mod checkpoints;
#[doc(hidden)]
pub mod durability;
mod extremes;
mod harness;
mod large;
mod model;
mod opens;
mod property;
mod registry;
mod samples;
mod state_machine;
mod subject;
mod suite;
mod timer;
mod tree;
mod variants;

use checkpoints::checkpoint_list; // `for_each_checkpoint_case!` looks for it here
pub use harness::{
    DamageHarness, DurableHarness, FollowerHarness, Harness, NewHarness, Restore, RetentionHarness,
    StagingHarness, StagingTransaction, TenantHarness,
};
use registry::case_list; // `for_each_case!` looks for it here
pub use registry::{Case, Cases, run};
