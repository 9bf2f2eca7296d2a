//! The message of an event, for people.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::limits::{self, MAX_TEXT_BYTES};

/// The message of an event, for people, and the key of its translations.
///
/// Each text has at most [`MAX_TEXT_BYTES`] bytes. All are personal data, because they can identify
/// people.
///
/// ```
/// use audit_core::Message;
///
/// let message = Message::text("Ana paid invoice 9").title("Invoice paid").key("InvoicePaid");
/// assert!(message.params.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Message {
    /// A title for the action, without details: "Product created".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text, with details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The key of the message in a catalogue of translations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The parameters of the translated message, in the service's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<String>,
}

impl Message {
    /// Creates a message with this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// Sets the title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the key of the message in a catalogue of translations.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the parameters of the translated message.
    #[must_use]
    pub fn params(mut self, params: impl Into<String>) -> Self {
        self.params = Some(params.into());
        self
    }

    /// Returns `true` if no part is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn validate(&self) -> Result<()> {
        for (field, value) in [
            ("title", &self.title),
            ("text", &self.text),
            ("key", &self.key),
            ("params", &self.params),
        ] {
            limits::optional(format_args!("message.{field}"), value.as_deref(), MAX_TEXT_BYTES)?;
        }
        Ok(())
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}
