//! The follower of one log for one sink: reads, delivers, and commits the position after the
//! acknowledgement.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use audit_core::{
    AuditEvent, Error, ErrorKind, Log, Order, Position as EventPosition, Result, Scan, ScanResult,
    Sequence, Timestamp,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::dead::{self, Retry};
use crate::route::Route;
use crate::sink::{Batch, DeliveryErrorKind};
use crate::state::{Control, Failing, Kept, Position, error_text};

/// The batches that are read at once.
const BATCHES: usize = 10;
/// The longest that a position in memory is ahead of the one in the store, if no event matched.
const SKIP_PAUSE: Duration = Duration::from_secs(1);
/// The pauses after the store has failed.
const STORE_BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

/// The command to the followers of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Follow, as operators have asked.
    Serve(Control),
    /// End, when the delivery in progress has ended.
    End,
}

#[derive(Debug)]
pub(crate) struct Follower {
    route: Arc<Route>,
    log: Log,
    position: Kept<Position>,
    /// The last event that was read: at or after the position, if what follows that does not match.
    read: Sequence,
    /// When the position was last written.
    written: Instant,
    /// The generation of the control that was obeyed.
    generation: Option<u64>,
    /// The most events of the next batch: fewer after one was refused.
    width: usize,
    /// When the next event was refused first.
    failing_since: Option<Instant>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// There may be more to do.
    Done,
    /// The next event was refused: wait.
    Pause(Duration),
}

impl Follower {
    /// Creates a follower, which reads its position when it runs.
    pub(crate) fn new(route: Arc<Route>, log: Log) -> Self {
        let width = route.options.batch_events;
        Self {
            route,
            log,
            position: Kept::default(),
            read: Sequence::ZERO,
            written: Instant::now(),
            generation: None,
            width,
            failing_since: None,
        }
    }

    /// Follows the log until it has to end.
    pub(crate) async fn run(mut self, mut tasks: watch::Receiver<Task>) {
        let mut failures = 0;
        loop {
            let task = *tasks.borrow_and_update();
            let Task::Serve(control) = task else { return };
            let stepped = if control.paused {
                let _ = tasks.changed().await;
                continue;
            } else {
                self.step(control, &mut tasks).await
            };
            match stepped {
                Ok(Turn::Done) => failures = 0,
                Ok(Turn::Pause(pause)) => {
                    failures = 0;
                    wait(pause, &mut tasks).await;
                }
                Err(error) => {
                    failures += 1;
                    let sink = &self.route.options.name;
                    tracing::warn!(sink, log = %self.log, %error, "cannot follow a log");
                    wait(STORE_BACKOFF.pause(failures), &mut tasks).await;
                }
            }
        }
    }

    async fn step(&mut self, control: Control, tasks: &mut watch::Receiver<Task>) -> Result<Turn> {
        let route = Arc::clone(&self.route);
        if self.generation != Some(control.generation) {
            self.obey().await?;
            self.generation = Some(control.generation);
        }
        let is_ahead = self.read > self.position.value.delivered;
        tokio::select! {
            head = route.store.wait_for_append(self.log, self.read) => {
                route.progress.size(self.log, head?.size);
            }
            _ = tasks.changed() => return Ok(Turn::Done),
            () = sleep(SKIP_PAUSE), if is_ahead => return self.skip().await.map(|()| Turn::Done),
        }
        tokio::select! {
            () = route.gate.open() => {}
            _ = tasks.changed() => return Ok(Turn::Done),
        }
        // Logs get their turns in the order in which they ask.
        let turn = route.turns.acquire().await;
        if tasks.has_changed().unwrap_or(true) {
            return Ok(Turn::Done);
        }
        let result = self.turn(tasks).await;
        drop(turn);
        result
    }

    /// Does what operators have asked for.
    async fn obey(&mut self) -> Result<()> {
        self.refresh().await?;
        dead::retry(&self.route, self.log).await
    }

    /// Reads the position again: an operator may have moved it.
    async fn refresh(&mut self) -> Result<()> {
        let Route { store, options, progress, .. } = &*self.route;
        let mut kept = Kept::<Position>::read(&**store, &options.name, self.log).await?;
        if kept.is_new() && kept.value.delivered == Sequence::ZERO {
            // What retention removed before the sink began is not missed.
            let pruned = store.head(self.log).await?.pruned;
            if pruned > Sequence::ZERO {
                let value = Position { delivered: pruned, ..Position::default() };
                kept.write(&**store, &options.name, self.log, value).await?;
            }
        }
        if kept != self.position {
            if kept.value.delivered != self.position.value.delivered {
                self.failing_since = None;
            }
            self.read = kept.value.delivered;
            self.position = kept;
            progress.reached(self.log, self.read);
        }
        Ok(())
    }

    /// Reads and delivers some batches.
    async fn turn(&mut self, tasks: &watch::Receiver<Task>) -> Result<Turn> {
        self.refresh().await?;
        let found = match self.scan(self.width.saturating_mul(BATCHES)).await {
            Err(error) if error.kind() == ErrorKind::Gone => return self.miss().await,
            found => found?,
        };
        self.route.progress.size(self.log, found.bound);
        let last = if found.more { None } else { Some(found.bound) };
        if let Some(first) = found.events.first() {
            self.route.progress.oldest(self.log, first.recorded_at);
        }
        let mut events = found.events;
        while !events.is_empty() {
            let rest = events.split_off(self.width.min(events.len()));
            let end = events.last().map_or(self.read, |event| event.sequence);
            // What follows and does not match is skipped with the last batch.
            let end = last.filter(|_| rest.is_empty()).unwrap_or(end);
            if let Some(ended) = self.deliver(events, end).await? {
                return Ok(ended);
            }
            if self.read != end {
                return Ok(Turn::Done); // an operator has moved the position
            }
            let next = rest.first().map(|event: &AuditEvent| event.recorded_at);
            if let Some(recorded_at) = next {
                self.route.progress.oldest(self.log, recorded_at);
                let control = *tasks.borrow();
                let before = self.read;
                self.refresh().await?;
                let is_same = matches!(control, Task::Serve(control) if !control.paused);
                if !is_same || self.read != before {
                    return Ok(Turn::Done);
                }
            }
            events = rest;
        }
        if let Some(last) = last.filter(|last| *last > self.read) {
            self.read = last;
            if self.written.elapsed() >= SKIP_PAUSE {
                self.skip().await?;
            }
        }
        Ok(Turn::Done)
    }

    async fn scan(&self, limit: usize) -> Result<ScanResult> {
        let Route { store, options, .. } = &*self.route;
        let after = EventPosition { occurred_at: Timestamp::MIN, sequence: self.read };
        let scan = Scan::new(self.log).filter(options.filter.clone()).order(Order::Sequence);
        let limit = limit.clamp(1, audit_core::limits::MAX_PAGE_EVENTS);
        let found = store.scan(scan.after(after).limit(limit).bytes(options.batch_bytes)).await?;
        if found.bound < self.read {
            return Err(Error::new(ErrorKind::Behind));
        }
        Ok(found)
    }

    /// Goes on after the events that retention has removed.
    async fn miss(&mut self) -> Result<Turn> {
        let pruned = self.route.store.head(self.log).await?.pruned;
        let missed = pruned.get().saturating_sub(self.read.get());
        if missed == 0 {
            return Ok(Turn::Done);
        }
        let sink = &self.route.options.name;
        tracing::error!(sink, log = %self.log, missed, "retention removed undelivered events");
        self.route.progress.missed(missed);
        let missed = self.position.value.missed.saturating_add(missed);
        let value = Position { delivered: pruned, missed, ..self.position.value.clone() };
        self.commit(value).await.map(|()| Turn::Done)
    }

    /// Delivers a batch, and commits that the log is delivered up to `end`. Returns how the turn ends, if
    /// it does.
    async fn deliver(&mut self, events: Vec<AuditEvent>, end: Sequence) -> Result<Option<Turn>> {
        let count = events.len();
        let Some(batch) = Batch::new(self.log, events) else { return Ok(None) };
        let gate = &self.route.gate;
        // Before the attempt: otherwise the destination may have been mended after it.
        let takes_others = self.failing_since.is_some_and(|since| gate.accepted_since(since));
        match self.route.attempt(&batch).await {
            Ok(()) => {
                self.acknowledged(end).await?;
                self.width = (self.width * 2).min(self.route.options.batch_events);
                Ok(None)
            }
            Err((DeliveryErrorKind::Unavailable, _)) => Ok(Some(Turn::Done)),
            Err(_) if count > 1 => {
                // One of them is at fault, or none: each is tried alone.
                self.width = 1;
                Ok(Some(Turn::Done))
            }
            Err((_, error)) => self.refused(&batch, error, takes_others).await.map(Some),
        }
    }

    async fn acknowledged(&mut self, end: Sequence) -> Result<()> {
        let at = Some(Timestamp::now());
        self.failing_since = None;
        let value = Position { delivered: end, at, failing: None, ..self.position.value.clone() };
        self.commit(value).await
    }

    /// Goes on after events that were set aside.
    async fn pass_over(&mut self, end: Sequence) -> Result<()> {
        self.failing_since = None;
        let value = Position { delivered: end, failing: None, ..self.position.value.clone() };
        self.commit(value).await
    }

    /// Counts the refusal of the next event, and sets it aside if it was tried often enough while the
    /// destination takes others.
    async fn refused(&mut self, batch: &Batch, error: String, takes_others: bool) -> Result<Turn> {
        let route = Arc::clone(&self.route);
        self.failing_since.get_or_insert_with(Instant::now);
        let failing = self.position.value.failing.clone();
        let (attempts, begun) = failing
            .map_or_else(|| (0, Timestamp::now()), |failing| (failing.attempts, failing.since));
        let attempts = attempts.saturating_add(1);
        let failing = Failing { attempts, since: begun, error: error_text(&error) };
        let value = Position { failing: Some(failing), ..self.position.value.clone() };
        self.commit(value).await?;
        let surplus = attempts.checked_sub(route.options.attempts);
        let pause = Turn::Pause(route.options.backoff.pause(attempts));
        let Some(surplus) = surplus else { return Ok(pause) };
        if takes_others {
            let error = slice::from_ref(&error);
            dead::bury(&route, self.log, batch.events(), attempts, error, Retry::Never).await?;
            let end = batch.events().last().map_or(self.read, |event| event.sequence);
            self.pass_over(end).await?;
            return Ok(Turn::Done);
        }
        Ok(if self.probe(batch, attempts, surplus, error).await? { Turn::Done } else { pause })
    }

    /// Tries the events after the one that is refused, one more each time. If the destination takes one,
    /// sets aside those before it, and tries them once more: it may just have been mended. If it takes none,
    /// nobody knows whether they are at fault.
    async fn probe(
        &mut self,
        head: &Batch,
        attempts: u32,
        surplus: u32,
        error: String,
    ) -> Result<bool> {
        /// The most events that are tried.
        const WINDOW: u32 = 10;
        let route = Arc::clone(&self.route);
        let window = surplus.saturating_add(1).min(WINDOW) as usize;
        let mut events = head.events().to_vec();
        events.extend(self.scan(window + 1).await?.events.into_iter().skip(1));
        let mut errors = vec![error];
        for at in 1..events.len() {
            let Some(batch) = Batch::new(self.log, vec![events[at].clone()]) else { break };
            match route.attempt(&batch).await {
                Ok(()) => {
                    let refused = &events[..at];
                    dead::bury(&route, self.log, refused, attempts, &errors, Retry::Once).await?;
                    self.acknowledged(events[at].sequence).await?;
                    return dead::retry(&route, self.log).await.map(|()| true);
                }
                Err((DeliveryErrorKind::Unavailable, _)) => break,
                Err((_, error)) => errors.push(error),
            }
        }
        Ok(false)
    }

    /// Writes that the events up to the last one read do not match.
    async fn skip(&mut self) -> Result<()> {
        let value = Position { delivered: self.read, ..self.position.value.clone() };
        self.commit(value).await
    }

    /// Writes the position. Retries for as long as the store is unavailable, so that acknowledged events are
    /// not delivered again.
    async fn commit(&mut self, value: Position) -> Result<()> {
        let Route { store, options, progress, .. } = &*self.route;
        let (before, mut failures) = (self.position.value.delivered, 0);
        loop {
            let written =
                self.position.write(&**store, &options.name, self.log, value.clone()).await;
            match written {
                Err(error) if error.is_retryable() => {
                    failures += 1;
                    tracing::warn!(sink = options.name, log = %self.log, %error, "cannot write a position");
                    sleep(STORE_BACKOFF.pause(failures)).await;
                }
                // An operator has moved it meanwhile.
                Err(error) if error.kind() == ErrorKind::Conflict => return self.refresh().await,
                written => {
                    written?;
                    break;
                }
            }
        }
        self.written = Instant::now();
        if value.delivered > before {
            progress.reached(self.log, value.delivered);
        }
        self.read = value.delivered;
        Ok(())
    }
}

/// Waits, or until something else is to be done.
async fn wait(pause: Duration, tasks: &mut watch::Receiver<Task>) {
    tokio::select! {
        () = sleep(pause) => {}
        _ = tasks.changed() => {}
    }
}
