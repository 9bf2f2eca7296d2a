//! Forwarders and sinks that fail in every way.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod dead;
mod deliveries;
mod faults;
mod files;
mod kills;
mod operators;
mod receiver;
mod receivers;
