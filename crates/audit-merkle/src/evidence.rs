//! Evidence: an event and its proof in one text, verified offline. C2SP tlog-proof.

use std::fmt;
use std::str::FromStr;

use audit_core::limits::MAX_EVENT_BYTES;
use audit_core::{
    AuditEvent, Error, Result, Sequence, Violation,
    backend::{PersonalData, StoredEvent},
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::CHECKPOINT_BYTES;
use crate::proof::INCLUSION_HASHES;
use crate::{CheckpointVerifier, InclusionProof, LeafHash, NodeHash, SignedCheckpoint, TreeHead};

/// An event, its sequence number in a log, its proof of inclusion, and a signed checkpoint of the log.
///
/// The text is a C2SP tlog-proof, by convention in a file that ends in `.tlog-proof`:
///
/// ```text
/// c2sp.org/tlog-proof@v1
/// extra YXVkaXQvZXZlbnRAdjEKcmVjb3JkIDU…
/// index 73893
/// gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
///
/// audit.example.com/7eb6c145-b6d2-4d67-8e20-6f87ca942b7f
/// 109482
/// sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
///
/// — audit.example.com/7eb6c145-b6d2-4d67-8e20-6f87ca942b7f hI2DJw…
/// ```
///
/// The index is the event's sequence less one. The extra data is the event: the line
/// `audit/event@v1`, then `record`, a space and its length in bytes, and on the next line the
/// record; with personal data then `personal`, its salt in base64 and its length, and on the next
/// line its content. The format does not authenticate the extra data. Here the proof does: the leaf
/// is the hash of the record, and the record has the digest of the personal data.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    event: StoredEvent,
    sequence: Sequence,
    path: Vec<NodeHash>,
    checkpoint: SignedCheckpoint,
}

/// An event that an [`Evidence`] proves. [`Display`](fmt::Display) prints in words the facts that
/// are proved and those that are not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedEvent {
    /// The origin of the log, as its owner signs it.
    pub origin: String,
    /// The head of the tree that holds the event.
    pub head: TreeHead,
    /// The event. Its [`log`](AuditEvent::log) comes from the record; the reader must know whether
    /// `origin` names that log.
    pub event: AuditEvent,
    /// Whether the personal data is proved.
    pub personal: PersonalProof,
    /// The names of the known witnesses that have cosigned the tree.
    pub witnesses: Vec<String>,
}

/// The state of the personal data of an event: names, addresses, texts, values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonalProof {
    /// It is present and unchanged since the append.
    Intact,
    /// It is missing: erased, or left out. The record does not show which.
    Absent,
}

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";
const EVENT_LINE: &str = "audit/event@v1\n";
/// The highest number of bytes of a text: the event in base64, the path, the checkpoint.
const EVIDENCE_BYTES: usize = 2 * MAX_EVENT_BYTES + CHECKPOINT_BYTES;

impl Evidence {
    /// Creates the evidence of `event`, unverified: see [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if the proof has another size than
    /// the checkpoint, or sequence number zero.
    pub fn new(
        event: StoredEvent,
        proof: &InclusionProof,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self> {
        if proof.size() != checkpoint.unverified().size() {
            return Err(Error::malformed("proof", "a proof for the size of the checkpoint"));
        }
        let sequence = proof.sequence();
        if sequence == Sequence::ZERO {
            return Err(Error::invalid(
                "sequence",
                Violation::OutOfRange { min: 1, max: i64::MAX },
            ));
        }
        Ok(Self { event, sequence, path: proof.path().to_vec(), checkpoint })
    }

    /// Removes the personal data. The record stays proved.
    #[must_use]
    pub fn without_personal(mut self) -> Self {
        self.event.personal = None;
        self
    }

    /// Returns the event without verifying it.
    pub fn unverified(&self) -> &StoredEvent {
        &self.event
    }

    /// Returns the signed checkpoint.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Returns the proof of inclusion, for the size of the checkpoint.
    pub fn proof(&self) -> InclusionProof {
        let size = self.checkpoint.unverified().size();
        InclusionProof::new(self.sequence, size, self.path.clone())
    }

    /// Verifies the signature, the proof and the event with the key of the log, offline.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) with the field that is wrong:
    /// `checkpoint.…`, `proof.…`, `sequence`, or `personal`.
    /// [`ErrorKind::Corrupt`](audit_core::ErrorKind::Corrupt) if the record is proved and this
    /// version cannot decode it.
    pub fn verify(&self, verifier: &CheckpointVerifier) -> Result<VerifiedEvent> {
        let checkpoint =
            verifier.verify(&self.checkpoint).map_err(|error| error.below("checkpoint"))?;
        let leaf = LeafHash::of(&self.event.record);
        self.proof().verify(leaf, checkpoint.head()).map_err(|error| error.below("proof"))?;
        let personal = match self.event.personal_is_intact()? {
            Some(true) => PersonalProof::Intact,
            Some(false) => {
                return Err(Error::malformed("personal", "the personal data of this record")
                    .with_context("verifying evidence"));
            }
            None => PersonalProof::Absent,
        };
        let event = self.event.decode()?;
        if event.sequence != self.sequence {
            return Err(Error::malformed("sequence", "the sequence number that the record has")
                .with_context("verifying evidence"));
        }
        let witnesses = verifier.cosigned_by(&self.checkpoint)?;
        let origin = checkpoint.origin().to_owned();
        Ok(VerifiedEvent { origin, head: *checkpoint.head(), event, personal, witnesses })
    }
}

impl fmt::Display for VerifiedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AuditEvent { id, sequence, log, .. } = &self.event;
        let TreeHead { size, root } = &self.head;
        writeln!(
            f,
            "The owner of the log {} has signed that its first {size} events have the root {root}. \
             Event {sequence} of them is this record: event {id} of log {log}.",
            self.origin
        )?;
        f.write_str(match self.personal {
            PersonalProof::Intact => "Its personal data is unchanged since it was recorded.",
            PersonalProof::Absent => {
                "Its personal data is missing: it was erased, or left out. Which of the two is not proved."
            }
        })?;
        if self.witnesses.is_empty() {
            f.write_str("\nNot proved: that others were shown the same log.")?;
        } else {
            write!(f, "\nThe same tree was cosigned by {}.", self.witnesses.join(", "))?;
        }
        f.write_str(
            "\nNot proved: that the content of the event is true, and when it was recorded.",
        )
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra = STANDARD.encode(encode(&self.event));
        let index = self.sequence.get().saturating_sub(1);
        write!(f, "{FIRST_LINE}extra {extra}\nindex {index}\n")?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Evidence {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() > EVIDENCE_BYTES {
            let violation = Violation::TooLong { limit: EVIDENCE_BYTES, actual: text.len() };
            return Err(Error::invalid("", violation));
        }
        let malformed = || Error::malformed("", "a proof of C2SP tlog-proof");
        let (proof, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = proof.strip_prefix(FIRST_LINE).ok_or_else(malformed)?.split('\n');
        let mut line = |label| lines.next().and_then(|line: &str| line.strip_prefix(label));
        // A proof without extra data is valid, and lacks the event.
        let missing = || Error::invalid("extra", Violation::Missing);
        let extra = line("extra ").ok_or_else(missing)?;
        let index = line("index ").ok_or_else(malformed)?;
        let index: u64 = index
            .parse()
            .ok()
            .filter(|number: &u64| number.to_string() == index)
            .ok_or_else(|| Error::malformed("index", "a decimal without leading zeroes"))?;
        let sequence = Sequence::new(index.saturating_add(1))?;
        let path: Vec<NodeHash> = lines
            .take(INCLUSION_HASHES + 1)
            .map(str::parse)
            .collect::<Result<_>>()
            .map_err(|error| error.below("path"))?;
        if path.len() > INCLUSION_HASHES {
            let (limit, actual) = (INCLUSION_HASHES, path.len());
            return Err(Error::invalid("path", Violation::TooMany { limit, actual }));
        }
        let event = STANDARD
            .decode(extra)
            .ok()
            .and_then(|bytes| decode(&bytes))
            .ok_or_else(|| Error::malformed("extra", "base64 of an event"))?;
        let checkpoint: SignedCheckpoint = checkpoint.parse()?;
        let size: Sequence = checkpoint.unverified().size();
        Self::new(event, &InclusionProof::new(sequence, size, path), checkpoint)
    }
}

/// Encodes an event as the extra data.
fn encode(event: &StoredEvent) -> Vec<u8> {
    let record = &event.record;
    let mut bytes = format!("{EVENT_LINE}record {}\n", record.len()).into_bytes();
    bytes.extend(record);
    bytes.push(b'\n');
    if let Some(PersonalData { salt, bytes: content, .. }) = &event.personal {
        let salt = STANDARD.encode(salt);
        bytes.extend(format!("personal {salt} {}\n", content.len()).into_bytes());
        bytes.extend(content);
        bytes.push(b'\n');
    }
    bytes
}

/// Decodes the extra data, if [`encode`] returns the same bytes.
fn decode(bytes: &[u8]) -> Option<StoredEvent> {
    let rest = bytes.strip_prefix(EVENT_LINE.as_bytes())?;
    let (label, rest) = split_line(rest)?;
    let (record, rest) = split_content(rest, label.strip_prefix("record ")?)?;
    let mut event = StoredEvent::new(record.to_vec(), None);
    if !rest.is_empty() {
        let (label, rest) = split_line(rest)?;
        let (salt, length) = label.strip_prefix("personal ")?.split_once(' ')?;
        let (content, []) = split_content(rest, length)? else { return None };
        let salt = STANDARD.decode(salt).ok()?.try_into().ok()?;
        event.personal = Some(PersonalData::new(salt, content.to_vec()));
    }
    // One event has one text: a length with a leading zero, for example, is refused.
    (encode(&event) == bytes).then_some(event)
}

fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

fn split_content<'a>(bytes: &'a [u8], length: &str) -> Option<(&'a [u8], &'a [u8])> {
    let (content, rest) = bytes.split_at_checked(length.parse().ok()?)?;
    Some((content, rest.strip_prefix(b"\n")?))
}
