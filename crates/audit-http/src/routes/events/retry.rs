//! Events that come again: one with an id and without a time is the same event when it is sent a
//! second time, though the present has moved on.

use std::collections::HashMap;

use audit_core::{ErrorKind, EventId, Log, NewEvent, Receipt, Result, TenantStore, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a client stated of an event; the rest was filled in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stated {
    id: Option<IgnoredAny>,
    occurred_at: Option<IgnoredAny>,
}

/// What a client stated of the events of a batch.
#[derive(Debug, Deserialize)]
pub(super) struct StatedBatch {
    pub(super) events: Vec<Stated>,
}

impl Stated {
    /// Whether the event can come again with another time.
    fn is_untimed(&self) -> bool {
        self.id.is_some() && self.occurred_at.is_none()
    }
}

/// Appends events of which the client stated so much. An event that the log holds keeps its time
/// where the client stated none.
pub(super) async fn append(
    store: &dyn TenantStore,
    log: Log,
    mut events: Vec<NewEvent>,
    stated: &[Stated],
) -> Result<Vec<Receipt>> {
    let untimed: Vec<usize> =
        (0..events.len().min(stated.len())).filter(|index| stated[*index].is_untimed()).collect();
    if untimed.is_empty() {
        return store.append(log, events).await;
    }
    // The same event may stand twice in a batch: it has one time.
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
            None => held(store, log, event.id).await?,
        };
        if let Some(time) = time {
            times.insert(event.id, time);
            event.occurred_at = time;
        }
    }
    store.append(log, events).await
}

async fn held(store: &dyn TenantStore, log: Log, id: EventId) -> Result<Option<Timestamp>> {
    match store.get(log, id).await {
        Ok(event) => Ok(Some(event.occurred_at)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
