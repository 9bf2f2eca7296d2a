//! Checksums of stored rows. Bytes that changed can still have the form of a row, with fewer events: the
//! checksum shows that they are damaged.

use audit_core::Result;
use crc32fast::Hasher;

use crate::bytes::damaged;

/// Returns the CRC-32 (ISO 3309) of the number of a row and of its bytes, so that a row is not taken for
/// another one.
fn checksum(number: u64, data: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&number.to_be_bytes());
    hasher.update(data);
    hasher.finalize()
}

/// Appends the checksum of the row `number`.
pub(crate) fn seal(number: u64, data: &mut Vec<u8>) {
    data.extend(checksum(number, data).to_be_bytes());
}

/// Returns the bytes of the row `number` without their checksum.
///
/// # Errors
/// [Damage](crate::is_damage) if it is not theirs.
pub(crate) fn open(number: u64, stored: &[u8]) -> Result<&[u8]> {
    let (data, stored) = stored.split_last_chunk().ok_or_else(damaged)?;
    let is_whole = checksum(number, data) == u32::from_be_bytes(*stored);
    if is_whole { Ok(data) } else { Err(damaged()) }
}

/// Returns the checksum of numbers.
pub(crate) fn of_numbers(numbers: &[i64]) -> i64 {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    checksum(0, &bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_changed_is_damaged() {
        for data in [&b""[..], b"\0", b"some bytes"] {
            let mut stored = data.to_vec();
            seal(7, &mut stored);
            assert_eq!(open(7, &stored).unwrap(), data);
            assert!(open(8, &stored).is_err());
            for at in 0..stored.len() {
                let mut changed = stored.clone();
                changed[at] ^= 0x10;
                assert!(open(7, &changed).is_err(), "{at}");
                assert!(open(7, &stored[..at]).is_err(), "{at}");
            }
        }
        for len in 0..5_000 {
            assert!(open(0, &vec![0; len]).is_err(), "{len}");
        }
    }

    /// The format of stored indexes depends on it.
    #[test]
    fn checksums_are_those_of_the_standard() {
        let mut stored = b"9".to_vec();
        seal(u64::from_be_bytes(*b"12345678"), &mut stored);
        assert_eq!(stored[1..], 0xcbf4_3926_u32.to_be_bytes());
    }
}
