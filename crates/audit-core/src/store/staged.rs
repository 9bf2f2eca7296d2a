//! Events to record in a transaction of the caller's own, through any driver.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::backend::{Batch, StagedBody};
use crate::{EventId, Log, NewEvent, Result, Timestamp};

/// Events that are checked and encoded, for a caller that stages them: it inserts them, in its own
/// transaction and with its own driver, into a table of the store. When that transaction commits they
/// are recorded; when it does not, they never were. The store takes them into their log a moment later,
/// and before the next read of that log or append to it, and gives them their sequence then.
///
/// Each store's crate has the statement, as `STAGE`, and says how its values are bound.
///
/// ```
/// use audit_core::{Actor, Log, NewEvent, Staged};
///
/// let paid = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9");
/// let staged = Staged::new(Log::Platform, vec![paid])?;
/// for (id, body) in staged.rows() {
///     // connection.execute(audit_sqlite::STAGE, (staged.log().as_bytes(), id.as_bytes(), body))?;
/// #   assert!(body.contains(&id.to_string()));
/// }
/// # Ok::<(), audit_core::Error>(())
/// ```
///
/// An event without a time occurs when it is staged. An event that is staged twice is recorded once. What
/// an append would refuse but cannot be seen here, namely other content under an id that the log holds,
/// is refused when it is taken in: see [`StagingStore`](crate::StagingStore).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    log: Log,
    rows: Vec<(EventId, String)>,
}

impl Staged {
    /// Checks and encodes the events of one log.
    ///
    /// # Errors
    /// Those of [`append`](crate::AuditStore::append): [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if an event exceeds a
    /// [limit](crate::limits) or has a [reserved action](crate::Action::is_reserved),
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if two different ones have one id.
    pub fn new(log: impl Into<Log>, events: Vec<NewEvent>) -> Result<Self> {
        let (log, staged_at) = (log.into(), Timestamp::now());
        let is_first = Batch::check(log, &events)?;
        let firsts = events.into_iter().zip(is_first).filter(|(_, is_first)| *is_first);
        let row =
            |(event, _): (NewEvent, _)| Ok((event.id, StagedBody::new(event, staged_at).encode()?));
        Ok(Self { log, rows: firsts.map(row).collect::<Result<_>>()? })
    }

    /// Returns the log.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Returns the id and the body of each event, in their order. An event that was given twice is one.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (EventId, &str)> {
        self.rows.iter().map(|(id, body)| (*id, body.as_str()))
    }

    /// Returns the ids, for a driver that binds an array.
    pub fn ids(&self) -> Vec<Uuid> {
        self.rows.iter().map(|(id, _)| *id.as_uuid()).collect()
    }

    /// Returns the bodies, for a driver that binds an array.
    pub fn bodies(&self) -> Vec<&str> {
        self.rows.iter().map(|(_, body)| body.as_str()).collect()
    }

    /// Returns the rows as one JSON text, a list of `[log, id, body]` in their order, the first two in
    /// hexadecimal: for a driver that binds no arrays.
    ///
    /// ```
    /// # use audit_core::{Actor, Log, NewEvent, Staged};
    /// let event = NewEvent::new("invoice.paid", Actor::user("u_7"));
    /// let staged = Staged::new(Log::Platform, vec![event])?;
    /// assert!(staged.to_json().starts_with(r#"[["",""#)); // the platform's log has an empty key
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        let log = self.log.organization_id().map(|id| id.as_uuid().simple().to_string());
        let log = log.unwrap_or_default();
        let row = |(id, body): &(EventId, String)| json!([log, id.as_uuid().simple(), body]);
        self.rows.iter().map(row).collect::<Value>().to_string()
    }

    /// Returns `true` if there is nothing to stage.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
