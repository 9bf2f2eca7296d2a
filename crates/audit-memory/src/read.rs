//! Scans, answered from the postings of one log.

use audit_core::backend::index::{self, Index, IndexQuery};
use audit_core::{
    Log, Order, Position, Result, Scan, ScanResult, Sequence, Timestamp, Total,
    backend::StoredEvent, limits, tree::NodeId,
};

use std::sync::RwLock;

use crate::intersection::{Intersection, PostingsCursor};
use crate::log::{LogState, Postings};
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

    pub(crate) fn read_scan(&self, scan: &Scan) -> Result<ScanResult> {
        let Some(log) = self.log(scan.log) else {
            let bound = scan.bound_within(audit_core::Head::default())?;
            let total = (scan.total == Total::Exact).then_some(0);
            return Ok(ScanResult::new(Vec::new(), false, bound, None).total(total));
        };
        let state = read(&log);
        let bound = scan.bound_within(state.head)?;
        let selection = index::select(&*state, scan, bound, state.head.pruned)?;
        let read = |sequence| state.stored(sequence).cloned();
        let (events, more) = selection.read(scan, read, StoredEvent::size)?;
        let events = events.iter().map(StoredEvent::decode).collect::<Result<_>>()?;
        let end = NodeId::identifying(bound).and_then(|node| state.nodes.get(&node).copied());
        Ok(ScanResult::new(events, more, bound, end).total(selection.total))
    }
}

impl Index for LogState {
    type Found<'a> = Intersection<TermCursor<'a>>;

    fn find(&self, query: IndexQuery) -> Result<Intersection<TermCursor<'_>>> {
        let wanted = query.clone();
        Intersection::open(query, |term| {
            Ok(TermCursor { postings: self.postings.get(term), query: wanted.clone() })
        })
    }

    fn count(&self, query: IndexQuery) -> Result<u64> {
        if let [clause] = &*query.clauses
            && let [term] = &**clause
            && query.after.is_none()
        {
            let Some(postings) = self.postings.get(term) else { return Ok(0) };
            let run = (query.earliest, Sequence::ZERO)..=(query.latest, Sequence::MAX);
            let within = |(_, sequence): &&(Timestamp, Sequence)| query.holds(*sequence);
            return Ok(postings.by_time.range(run).filter(within).count() as u64);
        }
        self.find(query)?.try_fold(0, |count, found| found.map(|_| count + 1))
    }
}

/// Reads the postings of one term; `None` if no event has it.
#[derive(Debug)]
pub(crate) struct TermCursor<'a> {
    postings: Option<&'a Postings>,
    query: IndexQuery,
}

impl PostingsCursor for TermCursor<'_> {
    fn seek(&mut self, from: Position) -> Result<Option<Position>> {
        let Some(postings) = self.postings else { return Ok(None) };
        let key = (from.occurred_at, from.sequence);
        let within = |(_, sequence): &&(_, Sequence)| self.query.holds(*sequence);
        let position = |&(occurred_at, sequence)| Position { occurred_at, sequence };
        Ok(match self.query.order {
            Order::NewestFirst => postings.by_time.range(..=key).rev().find(within).map(position),
            Order::OldestFirst => postings.by_time.range(key..).find(within).map(position),
            Order::SequenceReversed => {
                let from = from.sequence.min(self.query.bound);
                let end = postings.by_sequence.partition_point(|p| p.sequence <= from);
                let last = postings.by_sequence[..end].last();
                last.copied().filter(|p| self.query.holds(p.sequence))
            }
            Order::Sequence => {
                let from = from.sequence.max(self.query.floor.next());
                let at = postings.by_sequence.partition_point(|p| p.sequence < from);
                postings.by_sequence.get(at).copied().filter(|p| self.query.holds(p.sequence))
            }
        })
    }
}
