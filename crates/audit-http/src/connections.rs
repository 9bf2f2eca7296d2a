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
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Open>,
    /// The connections that wait for a request, by the order in which they began to.
    idle: BTreeMap<u64, u64>,
    of_address: HashMap<IpAddr, usize>,
    /// The requests of each client behind trusted proxies.
    of_client: HashMap<IpAddr, usize>,
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
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection of `address`, `None` for a trusted proxy's. Closes one that is idle if
    /// there are too many. Returns `None` if none is idle.
    pub(crate) fn open(&self, address: Option<IpAddr>) -> Option<Slot> {
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
        let phase = Phase::Head { since: Instant::now(), order: id };
        state.idle.insert(id, id);
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

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Phase::Idle { order, .. } | Phase::Head { order, .. } = open.phase {
            self.idle.remove(&order);
        }
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
        let mut state = self.connections.state();
        let state = &mut *state;
        if let Some(open) = state.open.get_mut(&self.id) {
            if let Phase::Idle { order, .. } | Phase::Head { order, .. } = open.phase {
                state.idle.remove(&order);
            }
            open.phase = Phase::Busy;
        }
        Busy(Arc::clone(self))
    }

    /// Notes that bytes arrived.
    pub(crate) fn received(&self) {
        let mut state = self.connections.state();
        if let Some(open) = state.open.get_mut(&self.id)
            && let Phase::Idle { order, .. } = open.phase
        {
            open.phase = Phase::Head { since: Instant::now(), order };
            self.changed.notify_one();
        }
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
                    Phase::Head { since, .. } => head_timeout.saturating_sub(since.elapsed()),
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
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.connections.state();
        let state = &mut *state;
        let order = state.number();
        if let Some(open) = state.open.get_mut(&self.0.id) {
            open.phase = Phase::Idle { since: Instant::now(), order };
            state.idle.insert(order, self.0.id);
        }
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
        Connections::new(&options.with_connections(most).with_connections_per_address(per_address))
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
        let open = |last| connections.open(Some(address(last))).map(Arc::new);
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
    async fn an_address_is_forgotten_when_its_last_connection_is_closed() {
        let connections = connections(4, 1);
        let slot = Arc::new(connections.open(Some(address(1))).unwrap());
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
        let proxies = [connections.open(None), connections.open(None)];
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
