//! The public key of a log's owner, which verifies checkpoints.

use std::fmt;
use std::str::FromStr;

use audit_core::{Error, Result};
use signed_note::{StandardVerifier, Verifier as _};

use crate::note::{check_name, verify_note};
use crate::{Checkpoint, SignedCheckpoint, WitnessVerifier};

/// Verifies the checkpoints of a log: by the public key of its owner, its origin, and the witnesses
/// that must have cosigned.
#[derive(Clone)]
pub struct CheckpointVerifier {
    key: StandardVerifier,
    text: String,
    origin: String,
    witnesses: Vec<WitnessVerifier>,
    least: usize,
}

impl CheckpointVerifier {
    /// Sets the origin that a checkpoint must have. By default it is the name of the key.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = origin.into();
        self
    }

    /// Requires the cosignatures of at least `least` of `witnesses`. A key counts once.
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

    /// Returns the origin that a checkpoint must have.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the checkpoint if it is of this log, and signed by this key and by enough witnesses.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) otherwise: field `signature`, `origin` or `witnesses`.
    pub fn verify(&self, signed: &SignedCheckpoint) -> Result<Checkpoint> {
        verify_note(signed, self.key.clone())?;
        let checkpoint = signed.unverified();
        if checkpoint.origin() != self.origin {
            return Err(Error::malformed("origin", "the origin of the log")
                .with_context("verifying a checkpoint"));
        }
        if self.cosigned_by(signed)?.len() < self.least {
            return Err(Error::malformed("witnesses", "at least the required number")
                .with_context("verifying a checkpoint"));
        }
        Ok(checkpoint.clone())
    }

    /// Returns the names of the known witnesses that have cosigned.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if a cosignature of one of them is wrong.
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

    /// Parses a verifier key, `name+hash+base64`.
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
