//! The address of a client behind proxies that the operator trusts.
//!
//! An event that says from where somebody acted is worth as much as the header that it was read from.
//! [`TrustedProxies::client`] believes `X-Forwarded-For` and `Forwarded` only as far as trusted proxies
//! wrote them.

mod trusted;

pub use trusted::{ProxyNet, TrustedProxies};
