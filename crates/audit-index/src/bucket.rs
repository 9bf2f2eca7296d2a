//! A bucket: the postings of some terms of a segment, sorted by key, in one part.

use audit_core::Result;

use crate::bytes::{damaged, read_varint, take, take_array, write_varint};
use crate::term_key::TermKey;

/// Iterates over the entries of a bucket. The entries may be followed by [`PADDING`].
pub(crate) struct Bucket<'b>(pub(crate) &'b [u8]);

/// Fills the bytes of removed entries, so that a part keeps its length. No key consists of it.
pub(crate) const PADDING: u8 = 0xff;

/// Where the postings of a term are stored.
pub(crate) enum Location<I> {
    /// In the bucket.
    Inline(I),
    /// In a part of their own; `len` is how many numbers they have.
    Overflow { part: u32, len: u64 },
}

/// Returns the number of the bucket of a key, among 2 to the power of `bits`.
pub(crate) fn bucket_of(key: &TermKey, bits: u32) -> u32 {
    let [a, b, c, d, ..] = *key;
    u32::from_be_bytes([a, b, c, d]).checked_shr(u32::BITS - bits).unwrap_or(0)
}

/// Appends an entry to a bucket.
pub(crate) fn push(bucket: &mut Vec<u8>, key: &TermKey, location: &Location<&[u8]>) {
    bucket.extend(key);
    match location {
        Location::Inline(postings) => {
            write_varint((postings.len() as u64) << 1, bucket);
            bucket.extend(*postings);
        }
        Location::Overflow { part, len } => {
            write_varint(u64::from(*part) << 1 | 1, bucket);
            write_varint(*len, bucket);
        }
    }
}

impl<'b> Bucket<'b> {
    /// Returns the postings of `wanted`.
    pub(crate) fn find(self, wanted: &TermKey) -> Result<Option<Location<&'b [u8]>>> {
        for entry in self {
            let (key, location) = entry?;
            if key >= *wanted {
                return Ok((key == *wanted).then_some(location));
            }
        }
        Ok(None)
    }

    fn take(&mut self) -> Result<(TermKey, Location<&'b [u8]>)> {
        let key = take_array(&mut self.0)?;
        let tagged = read_varint(&mut self.0)?;
        let location = if tagged & 1 == 0 {
            let len = usize::try_from(tagged >> 1).map_err(|_| damaged())?;
            Location::Inline(take(&mut self.0, len)?)
        } else {
            let part = u32::try_from(tagged >> 1).map_err(|_| damaged())?;
            Location::Overflow { part, len: read_varint(&mut self.0)? }
        };
        Ok((key, location))
    }
}

impl<'b> Iterator for Bucket<'b> {
    type Item = Result<(TermKey, Location<&'b [u8]>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.iter().take(size_of::<TermKey>()).all(|byte| *byte == PADDING) {
            return None;
        }
        let entry = self.take();
        if entry.is_err() {
            self.0 = &[];
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_damage_is_an_error() {
        let mut bucket = Vec::new();
        push(&mut bucket, &[1; 16], &Location::Inline(&[5, 6]));
        let first = bucket.len();
        push(&mut bucket, &[2; 16], &Location::Overflow { part: 300, len: 70_000 });
        let whole = bucket.len();
        bucket.resize(whole + 40, PADDING);
        assert_eq!(Bucket(&bucket).count(), 2);
        let found = Bucket(&bucket).find(&[1; 16]).unwrap();
        assert!(matches!(found, Some(Location::Inline([5, 6]))));
        let found = Bucket(&bucket).find(&[2; 16]).unwrap();
        assert!(matches!(found, Some(Location::Overflow { part: 300, len: 70_000 })));
        assert!(Bucket(&bucket).find(&[3; 16]).unwrap().is_none());
        for end in 1..whole {
            let entries: Vec<_> = Bucket(&bucket[..end]).collect();
            let is_damaged = entries.last().is_some_and(Result::is_err);
            assert_eq!(is_damaged, end != first, "{end}");
            assert_eq!(entries.iter().flatten().count(), usize::from(end >= first), "{end}");
        }
    }

    #[test]
    fn the_first_bits_of_a_key_choose_its_bucket() {
        let key = [0b1010_0000; 16];
        assert_eq!([0, 1, 3, 8].map(|bits| bucket_of(&key, bits)), [0, 1, 5, 0b1010_0000]);
    }
}
