//! Faults of what proves a log.

use audit_core::{AuditStore, Frontier, Log, NodeHash, Result, Sequence, StoredEvent};

use super::{Fault, Faulty};

impl Faulty {
    pub(super) async fn faulty_frontier(&self, log: Log) -> Result<Frontier> {
        let log = match self.fault {
            Fault::EdgeOfAnotherLog => self.other_log(log).unwrap_or(log),
            _ => log,
        };
        let edge = self.inner.frontier(log).await?;
        Ok(match self.fault {
            Fault::EdgeIsOld => self.edges.lock().unwrap().entry(log).or_insert(edge).clone(),
            Fault::EdgeInReverse => {
                let hashes: Vec<_> = edge.nodes().map(|node| node.hash).collect();
                Frontier::from_parts(edge.size(), hashes.into_iter().rev().collect())?
            }
            _ => edge,
        })
    }

    pub(super) async fn faulty_nodes(
        &self,
        log: Log,
        mut nodes: Vec<(u8, u64)>,
    ) -> Result<Vec<Option<NodeHash>>> {
        let names = nodes.clone();
        let log = match self.fault {
            Fault::NodesOfAnotherLog => self.other_log(log).unwrap_or(log),
            _ => log,
        };
        if let Fault::NodesOffByOne = self.fault {
            for (_, index) in &mut nodes {
                *index = index.wrapping_add(1);
            }
        }
        let mut hashes = self.inner.nodes(log, nodes).await?;
        let floor = self.inner.head(log).await?.pruned.get();
        for ((level, index), hash) in names.into_iter().zip(&mut hashes) {
            match self.fault {
                Fault::HidesHighNodes if level > 4 => *hash = None,
                Fault::HidesNodesBelowTheFloor if (index + 1) << level <= floor => *hash = None,
                Fault::NodesThatAreIncomplete => {
                    hash.get_or_insert(NodeHash::from_bytes([7; 32]));
                }
                _ => {}
            }
        }
        Ok(hashes)
    }

    pub(super) async fn faulty_stored(
        &self,
        log: Log,
        after: Sequence,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<(Sequence, StoredEvent)>> {
        let (after, limit, bytes) = match self.fault {
            Fault::StoredIgnoresAfter => (Sequence::ZERO, limit, bytes),
            Fault::StoredIgnoresBytes => (after, limit, usize::MAX),
            Fault::StoredIgnoresLimit => (after, usize::MAX, bytes),
            _ => (after, limit, bytes),
        };
        let mut stored = self.inner.stored(log, after, limit, bytes).await?;
        if let Fault::AltersRecords = self.fault {
            // The same JSON in other bytes.
            for (_, event) in &mut stored {
                event.record.push(b' ');
            }
        }
        Ok(stored)
    }
}
