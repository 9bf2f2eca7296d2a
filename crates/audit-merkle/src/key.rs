//! Keys: that of a log, which signs its checkpoints, and that by which others know it.

use std::fmt;
use std::str::FromStr;

use audit_core::{Error, ErrorKind, Result, Violation};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use signed_note::{
    NoteError, Signer as _, StandardSigner, StandardVerifier, Verifier, VerifierList,
};
use zeroize::Zeroizing;

use crate::{Checkpoint, ConsistencyProof, SignedCheckpoint, TreeHead, WitnessVerifier};

/// Signs the checkpoints of a log, and none that denies an earlier one. Ed25519.
///
/// It keeps nothing: whoever signs keeps the last signed checkpoint durably, *before* it is given
/// to anyone, and gives it to the next call under the same lock.
pub struct CheckpointSigner {
    key: StandardSigner,
    text: Zeroizing<String>,
    verifier: CheckpointVerifier,
}

/// Knows a log by its public key and its origin, and says what it has signed.
#[derive(Clone)]
pub struct CheckpointVerifier {
    key: StandardVerifier,
    text: String,
    origin: String,
    witnesses: Vec<WitnessVerifier>,
    least: usize,
}

impl CheckpointSigner {
    /// A new random key that signs as `name`: the origin of the log, or what its logs share.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if `name` is empty, or has spaces, control characters or a plus,
    /// [`ErrorKind::Unavailable`] if the system gives no randomness.
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

    /// The key as text, to be kept secret and [parsed](str::parse) again.
    pub fn secret_text(&self) -> &str {
        &self.text
    }

    /// What others know the key by, for the log whose origin is the key's name.
    pub fn verifier(&self) -> &CheckpointVerifier {
        &self.verifier
    }

    /// Signs the first checkpoint of a log, or the first of this key: nothing is known before.
    pub fn sign_first(&self, checkpoint: &Checkpoint) -> Result<SignedCheckpoint> {
        let mut note = SignedCheckpoint::new(checkpoint.clone(), Vec::new()).note()?;
        let unsigned = |source: NoteError| {
            Error::malformed("checkpoint", "one that can be signed").with_source(source)
        };
        note.add_sigs(&[&self.key]).map_err(unsigned)?;
        String::from_utf8_lossy(&note.to_bytes()).parse()
    }

    /// Signs a checkpoint that follows `latest`, if `proof` shows that nothing before it has changed.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the log is not what was signed before: it is smaller (field
    /// `size`), of the same size with another root (`root`), or `proof` fails (`proof`).
    /// [`ErrorKind::Invalid`] if `latest` is not of this key or not of the same origin.
    pub fn sign_next(
        &self,
        checkpoint: &Checkpoint,
        latest: &SignedCheckpoint,
        proof: &ConsistencyProof,
    ) -> Result<SignedCheckpoint> {
        let verifier = self.verifier.clone().with_origin(checkpoint.origin());
        let latest = verifier.verify(latest).map_err(|error| error.below("latest"))?;
        let denied = |field: &'static str| {
            Error::new(ErrorKind::Corrupt)
                .with_context("signing a checkpoint that denies the last one")
                .with_field(field)
        };
        let (old, new) = (latest.head(), checkpoint.head());
        if new.size < old.size {
            return Err(denied("size"));
        }
        if new.size == old.size && new.root != old.root {
            return Err(denied("root"));
        }
        proof.verify(old, new).map_err(|source| denied("proof").with_source(source))?;
        self.sign_first(checkpoint)
    }
}

impl FromStr for CheckpointSigner {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::malformed("key", "a signer key of C2SP signed-note");
        // The cause is not kept: it could hold the key.
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
    /// Shows the public key alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSigner").field("key", &self.verifier.text).finish_non_exhaustive()
    }
}

impl CheckpointVerifier {
    /// The origin that is asked for. Without this it is the key's name.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = origin.into();
        self
    }

    /// Asks for the cosignatures of at least `least` of `witnesses`. A key counts once.
    #[must_use]
    pub fn with_witnesses(
        mut self,
        witnesses: impl IntoIterator<Item = WitnessVerifier>,
        least: usize,
    ) -> Self {
        self.witnesses.clear();
        for witness in witnesses {
            if !self.witnesses.iter().any(|known| known.has_key_of(&witness)) {
                self.witnesses.push(witness);
            }
        }
        self.least = least;
        self
    }

    /// The origin that is asked for.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The checkpoint, if it is of this log, signed by this key and by enough witnesses.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] otherwise: field `signature`, `origin` or `witnesses`.
    pub fn verify(&self, signed: &SignedCheckpoint) -> Result<Checkpoint> {
        verify_note(signed, self.key.clone())?;
        let checkpoint = signed.unverified();
        if checkpoint.origin() != self.origin {
            return Err(Error::malformed("origin", "that of the log")
                .with_context("verifying a checkpoint"));
        }
        if self.cosigned_by(signed)?.len() < self.least {
            return Err(Error::malformed("witnesses", "as many as are asked for")
                .with_context("verifying a checkpoint"));
        }
        Ok(checkpoint.clone())
    }

    /// The names of the known witnesses that have cosigned.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if a cosignature of one of them is wrong.
    pub fn cosigned_by(&self, signed: &SignedCheckpoint) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for witness in &self.witnesses {
            if witness.verify(signed)?.is_some() {
                names.push(witness.name().to_owned());
            }
        }
        Ok(names)
    }
}

impl FromStr for CheckpointVerifier {
    type Err = Error;

    /// Reads a verifier key, `name+hash+base64`.
    fn from_str(text: &str) -> Result<Self> {
        let key = StandardVerifier::new(text).map_err(|source| {
            Error::malformed("key", "a verifier key of C2SP signed-note").with_source(source)
        })?;
        check_name(key.name())?;
        let origin = key.name().to_owned();
        Ok(Self { key, text: text.to_owned(), origin, witnesses: Vec::new(), least: 0 })
    }
}

impl fmt::Display for CheckpointVerifier {
    /// Writes the verifier key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CheckpointVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointVerifier")
            .field("key", &self.text)
            .field("origin", &self.origin)
            .field("witnesses", &self.witnesses)
            .field("least", &self.least)
            .finish()
    }
}

const ED25519: u8 = 1;

/// Checks the signature of `key`, which must be there.
pub(crate) fn verify_note(signed: &SignedCheckpoint, key: impl Verifier + 'static) -> Result<()> {
    let refused = |source: NoteError| {
        Error::malformed("signature", "one of the known key")
            .with_context("verifying a checkpoint")
            .with_source(source)
    };
    signed.note()?.verify(&VerifierList::new(vec![Box::new(key)])).map_err(refused)?;
    Ok(())
}

/// Checks the name of a key as C2SP signed-note has it, and that it can stand in a note.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if !signed_note::is_key_name_valid(name) || name.chars().any(char::is_control) {
        let expected = "a name without spaces, control characters and plus signs";
        return Err(Error::malformed("name", expected));
    }
    Checkpoint::new(name, TreeHead::EMPTY).map(drop).map_err(|_| {
        let limit = audit_core::limits::MAX_ID_BYTES;
        Error::invalid("name", Violation::TooLong { limit, actual: name.len() })
    })
}
