//! How scans are answered: the walk of [`audit_core::index`] over the lists of one log.

use audit_core::index::{self, Cursor, Index, Join, Lookup};
use audit_core::{Order, Position, Result, Scan, Sequence, Slice, StoredEvent, Timestamp, Total};

use crate::append::{List, LogState};
use crate::{MemoryStore, read};

impl MemoryStore {
    pub(crate) fn read_slice(&self, scan: &Scan) -> Result<Slice> {
        let Some(log) = self.log(scan.log) else {
            let bound = scan.bound_within(audit_core::Head::default())?;
            let total = (scan.total == Total::Exact).then_some(0);
            return Ok(Slice { events: Vec::new(), more: false, total, bound });
        };
        let state = read(&log);
        let bound = scan.bound_within(state.head)?;
        let selection = index::select(&*state, scan, bound, state.head.pruned)?;
        let read = |sequence| state.stored(sequence).cloned();
        let (events, more) = selection.read(scan, read, StoredEvent::size)?;
        let events = events.iter().map(StoredEvent::open).collect::<Result<_>>()?;
        Ok(Slice { events, more, total: selection.total, bound })
    }
}

impl Index for LogState {
    type Found<'a> = Join<ListCursor<'a>>;

    fn find(&self, lookup: Lookup) -> Result<Join<ListCursor<'_>>> {
        let wanted = lookup.clone();
        Join::open(lookup, |term| Ok(ListCursor { list: self.list(term), lookup: wanted.clone() }))
    }

    fn count(&self, lookup: Lookup) -> Result<u64> {
        if let [group] = &*lookup.groups
            && let [term] = &**group
            && lookup.after.is_none()
        {
            let Some(list) = self.list(term) else { return Ok(0) };
            let run = (lookup.earliest, Sequence::ZERO)..=(lookup.latest, Sequence::MAX);
            let within = |(_, sequence): &&(Timestamp, Sequence)| lookup.holds(*sequence);
            return Ok(list.by_time.range(run).filter(within).count() as u64);
        }
        self.find(lookup)?.try_fold(0, |count, found| found.map(|_| count + 1))
    }
}

/// A reader of one list; of none where no event has the term.
#[derive(Debug)]
pub(crate) struct ListCursor<'a> {
    list: Option<&'a List>,
    lookup: Lookup,
}

impl Cursor for ListCursor<'_> {
    fn seek(&mut self, from: Position) -> Result<Option<Position>> {
        let Some(list) = self.list else { return Ok(None) };
        let key = (from.occurred_at, from.sequence);
        let within = |(_, sequence): &&(_, Sequence)| self.lookup.holds(*sequence);
        let position = |&(occurred_at, sequence)| Position { occurred_at, sequence };
        Ok(match self.lookup.order {
            Order::NewestFirst => list.by_time.range(..=key).rev().find(within).map(position),
            Order::OldestFirst => list.by_time.range(key..).find(within).map(position),
            Order::Sequence => {
                let from = from.sequence.max(self.lookup.floor.next());
                let at = list.by_sequence.partition_point(|p| p.sequence < from);
                list.by_sequence.get(at).copied().filter(|p| self.lookup.holds(p.sequence))
            }
        })
    }
}
