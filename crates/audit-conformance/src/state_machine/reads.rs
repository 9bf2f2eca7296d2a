//! The reads of a player: pages, feeds, look-ups, misused tokens.

use audit_core::{
    AuditEvent, ErrorKind, EventId, EventQuery, FeedPage, Order, Page, Position, Result, Token,
    Total,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use super::op::{Misuse, Which};
use super::player::{Feed, Played, Player, Walk, fail, with};

impl Player {
    /// Checks a page of a walk, and keeps the walk if it goes on.
    pub(super) fn turn(
        &mut self,
        mut walk: Walk,
        page: Result<Page>,
        (limit, total): (usize, Total),
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

    /// Reads the page before that of a walk, and keeps the walk at that page.
    pub(super) fn go_back(&mut self, walk: Index, (limit, total): (usize, Total)) -> Played {
        let walks = self.walks.iter().enumerate();
        let with_previous = walks.filter(|(_, walk)| walk.previous.is_some()).map(|(n, _)| n);
        let with_previous: Vec<_> = with_previous.collect();
        if with_previous.is_empty() {
            return Ok(());
        }
        let walk = self.walks.swap_remove(*walk.get(&with_previous));
        let query = with(self.query_of(&walk).limit(limit), total);
        let token = walk.previous.clone().ok_or_else(|| TestCaseError::fail("it has a token"))?;
        let page = self.subject().next_page(&query, &token);
        if walk.first.sequence < self.log(walk.log).1.floor {
            return self.gone(page);
        }
        self.figure.pages += 1;
        let page = page.map_err(fail("a previous page"))?;
        let mut all = self.log(walk.log).1.select(&walk.filter, walk.order, walk.bound);
        let expected = (total == Total::Exact).then_some(all.len() as u64);
        prop_assert_eq!(page.total, expected, "the total of a walk");
        prop_assert_eq!(page.bound, walk.bound, "the snapshot of a walk");
        let is_before = |e: &AuditEvent| walk.order.compare(&Position::of(e), &walk.first).is_lt();
        let end = all.iter().take_while(|event| is_before(event)).count();
        let rest = all.split_off(end);
        let found = &all[end.saturating_sub(limit)..];
        prop_assert_eq!(&page.events, found, "the events of a previous page");
        prop_assert_eq!(page.previous.is_some(), end > limit, "a token if events come before");
        let token = page.next.ok_or_else(|| TestCaseError::fail("a previous page has a next"))?;
        if let Some((first, last)) = found.first().zip(found.last()) {
            let (first, last, previous) = (Position::of(first), Position::of(last), page.previous);
            self.walks.push(Walk { rest, first, last, token, previous, ..walk });
        }
        Ok(())
    }

    /// Checks a page of a feed, and keeps the feed.
    pub(super) fn deliver(&mut self, feed: Feed, page: Result<FeedPage>, limit: usize) -> Played {
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

    /// Requires that the call failed with `Gone`.
    pub(super) fn gone<T>(&mut self, page: Result<T>) -> Played {
        self.figure.gone += 1;
        let kind = page.map(drop).map_err(|error| error.kind());
        prop_assert_eq!(kind, Err(ErrorKind::Gone), "a token or position below the floor is gone");
        Ok(())
    }

    pub(super) fn look_up(&self, which: Which, index: Index) -> Played {
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

    pub(super) fn misuse(&self, walk: Index, how: &Misuse) -> Played {
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
}
