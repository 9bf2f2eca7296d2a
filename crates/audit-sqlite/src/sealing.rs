//! The personal parts, sealed: how what is erased is gone from every byte of the file.
//!
//! SQLite leaves copies of rows behind: in the unused bytes of pages that were split, which nobody
//! overwrites. So a personal part, with its salt, is kept encrypted. The keys stand in a table of
//! their own, in rows that are only ever added at its end and overwritten in place, by as many
//! bytes: SQLite moves no such row, and makes no copy of it. Each key seals up to thirty-two
//! neighbours of a log; when some of them are erased, the others are sealed anew and the key is
//! overwritten. Then nothing can read what was erased, wherever a copy of it lies.
//!
//! Before that, the encryption is no protection against somebody who has the file: the keys are in
//! it.

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

/// The statement that reads a key.
pub(crate) const READ_KEY: &str = "SELECT key FROM audit_sealing_key WHERE id = ?1";
/// The statement that overwrites a key.
pub(crate) const OVERWRITE_KEY: &str = "UPDATE audit_sealing_key SET key = ?2 WHERE id = ?1";
/// The statement that reads what a key may have sealed.
pub(crate) const READ_SEALED: &str = "SELECT event_key, sealing_key, personal FROM audit_event
     WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";
/// The statement that seals a personal part anew.
pub(crate) const SEAL_AGAIN: &str = "UPDATE audit_event SET personal = ?2 WHERE event_key = ?1";

const SALT: usize = 16;
/// The bytes of the cipher's four blocks, which it makes in the time of one.
const AT_ONCE: usize = 256;

/// A key of some neighbours of a log.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// Its number in the file.
    pub(crate) id: i64,
    bytes: [u8; 32],
}

impl Key {
    /// A new key.
    pub(crate) fn create(connection: &Connection) -> Result<Self> {
        let bytes = audit_core::TokenKeys::generate_secret()?;
        let insert = || {
            connection
                .prepare_cached("INSERT INTO audit_sealing_key (key) VALUES (?1)")?
                .insert([bytes])
        };
        Ok(Self { id: insert().map_err(sqlite("writing a key"))?, bytes })
    }

    /// The key of that number; `None` if there is none, or what is there is none.
    pub(crate) fn read(connection: &Connection, id: i64) -> Result<Option<Self>> {
        let query =
            || connection.prepare_cached(READ_KEY)?.query_row([id], |row| row.get(0)).optional();
        let bytes: Option<Vec<u8>> = query().map_err(sqlite("reading a key"))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(|bytes| Self { id, bytes }))
    }

    /// Puts other bytes in the place of the key.
    fn overwrite(self, connection: &Connection, bytes: [u8; 32]) -> Result<Self> {
        // As many as before, so that they are written where those were.
        let update = || connection.prepare_cached(OVERWRITE_KEY)?.execute(params![self.id, bytes]);
        update().map_err(sqlite("overwriting a key"))?;
        Ok(Self { bytes, ..self })
    }

    /// Whether the key of the event before it is that of `sequence`, too.
    pub(crate) fn is_shared_by(sequence: Sequence) -> bool {
        !sequence.previous().get().is_multiple_of(Tile::WIDTH)
    }

    /// The bytes to keep of the personal part of the event at `place`.
    pub(crate) fn seal(self, event_key: i64, part: &PersonalData) -> Vec<u8> {
        let mut bytes = [&part.salt[..], &part.bytes].concat();
        self.apply(event_key, &mut bytes);
        bytes
    }

    /// Encrypts, or decrypts. A place is sealed once under a key, and so is the nonce.
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

/// The keys, as they are in one transaction. The last that was read is remembered: neighbours share
/// one.
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

/// An event as it is read from the file: its personal part is sealed still, so that it can be opened
/// when the snapshot is gone and the thread free.
pub(crate) struct SealedEvent {
    event_key: i64,
    record: Vec<u8>,
    sealed: Option<(Key, Vec<u8>)>,
}

impl SealedEvent {
    /// The event of these columns. A personal part whose key is not there counts as erased.
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

    /// Whether there is a personal part.
    pub(crate) fn has_personal(&self) -> bool {
        self.sealed.is_some()
    }

    /// The bytes of both parts, as [`StoredEvent::size`] counts them.
    pub(crate) fn size(&self) -> usize {
        let personal = self.sealed.as_ref().map_or(0, |(_, bytes)| bytes.len());
        self.record.len() + personal.saturating_sub(SALT)
    }

    /// Opens the personal part.
    pub(crate) fn unseal(self) -> StoredEvent {
        let Self { event_key, record, sealed } = self;
        let open = |(key, mut bytes): (Key, Vec<u8>)| {
            key.apply(event_key, &mut bytes);
            let salt = *bytes.first_chunk::<SALT>()?;
            bytes.drain(..SALT);
            Some(PersonalData { salt, bytes })
        };
        StoredEvent { record, personal: sealed.and_then(open) }
    }
}

/// Overwrites the keys of these events of a log, in order, whose personal parts are gone from their
/// rows; what else the keys seal is sealed anew. Returns the keys as they are then.
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

/// Overwrites the keys of the events at these places: one, unless somebody has edited the file.
fn overwrite_keys(connection: &Connection, first: i64, last: i64) -> Result<Vec<Key>> {
    const CONTEXT: &str = "sealing what is not erased";
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
