//! Expectations about a log.

use std::fmt::{self, Write as _};

use audit_core::{
    AuditEvent, AuditStore, AuditStoreExt as _, EventQuery, Facet, Filter, Log, Order, Page, Result,
};
use futures_executor::block_on;

use crate::fail;

/// The events that a failure shows, at most.
const SHOWN: usize = 20;

/// The conditions of [`assert_audited`](crate::assert_audited).
#[derive(Clone, Debug, Default)]
#[must_use = "an expectation is not checked by itself"]
pub struct Expectation {
    filter: Filter,
    conditions: Vec<String>,
    count: Option<u64>,
}

impl Expectation {
    /// Expects any event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects the action.
    pub fn action(self, action: impl AsRef<str>) -> Self {
        let action = action.as_ref();
        self.with(format!("action = {action:?}"), |filter| filter.action(action))
    }

    /// Expects an actor of this id.
    pub fn actor(self, id: impl AsRef<str>) -> Self {
        let id = id.as_ref();
        self.with(format!("actor = {id:?}"), |filter| filter.with(Facet::ActorId, id))
    }

    /// Expects a target of this type and id.
    pub fn target(self, (kind, id): (impl AsRef<str>, impl AsRef<str>)) -> Self {
        let (kind, id) = (kind.as_ref(), id.as_ref());
        self.with(format!("target = ({kind:?}, {id:?})"), |filter| filter.target(kind, id))
    }

    /// Expects a result: `success`, `failure`, `denied`, `unknown`.
    pub fn outcome(self, result: impl AsRef<str>) -> Self {
        let result = result.as_ref();
        self.with(format!("outcome = {result:?}"), |filter| filter.with(Facet::Outcome, result))
    }

    /// Expects an attribute.
    pub fn attribute(self, (key, value): (impl AsRef<str>, impl AsRef<str>)) -> Self {
        let (key, value) = (key.as_ref(), value.as_ref());
        let condition = format!("attribute = ({key:?}, {value:?})");
        self.with(condition, |filter| filter.attribute(key, value))
    }

    /// Expects exactly this number of events.
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    fn with(mut self, condition: String, add: impl FnOnce(Filter) -> Filter) -> Self {
        self.conditions.push(condition);
        self.filter = add(self.filter);
        self
    }

    /// Returns the last event of `log` that meets the conditions.
    ///
    /// # Panics
    /// If no event does, or another number of events than [`count`](Self::count) says.
    #[track_caller]
    pub fn check(&self, store: &(impl AuditStore + ?Sized), log: impl Into<Log>) -> AuditEvent {
        let log = log.into();
        let (found, total) = self.find(store, log);
        match (self.count, found) {
            (None, Some(event)) => event,
            (Some(count), Some(event)) if count == total => event,
            (count, _) => {
                let expected = count.map_or("an event".to_owned(), |n| format!("{n} events"));
                self.fail(store, log, &format!("expected {expected}, found {total}"))
            }
        }
    }

    /// Checks that `log` has no event that meets the conditions.
    ///
    /// # Panics
    /// If there is one.
    #[track_caller]
    pub fn check_none(&self, store: &(impl AuditStore + ?Sized), log: impl Into<Log>) {
        let log = log.into();
        let (_, total) = self.find(store, log);
        if total > 0 {
            self.fail(store, log, &format!("expected no event, found {total}"))
        }
    }

    #[track_caller]
    fn find(&self, store: &(impl AuditStore + ?Sized), log: Log) -> (Option<AuditEvent>, u64) {
        let query = EventQuery::new(log).filter(self.filter.clone()).with_total();
        let page = read(store, &query.order(Order::SequenceReversed).limit(1));
        match page {
            Ok(page) => (page.events.into_iter().next(), page.total.unwrap_or_default()),
            Err(error) => fail(&format!("the log cannot be read: {error}")),
        }
    }

    #[track_caller]
    fn fail(&self, store: &(impl AuditStore + ?Sized), log: Log, what: &str) -> ! {
        let query = EventQuery::new(log).order(Order::SequenceReversed).limit(SHOWN).with_total();
        let conditions = self.conditions.join(", ");
        let mut message = format!("{what} in the log {log} with {conditions}\n");
        match read(store, &query) {
            Ok(page) if page.events.is_empty() => message.push_str("the log is empty"),
            Ok(page) => {
                let total = page.total.unwrap_or_default();
                // Writing to a text does not fail.
                let _ = writeln!(message, "the log has {total} events, the latest first:");
                for event in &page.events {
                    let _ = writeln!(message, "  {}", Line(event));
                }
            }
            Err(error) => {
                let _ = write!(message, "the log cannot be read: {error}");
            }
        }
        fail(&message)
    }
}

fn read(store: &(impl AuditStore + ?Sized), query: &EventQuery) -> Result<Page> {
    block_on(store.page(query))
}

/// An event in one line.
struct Line<'a>(&'a AuditEvent);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(event) = self;
        let actor = event.actor.id.as_deref().unwrap_or_default();
        write!(f, "#{} {} by {} {actor:?}", event.sequence, event.action, event.actor.kind)?;
        for target in &event.targets {
            let [kind, id] = [&target.kind, &target.id].map(|part| part.as_deref().unwrap_or("?"));
            write!(f, " on ({kind:?}, {id:?})")?;
        }
        if let Some(outcome) = &event.outcome {
            write!(f, ", {}", outcome.result)?;
        }
        for (key, value) in event.attributes.iter() {
            write!(f, ", {key}={value:?}")?;
        }
        Ok(())
    }
}
