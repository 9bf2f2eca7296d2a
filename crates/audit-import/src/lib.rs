//! The audit records of other systems as events.
//!
//! A [`Mapping`] takes the records of one system, as they are delivered, and gives a valid
//! [`NewEvent`](audit_core::NewEvent) for each. It is a pure function: no clock, no network, no file.
//! A mapping is a text: [several](Builtin::all) come with this crate, and [`Mapping::parse`] reads one of
//! your own.
//!
//! ```
//! use audit_import::Mapping;
//!
//! let line = br#"{"id":"30cafca6","date_create":1612869308,"action":"file_shared",
//!     "actor":{"type":"user","user":{"id":"U1","name":"ana","email":"ana@example.org"}},
//!     "context":{"ip_address":"192.0.2.7:4711","session_id":9007199254740993}}"#;
//! let slack = Mapping::builtin("slack").unwrap();
//! let event = slack.read_one(line, None)?;
//! assert_eq!(event.action.as_str(), "file_shared");
//! assert_eq!(event.actor.ip.as_deref(), Some("192.0.2.7:4711"));
//! assert_eq!(event.metadata["context"]["session_id"], 9_007_199_254_740_993_u64);
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! # Nothing is lost
//! Each value of a record is in its event, unless a mapping has a program that drops it:
//! - A text that is a field of the model as a whole is *moved* there.
//! - Any other value that the model uses (a number, a time that the model prints in another way,
//!   a text that is joined with another or taken apart) is *copied*, and stays where it was.
//! - What no line of the mapping names stays. So does a text by which the source says that it has
//!   none: an empty one, `-`. So does a value that is too large for its field; [`Mapped`] says so.
//!
//! The rest is the event's metadata, under its own key and nesting. A list whose items were
//! moved in part keeps its places. What was around a record in a delivery is in the metadata under
//! [`DELIVERY`], but what is beside a *list* of records is about the page, and is left out.
//!
//! # Which records are one event
//! The id of an event is derived from the system, the source's own id, the time, and a digest of the record
//! without its delivery envelope, in which the order of keys and the spelling of numbers play no part. So a
//! record that is delivered again in another envelope has the same id, and two records that share an id of
//! the source have two. An event of a record that is delivered again differs from the first in the envelope
//! alone; a store that holds the first answers [`Conflict`](audit_core::ErrorKind::Conflict), because it
//! compares all of an event, so an importer then looks the id up.
//!
//! The envelope is what these systems add to the records that they pass on, at the top level:
//! - Log Analytics (Microsoft Sentinel), its standard columns: `TenantId`, `SourceSystem`, `MG`,
//!   `ManagementGroupName`, `TimeGenerated`, `Computer`, `RawData`, `Type`, `_ResourceId`,
//!   `_SubscriptionId`, `_ItemId`, `_TimeReceived`, `_BilledSize`, `_IsBillable`. They name the
//!   workspace and the time of ingestion.
//! - Panther, the prefix that it reserves: `p_`. They name the log source and the time of parsing,
//!   and repeat what the record says.
//! - Logstash and Elasticsearch: `@timestamp`, `@version`.
//!
//! A mapping can name more. A field of the envelope that gives the event its time counts all the same.
//!
#![doc = include_str!("../MAPPINGS.md")]

mod assemble;
mod builtin;
mod changes;
mod expr;
mod glob;
mod identity;
mod layout;
pub mod limits;
mod load;
mod mapping;
pub mod native;
mod parts;
mod pick;
mod place;
#[cfg(feature = "jq")]
mod prepare;
#[cfg(not(feature = "jq"))]
#[path = "prepare_absent.rs"]
mod prepare;
mod record;
mod targets;
mod texts;
pub mod time;

/// The reference of the format, as Markdown, for programs that show it.
pub const FORMAT: &str = include_str!("../MAPPINGS.md");

pub use builtin::Builtin;
pub use mapping::{DELIVERY, Mapped, Mapping, TIME_SOURCE, TimeOrigin};
pub use texts::{Text, Texts};
