//! The key of one event, and the cipher.

use std::fmt;

use audit_core::LeafHash;
use audit_core::backend::PersonalData;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use zeroize::Zeroizing;

use crate::tree::Node;

const SALT: usize = 16;
const NONCE: usize = 12;
/// The bytes of four blocks of the cipher, which take it as long as one.
const AT_ONCE: usize = 256;

/// The key that seals the personal data of one event.
pub struct EventKey(Zeroizing<Node>);

impl fmt::Debug for EventKey {
    /// Does not show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventKey")
    }
}

impl EventKey {
    pub(crate) fn new(node: &Node) -> Self {
        Self(Zeroizing::new(*node))
    }

    /// Returns the bytes to store for the personal data of the event whose record has this leaf:
    /// the salt and the content, encrypted.
    ///
    /// The first bytes of the leaf are the nonce. A transaction that was undone can have sealed other
    /// data under the same key, and a database may keep its bytes; but those were of another leaf.
    pub fn seal(&self, leaf: LeafHash, data: &PersonalData) -> Vec<u8> {
        let mut bytes = [&data.salt[..], &data.bytes].concat();
        self.apply(leaf, &mut bytes);
        bytes
    }

    /// Returns the personal data of the event whose record has this leaf; `None` if the bytes are too
    /// few. Whether they are right is shown by the digest in the record only.
    pub fn unseal(&self, leaf: LeafHash, mut sealed: Vec<u8>) -> Option<PersonalData> {
        self.apply(leaf, &mut sealed);
        let salt = *sealed.first_chunk::<SALT>()?;
        sealed.drain(..SALT);
        Some(PersonalData::new(salt, sealed))
    }

    /// Encrypts or decrypts.
    fn apply(&self, leaf: LeafHash, bytes: &mut [u8]) {
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&leaf.as_bytes()[..NONCE]);
        let mut cipher = ChaCha20::new((&*self.0).into(), &nonce.into());
        for part in bytes.chunks_mut(AT_ONCE) {
            let mut stream = [0; AT_ONCE];
            cipher.apply_keystream(&mut stream);
            part.iter_mut().zip(stream).for_each(|(byte, key)| *byte ^= key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_data_depends_on_the_key_and_the_leaf() {
        let data = PersonalData::new([7; SALT], b"{\"name\":\"Ana\"}".to_vec());
        let (key, other) = (EventKey::new(&[1; 32]), EventKey::new(&[2; 32]));
        let (leaf, of_other) = (LeafHash::of(b"a"), LeafHash::of(b"b"));
        let sealed = key.seal(leaf, &data);
        assert_eq!(sealed.len(), SALT + data.bytes.len());
        assert_ne!(sealed, key.seal(of_other, &data));
        assert_ne!(sealed, other.seal(leaf, &data));
        assert_eq!(key.unseal(leaf, sealed.clone()), Some(data.clone()));
        assert_ne!(key.unseal(of_other, sealed.clone()), Some(data.clone()));
        assert_ne!(other.unseal(leaf, sealed), Some(data));
    }

    #[test]
    fn too_few_bytes_are_no_personal_data() {
        let (key, leaf) = (EventKey::new(&[1; 32]), LeafHash::of(b"a"));
        assert_eq!(key.unseal(leaf, vec![0; SALT - 1]), None);
        assert!(key.unseal(leaf, vec![0; SALT]).is_some_and(|data| data.bytes.is_empty()));
    }
}
