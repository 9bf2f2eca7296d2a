//! A log of ten thousand events, and what must be read of it.

use std::time::Duration;

use audit_core::tree::NodeId;
use audit_core::{
    Actor, AuditEvent, EventQuery, Facet, FeedStart, Filter, Log, NewEvent, Order, OrganizationRef,
    Outcome, Position, Scope, Sequence, Timestamp, Total,
};
use uuid::Uuid;

use crate::arbitrary::filters_by;
use crate::opens::Opens;
use crate::samples::{at, sequence, trace};
use crate::subject::{Subject, everything};
use crate::tree::Tree;

/// The sizes of the batches. They end on both sides of powers of two, where stores begin new parts.
const BATCHES: [u64; 9] = [1, 255, 1_024, 1, 2_815, 1, 4_095, 1, 1_807];

/// A log, and its events by sequence.
pub(crate) struct LargeLog {
    pub(crate) log: Log,
    pub(crate) events: Vec<AuditEvent>,
    /// The number of the last event that is pruned.
    floor: u64,
}

/// Returns the `n`th event: each facet has values of another number, from two to one an event.
fn nth(n: u64) -> NewEvent {
    let of = |count: u64| format!("v{}", n % count);
    let actor = Actor::new(of(2))
        .id(of(97))
        .name("Ana")
        .email(format!("{}@example.org", of(1_009)))
        .ip(of(251))
        .session_id(of(1_250))
        .on_behalf_of(Actor::user(of(11)));
    let scope = Scope::default()
        .service(of(19))
        .product(of(23))
        .config(of(29))
        .environment(format!("v{}", n / 2 % 2))
        .surface(of(9));
    NewEvent::new(format!("a.b.c.d.e.{}.{}", of(3), of(5)), actor)
        .occurred_at(time(n))
        .category(of(13))
        .outcome(Outcome::new(of(4)))
        .severity(of(6))
        .target(of(7), of(499))
        .target(of(8), of(31))
        .organization(OrganizationRef::new(of(17)))
        .scope(scope)
        .change_set_id(Uuid::from_u128((n % 2_000).into()))
        .request_id(of(10_000))
        .trace(trace(&format!("{:032x}", n % 5_000 + 1)))
        .attribute("plan", of(3))
        .attribute(of(2), of(1_000))
        .source(of(12), of(10_000))
        .message(of(10_000))
}

/// Returns a time in no order, some ten events each, in the years 1740 to 2230.
fn time(n: u64) -> Timestamp {
    let days = n * 7_919 % 997 * 180;
    at(0)
        .saturating_sub(Duration::from_secs(104_000 * 86_400))
        .saturating_add(Duration::from_secs(days * 86_400))
}

/// Returns a filter of three facets that a quarter of the events match.
pub(crate) fn common() -> Filter {
    Filter::new().actor_kind("v1").environment("v1").action("a.b.c.d.e.*")
}

impl LargeLog {
    /// Appends the events to a log that is empty.
    pub(crate) fn append<H: Opens + ?Sized>(subject: &Subject<H>, log: Log) -> Self {
        let (mut events, mut next) = (Vec::new(), 0);
        for count in BATCHES {
            let batch: Vec<_> = (next..next + count).map(nth).collect();
            events.extend(subject.put(log, &batch));
            next += count;
        }
        Self { log, events, floor: 0 }
    }

    /// Forgets the events up to `floor`.
    pub(crate) fn prune(&mut self, floor: Sequence) {
        self.events.retain(|event| event.sequence > floor);
        self.floor = floor.get();
    }

    /// Takes in what was appended since, and its records.
    pub(crate) fn take_new<H: Opens + ?Sized>(&mut self, subject: &Subject<H>, tree: &mut Tree) {
        let entries = subject.try_entries(self.log, sequence(tree.size()), 1_000, usize::MAX);
        for entry in entries.expect("stored events must be readable") {
            tree.push(&entry.event);
            self.events.push(entry.event.decode().expect("a stored event decodes"));
        }
    }

    /// Requires that the log is read exactly in every way.
    pub(crate) fn check<H: Opens + ?Sized>(&self, subject: &Subject<H>, tree: &Tree) {
        self.check_briefly(subject, tree);
        self.check_bounds(subject);
        self.check_walks(subject);
        self.check_feeds(subject);
        self.check_look_ups(subject);
    }

    /// Requires that its events, its filters and its tree are as they must be.
    pub(crate) fn check_briefly<H: Opens + ?Sized>(&self, subject: &Subject<H>, tree: &Tree) {
        self.check_events(subject);
        self.check_filters(subject);
        self.check_tree(subject, tree);
    }

    fn size(&self) -> u64 {
        self.floor + self.events.len() as u64
    }

    /// Returns filters by each facet, which events in the middle and at the end match, and by more.
    fn filters(&self) -> Vec<Filter> {
        let examples = [&self.events[self.events.len() / 2], &self.events[self.events.len() - 1]];
        let by_facet = Facet::ALL.into_iter().zip(examples.into_iter().cycle());
        let by_facet = by_facet.flat_map(|(facet, event)| filters_by(facet, event));
        let year = |year: u64| {
            Timestamp::from_nanos(0)
                .saturating_sub(Duration::from_secs(230 * 31_556_952))
                .saturating_add(Duration::from_secs((year - 1_740) * 31_556_952))
        };
        let more = [
            Filter::new(),
            common(),
            common().target("v3", "v99").target("v1", "v1"),
            Filter::new().during(year(1_850)..year(1_950)),
            Filter::new().during(year(1_960)..year(1_980)).actor_kind("v0"),
            Filter::new().until(year(1_800)).outcome("v2").severity("v2").service("v3"),
            Filter::new().target_type("v3").target_id("v99"),
            Filter::new().category("none"),
        ];
        by_facet.chain(more).collect()
    }

    /// Returns the events up to `bound` that match, in order.
    fn select(&self, filter: &Filter, order: Order, bound: u64) -> Vec<&AuditEvent> {
        let held = self.events.iter().take_while(|event| event.sequence.get() <= bound);
        let mut events: Vec<_> = held.filter(|event| filter.matches(event)).collect();
        events.sort_by(|a, b| order.compare(&Position::of(a), &Position::of(b)));
        events
    }

    fn all(&self, filter: &Filter, order: Order) -> Vec<&AuditEvent> {
        self.select(filter, order, self.size())
    }

    /// Requires that each filter finds and counts what it matches.
    fn check_filters<H: Opens + ?Sized>(&self, subject: &Subject<H>) {
        for (n, filter) in self.filters().into_iter().enumerate() {
            let order = Order::ALL[n % 4];
            let all = self.all(&filter, order);
            let count = all.len();
            let offset = [0, count / 2, count.saturating_sub(3), count, 1 << 32, (1 << 32) + 1];
            let offset = offset[n % offset.len()];
            let query = EventQuery::new(self.log).filter(filter.clone()).order(order).limit(7);
            let page = subject.page(&query.offset(offset as u64).with_total());
            assert_eq!(page.total, Some(count as u64), "a total is exact: {filter:?}");
            let part = all.iter().copied().skip(offset).take(7);
            assert!(part.eq(&page.events), "{order:?} from {offset} finds {filter:?}");
            assert_eq!(page.next.is_some(), offset + 7 < count, "a token if more match");
        }
    }

    /// Requires that scans up to a bound count what there was then.
    fn check_bounds<H: Opens + ?Sized>(&self, subject: &Subject<H>) {
        for bound in [4_095, 4_096, 4_097, 8_191, 8_192, 8_193, self.size() - 1, self.size()] {
            for filter in [Filter::new(), common()] {
                let expected = self.select(&filter, Order::Sequence, bound).len() as u64;
                let scan = everything(self.log).filter(filter).bound(sequence(bound)).limit(0);
                let result = subject.scan(scan.total(Total::Exact)).expect("a scan succeeds");
                let found = (result.total, result.bound.get());
                assert_eq!(found, (Some(expected), bound), "a bound of {bound}");
            }
        }
    }

    /// Requires that walks return every event, forward and back.
    fn check_walks<H: Opens + ?Sized>(&self, subject: &Subject<H>) {
        let narrow = Order::ALL.map(|order| (order, common()));
        let wide = [Order::NewestFirst, Order::Sequence].map(|order| (order, Filter::new()));
        for (order, filter) in narrow.into_iter().chain(wide) {
            let all = self.all(&filter, order);
            let query = EventQuery::new(self.log).filter(filter.clone()).order(order).limit(999);
            let mut page = subject.page(&query);
            let mut first = 0;
            loop {
                let part = all[first..].iter().copied().take(999);
                assert!(part.eq(&page.events), "{order:?} from {first}: a walk by {filter:?}");
                assert_eq!(page.bound.get(), self.size(), "a walk is of the whole log");
                let Some(token) = &page.next else { break };
                first += page.events.len();
                page = subject.next_page(&query, token).expect("its token is accepted");
            }
            assert_eq!(first + page.events.len(), all.len(), "{order:?}: a walk by {filter:?}");
            while let Some(token) = &page.previous {
                page = subject.next_page(&query, token).expect("its token is accepted");
                let part = all[first - page.events.len()..first].iter().copied();
                assert!(part.eq(&page.events), "{order:?} back from {first}: {filter:?}");
                first -= page.events.len();
            }
            assert_eq!(first, 0, "{order:?}: a walk goes back to its beginning");
        }
    }

    /// Requires that feeds deliver every event after their beginning.
    fn check_feeds<H: Opens + ?Sized>(&self, subject: &Subject<H>) {
        for (after, filter) in [(0, Filter::new()), (8_191, common()), (8_192, common())] {
            let after = after.max(self.floor);
            let query = EventQuery::new(self.log).filter(filter.clone()).limit(1_000);
            let page = subject.feed(&query, FeedStart::After(sequence(after)));
            let (found, _) = subject.drain(&query, page.expect("a feed can be begun"));
            let mut expected = self.all(&filter, Order::Sequence);
            expected.retain(|event| event.sequence.get() > after);
            assert!(expected.into_iter().eq(&found), "a feed after {after} misses nothing");
        }
    }

    /// Requires that events are found by their ids, with those around them.
    fn check_look_ups<H: Opens + ?Sized>(&self, subject: &Subject<H>) {
        let step = self.events.len() / 150;
        for event in self.events.iter().step_by(step).chain(self.events.last()) {
            let found = subject.get(self.log, event.id).expect("every event is found by its id");
            assert_eq!(found, *event, "the event of the id is returned");
        }
        for number in [8_191, 8_192, 8_193, 9_000].map(|number| number.max(self.floor + 1)) {
            for order in [Order::NewestFirst, Order::SequenceReversed] {
                let all = self.all(&Filter::new(), order);
                let query = EventQuery::new(self.log).order(order).limit(9);
                let page = subject.page(&query.around(sequence(number)));
                let place = all.iter().position(|event| event.sequence.get() == number);
                let place = place.expect("it is there");
                let first = place.saturating_sub(4).min(all.len() - 9);
                let part = all[first..first + 9].iter().copied();
                assert!(part.eq(&page.events), "{order:?}: the events around {number}");
            }
        }
    }

    /// Requires that the nodes of every level are those of the tree, and prove the events.
    fn check_tree<H: Opens + ?Sized>(&self, subject: &Subject<H>, tree: &Tree) {
        let size = self.size();
        assert_eq!(subject.frontier(self.log).head(), tree.head(size), "the root of all records");
        let floor = sequence(self.floor);
        let all = |level: u8| (0..size >> level).map(move |index| NodeId::new(level, index));
        // Of the lowest levels some.
        let low = (0..6).flat_map(|level| all(level).step_by(61));
        let high = (6..64).flat_map(all);
        let names: Vec<_> = low.chain(high).filter(|id| id.is_retained(floor)).collect();
        for (id, hash) in names.iter().zip(subject.nodes(self.log, &names)) {
            assert_eq!(hash, tree.node(*id), "{id:?} of {size}");
        }
        let ends = [4_095, 4_096, 4_097, 8_191, 8_192, 8_193, 9_999, size];
        let sizes: Vec<_> = ends.into_iter().filter(|end| *end >= self.floor).collect();
        let first = self.floor + 1;
        let numbers = [first, first + 1, first + 31, first + 32].into_iter().chain(ends);
        let numbers: Vec<_> = numbers.filter(|number| *number > self.floor).collect();
        subject.assert_proves_numbers(self.log, tree, &numbers, &sizes);
    }

    /// Requires that the log is read as it is, by sequence and as it is stored.
    fn check_events<H: Opens + ?Sized>(&self, subject: &Subject<H>) {
        let head = subject.head(self.log);
        let last = &self.events[self.events.len() - 1];
        assert_eq!((head.size, head.recorded_at), (last.sequence, last.recorded_at), "the head");
        assert!(subject.events(self.log) == self.events, "events are read as they were written");
        for after in [8_191, 8_192, self.size() - 1].map(|after| after.max(self.floor)) {
            let entries = subject.try_entries(self.log, sequence(after), 3, usize::MAX);
            let entries = entries.expect("stored events must be readable");
            let numbers: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
            let expected: Vec<Sequence> = (after + 1..=self.size()).take(3).map(sequence).collect();
            assert_eq!(numbers, expected, "stored events are read after {after}");
        }
    }
}
