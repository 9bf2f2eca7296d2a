//! The Merkle tree of a log, and the entries that verification reads.
//!
//! Each leaf hash is in the row of its event. Above them, the nodes of every fifth level are
//! stored, thirty-two to a row, as a [tile](Tile). The frontier is in the row of the log. So a
//! proof in a log of 10^6 events reads four tiles, and an append writes a hash into the row of its
//! event and, each thirty-two events, one into a tile.

use std::collections::HashMap;

use audit_core::tree::{Tile, TileId};
use audit_core::{
    EntriesRequest, Error, ErrorKind, LeafHash, Log, Result, Sequence,
    tree::{Frontier, LogEntry, Node, NodeHash, NodeId},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::error::{damaged, sqlite};
use crate::read::{LogRow, Snapshot, log_row};
use crate::schema;
use crate::sealing::{Keys, SealedEvent};

const CONTEXT: &str = "reading the tree";

/// Reads the frontier of a log.
pub(crate) const READ_FRONTIER: &str = "SELECT frontier FROM audit_log WHERE id = ?1";
/// Reads a tile.
pub(crate) const READ_TILE: &str = "SELECT leaves FROM audit_tile WHERE event_key = ?1";
/// Reads the leaf hash of an event.
pub(crate) const READ_LEAF: &str = "SELECT leaf FROM audit_event WHERE event_key = ?1";
/// Reads the leaf hashes of events.
pub(crate) const READ_LEAVES: &str =
    "SELECT event_key, leaf FROM audit_event WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";
/// Reads events in their stored form.
pub(crate) const READ_ENTRIES: &str = "SELECT event_key, leaf, record, sealing_key, personal
     FROM audit_event
     WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";

/// Returns the key of a tile above the events: the event key of its first event, with its tier in
/// the lowest bits.
pub(crate) fn tile_key(log: i64, tile: TileId) -> Result<i64> {
    let first = u128::from(tile.index) << (u32::from(tile.tier + 1) * u32::from(Tile::HEIGHT));
    let first = u64::try_from(first).map_err(|_| damaged_tree())?;
    schema::event_key(log, Sequence::new(first + u64::from(tile.tier))?)
}

/// Returns the last event below the tile whose key has the sequence `at`.
pub(crate) fn last_event_of_tile(at: u64) -> u64 {
    let (first, tier) = (at & !(Tile::WIDTH - 1), at & (Tile::WIDTH - 1));
    let width = u32::try_from(tier + 1).map_or(u32::MAX, |n| n * u32::from(Tile::HEIGHT));
    first.saturating_add(1_u64.checked_shl(width).unwrap_or(u64::MAX))
}

fn damaged_tree() -> Error {
    Error::new(ErrorKind::Corrupt).with_context(CONTEXT)
}

/// Returns the frontier of the log with that number.
pub(crate) fn frontier(connection: &Connection, log: i64) -> Result<Frontier> {
    let query = || connection.prepare_cached(READ_FRONTIER)?.query_row([log], |row| row.get(0));
    let frontier: Vec<u8> = query().map_err(sqlite(CONTEXT))?;
    Frontier::from_bytes(&frontier)
}

/// Writes those of `nodes`, which an append completed, that are leaves of tiles.
pub(crate) fn write_nodes(connection: &Connection, log: i64, nodes: &[Node]) -> Result<()> {
    let mut of_tiles: Vec<_> = nodes
        .iter()
        .filter(|node| node.id.level % Tile::HEIGHT == 0)
        .map(|node| (TileId::of(node.id), node))
        .collect();
    // Stable, so that the nodes of each tile stay in order.
    of_tiles.sort_by_key(|(tile, _)| *tile);
    for of_tile in of_tiles.chunk_by(|a, b| a.0 == b.0) {
        let Some((tile, first)) = of_tile.first() else { continue };
        let event_key = tile_key(log, *tile)?;
        let before = usize::try_from(first.id.index - tile.first_leaf()).unwrap_or(0);
        let mut leaves = if before == 0 {
            Vec::new()
        } else {
            read_tile(connection, event_key)?.unwrap_or_default()
        };
        // Even if the tile is damaged or missing, the new nodes are written at their own offsets.
        leaves.resize(before * size_of::<NodeHash>(), 0);
        leaves.extend(of_tile.iter().flat_map(|(_, node)| node.hash.as_bytes()));
        let put = || {
            connection
                .prepare_cached(
                    "INSERT INTO audit_tile (event_key, leaves) VALUES (?1, ?2)
                     ON CONFLICT (event_key) DO UPDATE SET leaves = excluded.leaves",
                )?
                .execute(params![event_key, leaves])
        };
        put().map_err(sqlite("writing the tree"))?;
    }
    Ok(())
}

fn read_tile(connection: &Connection, event_key: i64) -> Result<Option<Vec<u8>>> {
    let query = || {
        connection.prepare_cached(READ_TILE)?.query_row([event_key], |row| row.get(0)).optional()
    };
    query().map_err(sqlite(CONTEXT))
}

/// Reads a tile, with the leaves that it has so far.
fn tile(connection: &Connection, log: i64, tile: TileId) -> Result<Tile> {
    if tile.tier == 0 {
        return Tile::new(leaves_of_events(connection, log, tile.first_leaf())?);
    }
    let row = read_tile(connection, tile_key(log, tile)?)?.unwrap_or_default();
    // In a damaged row hashes are missing or wrong. Verification reports which.
    let (hashes, _) = row.as_chunks();
    let hashes = hashes.iter().copied().map(NodeHash::from_bytes);
    Tile::new(hashes.zip(0..Tile::WIDTH).map(|(hash, _)| hash).collect())
}

/// Returns the leaf hashes of the events after the first `skipped`, as many as a tile has, up to
/// the first missing event.
fn leaves_of_events(connection: &Connection, log: i64, skipped: u64) -> Result<Vec<NodeHash>> {
    let first = schema::event_key(log, Sequence::new(skipped + 1)?)?;
    let last = schema::event_key(log, Sequence::new(skipped + Tile::WIDTH)?)?;
    let query = || {
        let mut statement = connection.prepare_cached(READ_LEAVES)?;
        let rows = statement.query_map([first, last], |row| Ok((row.get(0)?, leaf(row, 1)?)))?;
        rows.collect::<rusqlite::Result<Vec<(i64, LeafHash)>>>()
    };
    let found = query().map_err(sqlite(CONTEXT))?;
    let dense = (first..).zip(found).take_while(|(event_key, (found, _))| event_key == found);
    Ok(dense.map(|(_, (_, leaf))| leaf.into()).collect())
}

/// Returns the leaf hash of an event; `None` if the event is missing.
fn leaf_of_event(connection: &Connection, event_key: i64) -> Result<Option<LeafHash>> {
    let query = || {
        let mut statement = connection.prepare_cached(READ_LEAF)?;
        statement.query_row([event_key], |row| leaf(row, 0)).optional()
    };
    query().map_err(sqlite(CONTEXT))
}

/// Reads the leaf hash in a column. Returns a wrong hash if the column holds anything else, so that
/// verification reports the event.
fn leaf(row: &Row<'_>, column: usize) -> rusqlite::Result<LeafHash> {
    let bytes = row.get_ref(column)?.as_bytes().unwrap_or_default();
    Ok(LeafHash::from_bytes(bytes.try_into().unwrap_or_default()))
}

/// An entry of the log whose event is still sealed.
pub(crate) struct SealedEntry {
    sequence: Sequence,
    leaf: LeafHash,
    event: SealedEvent,
}

impl SealedEntry {
    /// Decrypts the personal data of the event.
    pub(crate) fn unseal(self) -> LogEntry {
        let Self { sequence, leaf, event } = self;
        LogEntry::new(sequence, leaf, event.unseal())
    }
}

impl Snapshot<'_> {
    pub(crate) fn frontier(&self, log: Log) -> Result<Frontier> {
        let Some(row) = log_row(self.connection, log)? else { return Ok(Frontier::new()) };
        frontier(self.connection, row.id)
    }

    pub(crate) fn nodes(&self, log: Log, nodes: &[NodeId]) -> Result<Vec<Option<NodeHash>>> {
        match log_row(self.connection, log)? {
            Some(row) => self.nodes_of(&row, nodes),
            None => Ok(vec![None; nodes.len()]),
        }
    }

    /// Returns the node that identifies the first `bound` events of a log; `None` if it is damaged.
    pub(crate) fn end(&self, row: &LogRow, bound: Sequence) -> Result<Option<NodeHash>> {
        let Some(node) = NodeId::identifying(bound) else { return Ok(None) };
        match self.nodes_of(row, &[node]) {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            nodes => Ok(nodes?.pop().flatten()),
        }
    }

    fn nodes_of(&self, row: &LogRow, nodes: &[NodeId]) -> Result<Vec<Option<NodeHash>>> {
        let size = row.head.size.get();
        // Tokens are bound to single leaves, whose tiles would be read for nothing else.
        if let [NodeId { level: 0, index }] = *nodes
            && index < size
        {
            let event_key = schema::event_key(row.id, Sequence::new(index + 1)?)?;
            return Ok(vec![leaf_of_event(self.connection, event_key)?.map(NodeHash::from)]);
        }
        let mut tiles: HashMap<TileId, Tile> = HashMap::new();
        let mut read = |node: NodeId| {
            // Checked first, so that nothing below overflows.
            let is_complete = u32::from(node.level) < u64::BITS && node.index < size >> node.level;
            if !is_complete {
                return Ok(None);
            }
            let id = TileId::of(node);
            let tile = match tiles.entry(id) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(unknown) => {
                    self.pause()?;
                    unknown.insert(tile(self.connection, row.id, id)?)
                }
            };
            Ok(tile.node(id, node))
        };
        nodes.iter().map(|node| read(*node)).collect()
    }

    pub(crate) fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<SealedEntry>> {
        let Some(row) = log_row(self.connection, log)? else { return Ok(Vec::new()) };
        let EntriesRequest { after, limit, bytes, .. } = request;
        let Ok(first) = schema::event_key(row.id, after.max(row.head.pruned).next()) else {
            return Ok(Vec::new()); // after the last event that a log can hold
        };
        let last = schema::event_key(row.id, Sequence::new(schema::LAST_SEQUENCE)?)?;
        let mut keys = Keys::new(self.connection);
        let (mut entries, mut size) = (Vec::new(), 0);
        let context = || sqlite("reading an event");
        let mut statement = self.connection.prepare_cached(READ_ENTRIES).map_err(context())?;
        let mut rows = statement.query([first, last]).map_err(context())?;
        while entries.len() < limit && (entries.is_empty() || size < bytes) {
            self.pause()?;
            let Some(row) = rows.next().map_err(context())? else { break };
            let columns =
                || Ok((row.get(0)?, leaf(row, 1)?, row.get(2)?, row.get(3)?, row.get(4)?));
            let (event_key, leaf, record, sealing_key, personal) = columns().map_err(context())?;
            let event = SealedEvent::read(&mut keys, event_key, record, sealing_key, personal)?;
            size += event.size();
            let sequence = schema::sequence_of(event_key).map_err(damaged)?;
            entries.push(SealedEntry { sequence, leaf, event });
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tile_has_a_key_of_its_own_that_gives_its_last_event() {
        let mut event_keys = std::collections::HashSet::new();
        for tier in 1..=7 {
            for index in [0, 1, 2, 31, 32, 33] {
                let event_key = tile_key(3, TileId { tier, index });
                let Ok(event_key) = event_key else { continue };
                assert!(event_keys.insert(event_key), "{tier} {index}");
                let sequence = schema::sequence_of(event_key).unwrap().get();
                let width = 1_u64 << (5 * (tier + 1));
                assert_eq!(last_event_of_tile(sequence), (index + 1) * width);
            }
        }
        assert!(event_keys.len() > 30);
    }
}
