//! What proves a log: the edge of its tree, its nodes, and the events as they are kept.

use audit_core::{Frontier, Log, NodeHash, Result, Sequence, StoredEvent};

use crate::{MemoryStore, read};

impl MemoryStore {
    pub(crate) fn frontier_of(&self, log: Log) -> Frontier {
        self.log(log).map(|state| read(&state).frontier.clone()).unwrap_or_default()
    }

    pub(crate) fn read_nodes(&self, log: Log, nodes: &[(u8, u64)]) -> Vec<Option<NodeHash>> {
        let Some(state) = self.log(log) else { return vec![None; nodes.len()] };
        let state = read(&state);
        nodes.iter().map(|place| state.nodes.get(place).copied()).collect()
    }

    pub(crate) fn read_stored(
        &self,
        log: Log,
        after: Sequence,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<(Sequence, StoredEvent)>> {
        let Some(state) = self.log(log) else { return Ok(Vec::new()) };
        let state = read(&state);
        let first = after.max(state.head.pruned).next();
        let Some(skipped) = state.index_of(first) else { return Ok(Vec::new()) };
        let (mut events, mut size) = (Vec::new(), 0);
        for (sequence, event) in (first.get()..).zip(state.events.iter().skip(skipped)) {
            if events.len() == limit || (size > 0 && size >= bytes) {
                break;
            }
            size += event.size();
            events.push((Sequence::new(sequence)?, event.clone()));
        }
        Ok(events)
    }
}
