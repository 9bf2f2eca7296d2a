//! The stores that the program opens.

use std::sync::Arc;

use audit_core::{FollowerStore, Log, Result, RetentionStore, StagingStore, TenantStore};
use audit_memory::MemoryStore;
#[cfg(feature = "postgres")]
use audit_postgres::PostgresStore;
use audit_sqlite::{DerivedFinding, SqliteStore};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};

/// A store with every trait that the program uses, and what durable stores have beside.
pub(crate) trait Store: FollowerStore + RetentionStore + TenantStore {
    /// Returns the store if it is one file.
    fn file(&self) -> Option<&SqliteStore> {
        None
    }

    /// Returns the store if callers can stage events in it.
    fn staging(self: Arc<Self>) -> Option<Arc<dyn StagingStore>> {
        None
    }

    /// Compares the derived data of `log` with its records. Finds nothing in a store without stored
    /// derived data.
    fn check_derived(&self, log: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>>;

    /// Rebuilds what `check_derived` finds, and returns that.
    fn reindex(&self, log: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>>;

    /// Checks that the store can still keep its promises.
    fn check(&self) -> BoxFuture<'_, Result<()>> {
        ready(Ok(())).boxed()
    }
}

impl Store for SqliteStore {
    fn file(&self) -> Option<&SqliteStore> {
        Some(self)
    }

    fn staging(self: Arc<Self>) -> Option<Arc<dyn StagingStore>> {
        Some(self)
    }

    fn check_derived(&self, log: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>> {
        self.check_derived(log).boxed()
    }

    fn reindex(&self, log: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>> {
        self.reindex(log).boxed()
    }
}

#[cfg(feature = "postgres")]
impl Store for PostgresStore {
    fn staging(self: Arc<Self>) -> Option<Arc<dyn StagingStore>> {
        Some(self)
    }

    fn check_derived(&self, log: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>> {
        self.check_derived(log).boxed()
    }

    fn reindex(&self, log: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>> {
        self.reindex(log).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<()>> {
        self.check().boxed()
    }
}

impl Store for MemoryStore {
    fn check_derived(&self, _: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn reindex(&self, _: Log) -> BoxFuture<'_, Result<Vec<DerivedFinding>>> {
        ready(Ok(Vec::new())).boxed()
    }
}
