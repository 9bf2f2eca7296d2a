//! The checkpoint: the size and the root of a log, to be signed. C2SP tlog-checkpoint.

use std::fmt;
use std::str::FromStr;

use audit_core::limits::MAX_ID_BYTES;
use audit_core::{Error, Result, Violation};
use signed_note::{Note, Signature};

use crate::{RootHash, TreeHead};
use audit_core::Sequence;

/// The state of a log: its origin, its number of events, and its root.
///
/// ```text
/// audit.example.com/7eb6c145-b6d2-4d67-8e20-6f87ca942b7f
/// 20852163
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
/// ```
///
/// The origin is the permanent name of the log. No two logs may share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: TreeHead,
    /// Extension lines, which the format allows and this crate does not write, each with its end.
    extension: String,
}

/// A checkpoint with the signatures of the log's owner and of witnesses. C2SP signed-note.
///
/// Parsing does not verify it: [`CheckpointVerifier::verify`](crate::CheckpointVerifier::verify)
/// returns the checkpoint. Signature lines of unknown keys are kept, so it prints as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<Signature>,
}

/// The highest number of bytes of a signed checkpoint.
pub(crate) const CHECKPOINT_BYTES: usize = 1_000_000;
/// The highest number of signatures of a checkpoint.
const SIGNATURES: usize = 100;

impl Checkpoint {
    /// Creates the checkpoint of the log with this origin.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if `origin` is empty, longer than
    /// [`MAX_ID_BYTES`], or has control characters.
    pub fn new(origin: impl Into<String>, head: TreeHead) -> Result<Self> {
        let origin = origin.into();
        if origin.is_empty() {
            return Err(Error::invalid("origin", Violation::Empty));
        }
        if origin.len() > MAX_ID_BYTES {
            let violation = Violation::TooLong { limit: MAX_ID_BYTES, actual: origin.len() };
            return Err(Error::invalid("origin", violation));
        }
        if origin.chars().any(char::is_control) {
            return Err(Error::malformed("origin", "a text without control characters"));
        }
        Ok(Self { origin, head, extension: String::new() })
    }

    /// Returns the origin: the name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the size and the root.
    pub fn head(&self) -> &TreeHead {
        &self.head
    }

    /// Returns the number of events.
    pub fn size(&self) -> Sequence {
        self.head.size
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, head: TreeHead { size, root }, extension } = self;
        write!(f, "{origin}\n{size}\n{root}\n{extension}")
    }
}

impl FromStr for Checkpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::malformed("checkpoint", "a checkpoint of C2SP tlog-checkpoint");
        if text.len() > CHECKPOINT_BYTES {
            return Err(malformed()); // the parser reads no further
        }
        let parsed =
            tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).map_err(|_| malformed())?;
        let size = Sequence::new(parsed.size())?;
        let head = TreeHead { size, root: RootHash::from_bytes(parsed.hash().0) };
        let extension = parsed.extension().to_owned();
        Ok(Self { extension, ..Self::new(parsed.origin(), head)? })
    }
}

impl SignedCheckpoint {
    pub(crate) fn new(checkpoint: Checkpoint, signatures: Vec<Signature>) -> Self {
        Self { checkpoint, signatures }
    }

    /// Returns the checkpoint without verifying it, to find the key to verify it with.
    pub fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Appends signature lines, such as a [`Witness`](crate::Witness) returns. Skips a line that the
    /// checkpoint has already.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if a line is not a signature line, or
    /// if there are more than 100 in all. Nothing is appended then.
    pub fn add_signatures(&mut self, lines: &str) -> Result<()> {
        let mut signatures = self.signatures.clone();
        for line in lines.lines() {
            let signature = Signature::from_bytes(line.as_bytes()).map_err(|source| {
                Error::malformed("signatures", "signature lines of C2SP signed-note")
                    .with_source(source)
            })?;
            if !signatures.contains(&signature) {
                signatures.push(signature);
            }
        }
        if signatures.len() > SIGNATURES {
            let violation = Violation::TooMany { limit: SIGNATURES, actual: signatures.len() };
            return Err(Error::invalid("signatures", violation));
        }
        // Parsed again, so that a checkpoint that prints can be parsed.
        *self = Self::new(self.checkpoint.clone(), signatures).to_string().parse()?;
        Ok(())
    }

    /// Returns the first signature by the key with this name and id.
    pub(crate) fn signature(&self, name: &str, id: u32) -> Option<&[u8]> {
        let mut signatures = self.signatures.iter();
        signatures.find(|s| (s.name(), s.id()) == (name, id)).map(Signature::signature)
    }

    /// Converts to the type of `signed_note`.
    pub(crate) fn note(&self) -> Result<Note> {
        Note::new(self.checkpoint.to_string().as_bytes(), &self.signatures).map_err(malformed_note)
    }
}

fn malformed_note(source: signed_note::NoteError) -> Error {
    Error::malformed("checkpoint", "a note of C2SP signed-note").with_source(source)
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.checkpoint)?;
        let mut lines = self.signatures.iter().map(Signature::to_bytes);
        lines.try_for_each(|line| f.write_str(&String::from_utf8_lossy(&line)))
    }
}

impl FromStr for SignedCheckpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let note = Note::from_bytes(text.as_bytes()).map_err(malformed_note)?;
        let checkpoint = String::from_utf8_lossy(note.text()).parse()?;
        // `signed_note` parses the signatures and does not return them.
        let mut signed = Self::new(checkpoint, Vec::new());
        let lines = text.rsplit_once("\n\n").map_or("", |(_, lines)| lines);
        for line in lines.lines() {
            let signature = Signature::from_bytes(line.as_bytes()).map_err(malformed_note)?;
            signed.signatures.push(signature);
        }
        Ok(signed)
    }
}
