//! The options that select logs.

use std::collections::BTreeSet;

use audit_core::AuditStoreExt as _;
use audit_core::Log;
use clap::Args;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::store::Store;
use crate::tenant;

/// The options that select one log or all.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Logs {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Option<Log>,
    /// All logs of the store, including those of deleted organizations.
    #[arg(long)]
    pub(crate) all: bool,
}

impl Logs {
    /// Returns `true` if `log` is selected.
    pub(crate) fn has(&self, log: Log) -> bool {
        self.organization.is_none_or(|one| one == log)
    }

    /// Returns the selected logs, including those that are `known` from elsewhere and missing in
    /// the store.
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
