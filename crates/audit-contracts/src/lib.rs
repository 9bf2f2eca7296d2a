//! The wire records of five audit-log HTTP contracts, translated to and from the `audit-core`
//! model. Records and bodies only: no HTTP.
//!
//! | contract | module | specifics |
//! |---|---|---|
//! | A | [`organizations_and_activities`] | camel case; envelope `{status, requestId, result}`; ids are any text; absent values are omitted |
//! | B | [`audit_log_items`] | camel case; a bare array; a number as id; 87 types; milliseconds; nulls are printed |
//! | C | [`audit_trails`] | camel case; `{continuationToken, responseData}`; `+00:00`; nulls are printed; `author` and `message` are closed |
//! | D | [`organisation_audit_logs`] | camel case; envelope `{data}`, of the log with `pagination`; `log_…` and `org_…`; seconds |
//! | E | [`super_admin_audit_logs`] | snake case; envelope `{meta, errors, result}`; microseconds; `super_admin` can be null |
//!
//! Each record becomes a [`NewEvent`](audit_core::NewEvent) by `try_from`, and each
//! [`AuditEvent`](audit_core::AuditEvent) a record of any contract by `from`:
//!
//! ```
//! use audit_contracts::organisation_audit_logs::AuditLog;
//! use audit_core::{AuditEvent, Log, NewEvent, Sequence, Timestamp, json};
//!
//! let text = br#"{"id": "log_001", "action": "team.created", "email": "ana@example.org",
//!     "details": "Created team 'Platform'", "createdAt": "2025-03-15T10:15:00Z"}"#;
//! let log: AuditLog = json::from_slice(text)?;
//! let event = NewEvent::try_from(log.clone())?;
//! let event = AuditEvent::new(Log::Platform, Sequence::new(1)?, Timestamp::now(), event);
//! assert_eq!(AuditLog::from(&event), log);
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! All five have in common:
//! - A record that goes to the model and back is equal, key by key and null by null. Its times come
//!   back in UTC, in the contract's own form; a field that is a UUID comes back in lower case with
//!   hyphens, however it was written.
//! - Any event is printed as a record of the contract's shape, also one whose personal data is
//!   erased. Fields that a contract does not have are left out.
//! - Records are to be read by [`audit_core::json::from_slice`], which refuses numbers that cannot
//!   be kept exactly. A duplicate key is refused at any depth, and so is a field that the
//!   contract does not have, because ignoring it would lose it. Open objects keep every member.
//! - A time may be finer than the contract prints. The event keeps it; printing rounds it down.
//! - Namespaces of derived ids never change, so that a record read twice is one event.

pub mod audit_log_items;
mod audit_log_types;
pub mod audit_trails;
pub mod organisation_audit_logs;
pub mod organizations_and_activities;
pub mod super_admin_audit_logs;
mod wire;
