//! The events of a change of a tenant, for both logs that record it.

use crate::backend::Batch;
use crate::{Log, NewEvent, OrganizationId, Result};

/// The attribute of the event of a change that has a digest of the state after it, or before a deletion.
pub(super) const FINGERPRINT: &str = "fingerprint";

/// Returns the two batches that record a change of a tenant or its keys: for the tenant's own log, and
/// for the platform's.
pub(crate) fn change_batches(id: OrganizationId, event: NewEvent) -> Result<[Batch; 2]> {
    Ok([Batch::reserved(id.into(), event.clone())?, Batch::reserved(Log::Platform, event)?])
}
