//! Where the events of a service's tests and its catalogue differ.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use audit_catalogue::Catalogue;
use audit_core::{
    ActionDefinition, AuditStore, AuditStoreExt as _, EventQuery, Log, Order, Result,
    limits::MAX_LOGS_PAGE,
};
use futures_executor::{block_on, block_on_stream};

use crate::fail;

/// Where the events of a service's tests and its catalogue differ: events of actions that are not in the
/// catalogue, events that state something else than it says, and actions that no test records.
///
/// [`assert_no_drift`] is enough if all tests use one store.
#[derive(Clone, Debug)]
pub struct Drift {
    catalogue: Catalogue,
    /// How many events of an action there are.
    recorded: BTreeMap<String, u64>,
    /// The first event with each fault, and how many have it.
    faults: BTreeMap<(String, String), (String, u64)>,
}

impl Drift {
    /// Returns the drift from `catalogue` before any event is read.
    pub fn from(catalogue: &Catalogue) -> Self {
        let catalogue = catalogue.clone();
        Self { catalogue, recorded: BTreeMap::new(), faults: BTreeMap::new() }
    }

    /// Reads the events of all logs of `store`, but for those that the store itself recorded.
    ///
    /// # Panics
    /// If they cannot be read.
    #[track_caller]
    #[must_use]
    pub fn with(mut self, store: &(impl AuditStore + ?Sized)) -> Self {
        if let Err(error) = self.read(store) {
            fail(&format!("the events cannot be compared with the catalogue: {error}"));
        }
        self
    }

    /// Checks that there is no difference.
    ///
    /// # Panics
    /// If there is one. The message lists all.
    #[track_caller]
    pub fn assert_none(&self) {
        let differences = self.to_string();
        if !differences.is_empty() {
            fail(&format!("the events of the tests and the catalogue differ\n{differences}"));
        }
    }

    fn read(&mut self, store: &(impl AuditStore + ?Sized)) -> Result<()> {
        let mut after = None;
        loop {
            let logs = block_on(store.logs(after, MAX_LOGS_PAGE))?;
            let Some(last) = logs.last().copied() else { return Ok(()) };
            for log in logs {
                self.read_log(store, log)?;
            }
            after = Some(last);
        }
    }

    fn read_log(&mut self, store: &(impl AuditStore + ?Sized), log: Log) -> Result<()> {
        for event in block_on_stream(store.walk(EventQuery::new(log).order(Order::Sequence))) {
            let event = event?;
            if event.by_store || event.action.is_reserved() {
                continue;
            }
            let at = format!("#{} in the log {log}", event.sequence);
            let content = event.into_content();
            let action = Catalogue::action_of(&content);
            if let Err(error) = self.catalogue.check(&content) {
                let fault = (action.to_string(), error.to_string());
                self.faults.entry(fault).or_insert((at, 0)).1 += 1;
            }
            *self.recorded.entry(action.into()).or_default() += 1;
        }
        Ok(())
    }
}

impl fmt::Display for Drift {
    /// Writes the differences, one a line. Writes nothing without a difference.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = String::new();
        // Writing to a text does not fail.
        for ((action, fault), (at, count)) in &self.faults {
            let _ = writeln!(lines, "  {action}: {fault} ({count} events, the first is {at})");
        }
        let mut names: Vec<_> = self.catalogue.definitions().map(ActionDefinition::name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| !self.recorded.contains_key(*name)) {
            let _ = writeln!(lines, "  {name}: is in the catalogue, and no test records it");
        }
        for name in self.catalogue.duplicates() {
            let _ = writeln!(lines, "  {name}: is in the catalogue twice");
        }
        f.write_str(&lines)
    }
}

/// Checks that the events of all logs of `store` are as `catalogue` says, and that there is an event of
/// each of its actions: the last line of a test that calls a whole service.
///
/// # Panics
/// If not. The message lists all differences.
#[track_caller]
pub fn assert_no_drift(store: &(impl AuditStore + ?Sized), catalogue: &Catalogue) {
    Drift::from(catalogue).with(store).assert_none();
}
