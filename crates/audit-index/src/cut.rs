//! Where a number of events end, in the order of a walk by time, in several segments at once.

use std::ops::Range;

use audit_core::{Order, Position, Result};
use roaring::RoaringBitmap;

use crate::bytes::damaged;
use crate::reader::SegmentReader;
use crate::segment::Segment;
use crate::storage::ReadParts;

/// The events found in a segment or in the tail. Each has a *place*: its number in the order of the
/// walk among all events of the segment, or among those found in the tail.
pub(crate) enum Run {
    /// In the order of the walk.
    Tail(Vec<Position>),
    /// The ranks of the events found.
    Segment(Segment, RoaringBitmap),
}

impl Run {
    fn places(&self) -> Range<u32> {
        match self {
            // At most as many as the tail has.
            Self::Tail(tail) => 0..u32::try_from(tail.len()).unwrap_or(u32::MAX),
            Self::Segment(segment, _) => 0..segment.len(),
        }
    }

    /// Returns how many events are in `places`.
    fn len(&self, order: Order, places: &Range<u32>) -> u64 {
        match self {
            Self::Tail(_) => places.len() as u64,
            Self::Segment(segment, ranks) => {
                ranks.range_cardinality(ranks_of(order, segment, places))
            }
        }
    }

    /// Returns the place of the event in the middle of those in `places`, which has some.
    fn middle(&self, order: Order, places: &Range<u32>) -> Result<u32> {
        match self {
            Self::Tail(_) => Ok(places.start.midpoint(places.end)),
            Self::Segment(segment, ranks) => {
                let within = ranks_of(order, segment, places);
                let before = ranks.range_cardinality(..within.start);
                let middle = before + ranks.range_cardinality(within) / 2;
                let middle = u32::try_from(middle).map_err(|_| damaged())?;
                let rank = ranks.select(middle).ok_or_else(damaged)?;
                Ok(place_of(order, segment, rank))
            }
        }
    }

    fn position<P: ReadParts>(
        &self,
        reader: &mut SegmentReader<P>,
        order: Order,
        place: u32,
    ) -> Result<Position> {
        match self {
            Self::Tail(tail) => tail.get(place as usize).copied().ok_or_else(damaged),
            Self::Segment(segment, _) => reader.position(segment, place_of(order, segment, place)),
        }
    }

    /// Returns the first of `places`, or their end, whose event is not before `position`.
    fn first_from<P: ReadParts>(
        &self,
        reader: &mut SegmentReader<P>,
        order: Order,
        position: &Position,
        places: &Range<u32>,
    ) -> Result<u32> {
        let (mut low, mut high) = (places.start, places.end);
        while low < high {
            let middle = low.midpoint(high);
            let found = self.position(reader, order, middle)?;
            if order.compare(&found, position).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Removes the events before a place.
    pub(crate) fn remove_before(&mut self, order: Order, place: u32) {
        match self {
            Self::Tail(tail) => drop(tail.drain(..place as usize)),
            Self::Segment(segment, ranks) => {
                ranks.remove_range(ranks_of(order, segment, &(0..place)));
            }
        }
    }
}

/// Returns the place of a rank, or the rank of a place.
fn place_of(order: Order, segment: &Segment, rank: u32) -> u32 {
    match order {
        Order::NewestFirst => segment.len().saturating_sub(1).saturating_sub(rank),
        _ => rank,
    }
}

fn ranks_of(order: Order, segment: &Segment, places: &Range<u32>) -> Range<u32> {
    match order {
        Order::NewestFirst => segment.len() - places.end..segment.len() - places.start,
        _ => places.clone(),
    }
}

/// Returns for each of `runs` the place at which its events end that are among the first `count` of
/// all runs.
///
/// Each round chooses an event near the middle of those between which the end can be, and searches
/// its position in each run. At least a quarter of them are then on one side of the end.
pub(crate) fn cut<P: ReadParts>(
    reader: &mut SegmentReader<P>,
    order: Order,
    runs: &[Run],
    mut count: u64,
) -> Result<Vec<u32>> {
    // The places between which each run's end is.
    let mut within: Vec<Range<u32>> = runs.iter().map(Run::places).collect();
    loop {
        let lens = runs.iter().zip(&within).map(|(run, places)| run.len(order, places));
        let lens: Vec<u64> = lens.collect();
        let all = lens.iter().sum::<u64>();
        if count == 0 || all <= count {
            let end = |places: Range<u32>| if count == 0 { places.start } else { places.end };
            return Ok(within.into_iter().map(end).collect());
        }
        let mut middles = Vec::with_capacity(runs.len());
        for (at, len) in lens.iter().enumerate().filter(|(_, len)| **len > 0) {
            let place = runs[at].middle(order, &within[at])?;
            middles.push((runs[at].position(reader, order, place)?, at, place, *len));
        }
        middles.sort_by(|a, b| order.compare(&a.0, &b.0));
        let mut sum = 0;
        let is_middle = |(.., len): &&(Position, usize, u32, u64)| {
            sum += len;
            sum * 2 >= all
        };
        let (pivot, of_run, place, _) = *middles.iter().find(is_middle).ok_or_else(damaged)?;
        let mut ends = Vec::with_capacity(runs.len());
        let mut before = 0;
        for (at, (run, places)) in runs.iter().zip(&within).enumerate() {
            let end =
                if at == of_run { place } else { run.first_from(reader, order, &pivot, places)? };
            before += run.len(order, &(places.start..end));
            ends.push(end);
        }
        if before < count {
            // The pivot is one of the first, too.
            count -= before + 1;
            ends[of_run] += 1;
            within.iter_mut().zip(ends).for_each(|(places, end)| places.start = end);
        } else {
            within.iter_mut().zip(ends).for_each(|(places, end)| places.end = end);
        }
    }
}
