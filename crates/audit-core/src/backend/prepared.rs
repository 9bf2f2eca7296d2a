//! The prepared event: checked and encoded, before it has a sequence.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::RecordedTime;
use super::parts::{BEGIN_BYTES, Personal, Record, Writer, begin};
use super::stored::{PersonalData, SALT_BYTES, StoredEvent};
use crate::limits::MAX_EVENT_BYTES;
use crate::random::fill_random;
use crate::{Error, ErrorKind, Log, NewEvent, Result, Sequence, Timestamp, Violation};

/// An event that has been checked and encoded, but has no sequence yet.
#[derive(Clone, Debug)]
pub struct PreparedEvent {
    content: NewEvent,
    occurred_at: Timestamp,
    personal: PersonalData,
    /// The record without what [`begin`] adds.
    rest: Vec<u8>,
}

impl PreparedEvent {
    /// Checks and encodes `content`. It occurs now if it has no time.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if `content` exceeds a [limit](crate::limits).
    pub fn new(content: NewEvent) -> Result<Self> {
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt)?;
        Self::with_salt(content, Writer::Caller, Timestamp::now(), salt)
    }

    /// Does the same at the time `now`, with this salt of random bytes that no other event has.
    pub(super) fn with_salt(
        content: NewEvent,
        writer: Writer,
        now: Timestamp,
        salt: [u8; SALT_BYTES],
    ) -> Result<Self> {
        content.validate()?;
        let occurred_at = content.occurred_at.unwrap_or(now);
        let personal = PersonalData { salt, bytes: encode(&Personal::of(&content))? };
        let digest = URL_SAFE_NO_PAD.encode(personal.digest());
        let rest = encode(&Record::of(&content, writer, occurred_at, digest))?;
        let prepared = Self { content, occurred_at, personal, rest };
        if prepared.size() > MAX_EVENT_BYTES {
            let violation = Violation::TooLong { limit: MAX_EVENT_BYTES, actual: prepared.size() };
            return Err(Error::invalid("", violation));
        }
        Ok(prepared)
    }

    /// Returns the content that the caller gave.
    pub fn content(&self) -> &NewEvent {
        &self.content
    }

    /// Returns the content that the caller gave.
    pub(super) fn into_content(self) -> NewEvent {
        self.content
    }

    /// Returns when the event occurs: at the time that the caller gave, else when it was prepared.
    pub fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// Returns whether `later` is a second delivery of this event.
    pub(super) fn is_repeated_by(&self, later: &NewEvent) -> bool {
        later.occurred_at.is_none_or(|time| self.occurred_at == time)
            && self.content.is_same_but_for_time(later)
    }

    /// Returns whether this is a second delivery of `earlier`, which occurred then.
    pub(super) fn repeats(&self, earlier: &NewEvent, occurred_at: Timestamp) -> bool {
        self.content.occurred_at.is_none_or(|time| occurred_at == time)
            && earlier.is_same_but_for_time(&self.content)
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
        self.split(log, sequence, time.into()).0
    }

    /// Does the same, and returns the content that the caller gave, too.
    pub(super) fn split(
        self,
        log: Log,
        sequence: Sequence,
        time: RecordedTime,
    ) -> (StoredEvent, NewEvent) {
        // The comma replaces the first brace of the rest.
        let rest = self.rest.strip_prefix(b"{").unwrap_or(&self.rest);
        let record = [begin(log, sequence, time).as_bytes(), rest].concat();
        (StoredEvent { record, personal: Some(self.personal) }, self.content)
    }
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
