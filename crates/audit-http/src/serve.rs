//! The connections: how many, how slow they may be, and how they end.

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

/// The most connections at a time; others wait to be accepted.
const CONNECTIONS: usize = 1_024;
/// How long a client may take to send the head of a request, or stay between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take too little of its answer for more of it to be sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The memory for the head of a request.
const HEAD_BYTES: usize = 32 << 10;
/// How long requests under way have when the service ends.
const GRACE: Duration = Duration::from_secs(30);

/// Tells handlers that answer for long that the service ends.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub(crate) async fn wait(mut self) {
        // An error says that the service is gone.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Serves `router` over HTTP/1.1 until `shutdown` is ready: then no connection is accepted, streams
/// end, and requests under way are answered, for 30 seconds at most.
///
/// At most 1,024 connections are open at a time. A client that takes 15 seconds to send the head of
/// a request, or to begin the next, is disconnected, and so is one that takes too little of an
/// answer, of which the system holds some megabytes for it, for more to be sent in 30 seconds. TLS
/// is left to what stands before.
///
/// # Errors
/// None at present: a connection that fails ends alone, and what keeps new ones from being
/// accepted, such as too many open files, is waited out.
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
                    tracing::warn!(%error, "no connection could be accepted");
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
    // Nobody listens any more if no stream is open.
    let _ = stop.send(true);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the service ended");
    }
    Ok(())
}

fn timed(stream: TcpStream) -> std::pin::Pin<Box<TimeoutStream<TcpStream>>> {
    // Small answers go out at once; without it they are only slower.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    Box::pin(stream)
}
