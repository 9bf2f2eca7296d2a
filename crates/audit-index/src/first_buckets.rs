//! The buckets that a query reads first.

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Scan, Sequence, Total};

use crate::bucket::bucket_of;
use crate::bytes::time_to_number;
use crate::term_key::TermHasher;
use crate::walked::segments_ahead;

/// The buckets that a scan reads first: for a storage that can find them with the directory in one round
/// trip, before it knows the head of the log.
///
/// They are the buckets of some keys in some complete segments. A segment is among these if its bounds
/// overlap those given here: of those segments, the first [`segments`](Self::segments) by their first
/// events, descending if [`is_descending`](Self::is_descending). The bucket of a key is
/// [`prefix`](Self::prefixes)` >> (32 - bucket_bits)`; the number of its part is larger by the rows of the
/// table, one for each [`ROW_ENTRIES`](Self::ROW_ENTRIES) events that the segment begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirstBuckets {
    /// The first 32 bits of each key.
    pub prefixes: Vec<u32>,
    /// How many segments at most.
    pub segments: usize,
    /// Whether the newest segments are first.
    pub is_descending: bool,
    /// The last event of a segment is after this one.
    pub after: Sequence,
    /// The first event of a segment is not after this one.
    pub last: Sequence,
    /// The latest time of a segment is not before this one, as the number that is stored.
    pub earliest: i64,
    /// The earliest time of a segment is not after this one, as the number that is stored.
    pub latest: i64,
}

impl FirstBuckets {
    /// The number of events of a row of a table.
    pub const ROW_ENTRIES: u32 = crate::table::ROW_ENTRIES;

    /// Returns the buckets of a scan; `None` if it reads none.
    pub fn of(scan: &Scan, hasher: &TermHasher) -> Option<Self> {
        let query = IndexQuery::of(scan, Sequence::MAX, Sequence::ZERO)?;
        let clauses = hasher.clauses(&query.clauses);
        let keys = clauses.iter().flatten();
        let prefixes: Vec<u32> = keys.map(|key| bucket_of(key, u32::BITS)).collect();
        // To count, all segments are read.
        let is_counted = scan.total == Total::Exact || scan.offset > 0;
        let (low, high) = query.span();
        (!prefixes.is_empty()).then(|| Self {
            prefixes,
            segments: if is_counted { usize::MAX } else { segments_ahead(&clauses) },
            is_descending: matches!(scan.order, Order::NewestFirst | Order::SequenceReversed),
            after: query.first_after(),
            last: query.last(),
            earliest: time_to_number(if is_counted { query.earliest } else { low.occurred_at }),
            latest: time_to_number(if is_counted { query.latest } else { high.occurred_at }),
        })
    }
}
