//! A reader of parts that compares each with its checksum.

use audit_core::Result;

use crate::checksum;
use crate::part::{PartId, TableSearch};
use crate::storage::ReadParts;

/// Reads parts, and returns their bytes without the checksum.
#[derive(Debug)]
pub(crate) struct Opened<P>(pub(crate) P);

impl<P: ReadParts> ReadParts for Opened<P> {
    const IS_REMOTE: bool = P::IS_REMOTE;

    fn prefetch(&mut self, parts: impl Iterator<Item = PartId>) -> Result<()> {
        self.0.prefetch(parts)
    }

    fn search(
        &mut self,
        parts: impl Iterator<Item = PartId>,
        searches: &[TableSearch],
    ) -> Result<Vec<u32>> {
        self.0.search(parts, searches)
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.0.read(part, |stored| read(checksum::open(part.number.into(), stored)?))
    }
}
