//! Retries: an event that has an id and no time is the same event when it is sent again.

use std::collections::HashMap;

use audit_core::{AuditStore, ErrorKind, EventId, Log, NewEvent, Receipt, Result, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The fields of an event that the client set, rather than a default.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stated {
    id: Option<IgnoredAny>,
    occurred_at: Option<IgnoredAny>,
}

/// The fields that the client set in the events of a batch.
#[derive(Debug, Deserialize)]
pub(super) struct StatedBatch {
    pub(super) events: Vec<Stated>,
}

impl Stated {
    /// Returns `true` if the event can be sent again with another default time.
    fn is_untimed(&self) -> bool {
        self.id.is_some() && self.occurred_at.is_none()
    }
}

/// Appends events. An event that the log already has keeps its time if the client set none.
pub(super) async fn append(
    store: &dyn AuditStore,
    log: Log,
    mut events: Vec<NewEvent>,
    stated: &[Stated],
) -> Result<Vec<Receipt>> {
    let untimed: Vec<usize> =
        (0..events.len().min(stated.len())).filter(|index| stated[*index].is_untimed()).collect();
    if untimed.is_empty() {
        return store.append(log, events).await;
    }
    // An event that is twice in the batch has one time.
    let now = Timestamp::now();
    for index in &untimed {
        events[*index].occurred_at = now;
    }
    match store.append(log, events.clone()).await {
        Err(error) if error.kind() == ErrorKind::Conflict => {}
        done => return done,
    }
    let mut times: HashMap<EventId, Timestamp> = HashMap::new();
    for index in untimed {
        let event = &mut events[index];
        let time = match times.get(&event.id) {
            Some(time) => Some(*time),
            None => recorded_time(store, log, event.id).await?,
        };
        if let Some(time) = time {
            times.insert(event.id, time);
            event.occurred_at = time;
        }
    }
    store.append(log, events).await
}

async fn recorded_time(store: &dyn AuditStore, log: Log, id: EventId) -> Result<Option<Timestamp>> {
    match store.get(log, id).await {
        Ok(event) => Ok(Some(event.occurred_at)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
