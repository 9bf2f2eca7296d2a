//! The writes of a player: appends, erasures, prunings.

use audit_core::tree::Tile;
use audit_core::{
    Action, Actor, AuditEvent, Erasure, ErrorKind, Filter, NewEvent, Order, Position, Receipt,
    Result, Retention, Sequence, Timestamp,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use super::op::{Draft, Which};
use super::player::{Played, Player, fail};
use crate::subject::everything;

impl Player {
    pub(super) fn append(&mut self, which: Which, drafts: &[Draft]) -> Played {
        let (log, model) = self.log(which);
        let held = |index: &Index| {
            let held = model.events.get(index.index(model.events.len().max(1)));
            // As it was given, with what may have been erased since.
            held.map(|held| match self.given.get(&(log, held.id)) {
                Some(given) => given.clone(),
                None => held.clone().into_content(),
            })
        };
        let (mut batch, mut fault) = (Vec::new(), None);
        for draft in drafts {
            let event = match draft {
                Draft::New(event) => Some(NewEvent::clone(event)),
                Draft::Again(index) => held(index),
                Draft::Clash(index) => held(index).map(|event| event.category("another")),
                Draft::Bad => Some(NewEvent::new("", Actor::system())),
            };
            let Some(event) = event else { continue };
            match draft {
                Draft::Bad => fault = Some(ErrorKind::Invalid),
                // Reserved for the store.
                _ if event.action.is_reserved() => fault = Some(ErrorKind::Invalid),
                // What is invalid is found before anything is looked up.
                Draft::Clash(_) if fault.is_none() => fault = Some(ErrorKind::Conflict),
                _ => {}
            }
            batch.push(event);
        }
        let result = self.subject().append(log, batch.clone());
        let Some(fault) = fault else {
            let receipts = result.map_err(fail("an append"))?;
            return self.record(which, batch, &receipts);
        };
        let kind = result.map_err(|error| error.kind());
        // A batch can be at fault in two ways, and either may be reported.
        let both = kind == Err(ErrorKind::Conflict) && fault == ErrorKind::Invalid;
        prop_assert!(both || kind == Err(fault), "a bad batch: {kind:?}, not {fault:?}");
        let size = self.subject().head(log).size;
        prop_assert_eq!(size, self.log(which).1.size(), "a refused batch changes nothing");
        Ok(())
    }

    /// Checks the receipts of an append, and adds its new events to the model.
    pub(super) fn record(
        &mut self,
        which: Which,
        batch: Vec<NewEvent>,
        receipts: &[Receipt],
    ) -> Played {
        prop_assert_eq!(receipts.len(), batch.len(), "one receipt for each event");
        let (log, model) = &mut self.logs[which as usize];
        for (event, receipt) in batch.into_iter().zip(receipts) {
            prop_assert_eq!(receipt.id, event.id, "receipts are in the order of the events");
            let held = model.events.iter().find(|held| held.id == event.id);
            prop_assert_eq!(receipt.redelivered, held.is_some(), "a redelivery is marked as such");
            if let Some(held) = held {
                let first = (held.sequence, held.recorded_at);
                prop_assert_eq!((receipt.sequence, receipt.recorded_at), first, "first receipt");
                continue;
            }
            prop_assert_eq!(receipt.sequence, model.size().next(), "numbers are dense");
            let last = model.events.last().map(|last| last.recorded_at);
            prop_assert!(last <= Some(receipt.recorded_at), "the recorded time goes back");
            self.given.insert((*log, event.id), event.clone());
            let event = AuditEvent::new(*log, receipt.sequence, receipt.recorded_at, event);
            model.events.push(event);
            self.trees[which as usize].push_leaf(receipt.leaf);
        }
        Ok(())
    }

    pub(super) fn erase(&mut self, which: Which, filter: &Filter) -> Played {
        let (log, model) = &mut self.logs[which as usize];
        let expected = model.erase(|event| filter.matches(event));
        let log = *log;
        let erased = self.subject().erase(log, filter.clone()).map_err(fail("an erasure"))?;
        prop_assert_eq!(erased, expected, "how many events are erased");
        self.figure.erased += erased;
        let reserved = self.take_reserved(which)?;
        prop_assert_eq!(
            reserved.is_empty(),
            expected == 0,
            "an erasure of nothing leaves no event"
        );
        let stated: u64 = reserved.iter().map(Erasure::erased_count).sum();
        prop_assert_eq!(stated, expected, "how many events the log says were erased");
        prop_assert!(
            reserved.iter().all(|event| event.action == Action::LOG_ERASED),
            "the event of an erasure"
        );
        self.look_again(which);
        Ok(())
    }

    pub(super) fn prune(&mut self, which: Which, keep: u64) -> Played {
        let log = self.log(which).0;
        let before = self.subject().retention(log).max_events;
        let retention = Retention::default().max_events(keep);
        self.subject().set_retention(log, retention).map_err(fail("a change of retention"))?;
        let mut expected = vec![Action::LOG_RETENTION_CHANGED; usize::from(before != Some(keep))];
        let (model, changes) = (self.log(which).1, expected.len() as u64);
        let removable = (model.size().get() + changes).saturating_sub(keep);
        let whole = Sequence::new(removable - removable % Tile::WIDTH).unwrap();
        let floor = whole.max(model.floor);
        let events = floor.get() - model.floor.get();
        expected.extend((events > 0).then_some(Action::LOG_PRUNED));
        let pruned = self.subject().prune(log).map_err(fail("pruning"))?;
        prop_assert_eq!((pruned.events, pruned.floor), (events, floor), "the pruned events");
        self.figure.pruned += events;
        let reserved = self.take_reserved(which)?.into_iter().map(|event| event.action);
        prop_assert_eq!(reserved.collect::<Vec<_>>(), expected, "the events of a pruning");
        self.logs[which as usize].1.prune(floor);
        self.look_again(which);
        Ok(())
    }

    /// Takes the reserved events that the store appended into the model.
    pub(super) fn take_reserved(&mut self, which: Which) -> Result<Vec<AuditEvent>, TestCaseError> {
        let (log, model) = self.log(which);
        let size = model.size();
        let last = Position { occurred_at: Timestamp::MIN, sequence: size };
        let scan = everything(log).order(Order::Sequence).after(last);
        let reserved = self.subject().scan(scan).map_err(fail("a scan"))?.events;
        let kept = self.subject().try_entries(log, size, usize::MAX, usize::MAX);
        let kept = kept.map_err(fail("a read of stored events"))?;
        prop_assert_eq!(kept.len(), reserved.len(), "each event that is read is stored");
        for entry in &kept {
            self.trees[which as usize].push(&entry.event);
        }
        self.logs[which as usize].1.events.extend(reserved.iter().cloned());
        Ok(reserved)
    }
}
