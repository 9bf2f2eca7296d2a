//! The outcome: whether the action succeeded.

use serde::{Deserialize, Serialize};

use crate::limits::{self, MAX_ID_BYTES, MAX_NAME_BYTES};
use crate::{OutcomeResult, Result};

/// Whether an action succeeded, and the code with which it ended.
///
/// ```
/// use audit_core::{Actor, NewEvent, Outcome};
///
/// let event = NewEvent::new("user.login", Actor::user("u_1"))
///     .outcome(Outcome::denied().code("mfa_required"));
/// assert_eq!(event.outcome.unwrap().result.as_str(), "denied");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Outcome {
    /// The result. 1 to [`MAX_NAME_BYTES`] bytes.
    pub result: OutcomeResult,
    /// The code of the result in the service: an error code, a status. At most [`MAX_ID_BYTES`]
    /// bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Outcome {
    /// Returns the outcome `result` without a code.
    pub fn new(result: impl Into<OutcomeResult>) -> Self {
        Self { result: result.into(), code: None }
    }

    /// Returns the outcome of an action that was carried out.
    pub fn success() -> Self {
        Self::new(OutcomeResult::SUCCESS)
    }

    /// Returns the outcome of an action that failed.
    pub fn failure() -> Self {
        Self::new(OutcomeResult::FAILURE)
    }

    /// Returns the outcome of an action that the actor was not permitted to perform.
    pub fn denied() -> Self {
        Self::new(OutcomeResult::DENIED)
    }

    /// Sets the code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        limits::required(format_args!("outcome.result"), self.result.as_str(), MAX_NAME_BYTES)?;
        limits::optional(format_args!("outcome.code"), self.code.as_deref(), MAX_ID_BYTES)
    }
}

impl From<OutcomeResult> for Outcome {
    fn from(result: OutcomeResult) -> Self {
        Self::new(result)
    }
}
