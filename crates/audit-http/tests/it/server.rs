//! A service behind real connections.

use std::net::SocketAddr;

use crate::common::{Key, Service};
use audit_http::{HttpOptions, ServeOptions};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<std::io::Result<()>>,
    pub(crate) service: Service,
    /// The key of an admin.
    pub(crate) key: Key,
}

impl Server {
    pub(crate) async fn start(options: HttpOptions) -> Self {
        Self::serving(options, ServeOptions::default()).await
    }

    pub(crate) async fn serving(options: HttpOptions, serving: ServeOptions) -> Self {
        let service = Service::with_options(options);
        let (_, [_, key, _]) = service.tenant("Acme").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { stopped.await.unwrap_or(()) };
        let running =
            tokio::spawn(audit_http::serve(listener, service.router.clone(), serving, shutdown));
        Self { address, stop: Some(stop), running, service, key }
    }

    /// Returns a connection that has sent `head`, the key and a blank line.
    pub(crate) async fn connect(&self, head: &str) -> TcpStream {
        self.connect_with(&self.key, head).await
    }

    /// Returns a connection that has sent `head`, with `EVENTS` for the path of the key's log.
    pub(crate) async fn connect_with(&self, key: &Key, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let id = key.key.organization_id;
        let head = head.replace("EVENTS", &format!("/v1/organizations/{id}/events"));
        let head = format!("{head}\r\nHost: x\r\nAuthorization: {}\r\n\r\n", key.bearer());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}

/// Reads the response until the server closes the connection. Returns its status and body.
pub(crate) async fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut text = Vec::new();
    // The server may reset a connection whose request it has not read to the end.
    let _ = stream.read_to_end(&mut text).await;
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// The head of an append whose connection is closed after its answer.
pub(crate) const POST: &str =
    "POST EVENTS HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close";
