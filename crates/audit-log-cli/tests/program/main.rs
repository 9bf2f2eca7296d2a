//! The program as its users run it: real processes on real files.

// A failed setup fails the test.
#![allow(clippy::unwrap_used)]

mod deliveries;
mod erasing;
mod exports;
mod files;
#[cfg(unix)]
mod forwarding;
mod imports;
#[cfg(all(feature = "postgres", unix))]
mod postgres;
mod proofs;
mod pruning;
mod reading;
mod sandbox;
#[cfg(unix)]
mod service;
#[cfg(unix)]
mod serving;
#[cfg(unix)]
mod signals;
mod staged;
#[cfg(feature = "postgres")]
mod stores;
mod tenants;
#[cfg(unix)]
mod terminal;
