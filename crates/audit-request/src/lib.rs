//! Reads an HTTP request and the address of its client, for the events of any web framework.
//!
//! An axum or tower service needs only `audit-tower`. For another framework, write a middleware that creates
//! a [`RequestHead`] from its types, [completes](RequestHead::complete) the context of the sender of the
//! request, and runs the handler in it. The example `actix` does this.
//!
//! The address in an event is only as reliable as the header from which it was read.
//! [`TrustedProxies::client`] believes `X-Forwarded-For` and `Forwarded` only as far as trusted proxies
//! wrote them.
//!
//! | file | noun |
//! |---|---|
//! | `request.rs` | the head of a request |
//! | `headers.rs` | its headers, in the types of any framework |
//! | `trusted.rs` | the address of a client behind trusted proxies |
//! | `convention.rs` | the event of a request whose handler records nothing |

mod convention;
mod headers;
mod request;
mod trusted;

pub use crate::convention::{action_of, is_change, outcome_of};
pub use crate::headers::Headers;
pub use crate::request::{REQUEST_ID, RequestHead};
pub use crate::trusted::{ProxyNet, TrustedProxies};
