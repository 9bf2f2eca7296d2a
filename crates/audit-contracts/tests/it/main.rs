//! The tests of the public API, in one binary: linking takes longer than running them.

// The lints allow these in a test function, not in a test's helpers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod any_event;
mod common;
mod golden;
mod native_events;
mod refusals;
mod round_trip;
mod stand_ins;
