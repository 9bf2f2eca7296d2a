//! The options of a store.

use audit_core::TokenKeys;

/// Options for [`MemoryStore::with_options`](crate::MemoryStore::with_options).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MemoryOptions {
    pub(crate) token_keys: Option<TokenKeys>,
}

impl MemoryOptions {
    /// Signs tokens with these keys instead of a new random key.
    pub fn with_token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }
}
