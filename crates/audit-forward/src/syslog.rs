//! Syslog over TCP and TLS.

use std::time::Duration;

use async_trait::async_trait;
use audit_core::{Error, ErrorKind, Result};
use audit_export::Syslog;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::connect::Peer;
use crate::endpoint::EndpointOptions;
use crate::sink::{Batch, DeliveryError, Sink};
use crate::tls;

/// A syslog server that gets events as messages of RFC 5424 over TLS (RFC 5425) or TCP (RFC 6587), each with
/// its length before it.
///
/// Syslog has no acknowledgement. So each batch has a connection of its own: this side ends it after the last
/// message, and the batch is acknowledged when the server has ended it, too, which it does when it has read all of it. A
/// server that loses what it has read loses events.
#[derive(Debug)]
pub struct SyslogSink {
    peer: Peer,
    sender: Syslog,
    timeout: Duration,
}

impl SyslogSink {
    /// Creates a sink that sends to `address`, a host and a port: `siem.example:6514`. Over TLS, unless the
    /// options allow plain text.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), field `address`, if it is not an address, or is one that is not public
    /// and not allowed; field `ca`, if that file cannot be used.
    pub fn new(address: &str, sender: Syslog, options: &EndpointOptions) -> Result<Self> {
        let invalid = || Error::malformed("address", "a host and a port: host:6514");
        let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|error| invalid().with_source(error))?;
        let tls = (!options.allows_plain).then(|| tls::connector(options.ca.as_deref()));
        let tls = tls.transpose()?;
        let peer = Peer::new("address", host, port, tls, options.allows_private)?;
        Ok(Self { peer, sender, timeout: options.timeout })
    }

    async fn send(&self, frames: &[u8]) -> Result<(), DeliveryError> {
        let mut stream = self.peer.connect().await?;
        let exchange = async {
            stream.write_all(frames).await?;
            stream.flush().await?;
            stream.shutdown().await?;
            // A server answers nothing; whatever it sends is read to its end.
            let mut answer = [0; 1 << 10];
            loop {
                match stream.read(&mut answer).await {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    // It has ended the connection without saying so in TLS.
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        exchange.await.map_err(|error: std::io::Error| unavailable(error))
    }
}

fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> DeliveryError {
    let error = Error::new(ErrorKind::Unavailable).with_context("sending syslog messages");
    DeliveryError::unavailable(error.with_source(source))
}

#[async_trait]
impl Sink for SyslogSink {
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError> {
        let mut frames = Vec::new();
        for event in batch.events() {
            let message = self.sender.message(event).map_err(DeliveryError::refused)?;
            frames.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
        }
        timeout(self.timeout, self.send(&frames)).await.map_err(unavailable)?
    }
}
