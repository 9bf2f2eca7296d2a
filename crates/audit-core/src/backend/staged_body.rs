//! The JSON text of a staged event.

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, NewEvent, Result, Timestamp};

/// The version of the format of a body.
pub(crate) const BODY_VERSION: u8 = 1;

/// A staged event, in JSON. `docs/format.md` describes it, for writers in other languages.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StagedBody {
    pub(crate) v: u8,
    /// When an event without a time occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) staged_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) submitted_by: Option<String>,
    pub(crate) event: NewEvent,
}

impl StagedBody {
    pub(crate) fn new(mut event: NewEvent, staged_at: Timestamp) -> Self {
        let submitted_by = event.submitted_by.take();
        let staged_at = event.occurred_at.is_none().then_some(staged_at);
        Self { v: BODY_VERSION, staged_at, submitted_by, event }
    }

    pub(crate) fn encode(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|source| {
            Error::new(ErrorKind::Invalid).with_context("writing an event").with_source(source)
        })
    }
}
