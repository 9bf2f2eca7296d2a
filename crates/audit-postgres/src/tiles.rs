//! The nodes of a log's tree, which are read as [tiles](Tile) of thirty-two.
//!
//! Each leaf hash is in the row of its event. Above them, the nodes of every fifth level are stored, a
//! row each: rows are only inserted.

use std::collections::BTreeMap;

use audit_core::tree::{NodeHash, NodeId, Tile, TileId};
use audit_core::{ErrorKind, Log, Result, Sequence};
use tokio_postgres::Row;

use crate::connection::{Session, Statement, both, column, types};
use crate::error::corrupt;

const CONTEXT: &str = "reading the tree";

/// Reads the leaf hashes of the tiles with these numbers.
pub(crate) const READ_LEAVES: Statement = Statement {
    sql: "SELECT 0::smallint, e.sequence - 1, e.leaf FROM unnest($2) AS w (tile)
          JOIN audit.event e ON e.log = $1
              AND e.sequence BETWEEN w.tile * 32 + 1 AND w.tile * 32 + 32",
    types: types![BYTEA, INT8_ARRAY],
    context: CONTEXT,
};
/// Reads the leaf hashes of events.
pub(crate) const READ_LEAVES_AT: Statement = Statement {
    sql: "SELECT 0::smallint, e.sequence - 1, e.leaf FROM audit.event e
          WHERE e.log = $1 AND e.sequence = ANY($2)",
    types: types![BYTEA, INT8_ARRAY],
    context: CONTEXT,
};
/// Reads the nodes of tiles above the events.
pub(crate) const READ_NODES: Statement = Statement {
    sql: "SELECT n.level, n.index, n.hash FROM unnest($2, $3) AS w (level, tile)
          JOIN audit.node n ON n.log = $1 AND n.level = w.level
              AND n.index BETWEEN w.tile * 32 AND w.tile * 32 + 31",
    types: types![BYTEA, INT2_ARRAY, INT8_ARRAY],
    context: CONTEXT,
};

/// Returns the node that identifies the first `bound` events of a log; `None` if it is damaged.
pub(crate) async fn end(session: &Session, log: Log, bound: Sequence) -> Result<Option<NodeHash>> {
    let Some(node) = NodeId::identifying(bound) else { return Ok(None) };
    match Tiles::read(session, log, &[node]).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        tiles => Ok(tiles?.node(node, bound)),
    }
}

/// The tiles that are read for some nodes.
#[derive(Default)]
struct WantedTiles {
    /// The single leaves, by sequence, if nothing else is wanted: tokens are bound to those.
    single: Vec<i64>,
    leaves: Vec<i64>,
    levels: Vec<i16>,
    above: Vec<i64>,
}

impl WantedTiles {
    fn of(nodes: &[NodeId]) -> Self {
        let mut wanted = Self::default();
        if let [NodeId { level: 0, index }] = *nodes {
            wanted.single.extend(i64::try_from(index).ok().and_then(|index| index.checked_add(1)));
            return wanted;
        }
        let mut tiles: Vec<_> = nodes.iter().map(|node| TileId::of(*node)).collect();
        tiles.sort_unstable();
        tiles.dedup();
        for tile in tiles {
            // No log has the others.
            let Ok(index) = i64::try_from(tile.first_leaf()).map(|first| first / WIDTH) else {
                continue;
            };
            if tile.index.leading_zeros() < u32::from(Tile::HEIGHT) {
                continue;
            }
            if tile.tier == 0 {
                wanted.leaves.push(index);
            } else {
                wanted.levels.push(tile.level().into());
                wanted.above.push(index);
            }
        }
        wanted
    }

    async fn read_leaves(&self, session: &Session, log: Log) -> Result<Vec<Row>> {
        let key = log.as_bytes();
        match (&self.single[..], &self.leaves[..]) {
            ([], []) => Ok(Vec::new()),
            ([], _) => session.query(&READ_LEAVES, &[&key, &self.leaves]).await,
            _ => session.query(&READ_LEAVES_AT, &[&key, &self.single]).await,
        }
    }

    async fn read_above(&self, session: &Session, log: Log) -> Result<Vec<Row>> {
        if self.above.is_empty() {
            return Ok(Vec::new());
        }
        session.query(&READ_NODES, &[&log.as_bytes(), &self.levels, &self.above]).await
    }
}

const WIDTH: i64 = Tile::WIDTH.cast_signed();

/// The hashes that were read, by their nodes.
pub(crate) struct Tiles(BTreeMap<NodeId, NodeHash>);

impl Tiles {
    /// Reads what is needed for some nodes, in one round trip.
    pub(crate) async fn read(session: &Session, log: Log, nodes: &[NodeId]) -> Result<Self> {
        let wanted = WantedTiles::of(nodes);
        let (mut rows, above) =
            both(wanted.read_leaves(session, log), wanted.read_above(session, log)).await?;
        rows.extend(above);
        Self::of(&rows)
    }

    fn of(rows: &[Row]) -> Result<Self> {
        let mut hashes = BTreeMap::new();
        for row in rows {
            let level = u8::try_from(column::<i16>(row, 0)?).map_err(|_| corrupt(CONTEXT))?;
            let index = u64::try_from(column::<i64>(row, 1)?).map_err(|_| corrupt(CONTEXT))?;
            // One that is no hash is read as a wrong one, so that verification reports it.
            let hash: &[u8] = column(row, 2)?;
            let hash = NodeHash::from_bytes(hash.try_into().unwrap_or_default());
            hashes.insert(NodeId { level, index }, hash);
        }
        Ok(Self(hashes))
    }

    /// Returns the hash of a node of a tree of `size` events.
    pub(crate) fn node(&self, node: NodeId, size: Sequence) -> Option<NodeHash> {
        // Checked first, so that nothing below overflows.
        let is_complete =
            u32::from(node.level) < u64::BITS && node.index < size.get() >> node.level;
        if !is_complete {
            return None;
        }
        let tile = TileId::of(node);
        let below = node.level - tile.level();
        let first = node.index << below;
        let leaves = (first..first + (1 << below)).map(|index| {
            let leaf = NodeId { level: tile.level(), index };
            self.0.get(&leaf).copied()
        });
        audit_core::tree::subtree_root(&leaves.collect::<Option<Vec<_>>>()?)
    }
}
