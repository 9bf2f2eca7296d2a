//! Erasure: what a person may ask to be forgotten.

use crate::limits::{self, MAX_BATCH_EVENTS};
use crate::{
    Action, AuditContext, AuditEvent, Error, EventId, Filter, Message, NewEvent, Result, Target,
    Violation,
};

/// Which events of a log are to lose their personal part.
///
/// ```
/// use audit_core::{Erasure, Filter};
///
/// let of_ana = Erasure::matching(Filter::new().actor_id("u_7"));
/// assert!(of_ana.validate().is_ok());
/// assert!(Erasure::matching(Filter::new()).validate().is_err()); // that would be all
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Those that match: of an actor, of a target, of a time.
    Matching(Box<Filter>),
    /// Those of these ids, at most [`MAX_BATCH_EVENTS`].
    Events(Vec<EventId>),
}

/// What an erasure has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// The events that had a personal part, and have none any more.
    pub events: u64,
}

/// The target type of the event of an erasure; the id is the number of events.
const ERASED_EVENTS: &str = "erased_events";

impl Erasure {
    /// The erasure of the events that match `filter`.
    pub fn matching(filter: Filter) -> Self {
        Self::Matching(Box::new(filter))
    }

    /// The erasure of one event.
    pub fn event_id(id: EventId) -> Self {
        Self::Events(vec![id])
    }

    /// Checks the bounds. A filter without a condition would erase the whole log, and is refused.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Matching(filter) if **filter == Filter::new() => {
                Err(Error::invalid("filter", Violation::Empty))
            }
            Self::Matching(filter) => filter.validate(),
            Self::Events(ids) => limits::count("ids", ids.len(), MAX_BATCH_EVENTS),
        }
    }

    /// The event that tells of an erasure: how many events, by whom and why, not whose. The number
    /// stands in the record, so that it stays. For those who write a store.
    pub fn event(events: u64, by: AuditContext) -> Result<NewEvent> {
        let event = NewEvent {
            message: Message {
                title: Some("Personal data erased".to_owned()),
                text: Some(format!("The personal part of {events} events was erased")),
                key: Some("LogErased".to_owned()),
                params: None,
            },
            ..by.event(Action::LOG_ERASED)
        }
        .add_target(Target::new(ERASED_EVENTS, events.to_string()));
        event.validate()?;
        Ok(event)
    }

    /// How many events `event` says were erased; zero if it does not tell of an erasure.
    pub fn declared_by(event: &AuditEvent) -> u64 {
        let of_erasure = |target: &&Target| target.kind.as_deref() == Some(ERASED_EVENTS);
        let targets = event.targets.iter().filter(|_| event.action == Action::LOG_ERASED);
        let stated = targets.filter(of_erasure).filter_map(|target| target.id.as_deref());
        stated.filter_map(|number| number.parse::<u64>().ok()).fold(0, u64::saturating_add)
    }
}
