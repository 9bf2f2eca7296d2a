//! The connections for reads, which owners get in turn.

use std::sync::Arc;
use std::time::Duration;

use audit_core::Result;
use audit_core::backend::Owner;

use crate::connection::{Connections, Prepared, Session};
use crate::error::{all_in_use, closed};
use crate::turns::Turns;
use crate::url::Address;

/// Connections for reads.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    connections: Connections,
    turns: Arc<Turns>,
    timeout: Duration,
}

impl Readers {
    /// Prepares up to `size` connections. Opens none.
    pub(crate) fn new(
        address: &Address,
        size: usize,
        timeout: Duration,
        prepared: Prepared,
    ) -> Result<Self> {
        let connections = Connections::new(address, size, timeout, prepared)?;
        Ok(Self { connections, turns: Arc::new(Turns::new(size)), timeout })
    }

    /// Takes a connection for a read of `owner`, waiting until it is its turn.
    pub(crate) async fn take(&self, owner: impl Into<Owner>) -> Result<Session> {
        let granted = self.turns.ask(owner.into());
        let granted = tokio::time::timeout(self.timeout, granted).await;
        let turn = granted.map_err(|_| all_in_use())?.map_err(|_| closed())?;
        Ok(self.connections.take().await?.with_turn(turn))
    }
}
