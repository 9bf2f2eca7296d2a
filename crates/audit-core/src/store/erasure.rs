//! Erasure: which personal data to erase, and the event that records it.

use std::fmt;

use crate::limits::{self, MAX_BATCH_EVENTS};
use crate::{
    Action, AuditContext, AuditEvent, Error, EventId, Filter, Message, NewEvent, Result, Sequence,
    Target, Violation,
};

/// The events of a log whose personal data is to be erased.
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
    /// The events that match a filter: of an actor, of a target, of a time.
    Matching(Box<Filter>),
    /// The events with these ids, at most [`MAX_BATCH_EVENTS`].
    Events(Vec<EventId>),
}

/// The result of an erasure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// The number of events whose personal data was erased.
    pub events: u64,
    /// The events whose stored bytes are damaged, so that it cannot be known whether they were to be
    /// erased. Their personal data remains as it is.
    pub damaged: Vec<DamagedEvent>,
}

/// An event that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamagedEvent {
    /// The event with this number.
    Sequence(Sequence),
    /// The event with this id.
    Id(EventId),
}

impl fmt::Display for DamagedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => write!(f, "event {sequence}"),
            Self::Id(id) => write!(f, "the event with the id {id}"),
        }
    }
}

/// The target type of the event of an erasure; the id is the number of events.
const ERASED_EVENTS: &str = "erased_events";

impl Erasure {
    /// Selects the events that match `filter`.
    pub fn matching(filter: Filter) -> Self {
        Self::Matching(Box::new(filter))
    }

    /// Selects one event.
    pub fn event_id(id: EventId) -> Self {
        Self::Events(vec![id])
    }

    /// Checks the limits. A filter without a condition would select the whole log and is an error.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Matching(filter) if **filter == Filter::new() => {
                Err(Error::invalid("filter", Violation::Empty))
            }
            Self::Matching(filter) => filter.validate(),
            Self::Events(ids) => limits::count("ids", ids.len(), MAX_BATCH_EVENTS),
        }
    }

    /// Returns the event that records an erasure: how many events, by whom and why, but not whose
    /// data. The number is part of the record, so it cannot be erased. Used by stores.
    pub fn event(events: u64, by: AuditContext) -> Result<NewEvent> {
        let event = NewEvent {
            message: Message {
                title: Some("Personal data erased".to_owned()),
                text: Some(format!("The personal data of {events} events was erased")),
                key: Some("LogErased".to_owned()),
                params: None,
            },
            ..by.event(Action::LOG_ERASED)
        }
        .add_target(Target::new(ERASED_EVENTS, events.to_string()));
        event.validate()?;
        Ok(event)
    }

    /// Returns the number of events that `event` records as erased; zero if it does not record an
    /// erasure.
    pub fn erased_count(event: &AuditEvent) -> u64 {
        let of_erasure = |target: &&Target| target.kind.as_deref() == Some(ERASED_EVENTS);
        let targets = event.targets.iter().filter(|_| event.action == Action::LOG_ERASED);
        let counts = targets.filter(of_erasure).filter_map(|target| target.id.as_deref());
        counts.filter_map(|number| number.parse::<u64>().ok()).fold(0, u64::saturating_add)
    }
}
