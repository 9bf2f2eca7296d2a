//! The store on a real server.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod capture;
mod client;
mod cluster;
mod common;
mod conformance;
mod damage;
mod docs;
mod erasure;
mod failover;
mod faults;
mod indexing;
mod kills;
mod operations;
mod pooler;
mod processes;
mod proxy;
mod recovery;
mod replica;
mod roles;
mod settings;
mod shards;
mod silence;
mod staged;
mod tampering;
mod tls;
