//! How a store is put under test: one trait for each trait of a store.

use std::ffi::OsString;
use std::sync::Arc;

use async_trait::async_trait;
use audit_core::{
    AuditStore, AuditStoreExt as _, EventId, EventQuery, FeedPage, FeedStart, FollowerStore, Log,
    Page, Result, RetentionStore, Staged, StagingStore, TenantStore, Token,
};
use futures_util::future::BoxFuture;

/// Puts a copy of a store back. Is called while no handle of the store is open.
pub type Restore = Box<dyn FnOnce() + Send>;

/// Makes a harness, and with it a new and empty store.
pub type NewHarness<'a, H = dyn Harness> = &'a dyn Fn() -> Box<H>;

/// Makes a harness that opens a store with retention.
pub(crate) type NewRetentionHarness<'a> = NewHarness<'a, dyn RetentionHarness>;

/// Makes a harness that opens a store into which callers stage events.
pub(crate) type NewStagingHarness<'a> = NewHarness<'a, dyn StagingHarness>;

/// Makes a harness that opens a store whose derived data can be damaged.
pub(crate) type NewDamageHarness<'a> = NewHarness<'a, dyn DamageHarness>;

/// Makes a harness that opens a store with states of followers.
pub(crate) type NewFollowerHarness<'a> = NewHarness<'a, dyn FollowerHarness>;

/// Makes a harness that opens a store with tenants.
pub(crate) type NewTenantHarness<'a> = NewHarness<'a, dyn TenantHarness>;

/// Opens the [`AuditStore`] under test. A harness is of one store, lives for one test, and removes
/// what the store left when it is dropped.
///
/// [`page`](Harness::page), [`next_page`](Harness::next_page), [`feed`](Harness::feed) and
/// [`next_feed`](Harness::next_feed) are the client's side. They call
/// [`AuditStoreExt`](audit_core::AuditStoreExt). A backend keeps them; a harness that reaches its
/// store another way, or breaks it on purpose, replaces them.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the store: empty the first time, afterwards with every event of which an earlier
    /// handle returned a receipt.
    ///
    /// Is also called while other handles are open. Once all have been dropped, the next call must
    /// read what the medium holds: a store in a file opens the file again. A store in memory, which
    /// has nothing else, returns another handle of the same state.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open(&self) -> Arc<dyn AuditStore>;

    /// Runs a future to its end. Is called on several threads at once.
    ///
    /// Every future of the store is polled here. A store that needs a runtime replaces it, for
    /// example by `tokio::runtime::Runtime::block_on`. The runtime must have threads of its own if
    /// the store spawns tasks: these continue between two calls.
    fn block_on(&self, future: BoxFuture<'_, ()>) {
        futures_executor::block_on(future);
    }

    /// Copies what the store holds, and returns how to put the copy back, as an operator restores a
    /// backup. Is called while handles are open.
    ///
    /// Without it, which is the default, the cases of restored copies check nothing.
    ///
    /// # Panics
    /// If the store cannot be copied.
    fn copy(&self) -> Option<Restore> {
        None
    }

    /// Returns the first page of a walk.
    async fn page(&self, store: &dyn AuditStore, query: &EventQuery) -> Result<Page> {
        store.page(query).await
    }

    /// Returns the page of a walk that `token` continues with.
    async fn next_page(
        &self,
        store: &dyn AuditStore,
        query: &EventQuery,
        token: &Token,
    ) -> Result<Page> {
        store.next_page(query, token).await
    }

    /// Returns the first page of a feed.
    async fn feed(
        &self,
        store: &dyn AuditStore,
        query: &EventQuery,
        start: FeedStart,
    ) -> Result<FeedPage> {
        store.feed(query, start).await
    }

    /// Returns the page of a feed that `token` continues with.
    async fn next_feed(
        &self,
        store: &dyn AuditStore,
        query: &EventQuery,
        token: &Token,
    ) -> Result<FeedPage> {
        store.next_feed(query, token).await
    }
}

/// Opens the store under test as a [`RetentionStore`].
pub trait RetentionHarness: Harness {
    /// Opens the same store as [`Harness::open`] does, in the same way. Is also called while other
    /// handles are open.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open_retention(&self) -> Arc<dyn RetentionStore>;
}

/// Opens the store under test as a [`TenantStore`].
pub trait TenantHarness: Harness {
    /// Opens the same store as [`Harness::open`] does, in the same way. Is also called while other
    /// handles are open.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open_tenants(&self) -> Arc<dyn TenantStore>;
}

/// Opens the store under test as a [`FollowerStore`].
pub trait FollowerHarness: Harness {
    /// Opens the same store as [`Harness::open`] does, in the same way. Is also called while other
    /// handles are open.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open_followers(&self) -> Arc<dyn FollowerStore>;
}

/// Opens the store under test as a [`StagingStore`], and is a client of its database.
pub trait StagingHarness: Harness {
    /// Opens the same store as [`Harness::open`] does, in the same way. Is also called while other
    /// handles are open.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn open_staging(&self) -> Arc<dyn StagingStore>;

    /// Begins a transaction of a client that is not the store: on a connection of its own. Is called
    /// after the store was opened once, also while no handle is open.
    ///
    /// # Panics
    /// If the database cannot be reached.
    fn begin(&self) -> Box<dyn StagingTransaction>;
}

/// Opens the store under test, and damages what it derives from its records, such as an index, as a
/// faulty disk or another program does.
pub trait DamageHarness: Harness {
    /// Returns the kinds of damage that the harness can do, in a few words each: at least one.
    fn damages(&self) -> Vec<&'static str>;

    /// Does one of these to what the store derives from the events of `log`, which has some hundred. Is
    /// called while no handle is open.
    ///
    /// # Panics
    /// If nothing can be damaged so.
    fn damage(&self, log: Log, damage: &str);
}

/// Opens a durable store, which another process can open too.
pub trait DurableHarness: Harness {
    /// Returns the place at which another process opens the same store, such as the path of its file.
    fn place(&self) -> OsString;
}

/// A transaction of a client. If it is dropped, it is rolled back.
pub trait StagingTransaction: Send {
    /// Stages one event with a body that need not be one.
    ///
    /// # Panics
    /// If the database refuses it.
    fn stage_row(&mut self, log: Log, id: EventId, body: &str);

    /// Stages events.
    ///
    /// # Panics
    /// If the database refuses one.
    fn stage(&mut self, staged: &Staged) {
        for (id, body) in staged.rows() {
            self.stage_row(staged.log(), id, body);
        }
    }

    /// Commits.
    ///
    /// # Panics
    /// If it cannot commit.
    fn commit(self: Box<Self>);

    /// Rolls back.
    ///
    /// # Panics
    /// If it cannot roll back.
    fn roll_back(self: Box<Self>);
}
