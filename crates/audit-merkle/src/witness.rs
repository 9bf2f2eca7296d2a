//! Witnesses: third parties that cosign checkpoints. C2SP tlog-cosignature and tlog-witness.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use audit_core::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::note::{check_name, verify_note};
use crate::{ConsistencyProof, SignedCheckpoint};

/// A third party that cosigns checkpoints, and never two that contradict each other.
///
/// With enough witnesses a log cannot show different trees to different readers.
#[async_trait]
pub trait Witness: fmt::Debug + Send + Sync + 'static {
    /// Requests a cosignature.
    ///
    /// # Behavior
    /// - MUST send `request` as C2SP tlog-witness specifies, or act as a witness itself.
    /// - MUST return the signature lines of the response, for
    ///   [`SignedCheckpoint::add_signatures`].
    /// - MUST fail with [`Conflict`](audit_core::ErrorKind::Conflict) if the witness has cosigned
    ///   another size than the request starts from.
    async fn cosign(&self, request: &WitnessRequest) -> Result<String>;
}

/// A request to a witness: the body of `add-checkpoint`, as [text](ToString::to_string).
#[derive(Clone, Debug, PartialEq)]
pub struct WitnessRequest {
    /// The proof from the size that the witness has cosigned last.
    pub proof: ConsistencyProof,
    /// The checkpoint to cosign.
    pub checkpoint: SignedCheckpoint,
}

impl fmt::Display for WitnessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.proof.from())?;
        self.proof.path().iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// The cosignature of a witness: it had seen the checkpoint, and no larger one, at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cosignature {
    /// Seconds since 1970 by the witness's clock.
    pub time: u64,
}

/// Verifies the cosignatures of a witness: Ed25519, `cosignature/v1`.
///
/// Cosignatures of another type, such as ML-DSA-44, count as lines of unknown keys.
#[derive(Clone, Debug)]
pub struct WitnessVerifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// The type byte of a key for `cosignature/v1`.
const COSIGNATURE_V1: u8 = 4;

impl WitnessVerifier {
    /// Returns the name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the cosignature of this witness, if the checkpoint has one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if it has one that is wrong.
    pub fn verify(&self, signed: &SignedCheckpoint) -> Result<Option<Cosignature>> {
        let Some(bytes) = signed.signature(&self.name, self.id) else { return Ok(None) };
        verify_note(signed, self.clone())?;
        Ok(parse(bytes).map(|(time, _)| Cosignature { time }))
    }

    /// Returns whether both have the same key. A cosignature does not cover the name, so a key with
    /// two names is one witness.
    pub(crate) fn has_key_of(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// Splits a cosignature into the time and the Ed25519 signature.
fn parse(bytes: &[u8]) -> Option<(u64, Signature)> {
    let (time, signature) = bytes.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    let signature = Signature::from_bytes(signature.try_into().ok()?);
    (time <= u64::MAX >> 1).then_some((time, signature))
}

impl signed_note::Verifier for WitnessVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = parse(signature) else { return false };
        let message = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        self.key.verify_strict(&message, &signature).is_ok()
    }
}

impl FromStr for WitnessVerifier {
    type Err = Error;

    /// Parses a verifier key, `name+hash+base64`, of type `0x04`.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (name, rest) = text.split_once('+')?;
            let (id, public) = rest.split_once('+')?;
            let public = STANDARD.decode(public).ok()?;
            let computed = signed_note::key_id(name, &public);
            let (&COSIGNATURE_V1, key) = public.split_first()? else { return None };
            let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
            (id == format!("{computed:08x}")).then(|| Self {
                name: name.to_owned(),
                id: computed,
                key,
            })
        };
        let verifier = parse()
            .ok_or_else(|| Error::malformed("key", "a verifier key of C2SP tlog-cosignature"))?;
        check_name(&verifier.name)?;
        Ok(verifier)
    }
}
