//! The prepared event: checked and encoded, before it has a sequence.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::RecordedTime;
use super::parts::{BEGIN_BYTES, Personal, Record, Writer, begin};
use super::stored::{PersonalData, SALT_BYTES, StoredEvent};
use crate::limits::MAX_EVENT_BYTES;
use crate::random::fill_random;
use crate::{Error, ErrorKind, EventId, Log, NewEvent, Result, Sequence, Timestamp, Violation};

/// An event that has been checked and encoded, but has no sequence yet.
#[derive(Clone, Debug)]
pub struct PreparedEvent {
    id: EventId,
    occurred_at: Timestamp,
    /// Whether the caller gave that time.
    has_time: bool,
    personal: PersonalData,
    /// The record without what [`begin`] adds.
    rest: Vec<u8>,
}

impl PreparedEvent {
    /// Checks and encodes `content`. It occurs now if it has no time.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if `content` exceeds a [limit](crate::limits).
    pub fn new(content: &NewEvent) -> Result<Self> {
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt)?;
        Self::with_salt(content, Writer::Caller, Timestamp::now(), salt)
    }

    /// Does the same at the time `now`, with this salt of random bytes that no other event has.
    pub(super) fn with_salt(
        content: &NewEvent,
        writer: Writer,
        now: Timestamp,
        salt: [u8; SALT_BYTES],
    ) -> Result<Self> {
        content.validate()?;
        let (id, has_time) = (content.id, content.occurred_at.is_some());
        let occurred_at = content.occurred_at.unwrap_or(now);
        let personal = PersonalData { salt, bytes: encode(&Personal::of(content))? };
        let digest = URL_SAFE_NO_PAD.encode(personal.digest());
        let rest = encode(&Record::of(content, writer, occurred_at, digest))?;
        let prepared = Self { id, occurred_at, has_time, personal, rest };
        if prepared.size() > MAX_EVENT_BYTES {
            let violation = Violation::TooLong { limit: MAX_EVENT_BYTES, actual: prepared.size() };
            return Err(Error::invalid("", violation));
        }
        Ok(prepared)
    }

    /// Returns the event's id.
    pub fn id(&self) -> EventId {
        self.id
    }

    /// Returns when the event occurs: at the time that the caller gave, else when it was prepared.
    pub fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// Returns whether `later` is a second delivery of this event.
    pub(super) fn is_repeated_by(&self, later: &NewEvent) -> Result<bool> {
        let first = self.clone().into_stored(Log::Platform, Sequence::ZERO, self.occurred_at);
        Ok(first.decode()?.has_content(later))
    }

    /// Returns whether this is a second delivery of an event that is stored, which is decoded only if its
    /// bytes are not those of this one. Compares the record alone of an event whose personal data is erased.
    pub(super) fn is_delivery_of(&self, stored: &StoredEvent) -> Result<bool> {
        if self.is_stored_as(stored) {
            return Ok(true);
        }
        let first = stored.decode()?;
        let again = self.clone().into_stored(first.log, first.sequence, first.recorded_at);
        if !first.erased {
            let mut content = again.decode()?.into_content();
            content.occurred_at = content.occurred_at.filter(|_| self.has_time);
            return Ok(first.has_content(&content));
        }
        let mut again = StoredEvent { personal: None, ..again }.decode()?;
        again.clock_reading = first.clock_reading;
        again.submitted_by.clone_from(&first.submitted_by);
        if !self.has_time {
            again.occurred_at = first.occurred_at;
        }
        Ok(again == first)
    }

    /// Returns whether both parts have these bytes, but for what [`begin`] adds and for the digest, which
    /// depends on the salt.
    fn is_stored_as(&self, stored: &StoredEvent) -> bool {
        let is_same = |part: &PersonalData| part.bytes == self.personal.bytes;
        let (own, first) = (without_digest(self.rest()), without_digest(&stored.record));
        stored.personal.as_ref().is_some_and(is_same) && !own.is_empty() && first.ends_with(own)
    }

    /// Returns the most bytes that the event takes as stored, at most [`MAX_EVENT_BYTES`].
    pub fn size(&self) -> usize {
        BEGIN_BYTES + self.rest.len() + self.personal.bytes.len()
    }

    /// Returns the stored form of the event with this sequence of `log`. Encodes only the sequence
    /// and the time, so that it can be called under a lock.
    pub fn into_stored(
        self,
        log: Log,
        sequence: Sequence,
        time: impl Into<RecordedTime>,
    ) -> StoredEvent {
        let record = [begin(log, sequence, time.into()).as_bytes(), self.rest()].concat();
        StoredEvent { record, personal: Some(self.personal) }
    }

    /// Returns the bytes that follow what [`begin`] returns, whose comma replaces the first brace.
    fn rest(&self) -> &[u8] {
        self.rest.strip_prefix(b"{").unwrap_or(&self.rest)
    }
}

/// Returns a record without the digest of the personal data, with which it ends.
fn without_digest(record: &[u8]) -> &[u8] {
    const DIGEST_BYTES: usize = 43;
    let end = record.len().saturating_sub(DIGEST_BYTES + br#""}"#.len());
    &record[..end]
}

/// The bytes that most parts of an event fit in, so that their buffer does not grow.
const USUAL_BYTES: usize = 512;

fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut bytes, value).map_err(|source| {
        Error::new(ErrorKind::Invalid).with_context("writing an event").with_source(source)
    })?;
    Ok(bytes)
}
