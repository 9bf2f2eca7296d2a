//! The model, the query, the token and the store traits of an audit log.
//!
//! A service describes an action as a [`NewEvent`], appends it to a [`Log`] of an [`AuditStore`], and
//! reads it back as an [`AuditEvent`]: filtered by a [`Filter`], page by page with a [`Token`] that
//! never skips or repeats an event, or as a feed without end. The stores are crates of their own.
//! This crate has no runtime and does no I/O.
//!
//! | to | use |
//! |---|---|
//! | describe an event | [`NewEvent`], [`Actor`], [`Target`], [`Scope`], [`Change`], [`Diff`], [`Message`], [`RequestInfo`] |
//! | carry the actor and the request to the code that makes events | [`AuditContext`], [`ContextScope`], [`SignedContext`] |
//! | compare values whose type defines the masked fields | [`Audited`], [`Diff::audited`] |
//! | define the actions of a service | [`AuditAction`], [`ActionDefinition`] |
//! | hand events to a store or a spool | [`Recorder`], [`Attempt`] |
//! | read events | [`AuditEvent`], [`Activity`] |
//! | query a log | [`EventQuery`], [`Filter`], [`Order`] |
//! | page through the result | [`Page`], [`FeedPage`], [`Token`] |
//! | call a store | [`AuditStore`], [`AuditStoreExt`] |
//! | erase and prune | [`RetentionStore`], [`RetentionStoreExt`], [`Erasure`], [`Retention`] |
//! | record in your own transaction, through any driver | [`Staged`], [`StagingStore`] |
//! | keep the positions of followers | [`FollowerStore`] |
//! | keep tenants | [`TenantStore`], [`Organization`], [`ApiKey`], [`Role`] |
//! | prove a log | [`tree`], [`LeafHash`], [`TreeHead`], and the crate `audit-merkle` |
//! | write a store | [`backend`] |
//!
//! ```no_run
//! use audit_core::{Actor, AuditStore, AuditStoreExt, Filter, NewEvent, OrganizationId, EventQuery, Result};
//!
//! async fn example(store: &impl AuditStore, acme: OrganizationId) -> Result<()> {
//!     let event = NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"))
//!         .target("invoice", "inv_9")
//!         .message("Ana paid invoice 9");
//!     store.record(acme, event).await?;
//!
//!     let query = EventQuery::new(acme).filter(Filter::new().action("invoice.*")).limit(50);
//!     let page = store.page(&query).await?;
//!     if let Some(token) = &page.next {
//!         let _rest = store.next_page(&query, token).await?;
//!     }
//!     Ok(())
//! }
//! ```

pub mod backend;
mod capture;
mod error;
pub mod json;
pub mod limits;
mod model;
#[cfg(feature = "openapi")]
pub mod openapi;
mod query;
mod random;
mod store;
mod tenant;
pub mod tree;

pub use capture::{
    Accepted, ActionDefinition, Attempt, AuditAction, Audited, AuditedField, AuditedValue,
    FieldCount, FieldDefinition, FieldKey, IntoEvent, Recorder,
};
pub use error::{Error, ErrorKind, Result, Violation};
pub use model::{
    Action, Activity, Actor, ActorKind, ApiKeyId, Attributes, AuditContext, AuditEvent, Change,
    ChangeSetId, ContextKeys, ContextScope, Diff, EntityClass, EventId, FieldChange, InContext,
    Log, Message, NewEvent, OrganizationId, OrganizationRef, Outcome, OutcomeResult, RequestInfo,
    Scope, Sequence, Severity, SignedContext, Source, SpanId, Surface, Target, Timestamp, Trace,
    TraceId,
};
pub use query::{
    Anchor, EventQuery, Facet, FeedPage, FeedStart, Filter, Order, Page, Position, Token,
    TokenKeys, Total,
};
pub use store::{
    AuditStore, AuditStoreExt, DamagedEvent, EntriesRequest, Erased, Erasure, FollowerStore, Head,
    Pruned, Pruning, Receipt, RefusedEvent, Retention, RetentionStore, RetentionStoreExt, Scan,
    ScanResult, Staged, StagedCounts, StagingStore, Submitted,
};
pub use tenant::{
    ApiKey, ApiKeySecret, DeclaredKey, DeclaredOrganization, DeclaredTenants, HolderErasure,
    NewApiKey, NewOrganization, Organization, OrganizationUpdate, PrivateEndpoint, Role,
    TenantStore,
};
pub use tree::{LeafHash, RootHash, TreeHead};
