//! Mutations of reads.

use std::time::Duration;

use audit_core::{
    Action, AuditEvent, AuditStore, Error, ErrorKind, EventId, Facet, Filter, Log, Order, Position,
    Result, Scan, ScanResult, Sequence, TenantStore as _, Total, limits::MAX_LOGS_PAGE,
};

use super::{Mutated, Mutation};

impl Mutated {
    pub(super) async fn mutated_get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        if let Mutation::LooksUpWhenOthersAreDone = self.mutation {
            self.wait_for_the_first_log(log);
        }
        let found = self.inner.get(log, id).await;
        match (self.mutation, found) {
            (Mutation::Alters(alter), Ok(mut event)) => {
                alter(&mut event);
                Ok(event)
            }
            (Mutation::GetsAcrossLogs, Err(error)) => {
                let logs = self.notes.logs.lock().unwrap().clone();
                for log in logs {
                    if let Ok(event) = self.inner.get(log, id).await {
                        return Ok(event);
                    }
                }
                Err(error)
            }
            (Mutation::FindsPrunedEvents, Err(error)) => {
                let gone = self.notes.gone.lock().unwrap();
                let found = gone.iter().find(|event| (event.log, event.id) == (log, id));
                found.cloned().ok_or(error)
            }
            (Mutation::GetsUpTo(last), Ok(event)) if event.sequence.get() > last => {
                Err(Error::not_found("event"))
            }
            (Mutation::GetsTheFirst, Ok(event)) => {
                Ok(self.everything(log).await?.into_iter().next().unwrap_or(event))
            }
            (Mutation::NotFoundIsUnavailable, Err(_)) => Err(Error::new(ErrorKind::Unavailable)),
            (_, found) => found,
        }
    }

    pub(super) async fn mutated_logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        let mut all = self.inner.logs(None, MAX_LOGS_PAGE).await?;
        let (after, limit) = match self.mutation {
            Mutation::IgnoresAfter => (None, limit),
            Mutation::IgnoresTheListLimit => (after, MAX_LOGS_PAGE),
            Mutation::ListsLogsUpTo(most) => (after, limit.min(most)),
            _ => (after, limit),
        };
        let in_range = self.inner.logs(after, limit).await?;
        match self.mutation {
            Mutation::CachesLogs => {
                let first = self.logs.lock().unwrap().get_or_insert(all).clone();
                all = first;
            }
            Mutation::HidesLogsOfDeletedOrganizations => {
                let mut left = Vec::new();
                for log in all {
                    if !self.ends_with_a_deletion(log).await? {
                        left.push(log);
                    }
                }
                all = left;
            }
            Mutation::HidesPrunedLogs => {
                let state = self.inner.state();
                all.retain(|log| state.logs[log].head.pruned == Sequence::ZERO);
            }
            Mutation::HidesThePlatformLog => all.retain(|log| *log != Log::Platform),
            Mutation::ListsInReverse => all.reverse(),
            _ => return Ok(in_range),
        }
        Ok(all.into_iter().filter(|log| Some(*log) > after).take(limit).collect())
    }

    async fn ends_with_a_deletion(&self, log: Log) -> Result<bool> {
        let events = self.everything(log).await?;
        Ok(events.last().is_some_and(|event| event.action == Action::ORGANIZATION_DELETED))
    }

    pub(super) async fn mutated_scan(&self, asked: Scan) -> Result<ScanResult> {
        let mut scan = asked.clone();
        match self.mutation {
            Mutation::LooksUpWhenOthersAreDone | Mutation::ReadsWhenOthersAreDone => {
                self.wait_for_the_first_log(scan.log);
            }
            Mutation::AlwaysCounts => scan.total = Total::Exact,
            Mutation::ClampsTheBound => {
                let head = self.inner.head(scan.log).await?;
                scan.bound = scan.bound.map(|bound| bound.min(head.size));
            }
            Mutation::FirstValuesOnly => scan.filter = rebuilt(&scan.filter, |_, n, _| n < 10),
            Mutation::IgnoresAfter => scan.after = None,
            Mutation::IgnoresBound => scan.bound = None,
            Mutation::IgnoresFacet(ignored) => {
                scan.filter = rebuilt(&scan.filter, |facet, _, _| facet != ignored);
            }
            Mutation::IgnoresOffset => scan.offset = 0,
            Mutation::IgnoresOrder => scan.order = Order::NewestFirst,
            Mutation::IgnoresTimeRange => {
                let conditions = scan.filter.facets().flat_map(|facet| {
                    scan.filter.values(facet).map(move |value| (facet, value.to_owned()))
                });
                scan.filter = conditions.fold(Filter::new(), |f, (facet, v)| f.with(facet, v));
            }
            Mutation::TakesPrefixesLiterally => {
                scan.filter = rebuilt(&scan.filter, |_, _, value| !value.ends_with(".*"));
            }
            Mutation::UntilIsInclusive => {
                if let Some(end) = scan.filter.end_instant() {
                    scan.filter = scan.filter.until(end.saturating_add(Duration::from_nanos(1)));
                }
            }
            Mutation::AltersScans(alter) => alter(&mut scan, self.seen(asked.log).await?),
            Mutation::IndexesAs(alter) => {
                let matches = |filter: &Filter, event: &AuditEvent| {
                    let mut event = event.clone();
                    alter(&mut event);
                    filter.matches(&event)
                };
                return self.rescan(asked, matches).await;
            }
            Mutation::AddressesByLetter => return self.rescan(asked, by_letter).await,
            Mutation::FoldsCase => return self.rescan(asked, folded).await,
            Mutation::InvolvesActorsOnly => return self.rescan(asked, by_actor_only).await,
            Mutation::SplitsPairs => return self.rescan(asked, pairs_split).await,
            Mutation::TypeAndIdApart => return self.rescan(asked, type_and_id_apart).await,
            _ => {}
        }
        let pruned = self.inner.head(scan.log).await?.pruned;
        match self.mutation {
            Mutation::EndsEveryToken if pruned > Sequence::ZERO && scan.after.is_some() => {
                return Err(Error::new(ErrorKind::Gone));
            }
            Mutation::FindsErasedEvents => return self.rescan(asked, Filter::matches).await,
            Mutation::SkipsPrunedEvents => {
                // The next that is left, whatever lies between.
                let first = |after: Position| {
                    if after.sequence < pruned {
                        Position { sequence: pruned, ..after }
                    } else {
                        after
                    }
                };
                scan.after = scan.after.map(first);
            }
            _ => {}
        }
        let mut slice = self.inner.scan(scan).await?;
        if let Mutation::IgnoresBound | Mutation::ClampsTheBound = self.mutation {
            slice.bound = asked.bound.unwrap_or(slice.bound);
        }
        self.spoil(&asked, &mut slice).await?;
        Ok(slice)
    }

    async fn spoil(&self, asked: &Scan, slice: &mut ScanResult) -> Result<()> {
        let events = &mut slice.events;
        match self.mutation {
            Mutation::Alters(alter) => events.iter_mut().for_each(alter),
            Mutation::AltersErased(alter) => {
                events.iter_mut().filter(|event| event.erased).for_each(alter);
            }
            Mutation::AlwaysMore => slice.more = true,
            Mutation::AltersResults(alter) => alter(asked, self.seen(asked.log).await?, slice),
            Mutation::KeepsOfErased(alter) => self.restore(events, alter),
            Mutation::BoundOffByOne => slice.bound = slice.bound.previous(),
            Mutation::DeletionClearsTheLog => {
                if let Some(id) = asked.log.organization_id()
                    && events.iter().any(|event| event.action.as_str() == "organization.deleted")
                    && self.inner.organization(id).await.is_err()
                {
                    events.clear();
                }
            }
            Mutation::CountsPrunedEvents => {
                let gone = self.notes.gone.lock().unwrap();
                let counted =
                    |event: &&AuditEvent| event.log == asked.log && asked.filter.matches(event);
                let counted = gone.iter().filter(counted).count() as u64;
                slice.total = slice.total.map(|total| total + counted);
            }
            Mutation::DropsFirst => drop(events.drain(..events.len().min(1))),
            Mutation::DropsLast => drop(events.pop()),
            Mutation::AltersPlatformEvents(alter) if asked.log == Log::Platform => {
                events.iter_mut().filter(|event| is_change(event)).for_each(alter);
            }
            Mutation::HidesKeyEvents => events.retain(|event| !has_action(event, "api_key.")),
            Mutation::HidesPlatformEvents if asked.log == Log::Platform => {
                events.retain(|event| !is_change(event));
            }
            Mutation::RevealsTheDigest | Mutation::RevealsTheSecret => {
                let credential = self.notes.credential.lock().unwrap().clone();
                for event in events.iter_mut().filter(|event| has_action(event, "api_key.")) {
                    event.metadata.insert("credential".into(), credential.clone());
                }
            }
            Mutation::HidesOrganizationEvents => {
                events.retain(|event| !has_action(event, "organization."));
            }
            Mutation::LeaksAnotherLog => {
                if let Some(other) = self.other_log(asked.log) {
                    events.extend(self.everything(other).await?.into_iter().next());
                }
            }
            Mutation::NeverMore => slice.more = false,
            Mutation::RepeatsLast => events.extend(events.last().cloned()),
            Mutation::TiesInReverse => {
                for n in 1..events.len() {
                    if events[n - 1].occurred_at == events[n].occurred_at {
                        events.swap(n - 1, n);
                    }
                }
            }
            Mutation::TotalIgnoresBound => {
                let mut all = asked.clone();
                all.bound = None;
                slice.total = self.inner.scan(all).await?.total;
            }
            Mutation::TotalOfTheRest if asked.after.is_some() => {
                let rest = asked.clone().limit(1_000_000);
                let rest = self.inner.scan(rest).await?.events.len() as u64;
                slice.total = slice.total.map(|_| rest);
            }
            Mutation::TotalOffByOne => slice.total = slice.total.map(|total| total + 1),
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn everything(&self, log: Log) -> Result<Vec<AuditEvent>> {
        let scan = Scan::new(log).order(Order::Sequence).limit(1_000_000);
        Ok(self.inner.scan(scan).await?.events)
    }

    /// Answers a scan with another idea of what matches.
    async fn rescan(
        &self,
        asked: Scan,
        matches: impl Fn(&Filter, &AuditEvent) -> bool,
    ) -> Result<ScanResult> {
        let every = asked.clone().filter(Filter::new()).offset(0).limit(1_000_000);
        let ScanResult { mut events, bound, end, .. } = self.inner.scan(every).await?;
        let gone = self.notes.gone.lock().unwrap();
        let as_it_was = |event: &AuditEvent| {
            gone.iter().find(|was| (was.log, was.sequence) == (event.log, event.sequence)).cloned()
        };
        events.retain(|event| {
            matches(&asked.filter, &as_it_was(event).unwrap_or_else(|| event.clone()))
        });
        let total = (asked.total == Total::Exact).then_some(events.len() as u64);
        let offset = usize::try_from(asked.offset).unwrap_or(usize::MAX).min(events.len());
        let mut events = events.split_off(offset);
        let more = events.len() > asked.limit;
        events.truncate(asked.limit);
        Ok(ScanResult::new(events, more, bound, end).total(total))
    }
}

fn has_action(event: &AuditEvent, prefix: &str) -> bool {
    event.action.as_str().starts_with(prefix)
}

/// Whether the event is one that the store itself appended.
fn is_change(event: &AuditEvent) -> bool {
    has_action(event, "organization.") || has_action(event, "api_key.")
}

/// The filter with the conditions that `keep` wants, by facet, place and value.
pub(super) fn rebuilt(filter: &Filter, keep: impl Fn(Facet, usize, &str) -> bool) -> Filter {
    let mut rebuilt = Filter::new().since(filter.first_instant());
    if let Some(end) = filter.end_instant() {
        rebuilt = rebuilt.until(end);
    }
    for facet in filter.facets() {
        for (n, value) in filter.values(facet).enumerate() {
            if keep(facet, n, value) {
                rebuilt = rebuilt.with(facet, value);
            }
        }
    }
    rebuilt
}

fn folded(filter: &Filter, event: &AuditEvent) -> bool {
    let lower = Facet::ALL.into_iter().fold(Filter::new(), |lower, facet| {
        filter.values(facet).fold(lower, |lower, value| lower.with(facet, value.to_lowercase()))
    });
    let mut event = event.clone();
    event.actor.id = event.actor.id.map(|id| id.to_lowercase());
    lower.matches(&event)
}

/// Compares addresses letter by letter with the lower case.
fn by_letter(filter: &Filter, event: &AuditEvent) -> bool {
    let spelled = |email: &String| filter.values(Facet::ActorEmail).any(|value| value == email);
    filter.matches(event)
        && (filter.values(Facet::ActorEmail).next().is_none()
            || event.actor.email.as_ref().is_some_and(spelled))
}

fn by_actor_only(filter: &Filter, event: &AuditEvent) -> bool {
    let acted = |id: &str| event.actor.id.as_deref() == Some(id);
    filter.matches(event)
        && (filter.values(Facet::Involving).next().is_none()
            || filter.values(Facet::Involving).any(acted))
}

/// Takes any type of a pair with any id of a pair.
fn pairs_split(filter: &Filter, event: &AuditEvent) -> bool {
    let pairs = filter.values(Facet::Target).filter_map(|pair| pair.split_once('='));
    let split = |filter: Filter, (kind, id)| filter.target_type(kind).target_id(id);
    let split = pairs.fold(rebuilt(filter, |facet, _, _| facet != Facet::Target), split);
    split.matches(event)
}

fn type_and_id_apart(filter: &Filter, event: &AuditEvent) -> bool {
    let [by_type, by_id] = [Facet::TargetId, Facet::TargetType]
        .map(|without| rebuilt(filter, |facet, _, _| facet != without));
    by_type.matches(event) && by_id.matches(event)
}

/// The number after `sequence` for every number but the first.
pub(super) fn with_gap(sequence: Sequence) -> Sequence {
    if sequence.get() > 1 { sequence.next() } else { sequence }
}
