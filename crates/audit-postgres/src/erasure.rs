//! Erasure: removes personal data from events, with its index keys and its sealing keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit_core::backend::Batch;
use audit_core::{AuditContext, Erasure, Log, Result, Sequence, limits};
use audit_index::{RemovedKeys, TermKey};
use audit_sealing::{Group, GroupKey};

use crate::append::WriteTransaction;
use crate::change::Change;
use crate::connection::{Session, Statement, types};
use crate::core::Core;
use crate::derived;
use crate::events::read_events;
use crate::keys;
use crate::lock::Wanted;
use crate::log_row::log_row;
use crate::replica::note_removal;
use crate::retention;
use crate::scrub::scrub;
use crate::sealing::SealedEvent;

/// Removes the personal data of events.
pub(crate) const ERASE_EVENTS: Statement = Statement {
    sql: "UPDATE audit.event SET personal = NULL WHERE log = $1 AND sequence = ANY($2)",
    types: types![BYTEA, INT8_ARRAY],
    context: "erasing",
};

/// Erases events of a log. Returns how many had personal data.
pub(crate) async fn erase(
    core: Arc<Core>,
    log: Log,
    mut sequences: Vec<Sequence>,
    by: AuditContext,
) -> Result<u64> {
    limits::erased_events(sequences.len())?;
    if log_row(&core.writers.take().await?, log).await?.is_none() {
        return Ok(0);
    }
    sequences.sort_unstable();
    sequences.dedup();
    let erased = Arc::clone(&core).change(Erase { log, sequences, by }).await?;
    // Also if nothing is left to erase: old rows may still hold what an earlier call erased.
    scrub(&core).await?;
    Ok(erased)
}

struct Erase {
    log: Log,
    sequences: Vec<Sequence>,
    by: AuditContext,
}

/// What an erasure removes beside the personal data.
#[derive(Default)]
struct Removed {
    sequences: Vec<Sequence>,
    /// The keys without those of the events.
    group_keys: BTreeMap<Group, GroupKey>,
    index_keys: RemovedKeys,
    /// The damaged events, whose index keys are unknown.
    unknown: Vec<Sequence>,
}

impl Change for Erase {
    type Output = u64;

    fn wanted(&self) -> Wanted {
        Wanted::default().log(self.log).index()
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<u64> {
        retention::read(&transaction.session, self.log).await?.permits_removal()?;
        let head = transaction.end(self.log)?.row.head;
        let is_kept = |sequence: &&Sequence| head.pruned < **sequence && **sequence <= head.size;
        let kept: Vec<_> = self.sequences.iter().filter(is_kept).copied().collect();
        let mut removed = Removed::default();
        for event in read_events(&transaction.session, self.log, &kept).await? {
            removed.add(event, |terms| core.indexing.hasher.keys(terms));
        }
        let erased = removed.sequences.len() as u64;
        if erased > 0 {
            removed.write(&transaction.session, self.log).await?;
            let (of_index, unknown) = (removed.index_keys, removed.unknown);
            let indexing = core.indexing.clone();
            let write = move |writer: &audit_index::IndexWriter<'_, _>, index: &_| {
                derived::remove_keys(writer, index, &indexing, &of_index, &unknown)
            };
            transaction.with_index(core, self.log, write).await?;
            let event = Erasure::event(erased, self.by.clone())?;
            transaction.append_own(core, Batch::reserved(self.log, event)?)?;
            let last = transaction.end(self.log)?.row.head.size;
            note_removal(&transaction.session, self.log, last).await?;
        }
        Ok(erased)
    }
}

impl Removed {
    /// Adds an event, if it has personal data.
    fn add(
        &mut self,
        event: SealedEvent,
        keys: impl FnOnce(&[audit_core::backend::Term]) -> Vec<TermKey>,
    ) {
        if !event.has_personal() {
            return;
        }
        let sequence = event.sequence;
        self.sequences.push(sequence);
        let group = Group::of(sequence);
        // Without a key that can be read, no copy of the personal data can be read either.
        if let Some(key) = event.group_key() {
            self.group_keys.entry(group).or_insert(key).puncture(sequence);
        }
        match event.unseal().erase() {
            Ok(terms) if terms.is_empty() => {}
            Ok(terms) => drop(self.index_keys.insert(sequence, keys(&terms))),
            Err(_) => self.unknown.push(sequence),
        }
    }

    async fn write(&self, session: &Session, log: Log) -> Result<()> {
        keys::replace(session, log, &self.group_keys).await?;
        let sequences: Vec<_> = self.sequences.iter().map(|sequence| sequence.as_i64()).collect();
        session.execute(&ERASE_EVENTS, &[&log.as_bytes(), &sequences]).await.map(drop)
    }
}
