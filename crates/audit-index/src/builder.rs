//! Building a segment in memory.

use audit_core::{Result, Sequence};

use crate::buckets::BucketWriter;
use crate::bytes::{time_from_number, time_to_number};
use crate::entry::IndexEntry;
use crate::part::NewPart;
use crate::postings;
use crate::segment::{BUCKET_BYTES, MAX_BUCKET_BITS, SegmentInfo};
use crate::table::Ranking;
use crate::term_key::TermKey;

/// A segment that is ready to be written: for a store that writes it together with other rows of the
/// append. [`IndexWriter`](crate::IndexWriter) builds and writes others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewSegment {
    /// Its bounds.
    pub info: SegmentInfo,
    /// Its parts, by number.
    pub parts: Vec<NewPart>,
}

impl NewSegment {
    /// Builds the segment of `entries`, which begin with the event `first`.
    ///
    /// # Errors
    /// [`Corrupt`](audit_core::ErrorKind::Corrupt) if there are no entries, or more than a segment
    /// can have.
    pub fn of(first: Sequence, entries: &[IndexEntry]) -> Result<Self> {
        let times = entries.iter().map(|entry| time_to_number(entry.occurred_at)).collect();
        let ranking = Ranking::new(times)?;
        let mut pairs: Vec<(TermKey, u32)> =
            Vec::with_capacity(entries.iter().map(|entry| entry.keys.len()).sum());
        for (entry, rank) in entries.iter().zip(ranking.ranks()) {
            pairs.extend(entry.keys.iter().map(|key| (*key, *rank)));
        }
        pairs.sort_unstable();
        let (mut terms, mut bytes, mut ranks) = (Vec::new(), Vec::new(), Vec::new());
        for of_key in pairs.chunk_by(|a, b| a.0 == b.0) {
            let Some((key, _)) = of_key.first() else { continue };
            ranks.clear();
            ranks.extend(of_key.iter().map(|(_, rank)| *rank));
            let begin = bytes.len();
            postings::encode(&ranks, &mut bytes)?;
            terms.push((*key, ranks.len() as u64, begin..bytes.len()));
        }
        let size = bytes.len() + terms.len() * size_of::<TermKey>();
        let (earliest, latest) = ranking.span()?;
        let info = SegmentInfo {
            first,
            last: Sequence::new(first.get() + entries.len() as u64 - 1)?,
            earliest: time_from_number(earliest),
            latest: time_from_number(latest),
            bucket_bits: bucket_bits(size),
        };
        let mut buckets = BucketWriter::new(&info, 0, info.fixed_parts());
        for (key, len, range) in terms {
            buckets.complete(buckets.bucket_of(&key), usize::MAX);
            buckets.push(&key, len, &bytes[range])?;
        }
        buckets.complete(info.buckets(), usize::MAX);
        let mut parts = buckets.into_parts();
        parts.extend((0..).zip(ranking.rows(0)).map(|(number, data)| NewPart::new(number, data)));
        parts.sort_unstable_by_key(|part| part.number);
        Ok(Self { info, parts })
    }
}

/// Returns the number of buckets, as a power of two, for terms and postings of this number of bytes.
pub(crate) fn bucket_bits(bytes: usize) -> u32 {
    (bytes / BUCKET_BYTES).next_power_of_two().ilog2().min(MAX_BUCKET_BITS)
}
