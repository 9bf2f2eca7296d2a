//! Writing the buckets of a segment.

use audit_core::Result;

use crate::bucket::{self, Location, bucket_of};
use crate::bytes::damaged;
use crate::part::NewPart;
use crate::segment::{BUCKET_BYTES, MAX_PARTS, SegmentInfo};
use crate::term_key::TermKey;

/// Postings with more bytes get their own part.
const INLINE_BYTES: usize = 1_024;

/// Makes the parts of a segment that hold postings, from terms in the order of their keys.
pub(crate) struct BucketWriter<'i> {
    info: &'i SegmentInfo,
    /// The bucket to which terms are added.
    number: u32,
    bucket: Vec<u8>,
    last: Option<TermKey>,
    /// The number of the next part with long postings.
    next_overflow: u32,
    parts: Vec<NewPart>,
    /// The cost of the parts.
    cost: usize,
}

impl<'i> BucketWriter<'i> {
    /// Begins with bucket `number` of the segment. The next long postings get the part
    /// `next_overflow`.
    pub(crate) fn new(info: &'i SegmentInfo, number: u32, next_overflow: u32) -> Self {
        let bucket = Vec::with_capacity(2 * BUCKET_BYTES);
        Self { info, number, bucket, last: None, next_overflow, parts: Vec::new(), cost: 0 }
    }

    /// Returns the bucket to which terms are added: those before it are complete.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Returns the bucket of a key.
    pub(crate) fn bucket_of(&self, key: &TermKey) -> u32 {
        bucket_of(key, self.info.bucket_bits)
    }

    /// Completes the buckets before `number`, or only the first of them until the parts cost
    /// `budget`, but at least one.
    pub(crate) fn complete(&mut self, number: u32, budget: usize) {
        while self.number < number {
            let data = self.bucket.clone();
            self.bucket.clear();
            self.add(self.info.table_rows() + self.number, data);
            self.number += 1;
            if self.cost >= budget {
                break;
            }
        }
    }

    /// Adds a term of the current bucket.
    pub(crate) fn push(&mut self, key: &TermKey, len: u64, postings: &[u8]) -> Result<()> {
        if self.bucket_of(key) != self.number || self.last.is_some_and(|last| last >= *key) {
            return Err(damaged());
        }
        self.last = Some(*key);
        if postings.len() <= INLINE_BYTES {
            bucket::push(&mut self.bucket, key, &Location::Inline(postings));
            return Ok(());
        }
        let part = self.next_overflow;
        if part >= MAX_PARTS {
            return Err(damaged());
        }
        bucket::push(&mut self.bucket, key, &Location::Overflow { part, len });
        self.add(part, postings.to_vec());
        self.next_overflow += 1;
        Ok(())
    }

    fn add(&mut self, number: u32, data: Vec<u8>) {
        let part = NewPart::new(number, data);
        self.cost += part.cost();
        self.parts.push(part);
    }

    /// Returns the cost of the parts so far.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Returns the parts.
    pub(crate) fn into_parts(self) -> Vec<NewPart> {
        self.parts
    }
}
