//! The Merkle tree of a log, and the entries that verification reads.
//!
//! Each leaf hash is in the row of its event. Above them, the nodes of every fifth level are stored, a
//! row each: rows are only inserted. They are read as [tiles](Tile) of thirty-two. The frontier is in
//! the row of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId, Tile, TileId};
use audit_core::{EntriesRequest, ErrorKind, Log, Result, Sequence};
use futures_util::future::join3;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::connection::{Parameter, Session, Statement, both, column};
use crate::core::Core;
use crate::error::corrupt;
use crate::keys::join_key;
use crate::read::log_state;
use crate::sealing::{SealedEvent, event_columns};
use crate::staged::{IfStaged, is_staged};

const CONTEXT: &str = "reading the tree";

/// Reads the frontier of a log.
pub(crate) const READ_FRONTIER: Statement = Statement {
    sql: "SELECT frontier FROM audit.log WHERE log = $1",
    types: &[Type::BYTEA],
    context: CONTEXT,
};
/// Reads the leaf hashes of the tiles with these numbers.
pub(crate) const READ_LEAVES: Statement = Statement {
    sql: "SELECT 0::smallint, e.sequence - 1, e.leaf FROM unnest($2) AS w (tile)
          JOIN audit.event e ON e.log = $1
              AND e.sequence BETWEEN w.tile * 32 + 1 AND w.tile * 32 + 32",
    types: &[Type::BYTEA, Type::INT8_ARRAY],
    context: CONTEXT,
};
/// Reads the leaf hashes of events.
pub(crate) const READ_LEAVES_AT: Statement = Statement {
    sql: "SELECT 0::smallint, e.sequence - 1, e.leaf FROM audit.event e
          WHERE e.log = $1 AND e.sequence = ANY($2)",
    types: &[Type::BYTEA, Type::INT8_ARRAY],
    context: CONTEXT,
};
/// Reads the nodes of tiles above the events.
pub(crate) const READ_NODES: Statement = Statement {
    sql: "SELECT n.level, n.index, n.hash FROM unnest($2, $3) AS w (level, tile)
          JOIN audit.node n ON n.log = $1 AND n.level = w.level
              AND n.index BETWEEN w.tile * 32 AND w.tile * 32 + 31",
    types: &[Type::BYTEA, Type::INT2_ARRAY, Type::INT8_ARRAY],
    context: CONTEXT,
};
/// Reads events in their stored form.
pub(crate) const READ_ENTRIES: Statement = Statement {
    sql: concat!(
        "SELECT ",
        event_columns!(),
        " FROM audit.event e ",
        join_key!(),
        " WHERE e.log = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3"
    ),
    types: &[Type::BYTEA, Type::INT8, Type::INT8],
    context: "reading events",
};

/// The events that are read in one round trip. It bounds the memory, since an event can have a MiB.
const ENTRIES_AT_ONCE: usize = 64;

/// Returns the frontier of a log.
pub(crate) async fn frontier(
    core: Arc<Core>,
    log: Log,
    if_staged: IfStaged,
) -> Result<Option<Frontier>> {
    let session = core.readers.take(log).await?;
    let key = log.as_bytes();
    let parameters: [Parameter<'_>; 1] = [&key];
    let read = session.query_opt(&READ_FRONTIER, &parameters);
    let (is_staged, row) = both(is_staged(&session, log, if_staged), read).await?;
    match row {
        _ if is_staged => Ok(None),
        Some(row) => Frontier::from_bytes(column(&row, 0)?).map(Some),
        None => Ok(Some(Frontier::new())),
    }
}

/// Returns the hashes of nodes: one entry for each, `None` for one that is not complete or not there.
pub(crate) async fn nodes(
    core: Arc<Core>,
    log: Log,
    nodes: Vec<NodeId>,
    if_staged: IfStaged,
) -> Result<Option<Vec<Option<NodeHash>>>> {
    let session = core.readers.take(log).await?;
    let (begun, state, tiles) = join3(
        session.begin_reading(),
        log_state(&session, log),
        Tiles::read(&session, log, &nodes),
    )
    .await;
    begun?;
    let (state, tiles) = (state?, tiles?);
    session.release();
    let size = state.row.unwrap_or_default().head.size;
    let hashes = || nodes.iter().map(|node| tiles.node(*node, size)).collect();
    Ok((!state.stops(if_staged)).then(hashes))
}

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
struct Tiles(BTreeMap<NodeId, NodeHash>);

impl Tiles {
    /// Reads what is needed for some nodes, in one round trip.
    async fn read(session: &Session, log: Log, nodes: &[NodeId]) -> Result<Self> {
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
    fn node(&self, node: NodeId, size: Sequence) -> Option<NodeHash> {
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

/// Returns stored events with their leaves, as they are.
pub(crate) async fn entries(
    core: Arc<Core>,
    log: Log,
    request: EntriesRequest,
    if_staged: IfStaged,
) -> Result<Option<Vec<SealedEvent>>> {
    let session = core.readers.take(log).await?;
    let ((), state) = both(session.begin_reading(), log_state(&session, log)).await?;
    let Some(row) = state.row.filter(|_| !state.stops(if_staged)) else {
        session.release();
        return Ok((!state.stops(if_staged)).then(Vec::new));
    };
    let EntriesRequest { after, limit, bytes, .. } = request;
    let mut after = after.max(row.head.pruned);
    let (mut entries, mut size) = (Vec::new(), 0);
    while entries.len() < limit && (entries.is_empty() || size < bytes) {
        let count = (limit - entries.len()).min(ENTRIES_AT_ONCE);
        let most = i64::try_from(count).unwrap_or(i64::MAX);
        let key = log.as_bytes();
        let rows = session.query(&READ_ENTRIES, &[&key, &after.as_i64(), &most]).await?;
        for row in &rows {
            if !entries.is_empty() && size >= bytes {
                break;
            }
            let event = SealedEvent::read(row, 0)?;
            size += event.size();
            after = event.sequence;
            entries.push(event);
        }
        if rows.len() < count {
            break;
        }
    }
    session.release();
    Ok(Some(entries))
}

/// Unseals stored events.
pub(crate) fn unseal(entries: Vec<SealedEvent>) -> Vec<LogEntry> {
    let unseal = |event: SealedEvent| {
        let (sequence, leaf): (Sequence, _) = (event.sequence, event.leaf);
        LogEntry::new(sequence, leaf, event.unseal())
    };
    entries.into_iter().map(unseal).collect()
}
