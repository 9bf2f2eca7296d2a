//! The states of followers.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use audit_core::{Error, ErrorKind, Log, Result, limits};

/// The state of each follower for each log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followers(HashMap<String, BTreeMap<Log, String>>);

impl Followers {
    /// Returns the state of a follower for a log.
    pub(crate) fn state(&self, follower: &str, log: Log) -> Result<Option<String>> {
        limits::follower(follower, [])?;
        Ok(self.0.get(follower).and_then(|states| states.get(&log)).cloned())
    }

    /// Returns the states of a follower for the logs after `after`, at most `limit`.
    pub(crate) fn states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        limits::follower(follower, [])?;
        limits::logs_page(limit)?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let states = self.0.get(follower).into_iter();
        let states = states.flat_map(|states| states.range((start, Bound::Unbounded)));
        Ok(states.take(limit).map(|(log, state)| (*log, state.clone())).collect())
    }

    /// Replaces the state `before` by `after`.
    pub(crate) fn replace(
        &mut self,
        follower: &str,
        log: Log,
        before: Option<&str>,
        after: Option<String>,
    ) -> Result<()> {
        limits::follower(follower, [before, after.as_deref()])?;
        let states = self.0.entry(follower.to_owned()).or_default();
        if states.get(&log).map(String::as_str) != before {
            return Err(Error::new(ErrorKind::Conflict).with_field("state"));
        }
        match after {
            Some(state) => states.insert(log, state),
            None => states.remove(&log),
        };
        Ok(())
    }
}
