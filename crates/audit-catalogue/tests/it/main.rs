//! The catalogue of a service, its page and schemas, and the store that holds to it.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod catalogue;
mod conformance;
mod documents;
mod strict;

use audit_core::{Actor, NewEvent};
use audit_derive::AuditAction;

#[derive(AuditAction)]
enum Billing {
    /// A customer paid an invoice.
    #[audit(action = "invoice.paid", severity = "low", since = "1.2", version = 2, ocsf = 6003)]
    InvoicePaid {
        /// The invoice.
        #[audit(target = "invoice")]
        invoice: u64,
        #[audit(target = "customer")]
        customer: Option<u64>,
        #[audit(target = "coupon")]
        coupons: Vec<&'static str>,
        /// How | by what.
        #[audit(attribute)]
        method: &'static str,
        #[audit(attribute)]
        plan: Option<&'static str>,
    },
    /// The books of a year were closed.
    #[audit(action = "books.closed")]
    BooksClosed,
}

fn paid() -> NewEvent {
    let action = Billing::InvoicePaid {
        invoice: 9,
        customer: None,
        coupons: vec!["A", "B"],
        method: "card",
        plan: None,
    };
    NewEvent::new(action, Actor::user("u_7"))
}

fn named(action: &str) -> NewEvent {
    NewEvent::new(action, Actor::user("u_7"))
}
