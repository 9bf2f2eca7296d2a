//! The index of a log: how events are found by their terms.
//!
//! The newest events are in the [tail](crate::tail), which is looked through. When that has grown,
//! it becomes a [segment](crate::segment); and when there are many small segments, they become a
//! larger one. So each event is written into the index a few times in its life, each time together
//! with thousands of others, and a page reads a few rows of each segment that it comes to.
//!
//! All of it is done in the transaction of the append, and nothing is kept in memory between two.

use std::ops::RangeInclusive;

use audit_core::backend::index::{Index, IndexQuery};
use audit_core::{Order, Position, Result, Sequence, Timestamp};
use rusqlite::Connection;

use crate::list::damaged;
use crate::schema;
use crate::segment::{self, Parts, Segment};
use crate::tail::{self, Entry};
use crate::terms::{TermHasher, TermKey};

/// How events are indexed.
#[derive(Clone, Debug)]
pub(crate) struct Indexing {
    pub(crate) hasher: TermHasher,
    /// So many events make a segment.
    pub(crate) segment: u64,
}

impl Indexing {
    /// Reads how the file is indexed.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let hasher = TermHasher::new(&schema::index_secret(connection)?);
        Ok(Self { hasher, segment: SEGMENT })
    }
}

/// So many events of a log are looked through at most.
pub(crate) const SEGMENT: u64 = 512;
/// Segments are merged when together they have so many times the events of one.
const FAN_OUT: u64 = 8;
/// So often: then a segment stays.
const MERGES: u32 = 3;

/// What the index has of a log, and what it is to have.
pub(crate) struct Growth {
    pub(crate) log: i64,
    /// So many events are in segments.
    pub(crate) indexed: Sequence,
    /// So many events have been pruned.
    pub(crate) floor: Sequence,
    /// The number of the first new event.
    pub(crate) first: Sequence,
    /// The new events.
    pub(crate) entries: Vec<Entry>,
}

impl Growth {
    /// Writes the new events into the index, and returns how many are in segments then.
    pub(crate) fn write(self, connection: &Connection, indexing: &Indexing) -> Result<Sequence> {
        let Self { log, indexed, floor, first, entries } = self;
        let old = first.previous();
        let unindexed = old.get() - indexed.get() + entries.len() as u64;
        if unindexed < indexing.segment {
            tail::extend(connection, log, indexed, first, &entries)?;
            return Ok(indexed);
        }
        let mut all = tail::read(connection, log, indexed, old)?;
        tail::clear(connection, log, indexed, old)?;
        all.extend(entries);
        if all.len() as u64 != unindexed {
            return Err(damaged());
        }
        segment::write(connection, log, indexed.next(), &all)?;
        let mut segments = segment::directory(connection, log)?;
        segments.retain(|segment| segment.last > floor); // the others are being removed
        let mut run = to_merge(&segments, indexing.segment).to_vec();
        if !run.is_empty() {
            run.reverse();
            segment::merge(connection, log, &run)?;
        }
        Sequence::new(indexed.get() + all.len() as u64)
    }
}

/// The segments, of those given the last first, that are to become one: the longest run of small
/// ones that together make a larger.
fn to_merge(segments: &[Segment], least: u64) -> &[Segment] {
    let mut run = &segments[..0];
    let mut size = least;
    for _ in 0..MERGES {
        size *= FAN_OUT;
        let small = segments.iter().map(Segment::weight).take_while(|weight| *weight < size);
        let (count, sum) = small.fold((0, 0), |(count, sum), weight| (count + 1, sum + weight));
        if sum >= size {
            run = &segments[..count];
        }
    }
    run
}

/// The index of one log, as one snapshot of the file has it.
pub(crate) struct LogIndex<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) indexing: &'c Indexing,
    pub(crate) log: i64,
    /// So many events the log has.
    pub(crate) size: Sequence,
    /// So many of them are in segments.
    pub(crate) indexed: Sequence,
}

impl LogIndex<'_> {
    fn in_tail(&self, groups: &[Vec<TermKey>], lookup: &IndexQuery) -> Result<Vec<Position>> {
        if lookup.bound <= self.indexed {
            return Ok(Vec::new());
        }
        tail::find(self.connection, self.log, (self.indexed, self.size), groups, lookup)
    }

    /// The segments that can hold what is wanted, the last first.
    fn segments(&self, lookup: &IndexQuery) -> Result<Vec<Segment>> {
        let mut segments = segment::directory(self.connection, self.log)?;
        segments.retain(|segment| segment.is_within(lookup));
        Ok(segments)
    }
}

impl<'c> Index for LogIndex<'c> {
    type Found<'a>
        = Found<'c>
    where
        Self: 'a;

    fn find(&self, lookup: IndexQuery) -> Result<Found<'c>> {
        let groups = self.indexing.hasher.groups(&lookup.clauses);
        if lookup.order != Order::Sequence {
            let tail = self.in_tail(&groups, &lookup)?;
            let mut waiting = self.segments(&lookup)?;
            let order = lookup.order;
            waiting.sort_by(|a, b| order.compare(&b.edge(order), &a.edge(order)));
            let mut open = Vec::new();
            let mut tail = tail.into_iter();
            if let Some(head) = tail.next() {
                open.push(Open { head, rest: Rest::Tail(tail) });
            }
            let parts = Parts::open(self.connection)?;
            return Ok(Found::ByTime(ByTime { parts, groups, lookup, waiting, open }));
        }
        let after = lookup.first_after().get();
        if groups.is_empty() && lookup.earliest == Timestamp::MIN && lookup.latest == Timestamp::MAX
        {
            return Ok(Found::All(after + 1..=lookup.bound.get()));
        }
        let tail = self.in_tail(&groups, &lookup)?.into_iter();
        let waiting = self.segments(&lookup)?;
        let parts = Parts::open(self.connection)?;
        let walk = BySequence { parts, groups, lookup, waiting, current: Current::None, tail };
        Ok(Found::BySequence(walk))
    }

    fn count(&self, lookup: IndexQuery) -> Result<u64> {
        let mut groups = self.indexing.hasher.groups(&lookup.clauses);
        let mut parts = Parts::open(self.connection)?;
        let mut count = self.in_tail(&groups, &lookup)?.len() as u64;
        for segment in self.segments(&lookup)? {
            count += parts.count(&segment, &mut groups, &lookup)?;
        }
        Ok(count)
    }
}

/// The events found, in the order that was asked for.
pub(crate) enum Found<'c> {
    /// Every event, by sequence.
    All(RangeInclusive<u64>),
    ByTime(ByTime<'c>),
    BySequence(BySequence<'c>),
}

impl Iterator for Found<'_> {
    type Item = Result<Sequence>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::All(numbers) => numbers.next().map(Sequence::new),
            Self::ByTime(walk) => walk.advance().transpose(),
            Self::BySequence(walk) => walk.advance().transpose(),
        }
    }
}

/// A walk by time: the tail and the segments side by side, each opened when the walk comes to it.
pub(crate) struct ByTime<'c> {
    parts: Parts<'c>,
    groups: Vec<Vec<TermKey>>,
    lookup: IndexQuery,
    /// The segments not come to yet, the next one last.
    waiting: Vec<Segment>,
    open: Vec<Open>,
}

struct Open {
    head: Position,
    rest: Rest,
}

enum Rest {
    Tail(std::vec::IntoIter<Position>),
    Segment(Segment, roaring::bitmap::IntoIter),
}

impl ByTime<'_> {
    fn advance(&mut self) -> Result<Option<Sequence>> {
        let order = self.lookup.order;
        loop {
            let heads = self.open.iter().enumerate();
            let next = heads.min_by(|(_, a), (_, b)| order.compare(&a.head, &b.head));
            let next = next.map(|(index, open)| (index, open.head));
            let comes_first = |segment: &mut Segment| {
                next.is_none_or(|(_, head)| order.compare(&segment.edge(order), &head).is_lt())
            };
            if let Some(segment) = self.waiting.pop_if(comes_first) {
                let ranks = self.parts.find(&segment, &mut self.groups, &self.lookup)?;
                let mut rest = Rest::Segment(segment, ranks.into_iter());
                if let Some(head) = rest.advance(&mut self.parts, &self.lookup)? {
                    self.open.push(Open { head, rest });
                }
                continue;
            }
            let Some((index, head)) = next else { return Ok(None) };
            let open = &mut self.open[index];
            match open.rest.advance(&mut self.parts, &self.lookup)? {
                Some(head) => open.head = head,
                None => {
                    self.open.swap_remove(index);
                }
            }
            return Ok(Some(head.sequence));
        }
    }
}

impl Rest {
    fn advance(&mut self, parts: &mut Parts<'_>, lookup: &IndexQuery) -> Result<Option<Position>> {
        match self {
            Self::Tail(positions) => Ok(positions.next()),
            Self::Segment(segment, ranks) => loop {
                let rank = match lookup.order {
                    Order::NewestFirst => ranks.next_back(),
                    _ => ranks.next(),
                };
                let Some(rank) = rank else { return Ok(None) };
                let position = parts.position(segment, rank)?;
                if lookup.holds(position.sequence) {
                    return Ok(Some(position));
                }
            },
        }
    }
}

/// A walk by sequence: one segment after the other, then the tail.
pub(crate) struct BySequence<'c> {
    parts: Parts<'c>,
    groups: Vec<Vec<TermKey>>,
    lookup: IndexQuery,
    /// The segments not come to yet, the next one last.
    waiting: Vec<Segment>,
    current: Current,
    tail: std::vec::IntoIter<Position>,
}

/// What is found in the segment come to.
enum Current {
    None,
    /// A few events, by sequence.
    Few(std::vec::IntoIter<Sequence>),
    /// So many, by rank, that the next is never far: each event in turn is looked up.
    Many {
        segment: Segment,
        ranks: roaring::RoaringBitmap,
        next: Sequence,
    },
}

/// Up to so many are sorted, rather than each event looked up.
const FEW: u64 = 256;

impl BySequence<'_> {
    fn advance(&mut self) -> Result<Option<Sequence>> {
        loop {
            match &mut self.current {
                Current::None => {}
                Current::Few(few) => {
                    if let Some(sequence) = few.next() {
                        return Ok(Some(sequence));
                    }
                }
                Current::Many { segment, ranks, next } => {
                    while *next <= segment.last.min(self.lookup.bound) {
                        let sequence = *next;
                        *next = sequence.next();
                        if ranks.contains(self.parts.rank(segment, sequence)?) {
                            return Ok(Some(sequence));
                        }
                    }
                }
            }
            let Some(segment) = self.waiting.pop() else {
                return Ok(self.tail.next().map(|position| position.sequence));
            };
            self.current = self.enter(segment)?;
        }
    }

    fn enter(&mut self, segment: Segment) -> Result<Current> {
        let ranks = self.parts.find(&segment, &mut self.groups, &self.lookup)?;
        if ranks.len() > FEW {
            let next = self.lookup.first_after().next().max(segment.first);
            return Ok(Current::Many { segment, ranks, next });
        }
        let mut few = Vec::new();
        for rank in ranks {
            let position = self.parts.position(&segment, rank)?;
            if self.lookup.reaches(&position) {
                few.push(position.sequence);
            }
        }
        few.sort_unstable();
        Ok(Current::Few(few.into_iter()))
    }
}
