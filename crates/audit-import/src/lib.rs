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
//! Each value of a record is in its event:
//! - A text that is a field of the model as a whole is *moved* there.
//! - Any other value that the model uses (a number, a time that the model prints in another way,
//!   a text that is joined with another or taken apart) is *copied*, and stays where it was.
//! - What no line of the mapping names stays. So does a text by which the source says that it has
//!   none: an empty one, `-`. So does a value that is too large for its field; [`Mapped`] says so.
//!
//! What stays is the event's metadata, under its own key and nesting. A list whose items were
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
//! # The format of a mapping
//! A mapping is TOML. This one reads `{"did": "buy", "at": 1710514131, "who": {"id": "u_7"}, "what": ["x"]}`:
//!
//! ```
//! use audit_import::Mapping;
//!
//! let mapping = Mapping::parse(r#"
//!     system = "shop"                     # the name of the source of the events
//!     marks = ["/did", ["/at", "/time"]]  # a record of the system has each; of a list, one
//!     time = ["/at", "/time"]             # the first that is there
//!     action = "shop.{/did}"              # a text with places in it
//!     actor = { kind = { const = "user" }, id = "/who/id" }
//!
//!     [[targets]]
//!     each = "/what"                      # a target for each item
//!     type = { const = "article" }
//!     id = ""                             # the item itself
//! "#)?;
//! let record = br#"{"did":"buy","at":1710514131,"who":{"id":"u_7"},"what":["x"]}"#;
//! let event = mapping.read_one(record, None)?;
//! assert_eq!(event.action.as_str(), "shop.buy");
//! assert_eq!(event.targets[0].id.as_deref(), Some("x"));
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! ## Keys
//!
//! | key | meaning |
//! |---|---|
//! | `system` | the [system](audit_core::Source::system) of the events; required |
//! | `title` | a title for people |
//! | `marks` | the places (or conditions) that a record of the system has: of a list within it, one; required |
//! | `unwrap` | the places of an envelope that hold the record, a list of records, or either as JSON in a text, looked into first: an envelope can have the marks, too. Where a record lacks its marks, those of common deliveries are looked into, too: `/Records`, `/entries`, `/detail`, `/message` … |
//! | `split` | the list of which each item is an event, with all that is around it |
//! | `entries` | lists of names and values that are read like objects: `{ at = "/parameters", key = "name", value = ["value", "intValue"] }` |
//! | `ignoreCase` | `true` if a key that is absent is looked for in other cases |
//! | `none` | the texts, besides an empty one, that say that there is no value; `-` by default |
//! | `envelope` | the keys at the top that are part of a delivery, with `*` for any text |
//! | `jsonTexts` | `true` if a text that is JSON is known again by what it says |
//! | `values` | expressions with a name, to be used as `$name` |
//! | `id` | the source's own id |
//! | `time` | the places of the time, of which the first is used, in one of the [known forms](time); required. After them `@timestamp`, `p_event_time` and `TimeGenerated` are looked for |
//! | `action` (required), `category`, `severity`, `location`, `reason`, `changeSetId`, `actor`, `organization`, `scope`, `outcome`, `message`, `request`, `trace`, `attributes` | the fields of an event, as its JSON names them, each an expression |
//! | `change` | `old` and `new`: the places of values of any type, or `{ copy = "/a" }`; `if`: a condition |
//! | `[[diff]]` | `field`, an expression, and `old` and `new`; or `keys`: of a key of this form, the field that it is the old value of |
//! | `[[targets]]` | `type`, `id`, `name`: expressions; or `ids`: places, with the type of what each identifies |
//! | `each`, `if` in `[[diff]]` and `[[targets]]` | the list of which each item is one, and a condition. `/a/*/b` is the list `b` in each item of the list `a` |
//!
//! ## Expressions
//!
//! | expression | value |
//! |---|---|
//! | `"/a/b"` | the text at this place, a JSON pointer, which is moved; a number is copied. A segment `{/kind}` is the key that the value at `/kind` names |
//! | `"^/a"` | the place in what is around: in the delivery around a record, in the record around an item |
//! | `"{/a}.{/b\|/c}"` | a text with places in it, of which the first with a value is used. An absent one takes the text before it along; with `!` at its end, the whole text. `{#}` is the number of the part of a record that is split, `{$name}` a named value |
//! | `["/a", "/b"]` | the first with a value |
//! | `"$name"` | the named value |
//! | `{ const = "x" }` | the text |
//! | `{ copy = "/a" }` | what is at the place, which stays, because another line moves it |
//! | `{ from = "/a", map = { "x*" = "y", "*" = "$0" } }` | the output of the first row whose pattern matches; `$0` is the value, `$1` what the first `*` matched. With `else`, of any other value; with `absent`, of none |
//! | `{ from = "/a", as = "term" }` | the value in lower case, with `_` for what is no letter or digit |
//! | any of these tables with `if` | the value, under a condition |
//!
//! ## Conditions
//! `"/a"`: there is a value. `{ at = "/a", is = ["x", "y*"] }`: it is one of these. `not` instead of `is`:
//! it is another value. `{ absent = "/a" }`: there is no value. `{ all = [ … ] }`: all of these hold. A list of
//! conditions: at least one holds.

mod assemble;
mod builtin;
mod changes;
mod expr;
mod glob;
mod identity;
mod layout;
mod load;
mod mapping;
pub mod native;
mod parts;
mod pick;
mod place;
mod record;
mod targets;
mod texts;
pub mod time;

pub use builtin::Builtin;
pub use mapping::{DELIVERY, Mapped, Mapping, TIME_SOURCE, TimeOrigin};
pub use texts::{Text, Texts};
