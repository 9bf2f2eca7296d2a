//! The thread that brings events to the store.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use audit_core::{
    AuditEvent, AuditStoreExt as _, Error, ErrorKind, EventId, EventQuery, FeedStart, Log,
    NewEvent, Result, Sequence,
};
use audit_sqlite::SqliteStore;
use event_listener::{Event, Listener as _};
use futures_executor::block_on;

use crate::options::SpoolNotice;
use crate::shared::{Shared, is_away};

/// The events of one append.
const BATCH: usize = 200;
/// The bytes of one append, about.
const BATCH_BYTES: usize = 4 << 20;

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Drain {
    shared: Arc<Shared>,
    end: Arc<End>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct End {
    is_due: AtomicBool,
    due: Event,
}

impl Drain {
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self> {
        let end = Arc::new(End::default());
        let (weak, its_end) = (Arc::downgrade(shared), Arc::clone(&end));
        let thread = thread::Builder::new().name("audit-spool".to_owned());
        let thread = thread.spawn(move || run(&weak, &its_end)).map_err(|error: io::Error| {
            Error::new(ErrorKind::Unavailable).with_context("starting a thread").with_source(error)
        })?;
        Ok(Self { shared: Arc::clone(shared), end, thread: Some(thread) })
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.end.is_due.store(true, Ordering::SeqCst);
        self.end.due.notify(usize::MAX);
        self.shared.spooled.notify(usize::MAX);
        if let Some(thread) =
            self.thread.take().filter(|t| t.thread().id() != thread::current().id())
        {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Weak<Shared>, end: &End) {
    loop {
        let due = end.due.listen();
        if end.is_due.load(Ordering::SeqCst) {
            return;
        }
        let Some(shared) = shared.upgrade() else { return };
        let spooled = shared.spooled.listen();
        let drained = block_on(drain(&shared, end));
        let interval = shared.options.retry_interval;
        drop(shared);
        // Whatever is spooled meanwhile, an unavailable store is tried at intervals only.
        let _ = match drained {
            Ok(true) => spooled.wait_timeout(interval),
            Ok(false) | Err(_) => due.wait_timeout(interval),
        };
    }
}

/// Brings what waits to the store, and returns whether nothing waits any more.
async fn drain(shared: &Shared, end: &End) -> Result<bool> {
    let result = drain_all(shared, end).await;
    match &result {
        Ok(true) => drop(shared.empty.notify(usize::MAX)),
        Ok(false) => {}
        Err(error) => shared.options.notify(&SpoolNotice::Away { error }),
    }
    result
}

async fn drain_all(shared: &Shared, end: &End) -> Result<bool> {
    loop {
        let Some((file, logs)) = shared.backlog.waiting() else { return Ok(true) };
        let mut has_moved = false;
        for (log, after) in logs {
            if end.is_due.load(Ordering::SeqCst) {
                return Ok(false);
            }
            has_moved |= drain_log(shared, &file, log, after).await?;
        }
        drop(file);
        if shared.backlog.clear()? {
            return Ok(true);
        }
        if !has_moved {
            return Ok(false); // the rest is being written
        }
    }
}

/// Brings one batch of `log` to the store, and returns whether there was one.
async fn drain_log(shared: &Shared, file: &SqliteStore, log: Log, after: Sequence) -> Result<bool> {
    let query = EventQuery::new(log).limit(BATCH).max_bytes(BATCH_BYTES);
    let page = file.feed(&query, FeedStart::After(after)).await?;
    let Some(last) = page.events.last().map(|event| event.sequence) else { return Ok(false) };
    let count = page.events.len();
    let events: Vec<_> = page.events.into_iter().map(AuditEvent::into_content).collect();
    match shared.store.accept(log, events.clone()).await {
        Ok(_) => {}
        Err(error) if is_away(&error) => return Err(error),
        // One of them is at fault.
        Err(_) => {
            for event in events {
                deliver(shared, log, event).await?;
            }
        }
    }
    shared.backlog.drained(log, count as u64, last);
    shared.options.notify(&SpoolNotice::Drained { log, count });
    Ok(true)
}

/// Brings an event to the store that it may refuse.
async fn deliver(shared: &Shared, log: Log, event: NewEvent) -> Result<()> {
    let id = event.id;
    // The same event without a time, which the store took although it failed to say so.
    let mut untimed = event.clone();
    untimed.occurred_at = None;
    let renamed = event.clone().id(EventId::derived(*id.as_uuid(), b"spool conflict"));
    let noted = renamed.clone().attribute("spool.conflict", id.to_string());
    let mut refusal = None;
    for form in [event, untimed, noted, renamed] {
        match shared.store.accept(log, vec![form]).await {
            Ok(_) => return Ok(()),
            Err(error) if is_away(&error) => return Err(error),
            Err(error) => refusal = Some(error),
        }
    }
    // Not dropped: it stays the next to be delivered, and each attempt is reported.
    Err(refusal.unwrap_or_else(|| Error::new(ErrorKind::Conflict)))
}
