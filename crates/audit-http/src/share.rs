//! The capacity that all organizations share: places and memory, distributed so that no organization takes all.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit_core::OrganizationId;
use tokio::sync::oneshot;

/// The organization for which a request counts: that of its caller. Callers without one count
/// together.
pub(crate) type Tenant = Option<OrganizationId>;

/// The part of a pool that one organization may hold, in percent: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(u8);

impl Share {
    /// Returns the share nearest to `percent`.
    pub(crate) fn of(percent: u8) -> Self {
        Self(percent.clamp(1, 100))
    }

    /// Returns the most that an organization may hold while `free` is left for all.
    fn beside(self, free: usize) -> usize {
        let share = usize::from(self.0);
        match 100 - share {
            0 => usize::MAX,
            rest => free.saturating_mul(share) / rest,
        }
    }
}

/// An amount that organizations share, such as places or bytes.
///
/// An organization may take more as long as it then holds no more than its share of what it and the
/// free rest are together. So one alone takes its share of the whole, several take less each, and a
/// part is always left for one that comes later (the dynamic thresholds of Choudhury and Hahne).
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    total: usize,
    share: Share,
    /// The amount that any organization may hold, whatever its share, while it is free.
    least: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    by_tenant: HashMap<Tenant, usize>,
    /// Those that wait, in the order in which they came. None of them could be served when the state
    /// was last changed.
    waiting: VecDeque<Waiter>,
}

/// One that waits for an amount.
#[derive(Debug)]
struct Waiter {
    tenant: Tenant,
    amount: usize,
    grant: oneshot::Sender<Taken>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.state().taken;
        f.debug_struct("Pool").field("total", &self.0.total).field("taken", &taken).finish()
    }
}

impl Pool {
    /// Creates a pool of `total`. Any organization may hold `least` of it while so much is free.
    pub(crate) fn new(total: usize, share: Share, least: usize) -> Self {
        Self(Arc::new(Shared { total, share, least, state: Mutex::default() }))
    }

    /// Takes `amount` for `tenant`, or nothing if that is not free for it.
    pub(crate) fn try_take(&self, tenant: Tenant, amount: usize) -> Option<Taken> {
        let mut taken = Taken { pool: self.clone(), tenant, amount: 0 };
        taken.try_grow(amount).then_some(taken)
    }

    /// Waits until `amount` is free for `tenant`, and takes it.
    pub(crate) async fn take(&self, tenant: Tenant, amount: usize) -> Taken {
        let mut taken = Taken { pool: self.clone(), tenant, amount: 0 };
        taken.grow(amount).await;
        taken
    }

    /// Returns `true` if nothing is free, for whatever organization.
    pub(crate) fn is_full(&self) -> bool {
        self.state().taken >= self.0.total
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_free(&self, state: &State, tenant: Tenant, amount: usize) -> bool {
        let Some(free) = self.0.total.checked_sub(state.taken.saturating_add(amount)) else {
            return false;
        };
        let held = state.by_tenant.get(&tenant).copied().unwrap_or_default();
        held == 0 || held + amount <= self.0.share.beside(free).max(self.0.least)
    }

    /// Takes `amount` for `tenant` if it is free for it.
    fn claim(&self, state: &mut State, tenant: Tenant, amount: usize) -> bool {
        let is_free = self.is_free(state, tenant, amount);
        if is_free {
            add(state, tenant, amount);
        }
        is_free
    }

    /// Takes for each that waits what is free for it now, and forgets those that no longer wait.
    /// Returns what to send once the state is unlocked.
    fn serve(&self, state: &mut State) -> Vec<(oneshot::Sender<Taken>, Taken)> {
        let mut served = Vec::new();
        let mut refused = None;
        let mut at = 0;
        while let Some(&Waiter { tenant, amount, ref grant }) = state.waiting.get(at) {
            let has_left = grant.is_closed();
            // Most that wait together wait for the same.
            if !has_left
                && (refused == Some((tenant, amount)) || !self.claim(state, tenant, amount))
            {
                refused = Some((tenant, amount));
                at += 1;
            } else if let Some(Waiter { grant, .. }) = state.waiting.remove(at)
                && !has_left
            {
                served.push((grant, Taken { pool: self.clone(), tenant, amount }));
            }
        }
        served
    }
}

/// A part of a [`Pool`] that is held until this value is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    pool: Pool,
    tenant: Tenant,
    amount: usize,
}

impl Taken {
    /// Returns how much is held.
    pub(crate) fn amount(&self) -> usize {
        self.amount
    }

    /// Takes `more`, or nothing if that is not free for the organization.
    pub(crate) fn try_grow(&mut self, more: usize) -> bool {
        let is_free = self.pool.claim(&mut self.pool.state(), self.tenant, more);
        if is_free {
            self.amount += more;
        }
        is_free
    }

    /// Waits until `more` is free for the organization, and takes it. What becomes free goes to those
    /// that wait for it, in the order in which they came, and wakes no others.
    pub(crate) async fn grow(&mut self, more: usize) {
        let granted = {
            let mut state = self.pool.state();
            if self.pool.claim(&mut state, self.tenant, more) {
                self.amount += more;
                return;
            }
            let (grant, granted) = oneshot::channel();
            state.waiting.push_back(Waiter { tenant: self.tenant, amount: more, grant });
            granted
        };
        // Fails only if the pool is dropped, and this value has a handle of it.
        if let Ok(mut granted) = granted.await {
            self.amount += std::mem::take(&mut granted.amount);
        }
    }

    /// Sets what is held to `amount`, which exists already, even if it is more than is free. What
    /// others take then waits for it.
    pub(crate) fn settle(&mut self, amount: usize) {
        if amount > self.amount {
            add(&mut self.pool.state(), self.tenant, amount - self.amount);
        } else {
            self.give_back(self.amount - amount);
        }
        self.amount = amount;
    }

    fn give_back(&self, amount: usize) {
        if amount == 0 {
            return;
        }
        let mut state = self.pool.state();
        state.taken -= amount;
        if let Some(held) = state.by_tenant.get_mut(&self.tenant) {
            *held -= amount;
            if *held == 0 {
                state.by_tenant.remove(&self.tenant);
            }
        }
        let served = self.pool.serve(&mut state);
        drop(state);
        for (grant, taken) in served {
            // If it has left meanwhile, dropping what it got serves the next one.
            let _ = grant.send(taken);
        }
    }
}

fn add(state: &mut State, tenant: Tenant, amount: usize) {
    if amount > 0 {
        state.taken += amount;
        *state.by_tenant.entry(tenant).or_default() += amount;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.give_back(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;

    fn tenants() -> [Tenant; 3] {
        [Some(OrganizationId::new()), Some(OrganizationId::new()), None]
    }

    /// Takes one at a time until no more is free for `tenant`.
    fn take_all(pool: &Pool, tenant: Tenant) -> Vec<Taken> {
        std::iter::from_fn(|| pool.try_take(tenant, 1)).collect()
    }

    #[test]
    fn one_organization_takes_its_share_and_each_later_one_finds_some_left() {
        let pool = Pool::new(256, Share::of(50), 0);
        let [a, b, c] = tenants();
        let first = take_all(&pool, a);
        let second = take_all(&pool, b);
        let third = take_all(&pool, c);
        assert_eq!((first.len(), second.len(), third.len()), (128, 64, 32));
        assert!(!pool.is_full());
        drop(first);
        assert_eq!(take_all(&pool, c).len() + third.len(), (256 - 64) / 2);
        drop((second, third));
        assert_eq!(
            pool.state().by_tenant.len(),
            0,
            "organizations that hold nothing are forgotten"
        );
        assert_eq!(take_all(&Pool::new(100, Share::of(75), 0), a).len(), 75);
        assert_eq!(take_all(&Pool::new(100, Share::of(100), 0), a).len(), 100);
    }

    #[test]
    fn who_holds_nothing_gets_the_last_one_and_the_least_is_for_everyone() {
        let [a, b, _] = tenants();
        let pool = Pool::new(1, Share::of(50), 0);
        let only = pool.try_take(a, 1);
        assert!(only.is_some() && pool.is_full());
        assert!(pool.try_take(b, 1).is_none());
        let pool = Pool::new(100, Share::of(50), 30);
        let first = take_all(&pool, a);
        assert_eq!((first.len(), take_all(&pool, b).len()), (50, 30));
    }

    #[test]
    fn what_exists_already_is_counted_beyond_the_total() {
        let [a, b, _] = tenants();
        let pool = Pool::new(10, Share::of(50), 0);
        let mut taken = pool.try_take(a, 1).unwrap();
        taken.settle(25);
        assert!(pool.is_full() && pool.try_take(b, 1).is_none());
        taken.settle(2);
        assert_eq!(take_all(&pool, b).len(), 4);
        drop(taken);
        assert_eq!(pool.state().taken, 0);
    }

    #[tokio::test]
    async fn what_is_freed_goes_to_those_who_wait() {
        let [a, b, _] = tenants();
        let pool = Pool::new(2, Share::of(100), 0);
        let held = [pool.try_take(a, 1), pool.try_take(a, 1)];
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.take(b, 2).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap().amount, 2);
    }

    /// Counts how often a future is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_freed_wakes_only_the_first_that_it_serves() {
        let [a, b, _] = tenants();
        let pool = Pool::new(4, Share::of(50), 0);
        let mut held = take_all(&pool, a);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(pool.take(a, 1))).collect();
        let mut context = Context::from_waker(&waker);
        assert!(waiting.iter_mut().all(|wait| wait.as_mut().poll(&mut context).is_pending()));
        // The first leaves before it is served, the second after.
        drop(waiting.remove(0));
        held.pop();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        drop(waiting.remove(0));
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        let Poll::Ready(third) = waiting[0].as_mut().poll(&mut context) else {
            panic!("it was not served in order")
        };
        assert!(waiting[1].as_mut().poll(&mut context).is_pending());
        assert_eq!(take_all(&pool, b).len(), 1);
        drop((third, held, waiting));
        assert_eq!(take_all(&pool, a).len(), 2);
    }
}
