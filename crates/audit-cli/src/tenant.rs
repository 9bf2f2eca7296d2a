//! The organization, or the logs, that a command names.

use audit_core::{AuditStore, ErrorKind, Log, Organization, OrganizationId, Sequence, limits};
use clap::Args;

use crate::address::StoreAddress;
use crate::failure::{Failure, Result};

/// The organization `id`.
pub(crate) async fn existing(
    store: &dyn AuditStore,
    address: &StoreAddress,
    id: OrganizationId,
) -> Result<Organization> {
    store.organization(id).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let command = address.command();
            let hint = match address {
                StoreAddress::Memory => "to try a file, use --organization platform".to_owned(),
                StoreAddress::Sqlite(_) => format!(
                    "create it with: {command} organizations create --name NAME --id {id}\n      \
                     or find another with: {command} organizations list"
                ),
            };
            Failure::new(format!("there is no organization {id} in {address}")).hint(hint)
        }
        _ => error.into(),
    })
}

/// Whether `log` can be read: of an organization that is there, or was before it was deleted.
pub(crate) async fn readable(
    store: &dyn AuditStore,
    address: &StoreAddress,
    log: Log,
) -> Result<()> {
    match log {
        Log::Organization(id) if store.head(log).await?.size == Sequence::ZERO => {
            existing(store, address, id).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// One log, or all.
#[derive(Debug, Args)]
#[group(id = "logs", required = true, multiple = false)]
pub(crate) struct Logs {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Option<Log>,
    /// The platform's log, and that of every organization.
    #[arg(long)]
    all: bool,
}

impl Logs {
    pub(crate) fn is_all(&self) -> bool {
        self.all
    }

    /// The logs, all of which can be read.
    pub(crate) async fn all(
        &self,
        store: &dyn AuditStore,
        address: &StoreAddress,
    ) -> Result<Vec<Log>> {
        if let Some(log) = self.organization {
            readable(store, address, log).await?;
            return Ok(vec![log]);
        }
        let mut logs = vec![Log::Platform];
        let mut after = None;
        loop {
            let page = store.organizations(after, limits::ORGANIZATIONS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(logs) };
            after = Some(last.id);
            logs.extend(page.iter().map(|organization| Log::from(organization.id)));
        }
    }
}
