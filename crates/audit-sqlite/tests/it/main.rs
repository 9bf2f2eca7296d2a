//! The integration tests, in one binary: it links once.

// A test fails if it cannot be set up.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod backups;
mod clocks;
mod common;
mod compaction;
mod conformance;
mod erasure;
mod faults;
mod files;
mod index;
mod moved_files;
mod processes;
mod retention;
mod sharing;
mod staged;
mod state;
#[cfg(target_os = "linux")]
mod system_calls;
mod tampering;
mod transactions;
