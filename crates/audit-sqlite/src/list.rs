//! A list: the events of a segment that have one term, as rising numbers, in the form in which it
//! is kept.
//!
//! A short list is its length and then the steps from number to number, as varints. A long one is
//! its length and then a Roaring bitmap in that format's own serialization.

use audit_core::{Error, ErrorKind, Result};
use roaring::RoaringBitmap;

/// Up to this length, steps are shorter than a bitmap's header, and fast enough to read.
const SHORT: usize = 128;

/// What is kept is not a list.
pub(crate) fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt).with_context("reading the index")
}

/// Appends the list of `numbers`, which rise, to `out`.
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
    bitmap.serialize_into(out).map_err(|_| damaged())
}

/// How long the list is.
pub(crate) fn len(mut list: &[u8]) -> Result<u64> {
    read_varint(&mut list)
}

/// The list as a set.
pub(crate) fn decode(mut list: &[u8]) -> Result<RoaringBitmap> {
    let len = read_varint(&mut list)?;
    if len <= SHORT as u64 {
        let mut last = 0;
        let mut bitmap = RoaringBitmap::new();
        for _ in 0..len {
            last = step(last, &mut list)?;
            bitmap.insert(last);
        }
        return Ok(bitmap);
    }
    let bitmap = RoaringBitmap::deserialize_from(list).map_err(|error| {
        Error::new(ErrorKind::Corrupt).with_context("reading the index").with_source(error)
    })?;
    if bitmap.len() == len { Ok(bitmap) } else { Err(damaged()) }
}

/// Calls `visit` with each number of the list.
pub(crate) fn for_each(mut list: &[u8], mut visit: impl FnMut(u32) -> Result<()>) -> Result<()> {
    let whole = list;
    let len = read_varint(&mut list)?;
    if len > SHORT as u64 {
        return decode(whole)?.into_iter().try_for_each(visit);
    }
    let mut last = 0;
    for _ in 0..len {
        last = step(last, &mut list)?;
        visit(last)?;
    }
    Ok(())
}

fn step(last: u32, list: &mut &[u8]) -> Result<u32> {
    let step = u32::try_from(read_varint(list)?).map_err(|_| damaged())?;
    last.checked_add(step).ok_or_else(damaged)
}

/// Appends `value` in seven bits a byte, the lowest first.
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// Takes a varint from the front of `bytes`.
pub(crate) fn read_varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or_else(damaged)?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(damaged())
}

/// Takes `count` bytes from the front of `bytes`.
pub(crate) fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Result<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(taken)
}

/// Takes bytes of a fixed number from the front of `bytes`.
pub(crate) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    *bytes = rest;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back_whatever_its_length() {
        for count in [0, 1, 2, 127, 128, 129, 5_000, 70_000] {
            for step in [1, 3, 1_000] {
                let numbers: Vec<u32> = (0..count).map(|n| 2 * n * step + n % 2).collect();
                let mut kept = Vec::new();
                encode(&numbers, &mut kept).unwrap();
                assert_eq!(len(&kept).unwrap(), u64::from(count));
                assert!(decode(&kept).unwrap().into_iter().eq(numbers.iter().copied()));
                let mut visited = Vec::new();
                for_each(&kept, |number| {
                    visited.push(number);
                    Ok(())
                })
                .unwrap();
                assert_eq!(visited, numbers);
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let mut kept = Vec::new();
        encode(&(0..5_000).step_by(7).collect::<Vec<_>>(), &mut kept).unwrap();
        for end in 0..kept.len() {
            assert_eq!(decode(&kept[..end]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        for bytes in [&[0x80; 12][..], &[2, 0xff, 0xff, 0xff, 0xff, 0xff], &[2, 0xff, 0xff, 0xff]] {
            assert!(for_each(bytes, |_| Ok(())).is_err());
        }
    }
}
