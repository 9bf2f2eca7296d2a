//! The model, the query, the token and the store trait of an audit log that services trust.
//!
//! A service describes what happened as a [`NewEvent`], appends it to a [`Log`] of an
//! [`AuditStore`], and reads it back as an [`AuditEvent`]: filtered by a [`Filter`], page by page
//! with a [`Token`] that never skips or repeats, or as a feed that has no end. The stores live in
//! crates of their own; this one has no runtime and does no I/O.
//!
//! | noun | module |
//! |---|---|
//! | the event and its parts | [`NewEvent`], [`AuditEvent`], [`Actor`], [`Target`], [`Scope`], [`Change`], [`Message`], [`Request`] |
//! | its lean view | [`Activity`] |
//! | the tenant | [`Organization`] |
//! | what is asked | [`Query`], [`Filter`], [`Order`] |
//! | what is answered | [`Page`], [`FeedPage`], [`Token`] |
//! | the store | [`AuditStore`], [`AuditStoreExt`] |
//! | what a log may forget | [`Erasure`], [`Retention`] |
//! | what proves it | [`tree`], [`LeafHash`], [`Frontier`] |
//! | the credentials | [`ApiKey`], [`Role`], [`ApiKeyStore`] |
//! | for those who write a store | [`Batch`], [`StoredEvent`], [`index`] |
//!
//! ```no_run
//! use audit_core::{Actor, AuditStore, AuditStoreExt, Filter, NewEvent, OrganizationId, Query, Result};
//!
//! async fn example(store: &impl AuditStore, acme: OrganizationId) -> Result<()> {
//!     let event = NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"))
//!         .target("invoice", "inv_9")
//!         .message("Ana paid invoice 9");
//!     store.record(acme, event).await?;
//!
//!     let query = Query::new(acme).filter(Filter::new().action("invoice.*")).limit(50);
//!     let page = store.page(&query).await?;
//!     if let Some(token) = &page.next {
//!         let _rest = store.next_page(&query, token).await?;
//!     }
//!     Ok(())
//! }
//! ```

mod activity;
mod actor;
mod api_key;
mod append;
mod change;
mod erasure;
mod error;
mod event;
mod filter;
mod id;
pub mod index;
pub mod json;
pub mod limits;
mod log;
mod message;
#[cfg(feature = "openapi")]
pub mod openapi;
mod organization;
mod query;
mod request;
mod retention;
mod scope;
pub mod store;
mod store_ext;
mod stored;
mod target;
mod timestamp;
mod token;
pub mod tree;
mod vocabulary;

pub use activity::Activity;
pub use actor::Actor;
pub use api_key::{ApiKey, ApiKeySecret, ApiKeyStore, NewApiKey, Role};
pub use append::{Batch, Head, PlacedEvent, Placement, Receipt};
pub use change::{Change, FieldChange};
pub use erasure::{Erased, Erasure};
pub use error::{Error, ErrorKind, Result, Violation};
pub use event::{AuditEvent, NewEvent};
pub use filter::{Facet, Filter};
pub use id::{ApiKeyId, ChangeSetId, EventId, OrganizationId, Sequence};
pub use log::Log;
pub use message::Message;
pub use organization::{
    Attribution, NewOrganization, Organization, OrganizationRef, OrganizationUpdate,
    PrivateEndpoint,
};
pub use query::{FeedPage, FeedStart, Order, Page, Position, Query, Total};
pub use request::{Request, Source};
pub use retention::{Pruned, Retention};
pub use scope::Scope;
pub use store::{AuditStore, Scan, Slice};
pub use store_ext::AuditStoreExt;
pub use stored::{PersonalPart, PreparedEvent, StoredEvent};
pub use target::Target;
pub use timestamp::Timestamp;
pub use token::{Token, TokenKeys};
pub use tree::{Frontier, LeafHash, LogEntry, Node, NodeHash, RootHash, TreeHead, TreeSize};
pub use vocabulary::{Action, ActorKind, EntityClass, Surface};
