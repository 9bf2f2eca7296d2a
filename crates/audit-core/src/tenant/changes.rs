//! The events of a change of a tenant, for both logs that record it.

use crate::backend::Batch;
use crate::{Log, NewEvent, OrganizationId, Result};

/// Returns the two batches that record a change of a tenant or its keys: for the tenant's own log, and
/// for the platform's.
pub(crate) fn change_batches(id: OrganizationId, event: NewEvent) -> Result<[Batch; 2]> {
    Ok([Batch::new(id.into(), vec![event.clone()])?, Batch::new(Log::Platform, vec![event])?])
}
