//! The signed note of C2SP, the format of checkpoints and cosignatures.

use audit_core::{Error, Result, Violation};
use signed_note::{NoteError, Verifier, VerifierList};

use crate::{Checkpoint, SignedCheckpoint, TreeHead};

/// Verifies the signature of `key`, which must be present.
pub(crate) fn verify_note(signed: &SignedCheckpoint, key: impl Verifier + 'static) -> Result<()> {
    let refused = |source: NoteError| {
        Error::malformed("signature", "a signature of the expected key")
            .with_context("verifying a checkpoint")
            .with_source(source)
    };
    signed.note()?.verify(&VerifierList::new(vec![Box::new(key)])).map_err(refused)?;
    Ok(())
}

/// Checks that a note can have `name` as the name of a key.
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
