//! Turns: the right to read, which owners get one after the other.
//!
//! A read holds a connection until it ends, and a long one can be asked for many times at once. So one
//! owner gets at most as many turns as it leaves to others, and what waits is served owner by owner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit_core::backend::{Owner, Rotation};
use tokio::sync::oneshot;

/// A number of turns.
#[derive(Debug)]
pub(crate) struct Turns {
    total: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    by_owner: HashMap<Owner, usize>,
    waiting: Rotation<oneshot::Sender<Turn>>,
}

/// The right to use one of the connections, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    owner: Owner,
}

impl Turns {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, state: Mutex::default() }
    }

    /// Asks for a turn, which is given if the returned value is not dropped before.
    pub(crate) fn ask(self: &Arc<Self>, owner: Owner) -> oneshot::Receiver<Turn> {
        let (grant, granted) = oneshot::channel();
        self.state().waiting.push(owner, grant);
        self.deal();
        granted
    }

    /// Gives the free turns to those that wait.
    fn deal(self: &Arc<Self>) {
        loop {
            let Some((owner, grant)) = self.state().next(self.total) else { return };
            // If it has left meanwhile, the turn comes back.
            let _ = grant.send(Turn { turns: Arc::clone(self), owner });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a turn for the next that can have one.
    fn next(&mut self, total: usize) -> Option<(Owner, oneshot::Sender<Turn>)> {
        loop {
            let left = total.checked_sub(self.taken + 1)?;
            let by_owner = &self.by_owner;
            let (owner, grant) = self.waiting.take(|owner, grant| {
                let held = by_owner.get(&owner).copied().unwrap_or_default();
                held == 0 || held < left || grant.is_closed()
            })?;
            if !grant.is_closed() {
                *self.by_owner.entry(owner).or_default() += 1;
                self.taken += 1;
                return Some((owner, grant));
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.taken -= 1;
        if let Some(held) = state.by_owner.get_mut(&self.owner) {
            *held -= 1;
            if *held == 0 {
                state.by_owner.remove(&self.owner);
            }
        }
        drop(state);
        self.turns.deal();
    }
}

#[cfg(test)]
mod tests {
    use audit_core::{Log, OrganizationId};

    use super::*;

    fn owner() -> Owner {
        Owner::Log(Log::organization(OrganizationId::new()))
    }

    /// Asks for as many turns for `owner`.
    fn ask(turns: &Arc<Turns>, owner: Owner, count: usize) -> Vec<oneshot::Receiver<Turn>> {
        (0..count).map(|_| turns.ask(owner)).collect()
    }

    fn given(asked: &mut Vec<oneshot::Receiver<Turn>>) -> Vec<Turn> {
        let given: Vec<_> = asked.iter_mut().map_while(|asked| asked.try_recv().ok()).collect();
        asked.drain(..given.len());
        given
    }

    #[test]
    fn one_owner_leaves_turns_to_others_and_all_are_served() {
        let turns = Arc::new(Turns::new(8));
        let (busy, quiet) = (owner(), owner());
        let mut of_busy = ask(&turns, busy, 20);
        let held = given(&mut of_busy);
        assert_eq!(held.len(), 4);
        let mut of_quiet = ask(&turns, quiet, 1);
        assert_eq!(given(&mut of_quiet).len(), 1, "a turn is left for another owner");
        drop(held);
        let mut served = 4;
        while !of_busy.is_empty() {
            let given = given(&mut of_busy);
            assert!(!given.is_empty());
            served += given.len();
        }
        assert_eq!(served, 20);
        let state = turns.state();
        assert_eq!((state.taken, state.by_owner.len()), (0, 0), "turns are given back");
    }

    #[test]
    fn what_waits_is_served_owner_by_owner_and_not_if_it_has_left() {
        let turns = Arc::new(Turns::new(1));
        let (busy, quiet) = (owner(), owner());
        let mut of_busy = ask(&turns, busy, 3);
        let first = given(&mut of_busy);
        let mut of_quiet = ask(&turns, quiet, 2);
        drop(of_quiet.remove(0));
        drop(of_busy.remove(0));
        drop(first);
        let second = given(&mut of_busy);
        assert_eq!((second.len(), given(&mut of_quiet).len()), (1, 0));
        drop(second);
        assert_eq!(given(&mut of_quiet).len(), 1);
    }
}
