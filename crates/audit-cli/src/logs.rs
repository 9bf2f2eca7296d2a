//! Which logs.

use std::collections::BTreeSet;

use audit_core::AuditStoreExt as _;
use audit_core::Log;
use clap::Args;

use crate::address::{Store, StoreAddress};
use crate::error::Result;
use crate::tenant;

/// One log, or all of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Logs {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Option<Log>,
    /// Every log of the store, those of deleted organizations too.
    #[arg(long)]
    pub(crate) all: bool,
}

impl Logs {
    /// Whether `log` is among them.
    pub(crate) fn has(&self, log: Log) -> bool {
        self.organization.is_none_or(|one| one == log)
    }

    /// The logs. One that is `known` from elsewhere is looked at even if the store has nothing of
    /// it any more.
    pub(crate) async fn of(
        &self,
        store: &dyn Store,
        address: &StoreAddress,
        known: impl IntoIterator<Item = Log>,
    ) -> Result<BTreeSet<Log>> {
        let mut known: BTreeSet<Log> = known.into_iter().collect();
        let Some(log) = self.organization else {
            known.extend(store.all_logs().await?);
            return Ok(known);
        };
        if !known.contains(&log) {
            tenant::readable(store, address, log).await?;
        }
        Ok(BTreeSet::from([log]))
    }
}
