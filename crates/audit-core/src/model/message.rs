//! What an event says to a reader.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::limits::{self, MAX_TEXT_BYTES};

/// What an event says to a reader, and the key under which a program finds it in another language.
///
/// Each text has at most [`MAX_TEXT_BYTES`] bytes. All are personal: they may name people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    /// The action in words, without particulars: "Product created".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What happened, with its particulars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The key of the message in a catalogue of translations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the catalogue's message takes, in the form that the service gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<String>,
}

impl Message {
    /// A message of which only the text is set.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// Whether no part is set.
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
