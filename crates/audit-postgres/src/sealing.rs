//! Sealed personal data: events as they are read, and the keys of those that are written.
//!
//! The table `key` has one [key](GroupKey) for each 32 events. A row is small and its bytes are
//! replaced at an erasure, so that no row of `event` is written again.

use std::collections::BTreeMap;

use audit_core::backend::{SequencedEvent, StoredEvent};
use audit_core::{ErrorKind, LeafHash, Result, Sequence};
use audit_index::TermKey;
use audit_sealing::{Group, GroupKey};
use tokio_postgres::Row;

use crate::connection::{column, sequence};
use crate::error::{corrupt, damaged};

const SALT: usize = 16;

/// The columns of an event, in the order in which [`SealedEvent::read`] reads them. The event is `e`, and
/// its key is joined.
macro_rules! event_columns {
    () => {
        concat!("e.sequence, e.leaf, e.record, e.personal, ", $crate::keys::key_column!())
    };
}

pub(crate) use event_columns;

/// An event as read from the server, its personal data still sealed. It can be unsealed after the
/// connection is free.
#[derive(Clone)]
pub(crate) struct SealedEvent {
    pub(crate) sequence: Sequence,
    pub(crate) leaf: LeafHash,
    record: Vec<u8>,
    personal: Option<Vec<u8>>,
    /// The stored form of the key of its group.
    key: Option<Vec<u8>>,
}

impl SealedEvent {
    /// Reads the event from its columns, the first of which is `at`. A leaf that is no hash is read as
    /// a wrong one, so that verification reports the event.
    pub(crate) fn read(row: &Row, at: usize) -> Result<Self> {
        let leaf: &[u8] = column(row, at + 1)?;
        let record: String = column(row, at + 2)?;
        Ok(Self {
            sequence: sequence(row, at)?,
            leaf: LeafHash::from_bytes(leaf.try_into().unwrap_or_default()),
            record: record.into_bytes(),
            personal: column(row, at + 3)?,
            key: column(row, at + 4)?,
        })
    }

    /// Returns the size of both parts in bytes, as [`StoredEvent::size`] does.
    pub(crate) fn size(&self) -> usize {
        let personal = self.personal.as_ref().map_or(0, Vec::len);
        self.record.len() + personal.saturating_sub(SALT)
    }

    /// Returns `true` if the row has personal data, whether or not it can be unsealed.
    pub(crate) fn has_personal(&self) -> bool {
        self.personal.is_some()
    }

    /// Returns the key of the group; `None` if it is missing or damaged.
    pub(crate) fn group_key(&self) -> Option<GroupKey> {
        self.key.as_deref().and_then(|key| GroupKey::from_bytes(key).ok())
    }

    /// Unseals the personal data. Without its key it counts as erased.
    pub(crate) fn unseal(self) -> StoredEvent {
        let Self { sequence, leaf, record, personal, key } = self;
        let key = key.and_then(|key| GroupKey::from_bytes(&key).ok());
        let key = key.and_then(|key| key.event_key(sequence));
        let personal = personal.zip(key).and_then(|(sealed, key)| key.unseal(leaf, sealed));
        StoredEvent::new(record, personal)
    }

    /// Unseals the personal data of an event that is asked for.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) if its key is missing or damaged.
    pub(crate) fn unseal_whole(self) -> Result<StoredEvent> {
        if self.personal.is_some() {
            let key = self.key.as_deref().ok_or_else(|| corrupt("a key is missing"))?;
            GroupKey::from_bytes(key).map_err(|error| match error.kind() {
                ErrorKind::Incompatible => error,
                _ => damaged(error),
            })?;
        }
        Ok(self.unseal())
    }
}

/// The keys of the groups to which a transaction adds events.
#[derive(Debug, Default)]
pub(crate) struct GroupKeys(BTreeMap<Group, GroupKey>);

impl GroupKeys {
    /// Adds the stored key of a group. One that is damaged is replaced by a new one.
    pub(crate) fn insert(&mut self, group: Group, key: &[u8]) {
        if let Ok(key) = GroupKey::from_bytes(key) {
            self.0.insert(group, key);
        }
    }

    /// Seals the personal data of adjacent events, given in order, and removes it from them. Adds to
    /// `new` the keys that it creates.
    pub(crate) fn seal(
        &mut self,
        events: &mut [SequencedEvent<TermKey>],
        new: &mut Vec<(Group, Vec<u8>)>,
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let mut sealed = Vec::with_capacity(events.len());
        let group_of = |event: &SequencedEvent<TermKey>| Group::of(event.sequence);
        for of_group in events.chunk_by_mut(|a, b| group_of(a) == group_of(b)) {
            let [first, ..] = of_group else { continue };
            let (group, first) = (group_of(first), first.sequence);
            let last = Sequence::new(first.get() + of_group.len() as u64 - 1)?;
            let key = match self.0.entry(group) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(unknown) => {
                    let key = GroupKey::generate()?;
                    new.push((group, key.to_bytes()));
                    unknown.insert(key)
                }
            };
            for (event, key) in of_group.iter_mut().zip(key.event_keys(first..=last)) {
                let personal = event.stored.personal.take();
                sealed.push(match (personal, key) {
                    (Some(data), Some(key)) => Some(key.seal(event.leaf, &data)),
                    (None, _) => None,
                    (Some(_), None) => return Err(corrupt("a new event has no key")),
                });
            }
        }
        Ok(sealed)
    }
}
