//! The index of a log as a scan sees it, in one snapshot.
//!
//! The code that searches an index does no I/O of its own and waits for none. So it is run with what is
//! known, and again when what it lacked is there, on the thread that drives the connection: to hand each
//! round trip from thread to thread would cost more than to repeat the search. What a search needs next is
//! announced to it, so that a page takes three or four round trips, whatever the size of the log. A search
//! that takes many goes on on a thread for blocking work, and waits there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use audit_core::{Filter, Log, Result, Scan, Sequence, Total};
use audit_index::{
    FirstBuckets, IndexStorage, PartId, ReadParts, Segment, TableSearch, TailRow, TermHasher,
    damaged,
};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::connection::{Session, both};
use crate::error::{closed, task};
use crate::first_rows::FirstRows;
use crate::log_row::LogRow;
use crate::log_state::{IfStaged, log_state};
use crate::parts::{FoundParts, WantedParts};

/// The round trips after which a search goes on on a thread of its own: those of most pages.
const MOST_TRIPS: usize = 6;

/// The index of one log in a transaction that reads.
pub(crate) struct SnapshotIndex {
    session: Session,
    log: Log,
    first: FirstRows,
    /// The parts that were read; `None` for those that are missing.
    known: RefCell<HashMap<PartId, Option<Vec<u8>>>>,
    /// The rows that searches have found.
    found: RefCell<HashMap<TableSearch, u32>>,
    /// What a search lacked.
    lacking: Cell<Option<WantedParts>>,
    /// Where what is lacking is waited for.
    runtime: Option<Handle>,
}

impl SnapshotIndex {
    /// Begins to read one snapshot: the head, the tail, the directory, and the buckets that are read
    /// first, in one round trip. Returns `None` if events of the log are staged and that stops the read.
    pub(crate) async fn begin(
        session: Session,
        scan: &Scan,
        hasher: &TermHasher,
        if_staged: IfStaged,
    ) -> Result<Option<Self>> {
        let log = scan.log;
        // A feed of all events needs no index.
        let is_feed = !scan.order.is_by_time() && scan.filter == Filter::new();
        let first = async {
            if is_feed && scan.total != Total::Exact {
                return log_state(&session, log).await.map(FirstRows::without_index);
            }
            FirstRows::read(&session, log, FirstBuckets::of(scan, hasher)).await
        };
        let ((), mut first) = both(session.begin_reading(), first).await?;
        if first.state.stops(if_staged) {
            session.release();
            return Ok(None);
        }
        let known = first.buckets.drain(..).map(|(part, data)| (part, Some(data))).collect();
        Ok(Some(Self {
            session,
            log,
            first,
            known: RefCell::new(known),
            found: RefCell::default(),
            lacking: Cell::default(),
            runtime: None,
        }))
    }

    /// Returns the row of the log.
    pub(crate) fn row(&self) -> LogRow {
        self.first.state.row.unwrap_or_default()
    }

    /// Returns the connection, with the transaction.
    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    /// Runs a search to its end. Returns the connection with its result.
    ///
    /// # Errors
    /// Those of the search, and of the server. The transaction has ended then.
    pub(crate) async fn search<T: Send + 'static>(
        mut self,
        search: impl Fn(&Self) -> Result<T> + Send + 'static,
    ) -> Result<(Session, T)> {
        for _ in 0..MOST_TRIPS {
            let result = search(&self);
            let Some(lacking) = self.lacking.take() else { return self.ended(result) };
            match lacking.read(&self.session, self.log).await {
                Ok(found) => self.keep(&lacking, found),
                Err(error) => return self.ended(Err(error)),
            }
        }
        self.runtime = Some(Handle::current());
        let run = move || {
            let result = search(&self);
            self.ended(result)
        };
        spawn_blocking(run).await.map_err(task)?
    }

    fn ended<T>(self, result: Result<T>) -> Result<(Session, T)> {
        match result {
            Ok(result) => Ok((self.session, result)),
            Err(error) => {
                // On a thread for blocking work, too, this is within the runtime.
                self.session.release();
                Err(error)
            }
        }
    }

    fn keep(&self, wanted: &WantedParts, found: FoundParts) {
        let mut known = self.known.borrow_mut();
        for part in &wanted.parts {
            known.entry(*part).or_insert(None);
        }
        known.extend(found.parts.into_iter().map(|(part, data)| (part, Some(data))));
        self.found.borrow_mut().extend(wanted.searches.iter().copied().zip(found.rows));
    }

    /// Reads what a search lacks, or stops the search for it.
    fn need(&self, wanted: WantedParts) -> Result<()> {
        if wanted.parts.is_empty() && wanted.searches.is_empty() {
            return Ok(());
        }
        if let Some(runtime) = &self.runtime {
            let found = runtime.block_on(wanted.read(&self.session, self.log))?;
            self.keep(&wanted, found);
            return Ok(());
        }
        self.lacking.set(Some(wanted));
        // Nobody gets it: the search is run again.
        Err(closed())
    }
}

impl IndexStorage for SnapshotIndex {
    type Parts<'a> = &'a Self;

    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        self.first.visit_tail(first, last, visit)
    }

    fn directory(&self) -> Result<Vec<Segment>> {
        self.first.directory()
    }

    fn parts(&self) -> Result<&Self> {
        Ok(self)
    }
}

impl ReadParts for &SnapshotIndex {
    const IS_REMOTE: bool = true;

    fn prefetch(&mut self, parts: impl Iterator<Item = PartId>) -> Result<()> {
        self.search(parts, &[]).map(drop)
    }

    fn search(
        &mut self,
        parts: impl Iterator<Item = PartId>,
        searches: &[TableSearch],
    ) -> Result<Vec<u32>> {
        let known = self.known.borrow();
        let mut parts: Vec<_> = parts.filter(|part| !known.contains_key(part)).collect();
        drop(known);
        parts.sort_unstable();
        parts.dedup();
        let found = self.found.borrow();
        let searches_left = searches.iter().filter(|search| !found.contains_key(search)).copied();
        let searches_left = searches_left.collect();
        drop(found);
        self.need(WantedParts { parts, searches: searches_left })?;
        let found = self.found.borrow();
        Ok(searches.iter().map(|search| found.get(search).copied().unwrap_or_default()).collect())
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.prefetch(std::iter::once(part))?;
        let known = self.known.borrow();
        read(known.get(&part).and_then(Option::as_deref).ok_or_else(damaged)?)
    }
}
