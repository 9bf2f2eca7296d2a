//! The private key of a log's owner, which signs checkpoints.

use std::fmt;
use std::str::FromStr;

use audit_core::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use signed_note::{NoteError, Signer as _, StandardSigner};
use zeroize::Zeroizing;

use crate::note::check_name;
use crate::{Checkpoint, CheckpointVerifier, ConsistencyProof, SignedCheckpoint};

/// Signs the checkpoints of a log with Ed25519, and refuses one that contradicts the latest.
///
/// It keeps no state. The caller stores each signed checkpoint durably *before* it leaves the
/// process, and passes it to the next call: a [`Notary`](crate::Notary) does this.
pub struct CheckpointSigner {
    key: StandardSigner,
    text: Zeroizing<String>,
    verifier: CheckpointVerifier,
}

/// The type byte of an Ed25519 key.
const ED25519: u8 = 1;

impl CheckpointSigner {
    /// Generates a key that signs as `name`: the origin of the log, or the common start of the
    /// origins of several logs.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if `name` is empty, too long, or has spaces, control characters or a
    /// plus. [`ErrorKind::Unavailable`] if the system provides no randomness.
    pub fn generate(name: &str) -> Result<Self> {
        check_name(name)?;
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|source| {
            let error = Error::new(ErrorKind::Unavailable).with_context("making a key");
            error.with_source(source)
        })?;
        let public = SigningKey::from_bytes(&seed).verifying_key();
        let id = signed_note::key_id(name, &[&[ED25519], public.as_bytes().as_slice()].concat());
        let secret = Zeroizing::new([&[ED25519], seed.as_slice()].concat());
        let secret = Zeroizing::new(STANDARD.encode(&*secret));
        Zeroizing::new(format!("PRIVATE+KEY+{name}+{id:08x}+{}", *secret)).parse()
    }

    /// Returns the private key as text. Keep it secret; [parse](str::parse) it to sign again.
    pub fn secret_text(&self) -> &str {
        &self.text
    }

    /// Returns the public key, for the log whose origin is the name of the key.
    pub fn verifier(&self) -> &CheckpointVerifier {
        &self.verifier
    }

    /// Signs the first checkpoint of a log, or the first with this key. Compares it with nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the checkpoint cannot be written as a note.
    pub fn sign_first(&self, checkpoint: &Checkpoint) -> Result<SignedCheckpoint> {
        let mut note = SignedCheckpoint::new(checkpoint.clone(), Vec::new()).note()?;
        let unsigned = |source: NoteError| {
            Error::malformed("checkpoint", "one that can be signed").with_source(source)
        };
        note.add_sigs(&[&self.key]).map_err(unsigned)?;
        String::from_utf8_lossy(&note.to_bytes()).parse()
    }

    /// Signs a checkpoint if `proof` shows that its log begins with that of `latest`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the checkpoint contradicts `latest`: it is smaller (field `size`),
    /// has the same size and another root (`root`), or `proof` fails (`proof`).
    /// [`ErrorKind::Invalid`] with a field below `latest` if `latest` is of another key or origin.
    pub fn sign_next(
        &self,
        checkpoint: &Checkpoint,
        latest: &SignedCheckpoint,
        proof: &ConsistencyProof,
    ) -> Result<SignedCheckpoint> {
        let verifier = self.verifier.clone().with_origin(checkpoint.origin());
        let latest = verifier.verify(latest).map_err(|error| error.below("latest"))?;
        let contradiction = |field: &'static str| {
            Error::new(ErrorKind::Corrupt)
                .with_context("signing a checkpoint that contradicts the latest one")
                .with_field(field)
        };
        let (old, new) = (latest.head(), checkpoint.head());
        if new.size < old.size {
            return Err(contradiction("size"));
        }
        if new.size == old.size && new.root != old.root {
            return Err(contradiction("root"));
        }
        proof.verify(old, new).map_err(|source| contradiction("proof").with_source(source))?;
        self.sign_first(checkpoint)
    }
}

impl FromStr for CheckpointSigner {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::malformed("key", "a signer key of C2SP signed-note");
        // The source is dropped: it could contain the key.
        let key = StandardSigner::new(text).map_err(|_| malformed())?;
        check_name(key.name())?;
        // The fifth part; base64 has plus signs of its own.
        let secret = text.splitn(5, '+').nth(4).unwrap_or_default();
        let secret = Zeroizing::new(STANDARD.decode(secret).map_err(|_| malformed())?);
        let seed = secret.get(1..).and_then(|seed| seed.try_into().ok()).ok_or_else(malformed)?;
        let public = SigningKey::from_bytes(seed).verifying_key();
        let public = signed_note::new_ed25519_verifier_key(key.name(), &public);
        Ok(Self { verifier: public.parse()?, text: Zeroizing::new(text.to_owned()), key })
    }
}

impl fmt::Debug for CheckpointSigner {
    /// Shows only the public key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSigner")
            .field("key", &self.verifier.to_string())
            .finish_non_exhaustive()
    }
}
