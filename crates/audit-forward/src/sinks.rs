//! The sinks of a store, for operators: their state, and requests to them.

use std::sync::Arc;

use audit_core::{
    AuditStore, Error, ErrorKind, FollowerStore, Log, Order, Position as EventPosition, Result,
    Scan, Sequence, Timestamp,
};
use serde::Serialize;

use crate::state::{self, Control, DeadEvent, DeadEvents, Kept, Lease, Position, State};

/// The names of all sinks that were ever served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
struct Names(Vec<String>);

impl State for Names {
    const KIND: &'static str = "names";
}

/// Returns whether a sink was served before.
pub(crate) async fn is_known(store: &dyn FollowerStore, sink: &str) -> Result<bool> {
    let names = Kept::<Names>::read(store, "", Log::Platform).await?.value.0;
    Ok(names.iter().any(|name| name == sink))
}

/// Adds a sink to those that were served.
pub(crate) async fn add(store: &dyn FollowerStore, sink: &str) -> Result<()> {
    let add = |names: &mut Names| {
        if !names.0.iter().any(|name| name == sink) {
            names.0.push(sink.to_owned());
            names.0.sort_unstable();
        }
        Ok(())
    };
    state::change(store, "", Log::Platform, add).await.map(drop)
}

/// The sinks of a store. For operators: a process that serves the sinks notices a request within about a
/// second.
#[derive(Clone, Debug)]
pub struct Sinks {
    store: Arc<dyn FollowerStore>,
}

/// From where a log is delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// From the event of this sequence on.
    Sequence(Sequence),
    /// From the first event on that was recorded at this time or later.
    Time(Timestamp),
}

/// The state of a sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SinkStatus {
    /// The name.
    pub name: String,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// When the process that serves it last showed that it lives; `None` if no process serves it.
    pub served_at: Option<Timestamp>,
    /// Since when the destination cannot be reached, if it cannot.
    pub unavailable_since: Option<Timestamp>,
    /// Why it cannot be reached.
    pub error: Option<String>,
    /// The logs that were delivered, in part at least, or have dead events.
    pub logs: Vec<LogStatus>,
}

/// The state of a sink in one log.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LogStatus {
    /// The log.
    pub log: Log,
    /// The last event that was delivered, was set aside, or does not match.
    pub delivered: Sequence,
    /// The last event of the log.
    pub size: Sequence,
    /// The events after `delivered`.
    pub lag_events: u64,
    /// How long ago the first of them was recorded, in seconds.
    pub lag_seconds: f64,
    /// When a delivery was last acknowledged.
    pub delivered_at: Option<Timestamp>,
    /// How often the next event was refused.
    pub attempts: u32,
    /// The last answer that refused it.
    pub error: Option<String>,
    /// The dead events.
    pub dead: usize,
    /// Events that retention removed before they were delivered.
    pub missed: u64,
}

impl Sinks {
    /// Returns the sinks of `store`.
    pub fn of(store: impl FollowerStore) -> Self {
        Self { store: Arc::new(store) }
    }

    /// Returns the names of all sinks that were ever served.
    pub async fn names(&self) -> Result<Vec<String>> {
        Ok(Kept::<Names>::read(&*self.store, "", Log::Platform).await?.value.0)
    }

    async fn require(&self, sink: &str) -> Result<()> {
        if is_known(&*self.store, sink).await? { Ok(()) } else { Err(Error::not_found("sink")) }
    }

    /// Returns the state of a sink. Reads two rows for each log.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the sink was never served.
    pub async fn status(&self, sink: &str) -> Result<SinkStatus> {
        self.require(sink).await?;
        let store = &*self.store;
        let control = Kept::<Control>::read(store, sink, Log::Platform).await?.value;
        let lease = Kept::<Lease>::read(store, sink, Log::Platform).await?.value;
        let mut dead: std::collections::BTreeMap<_, _> =
            state::read_all::<DeadEvents>(store, sink).await?.into_iter().collect();
        let mut logs = Vec::new();
        for (log, kept) in state::read_all::<Position>(store, sink).await? {
            let dead = dead.remove(&log).map_or(0, |kept| kept.value.0.len());
            logs.push(self.log_status(log, kept.value, dead).await?);
        }
        for (log, kept) in dead {
            logs.push(self.log_status(log, Position::default(), kept.value.0.len()).await?);
        }
        logs.sort_by_key(|status| status.log);
        let (unavailable_since, error) = lease.outage.unzip();
        let (name, paused) = (sink.to_owned(), control.paused);
        Ok(SinkStatus { name, paused, served_at: lease.at, unavailable_since, error, logs })
    }

    async fn log_status(&self, log: Log, position: Position, dead: usize) -> Result<LogStatus> {
        let size = self.store.head(log).await?.size;
        let delivered = position.delivered;
        let lag_seconds = if size > delivered {
            let next = recorded_at(&*self.store, log, delivered).await?;
            next.map_or(0.0, |time| Timestamp::now().duration_since(time).as_secs_f64())
        } else {
            0.0
        };
        let (attempts, error) =
            position.failing.map_or((0, None), |failing| (failing.attempts, Some(failing.error)));
        Ok(LogStatus {
            log,
            delivered,
            size,
            lag_events: size.get().saturating_sub(delivered.get()),
            lag_seconds,
            delivered_at: position.at,
            attempts,
            error,
            dead,
            missed: position.missed,
        })
    }

    /// Stops the deliveries of a sink, after those in progress.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the sink was never served.
    pub async fn pause(&self, sink: &str) -> Result<()> {
        self.request(sink, |control| control.paused = true).await
    }

    /// Goes on with the deliveries of a sink.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the sink was never served.
    pub async fn resume(&self, sink: &str) -> Result<()> {
        self.request(sink, |control| control.paused = false).await
    }

    async fn request(
        &self,
        sink: &str,
        request: impl Fn(&mut Control) + Send + Sync,
    ) -> Result<()> {
        self.require(sink).await?;
        let change = |control: &mut Control| {
            request(control);
            control.generation = control.generation.wrapping_add(1);
            Ok(())
        };
        state::change(&*self.store, sink, Log::Platform, change).await.map(drop)
    }

    /// Delivers a log again from an event on, in order; also events that were delivered. Returns the first
    /// event that is delivered.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the sink was never served. [`Behind`](ErrorKind::Behind) if the
    /// log is shorter. [`Gone`](ErrorKind::Gone) if retention removed the event.
    pub async fn replay(&self, sink: &str, log: Log, from: ReplayFrom) -> Result<Sequence> {
        self.require(sink).await?;
        let head = self.store.head(log).await?;
        let first = match from {
            ReplayFrom::Sequence(sequence) => sequence,
            ReplayFrom::Time(time) => first_since(&*self.store, log, time).await?,
        };
        let before = first.previous();
        if before > head.size {
            return Err(Error::new(ErrorKind::Behind).with_field("sequence"));
        }
        if before < head.pruned {
            return Err(Error::new(ErrorKind::Gone).with_field("sequence"));
        }
        let rewind = |position: &mut Position| {
            (position.delivered, position.failing) = (before, None);
            Ok(())
        };
        state::change(&*self.store, sink, log, rewind).await?;
        self.request(sink, |_| ()).await?;
        Ok(before.next())
    }

    /// Returns the dead events of a sink, by log and sequence.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the sink was never served.
    pub async fn dead(&self, sink: &str) -> Result<Vec<(Log, DeadEvent)>> {
        self.require(sink).await?;
        let all = state::read_all::<DeadEvents>(&*self.store, sink).await?;
        let of_log = |(log, kept): (Log, Kept<DeadEvents>)| {
            kept.value.0.into_iter().map(move |dead| (log, dead))
        };
        Ok(all.into_iter().flat_map(of_log).collect())
    }

    /// Tries dead events of a log again: one, or all. One that is refused again stays dead. Returns how many
    /// there are. They are delivered after events with higher sequences.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the sink was never served.
    pub async fn retry_dead(&self, sink: &str, log: Log, only: Option<Sequence>) -> Result<usize> {
        let mut count = 0;
        let mark = |dead: &mut DeadEvents| {
            count = 0;
            for dead in dead.0.iter_mut().filter(|dead| is_meant(dead, only)) {
                dead.is_due = true;
                count += 1;
            }
            Ok(())
        };
        self.require(sink).await?;
        state::change(&*self.store, sink, log, mark).await?;
        self.request(sink, |_| ()).await?;
        Ok(count)
    }

    /// Forgets dead events of a log: one, or all. They stay in the log. Returns how many there were.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the sink was never served.
    pub async fn drop_dead(&self, sink: &str, log: Log, only: Option<Sequence>) -> Result<usize> {
        let mut count = 0;
        let forget = |dead: &mut DeadEvents| {
            let before = dead.0.len();
            dead.0.retain(|dead| !is_meant(dead, only));
            count = before - dead.0.len();
            Ok(())
        };
        self.require(sink).await?;
        state::change(&*self.store, sink, log, forget).await?;
        Ok(count)
    }
}

fn is_meant(dead: &DeadEvent, only: Option<Sequence>) -> bool {
    only.is_none_or(|only| dead.sequence == only)
}

/// Returns when the first event after a sequence was recorded.
async fn recorded_at(
    store: &dyn FollowerStore,
    log: Log,
    after: Sequence,
) -> Result<Option<Timestamp>> {
    let after = EventPosition { occurred_at: Timestamp::MIN, sequence: after };
    let scan = Scan::new(log).order(Order::Sequence).limit(1).after(after);
    match store.scan(scan).await {
        Ok(found) => Ok(found.events.first().map(|event| event.recorded_at)),
        Err(error) if error.kind() == ErrorKind::Gone => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the first event that was recorded at `time` or later, which may be the next one to come. The
/// times rise with the sequences.
async fn first_since(store: &dyn FollowerStore, log: Log, time: Timestamp) -> Result<Sequence> {
    let head = AuditStore::head(store, log).await?;
    let (mut before, mut first) = (head.pruned.get(), head.size.get() + 1);
    while before + 1 < first {
        let middle = before + (first - before) / 2;
        let recorded = recorded_at(store, log, Sequence::new(middle)?.previous()).await?;
        if recorded.is_some_and(|recorded| recorded >= time) {
            first = middle;
        } else {
            before = middle;
        }
    }
    Sequence::new(first)
}
