//! The program as its users run it: real processes on real files.

// What a test cannot set up, it fails for.
#![allow(clippy::unwrap_used)]

mod erasing;
mod exports;
mod imports;
mod place;
mod proofs;
mod pruning;
mod reading;
#[cfg(unix)]
mod serving;
mod tenants;
