//! The entry of an event, and its bytes in the tail.

use audit_core::{Result, Timestamp};

use crate::bytes::{read_varint, take, take_array, time_from_number, time_to_number, write_varint};
use crate::term_key::TermKey;

/// The index entry of an event: its time and the keys of its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// When it occurred.
    pub occurred_at: Timestamp,
    /// The keys of its terms; see [`TermHasher::keys`](crate::TermHasher::keys).
    pub keys: Vec<TermKey>,
}

/// Replaces a removed key. No term has this key.
pub(crate) const REMOVED: TermKey = [0; size_of::<TermKey>()];

impl IndexEntry {
    /// Appends the bytes of the entry to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(time_to_number(self.occurred_at).to_be_bytes());
        write_varint(self.keys.len() as u64, out);
        self.keys.iter().for_each(|key| out.extend(key));
    }

    /// Takes an entry from the front of `bytes`, without its removed keys.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Result<Self> {
        let (occurred_at, keys) = split_entry(bytes)?;
        let keys = keys.iter().copied().filter(|key| *key != REMOVED).collect();
        Ok(Self { occurred_at, keys })
    }
}

/// Takes an entry from the front of `bytes`. Its keys are as they are stored: removed ones are
/// [`REMOVED`].
pub(crate) fn split_entry<'b>(bytes: &mut &'b [u8]) -> Result<(Timestamp, &'b [TermKey])> {
    let occurred_at = time_from_number(i64::from_be_bytes(take_array(bytes)?));
    let count = usize::try_from(read_varint(bytes)?).unwrap_or(usize::MAX);
    let keys = take(bytes, count.saturating_mul(size_of::<TermKey>()))?;
    let (keys, _) = keys.as_chunks();
    Ok((occurred_at, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_damage_is_an_error() {
        let entry = IndexEntry {
            occurred_at: Timestamp::from_nanos(-5),
            keys: (1..=200).map(|n| [n; 16]).collect(),
        };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(IndexEntry::decode(&mut &*bytes).unwrap(), entry);
        for end in 0..bytes.len() {
            assert!(IndexEntry::decode(&mut &bytes[..end]).is_err());
        }
    }
}
