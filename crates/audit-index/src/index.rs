//! The index of one log, for reading.

use audit_core::backend::index::{Index, IndexQuery};
use audit_core::{Order, Position, Result, Sequence, Timestamp};

use crate::bytes::damaged;
use crate::check::check_directory;
use crate::reader::SegmentReader;
use crate::segment::Segment;
use crate::storage::IndexStorage;
use crate::tail;
use crate::term_key::{TermHasher, TermKey};
use crate::walk::Found;
use crate::walked::Segments;

/// The index of one log, as one snapshot of the storage has it. Answers scans through
/// [`select`](audit_core::backend::index::select).
#[derive(Debug)]
pub struct LogIndex<'s, S> {
    /// The storage of the log's index.
    pub storage: &'s S,
    /// Makes the keys of terms.
    pub hasher: &'s TermHasher,
    /// The last event of the log.
    pub size: Sequence,
    /// The last event in a segment; the events after it are in the tail.
    pub indexed: Sequence,
}

impl<S: IndexStorage> LogIndex<'_, S> {
    fn in_tail(&self, clauses: &[Vec<TermKey>], query: &IndexQuery) -> Result<Vec<Position>> {
        if self.indexed > self.size {
            return Err(damaged());
        }
        if query.bound <= self.indexed {
            return Ok(Vec::new());
        }
        tail::find(self.storage, self.indexed.next(), self.size, clauses, query)
    }

    /// Returns the segments that can have events for `query`, the newest first.
    fn segments(&self, query: &IndexQuery) -> Result<Vec<Segment>> {
        let mut segments = self.storage.directory()?;
        check_directory(&segments, query.floor, self.indexed)?;
        segments.retain(|segment| segment.is_complete() && segment.is_within(query));
        Ok(segments)
    }
}

impl<'s, S: IndexStorage> Index for LogIndex<'s, S> {
    type Found<'a>
        = Found<S::Parts<'s>>
    where
        Self: 'a;

    fn find(&self, query: IndexQuery) -> Result<Found<S::Parts<'s>>> {
        let clauses = self.hasher.clauses(&query.clauses);
        let is_by_sequence = !query.order.is_by_time();
        let is_any_time = query.earliest == Timestamp::MIN && query.latest == Timestamp::MAX;
        if is_by_sequence && is_any_time && clauses.is_empty() {
            let all = query.first_after().get() + 1..query.last().get() + 1;
            return Ok(match query.order {
                Order::SequenceReversed => Found::all_reversed(all),
                _ => Found::all(all),
            });
        }
        let tail = self.in_tail(&clauses, &query)?;
        let mut waiting = self.segments(&query)?;
        if query.order == Order::SequenceReversed {
            waiting.reverse();
        }
        let segments = Segments::new(self.storage.parts()?, clauses, query, waiting);
        Ok(if is_by_sequence {
            Found::by_sequence(segments, tail)
        } else {
            Found::by_time(segments, tail)
        })
    }

    fn count(&self, query: IndexQuery) -> Result<u64> {
        let mut clauses = self.hasher.clauses(&query.clauses);
        let mut count = self.in_tail(&clauses, &query)?.len() as u64;
        let segments = self.segments(&query)?;
        let mut reader = SegmentReader::new(self.storage.parts()?);
        reader.announce_counts(&segments, &clauses, &query)?;
        for segment in segments {
            count += reader.count(&segment, &mut clauses, &query)?;
        }
        Ok(count)
    }
}
