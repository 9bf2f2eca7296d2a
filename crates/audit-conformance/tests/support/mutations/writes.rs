//! Mutations of writes.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use audit_core::{
    Actor, AuditContext, AuditStore, Error, ErrorKind, EventId, LeafHash, Log, NewEvent,
    NewOrganization, Organization, OrganizationId, OrganizationUpdate, Receipt, Result,
    TenantStore as _, Timestamp, backend::Batch, limits::MAX_BATCH_EVENTS,
};

use super::reads::with_gap;
use super::{Mutated, Mutation};

impl Mutated {
    pub(super) async fn mutated_append(
        &self,
        log: Log,
        mut events: Vec<NewEvent>,
    ) -> Result<Vec<Receipt>> {
        match self.mutation {
            Mutation::AppendsInTheOrderAsked => self.wait_for_the_first_log(log),
            Mutation::RefusesEmptyBatches if events.is_empty() => {
                return Err(Error::new(ErrorKind::Invalid));
            }
            Mutation::RefusesLargeBatches if events.len() > MAX_BATCH_EVENTS / 2 => {
                return Err(Error::new(ErrorKind::Invalid));
            }
            Mutation::RequiresAnOrganization => {
                if let Some(id) = log.organization_id() {
                    self.inner.organization(id).await?;
                }
            }
            Mutation::IdsAreUniqueAcrossLogs => {
                let mut ids = self.notes.ids.lock().unwrap();
                if events.iter().any(|event| *ids.entry(event.id).or_insert(log) != log) {
                    return Err(Error::new(ErrorKind::Conflict));
                }
            }
            Mutation::RecordsRedeliveriesAgain => {
                for event in &mut events {
                    if self.inner.get(log, event.id).await.is_ok() {
                        event.id = EventId::new();
                    }
                }
            }
            Mutation::ForgetsTheSubmitter => {
                for event in &mut events {
                    event.submitted_by = None;
                }
            }
            Mutation::AcceptsReservedActions
                if events.iter().any(|event| event.action.is_reserved()) =>
            {
                let mut state = self.inner.state();
                let batches = events.into_iter().map(|event| Batch::reserved(log, event));
                let receipts = batches.map(|batch| state.append(batch?));
                return Ok(receipts.collect::<Result<Vec<_>>>()?.concat());
            }
            Mutation::FillsTimesBeforeComparing => {
                for event in &mut events {
                    event.occurred_at = event.occurred_at.or(Some(Timestamp::now()));
                }
            }
            Mutation::ComparesAfter(alter) => self.align(log, &mut events, alter).await,
            Mutation::AppendsInStepsOf(most) => {
                return self.append_in_steps(log, events, most).await;
            }
            Mutation::RefusesBatchesOfBytes(most) => Self::refuse_bytes(&events, most)?,
            Mutation::DropsWithItsCaller => yield_now().await,
            Mutation::ReversesBatches => events.reverse(),
            Mutation::SplitsBatches => {
                let rest = events.split_off(events.len() / 2);
                let mut receipts = self.inner.append(log, events).await?;
                yield_now().await;
                receipts.extend(self.inner.append(log, rest).await?);
                return Ok(receipts);
            }
            _ => {}
        }
        let appended = self.inner.append(log, events.clone()).await;
        let mut receipts = match appended {
            Err(error)
                if error.kind() == ErrorKind::Conflict
                    && matches!(self.mutation, Mutation::SwallowsConflicts) =>
            {
                for event in &mut events {
                    event.id = EventId::new();
                }
                self.inner.append(log, events.clone()).await?
            }
            appended => appended?,
        };
        self.notes.logs.lock().unwrap().push(log);
        match self.mutation {
            Mutation::DropsReceipt => drop(receipts.pop()),
            Mutation::FirstReceiptOnly => receipts.truncate(1),
            Mutation::GapInSequence => {
                for receipt in &mut receipts {
                    receipt.sequence = with_gap(receipt.sequence);
                }
            }
            Mutation::NotMarkedAsRedelivered => {
                for receipt in &mut receipts {
                    receipt.redelivered = false;
                }
            }
            Mutation::HashesNothing => {
                for receipt in &mut receipts {
                    receipt.leaf = LeafHash::of(b"");
                }
            }
            Mutation::RestoresErasedData => self.bring_back(log, &events, &receipts),
            Mutation::ReversesBatches => receipts.reverse(),
            _ => {}
        }
        Ok(receipts)
    }

    pub(super) async fn mutated_create(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        let created = self.inner.create_organization(new.clone(), by.clone()).await;
        match (self.mutation, &created) {
            (Mutation::SwallowsConflicts, Err(error)) if error.kind() == ErrorKind::Conflict => {
                Organization::create(new, by).map(|(organization, _)| organization)
            }
            (Mutation::ChangesBeforeChecking, Err(error)) if error.kind() == ErrorKind::Invalid => {
                let harmless = NewOrganization::new("Acme").id(new.id);
                self.inner.create_organization(harmless, by.actor.into()).await?;
                created
            }
            _ => created,
        }
    }

    pub(super) async fn mutated_list(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        match self.mutation {
            Mutation::IgnoresTheListLimit => self.inner.organizations(after, 1_000).await,
            Mutation::ListsInReverse => {
                let mut list = self.inner.organizations(after, limit).await?;
                list.reverse();
                Ok(list)
            }
            _ => self.inner.organizations(after, limit).await,
        }
    }

    pub(super) async fn mutated_update(
        &self,
        id: OrganizationId,
        mut update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        let before = self.inner.organization(id).await?;
        match self.mutation {
            Mutation::AddsBeforeRemoving => {
                let removed = update.remove_endpoints.clone();
                update.add_endpoints.retain(|endpoint| !removed.contains(&endpoint.id));
            }
            Mutation::LosesUpdates
                if self.notes.updates.fetch_add(1, Ordering::Relaxed) % 3 == 2 =>
            {
                return Ok(before);
            }
            _ => {}
        }
        let updated = self.inner.update_organization(id, update, by.clone()).await;
        match (self.mutation, &updated) {
            (Mutation::ChangesBeforeChecking, Err(error)) if error.kind() == ErrorKind::Invalid => {
                let harmless = OrganizationUpdate::default().name("New");
                self.inner.update_organization(id, harmless, by.actor.into()).await?;
            }
            (Mutation::TouchesWithoutChange, Ok(after)) if *after == before => {
                let touch = NewEvent::new("organization.updated", Actor::system());
                self.inner.append(id.into(), vec![touch]).await?;
            }
            _ => {}
        }
        updated
    }

    pub(super) async fn mutated_delete(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        if let Mutation::IgnoresDeletion = self.mutation {
            return self.inner.organization(id).await.map(drop);
        }
        if let Mutation::CreatesKeysByAnOldRead = self.mutation {
            wait_until(|| self.notes.looks.load(Ordering::SeqCst) > 0);
        }
        self.inner.delete_organization(id, by).await?;
        self.notes.deletions.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Waits for another thread, but not for ever: there may be none.
pub(super) fn wait_until(is_done: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_done() {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Lets the task be polled, or dropped, at this point.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
