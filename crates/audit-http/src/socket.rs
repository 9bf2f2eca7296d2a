//! The socket of a connection: reads that are noticed, and writes with a least rate.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::connections::Slot;
use crate::pace::Pace;

/// The memory of the system for an answer that its client does not read, in bytes.
const SEND_BUFFER: usize = 128 << 10;

/// The socket of a connection. A write fails once the client has been too slow to read.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Arc<TcpStream>,
    slot: Arc<Slot>,
    pace: Pace,
    /// Since when a write waits, and until when it may.
    blocked: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// The client of a connection, of which a handler can learn that it has left.
#[derive(Clone, Debug)]
pub(crate) struct Client(Weak<TcpStream>);

impl Socket {
    pub(crate) fn new(stream: TcpStream, slot: Arc<Slot>, pace: Pace) -> Self {
        // Sends small responses at once. A failure only makes them slower.
        let _ = stream.set_nodelay(true);
        // A failure only makes the system hold more.
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Self { stream: Arc::new(stream), slot, pace, blocked: None }
    }

    pub(crate) fn client(&self) -> Client {
        Client(Arc::downgrade(&self.stream))
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while let Poll::Ready(is_ready) = self.stream.poll_write_ready(context) {
            is_ready?;
            match send(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(sent) => {
                    let waited = self.blocked.take().map(|(since, _)| since.elapsed());
                    self.pace.moved(waited.unwrap_or_default(), sent);
                    return Poll::Ready(Ok(sent));
                }
            }
        }
        let left = self.pace.left();
        let begin = || (Instant::now(), Box::pin(sleep(left)));
        let (_, until) = self.blocked.get_or_insert_with(begin);
        ready!(until.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let Poll::Ready(is_ready) = self.stream.poll_read_ready(context) else {
                self.slot.waits();
                return Poll::Pending;
            };
            is_ready?;
            match self.stream.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(read) => {
                    buffer.advance(read);
                    if read > 0 {
                        self.slot.received();
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, |stream| stream.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }
}

impl Client {
    /// Waits until the client has closed its half of the connection. One that has done so may still
    /// read, but most have left.
    pub(crate) async fn left(self) {
        /// The pause while bytes that nobody reads yet hide the end.
        const PAUSE: Duration = Duration::from_millis(250);
        while let Some(stream) = self.0.upgrade() {
            match stream.peek(&mut [0]).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if !stream.ready(Interest::READABLE).await.is_ok_and(|ready| !ready.is_read_closed()) {
                return;
            }
            drop(stream);
            sleep(PAUSE).await;
        }
    }
}
