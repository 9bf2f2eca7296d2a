//! The layout of a source's records: where the parts of an event are found.

use audit_core::{NewEvent, Result};

use crate::identity::Restate;
use crate::record::{Path, Record};

/// Where a source's records have the parts that every event needs, and how the rest is read.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The paths that can hold the source's own id. The first one present is used.
    pub(crate) ids: &'static [Path<'static>],
    /// The paths that can hold the time of the event. The first one present is used.
    pub(crate) times: &'static [Path<'static>],
    /// The texts with which the source marks a missing value.
    pub(crate) placeholders: &'static [&'static str],
    /// Parses texts that deliveries of the same record write in different ways.
    pub(crate) restate: Restate,
    /// Takes everything else out of a record.
    pub(crate) read: fn(&mut Record) -> Result<NewEvent>,
}
