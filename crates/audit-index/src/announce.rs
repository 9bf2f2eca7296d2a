//! What a remote storage reads of segments ahead of a walk or of a count.

use audit_core::Result;
use audit_core::backend::index::IndexQuery;

use crate::bytes::time_to_number;
use crate::part::{PartId, TableSearch};
use crate::reader::{SegmentReader, Union, cuts, is_length, overflows_of};
use crate::segment::Segment;
use crate::storage::ReadParts;
use crate::term_key::TermKey;

/// A page begins within the last sixteenth of a segment so rarely that nothing is read for that case.
const PART_LEFT: u64 = 16;

impl<P: ReadParts> SegmentReader<P> {
    /// Announces the buckets of `clauses` in some segments.
    fn prefetch(&mut self, segments: &[Segment], clauses: &[Vec<TermKey>]) -> Result<()> {
        let of_segment =
            |segment| clauses.iter().flatten().map(move |key| Segment::bucket_of(segment, key));
        self.parts.prefetch(segments.iter().flat_map(of_segment))
    }

    /// Announces what it takes to [find](Self::find) events in some segments. From a remote storage, reads
    /// it for the first `least` segments, and for more until they can be expected to have `enough` events,
    /// in two round trips at most. Returns for how many segments it is announced.
    pub(crate) fn announce(
        &mut self,
        segments: &[Segment],
        clauses: &[Vec<TermKey>],
        query: &IndexQuery,
        least: usize,
        enough: u64,
    ) -> Result<usize> {
        self.prefetch(segments, clauses)?;
        if !P::IS_REMOTE {
            return Ok(segments.len());
        }
        let (mut overflows, mut searches) = (Vec::new(), Vec::new());
        let (mut announced, mut expected) = (0, 0);
        for segment in segments {
            if announced >= least && expected >= enough {
                break;
            }
            announced += 1;
            let Some(unions) = self.locate(segment, clauses).ok().flatten() else { continue };
            // A page that begins within a segment can have few of its events left.
            let of_page = if announced <= least { PART_LEFT } else { 1 };
            expected += expected_len(segment, &unions) / of_page;
            overflows.extend(overflows_of(segment, &unions));
            searches.extend(searches_of(segment, query));
        }
        self.search(overflows, &searches)?;
        Ok(announced)
    }

    /// Announces what it takes to [count](Self::count) the events of some segments.
    pub(crate) fn announce_counts(
        &mut self,
        segments: &[Segment],
        clauses: &[Vec<TermKey>],
        query: &IndexQuery,
    ) -> Result<()> {
        let is_counted = |segment: &&Segment| !is_length(segment, clauses, query);
        let to_find: Vec<Segment> = segments.iter().filter(is_counted).copied().collect();
        self.prefetch(segments, clauses)?;
        self.announce(&to_find, clauses, query, to_find.len(), 0).map(drop)
    }

    fn search(&mut self, parts: Vec<PartId>, searches: &[TableSearch]) -> Result<()> {
        if parts.is_empty() && searches.is_empty() {
            return Ok(());
        }
        let rows = self.parts.search(parts.into_iter(), searches)?;
        let found = searches.iter().map(|search| (search.segment, search.before)).zip(rows);
        self.found.extend(found);
        Ok(())
    }
}

/// Returns the searches for the ends of a query in the table of a segment.
fn searches_of(segment: &Segment, query: &IndexQuery) -> impl Iterator<Item = TableSearch> {
    let (low, high) = cuts(segment, query);
    let (segment, rows) = (segment.id(), segment.table_rows());
    [low, high].into_iter().flatten().map(move |position| TableSearch {
        segment,
        rows,
        before: time_to_number(position.occurred_at),
    })
}

/// Returns the number of events of a segment that can be expected to match, if the clauses have nothing to
/// do with each other.
fn expected_len(segment: &Segment, unions: &[Union]) -> u64 {
    let len = u64::from(segment.len());
    unions.iter().fold(len, |expected, union| expected.saturating_mul(union.len) / len.max(1))
}
