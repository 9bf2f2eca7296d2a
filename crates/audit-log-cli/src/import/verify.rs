//! Verifies that walks of the log return each event of the files once, as it was mapped.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::store::Store;
use audit_core::{AuditStoreExt as _, EventId, EventQuery, Log, NewEvent, Order, Position, Result};

/// The events that the log must have: for each id, a digest of the content.
#[derive(Debug, Default)]
pub(crate) struct Expected(HashMap<EventId, EventId>);

/// One walk of the whole log by tokens, and its findings.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) order: Order,
    /// The number of events in a page.
    pub(crate) limit: usize,
    /// The number of events that the walk returned.
    pub(crate) events: u64,
    /// The number of these that are in the files.
    pub(crate) of_files: u64,
    /// The number of events in the files that the walk did not return.
    pub(crate) missing: u64,
    /// The number of events in the files that the walk returned with other content.
    pub(crate) differing: u64,
    /// The number of events that the walk returned more than once.
    pub(crate) repeated: u64,
    /// The number of events that the walk returned out of order.
    pub(crate) misplaced: u64,
}

impl Expected {
    /// Adds an event as the log must have it, by its id and its digest. Ignores an id that was added before.
    pub(crate) fn insert(&mut self, id: EventId, digest: EventId) {
        self.0.entry(id).or_insert(digest);
    }
}

/// Returns the digest of the content of an event.
pub(crate) fn digest(event: &NewEvent) -> EventId {
    let json = serde_json::to_vec(event).unwrap_or_default();
    EventId::derived(*event.id.as_uuid(), &json)
}

/// Returns walks in both orders of time, with small, usual and the largest pages.
pub(crate) fn walks() -> impl Iterator<Item = Walk> {
    [Order::NewestFirst, Order::OldestFirst]
        .into_iter()
        .flat_map(|order| [7, 100, 1_000].map(|limit| Walk { order, limit, ..Walk::default() }))
}

impl Walk {
    pub(crate) async fn run(
        mut self,
        store: &dyn Store,
        log: Log,
        expected: &Expected,
    ) -> Result<Self> {
        let query = EventQuery::new(log).order(self.order).limit(self.limit);
        let (mut seen, mut last) = (HashSet::new(), None::<Position>);
        let mut page = store.page(&query).await?;
        loop {
            for event in page.events {
                self.events += 1;
                let position = Position::of(&event);
                let follows = |last| self.order.compare(&last, &position).is_lt();
                self.misplaced += u64::from(!last.is_none_or(follows));
                last = Some(position);
                self.repeated += u64::from(!seen.insert(event.id));
                if let Some(digest) = expected.0.get(&event.id) {
                    self.of_files += 1;
                    self.differing += u64::from(*digest != self::digest(&event.into_content()));
                }
            }
            let Some(token) = page.next else { break };
            page = store.next_page(&query, &token).await?;
        }
        self.missing = expected.0.keys().filter(|id| !seen.contains(id)).count() as u64;
        Ok(self)
    }

    pub(crate) fn holds(&self) -> bool {
        self.missing + self.differing + self.repeated + self.misplaced == 0
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, limit, events, of_files, missing, differing, repeated, misplaced } = self;
        let order = match order {
            Order::NewestFirst => "newest first",
            _ => "oldest first",
        };
        write!(
            f,
            "verified {order}, {limit} a page: {events} events, {of_files} of the files, \
             {missing} missing, {differing} differing, {repeated} repeated, {misplaced} misplaced"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::AuditStore as _;
    use audit_core::{Actor, OrganizationId};
    use audit_memory::MemoryStore;

    #[tokio::test]
    async fn missing_and_differing_events_are_found() {
        let store = MemoryStore::new().unwrap();
        let log = Log::organization(OrganizationId::new());
        let event = |action| {
            NewEvent::new(action, Actor::user("u")).occurred_at(audit_core::Timestamp::MAX)
        };
        let (kept, altered, absent) = (event("a"), event("b"), event("c"));
        let mut expected = Expected::default();
        for event in [&kept, &altered, &absent] {
            expected.insert(event.id, digest(event));
        }
        let altered = altered.location("elsewhere");
        store.append(log, vec![kept, altered, event("other")]).await.unwrap();
        for walk in walks() {
            let walk = walk.run(&store, log, &expected).await.unwrap();
            assert_eq!((walk.events, walk.of_files), (3, 2));
            assert_eq!((walk.missing, walk.differing), (1, 1));
            assert!(!walk.holds());
        }
    }
}
