//! The states of followers.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use audit_core::{Error, ErrorKind, Log, Result, limits};

use crate::store::{MemoryStore, read, write};

/// The state of each follower for each log.
pub(crate) type Followers = HashMap<String, BTreeMap<Log, String>>;

impl MemoryStore {
    pub(crate) fn state_of(&self, follower: &str, log: Log) -> Result<Option<String>> {
        limits::follower(follower, [])?;
        let followers = read(&self.shared.followers);
        Ok(followers.get(follower).and_then(|states| states.get(&log)).cloned())
    }

    pub(crate) fn list_states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        limits::follower(follower, [])?;
        limits::logs_page(limit)?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let followers = read(&self.shared.followers);
        let states = followers.get(follower).into_iter();
        let states = states.flat_map(|states| states.range((start, Bound::Unbounded)));
        Ok(states.take(limit).map(|(log, state)| (*log, state.clone())).collect())
    }

    pub(crate) fn replace_state(
        &self,
        follower: &str,
        log: Log,
        before: Option<&str>,
        after: Option<String>,
    ) -> Result<()> {
        limits::follower(follower, [before, after.as_deref()])?;
        let mut followers = write(&self.shared.followers);
        let states = followers.entry(follower.to_owned()).or_default();
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
