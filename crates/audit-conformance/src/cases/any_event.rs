//! Any event is read as it was written, and is found by each of its values.

use audit_core::{EventQuery, Facet, FeedStart, Filter, Order, Timestamp};
use proptest::collection::vec;
use proptest::{prop_assert, prop_assert_eq};

use crate::NewHarness;
use crate::arbitrary::{Values, filters_by};
use crate::model::Model;
use crate::property;
use crate::samples::new_log;
use crate::subject::Subject;

const CASES: u32 = 32;

pub(crate) fn comes_back_and_is_found(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let promise = "an event comes back in every field, and is found by each value";
    property::check(promise, CASES, &vec(Values::default().event(), 1..4), |events| {
        let log = new_log();
        let model = Model::new(subject.put(log, &events));
        let query = EventQuery::new(log);
        for event in &model.events {
            let found = subject.get(log, event.id);
            prop_assert_eq!(found.as_ref().ok(), Some(event), "a look-up");
        }
        let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed is readable");
        prop_assert_eq!(&feed.events, &model.events, "a feed");
        for order in Order::ALL {
            let page = subject.page(&query.clone().order(order));
            prop_assert_eq!(page.events, model.all(&Filter::new(), order), "a page, {:?}", order);
        }
        for event in &model.events {
            let by_facet = Facet::ALL.iter().flat_map(|facet| filters_by(*facet, event));
            let time = event.occurred_at;
            let since = Filter::new().since(time);
            let instant = match time {
                Timestamp::MAX => since.clone(),
                _ => since.clone().until(Timestamp::from_nanos(time.as_nanos() + 1)),
            };
            for filter in by_facet.chain([since, instant]) {
                prop_assert!(filter.matches(event), "{:?} matches {:?}", filter, event);
                let found = subject.page(&query.clone().filter(filter.clone())).events;
                prop_assert_eq!(found, model.all(&filter, Order::default()), "{:?}", filter);
            }
        }
        Ok(())
    });
}
