//! A walk by time.

use audit_core::{Order, Position, Result, Sequence};

use crate::cut::{Run, cut};
use crate::segment::Segment;
use crate::storage::ReadParts;
use crate::walked::{EVENTS_AHEAD, MOST_EVENTS_AHEAD, OpenedSegment, Segments};

/// Fewer events are stepped over: to count the events of each segment would take longer.
const FEW: u64 = 16;

/// A walk by time: merges the tail and the open segments. A segment is opened when the walk reaches
/// its first event.
pub(crate) struct ByTime<P> {
    segments: Segments<P>,
    open: Vec<Open>,
}

struct Open {
    head: Position,
    rest: Rest,
}

enum Rest {
    Tail(std::vec::IntoIter<Position>),
    Segment(Ranks),
}

/// The ranks that are left of those found in a segment.
struct Ranks {
    segment: Segment,
    left: roaring::bitmap::IntoIter,
    /// The number of next ranks whose table entries are announced.
    announced: usize,
    /// The number to announce next; doubles each time.
    ahead: usize,
}

/// A segment that is not opened, with the positions between which its events are and with the number
/// of those that match.
struct Counted {
    segment: Segment,
    first: Position,
    last: Position,
    len: u64,
}

impl<P: ReadParts> ByTime<P> {
    pub(crate) fn new(mut segments: Segments<P>, tail: Vec<Position>) -> Self {
        let order = segments.query.order;
        segments.waiting.sort_by(|a, b| order.compare(&b.start(order), &a.start(order)));
        let mut walk = Self { segments, open: Vec::new() };
        walk.open_tail(tail);
        walk
    }

    fn open_tail(&mut self, tail: Vec<Position>) {
        let mut tail = tail.into_iter();
        let head = tail.next();
        self.open.extend(head.map(|head| Open { head, rest: Rest::Tail(tail) }));
    }

    fn open_segment(&mut self, segment: Segment, opened: OpenedSegment) -> Result<()> {
        let OpenedSegment { ranks, announced } = opened;
        let left = ranks.into_iter();
        let mut rest = Rest::Segment(Ranks { segment, left, announced, ahead: EVENTS_AHEAD });
        let head = rest.advance(&mut self.segments)?;
        self.open.extend(head.map(|head| Open { head, rest }));
        Ok(())
    }

    pub(crate) fn advance(&mut self) -> Result<Option<Sequence>> {
        let order = self.segments.query.order;
        loop {
            let heads = self.open.iter().enumerate();
            let next = heads.min_by(|(_, a), (_, b)| order.compare(&a.head, &b.head));
            let next = next.map(|(index, open)| (index, open.head));
            let comes_first = |segment: &Segment| {
                next.is_none_or(|(_, head)| order.compare(&segment.start(order), &head).is_lt())
            };
            if let Some((segment, opened)) = self.segments.open_if(comes_first)? {
                self.open_segment(segment, opened)?;
                continue;
            }
            let Some((index, head)) = next else { return Ok(None) };
            let open = &mut self.open[index];
            match open.rest.advance(&mut self.segments)? {
                Some(head) => open.head = head,
                None => {
                    self.open.swap_remove(index);
                }
            }
            return Ok(Some(head.sequence));
        }
    }

    /// Passes over the next `count` events. At the beginning of the walk, counts the events of each
    /// segment, and opens only those in which the passed events can end.
    pub(crate) fn pass_over(&mut self, count: u64) -> Result<u64> {
        if count < FEW {
            return self.step_over(count);
        }
        let Some(tail) = self.take_tail() else { return self.step_over(count) };
        let in_tail = tail.len() as u64;
        let counted = self.count_waiting()?;
        let all = in_tail + counted.iter().map(|counted| counted.len).sum::<u64>();
        if all <= count {
            return Ok(all);
        }
        let order = self.segments.query.order;
        let is_before = |a: &Position, b: &Position| order.compare(a, b).is_lt();
        let mut runs = vec![Run::Tail(tail)];
        let mut left = count;
        for at in &counted {
            let sum = |is_counted: &dyn Fn(&Counted) -> bool| {
                let others = counted.iter().filter(|other| is_counted(other));
                others.map(|other| other.len).sum::<u64>()
            };
            if sum(&|other| is_before(&other.last, &at.first)) >= count {
                self.segments.waiting.push(at.segment); // the passed events end before it
            } else if in_tail + sum(&|other| !is_before(&at.last, &other.first)) <= count {
                left -= at.len; // the passed events end after it
            } else {
                let ranks = self.segments.open(&at.segment)?;
                let reader = &mut self.segments.reader;
                let ranks = reader.held(&at.segment, ranks, &self.segments.query)?;
                runs.push(Run::Segment(at.segment, ranks));
            }
        }
        let ends = cut(&mut self.segments.reader, order, &runs, left)?;
        for (mut run, end) in runs.into_iter().zip(ends) {
            run.remove_before(order, end);
            match run {
                Run::Tail(tail) => self.open_tail(tail),
                Run::Segment(segment, ranks) => {
                    self.open_segment(segment, OpenedSegment { ranks, announced: 0 })?;
                }
            }
        }
        Ok(count)
    }

    fn step_over(&mut self, count: u64) -> Result<u64> {
        for passed in 0..count {
            if self.advance()?.is_none() {
                return Ok(passed);
            }
        }
        Ok(count)
    }

    /// Takes the events of the tail that are left; `None` if a segment is open.
    fn take_tail(&mut self) -> Option<Vec<Position>> {
        match &mut self.open[..] {
            [] => Some(Vec::new()),
            [Open { head, rest: Rest::Tail(rest) }] => {
                let tail = std::iter::once(*head).chain(rest).collect();
                self.open.clear();
                Some(tail)
            }
            _ => None,
        }
    }

    /// Takes the waiting segments and counts the events of each.
    fn count_waiting(&mut self) -> Result<Vec<Counted>> {
        let query = self.segments.query.clone();
        self.segments.announce(&query)?;
        let order = query.order;
        let Segments { reader, clauses, query, waiting, .. } = &mut self.segments;
        let count = |segment: Segment| {
            let (first, last) = (segment.start(order), segment.start(order.reversed()));
            let len = reader.count(&segment, clauses, query)?;
            Ok(Counted { segment, first, last, len })
        };
        waiting.drain(..).map(count).collect()
    }
}

impl Rest {
    fn advance<P: ReadParts>(&mut self, segments: &mut Segments<P>) -> Result<Option<Position>> {
        match self {
            Self::Tail(positions) => Ok(positions.next()),
            Self::Segment(ranks) => loop {
                let Some(rank) = ranks.next(segments)? else { return Ok(None) };
                let position = segments.reader.position(&ranks.segment, rank)?;
                if segments.query.holds(position.sequence) {
                    return Ok(Some(position));
                }
            },
        }
    }
}

impl Ranks {
    /// Takes the next rank in the order of the walk, and announces those after it.
    fn next<P: ReadParts>(&mut self, segments: &mut Segments<P>) -> Result<Option<u32>> {
        let is_reversed = segments.query.order == Order::NewestFirst;
        if P::IS_REMOTE && self.announced == 0 {
            let (reader, left) = (&mut segments.reader, self.left.clone());
            if is_reversed {
                reader.prefetch_positions(&self.segment, left.rev().take(self.ahead))?;
            } else {
                reader.prefetch_positions(&self.segment, left.take(self.ahead))?;
            }
            self.announced = self.ahead;
            self.ahead = (self.ahead * 2).min(MOST_EVENTS_AHEAD);
        }
        self.announced = self.announced.saturating_sub(1);
        Ok(if is_reversed { self.left.next_back() } else { self.left.next() })
    }
}
