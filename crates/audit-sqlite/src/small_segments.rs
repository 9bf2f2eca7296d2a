//! Runs the conformance suite with very small segments, so that the few events of a test fill and
//! merge many of them.

use std::sync::Arc;

use audit_conformance::{Harness, RetentionHarness, TenantHarness};
use audit_core::{AuditStore, RetentionStore, TenantStore};
use tempfile::TempDir;

use crate::{SqliteOptions, SqliteStore};

struct File<const SEGMENT: u64>(TempDir);

impl<const SEGMENT: u64> File<SEGMENT> {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Arc<SqliteStore> {
        let options = SqliteOptions { segment_events: SEGMENT, ..SqliteOptions::default() };
        Arc::new(SqliteStore::open_with(self.0.path().join("audit.db"), options).unwrap())
    }
}

impl<const SEGMENT: u64> Harness for File<SEGMENT> {
    fn open(&self) -> Arc<dyn AuditStore> {
        self.store()
    }
}

impl<const SEGMENT: u64> RetentionHarness for File<SEGMENT> {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        self.store()
    }
}

impl<const SEGMENT: u64> TenantHarness for File<SEGMENT> {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        self.store()
    }
}

/// The tail is nearly always empty, and 512 events reach all sizes of segments.
mod of_one {
    audit_conformance::suite!(super::File::<1>::new);
}

/// The tail fills and empties in turns.
mod of_three {
    audit_conformance::suite!(super::File::<3>::new);
}
