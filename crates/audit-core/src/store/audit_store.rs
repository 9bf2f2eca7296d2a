//! The trait that every store implements.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::tree::{Frontier, LogEntry, NodeHash, NodeId};
use crate::{
    AuditEvent, EntriesRequest, EventId, Head, Log, NewEvent, Receipt, Result, Scan, ScanResult,
    Sequence, TokenKeys,
};

/// A store of audit logs: appends, reads, waits, lists its logs, and returns what proofs are made
/// of.
///
/// Use [`AuditStoreExt`](crate::AuditStoreExt) for single events, pages, feeds and streams.
///
/// Every backend follows the `# Behavior` lists to the letter, and the conformance suite checks
/// them. Any method can also fail with a kind that describes the engine:
/// [`Busy`](crate::ErrorKind::Busy), [`StorageFull`](crate::ErrorKind::StorageFull),
/// [`ReadOnly`](crate::ErrorKind::ReadOnly), [`Corrupt`](crate::ErrorKind::Corrupt),
/// [`Closed`](crate::ErrorKind::Closed), [`Unavailable`](crate::ErrorKind::Unavailable).
///
/// Dropping a future is safe at any point. An append is carried through once it has been polled;
/// appending the same events again returns its outcome.
#[async_trait]
pub trait AuditStore: Debug + Send + Sync + 'static {
    /// Returns the keys that sign this store's tokens.
    ///
    /// # Behavior
    /// - MUST return the same keys from every handle of the same store. The keys MUST outlive a
    ///   restart if the events do.
    fn token_keys(&self) -> &TokenKeys;

    /// Appends a batch of events to one log.
    ///
    /// # Behavior
    /// - MUST append all the events or none.
    /// - MUST return only when they are as durable as the backend promises.
    /// - MUST begin when the future is first polled, without waiting for anything, and MUST then
    ///   carry the append through even if the future is dropped. A future that was never polled
    ///   MUST append nothing.
    /// - MUST bound the memory of appends that wait, and fail at once with
    ///   [`Overloaded`](crate::ErrorKind::Overloaded), changing nothing, beyond the bound.
    /// - MUST number them in the order given, without a gap, from the log's size on.
    /// - MUST make them visible in the order of their numbers: a reader never sees *n* before
    ///   *n* − 1.
    /// - MUST record a time that is not earlier than that of the previous event, and MUST NOT believe
    ///   a clock that is years ahead of all that it recorded; see
    ///   [`RecordedTime`](crate::backend::RecordedTime).
    /// - MUST record with each event [who submitted it](NewEvent::submitted_by), which is no part of
    ///   the content.
    /// - MUST return one receipt for each event given, in that order.
    /// - MUST return the first receipt, marked as redelivered, for an event whose id the log holds
    ///   with the same content.
    /// - MUST fail with [`Conflict`](crate::ErrorKind::Conflict), changing nothing, if the log holds an id
    ///   with other content. The same id in another log is another event.
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid), changing nothing, if an event exceeds a
    ///   [limit](crate::limits) or has a [reserved action](crate::Action::is_reserved).
    /// - MUST accept an empty batch and return no receipt.
    /// - MUST NOT require that an organization with the log's id exists.
    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>>;

    /// Returns the event `id` of `log`.
    ///
    /// # Behavior
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if the log does not hold it, whatever
    ///   another log holds.
    /// - MUST see every append that returned before the call.
    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent>;

    /// Returns the head of `log`: its size and the last time recorded.
    ///
    /// # Behavior
    /// - MUST return the [default](Head::default) for a log without events.
    /// - MUST see every append that returned before the call.
    async fn head(&self, log: Log) -> Result<Head>;

    /// Returns the logs that hold events, or held events that retention removed, in ascending
    /// order, after `after`, at most `limit`.
    ///
    /// # Behavior
    /// - MUST return each log to which an event was ever appended, once.
    /// - MUST return a shorter list than `limit` only if no more logs follow.
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid) for a limit outside 1 to
    ///   [`MAX_LOGS_PAGE`](crate::limits::MAX_LOGS_PAGE).
    /// - MUST see every append that returned before the call.
    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>>;

    /// Reads a part of one log. Every page, total and feed is made of scans.
    ///
    /// With a `bound`, the result depends on the arguments alone, whatever is appended meanwhile.
    /// Only erasure and retention change it.
    ///
    /// # Behavior
    /// - MUST read only the first `bound` events of the log or, without a bound, those that the log
    ///   holds when the scan begins; MUST return that bound.
    /// - MUST fail with [`Behind`](crate::ErrorKind::Behind) if the log is shorter than `bound`.
    /// - MUST fail with [`Gone`](crate::ErrorKind::Gone) if the sequence of `after` is less than
    ///   [`Head::pruned`].
    /// - MUST return the events that [match](crate::Filter::matches), in strict `order`, after
    ///   `after`, without the first `offset` of them, at most `limit`.
    /// - MUST stop once the events returned have about `bytes` bytes or more, as stored or as JSON,
    ///   so that the first event is returned whatever its size.
    /// - MUST return whether more events match after the last one returned.
    /// - MUST count, if asked, every matching event up to the bound, whatever `after`, `offset` and
    ///   `limit` are.
    /// - MUST return the [end](ScanResult::end) of the first `bound` events from the state of the log
    ///   from which it returns the events, as [`nodes`](Self::nodes) returns it.
    /// - MUST find the events through an index, not by reading the log.
    async fn scan(&self, scan: Scan) -> Result<ScanResult>;

    /// Waits until `log` holds an event after `sequence`, and returns the log's head.
    ///
    /// # Behavior
    /// - MUST return at once if the log holds one.
    /// - MUST otherwise return soon after such an append, by any handle or process.
    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head>;

    /// Returns the frontier of the log's [tree](crate::tree) over all its events.
    ///
    /// # Behavior
    /// - MUST cover the records appended to the log, in order, including those that retention
    ///   removed.
    /// - MUST see every append that returned before the call.
    async fn frontier(&self, log: Log) -> Result<Frontier>;

    /// Returns nodes of the log's [tree](crate::tree), from which proofs are made.
    ///
    /// # Behavior
    /// - MUST return one entry for each node asked for, in that order.
    /// - MUST return the hash of every node that is complete and
    ///   [retained](NodeId::is_retained) after [`Head::pruned`], and `None` for one that is not
    ///   complete. A node that is not retained may be `None`.
    /// - MUST take a time for each node that does not depend on the size of the log.
    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>>;

    /// Returns stored events, each with its leaf, by sequence. Used by verification: returns stored
    /// bytes and sequence numbers as they are, even if corrupt.
    ///
    /// # Behavior
    /// - MUST return the stored bytes unchanged, and MUST NOT refuse those that do not decode.
    /// - MUST return the leaf that [`nodes`](Self::nodes) returns, and MUST NOT compute it from the
    ///   record.
    /// - MUST leave out what retention removed, and MUST NOT fail because `after` is below it.
    /// - MUST return at most [`EntriesRequest::limit`] entries, and MUST stop once they have
    ///   [`EntriesRequest::bytes`] bytes, so that the first entry is returned whatever its size.
    /// - MUST return nothing only if nothing follows `after`.
    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>>;
}
