//! Witnesses: others who have seen a checkpoint. C2SP tlog-cosignature and tlog-witness.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use audit_core::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::{ConsistencyProof, SignedCheckpoint, key};

/// Somebody else who cosigns checkpoints, and no two that deny each other.
///
/// With enough witnesses a log cannot show one tree to some and another to others.
#[async_trait]
pub trait Witness: fmt::Debug + Send + Sync + 'static {
    /// Asks for a cosignature.
    ///
    /// # Behavior
    /// - MUST send `request` as C2SP tlog-witness has it, or do what a witness does.
    /// - MUST return the signature lines that came back, for
    ///   [`SignedCheckpoint::add_signatures`].
    /// - MUST return [`ErrorKind::Conflict`](audit_core::ErrorKind::Conflict) if the witness has
    ///   cosigned another size than the request says.
    async fn cosign(&self, request: &WitnessRequest) -> Result<String>;
}

/// What a witness is asked: the body of `add-checkpoint`, as [text](ToString::to_string).
#[derive(Clone, Debug, PartialEq)]
pub struct WitnessRequest {
    /// From the size that the witness has cosigned last.
    pub proof: ConsistencyProof,
    /// What to cosign.
    pub checkpoint: SignedCheckpoint,
}

impl fmt::Display for WitnessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.proof.from())?;
        self.proof.path().iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// That a witness had seen a checkpoint, and none larger, at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// When, in seconds since 1970, by the witness's own clock.
    pub time: u64,
}

/// Knows a witness by its public key: Ed25519, `cosignature/v1`.
///
/// Cosignatures of another kind, such as ML-DSA-44, are lines of unknown keys.
#[derive(Clone, Debug)]
pub struct WitnessVerifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// The type byte of a key for `cosignature/v1`.
const COSIGNATURE_V1: u8 = 4;

impl WitnessVerifier {
    /// The name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cosignature of this witness, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if there is one, and it is wrong.
    pub fn verify(&self, signed: &SignedCheckpoint) -> Result<Option<Cosignature>> {
        let Some(bytes) = signed.signature(&self.name, self.id) else { return Ok(None) };
        key::verify_note(signed, self.clone())?;
        Ok(parse(bytes).map(|(time, _)| Cosignature { time }))
    }

    /// Whether it is the key of `other`. The name is not part of what is cosigned, so that a key
    /// with two names is one witness.
    pub(crate) fn has_key_of(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// A signature in its two parts, the time and the signature of Ed25519.
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

    /// Reads a verifier key, `name+hash+base64`, of the type `0x04`.
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
        key::check_name(&verifier.name)?;
        Ok(verifier)
    }
}
