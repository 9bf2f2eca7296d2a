//! How a store is put under test.

use std::sync::Arc;

use audit_core::{
    AuditStoreExt as _, EventQuery, FeedPage, FeedStart, Page, Result, RetentionStore, TenantStore,
    Token,
};
use futures_executor::block_on;

/// Everything that the suite asks of a store.
pub trait Store: RetentionStore + TenantStore {}

impl<S: RetentionStore + TenantStore> Store for S {}

/// Makes a harness, and with it a new and empty store.
pub type NewHarness<'a> = &'a dyn Fn() -> Box<dyn Harness>;

/// Opens the store under test. A harness stands for one store, lives for one test, and removes
/// what the store left when it is dropped.
///
/// The provided methods are the client's side: what stands between a caller and the store. They
/// are those of [`AuditStoreExt`](audit_core::AuditStoreExt). A backend leaves them as they are; a
/// harness that reaches its store some other way, or breaks it on purpose, replaces them.
pub trait Harness: Send + Sync {
    /// Opens the store: empty the first time, afterwards with everything that any earlier handle
    /// was acknowledged.
    ///
    /// Is also called while other handles are open. Once all have been dropped, the next call must
    /// read what the medium holds: a store in a file opens the file again; a store in memory, which
    /// has nothing else, gives another handle of the same state.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open(&self) -> Arc<dyn Store>;

    /// Opens the same store as [`Harness::open`] does, in the same way, to keep API keys in it. Is
    /// also called while handles that `open` gave are in use, and the other way round.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open_api_keys(&self) -> Arc<dyn Store>;

    /// The first page of a walk.
    fn page(&self, store: &dyn Store, query: &EventQuery) -> Result<Page> {
        block_on(store.page(query))
    }

    /// The page of a walk that `token` continues with.
    fn next_page(&self, store: &dyn Store, query: &EventQuery, token: &Token) -> Result<Page> {
        block_on(store.next_page(query, token))
    }

    /// The first page of a feed.
    fn feed(&self, store: &dyn Store, query: &EventQuery, start: FeedStart) -> Result<FeedPage> {
        block_on(store.feed(query, start))
    }

    /// The page of a feed that `token` continues with.
    fn next_feed(&self, store: &dyn Store, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        block_on(store.next_feed(query, token))
    }
}
