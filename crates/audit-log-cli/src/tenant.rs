//! The organization that a command names.

use audit_core::{ErrorKind, Log, Organization, OrganizationId, Sequence};

use crate::address::StoreAddress;
use crate::error::{CliError, Result};
use crate::store::Store;

/// Returns the organization `id`. Fails with a hint if it does not exist.
pub(crate) async fn existing(
    store: &dyn Store,
    address: &StoreAddress,
    id: OrganizationId,
) -> Result<Organization> {
    store.organization(id).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let command = address.command();
            let hint = if *address == StoreAddress::Memory {
                "to try a file, give --organization platform".to_owned()
            } else {
                format!(
                    "create it with: {command} organizations create --name NAME --id {id}\n      \
                     or find another with: {command} organizations list"
                )
            };
            CliError::new(format!("there is no organization {id} in {address}")).hint(hint)
        }
        _ => error.into(),
    })
}

/// Fails if `log` is of an organization that never existed. The log of a deleted one can be read.
pub(crate) async fn readable(store: &dyn Store, address: &StoreAddress, log: Log) -> Result<()> {
    match log {
        Log::Organization(id) if store.head(log).await?.size == Sequence::ZERO => {
            existing(store, address, id).await.map(drop)
        }
        _ => Ok(()),
    }
}
