//! The hashes of a tree: of a record, of a node, of a whole log (RFC 6962, section 2.1).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

macro_rules! hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// As text it is base64 with padding, as in C2SP.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// Creates the hash with these bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&STANDARD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let mut bytes = [0; 32];
                match STANDARD.decode_slice(text, &mut bytes) {
                    Ok(32) => Ok(Self(bytes)),
                    _ => Err(Error::malformed("hash", "base64 of 32 bytes")),
                }
            }
        }

        impl From<$name> for String {
            fn from(hash: $name) -> Self {
                hash.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }
    };
}

hash! {
    /// The hash of one record: `SHA-256(0x00 ‖ record)`.
    LeafHash
}

hash! {
    /// The hash of a complete subtree: a leaf's, or `SHA-256(0x01 ‖ left ‖ right)`.
    NodeHash
}

hash! {
    /// The hash of a whole log at some size.
    RootHash
}

impl LeafHash {
    /// Returns the hash of a record, over the exact bytes stored
    /// ([`StoredEvent::record`](crate::backend::StoredEvent::record)).
    pub fn of(record: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(record).finalize().into())
    }
}

impl NodeHash {
    /// Returns the hash of the node above `left` and `right`.
    pub fn of(left: Self, right: Self) -> Self {
        let hash = Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0);
        Self(hash.finalize().into())
    }
}

impl RootHash {
    /// The root of an empty log: SHA-256 of the empty string.
    pub const EMPTY: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);
}

/// Returns the root of a complete subtree with these leaves, or `None` unless their number is a power
/// of two.
pub fn subtree_root(leaves: &[impl Copy + Into<NodeHash>]) -> Option<NodeHash> {
    if let [leaf] = leaves {
        return Some((*leaf).into());
    }
    if !leaves.len().is_power_of_two() {
        return None;
    }
    let mut row: Vec<NodeHash> = leaves.iter().map(|leaf| (*leaf).into()).collect();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks();
        row = pairs.iter().map(|[left, right]| NodeHash::of(*left, *right)).collect();
    }
    row.pop()
}

impl From<LeafHash> for NodeHash {
    fn from(leaf: LeafHash) -> Self {
        Self(leaf.0)
    }
}

impl From<NodeHash> for RootHash {
    fn from(node: NodeHash) -> Self {
        Self(node.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_root_is_the_hash_of_nothing() {
        assert_eq!(RootHash::EMPTY.as_bytes()[..], Sha256::digest(b"")[..]);
    }

    #[test]
    fn text_is_canonical_base64() {
        let hash = LeafHash::of(b"record");
        let text = hash.to_string();
        assert_eq!(text.parse::<LeafHash>().unwrap(), hash);
        assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{text}\""));
        // Without padding, with bits that say nothing, too long, too short.
        let last = text.len() - 2;
        let same_bytes = format!("{}{}=", &text[..last], char::from(text.as_bytes()[last] + 1));
        for bad in [text.trim_end_matches('='), &same_bytes, &text.repeat(2), "", "AAAA"] {
            assert!(bad.parse::<LeafHash>().is_err(), "{bad}");
        }
    }
}
