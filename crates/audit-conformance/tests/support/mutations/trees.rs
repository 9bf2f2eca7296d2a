//! Mutations of the tree.

use audit_core::tree::NodeId;
use audit_core::{
    AuditStore, EntriesRequest, Log, Result, Sequence,
    tree::{Frontier, LogEntry, NodeHash},
};

use super::{Mutated, Mutation};

impl Mutated {
    pub(super) async fn mutated_frontier(&self, log: Log) -> Result<Frontier> {
        let log = match self.mutation {
            Mutation::FrontierOfAnotherLog => self.other_log(log).unwrap_or(log),
            _ => log,
        };
        let frontier = self.inner.frontier(log).await?;
        Ok(match self.mutation {
            Mutation::FrontierIsOld => {
                self.frontiers.lock().unwrap().entry(log).or_insert(frontier).clone()
            }
            Mutation::FrontierInReverse => {
                let hashes: Vec<_> = frontier.nodes().map(|node| node.hash).collect();
                Frontier::from_parts(frontier.size(), hashes.into_iter().rev().collect())?
            }
            _ => frontier,
        })
    }

    pub(super) async fn mutated_nodes(
        &self,
        log: Log,
        mut nodes: Vec<NodeId>,
    ) -> Result<Vec<Option<NodeHash>>> {
        let names = nodes.clone();
        let log = match self.mutation {
            Mutation::NodesOfAnotherLog => self.other_log(log).unwrap_or(log),
            _ => log,
        };
        if let Mutation::NodesOffByOne = self.mutation {
            for node in &mut nodes {
                node.index = node.index.wrapping_add(1);
            }
        }
        let mut hashes = self.inner.nodes(log, nodes).await?;
        let floor = self.inner.head(log).await?.pruned.get();
        for (id, hash) in names.into_iter().zip(&mut hashes) {
            match self.mutation {
                Mutation::HidesHighNodes if id.level > 4 => *hash = None,
                Mutation::HidesNodesBelowTheFloor if (id.index + 1) << id.level <= floor => {
                    *hash = None;
                }
                Mutation::AltersNodes(alter) => *hash = hash.map(|hash| alter(id, hash)),
                Mutation::NodesThatAreIncomplete => {
                    hash.get_or_insert(NodeHash::from_bytes([7; 32]));
                }
                Mutation::RemembersNodes => {
                    let mut known = self.notes.nodes.lock().unwrap();
                    *hash = hash.map(|hash| *known.entry((log, id)).or_insert(hash));
                }
                _ => {}
            }
        }
        Ok(hashes)
    }

    pub(super) async fn mutated_entries(
        &self,
        log: Log,
        request: EntriesRequest,
    ) -> Result<Vec<LogEntry>> {
        let EntriesRequest { after, limit, bytes, .. } = request;
        let (after, limit, bytes) = match self.mutation {
            Mutation::EntriesIgnoreAfter => (Sequence::ZERO, limit, bytes),
            Mutation::EntriesIgnoreBytes => (after, limit, usize::MAX),
            Mutation::EntriesIgnoreLimit => (after, usize::MAX, bytes),
            Mutation::EntriesSkipAfter(last) if after.get() > last => (after.next(), limit, bytes),
            _ => (after, limit, bytes),
        };
        let mut entries = self
            .inner
            .entries(log, EntriesRequest::default().after(after).limit(limit).bytes(bytes))
            .await?;
        let next = entries.iter().skip(1).map(|entry| entry.leaf).collect::<Vec<_>>();
        for (at, entry) in entries.iter_mut().enumerate() {
            match self.mutation {
                // The same JSON in other bytes.
                Mutation::AltersRecords => entry.event.record.push(b' '),
                Mutation::LeavesOfOthers => entry.leaf = *next.get(at).unwrap_or(&entry.leaf),
                _ => {}
            }
        }
        Ok(entries)
    }
}
