//! The request for stored events, as verification reads them.

use crate::Sequence;

/// Which stored events [`AuditStore::entries`](crate::AuditStore::entries) returns.
///
/// ```
/// use audit_core::EntriesRequest;
///
/// let request = EntriesRequest::default().limit(100);
/// assert_eq!((request.after.get(), request.limit), (0, 100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntriesRequest {
    /// Return the events after this number. Zero, the default, starts at the first event.
    pub after: Sequence,
    /// Highest number of events to return. The default is [`EntriesRequest::DEFAULT_LIMIT`].
    pub limit: usize,
    /// Stop once the events returned have this many bytes as stored. Not bounded by default.
    pub bytes: usize,
}

impl EntriesRequest {
    /// The number of events returned unless [`EntriesRequest::limit`] is called.
    pub const DEFAULT_LIMIT: usize = 1_000;

    /// Returns the events after `sequence`.
    #[must_use]
    pub fn after(mut self, sequence: Sequence) -> Self {
        self.after = sequence;
        self
    }

    /// Sets the highest number of events to return.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the number of bytes, as stored, after which to stop.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }
}

impl Default for EntriesRequest {
    fn default() -> Self {
        Self { after: Sequence::ZERO, limit: Self::DEFAULT_LIMIT, bytes: usize::MAX }
    }
}
