//! The trait of stores into whose tables callers stage events.

use async_trait::async_trait;

use crate::{AuditContext, AuditStore, EventId, Log, Result, Timestamp};

/// A store that takes in what callers have [staged](crate::Staged) in their own transactions. For
/// operators: staging itself needs no store, only a connection to its database.
///
/// The store takes staged events into their log by itself: in the background, before each append to the
/// log, and before each read of it. What cannot be taken in is *refused*: kept aside with the reason,
/// counted, and recorded by an event with the action
/// [`log.staged_refused`](crate::Action::LOG_STAGED_REFUSED).
///
/// # Behavior
/// - MUST record a staged event if and only if its transaction committed, once, even if the process is
///   killed meanwhile.
/// - MUST NOT make a transaction that stages wait for one that appends, longer than its database does.
/// - MUST have taken in every event whose transaction had committed before an append to its log or a read
///   of it began, when that returns.
/// - MUST number the events of one transaction in their order.
/// - MUST take in one staged again with the same content as a redelivery.
/// - MUST refuse a row that an append would refuse: one that is no event, exceeds a limit, has a reserved
///   action, or has an id that the log holds with other content. MUST take in the others of its transaction, and those
///   of other logs.
/// - MUST keep a refused event until it is dropped or staged again.
#[async_trait]
pub trait StagingStore: AuditStore {
    /// Takes in all events, of every log, whose transactions had committed when it was called.
    async fn take_in(&self) -> Result<()>;

    /// Returns how many events wait to be taken in, and how many were refused.
    async fn staged_counts(&self) -> Result<StagedCounts>;

    /// Returns the refused events after the number `after`, at most `limit`, the oldest first.
    ///
    /// # Behavior
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid) for a limit outside 1 to
    ///   [`MAX_REFUSED_PAGE`](crate::limits::MAX_REFUSED_PAGE).
    async fn refused(&self, after: u64, limit: usize) -> Result<Vec<RefusedEvent>>;

    /// Stages a refused event again, as it is, after the last staged one.
    ///
    /// # Behavior
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if no refused event has this number.
    async fn restage(&self, number: u64) -> Result<()>;

    /// Deletes a refused event, and records who did so by an event of its log with the action
    /// [`log.refused_dropped`](crate::Action::LOG_REFUSED_DROPPED).
    ///
    /// # Behavior
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if no refused event has this number.
    /// - MUST do both or neither.
    async fn drop_refused(&self, number: u64, by: AuditContext) -> Result<()>;
}

/// The numbers of staged and of refused events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StagedCounts {
    /// Events that wait to be taken in.
    pub waiting: u64,
    /// Events that were refused and set aside.
    pub refused: u64,
}

impl StagedCounts {
    /// Returns these numbers.
    pub fn new(waiting: u64, refused: u64) -> Self {
        Self { waiting, refused }
    }
}

/// A staged event that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedEvent {
    /// Its number among the refused events.
    pub number: u64,
    /// Its log; `None` if the row names none. The platform's log then records the refusal.
    pub log: Option<Log>,
    /// Its id; `None` if the row has none.
    pub id: Option<EventId>,
    /// Its body, as it was staged.
    pub body: Vec<u8>,
    /// Why it was refused: the field and the fault.
    pub reason: String,
    /// When it was refused.
    pub refused_at: Timestamp,
}

impl RefusedEvent {
    /// Returns the event with this number and body. Used by stores.
    pub fn new(number: u64, body: Vec<u8>, reason: String, refused_at: Timestamp) -> Self {
        Self { number, log: None, id: None, body, reason, refused_at }
    }

    /// Sets the log.
    #[must_use]
    pub fn log(mut self, log: Option<Log>) -> Self {
        self.log = log;
        self
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: Option<EventId>) -> Self {
        self.id = id;
        self
    }
}
