//! The address of a client behind a proxy, and the number of connections of each address.

use crate::server::{Server, answer};
use audit_core::{AuditStoreExt as _, EventQuery, Filter};
use audit_http::{HttpOptions, ServeOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Changes the organization through a connection that sends `headers`. Returns the address that is
/// recorded.
async fn recorded(server: &Server, headers: &str) -> String {
    let id = server.key.key.organization_id;
    let body = format!(r#"{{"name": "{}"}}"#, uuid::Uuid::now_v7());
    let head = format!(
        "PATCH /v1/organizations/{id} HTTP/1.1\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\nConnection: close",
        body.len()
    );
    let mut stream = server.connect(&head).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 200);
    let query = EventQuery::new(id).filter(Filter::new().action("organization.updated")).limit(1);
    server.service.store.page(&query).await.unwrap().events[0].actor.ip.clone().unwrap()
}

const FORWARDED: &str = "X-Forwarded-For: 198.51.100.66, 203.0.113.9\r\n";

#[tokio::test]
async fn the_address_of_a_client_is_recorded_from_trusted_proxies_only() {
    let server = Server::start(HttpOptions::default()).await;
    assert_eq!(recorded(&server, FORWARDED).await, "127.0.0.1");
    server.stop().await;
    let options = ServeOptions::default().with_trusted_proxy("127.0.0.0/8".parse().unwrap());
    let server = Server::serving(HttpOptions::default(), options).await;
    assert_eq!(recorded(&server, FORWARDED).await, "203.0.113.9");
    assert_eq!(recorded(&server, "").await, "127.0.0.1");
    let mut api = server
        .connect("GET /openapi.json HTTP/1.1\r\nX-Forwarded-Prefix: /audit\r\nConnection: close")
        .await;
    let mut text = String::new();
    api.read_to_string(&mut text).await.unwrap();
    assert!(text.contains(r#""servers":[{"url":"/audit""#), "{}", &text[..400]);
    server.stop().await;
}

/// Returns `true` if the server has closed the connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 512]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn connections_that_wait_give_way_to_new_ones() {
    let options = ServeOptions::default().with_max_connections_per_address(2);
    let server = Server::serving(HttpOptions::default(), options).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let page = "GET EVENTS HTTP/1.1";
    for _ in 0..8 {
        let mut kept = server.connect(page).await;
        assert!(kept.read(&mut [0; 64]).await.unwrap() > 0);
        std::mem::forget(kept);
    }
    assert!(is_closed(&mut silent).await);
    server.stop().await;
}

#[tokio::test]
async fn an_address_whose_requests_are_all_under_way_is_refused() {
    let options = ServeOptions::default().with_max_connections_per_address(2);
    let server = Server::serving(HttpOptions::default(), options).await;
    let poll = "GET EVENTS/follow?start=now HTTP/1.1\r\nAccept: text/event-stream";
    let mut streams = [server.connect(poll).await, server.connect(poll).await];
    for stream in &mut streams {
        assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
    }
    let mut refused = TcpStream::connect(server.address).await.unwrap();
    let mut text = String::new();
    refused.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("Retry-After: 1"), "{text}");
    drop(streams);
    server.stop().await;
}

#[tokio::test]
async fn heads_and_pauses_have_their_own_time_limits() {
    let short = std::time::Duration::from_millis(50);
    let options = ServeOptions::default().with_head_timeout(short);
    let server = Server::serving(HttpOptions::default(), options).await;
    let mut kept = server.connect("GET /healthz HTTP/1.1").await;
    assert!(kept.read(&mut [0; 512]).await.unwrap() > 0);
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(is_closed(&mut silent).await);
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost").await.unwrap();
    assert!(is_closed(&mut half).await);
    // The idle one is kept, and serves another request, whose head must come in time.
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(kept.read(&mut [0; 512]).await.unwrap() > 0);
    kept.write_all(b"GET").await.unwrap();
    assert!(is_closed(&mut kept).await);
    server.stop().await;
    let options = ServeOptions::default().with_idle_timeout(short);
    let server = Server::serving(HttpOptions::default(), options).await;
    let mut idle = server.connect("GET /healthz HTTP/1.1").await;
    assert!(idle.read(&mut [0; 512]).await.unwrap() > 0);
    assert!(is_closed(&mut idle).await);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let options =
        ServeOptions::default().with_answer_timeout(std::time::Duration::from_millis(200));
    let server = Server::serving(HttpOptions::default(), options).await;
    let mut stream = server.connect("GET /docs/swagger-ui-bundle.js HTTP/1.1").await;
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    let head = String::from_utf8_lossy(&text[..1_024]).to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap();
    let length: usize = length.parse().unwrap();
    // The answer is larger than the buffers of the system, where the rest of it stays unsent.
    assert!(length > 1 << 20 && text.len() < length, "{} of {length}", text.len());
    server.stop().await;
}
