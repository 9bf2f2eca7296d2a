//! The connections: their number, their time limits, and shutdown.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::connections::{Busy, ClientRequest, Connections, Slot};
use crate::pace::Pace;
use crate::proxy::Prefix;
use crate::serve_options::ServeOptions;
use crate::socket::{Client, Socket};

/// The memory for the head of a request, in bytes.
const HEAD_BYTES: usize = 32 << 10;
/// The answer to a connection that is not accepted.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

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
/// streams, and waits for requests under way.
///
/// Bounds the connections, and disconnects slow clients: see [`ServeOptions`]. Has no TLS: put a
/// proxy in front.
///
/// # Errors
/// Returns none at present. A connection that fails ends alone. If connections cannot be accepted,
/// for example because too many files are open, it tries again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let server = Arc::new(Server {
        connections: Connections::new(&options),
        router,
        stopping: Stopping(stopping),
        options,
    });
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD_BYTES).half_close(true);
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    server.connections.close_idle();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let Some(accepted) = server.accept(stream, peer).await else { continue };
        let Accepted { socket, slot, client } = accepted;
        let service = {
            let (server, slot) = (Arc::clone(&server), Arc::clone(&slot));
            service_fn(move |request| {
                Arc::clone(&server).answer(request, peer, slot.begin(), client.clone())
            })
        };
        let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service));
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection failed");
                },
                () = slot.expired() => {}
            }
        });
    }
    drop(listener);
    // Fails if no stream is open.
    let _ = stop.send(true);
    if tokio::time::timeout(server.options.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the service ended");
    }
    Ok(())
}

/// The state that the connections of a service share.
struct Server {
    connections: Connections,
    router: Router,
    stopping: Stopping,
    options: ServeOptions,
}

struct Accepted {
    socket: Socket,
    slot: Arc<Slot>,
    client: Client,
}

impl Server {
    fn is_proxy(&self, address: IpAddr) -> bool {
        self.options.proxies.contains(address)
    }

    /// Opens a connection. Answers with 503 and returns `None` if there are too many.
    async fn accept(&self, stream: TcpStream, peer: SocketAddr) -> Option<Accepted> {
        let address = (!self.is_proxy(peer.ip())).then_some(peer.ip());
        let Some(slot) = self.connections.open(address).await else {
            metrics::counter!("audit_http_refused_total", "limit" => "connections").increment(1);
            // A client that does not get it sees a closed connection.
            let _ = stream.try_write(REFUSAL);
            return None;
        };
        let slot = Arc::new(slot);
        let pace = Pace::new(self.options.answer_timeout, self.options.least_rate);
        let socket = Socket::new(stream, Arc::clone(&slot), pace);
        let client = socket.client();
        Some(Accepted { socket, slot, client })
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        busy: Busy,
        client: Client,
    ) -> Result<Response<Sent>, std::convert::Infallible> {
        let mut request = request.map(Body::new);
        let mut address = peer;
        let mut of_client = None;
        if self.is_proxy(peer.ip()) {
            // The port is that of the proxy's connection.
            address.set_ip(self.options.proxies.client(peer.ip(), request.headers()));
            if let Some(prefix) = Prefix::of(request.headers()) {
                request.extensions_mut().insert(prefix);
            }
            of_client = self.connections.request_of(address.ip());
            if of_client.is_none() {
                let refused = too_many_of_address().map(|body| Sent { body, _busy: (busy, None) });
                return Ok(refused);
            }
        }
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo::<SocketAddr>(address));
        extensions.insert(self.stopping.clone());
        extensions.insert(client);
        let response = self.router.clone().oneshot(request).await?;
        Ok(response.map(|body| Sent { body, _busy: (busy, of_client) }))
    }
}

fn too_many_of_address() -> Response<Body> {
    metrics::counter!("audit_http_refused_total", "limit" => "requests of an address").increment(1);
    let detail = "too many requests of this address are under way\n";
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], detail).into_response()
}

/// The body of a response, whose request is under way until it is sent.
struct Sent {
    body: Body,
    _busy: (Busy, Option<ClientRequest>),
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
