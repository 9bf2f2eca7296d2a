//! The catalogue of the actions that a service records: documents for auditors, reviewers and programs that
//! read the log, and a store that enforces it.
//!
//! The actions are an enum that derives `AuditAction` of the crate `audit-derive`. Its values are accepted
//! wherever the name of an action is, and an event that lacks a target or an attribute does not compile.
//!
//! ```
//! use audit_catalogue::{Catalogue, Strict};
//! use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
//! use audit_derive::AuditAction;
//! use audit_memory::MemoryStore;
//!
//! #[derive(AuditAction)]
//! enum Billing {
//!     /// A customer paid an invoice.
//!     #[audit(action = "invoice.paid", severity = "informational", since = "1.2")]
//!     InvoicePaid {
//!         #[audit(target = "invoice")]
//!         invoice: u64,
//!     },
//! }
//!
//! # futures_executor::block_on(async {
//! let catalogue = Catalogue::of::<Billing>();
//! assert!(catalogue.to_markdown().contains("A customer paid an invoice"));
//!
//! let store = Strict::refusing(MemoryStore::new()?, catalogue);
//! let ana = || Actor::user("u_7");
//! store.record(Log::Platform, NewEvent::new(Billing::InvoicePaid { invoice: 9 }, ana())).await?;
//! let misspelt = NewEvent::new("invoice.payed", ana());
//! assert!(store.record(Log::Platform, misspelt).await.is_err());
//! # Ok::<(), audit_core::Error>(())
//! # })?;
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! `audit-testing` has `assert_no_drift`, which compares the events of a service's tests with its catalogue.
//!
//! | file | noun |
//! |---|---|
//! | `catalogue.rs` | the catalogue, and its check of an event |
//! | `page.rs` | its Markdown page |
//! | `schema.rs` | the JSON schemas of its actions |
//! | `strict.rs` | a store that enforces it |

mod catalogue;
mod page;
mod schema;
mod strict;

pub use crate::catalogue::Catalogue;
pub use crate::strict::Strict;
