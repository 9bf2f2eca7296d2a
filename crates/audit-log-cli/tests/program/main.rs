//! The program as its users run it: real processes on real files.

// A failed setup fails the test.
#![allow(clippy::unwrap_used)]

mod deliveries;
mod erasing;
mod exports;
mod files;
mod imports;
mod proofs;
mod pruning;
mod reading;
mod sandbox;
#[cfg(unix)]
mod serving;
#[cfg(unix)]
mod signals;
mod tenants;
#[cfg(unix)]
mod terminal;
