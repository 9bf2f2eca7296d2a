//! Numbers and times as bytes.

use audit_core::{Error, ErrorKind, Result, Timestamp};

/// The field of an error that says that the index is damaged.
pub(crate) const DAMAGED: &str = "index";

/// Returns the error for bytes that are not part of an index.
pub fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt).with_context("reading the index").with_field(DAMAGED)
}

/// Returns the error for a damaged value, with its cause.
pub(crate) fn damaged_value(source: Error) -> Error {
    damaged().with_source(source)
}

/// Appends `value` with seven bits to a byte, the lowest first.
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

/// Takes an array from the front of `bytes`.
pub(crate) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    *bytes = rest;
    Ok(*taken)
}

/// Returns the stored number of a time.
pub(crate) fn time_to_number(time: Timestamp) -> i64 {
    time.as_nanos()
}

/// Returns the time of a stored number.
pub(crate) fn time_from_number(number: i64) -> Timestamp {
    Timestamp::from_nanos(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(value, &mut bytes);
            let mut rest = &bytes[..];
            assert_eq!(read_varint(&mut rest).unwrap(), value);
            assert!(rest.is_empty());
            assert!(read_varint(&mut &bytes[..bytes.len() - 1]).is_err());
        }
        assert!(read_varint(&mut &[0x80; 12][..]).is_err());
    }
}
