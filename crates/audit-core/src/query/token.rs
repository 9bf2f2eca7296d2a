//! The token: an opaque text with which a walk or a feed continues.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A token with which a walk or a feed continues. It is opaque: only a store with the key that signed
/// it can read it. It grants no access by itself.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Wraps a token as a caller presents it. It is verified when it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the token as text, safe in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.0)
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Token {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}
