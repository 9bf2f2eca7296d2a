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
    /// Calls `visit` with the postings of each of `wanted`, which are sorted.
    pub(crate) fn find(
        self,
        wanted: &[TermKey],
        mut visit: impl FnMut(Location<&'b [u8]>) -> Result<()>,
    ) -> Result<()> {
        let mut wanted = wanted.iter().peekable();
        for entry in self {
            let (key, location) = entry?;
            while wanted.next_if(|wanted| **wanted < key).is_some() {}
            if wanted.next_if(|wanted| **wanted == key).is_some() {
                visit(location)?;
            }
            if wanted.peek().is_none() {
                break;
            }
        }
        Ok(())
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
        let find = |wanted: &[TermKey]| {
            let mut found = Vec::new();
            let visit = |location: Location<&[u8]>| {
                found.push(match location {
                    Location::Inline(bytes) => (bytes.to_vec(), 0),
                    Location::Overflow { part, len } => (Vec::new(), u64::from(part) * len),
                });
                Ok(())
            };
            Bucket(&bucket).find(wanted, visit).map(|()| found).unwrap()
        };
        let (inline, overflow) = ((vec![5, 6], 0), (vec![], 300 * 70_000));
        assert!(find(&[[1; 16]]).iter().eq([&inline]));
        assert!(find(&[[0; 16], [2; 16]]).iter().eq([&overflow]));
        assert_eq!(find(&[[1; 16], [2; 16], [3; 16]]), [inline, overflow]);
        assert_eq!(find(&[[3; 16]]), []);
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
