//! Faults between the caller and the store.

use std::sync::Arc;

use audit_conformance::Harness;
use audit_conformance::Store;
use audit_core::{
    AuditStoreExt as _, ErrorKind, EventQuery, FeedPage, FeedStart, Page, Result, Token,
    limits::MAX_PAGE_EVENTS,
};
use futures_executor::block_on;

use super::{Fault, FaultyHarness};

impl Harness for FaultyHarness {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.open_faulty())
    }

    fn open_api_keys(&self) -> Arc<dyn Store> {
        Arc::new(self.open_faulty())
    }

    fn page(&self, store: &dyn Store, query: &EventQuery) -> Result<Page> {
        let page = block_on(store.page(query))?;
        if let Some(token) = &page.next {
            self.note(token, query);
        }
        Ok(page)
    }

    fn next_page(&self, store: &dyn Store, query: &EventQuery, token: &Token) -> Result<Page> {
        let query = match self.fault {
            Fault::IgnoresTheNewPageSize => &query.clone().limit(MAX_PAGE_EVENTS),
            _ => query,
        };
        let page = block_on(store.next_page(query, token));
        let page = self.excuse(page, token, |first| match first {
            Some(first) => block_on(store.next_page(first, token)),
            None => block_on(store.page(query)),
        })?;
        if let Some(token) = &page.next {
            self.note(token, query);
        }
        Ok(page)
    }

    fn feed(&self, store: &dyn Store, query: &EventQuery, start: FeedStart) -> Result<FeedPage> {
        let page = block_on(store.feed(query, start))?;
        self.note(&page.token, query);
        Ok(page)
    }

    fn next_feed(&self, store: &dyn Store, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        let page = block_on(store.next_feed(query, token));
        let page = self.excuse(page, token, |first| match first {
            Some(first) => block_on(store.next_feed(first, token)),
            None => block_on(store.feed(query, FeedStart::Beginning)),
        })?;
        self.note(&page.token, query);
        Ok(page)
    }
}

impl FaultyHarness {
    fn note(&self, token: &Token, query: &EventQuery) {
        self.notes.tokens.lock().unwrap().insert(token.clone(), query.clone());
    }

    /// Accepts a token that was refused: reads on with the query that it was issued for, or from
    /// the beginning.
    fn excuse<T>(
        &self,
        page: Result<T>,
        token: &Token,
        read: impl Fn(Option<&EventQuery>) -> Result<T>,
    ) -> Result<T> {
        let error = match page {
            Err(error) if error.kind() == ErrorKind::InvalidToken => error,
            page => return page,
        };
        match self.fault {
            Fault::AcceptsAnyToken => {
                let first = self.notes.tokens.lock().unwrap().get(token).cloned();
                read(first.as_ref()).or_else(|_| read(None))
            }
            Fault::TellsWhyATokenIsRefused => Err(error.with_context("the code does not fit")),
            _ => Err(error),
        }
    }
}
