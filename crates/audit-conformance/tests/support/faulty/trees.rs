//! Faults of what proves a log.

use audit_core::tree::NodeId;
use audit_core::{
    AuditStore, EntriesRequest, Log, Result, Sequence,
    tree::{Frontier, LogEntry, NodeHash},
};

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
        mut nodes: Vec<NodeId>,
    ) -> Result<Vec<Option<NodeHash>>> {
        let names = nodes.clone();
        let log = match self.fault {
            Fault::NodesOfAnotherLog => self.other_log(log).unwrap_or(log),
            _ => log,
        };
        if let Fault::NodesOffByOne = self.fault {
            for node in &mut nodes {
                node.index = node.index.wrapping_add(1);
            }
        }
        let mut hashes = self.inner.nodes(log, nodes).await?;
        let floor = self.inner.head(log).await?.pruned.get();
        for (id, hash) in names.into_iter().zip(&mut hashes) {
            match self.fault {
                Fault::HidesHighNodes if id.level > 4 => *hash = None,
                Fault::HidesNodesBelowTheFloor if (id.index + 1) << id.level <= floor => {
                    *hash = None;
                }
                Fault::NodesThatAreIncomplete => {
                    hash.get_or_insert(NodeHash::from_bytes([7; 32]));
                }
                _ => {}
            }
        }
        Ok(hashes)
    }

    pub(super) async fn faulty_entries(
        &self,
        log: Log,
        request: EntriesRequest,
    ) -> Result<Vec<LogEntry>> {
        let EntriesRequest { after, limit, bytes, .. } = request;
        let (after, limit, bytes) = match self.fault {
            Fault::EntriesIgnoreAfter => (Sequence::ZERO, limit, bytes),
            Fault::EntriesIgnoreBytes => (after, limit, usize::MAX),
            Fault::EntriesIgnoreLimit => (after, usize::MAX, bytes),
            _ => (after, limit, bytes),
        };
        let mut entries = self
            .inner
            .entries(log, EntriesRequest::default().after(after).limit(limit).bytes(bytes))
            .await?;
        let next = entries.iter().skip(1).map(|entry| entry.leaf).collect::<Vec<_>>();
        for (at, entry) in entries.iter_mut().enumerate() {
            match self.fault {
                // The same JSON in other bytes.
                Fault::AltersRecords => entry.event.record.push(b' '),
                Fault::LeavesOfOthers => entry.leaf = *next.get(at).unwrap_or(&entry.leaf),
                _ => {}
            }
        }
        Ok(entries)
    }
}
