//! The cases of followers can fail: each notices a broken store, and passes on a sound one.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "../../audit-core/examples/list_store.rs"]
#[allow(dead_code)] // it has a `main` of its own
mod list_store;

#[path = "support/faults.rs"]
mod faults;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;

use async_trait::async_trait;
use audit_conformance::{FollowerHarness, Harness};
use audit_core::backend::delegate;
use audit_core::{
    Actor, AuditStore, Error, ErrorKind, FollowerStore, Log, NewEvent, Result, limits,
};
use list_store::ListStore;

/// The one thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    KeepsTheFirst,
    RemovesNothing,
    HandlesAreApart,
    IgnoresBefore,
    ReplacesWhatIsAbsent,
    ConflictsRemove,
    NamesInAnyCase,
    LogsShareAState,
    RecordsAnEvent,
    ListsOthers,
    ListsInNoOrder,
    ListsTheFirstAgain,
    IgnoresTheLimit,
    TakesAnyName,
    TakesAnyState,
    ComparesBeforeItLocks,
    ForgetsOnReopen,
}

const EXPECTED: &[(Fault, &[&str])] = &[
    (Fault::KeepsTheFirst, &["followers::keep_their_states", "followers::survive_a_reopen"]),
    (Fault::RemovesNothing, &["followers::keep_their_states", "followers::survive_a_reopen"]),
    (Fault::HandlesAreApart, &["followers::keep_their_states"]),
    (Fault::IgnoresBefore, &["followers::replace_only_what_they_expect"]),
    (Fault::ReplacesWhatIsAbsent, &["followers::replace_only_what_they_expect"]),
    (Fault::ConflictsRemove, &["followers::replace_only_what_they_expect"]),
    (Fault::NamesInAnyCase, &["followers::of_other_names_and_logs_are_apart"]),
    (Fault::LogsShareAState, &["followers::of_other_names_and_logs_are_apart"]),
    (Fault::RecordsAnEvent, &["followers::change_no_log"]),
    (Fault::ListsOthers, &["followers::are_listed_by_pages"]),
    (Fault::ListsInNoOrder, &["followers::are_listed_by_pages"]),
    (Fault::ListsTheFirstAgain, &["followers::are_listed_by_pages"]),
    (Fault::IgnoresTheLimit, &["followers::are_listed_by_pages"]),
    (Fault::TakesAnyName, &["followers::beyond_a_limit_are_refused_by_field"]),
    (Fault::TakesAnyState, &["followers::beyond_a_limit_are_refused_by_field"]),
    (Fault::ComparesBeforeItLocks, &["followers::at_once_have_one_winner"]),
    (Fault::ForgetsOnReopen, &["followers::survive_a_reopen"]),
];

#[test]
fn each_case_notices_its_faults_and_passes_without() {
    faults::check::<dyn FollowerHarness, _>(EXPECTED, Fault::Nothing, |fault| {
        Box::new(Followers::new(fault))
    });
}

type States = BTreeMap<(String, Log), String>;

/// A harness of a sound store, broken in one way.
struct Followers {
    fault: Fault,
    store: ListStore,
    states: Arc<Mutex<States>>,
    handles: Mutex<Weak<()>>,
}

impl Followers {
    fn new(fault: Fault) -> Self {
        let store = ListStore::new().unwrap();
        Self { fault, store, states: Arc::default(), handles: Mutex::default() }
    }

    fn handle(&self) -> Arc<Handle> {
        let mut handles = self.handles.lock().unwrap();
        let open = handles.upgrade().unwrap_or_else(|| {
            if self.fault == Fault::ForgetsOnReopen {
                self.states.lock().unwrap().clear();
            }
            Arc::default()
        });
        *handles = Arc::downgrade(&open);
        let states = match self.fault {
            Fault::HandlesAreApart => Arc::default(),
            _ => Arc::clone(&self.states),
        };
        Arc::new(Handle { fault: self.fault, store: self.store.clone(), states, _open: open })
    }
}

impl Harness for Followers {
    fn open(&self) -> Arc<dyn AuditStore> {
        self.handle()
    }
}

impl FollowerHarness for Followers {
    fn open_followers(&self) -> Arc<dyn FollowerStore> {
        self.handle()
    }
}

#[derive(Debug)]
struct Handle {
    fault: Fault,
    store: ListStore,
    states: Arc<Mutex<States>>,
    _open: Arc<()>,
}

impl Handle {
    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap()
    }

    fn key(&self, follower: &str, log: Log) -> (String, Log) {
        match self.fault {
            Fault::NamesInAnyCase => (follower.to_lowercase(), log),
            Fault::LogsShareAState => (follower.to_owned(), Log::Platform),
            _ => (follower.to_owned(), log),
        }
    }

    fn check(&self, follower: &str, states: [Option<&str>; 2]) -> Result<()> {
        match self.fault {
            Fault::TakesAnyName => limits::follower("f", states),
            Fault::TakesAnyState => limits::follower(follower, []),
            _ => limits::follower(follower, states),
        }
    }
}

#[async_trait]
impl AuditStore for Handle {
    delegate!(store: token_keys, append, get, head, logs, scan);
    delegate!(store: wait_for_append, frontier, nodes, entries);
}

#[async_trait]
impl FollowerStore for Handle {
    async fn follower_state(&self, follower: &str, log: Log) -> Result<Option<String>> {
        self.check(follower, [None, None])?;
        Ok(self.states().get(&self.key(follower, log)).cloned())
    }

    async fn follower_states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        self.check(follower, [None, None])?;
        if self.fault != Fault::IgnoresTheLimit {
            limits::logs_page(limit)?;
        }
        let after = after.filter(|_| self.fault != Fault::ListsTheFirstAgain);
        let states = self.states();
        let states = states.iter().filter(|((name, log), _)| {
            (name == follower || self.fault == Fault::ListsOthers)
                && after.is_none_or(|after| *log > after)
        });
        let states = states.map(|((_, log), state)| (*log, state.clone()));
        if self.fault == Fault::ListsInNoOrder {
            return Ok(states.collect::<Vec<_>>().into_iter().rev().take(limit).collect());
        }
        Ok(states.take(limit).collect())
    }

    async fn replace_follower_state(
        &self,
        follower: &str,
        log: Log,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<()> {
        self.check(follower, [before.as_deref(), after.as_deref()])?;
        let key = self.key(follower, log);
        if self.fault == Fault::RecordsAnEvent {
            self.store.append(log, vec![NewEvent::new("moved", Actor::system())]).await?;
        }
        let mut states = self.states();
        let is_expected = match self.fault {
            Fault::IgnoresBefore => true,
            Fault::ReplacesWhatIsAbsent => {
                states.get(&key).is_none_or(|s| Some(s) == before.as_ref())
            }
            _ => states.get(&key) == before.as_ref(),
        };
        if !is_expected {
            if self.fault == Fault::ConflictsRemove {
                states.remove(&key);
            }
            return Err(Error::new(ErrorKind::Conflict));
        }
        if self.fault == Fault::ComparesBeforeItLocks {
            drop(states);
            thread::sleep(std::time::Duration::from_millis(2));
            states = self.states();
        }
        match after {
            Some(_) if self.fault == Fault::KeepsTheFirst && states.contains_key(&key) => {}
            Some(state) => drop(states.insert(key, state)),
            None if self.fault == Fault::RemovesNothing => {}
            None => drop(states.remove(&key)),
        }
        Ok(())
    }
}
