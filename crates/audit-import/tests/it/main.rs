//! The tests of the public API, in one binary: linking takes longer than running them.

// The lints allow these in a test function, not in a test's helpers.
#![allow(clippy::unwrap_used)]

mod coverage;
mod formats;
mod lossless;
mod mappings;
#[cfg(feature = "jq")]
mod prepare;
mod systems;
