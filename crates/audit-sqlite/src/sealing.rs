//! Encrypts personal data, so that an erasure reaches every byte of the file.
//!
//! When SQLite splits a page, copies of rows remain in its unused bytes and are not overwritten.
//! Therefore personal data, with its salt, is stored encrypted. The keys are in a table of their
//! own, whose rows are only appended, and overwritten in place by the same number of bytes: SQLite
//! never moves or copies such a row. Each key seals up to thirty-two adjacent events of a log. When
//! some of them are erased, the others are sealed with a new key and the old key is overwritten.
//! From then on no copy of the erased data can be decrypted.
//!
//! The encryption does not protect against somebody who has the file: the keys are in it.

use audit_core::tree::Tile;
use audit_core::{
    Result, Sequence,
    backend::{PersonalData, StoredEvent},
};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::sqlite;
use crate::schema;

/// Reads a key.
pub(crate) const READ_KEY: &str = "SELECT key FROM audit_sealing_key WHERE id = ?1";
/// Overwrites a key.
pub(crate) const OVERWRITE_KEY: &str = "UPDATE audit_sealing_key SET key = ?2 WHERE id = ?1";
/// Reads the personal data that one key can have sealed.
pub(crate) const READ_SEALED: &str = "SELECT event_key, sealing_key, personal FROM audit_event
     WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";
/// Replaces the sealed personal data of an event.
pub(crate) const SEAL_AGAIN: &str = "UPDATE audit_event SET personal = ?2 WHERE event_key = ?1";

const SALT: usize = 16;
/// The bytes of four blocks of the cipher, which take it as long as one.
const AT_ONCE: usize = 256;

/// The key of some adjacent events of a log.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// Its number in the file.
    pub(crate) id: i64,
    bytes: [u8; 32],
}

impl Key {
    /// Creates a key and writes it.
    pub(crate) fn create(connection: &Connection) -> Result<Self> {
        let bytes = audit_core::TokenKeys::generate_secret()?;
        let insert = || {
            connection
                .prepare_cached("INSERT INTO audit_sealing_key (key) VALUES (?1)")?
                .insert([bytes])
        };
        Ok(Self { id: insert().map_err(sqlite("writing a key"))?, bytes })
    }

    /// Reads the key with that number; `None` if the row is missing or does not hold a key.
    pub(crate) fn read(connection: &Connection, id: i64) -> Result<Option<Self>> {
        let query =
            || connection.prepare_cached(READ_KEY)?.query_row([id], |row| row.get(0)).optional();
        let bytes: Option<Vec<u8>> = query().map_err(sqlite("reading a key"))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(|bytes| Self { id, bytes }))
    }

    /// Overwrites the bytes of the key.
    fn overwrite(self, connection: &Connection, bytes: [u8; 32]) -> Result<Self> {
        // The same number of bytes, so that SQLite writes them in place.
        let update = || connection.prepare_cached(OVERWRITE_KEY)?.execute(params![self.id, bytes]);
        update().map_err(sqlite("overwriting a key"))?;
        Ok(Self { bytes, ..self })
    }

    /// Returns `true` if the event `sequence` has the same key as the event before it.
    pub(crate) fn is_shared_by(sequence: Sequence) -> bool {
        !sequence.previous().get().is_multiple_of(Tile::WIDTH)
    }

    /// Returns the bytes to store for the personal data of an event.
    pub(crate) fn seal(self, event_key: i64, data: &PersonalData) -> Vec<u8> {
        let mut bytes = [&data.salt[..], &data.bytes].concat();
        self.apply(event_key, &mut bytes);
        bytes
    }

    /// Encrypts or decrypts. The event key is the nonce: each event is sealed once under a key.
    fn apply(self, event_key: i64, bytes: &mut [u8]) {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&event_key.to_be_bytes());
        let mut cipher = ChaCha20::new(&self.bytes.into(), &nonce.into());
        for part in bytes.chunks_mut(AT_ONCE) {
            let mut stream = [0; AT_ONCE];
            cipher.apply_keystream(&mut stream);
            part.iter_mut().zip(stream).for_each(|(byte, key)| *byte ^= key);
        }
    }
}

/// Reads keys in one transaction. Remembers the last one, because adjacent events share a key.
pub(crate) struct Keys<'c> {
    pub(crate) connection: &'c Connection,
    last: Option<Key>,
}

impl<'c> Keys<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, last: None }
    }

    fn read(&mut self, id: i64) -> Result<Option<Key>> {
        if self.last.is_none_or(|key| key.id != id) {
            self.last = Key::read(self.connection, id)?;
        }
        Ok(self.last)
    }
}

/// An event as read from the file, its personal data still sealed. It can be unsealed after the
/// snapshot has ended and the thread is free.
pub(crate) struct SealedEvent {
    event_key: i64,
    record: Vec<u8>,
    sealed: Option<(Key, Vec<u8>)>,
}

impl SealedEvent {
    /// Returns the event of these columns. Personal data whose key is missing counts as erased.
    pub(crate) fn read(
        keys: &mut Keys<'_>,
        event_key: i64,
        record: Vec<u8>,
        key: Option<i64>,
        personal: Option<Vec<u8>>,
    ) -> Result<Self> {
        let sealed = match (key, personal) {
            (Some(id), Some(bytes)) => keys.read(id)?.map(|key| (key, bytes)),
            _ => None,
        };
        Ok(Self { event_key, record, sealed })
    }

    /// Returns `true` if the event has personal data.
    pub(crate) fn has_personal(&self) -> bool {
        self.sealed.is_some()
    }

    /// Returns the size of both parts in bytes, as [`StoredEvent::size`] does.
    pub(crate) fn size(&self) -> usize {
        let personal = self.sealed.as_ref().map_or(0, |(_, bytes)| bytes.len());
        self.record.len() + personal.saturating_sub(SALT)
    }

    /// Decrypts the personal data.
    pub(crate) fn unseal(self) -> StoredEvent {
        let Self { event_key, record, sealed } = self;
        let decrypt = |(key, mut bytes): (Key, Vec<u8>)| {
            key.apply(event_key, &mut bytes);
            let salt = *bytes.first_chunk::<SALT>()?;
            bytes.drain(..SALT);
            Some(PersonalData::new(salt, bytes))
        };
        StoredEvent::new(record, sealed.and_then(decrypt))
    }
}

/// Overwrites the keys of these events of a log, given in order, whose personal data has been
/// removed from their rows. Seals the other personal data of the same keys again. Returns the new
/// keys.
pub(crate) fn destroy(
    connection: &Connection,
    log: i64,
    sequences: &[Sequence],
) -> Result<Vec<Key>> {
    let group = |sequence: &Sequence| sequence.previous().get() / Tile::WIDTH;
    let mut keys = Vec::new();
    for of_group in sequences.chunk_by(|a, b| group(a) == group(b)) {
        let Some(before) = of_group.first().map(|first| group(first) * Tile::WIDTH) else {
            continue;
        };
        let first = schema::event_key(log, Sequence::new(before + 1)?)?;
        let last = schema::event_key(log, Sequence::new(before + Tile::WIDTH)?)?;
        keys.extend(overwrite_keys(connection, first, last)?);
    }
    Ok(keys)
}

/// Overwrites the keys of the events in a range of event keys. There is one key, unless somebody
/// edited the file.
fn overwrite_keys(connection: &Connection, first: i64, last: i64) -> Result<Vec<Key>> {
    const CONTEXT: &str = "sealing personal data again";
    let query = || {
        let mut statement = connection.prepare_cached(READ_SEALED)?;
        let rows = statement
            .query_map([first, last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<rusqlite::Result<Vec<(i64, Option<i64>, Option<Vec<u8>>)>>>()
    };
    let rows = query().map_err(sqlite(CONTEXT))?;
    let mut ids: Vec<_> = rows.iter().filter_map(|(_, key, _)| *key).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut keys = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(old) = Key::read(connection, id)? else { continue };
        let new = old.overwrite(connection, audit_core::TokenKeys::generate_secret()?)?;
        for (event_key, _, personal) in rows.iter().filter(|(_, key, _)| *key == Some(id)) {
            let Some(mut bytes) = personal.clone() else { continue };
            old.apply(*event_key, &mut bytes);
            new.apply(*event_key, &mut bytes);
            let update =
                || connection.prepare_cached(SEAL_AGAIN)?.execute(params![event_key, bytes]);
            update().map_err(sqlite(CONTEXT))?;
        }
        keys.push(new);
    }
    Ok(keys)
}
