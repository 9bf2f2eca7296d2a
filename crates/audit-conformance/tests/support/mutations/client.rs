//! Mutations between the caller and the store.

use std::sync::Arc;

use async_trait::async_trait;
use audit_conformance::{Harness, Restore, RetentionHarness, TenantHarness};
use audit_core::{
    AuditStore, AuditStoreExt as _, Error, ErrorKind, EventQuery, FeedPage, FeedStart, Page,
    Result, RetentionStore, TenantStore, Token, limits::MAX_PAGE_EVENTS,
};

use super::{MutatedHarness, Mutation};

#[async_trait]
impl Harness for MutatedHarness {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(self.open_mutated())
    }

    fn copy(&self) -> Option<Restore> {
        let (store, copy) = (self.store.clone(), self.store.state().clone());
        Some(Box::new(move || *store.state() = copy))
    }

    async fn page(&self, store: &dyn AuditStore, query: &EventQuery) -> Result<Page> {
        let page = store.page(query).await?;
        self.note_page(&page, query);
        Ok(page)
    }

    async fn next_page(
        &self,
        store: &dyn AuditStore,
        query: &EventQuery,
        token: &Token,
    ) -> Result<Page> {
        let query = match self.mutation {
            Mutation::IgnoresTheNewPageSize => &query.clone().limit(MAX_PAGE_EVENTS),
            _ => query,
        };
        let mut page = store.next_page(query, token).await;
        if let (Mutation::TurnsBackToTheFirst, Ok(found)) = (self.mutation, &page)
            && found.previous.is_some()
            && self.is_previous(token)
        {
            page = store.page(query).await;
        }
        if self.accepts_though(&page) {
            if let Some(first) = self.query_of(token) {
                page = store.next_page(&first, token).await;
            }
            if page.is_err() {
                page = store.page(query).await;
            }
        }
        if let (Err(_), Some(first)) = (&page, self.taken_for(self.query_of(token), query)) {
            page = store.next_page(&first, token).await;
        }
        let page = self.explained(page)?;
        self.note_page(&page, query);
        Ok(page)
    }

    async fn feed(
        &self,
        store: &dyn AuditStore,
        query: &EventQuery,
        start: FeedStart,
    ) -> Result<FeedPage> {
        let page = store.feed(query, start).await?;
        self.note(&page.token, query);
        Ok(page)
    }

    async fn next_feed(
        &self,
        store: &dyn AuditStore,
        query: &EventQuery,
        token: &Token,
    ) -> Result<FeedPage> {
        let mut page = store.next_feed(query, token).await;
        if self.accepts_though(&page) {
            if let Some(first) = self.query_of(token) {
                page = store.next_feed(&first, token).await;
            }
            if page.is_err() {
                page = store.feed(query, FeedStart::Beginning).await;
            }
        }
        if let (Err(_), Some(first)) = (&page, self.taken_for(self.query_of(token), query)) {
            page = store.next_feed(&first, token).await;
        }
        let page = self.explained(page)?;
        self.note(&page.token, query);
        Ok(page)
    }
}

impl RetentionHarness for MutatedHarness {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        Arc::new(self.open_mutated())
    }
}

impl TenantHarness for MutatedHarness {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        Arc::new(self.open_mutated())
    }
}

impl MutatedHarness {
    fn note_page(&self, page: &Page, query: &EventQuery) {
        page.next.iter().chain(&page.previous).for_each(|token| self.note(token, query));
        self.notes.previous.lock().unwrap().extend(page.previous.clone());
    }

    /// Returns whether the token was issued as that of a previous page.
    fn is_previous(&self, token: &Token) -> bool {
        self.notes.previous.lock().unwrap().contains(token)
    }

    fn note(&self, token: &Token, query: &EventQuery) {
        self.notes.tokens.lock().unwrap().insert(token.clone(), query.clone());
    }

    /// Returns the query that `token` was issued for.
    fn query_of(&self, token: &Token) -> Option<EventQuery> {
        self.notes.tokens.lock().unwrap().get(token).cloned()
    }

    /// Returns `true` if a token that was refused is accepted all the same.
    fn accepts_though<T>(&self, page: &Result<T>) -> bool {
        let refused = page.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidToken);
        refused && matches!(self.mutation, Mutation::AcceptsAnyToken)
    }

    fn explained<T>(&self, page: Result<T>) -> Result<T> {
        page.map_err(|error| match self.mutation {
            Mutation::ExplainsTokenErrors if error.kind() == ErrorKind::InvalidToken => {
                error.with_context("the code does not fit")
            }
            Mutation::CallsOldTokensBehind if error.kind() == ErrorKind::HistoryChanged => {
                Error::new(ErrorKind::Behind)
            }
            _ => error,
        })
    }
}
