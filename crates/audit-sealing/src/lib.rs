//! Sealed personal data, for authors of stores: an erasure destroys keys, and so reaches every copy
//! of the sealed bytes. It has no runtime and does no I/O.
//!
//! A database keeps copies of its rows: in unused bytes of pages, in journals, in backups. So a store
//! keeps personal data encrypted, and the keys in a table of their own. A [`GroupKey`] is the key of
//! 32 adjacent events of a log: a row is read and written a thirty-second as often as with a key for
//! each. The key of one event is derived from it, and can be [removed](GroupKey::puncture) from it:
//! from then on the event cannot be unsealed, and the others can, also with sealed bytes from before.
//!
//! # The group key
//!
//! The keys of the events are the leaves of a binary tree (Goldreich, Goldwasser and Micali, 1986). The
//! children of a node are the first 64 bytes of the `ChaCha20` key stream under it, so that a node yields
//! all keys below it and none beside it. A new group key is the root, of random bytes. To puncture a
//! leaf, the node above it is replaced by the nodes beside the path to the leaf: five at first, and
//! never more than sixteen.
//!
//! # What it does not do
//!
//! It does not protect personal data from somebody who reads the keys, and it does not authenticate:
//! the record of each event has the digest of its personal data.
//!
//! ```
//! use audit_core::backend::PersonalData;
//! use audit_core::{LeafHash, Sequence};
//! use audit_sealing::GroupKey;
//!
//! let (ana, bo) = (Sequence::new(7)?, Sequence::new(8)?);
//! let leaf = LeafHash::of(b"the record of event 8");
//! let data = PersonalData::new([1; 16], b"{\"name\":\"Bo\"}".to_vec());
//!
//! let mut key = GroupKey::generate()?;
//! let sealed = key.event_key(bo).unwrap().seal(leaf, &data);
//! key.puncture(ana);
//! assert!(key.event_key(ana).is_none());
//!
//! let key = GroupKey::from_bytes(&key.to_bytes())?;
//! assert_eq!(key.event_key(bo).unwrap().unseal(leaf, sealed), Some(data));
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `group.rs` | the events that share a key |
//! | `group_key.rs` | their key, and its stored form |
//! | `tree.rs` | the tree of keys |
//! | `event_key.rs` | the key of one event, and the cipher |

mod event_key;
mod group;
mod group_key;
mod tree;

pub use event_key::EventKey;
pub use group::Group;
pub use group_key::GroupKey;
