//! What interrupts the program: SIGINT and SIGTERM, or what the system has in their place.

use std::io;

use crate::error::{CliError, Result};

/// The signals that ask the program to end. While it is listened to, they do not end it.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self> {
        Self::try_listen()
            .map_err(|error| CliError::from_source("cannot listen for signals", error))
    }

    #[cfg(unix)]
    fn try_listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps)] // as the other
    fn try_listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for one of them.
    #[cfg(unix)]
    pub(crate) async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for one of them.
    #[cfg(not(unix))]
    pub(crate) async fn recv(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
