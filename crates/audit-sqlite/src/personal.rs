//! The personal parts, sealed: how what is erased is gone from every byte of the file.
//!
//! SQLite leaves copies of rows behind: in the unused bytes of pages that were split, which nobody
//! overwrites. So a personal part is kept encrypted, under a key that is made of its salt, and the
//! salts are kept apart, in rows that are only ever added at the end of their table and overwritten
//! in place, by as many bytes: SQLite moves no such row, and makes no copy of it. When the salt is
//! overwritten, nothing can read the personal part any more, wherever a copy of it lies.
//!
//! Against somebody who has the file the encryption is no protection before: the salts are in it.

use audit_core::{Error, ErrorKind, PersonalPart, Result, StoredEvent};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use crate::error::sqlite;

type Salt = [u8; 16];

/// So many salts fill a row, and the row a page.
const ROW_SALTS: usize = 250;
/// The bits of a salt's number that tell its place in its row.
const SLOT_BITS: u32 = 8;

/// The statement that finds the last row of salts.
pub(crate) const LAST_ROW: &str = "SELECT id FROM audit_salt ORDER BY id DESC LIMIT 1";
/// The statement that reads a row of salts.
pub(crate) const READ_ROW: &str = "SELECT salts FROM audit_salt WHERE id = ?1";
/// The statement that overwrites a row of salts.
pub(crate) const OVERWRITE_ROW: &str = "UPDATE audit_salt SET salts = ?2 WHERE id = ?1";

/// Encrypts the bytes of a personal part, or decrypts them.
fn apply(salt: &Salt, bytes: &mut [u8]) {
    // A salt is random and of one part alone, and so is the key: the nonce may be the same.
    let key = Sha256::new().chain_update("audit-sqlite personal part").chain_update(salt);
    ChaCha20::new(&key.finalize(), &[0; 12].into()).apply_keystream(bytes);
}

/// The salts of the events that a transaction adds.
#[derive(Default)]
pub(crate) struct NewSalts {
    /// The number of their row, once it is known.
    row: Option<i64>,
    salts: Vec<u8>,
}

impl NewSalts {
    /// Seals a personal part. Returns the number of its salt, and the bytes to keep.
    pub(crate) fn seal(
        &mut self,
        connection: &Connection,
        part: PersonalPart,
    ) -> Result<(i64, Vec<u8>)> {
        if self.salts.len() == ROW_SALTS * size_of::<Salt>() {
            self.write(connection)?;
        }
        let row = match self.row {
            Some(row) => row,
            None => *self.row.insert(last_row(connection)?.unwrap_or(0).saturating_add(1)),
        };
        let slot = self.salts.len() / size_of::<Salt>();
        let PersonalPart { salt, mut bytes } = part;
        self.salts.extend(salt);
        apply(&salt, &mut bytes);
        let overflow = || Error::new(ErrorKind::StorageFull).with_context("numbering a salt");
        let number = row.checked_mul(1 << SLOT_BITS).ok_or_else(overflow)?;
        Ok((number + slot.cast_signed() as i64, bytes))
    }

    /// Writes those that are not written yet. To be called before one of them is read, and at the
    /// end.
    pub(crate) fn write(&mut self, connection: &Connection) -> Result<()> {
        let Some(row) = self.row.filter(|_| !self.salts.is_empty()) else { return Ok(()) };
        let insert = || {
            connection
                .prepare_cached("INSERT INTO audit_salt (id, salts) VALUES (?1, ?2)")?
                .execute(params![row, self.salts])
        };
        insert().map_err(sqlite("writing salts"))?;
        // A row that is written is not made longer: it would have to move.
        self.row = Some(row + 1);
        self.salts.clear();
        Ok(())
    }
}

fn last_row(connection: &Connection) -> Result<Option<i64>> {
    let query = || connection.prepare_cached(LAST_ROW)?.query_row([], |row| row.get(0)).optional();
    query().map_err(sqlite("reading salts"))
}

/// An event as it is read from the file: its personal part is sealed still, so that it can be opened
/// when the snapshot is gone and the thread free.
#[derive(Debug)]
pub(crate) struct SealedEvent(StoredEvent);

impl SealedEvent {
    /// The event of these columns. A salt that is not there counts as destroyed.
    pub(crate) fn read(
        connection: &Connection,
        record: Vec<u8>,
        salt: Option<i64>,
        personal: Option<Vec<u8>>,
    ) -> Result<Self> {
        let personal = match (salt, personal) {
            (Some(number), Some(bytes)) => {
                salt_of(connection, number)?.map(|salt| PersonalPart { salt, bytes })
            }
            _ => None,
        };
        Ok(Self(StoredEvent { record, personal }))
    }

    /// Whether there is a personal part, and its salt.
    pub(crate) fn has_personal(&self) -> bool {
        self.0.personal.is_some()
    }

    /// The bytes of both parts.
    pub(crate) fn size(&self) -> usize {
        self.0.size()
    }

    /// Opens the personal part.
    pub(crate) fn unseal(self) -> StoredEvent {
        let Self(mut event) = self;
        if let Some(part) = &mut event.personal {
            apply(&part.salt, &mut part.bytes);
        }
        event
    }
}

/// The salt of that number; `None` if there is no such salt.
fn salt_of(connection: &Connection, number: i64) -> Result<Option<Salt>> {
    let (row, slot) = address(number);
    let query = || {
        let mut statement = connection.prepare_cached(READ_ROW)?;
        let mut rows = statement.query([row])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let salts = row.get_ref(0)?.as_blob()?;
        Ok(salts.get(slot..).and_then(|salts| salts.first_chunk::<16>()).copied())
    };
    query().map_err(sqlite("reading salts"))
}

/// The row of a salt, and where in it the salt begins.
#[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation)] // of eight bits
fn address(number: i64) -> (i64, usize) {
    let slot = (number & ((1 << SLOT_BITS) - 1)) as usize;
    (number >> SLOT_BITS, slot * size_of::<Salt>())
}

/// Overwrites the salts of these numbers: what they seal is gone then.
pub(crate) fn destroy(connection: &Connection, mut numbers: Vec<i64>) -> Result<()> {
    numbers.sort_unstable();
    let overwrite = |row: i64, numbers: &[i64]| {
        let found = connection.prepare_cached(READ_ROW)?.query_row([row], |row| row.get(0));
        let Some(mut salts): Option<Vec<u8>> = found.optional()? else { return Ok(()) };
        for number in numbers {
            let (_, slot) = address(*number);
            if let Some(salt) = salts.get_mut(slot..slot + size_of::<Salt>()) {
                salt.fill(0);
            }
        }
        // As many bytes as before, so that they are written in their place.
        connection.prepare_cached(OVERWRITE_ROW)?.execute(params![row, salts]).map(drop)
    };
    for numbers in numbers.chunk_by(|a, b| address(*a).0 == address(*b).0) {
        if let Some(first) = numbers.first() {
            overwrite(address(*first).0, numbers).map_err(sqlite("overwriting salts"))?;
        }
    }
    Ok(())
}
