//! The tests of the public API, in one binary: linking takes longer than running them.

// The lints allow these in test functions, but not in the helpers of tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audit_log_items;
mod audit_trails;
mod common;
mod connections;
mod contract_lines;
mod downloads;
mod events;
mod fairness;
mod five_shapes;
mod hang_ups;
mod openapi;
mod organisation_audit_logs;
mod organizations_and_activities;
mod own_tenants;
mod proofs;
mod proxies;
mod safe_answers;
mod server;
mod super_admin_audit_logs;
mod tenants;
