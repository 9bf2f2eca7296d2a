//! How far a sink has come, for metrics.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use audit_core::{Log, Sequence, Timestamp};
use metrics::{counter, gauge};

use crate::sink::DeliveryErrorKind;

/// How far a sink has come in the logs that this process follows.
#[derive(Debug)]
pub(crate) struct Progress {
    sink: String,
    logs: Mutex<HashMap<Log, OfLog>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfLog {
    delivered: Sequence,
    size: Sequence,
    /// When the first event was recorded that is not delivered, if it is known.
    oldest: Option<Timestamp>,
}

impl Progress {
    pub(crate) fn new(sink: &str) -> Self {
        Self { sink: sink.to_owned(), logs: Mutex::default() }
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<Log, OfLog>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the size of a log.
    pub(crate) fn size(&self, log: Log, size: Sequence) {
        self.logs().entry(log).or_default().size = size;
    }

    /// Notes the first event that is not delivered.
    pub(crate) fn oldest(&self, log: Log, recorded_at: Timestamp) {
        self.logs().entry(log).or_default().oldest = Some(recorded_at);
    }

    /// Notes where a sink is in a log.
    pub(crate) fn reached(&self, log: Log, delivered: Sequence) {
        let mut logs = self.logs();
        let of_log = logs.entry(log).or_default();
        (of_log.delivered, of_log.oldest) = (delivered, None);
    }

    /// Forgets the logs, because another process serves the sink.
    pub(crate) fn clear(&self) {
        self.logs().clear();
    }

    /// Returns the logs that have events to deliver.
    pub(crate) fn behind(&self) -> Vec<Log> {
        let logs = self.logs();
        logs.iter().filter(|(_, l)| l.size > l.delivered).map(|(log, _)| *log).collect()
    }

    /// Counts events that were acknowledged.
    pub(crate) fn delivered(&self, events: usize) {
        counter!("audit_forward_delivered_events_total", "sink" => self.sink.clone())
            .increment(events as u64);
        gauge!("audit_forward_last_delivery_timestamp_seconds", "sink" => self.sink.clone())
            .set(seconds(Timestamp::now()));
    }

    /// Counts a delivery that failed.
    pub(crate) fn failed(&self, kind: DeliveryErrorKind) {
        let reason = match kind {
            DeliveryErrorKind::Unavailable => "unavailable",
            DeliveryErrorKind::Refused => "refused",
        };
        let labels = [("sink", self.sink.clone()), ("reason", reason.to_owned())];
        counter!("audit_forward_failed_deliveries_total", &labels).increment(1);
    }

    /// Counts events that were set aside.
    pub(crate) fn dead(&self, events: usize) {
        counter!("audit_forward_dead_events_total", "sink" => self.sink.clone())
            .increment(events as u64);
    }

    /// Counts events that retention removed before they were delivered.
    pub(crate) fn missed(&self, events: u64) {
        counter!("audit_forward_missed_events_total", "sink" => self.sink.clone())
            .increment(events);
    }

    /// Sets the gauges.
    pub(crate) fn report(&self, is_paused: bool) {
        let (mut events, mut oldest, now) = (0, None::<Timestamp>, Timestamp::now());
        let followed = {
            let logs = self.logs();
            for of_log in logs.values() {
                events += of_log.size.get().saturating_sub(of_log.delivered.get());
                oldest = oldest.into_iter().chain(of_log.oldest).min();
            }
            logs.len()
        };
        let lag = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
        let set = |name: &'static str, value: f64| {
            gauge!(name, "sink" => self.sink.clone()).set(value);
        };
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        set("audit_forward_lag_events", events as f64);
        set("audit_forward_lag_seconds", lag);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        set("audit_forward_followed_logs", followed as f64);
        set("audit_forward_paused", f64::from(u8::from(is_paused)));
    }
}

fn seconds(time: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let micros = time.as_micros() as f64;
    micros / 1e6
}
