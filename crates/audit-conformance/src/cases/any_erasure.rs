//! The erasure of any event removes its personal data and nothing else.

use audit_core::{EventQuery, Facet, FeedStart, Filter, Order};
use proptest::collection::vec;
use proptest::{prop_assert, prop_assert_eq};

use crate::arbitrary::{Values, filters_by};
use crate::harness::NewRetentionHarness;
use crate::model::Model;
use crate::property;
use crate::samples::new_log;
use crate::subject::Subject;

const CASES: u32 = 32;

pub(crate) fn removes_personal_data_only(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let promise = "an erasure removes the personal data, and keeps the record";
    property::check(promise, CASES, &vec(Values::default().event(), 1..4), |events| {
        let log = new_log();
        let placed = subject.put(log, &events);
        let whole = placed.first().expect("at least one event");
        let mut model = Model::new(placed.clone());
        model.erase(|event| event.id == whole.id);
        let erased = subject.erase_events(log, vec![whole.sequence]);
        prop_assert_eq!(erased.ok(), Some(1), "the number of events erased");

        let all = subject.events(log);
        let (old, reserved) = all.split_at(placed.len());
        prop_assert_eq!(old, &model.events, "a scan");
        prop_assert_eq!(reserved.len(), 1, "an erasure leaves an event");
        model.events.extend_from_slice(reserved);
        let query = EventQuery::new(log);
        let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed is readable");
        prop_assert_eq!(&feed.events, &model.events, "a feed");
        let page = subject.page(&query);
        prop_assert_eq!(page.events, model.all(&Filter::new(), Order::default()), "a page");
        let found = subject.get(log, whole.id);
        prop_assert_eq!(found.as_ref().ok(), model.events.first(), "a look-up");
        let entries = subject.entries(log);
        let personal = entries.first().and_then(|entry| entry.event.personal.as_ref());
        prop_assert!(personal.is_none(), "the stored personal data is deleted");

        for facet in Facet::ALL {
            let is_personal = matches!(facet, Facet::ActorEmail | Facet::ActorIp);
            for filter in filters_by(facet, whole) {
                let found = subject.page(&query.clone().filter(filter.clone())).events;
                let is_found = found.iter().any(|event| event.id == whole.id);
                prop_assert_eq!(is_found, !is_personal, "{:?}", filter);
                prop_assert_eq!(found, model.all(&filter, Order::default()), "{:?}", filter);
            }
        }
        Ok(())
    });
}
