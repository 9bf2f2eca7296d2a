//! The Merkle tree of a log, and the entries that verification reads.

use audit_core::{
    EntriesRequest, Error, ErrorKind, LeafHash, Log, Result, Sequence,
    tree::{Frontier, LogEntry, NodeHash, NodeId},
};

use crate::log::LogState;
use crate::store::{MemoryStore, read};

impl MemoryStore {
    pub(crate) fn frontier_of(&self, log: Log) -> Frontier {
        self.log(log).map(|state| read(&state).frontier.clone()).unwrap_or_default()
    }

    pub(crate) fn read_nodes(&self, log: Log, nodes: &[NodeId]) -> Vec<Option<NodeHash>> {
        let Some(state) = self.log(log) else { return vec![None; nodes.len()] };
        let state = read(&state);
        nodes.iter().map(|node| state.nodes.get(node).copied()).collect()
    }

    pub(crate) fn read_entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        let Some(state) = self.log(log) else { return Ok(Vec::new()) };
        let state = read(&state);
        let EntriesRequest { after, limit, bytes, .. } = request;
        let first = after.max(state.head.pruned).next();
        let Some(skipped) = state.index_of(first) else { return Ok(Vec::new()) };
        let (mut entries, mut size) = (Vec::new(), 0);
        for (number, event) in (first.get()..).zip(state.events.iter().skip(skipped)) {
            if entries.len() == limit || (size > 0 && size >= bytes) {
                break;
            }
            size += event.size();
            let sequence = Sequence::new(number)?;
            entries.push(LogEntry::new(sequence, state.leaf(sequence)?, event.clone()));
        }
        Ok(entries)
    }
}

impl LogState {
    /// Returns the leaf hash of an event that the log must hold.
    fn leaf(&self, sequence: Sequence) -> Result<LeafHash> {
        let node = self.nodes.get(&NodeId::new(0, sequence.previous().get()));
        let missing = || Error::new(ErrorKind::Corrupt).with_context("reading the tree");
        node.map(|node| LeafHash::from_bytes(*node.as_bytes())).ok_or_else(missing)
    }
}
