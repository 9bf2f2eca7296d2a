//! The state of a sink in the store: positions, dead events, the control of operators, and the lease of the
//! process that serves it.

use audit_core::{Error, ErrorKind};
use audit_core::{EventId, FollowerStore, Log, Result, Sequence, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kind of state. A sink has one state of the first two for each log, and one of the others.
pub(crate) trait State: Clone + Default + PartialEq + Serialize + DeserializeOwned {
    const KIND: &'static str;

    fn follower(sink: &str) -> String {
        format!("forward/{sink}/{}", Self::KIND)
    }
}

/// Where a sink has come to in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The last event that was delivered, set aside, or does not match.
    pub(crate) delivered: Sequence,
    /// When a delivery was last acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
    /// The next event, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failing: Option<Failing>,
    /// Events that retention removed before they were delivered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) missed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An event that the destination refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failing {
    pub(crate) attempts: u32,
    pub(crate) since: Timestamp,
    pub(crate) error: String,
}

impl State for Position {
    const KIND: &'static str = "position";
}

/// The dead events of a sink in a log, by sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadEvents(pub(crate) Vec<DeadEvent>);

/// An event that a destination refused for good, and that was set aside. The event itself stays in its log
/// only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadEvent {
    /// Its sequence.
    pub sequence: Sequence,
    /// Its id.
    pub id: EventId,
    /// When it was set aside, or was last tried again.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// The answer to the last attempt.
    pub error: String,
    /// Whether it is to be tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_due: bool,
}

impl State for DeadEvents {
    const KIND: &'static str = "dead";
}

/// The requests of operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Control {
    pub(crate) paused: bool,
    /// Rises with each request, so that a process notices it.
    pub(crate) generation: u64,
}

impl State for Control {
    const KIND: &'static str = "control";
}

/// The process that serves the sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) holder: String,
    /// Rises as long as the process lives.
    pub(crate) beat: u64,
    pub(crate) at: Option<Timestamp>,
    /// Since when the destination cannot be reached, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outage: Option<(Timestamp, String)>,
}

impl State for Lease {
    const KIND: &'static str = "lease";
}

/// The longest text of an error that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 300;

/// Returns the text of an error as it is kept: in one line, and not too long.
pub(crate) fn error_text(error: &impl ToString) -> String {
    let text = error.to_string().replace(char::is_control, " ");
    let mut end = text.len().min(MAX_ERROR_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A state as the store has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kept<T> {
    text: Option<String>,
    pub(crate) value: T,
}

impl<T: State> Kept<T> {
    /// Reads a state. A state that was never written is the default one.
    pub(crate) async fn read(store: &dyn FollowerStore, sink: &str, log: Log) -> Result<Self> {
        Self::of(store.follower_state(&T::follower(sink), log).await?)
    }

    fn of(text: Option<String>) -> Result<Self> {
        let value = match &text {
            Some(text) => serde_json::from_str(text).map_err(corrupt)?,
            None => T::default(),
        };
        Ok(Self { text, value })
    }

    /// Returns `true` if the store has none.
    pub(crate) fn is_new(&self) -> bool {
        self.text.is_none()
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if the store has another state by now; then this one is unchanged.
    pub(crate) async fn write(
        &mut self,
        store: &dyn FollowerStore,
        sink: &str,
        log: Log,
        value: T,
    ) -> Result<()> {
        let text = (value != T::default()).then(|| serde_json::to_string(&value)).transpose();
        let text = text.map_err(|error| Error::new(ErrorKind::Invalid).with_source(error))?;
        let before = self.text.clone();
        let name = T::follower(sink);
        match store.replace_follower_state(&name, log, before, text.clone()).await {
            Ok(()) => {}
            // It may have been written by a call that did not say so.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                if store.follower_state(&name, log).await? != text {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        *self = Self { text, value };
        Ok(())
    }
}

/// Reads all states of a kind, by log.
pub(crate) async fn read_all<T: State>(
    store: &dyn FollowerStore,
    sink: &str,
) -> Result<Vec<(Log, Kept<T>)>> {
    const PAGE: usize = audit_core::limits::MAX_LOGS_PAGE;
    let follower = T::follower(sink);
    let mut states: Vec<(Log, Kept<T>)> = Vec::new();
    loop {
        let after = states.last().map(|(log, _)| *log);
        let page = store.follower_states(&follower, after, PAGE).await?;
        let is_last = page.len() < PAGE;
        for (log, text) in page {
            states.push((log, Kept::of(Some(text))?));
        }
        if is_last {
            return Ok(states);
        }
    }
}

/// Changes a state by `change`, again if another process changes it meanwhile.
pub(crate) async fn change<T: State + Send + Sync>(
    store: &dyn FollowerStore,
    sink: &str,
    log: Log,
    mut change: impl FnMut(&mut T) -> Result<()> + Send,
) -> Result<T> {
    loop {
        let mut kept = Kept::<T>::read(store, sink, log).await?;
        let mut value = kept.value.clone();
        change(&mut value)?;
        match kept.write(store, sink, log, value).await {
            Ok(()) => return Ok(kept.value),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
}

fn corrupt(source: serde_json::Error) -> Error {
    Error::new(ErrorKind::Corrupt).with_context("reading the state of a sink").with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_is_cut_between_characters_and_is_one_line() {
        let text = error_text(&format!("a\n\0b{}", "é".repeat(400)));
        assert!(text.starts_with("a  bé") && text.len() <= MAX_ERROR_BYTES);
        assert!(text.len() > MAX_ERROR_BYTES - 2);
    }
}
