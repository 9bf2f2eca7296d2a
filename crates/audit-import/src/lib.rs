//! The audit records of other systems as events.
//!
//! [`Format::read`] takes one record as its system delivers it, a JSON object, and gives a valid
//! [`NewEvent`](audit_core::NewEvent). It is a pure function: no clock, no network, no file.
//!
//! ```
//! use audit_import::Format;
//!
//! let line = br#"{"id":"30cafca6","date_create":1612869308,"action":"file_shared",
//!     "actor":{"type":"user","user":{"id":"U1","name":"ana","email":"ana@example.org"}},
//!     "context":{"ip_address":"192.0.2.7:4711","session_id":9007199254740993}}"#;
//! let event = Format::Slack.read(line)?;
//! assert_eq!(event.action.as_str(), "file_shared");
//! assert_eq!(event.actor.ip.as_deref(), Some("192.0.2.7:4711"));
//! assert_eq!(event.metadata["context"]["session_id"], 9_007_199_254_740_993_u64);
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! # Nothing is lost
//! Each value of a record is in its event:
//! - A text that is a field of the model as a whole is *moved* there.
//! - Any other value that the model uses (a number, a time that the model prints in another way,
//!   a text that is joined with another or taken apart) is *copied*, and stays where it was.
//! - What the model has no place for stays. So does a text by which the source says that it has
//!   none: an empty one, `-`.
//!
//! What stays is the event's metadata, under its own key and nesting. A list whose items were
//! moved in part keeps its places. The module of each format has a table of what goes where.
//!
//! # Which records are one event
//! The id of an event is derived from the format, the source's own id, and a digest of the record
//! without its delivery envelope. So a record that is delivered again in another envelope has the same
//! id, and two records that share an id of the source have two. An event of a record that is
//! delivered again differs from the first in the envelope alone; a store that holds the first
//! answers [`Conflict`](audit_core::ErrorKind::Conflict), because it compares all of an event, so
//! an importer looks the id up first.
//!
//! The envelope is what two systems add to the records that they pass on, at the top level:
//! - Log Analytics (Microsoft Sentinel), its standard columns: `TenantId`, `SourceSystem`, `MG`,
//!   `ManagementGroupName`, `TimeGenerated`, `Computer`, `RawData`, `Type`, `_ResourceId`,
//!   `_SubscriptionId`, `_ItemId`, `_TimeReceived`, `_BilledSize`, `_IsBillable`. They name the
//!   workspace and the time of ingestion.
//! - Panther, the prefix that it reserves: `p_`. They name the log source and the time of parsing,
//!   and repeat what the record says.
//!
//! A field of the envelope that gives the event its time counts all the same. The sources
//! themselves add none: CloudTrail, GitHub, Okta, Jira and Slack deliver the same record again.

pub mod cloudtrail;
mod format;
pub mod github_audit;
pub mod github_events;
mod identity;
pub mod jira;
mod layout;
pub mod okta;
mod record;
pub mod slack;
pub mod time;

pub use format::{Format, TIME_SOURCE};
