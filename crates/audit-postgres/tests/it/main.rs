//! The store on a real server.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod client;
mod common;
mod conformance;
mod damage;
mod erasure;
mod faults;
mod indexing;
mod pooler;
mod processes;
mod replica;
mod roles;
mod settings;
mod staged;
mod tampering;
mod tls;
