//! The trait of stores that keep the state of followers.

use async_trait::async_trait;

use crate::{AuditStore, Log, Result};

/// A store that keeps the state of followers beside the logs that they follow: the position of each in each
/// log. For programs that deliver events elsewhere and continue where they stopped.
///
/// A state is a text that the store does not interpret. It is not part of the log: it is in no proof, and
/// changing it records no event. It is in the database of the events, so that a restored copy has the states
/// that belong to its events.
///
/// Names of followers are texts of 1 to [`MAX_NAME_BYTES`](crate::limits::MAX_NAME_BYTES) bytes, states of
/// at most [`MAX_FOLLOWER_STATE_BYTES`](crate::limits::MAX_FOLLOWER_STATE_BYTES). Neither has control
/// characters. Every call fails with [`Invalid`](crate::ErrorKind::Invalid) for another.
#[async_trait]
pub trait FollowerStore: AuditStore {
    /// Returns the state that `follower` has for `log`; `None` if it has none.
    ///
    /// # Behavior
    /// - MUST see every change that returned before the call, by any handle or process.
    /// - MUST NOT require that `log` has events.
    async fn follower_state(&self, follower: &str, log: Log) -> Result<Option<String>>;

    /// Returns the states of `follower`, by ascending log, after `after`, at most `limit`.
    ///
    /// # Behavior
    /// - MUST return a shorter list than `limit` only if no more states follow.
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid) for a limit outside 1 to
    ///   [`MAX_LOGS_PAGE`](crate::limits::MAX_LOGS_PAGE).
    async fn follower_states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>>;

    /// Replaces the state that `follower` has for `log`. `None` is no state.
    ///
    /// # Behavior
    /// - MUST fail with [`Conflict`](crate::ErrorKind::Conflict), changing nothing, if the state is not
    ///   `before`. Of two calls at once with the same `before` and others after it, MUST let one succeed
    ///   at most.
    /// - MUST return only when the change is as durable as an append.
    /// - MUST change no state of another follower or log.
    async fn replace_follower_state(
        &self,
        follower: &str,
        log: Log,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<()>;
}
