//! Plays operations on a store and on the model side by side.

use std::collections::HashMap;

use audit_core::{
    AuditEvent, AuditStoreExt as _, EventId, EventQuery, FeedStart, Filter, LeafHash, Log,
    NewEvent, Order, Position, Result, Sequence, Timestamp, Token, Total,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::figure::Figure;
use super::op::{Op, Which};
use crate::RetentionHarness;
use crate::harness::NewRetentionHarness;
use crate::model::Model;
use crate::samples::{At as _, new_log};
use crate::subject::Subject;
use crate::tree::Tree;

pub(super) type Played = Result<(), TestCaseError>;

/// A store with two logs, what they must hold, and the walks and feeds that are open.
pub(super) struct Player {
    pub(super) subject: Option<Subject<dyn RetentionHarness>>,
    pub(super) logs: [(Log, Model); 2],
    pub(super) trees: [Tree; 2],
    pub(super) given: HashMap<(Log, EventId), NewEvent>,
    pub(super) walks: Vec<Walk>,
    pub(super) feeds: Vec<Feed>,
    pub(super) figure: Figure,
}

pub(super) struct Walk {
    pub(super) log: Which,
    pub(super) filter: Filter,
    pub(super) order: Order,
    /// The events that the walk has still to return.
    pub(super) rest: Vec<AuditEvent>,
    pub(super) total: u64,
    pub(super) bound: Sequence,
    /// The position of the first event of its page.
    pub(super) first: Position,
    /// The position of the last event of its page.
    pub(super) last: Position,
    pub(super) token: Token,
    pub(super) previous: Option<Token>,
}

pub(super) struct Feed {
    pub(super) log: Which,
    pub(super) filter: Filter,
    pub(super) after: Sequence,
    pub(super) token: Token,
}

impl Player {
    pub(super) fn new(new: NewRetentionHarness<'_>) -> Self {
        Self::with(Subject::new(new))
    }

    /// Plays on with the same store and new logs.
    pub(super) fn again(self) -> Self {
        Self::with(self.subject.expect("a store is open between operations"))
    }

    fn with(subject: Subject<dyn RetentionHarness>) -> Self {
        Self {
            subject: Some(subject),
            logs: [(); 2].map(|()| (new_log(), Model::default())),
            trees: Default::default(),
            given: HashMap::new(),
            walks: Vec::new(),
            feeds: Vec::new(),
            figure: Figure { cases: 1, ..Figure::default() },
        }
    }

    pub(super) fn figure(&self) -> Figure {
        self.figure
    }

    pub(super) fn play(&mut self, ops: &[Op]) -> Played {
        for op in ops {
            self.figure.operations += 1;
            self.step(op)?;
        }
        // In the end the logs are those of the model.
        for (log, model) in &self.logs {
            prop_assert_eq!(&self.subject().events(*log), &model.events, "the log in the end");
            let head = self.subject().head(*log);
            prop_assert_eq!(head.size, model.size(), "its size in the end");
            prop_assert_eq!(head.pruned, model.floor, "the floor in the end");
        }
        for ((log, model), tree) in self.logs.iter().zip(&self.trees) {
            let root = tree.head(tree.size());
            prop_assert_eq!(self.subject().frontier(*log).head(), root, "the tree in the end");
            let entries = self.subject().entries(*log);
            prop_assert_eq!(entries.len(), model.events.len(), "the stored events in the end");
            for (entry, event) in entries.iter().zip(&model.events) {
                let leaf = LeafHash::of(&entry.event.record);
                let expected = tree.leaf(entry.sequence.get());
                prop_assert_eq!(leaf, expected, "the records in the end");
                prop_assert_eq!(entry.leaf, expected, "the leaves in the end");
                let erased = (entry.sequence, entry.event.personal.is_none());
                prop_assert_eq!(erased, (event.sequence, event.erased), "erased in the end");
            }
        }
        Ok(())
    }

    pub(super) fn subject(&self) -> &Subject<dyn RetentionHarness> {
        self.subject.as_ref().expect("a store is open between operations")
    }

    pub(super) fn log(&self, which: Which) -> (Log, &Model) {
        let (log, model) = &self.logs[which as usize];
        (*log, model)
    }

    fn step(&mut self, op: &Op) -> Played {
        match op {
            Op::Append { log, events } => self.append(*log, events),
            Op::Fill { log, event, count } => {
                let alike = |n: u8| {
                    let id = EventId::derived(*event.id.as_uuid(), &[n]);
                    event.as_ref().clone().id(id).at((n % 5).into())
                };
                let batch: Vec<_> = (0..*count).map(alike).collect();
                let receipts = self.subject().append(self.log(*log).0, batch.clone());
                self.record(*log, batch, &receipts.map_err(fail("an append"))?)
            }
            Op::Begin { log, filter, order, limit, offset, total } => {
                let (id, model) = self.log(*log);
                let expected = model.all(filter, *order);
                let bound = model.size();
                let query = EventQuery::new(id).filter(filter.clone()).order(*order).limit(*limit);
                let page = self.subject().try_page(&with(query.offset(*offset), *total));
                let skipped = usize::try_from(*offset).unwrap_or(usize::MAX).min(expected.len());
                let place = Position { occurred_at: Timestamp::MIN, sequence: model.floor };
                let walk = Walk {
                    log: *log,
                    filter: filter.clone(),
                    order: *order,
                    total: expected.len() as u64,
                    rest: expected[skipped..].to_vec(),
                    bound,
                    first: place,
                    last: place,
                    token: Token::new(""),
                    previous: None,
                };
                let goes_back = skipped > 0 && !walk.rest.is_empty();
                self.turn(walk, page, (*limit, *total), goes_back)
            }
            Op::Continue { walk, limit, total } => {
                if self.walks.is_empty() {
                    return Ok(());
                }
                let walk = self.walks.swap_remove(walk.index(self.walks.len()));
                let query = with(self.query_of(&walk).limit(*limit), *total);
                let page = self.subject().next_page(&query, &walk.token);
                if walk.last.sequence < self.log(walk.log).1.floor {
                    return self.gone(page);
                }
                self.turn(walk, page, (*limit, *total), true)
            }
            Op::GoBack { walk, limit, total } => self.go_back(*walk, (*limit, *total)),
            Op::Feed { log, filter, limit, after } => {
                let (id, model) = self.log(*log);
                let size = usize::try_from(model.size().get()).unwrap();
                let after = match after {
                    Some(index) => Sequence::new(index.index(size + 1) as u64).unwrap(),
                    None => model.size(),
                };
                let start = match after {
                    after if after == model.size() => FeedStart::Now,
                    Sequence::ZERO => FeedStart::Beginning,
                    after => FeedStart::After(after),
                };
                let query = EventQuery::new(id).filter(filter.clone()).limit(*limit);
                let page = self.subject().feed(&query, start);
                if matches!(start, FeedStart::After(after) if after < model.floor) {
                    return self.gone(page);
                }
                let feed = Feed { log: *log, filter: filter.clone(), after, token: Token::new("") };
                self.deliver(feed, page, *limit)
            }
            Op::ContinueFeed { feed, limit } => {
                if self.feeds.is_empty() {
                    return Ok(());
                }
                let feed = self.feeds.swap_remove(feed.index(self.feeds.len()));
                let query = EventQuery::new(self.log(feed.log).0).filter(feed.filter.clone());
                let page = self.subject().next_feed(&query.limit(*limit), &feed.token);
                if feed.after < self.log(feed.log).1.floor {
                    return self.gone(page);
                }
                self.deliver(feed, page, *limit)
            }
            Op::Count { log, filter } => {
                let (id, model) = self.log(*log);
                let query = EventQuery::new(id).filter(filter.clone());
                let count = self.subject().block_on(self.subject().store().count(&query));
                let expected = model.all(filter, Order::Sequence).len() as u64;
                prop_assert_eq!(count.map_err(fail("a count"))?, expected, "a count is exact");
                Ok(())
            }
            Op::IndexQuery { log, event } => self.look_up(*log, *event),
            Op::Erase { log, filter } => self.erase(*log, filter),
            Op::Prune { log, keep } => self.prune(*log, *keep),
            Op::Reopen => {
                self.subject = self.subject.take().map(Subject::reopen);
                Ok(())
            }
            Op::Misuse { walk, how } => self.misuse(*walk, how),
        }
    }

    /// Recomputes what the walks of a log have still to return.
    pub(super) fn look_again(&mut self, which: Which) {
        let model = &self.logs[which as usize].1;
        for walk in self.walks.iter_mut().filter(|walk| walk.log as usize == which as usize) {
            let all = model.select(&walk.filter, walk.order, walk.bound);
            walk.total = all.len() as u64;
            let is_left = |e: &AuditEvent| walk.order.compare(&Position::of(e), &walk.last).is_gt();
            walk.rest = all.into_iter().filter(is_left).collect();
        }
    }

    pub(super) fn query_of(&self, walk: &Walk) -> EventQuery {
        EventQuery::new(self.log(walk.log).0).filter(walk.filter.clone()).order(walk.order)
    }
}

pub(super) fn with(query: EventQuery, total: Total) -> EventQuery {
    if total == Total::Exact { query.with_total() } else { query }
}

pub(super) fn fail(what: &'static str) -> impl Fn(audit_core::Error) -> TestCaseError {
    move |error| TestCaseError::fail(format!("{what} must succeed: {error:?}"))
}
