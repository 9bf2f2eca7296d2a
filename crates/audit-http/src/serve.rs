//! The connections: their number, their time limits, and shutdown.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

/// The highest number of open connections. Further ones wait to be accepted.
const CONNECTIONS: usize = 1_024;
/// The time limit for the head of a request, and for the pause between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The time limit for a response that cannot be sent because the client does not read it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The memory for the head of a request, in bytes.
const HEAD_BYTES: usize = 32 << 10;
/// The time for requests under way to end at shutdown.
const GRACE: Duration = Duration::from_secs(30);

/// Signals shutdown to handlers of long responses.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Waits for shutdown.
    pub(crate) async fn wait(mut self) {
        // An error means that the service is gone.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Serves `router` over HTTP/1.1 until `shutdown` is ready. Then it accepts no connection, ends the
/// streams, and waits up to 30 seconds for requests under way.
///
/// At most 1,024 connections are open at a time. Disconnects a client that takes 15 seconds to send
/// the head of a request or to begin the next one, and a client that does not read its response for
/// 30 seconds, after the system's buffers are full. Has no TLS: put a proxy in front.
///
/// # Errors
/// Returns none at present. A connection that fails ends alone. If connections cannot be accepted,
/// for example because too many files are open, it tries again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .half_close(true);
    let mut shutdown = pin!(shutdown);
    loop {
        let accept = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let ((stream, peer), permit) = tokio::select! {
            accepted = accept => match accepted {
                (Ok(accepted), permit) => (accepted, permit),
                (Err(error), _) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let stopping = Stopping(stopping.clone());
        let service = router.clone().map_request(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
            request.extensions_mut().insert(stopping.clone());
            request
        });
        let connection =
            http.serve_connection(TokioIo::new(timed(stream)), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a connection failed");
            }
            drop(permit);
        });
    }
    drop(listener);
    // Fails if no stream is open.
    let _ = stop.send(true);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the service ended");
    }
    Ok(())
}

fn timed(stream: TcpStream) -> std::pin::Pin<Box<TimeoutStream<TcpStream>>> {
    // Sends small responses at once. A failure only makes them slower.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    Box::pin(stream)
}
