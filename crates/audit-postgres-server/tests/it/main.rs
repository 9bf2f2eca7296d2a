//! The integration tests, in one binary: it links once.

// A test fails if it cannot be set up.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod backups;
mod clients;
mod faults;
mod processes;
