//! Plays operations on a store and on the model side by side.

use std::collections::HashMap;
use std::fmt;
use std::ops::AddAssign;

use audit_core::tree::Tile;
use audit_core::{
    Action, Actor, AuditEvent, AuditStoreExt as _, Erasure, ErrorKind, EventId, EventQuery,
    FeedPage, FeedStart, Filter, LeafHash, Log, NewEvent, Order, Page, Position, Receipt, Result,
    Retention, Scan, Sequence, Timestamp, Token, Total,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use super::op::{Draft, Misuse, Op, Which};
use crate::RetentionHarness;
use crate::harness::NewRetentionHarness;
use crate::model::Model;
use crate::samples::{At as _, new_log};
use crate::subject::{Subject, everything};
use crate::tree::Tree;

type Played = Result<(), TestCaseError>;

/// How much was played.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figure {
    cases: u64,
    operations: u64,
    pages: u64,
    /// Events that were erased.
    erased: u64,
    /// Events that were pruned.
    pruned: u64,
    /// Tokens and places that answered that what they need is gone.
    gone: u64,
}

impl AddAssign for Figure {
    fn add_assign(&mut self, other: Self) {
        self.cases += other.cases;
        self.operations += other.operations;
        self.pages += other.pages;
        self.erased += other.erased;
        self.pruned += other.pruned;
        self.gone += other.gone;
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, operations, pages, erased, pruned, gone } = self;
        write!(f, "{cases} cases, {operations} operations, {pages} pages, ")?;
        write!(f, "{erased} events erased, {pruned} pruned, {gone} tokens below the floor")
    }
}

/// A store with two logs, what they must hold, and the walks and feeds that are open.
pub(super) struct Player {
    subject: Option<Subject<dyn RetentionHarness>>,
    logs: [(Log, Model); 2],
    trees: [Tree; 2],
    given: HashMap<(Log, EventId), NewEvent>,
    walks: Vec<Walk>,
    feeds: Vec<Feed>,
    figure: Figure,
}

struct Walk {
    log: Which,
    filter: Filter,
    order: Order,
    /// What the walk has still to return.
    rest: Vec<AuditEvent>,
    total: u64,
    bound: Sequence,
    /// The first and the last event of its page.
    first: Position,
    last: Position,
    token: Token,
    previous: Option<Token>,
}

struct Feed {
    log: Which,
    filter: Filter,
    after: Sequence,
    token: Token,
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
        // Whatever was asked, in the end the logs hold what they must.
        for (log, model) in &self.logs {
            prop_assert_eq!(&self.subject().events(*log), &model.events, "the log in the end");
            let head = self.subject().head(*log);
            prop_assert_eq!(head.size, model.size(), "its size in the end");
            prop_assert_eq!(head.pruned, model.floor, "what is pruned in the end");
        }
        for ((log, model), tree) in self.logs.iter().zip(&self.trees) {
            let root = tree.head(tree.size());
            prop_assert_eq!(self.subject().frontier(*log).head(), root, "the tree in the end");
            let entries = self.subject().entries(*log);
            prop_assert_eq!(entries.len(), model.events.len(), "what is kept in the end");
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

    fn subject(&self) -> &Subject<dyn RetentionHarness> {
        self.subject.as_ref().expect("a store is open between operations")
    }

    fn log(&self, which: Which) -> (Log, &Model) {
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
                self.turn(walk, page, *limit, *total, goes_back)
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
                self.turn(walk, page, *limit, *total, true)
            }
            Op::GoBack { walk, limit, total } => {
                let with_previous = |walk: &Walk| walk.previous.is_some();
                if !self.walks.iter().any(with_previous) {
                    return Ok(());
                }
                let start = walk.index(self.walks.len());
                let turns = (0..self.walks.len()).map(|n| (start + n) % self.walks.len());
                let found = turns.into_iter().find(|n| with_previous(&self.walks[*n]));
                let walk = self.walks.swap_remove(found.expect("one of them has a token"));
                let query = with(self.query_of(&walk).limit(*limit), *total);
                let token = walk.previous.clone().expect("it has a token");
                let page = self.subject().next_page(&query, &token);
                if walk.first.sequence < self.log(walk.log).1.floor {
                    return self.gone(page);
                }
                self.turn_back(walk, page, *limit, *total)
            }
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

    fn append(&mut self, which: Which, drafts: &[Draft]) -> Played {
        let (log, model) = self.log(which);
        let held = |index: &Index| {
            let held = model.events.get(index.index(model.events.len().max(1)));
            // As it was given, with what may have been erased since.
            held.map(|held| match self.given.get(&(log, held.id)) {
                Some(given) => given.clone(),
                None => held.clone().into_content(),
            })
        };
        let (mut batch, mut fault) = (Vec::new(), None);
        for draft in drafts {
            let event = match draft {
                Draft::New(event) => Some(NewEvent::clone(event)),
                Draft::Again(index) => held(index),
                Draft::Clash(index) => held(index).map(|event| event.category("another")),
                Draft::Bad => Some(NewEvent::new("", Actor::system())),
            };
            let Some(event) = event else { continue };
            match draft {
                Draft::Bad => fault = Some(ErrorKind::Invalid),
                // Only the log itself tells of it.
                _ if event.action.is_reserved() => fault = Some(ErrorKind::Invalid),
                // What is invalid is found before anything is looked up.
                Draft::Clash(_) if fault.is_none() => fault = Some(ErrorKind::Conflict),
                _ => {}
            }
            batch.push(event);
        }
        let result = self.subject().append(log, batch.clone());
        let Some(fault) = fault else {
            let receipts = result.map_err(fail("an append"))?;
            return self.record(which, batch, &receipts);
        };
        let kind = result.map_err(|error| error.kind());
        // A batch can be at fault in two ways, of which either may be told.
        let both = kind == Err(ErrorKind::Conflict) && fault == ErrorKind::Invalid;
        prop_assert!(both || kind == Err(fault), "a bad batch: {kind:?}, not {fault:?}");
        let size = self.subject().head(log).size;
        prop_assert_eq!(size, self.log(which).1.size(), "a refused batch changes nothing");
        Ok(())
    }

    /// Checks the receipts of an append, and adds its new events to the model.
    fn record(&mut self, which: Which, batch: Vec<NewEvent>, receipts: &[Receipt]) -> Played {
        prop_assert_eq!(receipts.len(), batch.len(), "one receipt for each event");
        let (log, model) = &mut self.logs[which as usize];
        for (event, receipt) in batch.into_iter().zip(receipts) {
            prop_assert_eq!(receipt.id, event.id, "receipts are in the order of the events");
            let held = model.events.iter().find(|held| held.id == event.id);
            prop_assert_eq!(receipt.redelivered, held.is_some(), "a redelivery is marked as such");
            if let Some(held) = held {
                let first = (held.sequence, held.recorded_at);
                prop_assert_eq!((receipt.sequence, receipt.recorded_at), first, "first receipt");
                continue;
            }
            prop_assert_eq!(receipt.sequence, model.size().next(), "numbers are dense");
            let last = model.events.last().map(|last| last.recorded_at);
            prop_assert!(last <= Some(receipt.recorded_at), "the recorded time goes back");
            self.given.insert((*log, event.id), event.clone());
            let event = AuditEvent::new(*log, receipt.sequence, receipt.recorded_at, event);
            model.events.push(event);
            self.trees[which as usize].push_leaf(receipt.leaf);
        }
        Ok(())
    }

    fn erase(&mut self, which: Which, filter: &Filter) -> Played {
        let (log, model) = &mut self.logs[which as usize];
        let expected = model.erase(|event| filter.matches(event));
        let log = *log;
        let erased = self.subject().erase(log, filter.clone()).map_err(fail("an erasure"))?;
        prop_assert_eq!(erased, expected, "how many events are erased");
        self.figure.erased += erased;
        let told = self.told(which)?;
        prop_assert_eq!(told.is_empty(), expected == 0, "an erasure of nothing leaves no event");
        let stated: u64 = told.iter().map(Erasure::erased_count).sum();
        prop_assert_eq!(stated, expected, "how many events it tells of");
        prop_assert!(told.iter().all(|event| event.action == Action::LOG_ERASED), "what it tells");
        self.look_again(which);
        Ok(())
    }

    fn prune(&mut self, which: Which, keep: u64) -> Played {
        let log = self.log(which).0;
        let before = self.subject().retention(log).max_events;
        let retention = Retention::default().max_events(keep);
        self.subject().set_retention(log, retention).map_err(fail("a change of retention"))?;
        let mut expected = vec![Action::LOG_RETENTION_CHANGED; usize::from(before != Some(keep))];
        let (model, changes) = (self.log(which).1, expected.len() as u64);
        let removable = (model.size().get() + changes).saturating_sub(keep);
        let whole = Sequence::new(removable - removable % Tile::WIDTH).unwrap();
        let floor = whole.max(model.floor);
        let events = floor.get() - model.floor.get();
        expected.extend((events > 0).then_some(Action::LOG_PRUNED));
        let pruned = self.subject().prune(log).map_err(fail("pruning"))?;
        prop_assert_eq!((pruned.events, pruned.floor), (events, floor), "what is pruned");
        self.figure.pruned += events;
        let told = self.told(which)?.into_iter().map(|event| event.action);
        prop_assert_eq!(told.collect::<Vec<_>>(), expected, "what pruning tells");
        self.logs[which as usize].1.prune(floor);
        self.look_again(which);
        Ok(())
    }

    /// Takes the events that the store itself has appended into the model.
    fn told(&mut self, which: Which) -> Result<Vec<AuditEvent>, TestCaseError> {
        let (log, model) = self.log(which);
        let size = model.size();
        let last = Position { occurred_at: Timestamp::MIN, sequence: size };
        let scan = Scan { order: Order::Sequence, after: Some(last), ..everything(log) };
        let told = self.subject().scan(scan).map_err(fail("a scan"))?.events;
        let kept = self.subject().try_entries(log, size, usize::MAX, usize::MAX);
        let kept = kept.map_err(fail("what is kept"))?;
        prop_assert_eq!(kept.len(), told.len(), "what is told is kept");
        for entry in &kept {
            self.trees[which as usize].push(&entry.event);
        }
        self.logs[which as usize].1.events.extend(told.iter().cloned());
        Ok(told)
    }

    /// Works out anew what the walks of a log have still to return.
    fn look_again(&mut self, which: Which) {
        let model = &self.logs[which as usize].1;
        for walk in self.walks.iter_mut().filter(|walk| walk.log as usize == which as usize) {
            let all = model.select(&walk.filter, walk.order, walk.bound);
            walk.total = all.len() as u64;
            let is_left = |e: &AuditEvent| walk.order.compare(&Position::of(e), &walk.last).is_gt();
            walk.rest = all.into_iter().filter(is_left).collect();
        }
    }

    /// Checks a page of a walk, and keeps the walk if it goes on.
    fn turn(
        &mut self,
        mut walk: Walk,
        page: Result<Page>,
        limit: usize,
        total: Total,
        goes_back: bool,
    ) -> Played {
        self.figure.pages += 1;
        let page = page.map_err(fail("a page"))?;
        let rest = walk.rest.split_off(limit.min(walk.rest.len()));
        prop_assert_eq!(&page.events, &walk.rest, "the events of a page");
        prop_assert_eq!(page.next.is_some(), !rest.is_empty(), "a token if more events match");
        prop_assert_eq!(page.previous.is_some(), goes_back, "a token if events come before");
        prop_assert_eq!(page.bound, walk.bound, "the snapshot of a walk");
        let expected = (total == Total::Exact).then_some(walk.total);
        prop_assert_eq!(page.total, expected, "the total of a walk");
        let ends = walk.rest.first().zip(walk.rest.last());
        if let (Some(token), Some((first, last))) = (page.next, ends) {
            let (first, last, previous) = (Position::of(first), Position::of(last), page.previous);
            self.walks.push(Walk { rest, first, last, token, previous, ..walk });
        }
        Ok(())
    }

    /// Checks the page before that of a walk, and keeps the walk at that page.
    fn turn_back(&mut self, walk: Walk, page: Result<Page>, limit: usize, total: Total) -> Played {
        self.figure.pages += 1;
        let page = page.map_err(fail("a previous page"))?;
        let mut all = self.log(walk.log).1.select(&walk.filter, walk.order, walk.bound);
        let expected = (total == Total::Exact).then_some(all.len() as u64);
        prop_assert_eq!(page.total, expected, "the total of a walk");
        prop_assert_eq!(page.bound, walk.bound, "the snapshot of a walk");
        let is_before = |e: &AuditEvent| walk.order.compare(&Position::of(e), &walk.first).is_lt();
        let end = all.iter().take_while(|event| is_before(event)).count();
        let rest = all.split_off(end);
        let earlier = all.len().saturating_sub(limit);
        prop_assert_eq!(&page.events, &all[earlier..], "the events of a previous page");
        prop_assert_eq!(page.previous.is_some(), earlier > 0, "a token if events come before");
        let token = page.next.ok_or_else(|| TestCaseError::fail("a previous page has a next"))?;
        let found = &all[earlier..];
        if let Some((first, last)) = found.first().zip(found.last()) {
            let (first, last, previous) = (Position::of(first), Position::of(last), page.previous);
            self.walks.push(Walk { rest, first, last, token, previous, ..walk });
        }
        Ok(())
    }

    /// Checks a page of a feed, and keeps the feed.
    fn deliver(&mut self, feed: Feed, page: Result<FeedPage>, limit: usize) -> Played {
        self.figure.pages += 1;
        let page = page.map_err(fail("a page of a feed"))?;
        let model = self.log(feed.log).1;
        let mut expected = model.all(&feed.filter, Order::Sequence);
        expected.retain(|event| event.sequence > feed.after);
        let caught_up = expected.len() <= limit;
        expected.truncate(limit);
        let after = match expected.last() {
            Some(last) if !caught_up => last.sequence,
            _ => model.size(),
        };
        prop_assert_eq!(page.events, expected, "the events of a feed");
        prop_assert_eq!(page.caught_up, caught_up, "whether a feed is caught up");
        self.feeds.push(Feed { after, token: page.token, ..feed });
        Ok(())
    }

    /// Requires that what is asked for has been pruned.
    fn gone<T>(&mut self, page: Result<T>) -> Played {
        self.figure.gone += 1;
        let kind = page.map(drop).map_err(|error| error.kind());
        prop_assert_eq!(kind, Err(ErrorKind::Gone), "what stands below the floor is gone");
        Ok(())
    }

    fn look_up(&self, which: Which, index: Index) -> Played {
        let (log, model) = self.log(which);
        let other = &self.logs[1 - which as usize].1;
        let known = model.events.iter().chain(&other.events).map(|event| event.id);
        let ids: Vec<_> = known.chain([EventId::new()]).collect();
        let id = ids[index.index(ids.len())];
        let found = self.subject().get(log, id).map_err(|error| error.kind());
        let held = model.events.iter().find(|event| event.id == id).cloned();
        prop_assert_eq!(found, held.ok_or(ErrorKind::NotFound), "a look-up");
        Ok(())
    }

    fn misuse(&self, walk: Index, how: &Misuse) -> Played {
        if self.walks.is_empty() {
            return Ok(());
        }
        let walk = walk.get(&self.walks);
        let (query, mut token) = (self.query_of(walk), walk.token.clone());
        let query = match how {
            Misuse::Alter { at, with } => {
                let mut characters: Vec<_> = token.as_str().chars().collect();
                let place = at.index(characters.len());
                characters[place] = if characters[place] == *with { '~' } else { *with };
                token = Token::new(characters.into_iter().collect::<String>());
                query
            }
            Misuse::OtherLog => {
                let log = match walk.log {
                    Which::First => self.logs[1].0,
                    Which::Second => self.logs[0].0,
                };
                EventQuery::new(log).filter(walk.filter.clone()).order(walk.order)
            }
            Misuse::OtherFilter => query.filter(walk.filter.clone().category("other")),
            Misuse::OtherOrder => query.order(match walk.order {
                Order::NewestFirst => Order::OldestFirst,
                _ => Order::NewestFirst,
            }),
            Misuse::OtherEndpoint => query.audience("other"),
            Misuse::OtherKind => {
                let page = self.subject().next_feed(&query, &token);
                let kind = page.map_err(|error| error.kind());
                prop_assert_eq!(kind, Err(ErrorKind::InvalidToken), "a walk's token in a feed");
                return Ok(());
            }
        };
        let page = self.subject().next_page(&query, &token).map_err(|error| error.kind());
        prop_assert_eq!(page, Err(ErrorKind::InvalidToken), "a misused token: {:?}", how);
        Ok(())
    }

    fn query_of(&self, walk: &Walk) -> EventQuery {
        EventQuery::new(self.log(walk.log).0).filter(walk.filter.clone()).order(walk.order)
    }
}

fn with(query: EventQuery, total: Total) -> EventQuery {
    if total == Total::Exact { query.with_total() } else { query }
}

fn fail(what: &'static str) -> impl Fn(audit_core::Error) -> TestCaseError {
    move |error| TestCaseError::fail(format!("{what} must succeed: {error:?}"))
}
