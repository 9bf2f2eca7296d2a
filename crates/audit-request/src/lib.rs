//! What an HTTP request says of itself and of its client, for the events of any web framework.
//!
//! `audit-tower` is all that an axum or tower service needs. Another framework has a middleware of its own:
//! it makes a [`RequestHead`] of its types, [completes](RequestHead::complete) the context of whoever sends the
//! request, and runs the handler in it. The example `actix` is one.
//!
//! An event that says from where somebody acted is worth as much as the header that it was read from.
//! [`TrustedProxies::client`] believes `X-Forwarded-For` and `Forwarded` only as far as trusted proxies
//! wrote them.
//!
//! | file | noun |
//! |---|---|
//! | `request.rs` | the head of a request |
//! | `headers.rs` | its headers, in the types of any framework |
//! | `trusted.rs` | the address of a client behind trusted proxies |
//! | `convention.rs` | what a request is recorded as if its handler records nothing |

mod convention;
mod headers;
mod request;
mod trusted;

pub use crate::convention::{action_of, is_change, outcome_of};
pub use crate::headers::Headers;
pub use crate::request::{REQUEST_ID, RequestHead};
pub use crate::trusted::{ProxyNet, TrustedProxies};
