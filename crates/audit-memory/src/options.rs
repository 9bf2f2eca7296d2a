//! How a store is opened.

use audit_core::TokenKeys;

/// How a [`MemoryStore`] is opened.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MemoryOptions {
    pub(crate) token_keys: Option<TokenKeys>,
}

impl MemoryOptions {
    /// Signs tokens with these keys; a new random key unless set.
    pub fn with_token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }
}
