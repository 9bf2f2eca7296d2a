//! How scans are answered: the walk over the postings of one log.

use audit_core::backend::index::{self, Index, IndexQuery};
use audit_core::{
    Log, Order, Position, Result, Scan, ScanResult, Sequence, Timestamp, Total,
    backend::StoredEvent, limits,
};

use std::sync::RwLock;

use crate::intersection::{Intersection, PostingsCursor};
use crate::log::{List, LogState};
use crate::store::{MemoryStore, read};

impl MemoryStore {
    pub(crate) fn list_logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        limits::logs_page(limit)?;
        let logs = read(&self.shared.logs);
        let has_events = |state: &RwLock<LogState>| read(state).head.size > Sequence::ZERO;
        let mut found: Vec<Log> = logs
            .iter()
            .filter(|(log, state)| Some(**log) > after && has_events(state))
            .map(|(log, _)| *log)
            .collect();
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    pub(crate) fn read_slice(&self, scan: &Scan) -> Result<ScanResult> {
        let Some(log) = self.log(scan.log) else {
            let bound = scan.bound_within(audit_core::Head::default())?;
            let total = (scan.total == Total::Exact).then_some(0);
            return Ok(ScanResult { events: Vec::new(), more: false, total, bound });
        };
        let state = read(&log);
        let bound = scan.bound_within(state.head)?;
        let selection = index::select(&*state, scan, bound, state.head.pruned)?;
        let read = |sequence| state.stored(sequence).cloned();
        let (events, more) = selection.read(scan, read, StoredEvent::size)?;
        let events = events.iter().map(StoredEvent::decode).collect::<Result<_>>()?;
        Ok(ScanResult { events, more, total: selection.total, bound })
    }
}

impl Index for LogState {
    type Found<'a> = Intersection<ListCursor<'a>>;

    fn find(&self, query: IndexQuery) -> Result<Intersection<ListCursor<'_>>> {
        let wanted = query.clone();
        Intersection::open(query, |term| {
            Ok(ListCursor { list: self.list(term), query: wanted.clone() })
        })
    }

    fn count(&self, query: IndexQuery) -> Result<u64> {
        if let [clause] = &*query.clauses
            && let [term] = &**clause
            && query.after.is_none()
        {
            let Some(list) = self.list(term) else { return Ok(0) };
            let run = (query.earliest, Sequence::ZERO)..=(query.latest, Sequence::MAX);
            let within = |(_, sequence): &&(Timestamp, Sequence)| query.holds(*sequence);
            return Ok(list.by_time.range(run).filter(within).count() as u64);
        }
        self.find(query)?.try_fold(0, |count, found| found.map(|_| count + 1))
    }
}

/// A reader of one list; of none where no event has the term.
#[derive(Debug)]
pub(crate) struct ListCursor<'a> {
    list: Option<&'a List>,
    query: IndexQuery,
}

impl PostingsCursor for ListCursor<'_> {
    fn seek(&mut self, from: Position) -> Result<Option<Position>> {
        let Some(list) = self.list else { return Ok(None) };
        let key = (from.occurred_at, from.sequence);
        let within = |(_, sequence): &&(_, Sequence)| self.query.holds(*sequence);
        let position = |&(occurred_at, sequence)| Position { occurred_at, sequence };
        Ok(match self.query.order {
            Order::NewestFirst => list.by_time.range(..=key).rev().find(within).map(position),
            Order::OldestFirst => list.by_time.range(key..).find(within).map(position),
            Order::SequenceReversed => {
                let from = from.sequence.min(self.query.bound);
                let end = list.by_sequence.partition_point(|p| p.sequence <= from);
                let last = list.by_sequence[..end].last();
                last.copied().filter(|p| self.query.holds(p.sequence))
            }
            Order::Sequence => {
                let from = from.sequence.max(self.query.floor.next());
                let at = list.by_sequence.partition_point(|p| p.sequence < from);
                list.by_sequence.get(at).copied().filter(|p| self.query.holds(p.sequence))
            }
        })
    }
}
