//! How scans are answered: the walk of [`audit_core::index`] over the lists of one log.

use audit_core::index::{self, Cursor, Index, Term};
use audit_core::{Order, Position, Result, Scan, Sequence, Slice, Timestamp, Total};

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
        let selection = index::select(&*state, scan, bound)?;
        let events =
            selection.sequences.into_iter().map(|s| state.event(s)).collect::<Result<_>>()?;
        Ok(Slice { events, more: selection.more, total: selection.total, bound })
    }
}

impl Index for LogState {
    type Cursor<'a> = ListCursor<'a>;

    fn cursor(&self, term: &Term, order: Order, bound: Sequence) -> Result<ListCursor<'_>> {
        Ok(ListCursor { list: self.list(term), order, bound })
    }

    fn count(
        &self,
        term: &Term,
        first: Timestamp,
        last: Timestamp,
        bound: Sequence,
    ) -> Result<u64> {
        let Some(list) = self.list(term) else { return Ok(0) };
        let run = list.by_time.range((first, Sequence::ZERO)..=(last, Sequence::MAX));
        Ok(run.filter(|(_, sequence)| *sequence <= bound).count() as u64)
    }
}

/// A reader of one list; of none where no event has the term.
pub(crate) struct ListCursor<'a> {
    list: Option<&'a List>,
    order: Order,
    bound: Sequence,
}

impl Cursor for ListCursor<'_> {
    fn seek(&mut self, from: Position) -> Result<Option<Position>> {
        let Some(list) = self.list else { return Ok(None) };
        let key = (from.occurred_at, from.sequence);
        let within = |(_, sequence): &&(_, Sequence)| *sequence <= self.bound;
        let position = |&(occurred_at, sequence)| Position { occurred_at, sequence };
        Ok(match self.order {
            Order::NewestFirst => list.by_time.range(..=key).rev().find(within).map(position),
            Order::OldestFirst => list.by_time.range(key..).find(within).map(position),
            Order::Sequence => {
                let at = list.by_sequence.partition_point(|p| p.sequence < from.sequence);
                list.by_sequence.get(at).copied().filter(|p| p.sequence <= self.bound)
            }
        })
    }
}
