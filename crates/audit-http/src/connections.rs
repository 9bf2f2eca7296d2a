//! The open connections: how many there are of each address, and which of them is idle.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::serve_options::ServeOptions;

/// The open connections. When no more may be open, one that waits for a request is closed for a new
/// one: the one that has waited longest.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    per_address: usize,
    head_timeout: Duration,
    idle_timeout: Duration,
    state: Mutex<State>,
    /// Notified when a connection was looked at for the first time.
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Open>,
    /// The connections that wait for a request, by the order in which they began to.
    idle: BTreeMap<u64, u64>,
    of_address: HashMap<IpAddr, usize>,
    /// The requests of each client behind trusted proxies.
    of_client: HashMap<IpAddr, usize>,
    /// The number of connections at which nobody has looked yet.
    fresh: usize,
    next: u64,
}

#[derive(Debug)]
struct Open {
    /// The address for which it counts; `None` for a trusted proxy's.
    address: Option<IpAddr>,
    phase: Phase,
    changed: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nobody has looked yet whether its request has arrived.
    Fresh { since: Instant },
    /// Waits for the first byte of a request. With its place in the order of those that do.
    Idle { since: Instant, order: u64 },
    /// Waits for the rest of the head of a request.
    Head { since: Instant, order: u64 },
    /// Has a request under way.
    Busy,
}

/// An open connection, until this value is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    id: u64,
    changed: Arc<Notify>,
    connections: Connections,
}

/// A request that is under way on a connection, until this value is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Slot>);

/// A request of a client behind a proxy, until this value is dropped.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    client: IpAddr,
    connections: Connections,
}

impl Connections {
    pub(crate) fn new(options: &ServeOptions) -> Self {
        Self(Arc::new(Shared {
            most: options.connections,
            per_address: options.per_address,
            head_timeout: options.head_timeout,
            idle_timeout: options.idle_timeout,
            state: Mutex::default(),
            settled: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection of `address`, `None` for a trusted proxy's. Closes one that is idle if
    /// there are too many. Returns `None` if none is idle.
    pub(crate) async fn open(&self, address: Option<IpAddr>) -> Option<Slot> {
        loop {
            let settled = self.0.settled.notified();
            if let Some(slot) = self.try_open(address) {
                return Some(slot);
            }
            if self.state().fresh == 0 {
                return None;
            }
            // One of those that were just accepted may turn out to be idle.
            settled.await;
        }
    }

    fn try_open(&self, address: Option<IpAddr>) -> Option<Slot> {
        let address = address.map(network);
        let mut state = self.state();
        if let Some(address) = address {
            let count = state.of_address.get(&address).copied().unwrap_or_default();
            if count >= self.0.per_address
                && !state.close_idle(|open| open.address == Some(address))
            {
                return None;
            }
        }
        if state.open.len() >= self.0.most && !state.close_idle(|_| true) {
            return None;
        }
        if let Some(address) = address {
            *state.of_address.entry(address).or_default() += 1;
        }
        let id = state.number();
        let changed = Arc::new(Notify::new());
        let phase = Phase::Fresh { since: Instant::now() };
        state.fresh += 1;
        state.open.insert(id, Open { address, phase, changed: Arc::clone(&changed) });
        Some(Slot { id, changed, connections: self.clone() })
    }

    /// Closes the connection that has been idle longest. Returns `false` if none is idle.
    pub(crate) fn close_idle(&self) -> bool {
        self.state().close_idle(|_| true)
    }

    /// Begins a request of `client`, behind a trusted proxy. Returns `None` if it has too many.
    pub(crate) fn request_of(&self, client: IpAddr) -> Option<ClientRequest> {
        let client = network(client);
        let mut state = self.state();
        let count = state.of_client.entry(client).or_default();
        if *count >= self.0.per_address {
            return None;
        }
        *count += 1;
        Some(ClientRequest { client, connections: self.clone() })
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn close_idle(&mut self, wanted: impl Fn(&Open) -> bool) -> bool {
        let is_wanted = |id: &&u64| self.open.get(*id).is_some_and(&wanted);
        let Some(id) = self.idle.values().find(is_wanted).copied() else { return false };
        if let Some(open) = self.remove(id) {
            // A permit is kept for a task that does not wait yet.
            open.changed.notify_one();
        }
        true
    }

    /// Forgets a connection as one of its phase.
    fn leave(&mut self, phase: Phase) {
        match phase {
            Phase::Fresh { .. } => self.fresh -= 1,
            Phase::Idle { order, .. } | Phase::Head { order, .. } => {
                self.idle.remove(&order);
            }
            Phase::Busy => {}
        }
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.leave(open.phase);
        if let Some(address) = open.address {
            decrement(&mut self.of_address, address);
        }
        Some(open)
    }
}

fn decrement(counts: &mut HashMap<IpAddr, usize>, address: IpAddr) {
    if let Some(count) = counts.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&address);
        }
    }
}

/// Returns the address for which connections count. A host with IPv6 has 2^64 addresses of one
/// network, so these count together.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl Slot {
    /// Begins a request.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.enter(|_, _| Some(Phase::Busy));
        Busy(Arc::clone(self))
    }

    /// Notes that no bytes are there.
    pub(crate) fn waits(&self) {
        self.enter(|phase, order| match phase {
            Phase::Fresh { since } => Some(Phase::Head { since, order }),
            _ => None,
        });
    }

    /// Notes that bytes arrived.
    pub(crate) fn received(&self) {
        let is_first = self.enter(|phase, order| match phase {
            Phase::Fresh { since } => Some(Phase::Head { since, order }),
            Phase::Idle { .. } => Some(Phase::Head { since: Instant::now(), order }),
            Phase::Head { .. } | Phase::Busy => None,
        });
        if is_first {
            // Its time limit is another one now.
            self.changed.notify_one();
        }
    }

    /// Enters the phase that `next` returns for the present one and the next place in the order.
    /// Returns `false` if there is none.
    fn enter(&self, next: impl Fn(Phase, u64) -> Option<Phase>) -> bool {
        let mut state = self.connections.state();
        let state = &mut *state;
        let order = state.number();
        let Some(open) = state.open.get_mut(&self.id) else { return false };
        let (before, Some(after)) = (open.phase, next(open.phase, order)) else { return false };
        open.phase = after;
        state.leave(before);
        if let Phase::Idle { .. } | Phase::Head { .. } = after {
            state.idle.insert(order, self.id);
        }
        if let Phase::Fresh { .. } = before {
            self.connections.0.settled.notify_one();
        }
        true
    }

    /// Waits until the connection must be closed: it has waited for a request too long, or gives way
    /// to another one.
    pub(crate) async fn expired(&self) {
        let Shared { head_timeout, idle_timeout, .. } = &*self.connections.0;
        loop {
            let left = {
                let state = self.connections.state();
                let Some(open) = state.open.get(&self.id) else { return };
                match open.phase {
                    Phase::Idle { since, .. } => idle_timeout.saturating_sub(since.elapsed()),
                    Phase::Fresh { since } | Phase::Head { since, .. } => {
                        head_timeout.saturating_sub(since.elapsed())
                    }
                    // Looks again at the earliest time at which it could expire.
                    Phase::Busy => (*head_timeout).min(*idle_timeout).max(Duration::from_millis(1)),
                }
            };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = sleep(left) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.state().remove(self.id);
        self.connections.0.settled.notify_one();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(|_, order| Some(Phase::Idle { since: Instant::now(), order }));
    }
}

impl Drop for ClientRequest {
    fn drop(&mut self) {
        decrement(&mut self.connections.state().of_client, self.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(most: usize, per_address: usize) -> Connections {
        let options = ServeOptions::default();
        Connections::new(
            &options.with_max_connections(most).with_max_connections_per_address(per_address),
        )
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_open(slot: &Slot) -> bool {
        slot.connections.state().open.contains_key(&slot.id)
    }

    #[tokio::test]
    async fn the_one_that_is_idle_longest_gives_way() {
        let connections = connections(4, 2);
        let open = |last| {
            let slot = connections.try_open(Some(address(last))).map(Arc::new);
            slot.inspect(|slot| slot.waits())
        };
        let (first, second) = (open(1).unwrap(), open(1).unwrap());
        let other = open(2).unwrap();
        let busy = first.begin();
        let third = open(1).unwrap();
        assert!(is_open(&first) && !is_open(&second) && is_open(&third) && is_open(&other));
        second.expired().await;
        let also = third.begin();
        assert!(open(1).is_none(), "two of an address with requests under way");
        drop(busy);
        let fourth = open(1).unwrap();
        assert!(!is_open(&first) && is_open(&fourth));
        drop((second, also));
        // Of all addresses: the first of the second one is idle longest.
        let _rest = [open(3).unwrap(), open(4).unwrap()];
        assert!(!is_open(&other));
    }

    #[tokio::test]
    async fn one_whose_request_may_have_arrived_does_not_give_way() {
        let connections = connections(4, 1);
        let fresh = Arc::new(connections.try_open(Some(address(1))).unwrap());
        let next = tokio::spawn({
            let connections = connections.clone();
            async move { connections.open(Some(address(1))).await }
        });
        tokio::task::yield_now().await;
        assert!(is_open(&fresh) && !next.is_finished());
        fresh.waits();
        assert!(next.await.unwrap().is_some() && !is_open(&fresh));
        let fresh = Arc::new(connections.try_open(Some(address(1))).unwrap());
        let _busy = fresh.begin();
        assert!(connections.open(Some(address(1))).await.is_none());
    }

    #[tokio::test]
    async fn an_address_is_forgotten_when_its_last_connection_is_closed() {
        let connections = connections(4, 1);
        let slot = Arc::new(connections.try_open(Some(address(1))).unwrap());
        drop(slot.begin());
        assert!(connections.close_idle());
        assert!(!connections.close_idle());
        slot.received();
        drop(slot);
        drop(connections.request_of(address(1)));
        let state = connections.state();
        assert!(state.open.is_empty() && state.idle.is_empty());
        assert!(state.of_address.is_empty() && state.of_client.is_empty());
    }

    #[tokio::test]
    async fn trusted_proxies_have_no_limit_and_their_clients_have() {
        let connections = connections(4, 1);
        let proxies = [connections.try_open(None), connections.try_open(None)];
        assert!(proxies.iter().all(Option::is_some));
        let client = |text: &str| connections.request_of(text.parse().unwrap());
        let first = client("2001:db8::1");
        assert!(
            first.is_some() && client("2001:db8::2").is_none() && client("192.0.2.1").is_some()
        );
        drop(first);
        assert!(client("2001:db8::2").is_some());
    }
}
