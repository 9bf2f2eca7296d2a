//! Tests the index over a storage in memory, against a list of all events.

// A test fails if it cannot be set up.
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use audit_core::backend::Term;
use audit_core::backend::index::{Index as _, IndexQuery, Matches as _};
use audit_core::{Actor, Error, ErrorKind, NewEvent, Order, Position, Result, Sequence, Timestamp};
use audit_index::{
    DerivedFinding, IndexEntry, IndexExtent, IndexStorage, IndexStorageMut, IndexWriter, LogIndex,
    MAX_PARTS, MERGE_SHARE, NewPart, PartId, ReadParts, RemovedKeys, Segment, SegmentInfo, Stage,
    TableSearch, TailRow, TermHasher,
};
use proptest::prelude::*;

/// A storage in memory.
#[derive(Debug, Default)]
struct Memory {
    tail: RefCell<BTreeMap<Sequence, Vec<u8>>>,
    segments: RefCell<BTreeMap<i64, Segment>>,
    parts: RefCell<BTreeMap<PartId, Vec<u8>>>,
    /// The number of round trips: one for each call, and for each part that was not announced.
    trips: Cell<usize>,
    /// The number of parts read, each as often as it was.
    reads: Cell<usize>,
    /// The number of parts written and deleted.
    changed: Cell<usize>,
    /// By how much the rows are wrong that searches find.
    skew: Cell<u32>,
    /// `true` if later events are added to the last row of the tail.
    is_shared: bool,
}

fn missing() -> Error {
    audit_index::damaged()
}

/// Returns the ids of the parts of a segment from part `first` on.
fn parts_of(segment: &Segment, first: u32) -> RangeInclusive<PartId> {
    let part = |number| PartId { segment: segment.id(), number };
    part(first)..=part(MAX_PARTS)
}

impl Memory {
    /// Returns the segments that queries read.
    fn complete(&self) -> Vec<Segment> {
        let segments = self.segments.borrow();
        segments.values().filter(|s| s.stage() == Stage::Complete).copied().collect()
    }

    fn trip(&self) {
        self.trips.set(self.trips.get() + 1);
    }
}

struct Parts<'a> {
    memory: &'a Memory,
    announced: BTreeSet<PartId>,
}

impl ReadParts for Parts<'_> {
    const IS_REMOTE: bool = true;

    fn search(
        &mut self,
        parts: impl Iterator<Item = PartId>,
        searches: &[TableSearch],
    ) -> Result<Vec<u32>> {
        let stored = self.memory.parts.borrow();
        let rows = searches.iter().map(|search| {
            let is_before = |number: &u32| {
                let part = PartId { segment: search.segment, number: *number };
                let row = stored.get(&part).and_then(|row| row.first_chunk());
                row.is_some_and(|time| i64::from_be_bytes(*time) < search.before)
            };
            (0..search.rows).rev().find(is_before).unwrap_or(0) + self.memory.skew.get()
        });
        let rows: Vec<u32> = rows.collect();
        let found = searches.iter().zip(&rows).flat_map(|(search, row)| {
            let part = |number| PartId { segment: search.segment, number };
            [row.saturating_sub(1), *row, row.saturating_add(1)].map(part)
        });
        self.prefetch(parts.chain(found))?;
        Ok(rows)
    }

    fn prefetch(&mut self, parts: impl Iterator<Item = PartId>) -> Result<()> {
        let before = self.announced.len();
        self.announced.extend(parts);
        if self.announced.len() > before {
            self.memory.trip();
        }
        Ok(())
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.memory.reads.set(self.memory.reads.get() + 1);
        if self.announced.insert(part) {
            self.memory.trip();
        }
        read(self.memory.parts.borrow().get(&part).ok_or_else(missing)?)
    }
}

impl IndexStorage for Memory {
    type Parts<'a> = Parts<'a>;

    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        mut visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        self.trip();
        let tail = self.tail.borrow();
        tail.range(first..=last)
            .try_for_each(|(first, data)| visit(TailRow { first: *first, data }))
    }

    fn directory(&self) -> Result<Vec<Segment>> {
        self.trip();
        let mut segments: Vec<_> = self.segments.borrow().values().copied().collect();
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.info().first));
        Ok(segments)
    }

    fn parts(&self) -> Result<Parts<'_>> {
        Ok(Parts { memory: self, announced: BTreeSet::new() })
    }
}

/// The same storage for a reader beside it, who gains nothing by announcing parts.
#[derive(Debug)]
struct Beside<'m>(&'m Memory);

struct PartsBeside<'m>(&'m Memory);

impl IndexStorage for Beside<'_> {
    type Parts<'a>
        = PartsBeside<'a>
    where
        Self: 'a;

    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        self.0.tail(first, last, visit)
    }

    fn directory(&self) -> Result<Vec<Segment>> {
        self.0.directory()
    }

    fn parts(&self) -> Result<PartsBeside<'_>> {
        Ok(PartsBeside(self.0))
    }
}

impl ReadParts for PartsBeside<'_> {
    const IS_REMOTE: bool = false;

    fn search(&mut self, _: impl Iterator<Item = PartId>, _: &[TableSearch]) -> Result<Vec<u32>> {
        Err(missing())
    }

    fn prefetch(&mut self, _: impl Iterator<Item = PartId>) -> Result<()> {
        Ok(())
    }

    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        read(self.0.parts.borrow().get(&part).ok_or_else(missing)?)
    }
}

impl IndexStorageMut for Memory {
    fn last_tail_row(&self, first: Sequence, last: Sequence) -> Result<Option<TailRow<Vec<u8>>>> {
        let tail = self.tail.borrow();
        let row = tail.range(first..=last).next_back().filter(|_| !self.is_shared);
        Ok(row.map(|(first, data)| TailRow { first: *first, data: data.clone() }))
    }

    fn put_tail<'r>(&self, rows: impl IntoIterator<Item = TailRow<&'r [u8]>>) -> Result<()> {
        let rows = rows.into_iter().map(|row| (row.first, row.data.to_vec()));
        self.tail.borrow_mut().extend(rows);
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        self.tail.borrow_mut().clear();
        self.segments.borrow_mut().clear();
        self.parts.borrow_mut().clear();
        Ok(())
    }

    fn clear_tail(&self, first: Sequence, last: Sequence) -> Result<()> {
        self.tail.borrow_mut().retain(|row, _| *row < first || last < *row);
        Ok(())
    }

    fn insert_segment(&self, info: SegmentInfo, stage: Stage) -> Result<Segment> {
        let id = self.segments.borrow().last_key_value().map_or(1, |(id, _)| id + 1);
        let segment = Segment::new(id, info, stage)?;
        self.segments.borrow_mut().insert(id, segment);
        Ok(segment)
    }

    fn set_stage(&self, segment: &Segment, stage: Stage) -> Result<()> {
        let changed = Segment::new(segment.id(), *segment.info(), stage)?;
        self.segments.borrow_mut().insert(segment.id(), changed).ok_or_else(missing)?;
        Ok(())
    }

    fn delete_segment(&self, segment: &Segment) -> Result<()> {
        assert_eq!(self.last_part(segment).unwrap(), None, "a segment with parts was deleted");
        self.segments.borrow_mut().remove(&segment.id()).ok_or_else(missing)?;
        Ok(())
    }

    fn insert_parts(&self, segment: &Segment, parts: &[NewPart]) -> Result<()> {
        for NewPart { number, data } in parts {
            let part = PartId { segment: segment.id(), number: *number };
            let old = self.parts.borrow_mut().insert(part, data.clone());
            assert!(old.is_none(), "a part was written twice");
            self.changed.set(self.changed.get() + 1);
        }
        Ok(())
    }

    fn last_part(&self, segment: &Segment) -> Result<Option<u32>> {
        let parts = self.parts.borrow();
        let mut of_segment = parts.range(parts_of(segment, 0));
        Ok(of_segment.next_back().map(|(part, _)| part.number))
    }

    fn delete_parts(&self, segment: &Segment, first: u32) -> Result<()> {
        let mut parts = self.parts.borrow_mut();
        let before = parts.len();
        let deleted = parts_of(segment, first);
        parts.retain(|part, _| !deleted.contains(part));
        self.changed.set(self.changed.get() + before - parts.len());
        Ok(())
    }

    fn overwrite_part(&self, part: PartId, data: &[u8]) -> Result<()> {
        let old = self.parts.borrow_mut().insert(part, data.to_vec()).ok_or_else(missing)?;
        assert!(old.len() <= data.len(), "a part keeps its length");
        Ok(())
    }
}

/// An event of the reference: its position and its terms.
#[derive(Clone, Debug)]
struct Event {
    position: Position,
    terms: Vec<Term>,
}

/// A log: its index, and all its events in a list.
struct Log {
    storage: Memory,
    hasher: TermHasher,
    segment_events: u64,
    merge_share: usize,
    indexed: Sequence,
    floor: Sequence,
    events: Vec<Event>,
}

/// Returns the terms of an event with this action and actor.
fn terms(action: &str, actor: &str) -> Vec<Term> {
    Term::of(&NewEvent::new(action.to_owned(), Actor::user(actor)))
}

/// Returns the term of an action.
fn action(name: &str) -> Term {
    let other = terms("other", "u");
    terms(name, "u").into_iter().find(|term| !other.contains(term)).unwrap()
}

/// Returns the term of an actor.
fn actor(id: &str) -> Term {
    let other = terms("a", "other");
    terms("a", id).into_iter().find(|term| !other.contains(term)).unwrap()
}

fn time(number: i64) -> Timestamp {
    Timestamp::from_nanos(number)
}

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

impl Log {
    fn new(segment_events: u64, is_shared: bool) -> Self {
        Self {
            storage: Memory { is_shared, ..Memory::default() },
            hasher: TermHasher::new(b"a secret of test"),
            segment_events,
            merge_share: MERGE_SHARE,
            indexed: Sequence::ZERO,
            floor: Sequence::ZERO,
            events: Vec::new(),
        }
    }

    fn size(&self) -> Sequence {
        sequence(self.events.len() as u64)
    }

    fn writer(&self) -> IndexWriter<'_, Memory> {
        let Self { storage, segment_events, merge_share, .. } = self;
        IndexWriter { storage, segment_events: *segment_events, merge_share: *merge_share }
    }

    /// Appends events with these times and terms. If the storage is shared, builds the index apart
    /// from the append.
    fn append(&mut self, events: Vec<(Timestamp, Vec<Term>)>) {
        let first = self.size().next();
        let mut entries = Vec::new();
        for (occurred_at, terms) in events {
            entries.push(IndexEntry { occurred_at, keys: self.hasher.keys(&terms) });
            let position = Position { occurred_at, sequence: self.size().next() };
            self.events.push(Event { position, terms });
        }
        if self.storage.is_shared {
            self.writer().extend_tail(self.indexed, first, &entries).unwrap();
        } else {
            let append = self.writer().append(self.indexed, self.floor, first, entries);
            self.indexed = append.unwrap();
        }
    }

    fn build(&mut self) {
        self.indexed = self.writer().build(self.indexed, self.size()).unwrap();
        while self.writer().merge(self.floor, 3).unwrap() {}
    }

    /// Removes the terms of actors from events.
    fn erase(&mut self, numbers: &[usize]) {
        let actor_tag = actor("u").tag();
        let mut removed = RemovedKeys::new();
        for number in numbers {
            let Some(event) = self.events.get_mut(*number) else { continue };
            if event.position.sequence <= self.floor {
                continue;
            }
            let (gone, left) = event.terms.drain(..).partition(|term| term.tag() == actor_tag);
            event.terms = left;
            let of_event = removed.entry(event.position.sequence).or_default();
            of_event.extend(self.hasher.keys(&gone));
        }
        self.writer().remove_keys(self.indexed, &removed).unwrap();
    }

    fn index(&self) -> LogIndex<'_, Memory> {
        LogIndex {
            storage: &self.storage,
            hasher: &self.hasher,
            size: self.size(),
            indexed: self.indexed,
        }
    }

    /// Returns the events that match, by a check of each.
    fn reference(&self, query: &IndexQuery) -> Vec<Sequence> {
        let has = |event: &Event, clause: &Vec<Term>| {
            clause.iter().any(|term| event.terms.contains(term))
        };
        let wanted = |event: &&Event| {
            query.reaches(&event.position) && query.clauses.iter().all(|clause| has(event, clause))
        };
        let mut found: Vec<_> =
            self.events.iter().filter(wanted).map(|event| event.position).collect();
        found.sort_by(|a, b| query.order.compare(a, b));
        found.into_iter().map(|position| position.sequence).collect()
    }

    fn query(&self, clauses: Vec<Vec<Term>>, order: Order) -> IndexQuery {
        IndexQuery {
            clauses,
            order,
            bound: self.size(),
            floor: self.floor,
            earliest: Timestamp::MIN,
            latest: Timestamp::MAX,
            after: None,
        }
    }

    /// Fails unless the index finds the same events as the reference.
    fn agrees(&self, query: &IndexQuery) {
        let found: Result<Vec<_>> = self.index().find(query.clone()).unwrap().collect();
        let expected = self.reference(query);
        assert_eq!(found.unwrap(), expected, "{query:?}");
        let beside = Beside(&self.storage);
        let LogIndex { hasher, size, indexed, .. } = self.index();
        let beside = LogIndex { storage: &beside, hasher, size, indexed };
        let found: Result<Vec<_>> = beside.find(query.clone()).unwrap().collect();
        assert_eq!(found.unwrap(), expected, "{query:?}, read beside the storage");
        // Offsets everywhere, at the ends of the walk, and beyond.
        let all = expected.len() as u64;
        for count in [1, all / 3, all / 2, all.saturating_sub(1), all, all + 1, u64::MAX] {
            let mut rest = self.index().find(query.clone()).unwrap();
            assert_eq!(rest.pass_over(count).unwrap(), count.min(all), "{query:?}");
            let rest: Vec<_> = rest.map(Result::unwrap).collect();
            let left = expected.iter().skip(usize::try_from(count).unwrap_or(usize::MAX));
            assert!(rest.iter().eq(left), "{count} of {query:?}");
        }
        let whole = IndexQuery { after: None, ..query.clone() };
        let count = self.index().count(whole.clone()).unwrap();
        assert_eq!(count, self.reference(&whole).len() as u64, "{whole:?}");
        assert_eq!(beside.count(whole).unwrap(), count);
    }
}

const ACTIONS: [&str; 4] = ["paid", "sent", "viewed", "voided"];
const ACTORS: [&str; 5] = ["u_1", "u_2", "u_3", "u_4", "u_5"];

/// A step in the life of a log.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(i64, usize, usize)>),
    Build,
    Merge(usize),
    Erase(Vec<usize>),
    Prune(usize),
    RemovePruned(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let event = (0..40_i64, 0..ACTIONS.len(), 0..ACTORS.len());
    prop_oneof![
        8 => prop::collection::vec(event, 1..30).prop_map(Step::Append),
        2 => Just(Step::Build),
        4 => (1..8_usize).prop_map(Step::Merge),
        2 => prop::collection::vec(0..200_usize, 1..8).prop_map(Step::Erase),
        1 => (0..200_usize).prop_map(Step::Prune),
        2 => (1..5_usize).prop_map(Step::RemovePruned),
    ]
}

#[derive(Clone, Debug)]
struct Ask {
    actions: Vec<usize>,
    actors: Vec<usize>,
    order: Order,
    bound: u64,
    times: Option<(i64, i64)>,
    after: Option<(i64, u64)>,
}

fn ask() -> impl Strategy<Value = Ask> {
    let order = prop::sample::select(Order::ALL.to_vec());
    (
        prop::collection::vec(0..ACTIONS.len(), 0..3),
        prop::collection::vec(0..ACTORS.len(), 0..3),
        order,
        0..220_u64,
        prop::option::of((0..40_i64, 0..40_i64)),
        prop::option::of((0..40_i64, 0..220_u64)),
    )
        .prop_map(|(actions, actors, order, bound, times, after)| Ask {
            actions,
            actors,
            order,
            bound,
            times,
            after,
        })
}

fn query_of(log: &Log, ask: &Ask) -> IndexQuery {
    let actions: Vec<_> = ask.actions.iter().map(|at| action(ACTIONS[*at])).collect();
    let actors: Vec<_> = ask.actors.iter().map(|at| actor(ACTORS[*at])).collect();
    let clauses = [actions, actors].into_iter().filter(|clause| !clause.is_empty()).collect();
    let mut query = log.query(clauses, ask.order);
    query.bound = log.size().min(sequence(ask.bound));
    if let Some((from, to)) = ask.times {
        (query.earliest, query.latest) = (time(from.min(to)), time(from.max(to)));
    }
    query.after =
        ask.after.map(|(at, after)| Position { occurred_at: time(at), sequence: sequence(after) });
    query
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_finds_what_a_list_of_all_events_finds(
        steps in prop::collection::vec(step(), 1..20),
        asks in prop::collection::vec(ask(), 1..12),
        segment_events in prop::sample::select(vec![1_u64, 2, 5, 16]),
        merge_share in prop::sample::select(vec![1, 3, MERGE_SHARE]),
        is_shared in any::<bool>(),
    ) {
        let mut log = Log { merge_share, ..Log::new(segment_events, is_shared) };
        let mut pruned = Sequence::ZERO;
        for step in steps {
            match step {
                Step::Append(events) => {
                    let events = events.into_iter().map(|(at, action, actor)| {
                        (time(at), terms(ACTIONS[action], ACTORS[actor]))
                    });
                    log.append(events.collect());
                }
                Step::Build => log.build(),
                Step::Merge(budget) => {
                    log.writer().merge(log.floor, budget).unwrap();
                }
                Step::Erase(numbers) => log.erase(&numbers),
                Step::Prune(through) => {
                    pruned = pruned.max(log.size().min(sequence(through as u64)));
                    log.floor = pruned;
                }
                Step::RemovePruned(limit) => {
                    log.writer().remove_through(log.floor, limit).unwrap();
                }
            }
            for ask in asks.iter().take(3) {
                log.agrees(&query_of(&log, ask));
            }
        }
        for ask in &asks {
            log.agrees(&query_of(&log, ask));
        }
    }
}

/// Scatters the number of an event.
fn scatter(number: u64) -> u64 {
    (number ^ (number >> 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn large(events: u64, batch: u64, is_shared: bool) -> Log {
    late(events, batch, is_shared, 500)
}

/// Returns a log in which every tenth event is late, by less than `latest`.
fn late(events: u64, batch: u64, is_shared: bool, latest: u64) -> Log {
    let mut log = Log::new(64, is_shared);
    for first in (0..events).step_by(usize::try_from(batch).unwrap()) {
        let events = (first..events.min(first + batch)).map(|number| {
            let random = scatter(number);
            let late = if number % 10 == 0 { random % latest } else { 0 };
            let at = time(number.cast_signed() - late.cast_signed());
            let action = ["paid", "paid", "viewed"][(random % 3) as usize];
            (at, terms(action, &format!("u_{}", random % 500)))
        });
        log.append(events.collect());
        log.build();
    }
    log
}

/// Postings of all lengths, and segments of all levels.
#[test]
fn long_postings_and_merged_segments_agree() {
    for (batch, is_shared) in [(37, false), (900, false), (37, true)] {
        let mut log = large(9_000, batch, is_shared);
        let segments = log.storage.complete();
        let is_merged = |s: &Segment| s.info().last.get() - s.info().first.get() >= 4_000;
        assert!(segments.iter().any(is_merged), "{segments:?}");
        let paid = vec![action("paid")];
        let one = vec![actor("u_7")];
        for order in Order::ALL {
            for clauses in [vec![], vec![paid.clone()], vec![paid.clone(), one.clone()]] {
                let mut query = log.query(clauses, order);
                log.agrees(&query);
                (query.earliest, query.latest) = (time(2_000), time(6_500));
                log.agrees(&query);
                query.bound = sequence(6_000);
                query.floor = sequence(2_500);
                log.agrees(&query);
            }
        }
        log.erase(&(0..9_000).step_by(3).collect::<Vec<_>>());
        let someone = (0..500).map(|n| actor(&format!("u_{n}")));
        log.agrees(&log.query(vec![someone.collect()], Order::NewestFirst));
    }
}

/// An append of one event writes and deletes no more than a share of the largest merge. The merges
/// are completed in time nevertheless, so that a query has few segments to read.
#[test]
fn an_append_does_a_bounded_share_of_a_merge() {
    let mut log = Log::new(16, false);
    let (mut most, mut largest) = (0, 0);
    for number in 0..20_000_u64 {
        log.storage.changed.set(0);
        let random = scatter(number);
        let late = if number % 10 == 0 { random % 500 } else { 0 };
        let at = time(i64::try_from(number.saturating_sub(late)).unwrap());
        log.append(vec![(at, terms("paid", &format!("u_{number}")))]);
        most = most.max(log.storage.changed.get());
        if number % 500 == 0 {
            let segments = log.storage.segments.borrow();
            assert!(segments.len() <= 3 * 16, "{} segments at {number}", segments.len());
            let parts = |segment| log.storage.last_part(segment).unwrap().unwrap_or(0);
            largest = largest.max(segments.values().map(parts).max().unwrap_or(0));
        }
    }
    assert!(most <= 40 && largest > 150, "{most} parts at once, {largest} in a segment");
    log.agrees(&log.query(vec![vec![actor("u_7")]], Order::NewestFirst));
    log.agrees(&log.query(vec![vec![action("paid")]], Order::OldestFirst));
}

/// Checks that a removed key is in no row and no part, whatever a merge has done so far.
#[test]
fn a_removed_key_is_overwritten() {
    let is_anything = |_: &Log, _: &Segment| true;
    let is_half_merged = |_: &Log, segment: &Segment| {
        let has_buckets = |written| written > segment_rows(segment) + 4;
        matches!(segment.stage(), Stage::Merging { written } if has_buckets(written))
    };
    let is_half_deleted = |log: &Log, segment: &Segment| {
        let last = log.storage.last_part(segment).unwrap();
        segment.stage() == Stage::Removed && last.is_some_and(|last| last < 4)
    };
    let until: [fn(&Log, &Segment) -> bool; 3] = [is_anything, is_half_merged, is_half_deleted];
    for until in until {
        let mut log = large(1_000, 37, false);
        let writer = IndexWriter { segment_events: 12, ..log.writer() };
        let segments = || log.storage.directory().unwrap();
        while !segments().iter().any(|segment| until(&log, segment)) {
            assert!(writer.merge(log.floor, 1).unwrap(), "the merge never was so far");
        }
        let term = actor("u_7");
        let key = log.hasher.key(&term);
        let stored = |log: &Log| {
            let tail = log.storage.tail.borrow();
            let parts = log.storage.parts.borrow();
            let contains = |bytes: &Vec<u8>| bytes.windows(key.len()).any(|window| window == key);
            tail.values().any(contains) || parts.values().any(contains)
        };
        assert!(stored(&log));
        let has_it = |(_, event): &(usize, &Event)| event.terms.contains(&term);
        let events: Vec<_> =
            log.events.iter().enumerate().filter(has_it).map(|(number, _)| number).collect();
        log.erase(&events);
        assert!(!stored(&log));
        let writer = IndexWriter { segment_events: 12, ..log.writer() };
        while writer.merge(log.floor, 1).unwrap() {}
        assert!(!stored(&log));
        log.agrees(&log.query(vec![vec![actor("u_8")]], Order::NewestFirst));
    }
}

/// Returns the number of rows of the table of a segment.
fn segment_rows(segment: &Segment) -> u32 {
    let events = segment.info().last.get() - segment.info().first.get() + 1;
    u32::try_from(events.div_ceil(250)).unwrap()
}

/// If each call is a round trip, a page needs at most five, wherever it begins: the tail and the
/// directory, which a storage can read in one with the first buckets; the buckets; long postings and
/// searches; rows of tables. The first page needs one more if it has events of all segments.
#[test]
fn a_page_takes_few_round_trips() {
    const MOST: usize = 5;
    const PAGE: usize = 50;
    let (paid, of_one) = (vec![action("paid")], vec![actor("u_7")]);
    let clauses = [vec![], vec![paid.clone()], vec![of_one.clone()], vec![paid, of_one]];
    // Events are a little late, or so late that all segments have some of the same time.
    for (latest, is_spread) in [(500, false), (15_000, true)] {
        let log = late(20_000, 50, true, latest);
        let segments = log.storage.complete().len();
        assert!(segments > 8, "{segments}");
        for (clauses, order) in clauses.iter().flat_map(|c| Order::ALL.map(|order| (c, order))) {
            let part = order.is_by_time().then_some((8_000, 10_000));
            for (earliest, latest) in [(i64::MIN, i64::MAX)].into_iter().chain(part) {
                let mut query = log.query(clauses.clone(), order);
                (query.earliest, query.latest) = (time(earliest), time(latest));
                let expected = log.reference(&query);
                for begin in [0, 1.min(expected.len()), expected.len() / 2] {
                    let at = |at: usize| {
                        let number = usize::try_from(expected[at].get()).unwrap();
                        log.events[number - 1].position
                    };
                    query.after = begin.checked_sub(1).map(at);
                    log.storage.trips.set(0);
                    let page = log.index().find(query.clone()).unwrap().take(PAGE);
                    let page: Vec<_> = page.collect::<Result<_>>().unwrap();
                    let rest = &expected[begin..];
                    assert_eq!(page, rest[..rest.len().min(PAGE)]);
                    let trips = log.storage.trips.get();
                    let most = if is_spread && begin == 0 { MOST + 1 } else { MOST };
                    assert!(trips <= most, "{trips} for {query:?}");
                }
                query.after = None;
                log.storage.trips.set(0);
                assert_eq!(log.index().count(query).unwrap(), expected.len() as u64);
                let trips = log.storage.trips.get();
                assert!(trips <= MOST, "{trips} for a total");
            }
        }
    }
}

/// A search of the storage that finds a wrong row costs time only.
#[test]
fn a_wrong_row_found_by_a_search_changes_nothing() {
    let log = large(5_000, 50, true);
    let after = log.events[2_500].position;
    let middle = after.occurred_at;
    for skew in [0, 1, 3, 1 << 30] {
        log.storage.skew.set(skew);
        for order in Order::ALL {
            let query = log.query(vec![vec![action("paid")]], order);
            log.agrees(&IndexQuery { earliest: middle, ..query.clone() });
            log.agrees(&IndexQuery { latest: middle, ..query.clone() });
            log.agrees(&IndexQuery { after: Some(after), ..query });
        }
    }
}

/// Checks that an offset is passed over by counts: few rows of the table are read, wherever it ends,
/// also if all segments cover the same times.
#[test]
fn an_offset_does_not_visit_the_events_before_it() {
    const EVENTS: u64 = 60_000;
    for is_scattered in [false, true] {
        let mut log = Log::new(1_000, false);
        for first in (0..EVENTS).step_by(1_000) {
            let at = |number| if is_scattered { scatter(number) % EVENTS } else { number };
            let event = |number| (time(i64::try_from(at(number)).unwrap()), terms("paid", "u_1"));
            log.append((first..first + 1_000).map(event).collect());
        }
        let segments = log.storage.complete().len();
        assert!(segments > 8, "{segments}");
        for order in Order::ALL {
            for offset in [1, 20_000, 43_210, EVENTS - 1, EVENTS, 1 << 63] {
                log.storage.reads.set(0);
                let query = log.query(vec![vec![action("paid")]], order);
                let mut found = log.index().find(query).unwrap();
                assert_eq!(found.pass_over(offset).unwrap(), offset.min(EVENTS));
                let (reads, most) = (log.storage.reads.get(), if is_scattered { 500 } else { 60 });
                assert!(reads <= most, "{reads} for {offset}, {order:?}, {is_scattered}");
            }
        }
    }
}

/// Checks that damage is an error, never a panic or an endless walk.
#[test]
fn damaged_parts_are_corrupt_or_end() {
    let log = large(2_000, 37, false);
    let paid = vec![action("paid")];
    let parts: Vec<PartId> = log.storage.parts.borrow().keys().copied().collect();
    let mut failed = HashMap::new();
    for part in parts {
        let original = log.storage.parts.borrow()[&part].clone();
        let half = original.len() / 2;
        let damages =
            [original[..half].to_vec(), vec![0; original.len()], vec![0xff; original.len()]];
        for (kind, damage) in damages.into_iter().enumerate() {
            log.storage.parts.borrow_mut().insert(part, damage);
            for order in [Order::NewestFirst, Order::Sequence] {
                let query = log.query(vec![paid.clone()], order);
                let walk = log.index().find(query.clone()).unwrap().take(100_000);
                let found: Result<Vec<_>> = walk.collect();
                let count = log.index().count(query);
                for error in [found.err(), count.err()].into_iter().flatten() {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    *failed.entry(kind).or_insert(0) += 1;
                }
            }
        }
        log.storage.parts.borrow_mut().insert(part, original);
    }
    assert!(failed.len() > 1, "{failed:?}");
}

/// Checks that a changed byte never hides an event, nor adds one: each query is answered rightly, or says
/// that the index is damaged.
#[test]
fn a_changed_byte_changes_no_result() {
    let log = large(700, 37, false);
    let queries: Vec<(IndexQuery, Vec<Sequence>)> =
        [vec![], vec![vec![action("paid")]], vec![vec![actor("u_7")]]]
            .into_iter()
            .flat_map(|clauses| Order::ALL.map(|order| log.query(clauses.clone(), order)))
            .map(|query| (query.clone(), log.reference(&query)))
            .collect();
    let mut refused = 0;
    let mut ask = |what: &dyn std::fmt::Debug| {
        for (query, expected) in &queries {
            let found =
                log.index().find(query.clone()).and_then(Iterator::collect::<Result<Vec<_>>>);
            let count = log.index().count(query.clone());
            let is_right = |error: &Error| audit_index::is_damage(error);
            assert!(
                found.as_ref().map_or_else(is_right, |found| found == expected),
                "{what:?}: {query:?}"
            );
            let expected = expected.len() as u64;
            assert!(
                count.as_ref().map_or_else(is_right, |count| *count == expected),
                "{what:?}: {query:?}"
            );
            refused += usize::from(found.is_err());
        }
    };
    let complete = log.storage.complete();
    let read = |part: &&PartId| complete.iter().any(|segment| segment.id() == part.segment);
    let parts: Vec<PartId> = log.storage.parts.borrow().keys().filter(read).copied().collect();
    for part in parts {
        let original = log.storage.parts.borrow()[&part].clone();
        for damage in damages(&original) {
            log.storage.parts.borrow_mut().insert(part, damage);
            ask(&part);
        }
        // Another part in its place.
        let other = PartId { number: part.number ^ 1, ..part };
        let other = log.storage.parts.borrow().get(&other).cloned();
        log.storage.parts.borrow_mut().insert(part, other.unwrap_or_default());
        ask(&part);
        log.storage.parts.borrow_mut().insert(part, original);
    }
    let rows: Vec<Sequence> = log.storage.tail.borrow().keys().copied().collect();
    for row in rows {
        let original = log.storage.tail.borrow()[&row].clone();
        for damage in damages(&original) {
            log.storage.tail.borrow_mut().insert(row, damage);
            ask(&row);
        }
        log.storage.tail.borrow_mut().insert(row, original);
    }
    assert!(refused > 1_000, "{refused}");
}

/// Returns copies of the bytes that are cut, zeros, or differ in one bit.
fn damages(original: &[u8]) -> Vec<Vec<u8>> {
    let flipped = (0..original.len()).step_by(29).map(|at| {
        let mut bytes = original.to_vec();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    let cut = [0, 1, 4, 17, original.len() / 2, original.len() - 1];
    let cut = cut.map(|len| original[..len.min(original.len())].to_vec());
    let zeros = (1..=34).map(|less| vec![0; original.len().saturating_sub(less)]);
    flipped.chain(cut).chain(zeros).chain([vec![0xff; original.len()]]).collect()
}

impl Log {
    fn extent(&self) -> IndexExtent {
        IndexExtent { pruned: self.floor, indexed: self.indexed, size: self.size() }
    }

    /// Returns the entries that the index must have; none of the event `unreadable`.
    fn entries(&self, first: Sequence, last: Sequence, unreadable: u64) -> Vec<Option<IndexEntry>> {
        let of_range = self.events.iter().filter(|event| {
            let sequence = event.position.sequence;
            first <= sequence && sequence <= last
        });
        let entry = |event: &Event| {
            let keys = self.hasher.keys(&event.terms);
            let entry = IndexEntry { occurred_at: event.position.occurred_at, keys };
            (event.position.sequence.get() != unreadable).then_some(entry)
        };
        of_range.map(entry).collect()
    }

    fn compare_all(&self, unreadable: u64) -> Vec<DerivedFinding> {
        let (mut found, mut at) = (Vec::new(), Sequence::ZERO);
        while at < self.size() {
            let read = |first, last| Ok(self.entries(first, last, unreadable));
            let compared = self.writer().compare(self.extent(), at, read).unwrap();
            found.extend(compared.finding);
            at = compared.through;
        }
        found
    }

    fn repair_all(&mut self) {
        let mut at = Sequence::ZERO;
        while at < self.size() {
            let read = |first, last| Ok(self.entries(first, last, 0));
            let compared = self.writer().repair(self.extent(), at, read).unwrap();
            (self.indexed, at) = (compared.indexed, compared.through);
        }
    }
}

/// Damages the tail that begins with an event, or a part.
type Damage = fn(&Memory, Sequence, PartId);

/// Replaces rows of the index by others, one at a time: each is named, and repaired by what the events
/// say.
#[test]
fn a_part_that_differs_from_the_events_is_named_and_repaired() {
    let mut log = large(150, 7, false);
    assert_eq!(log.compare_all(0), []);
    let tail = *log.storage.tail.borrow().first_key_value().unwrap().0;
    let segment = log.storage.complete()[0];
    let part = PartId { segment: segment.id(), number: 0 };
    let (first, last) = (segment.info().first, segment.info().last);
    let of_segment = DerivedFinding::Segment { first, last };
    let of_tail = DerivedFinding::Tail { first: tail, last: log.size() };
    let damages: [(Damage, DerivedFinding); 5] = [
        (|s, tail, _| s.tail.borrow_mut().get_mut(&tail).unwrap()[0] ^= 1, of_tail),
        (|s, tail, _| drop(s.tail.borrow_mut().remove(&tail)), of_tail),
        (|s, _, part| s.parts.borrow_mut().get_mut(&part).unwrap()[0] ^= 1, of_segment),
        (|s, _, part| drop(s.parts.borrow_mut().remove(&part)), of_segment),
        (
            |s, _, part| s.segments.borrow_mut().retain(|id, _| *id != part.segment),
            DerivedFinding::Directory,
        ),
    ];
    for (damage, finding) in damages {
        let mut log = large(150, 7, false);
        damage(&log.storage, tail, part);
        assert_eq!(log.compare_all(0), [finding]);
        log.repair_all();
        assert_eq!(log.compare_all(0), []);
        log.agrees(&log.query(vec![vec![action("paid")]], Order::NewestFirst));
    }
    // An event that cannot be read is not compared.
    log.events[3].terms.clear();
    assert_eq!(log.compare_all(0).len(), 1);
    assert_eq!(log.compare_all(4), []);
}
