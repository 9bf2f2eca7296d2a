//! The stored index as a read in turn sees it.

use audit_core::{Result, Sequence};
use audit_index::{IndexStorage, PartId, ReadParts, Segment, TableSearch, TailRow};

use crate::index::{SqliteIndex, SqliteParts};
use crate::pace::Pace;

/// The stored index of one log. Pauses at each row and part.
pub(crate) struct PacedIndex<'c> {
    pub(crate) index: SqliteIndex<'c>,
    pub(crate) pace: &'c Pace<'c>,
}

/// Reads parts of segments. Pauses at each.
pub(crate) struct PacedParts<'c> {
    parts: SqliteParts<'c>,
    pace: &'c Pace<'c>,
}

impl IndexStorage for PacedIndex<'_> {
    type Parts<'a>
        = PacedParts<'a>
    where
        Self: 'a;

    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        mut visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        self.index.tail(first, last, |row| {
            self.pace.pause()?;
            visit(row)
        })
    }

    fn directory(&self) -> Result<Vec<Segment>> {
        self.index.directory()
    }

    fn parts(&self) -> Result<PacedParts<'_>> {
        Ok(PacedParts { parts: self.index.parts()?, pace: self.pace })
    }
}

impl ReadParts for PacedParts<'_> {
    const IS_REMOTE: bool = SqliteParts::IS_REMOTE;

    fn search(
        &mut self,
        parts: impl Iterator<Item = PartId>,
        searches: &[TableSearch],
    ) -> Result<Vec<u32>> {
        self.parts.search(parts, searches)
    }

    fn prefetch(&mut self, parts: impl Iterator<Item = PartId>) -> Result<()> {
        self.parts.prefetch(parts)
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.pace.pause()?;
        self.parts.read(part, read)
    }
}
