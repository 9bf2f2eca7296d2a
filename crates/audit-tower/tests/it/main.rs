//! The layer in front of axum routers and of other services.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

mod clients_that_leave;
mod common;
mod logins;
mod policies;
mod requests;
mod store_away;
mod streams;
