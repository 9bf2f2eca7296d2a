//! The cases of staged events can fail: each notices a broken store, and passes on a sound one.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "../../audit-core/examples/list_store.rs"]
#[allow(dead_code)] // it has a `main` of its own
mod list_store;

#[path = "support/faults.rs"]
mod faults;

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use audit_conformance::{Harness, StagingHarness, StagingTransaction};
use audit_core::backend::{Batch, Refusal, StagedRow, Term, delegate};
use audit_core::limits::{self, MAX_STAGED_BYTES};
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    AuditContext, AuditEvent, AuditStore, EntriesRequest, Error, EventId, Head, Log, NewEvent,
    Receipt, RefusedEvent, Result, Scan, ScanResult, Sequence, StagedCounts, StagingStore,
    Timestamp,
};
use list_store::ListStore;

/// The one thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    RecordsBeforeTheCommit,
    KeepsRolledBack,
    ReadsTakeInNothing,
    GetTakesInNothing,
    LogsTakeInNothing,
    TakesInBackwards,
    AppendsComeFirst,
    RefusalsUndoTheIntake,
    RecordsTwice,
    OccursWhenTakenIn,
    LosesTheLeaf,
    NeedsAReader,
    ForgetsOnReopen,
    NeverWakes,
    LosesOneOfMany,
    DropsConflicts,
    DropsBadRows,
    NamesNoField,
    StopsAtABadRow,
    RecordsNoRefusals,
    IgnoresTheLimit,
    RestagesNothing,
    ReusesNumbers,
    DropsWithoutAnEvent,
    ForgetsRefusedOnReopen,
}

const EXPECTED: &[(Fault, &[&str])] = &[
    (
        Fault::RecordsBeforeTheCommit,
        &[
            "staged::are_recorded_when_their_transaction_commits",
            "staged::are_never_recorded_when_it_rolls_back",
        ],
    ),
    (Fault::KeepsRolledBack, &["staged::are_never_recorded_when_it_rolls_back"]),
    (
        Fault::ReadsTakeInNothing,
        &["staged::are_in_every_read_of_their_log", "staged::have_receipts"],
    ),
    (Fault::GetTakesInNothing, &["staged::are_in_every_read_of_their_log"]),
    (Fault::LogsTakeInNothing, &["staged::are_in_every_read_of_their_log"]),
    (Fault::TakesInBackwards, &["staged::keep_the_order_of_their_transaction"]),
    (Fault::AppendsComeFirst, &["staged::come_before_a_later_append"]),
    (Fault::RefusalsUndoTheIntake, &["staged::come_before_a_later_append"]),
    (Fault::RecordsTwice, &["staged::are_recorded_once"]),
    (Fault::OccursWhenTakenIn, &["staged::occur_when_they_were_staged"]),
    (Fault::LosesTheLeaf, &["staged::have_receipts"]),
    (Fault::NeedsAReader, &["staged::are_taken_in_though_nobody_reads"]),
    (Fault::ForgetsOnReopen, &["staged::are_taken_in_after_a_reopen"]),
    (Fault::NeverWakes, &["staged::wake_a_feed"]),
    (Fault::LosesOneOfMany, &["staged::of_several_clients_lose_nothing"]),
    (Fault::DropsConflicts, &["refused::of_other_content_are_set_aside"]),
    (
        Fault::DropsBadRows,
        &["refused::that_are_no_events_are_set_aside", "refused::are_kept_over_a_reopen"],
    ),
    (Fault::NamesNoField, &["refused::that_are_no_events_are_set_aside"]),
    (Fault::StopsAtABadRow, &["refused::do_not_stop_other_logs"]),
    (
        Fault::RecordsNoRefusals,
        &["refused::of_other_content_are_set_aside", "refused::do_not_stop_other_logs"],
    ),
    (Fault::IgnoresTheLimit, &["refused::are_listed_by_pages"]),
    (Fault::RestagesNothing, &["refused::can_be_staged_again"]),
    (Fault::ReusesNumbers, &["refused::can_be_staged_again"]),
    (Fault::DropsWithoutAnEvent, &["refused::can_be_dropped"]),
    (Fault::ForgetsRefusedOnReopen, &["refused::are_kept_over_a_reopen"]),
];

#[test]
fn each_case_notices_its_faults_and_passes_without() {
    faults::check::<dyn StagingHarness, _>(EXPECTED, Fault::Nothing, |fault| {
        Box::new(Staging::new(fault))
    });
}

#[derive(Clone, Debug)]
struct Row {
    log: Log,
    stored: StagedRow,
    body: String,
    staged_again: bool,
}

/// The tables that clients and stores share.
#[derive(Debug, Default)]
struct Tables {
    staged: Vec<Row>,
    refused: Vec<(RefusedEvent, Row)>,
    numbers: u64,
}

/// A harness of a sound store, broken in one way.
struct Staging {
    fault: Fault,
    store: ListStore,
    tables: Arc<Mutex<Tables>>,
    handles: Mutex<Weak<Handle>>,
}

impl Staging {
    fn new(fault: Fault) -> Self {
        let store = ListStore::new().unwrap();
        Self { fault, store, tables: Arc::default(), handles: Mutex::default() }
    }

    fn handle(&self) -> Arc<Handle> {
        let mut handles = self.handles.lock().unwrap();
        if let Some(open) = handles.upgrade() {
            return open;
        }
        match self.fault {
            Fault::ForgetsOnReopen => self.tables.lock().unwrap().staged.clear(),
            Fault::ForgetsRefusedOnReopen => self.tables.lock().unwrap().refused.clear(),
            _ => {}
        }
        let (store, tables) = (self.store.clone(), Arc::clone(&self.tables));
        let handle = Arc::new(Handle { fault: self.fault, store, tables });
        *handles = Arc::downgrade(&handle);
        if self.fault != Fault::NeedsAReader && self.fault != Fault::NeverWakes {
            // Only a weak one: a store that is closed must not be found open here.
            let open = Arc::downgrade(&handle);
            let Handle { fault, store, tables } = &*handle;
            let (store, tables) = (store.clone(), Arc::clone(tables));
            let intake = Handle { fault: *fault, store, tables };
            thread::spawn(move || {
                while open.strong_count() > 0 {
                    let _ = intake.take_in_of(None);
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        handle
    }
}

impl Harness for Staging {
    fn open(&self) -> Arc<dyn AuditStore> {
        self.handle()
    }
}

impl StagingHarness for Staging {
    fn open_staging(&self) -> Arc<dyn StagingStore> {
        self.handle()
    }

    fn begin(&self) -> Box<dyn StagingTransaction> {
        Box::new(Client { fault: self.fault, tables: Arc::clone(&self.tables), rows: Vec::new() })
    }
}

struct Client {
    fault: Fault,
    tables: Arc<Mutex<Tables>>,
    rows: Vec<Row>,
}

impl StagingTransaction for Client {
    fn stage_row(&mut self, log: Log, id: EventId, body: &str) {
        let row = match body.len() {
            size if size > MAX_STAGED_BYTES => StagedRow::too_long(*id.as_bytes(), size),
            _ => StagedRow::new(*id.as_bytes(), body),
        };
        self.rows.push(Row { log, stored: row, body: body.to_owned(), staged_again: false });
        if self.fault == Fault::RecordsBeforeTheCommit {
            self.tables.lock().unwrap().staged.append(&mut self.rows);
        }
    }

    fn commit(mut self: Box<Self>) {
        self.tables.lock().unwrap().staged.append(&mut self.rows);
    }

    fn roll_back(mut self: Box<Self>) {
        if self.fault == Fault::KeepsRolledBack {
            self.tables.lock().unwrap().staged.append(&mut self.rows);
        }
    }
}

#[derive(Debug)]
struct Handle {
    fault: Fault,
    store: ListStore,
    tables: Arc<Mutex<Tables>>,
}

impl Handle {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    fn read_of(&self, log: Log) -> Result<()> {
        if self.fault == Fault::ReadsTakeInNothing { Ok(()) } else { self.take_in_of(Some(log)) }
    }

    /// Takes in what is staged for `log`, or for all.
    fn take_in_of(&self, log: Option<Log>) -> Result<()> {
        let mut tables = self.tables();
        let mut logs: Vec<_> = tables.staged.iter().map(|row| row.log).collect();
        logs.retain(|of| log.is_none_or(|log| log == *of));
        logs.dedup();
        for log in logs {
            let (mut rows, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut tables.staged).into_iter().partition(|row| row.log == log);
            tables.staged = rest;
            match self.fault {
                Fault::TakesInBackwards => rows.reverse(),
                Fault::LosesOneOfMany if rows.len() > 1 && self.store.state().logs.len() > 1 => {
                    rows.truncate(1);
                }
                _ => {}
            }
            self.take_into(&mut tables, log, rows)?;
        }
        Ok(())
    }

    fn take_into(&self, tables: &mut Tables, log: Log, rows: Vec<Row>) -> Result<()> {
        let mut refusals = Vec::new();
        for row in rows {
            if let Some(mut refusal) = self.take_row(log, &row)? {
                let is_conflict = refusal.reason.contains("different content");
                match self.fault {
                    Fault::DropsConflicts if is_conflict => continue,
                    Fault::DropsBadRows => continue,
                    Fault::StopsAtABadRow => return Ok(()),
                    _ => {}
                }
                if self.fault == Fault::NamesNoField {
                    refusal.reason = String::new();
                }
                tables.numbers +=
                    u64::from(!(self.fault == Fault::ReusesNumbers && row.staged_again));
                let body = row.body.clone().into_bytes();
                let refused = RefusedEvent::new(
                    tables.numbers,
                    body,
                    refusal.reason.clone(),
                    Timestamp::now(),
                );
                tables.refused.push((refused.log(Some(log)).id(refusal.id), row));
                refusals.push(refusal);
            }
        }
        if !refusals.is_empty() && self.fault != Fault::RecordsNoRefusals {
            let event = Refusal::event(&refusals)?;
            self.store.state().append(Batch::reserved(log, event)?)?;
        }
        Ok(())
    }

    /// Takes in one row, or returns why not.
    fn take_row(&self, log: Log, row: &Row) -> Result<Option<Refusal>> {
        let mut staged = row.stored.clone();
        match self.fault {
            Fault::OccursWhenTakenIn => {
                let body = row.body.replace("stagedAt\":\"20", "stagedAt\":\"21");
                staged = StagedRow::new(*staged.id().unwrap().as_bytes(), body);
            }
            Fault::RecordsTwice => {
                let id = EventId::new();
                let body = row.body.replace(&staged.id().unwrap().to_string(), &id.to_string());
                staged = StagedRow::new(*id.as_bytes(), body);
            }
            _ => {}
        }
        // A store that takes in one row at a time: `append` keeps what is refused to itself.
        let batch = Batch::staged(log, &[staged], Term::of)?;
        let mut state = self.store.state();
        let known = state.logs.entry(log).or_default();
        let find = |id| {
            let found = known.events.iter().find(|(_, event)| event.id == id);
            Ok(found.map(|(stored, _)| stored.clone()))
        };
        let sequenced =
            batch.sequence(known.head, known.frontier.clone(), Timestamp::now(), find)?;
        let has_events = !sequenced.new.is_empty();
        for new in sequenced.new {
            let event = new.stored.decode()?;
            known.events.push((new.stored, event));
            known.leaves.push(new.leaf);
        }
        (known.head, known.frontier) = (sequenced.head, sequenced.frontier);
        if has_events {
            state.wake();
        }
        Ok(sequenced.refused.into_iter().next().map(|(_, refusal)| refusal))
    }
}

#[async_trait]
impl AuditStore for Handle {
    delegate!(store: token_keys);

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        match self.fault {
            Fault::AppendsComeFirst => return self.store.append(log, events).await,
            Fault::RefusalsUndoTheIntake => {
                self.take_in_of(Some(log))?;
                let appended = self.store.append(log, events).await;
                if appended.is_err() {
                    self.store.state().logs.get_mut(&log).unwrap().events.truncate(9);
                }
                return appended;
            }
            _ => self.take_in_of(Some(log))?,
        }
        self.store.append(log, events).await
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        if self.fault != Fault::GetTakesInNothing {
            self.read_of(log)?;
        }
        self.store.get(log, id).await
    }

    async fn head(&self, log: Log) -> Result<Head> {
        self.read_of(log)?;
        self.store.head(log).await
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        if self.fault != Fault::LogsTakeInNothing {
            self.take_in_of(None)?;
        }
        self.store.logs(after, limit).await
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        self.read_of(scan.log)?;
        self.store.scan(scan).await
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        self.read_of(log)?;
        self.store.wait_for_append(log, sequence).await
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        self.read_of(log)?;
        self.store.frontier(log).await
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        self.read_of(log)?;
        self.store.nodes(log, nodes).await
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        self.read_of(log)?;
        let entries = self.store.entries(log, request).await?;
        if self.fault != Fault::LosesTheLeaf || request.limit > 1 {
            return Ok(entries);
        }
        let other = audit_core::LeafHash::of(b"");
        let entries = entries.into_iter();
        Ok(entries.map(|entry| LogEntry::new(entry.sequence, other, entry.event)).collect())
    }
}

#[async_trait]
impl StagingStore for Handle {
    async fn take_in(&self) -> Result<()> {
        self.take_in_of(None)
    }

    async fn staged_counts(&self) -> Result<StagedCounts> {
        let tables = self.tables();
        Ok(StagedCounts::new(tables.staged.len() as u64, tables.refused.len() as u64))
    }

    async fn refused(&self, after: u64, limit: usize) -> Result<Vec<RefusedEvent>> {
        if self.fault != Fault::IgnoresTheLimit {
            limits::refused_page(limit)?;
        }
        let tables = self.tables();
        let refused = tables.refused.iter().map(|(refused, _)| refused);
        Ok(refused.filter(|refused| refused.number > after).take(limit).cloned().collect())
    }

    async fn restage(&self, number: u64) -> Result<()> {
        let mut tables = self.tables();
        let place = tables.refused.iter().position(|(refused, _)| refused.number == number);
        let (_, row) =
            tables.refused.remove(place.ok_or_else(|| Error::not_found("refused event"))?);
        if self.fault != Fault::RestagesNothing {
            tables.staged.push(Row { staged_again: true, ..row });
        }
        Ok(())
    }

    async fn drop_refused(&self, number: u64, by: AuditContext) -> Result<()> {
        let mut tables = self.tables();
        let place = tables.refused.iter().position(|(refused, _)| refused.number == number);
        let place = place.ok_or_else(|| Error::not_found("refused event"))?;
        let (refused, row) = tables.refused.remove(place);
        if self.fault != Fault::DropsWithoutAnEvent {
            let event = Refusal::dropped(refused.id, by)?;
            self.store.state().append(Batch::reserved(row.log, event)?)?;
        }
        Ok(())
    }
}
