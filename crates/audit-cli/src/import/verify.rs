//! Whether the log gives every event of the files back, as it was mapped, once.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::address::Store;
use audit_core::{AuditStoreExt as _, EventId, EventQuery, Log, NewEvent, Order, Position, Result};

/// The events that the log must hold: for each id, a digest of the content.
#[derive(Debug, Default)]
pub(crate) struct Expected(HashMap<EventId, EventId>);

/// One walk through the whole log by the tokens of its pages, and what it found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) order: Order,
    /// Events of a page.
    pub(crate) limit: usize,
    /// Events that the walk gave.
    pub(crate) events: u64,
    /// Those of them that are of the files.
    pub(crate) of_files: u64,
    /// Events of the files that it did not give.
    pub(crate) missing: u64,
    /// Events of the files that it gave with other content.
    pub(crate) differing: u64,
    /// Events that it gave more than once.
    pub(crate) repeated: u64,
    /// Events that it gave before one that comes first.
    pub(crate) misplaced: u64,
}

impl Expected {
    /// Adds an event as the log holds it. The first time counts: later ones are deliveries.
    pub(crate) fn insert(&mut self, event: &NewEvent) {
        self.0.entry(event.id).or_insert_with(|| digest(event));
    }
}

/// The digest of all of an event's content.
fn digest(event: &NewEvent) -> EventId {
    let json = serde_json::to_vec(event).unwrap_or_default();
    EventId::derived(*event.id.as_uuid(), &json)
}

/// Walks in both orders of time, by pages that are small, usual, and as large as may be.
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
        write!(
            f,
            "verified {order:?} by {limit}: {events} events, {of_files} of the files, \
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
    async fn what_is_missing_or_differs_is_found() {
        let store = MemoryStore::new().unwrap();
        let log = Log::organization(OrganizationId::new());
        let event = |action| {
            NewEvent::new(action, Actor::user("u")).occurred_at(audit_core::Timestamp::MAX)
        };
        let (kept, altered, absent) = (event("a"), event("b"), event("c"));
        let mut expected = Expected::default();
        for event in [&kept, &altered, &absent] {
            expected.insert(event);
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
