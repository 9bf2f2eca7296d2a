//! Connections to destinations: the name is resolved, the addresses are checked, and the connection is made
//! to one of those that were checked.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use audit_core::{Error, ErrorKind, Result};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::is_public;
use crate::sink::DeliveryError;

/// The other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    tls: Option<TlsConnector>,
    /// Whether the address may be one that is not public.
    allows_private: bool,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, .. } = self;
        f.debug_struct("Peer").field("host", host).field("port", port).finish_non_exhaustive()
    }
}

impl Peer {
    /// Creates a peer. The host can be an address in brackets.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), with the field given, if the host is empty, or an address that is not
    /// public and not allowed.
    pub(crate) fn new(
        field: &'static str,
        host: &str,
        port: u16,
        tls: Option<TlsConnector>,
        allows_private: bool,
    ) -> Result<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(Error::malformed(field, "an address with a host"));
        }
        if !allows_private && host.parse().is_ok_and(|address| !is_public(address)) {
            return Err(Error::malformed(
                field,
                "a public address, unless private ones are allowed",
            ));
        }
        Ok(Self { host, port, tls, allows_private })
    }

    /// Connects. The name is resolved once; later changes of its addresses have no effect.
    pub(crate) async fn connect(&self) -> Result<Stream, DeliveryError> {
        let stream = self.connect_tcp().await.map_err(|error| {
            let error = Error::new(ErrorKind::Unavailable)
                .with_context("connecting to a sink")
                .with_source(error);
            DeliveryError::unavailable(error)
        })?;
        Ok(stream)
    }

    async fn connect_tcp(&self) -> io::Result<Stream> {
        let addresses: Vec<SocketAddr> = lookup_host((&*self.host, self.port)).await?.collect();
        let allowed = |address: &&SocketAddr| self.allows_private || is_public(address.ip());
        let mut failed = match addresses.first() {
            None => io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            Some(first) => io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is not a public address, and others are not allowed", first.ip()),
            ),
        };
        for address in addresses.iter().filter(allowed) {
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    tcp.set_nodelay(true)?;
                    return self.secure(tcp).await;
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn secure(&self, tcp: TcpStream) -> io::Result<Stream> {
        let Some(tls) = &self.tls else { return Ok(Stream::Plain(tcp)) };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        Ok(Stream::Tls(Box::new(tls.connect(name, tcp).await?)))
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
