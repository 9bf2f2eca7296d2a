//! Postings: the events of a segment that have one term, as rising numbers, in their stored form.
//!
//! Short postings are the length followed by the differences between the numbers, as varints. Long
//! ones are the length followed by a Roaring bitmap in that format's portable serialization.

use audit_core::Result;
use roaring::RoaringBitmap;

use crate::bytes::{damaged, read_varint, write_varint};

/// Up to this length, differences are shorter than the header of a bitmap, and fast to read.
const SHORT: usize = 128;

/// Appends the postings of `numbers`, which rise, to `out`.
pub(crate) fn encode(numbers: &[u32], out: &mut Vec<u8>) -> Result<()> {
    write_varint(numbers.len() as u64, out);
    if numbers.len() <= SHORT {
        let mut last = 0;
        for number in numbers {
            write_varint(u64::from(number - last), out);
            last = *number;
        }
        return Ok(());
    }
    let mut bitmap =
        RoaringBitmap::from_sorted_iter(numbers.iter().copied()).map_err(|_| damaged())?;
    bitmap.optimize();
    bitmap.serialize_into(out).map_err(|error| damaged().with_source(error))
}

/// Returns how many numbers there are.
pub(crate) fn len(mut postings: &[u8]) -> Result<u64> {
    read_varint(&mut postings)
}

/// Returns the numbers as a set.
pub(crate) fn decode(mut postings: &[u8]) -> Result<RoaringBitmap> {
    let len = read_varint(&mut postings)?;
    if len <= SHORT as u64 {
        let mut last = 0;
        let mut bitmap = RoaringBitmap::new();
        for _ in 0..len {
            last = next(last, &mut postings)?;
            bitmap.insert(last);
        }
        return Ok(bitmap);
    }
    let bitmap =
        RoaringBitmap::deserialize_from(postings).map_err(|error| damaged().with_source(error))?;
    if bitmap.len() == len { Ok(bitmap) } else { Err(damaged()) }
}

/// Calls `visit` with each number.
pub(crate) fn for_each(
    mut postings: &[u8],
    mut visit: impl FnMut(u32) -> Result<()>,
) -> Result<()> {
    let whole = postings;
    let len = read_varint(&mut postings)?;
    if len > SHORT as u64 {
        return decode(whole)?.into_iter().try_for_each(visit);
    }
    let mut last = 0;
    for _ in 0..len {
        last = next(last, &mut postings)?;
        visit(last)?;
    }
    Ok(())
}

/// Returns the postings without the numbers of `removed`.
pub(crate) fn without(postings: &[u8], removed: &RoaringBitmap) -> Result<Vec<u8>> {
    let left: Vec<u32> = (decode(postings)? - removed).into_iter().collect();
    let mut postings = Vec::new();
    encode(&left, &mut postings)?;
    Ok(postings)
}

fn next(last: u32, postings: &mut &[u8]) -> Result<u32> {
    let step = u32::try_from(read_varint(postings)?).map_err(|_| damaged())?;
    last.checked_add(step).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use audit_core::ErrorKind;

    use super::*;

    #[test]
    fn postings_of_every_length_round_trip() {
        for count in [0, 1, 2, 127, 128, 129, 5_000, 70_000] {
            for step in [1, 3, 1_000] {
                let numbers: Vec<u32> = (0..count).map(|n| 2 * n * step + n % 2).collect();
                let mut stored = Vec::new();
                encode(&numbers, &mut stored).unwrap();
                assert_eq!(len(&stored).unwrap(), u64::from(count));
                assert!(decode(&stored).unwrap().into_iter().eq(numbers.iter().copied()));
                let mut visited = Vec::new();
                for_each(&stored, |number| {
                    visited.push(number);
                    Ok(())
                })
                .unwrap();
                assert_eq!(visited, numbers);
                let removed = numbers.iter().copied().step_by(2).collect();
                let left = without(&stored, &removed).unwrap();
                let odd = numbers.iter().copied().skip(1).step_by(2);
                assert!(decode(&left).unwrap().into_iter().eq(odd));
            }
        }
    }

    #[test]
    fn damaged_postings_are_an_error() {
        let mut stored = Vec::new();
        encode(&(0..5_000).step_by(7).collect::<Vec<_>>(), &mut stored).unwrap();
        for end in 0..stored.len() {
            assert_eq!(decode(&stored[..end]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        for bytes in [&[0x80; 12][..], &[2, 0xff, 0xff, 0xff, 0xff, 0xff], &[2, 0xff, 0xff, 0xff]] {
            assert!(for_each(bytes, |_| Ok(())).is_err());
        }
    }
}
