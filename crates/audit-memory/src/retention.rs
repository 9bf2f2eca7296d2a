//! Retention and pruning.

use audit_core::{
    AuditContext, Log, Position, Pruned, Pruning, Result, Retention, Sequence, Timestamp,
    backend::Batch,
};

use crate::log::{LogState, Postings};
use crate::store::{MemoryStore, read, write};

impl MemoryStore {
    pub(crate) fn retention_of(&self, log: Log) -> Retention {
        self.log(log).map(|state| read(&state).retention).unwrap_or_default()
    }

    pub(crate) fn change_retention(
        &self,
        log: Log,
        retention: Retention,
        by: AuditContext,
    ) -> Result<()> {
        retention.validate()?;
        let shared = self.log_or_new(log);
        let mut state = write(&shared);
        if state.retention == retention {
            return Ok(());
        }
        let event = retention.event(&state.retention, by)?;
        state.append(Batch::reserved(log, event)?, &self.shared.latest)?;
        state.retention = retention;
        drop(state);
        self.shared.feeds.wake([log]);
        Ok(())
    }

    pub(crate) fn prune_log(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        let shared = self.log_or_new(log);
        let mut state = write(&shared);
        let recorded_at = |sequence| Ok(state.stored(sequence)?.decode()?.recorded_at);
        let floor = state.retention.floor(state.head, &pruning, Timestamp::now(), recorded_at)?;
        let pruned = Pruned::new(state.head, floor);
        if pruned.events == 0 {
            return Ok(pruned);
        }
        state.append(Batch::reserved(log, pruned.event(pruning.by)?)?, &self.shared.latest)?;
        state.remove_up_to(floor)?;
        drop(state);
        self.shared.feeds.wake([log]);
        Ok(pruned)
    }
}

impl LogState {
    fn remove_up_to(&mut self, floor: Sequence) -> Result<()> {
        while self.head.pruned < floor {
            let Some(event) = self.events.pop_front() else { break };
            self.head.pruned = self.head.pruned.next();
            self.ids.remove(&event.decode()?.id);
        }
        self.postings.retain(|_, Postings { by_time, by_sequence }| {
            let gone = by_sequence.partition_point(|p| p.sequence <= floor);
            for Position { occurred_at, sequence } in by_sequence.drain(..gone) {
                by_time.remove(&(occurred_at, sequence));
            }
            !by_sequence.is_empty()
        });
        self.nodes.retain(|node, _| node.is_retained(floor));
        Ok(())
    }
}
