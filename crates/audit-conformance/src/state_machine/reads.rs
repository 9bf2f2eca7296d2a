//! The reads of a player: pages, feeds, look-ups, misused tokens.

use audit_core::{
    ErrorKind, EventId, EventQuery, FeedPage, Order, Page, Position, Result, Token, Total,
};
use proptest::prelude::*;
use proptest::sample::Index;

use super::op::{Misuse, Which};
use super::player::{Feed, Played, Player, Walk, fail};

impl Player {
    /// Checks a page of a walk, and keeps the walk if it goes on.
    pub(super) fn turn(
        &mut self,
        mut walk: Walk,
        page: Result<Page>,
        limit: usize,
        total: Total,
    ) -> Played {
        self.figure.pages += 1;
        let page = page.map_err(fail("a page"))?;
        let rest = walk.rest.split_off(limit.min(walk.rest.len()));
        prop_assert_eq!(&page.events, &walk.rest, "the events of a page");
        prop_assert_eq!(page.next.is_some(), !rest.is_empty(), "a token if more events match");
        prop_assert_eq!(page.bound, walk.bound, "the snapshot of a walk");
        let expected = (total == Total::Exact).then_some(walk.total);
        prop_assert_eq!(page.total, expected, "the total of a walk");
        if let (Some(token), Some(last)) = (page.next, walk.rest.last().map(Position::of)) {
            self.walks.push(Walk { rest, last, token, ..walk });
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
