//! Real connections: bodies that are too large or too slow, clients that disconnect, and shutdown.

use std::time::Duration;

use crate::server::{POST, Server, answer};
use audit_core::{AuditStore as _, Log};
use audit_http::HttpOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_body_with_a_too_large_content_length_is_not_read() {
    let server = Server::start(HttpOptions::default()).await;
    let mut stream = server.connect(&format!("{POST}\r\nContent-Length: 1073741824")).await;
    let (status, problem) = answer(&mut stream).await;
    assert_eq!((status, problem["title"].as_str()), (413, Some("Payload Too Large")));
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_exceeds_the_limit_is_rejected() {
    let server = Server::start(HttpOptions::default().with_max_body(10_000)).await;
    let mut stream = server.connect(&format!("{POST}\r\nTransfer-Encoding: chunked")).await;
    for _ in 0..11 {
        let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1_000));
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    assert_eq!(answer(&mut stream).await.0, 413);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_slow_is_408() {
    let options = HttpOptions::default().with_request_timeout(Duration::from_millis(200));
    let server = Server::start(options).await;
    let mut stream = server.connect(&format!("{POST}\r\nContent-Length: 100")).await;
    stream.write_all(b"{").await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 408);
    server.stop().await;
}

#[tokio::test]
async fn bodies_wait_for_the_memory_of_others() {
    let options = HttpOptions::default()
        .with_max_body(1_000)
        .with_body_memory(1_000)
        .with_request_timeout(Duration::from_millis(500));
    let server = Server::start(options).await;
    let mut first = server.connect(&format!("{POST}\r\nContent-Length: 1000")).await;
    first.write_all(&[b' '; 900]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = server.connect(&format!("{POST}\r\nContent-Length: 200")).await;
    second.write_all(&[b' '; 200]).await.unwrap();
    assert_eq!(answer(&mut first).await.0, 408, "a body that does not arrive");
    let (status, _) = answer(&mut second).await;
    assert!(status == 400 || status == 408, "read after the first ended, or timed out: {status}");
    server.stop().await;
}

#[tokio::test]
async fn a_disconnected_client_leaves_no_partial_append() {
    let server = Server::start(HttpOptions::default()).await;
    let log = Log::from(server.key.key.organization_id);
    let before = server.service.store.head(log).await.unwrap();
    let body = r#"{"action": "a", "actor": {"kind": "user"}}"#;
    for length in [10, body.len() - 1] {
        let head = format!("{POST}\r\nContent-Length: {}", body.len());
        let mut stream = server.connect(&head).await;
        stream.write_all(&body.as_bytes()[..length]).await.unwrap();
        stream.shutdown().await.unwrap(); // half-closed: it can still read a response
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{text}");
    }
    assert_eq!(server.service.store.head(log).await.unwrap(), before);
    // A client that half-closes after a complete request gets its response.
    let mut stream = server.connect(&format!("{POST}\r\nContent-Length: {}", body.len())).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 201);
    server.stop().await;
}

#[tokio::test]
async fn invalid_http_is_rejected_and_the_service_continues() {
    let server = Server::start(HttpOptions::default()).await;
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        [b"GET /".as_slice(), &vec![b'x'; 200_000], b" HTTP/1.1\r\n\r\n"].concat(),
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx".to_vec(),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(&garbage).await;
        let _ = stream.shutdown().await;
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        let text = String::from_utf8_lossy(&text);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    let mut stream = server.connect("GET EVENTS HTTP/1.1\r\nConnection: close").await;
    assert_eq!(answer(&mut stream).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn shutdown_answers_requests_under_way_and_ends_streams() {
    let server = Server::start(HttpOptions::default()).await;
    let log = Log::from(server.key.key.organization_id);
    let before = server.service.store.head(log).await.unwrap().size.get();
    let stream_head = "GET EVENTS/follow?start=now HTTP/1.1\r\nAccept: text/event-stream";
    let mut stream = server.connect(stream_head).await;
    let mut waiting = server.connect("GET EVENTS/follow?start=now&wait=8 HTTP/1.1").await;
    let body = r#"{"action": "a", "actor": {"kind": "user"}}"#;
    let mut append = server.connect(&format!("{POST}\r\nContent-Length: {}", body.len())).await;
    append.write_all(&body.as_bytes()[..10]).await.unwrap();
    let idle = server.connect("GET EVENTS HTTP/1.1").await; // rejected, and kept open
    tokio::time::sleep(Duration::from_millis(200)).await;

    let (address, store) = (server.address, server.service.store.clone());
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    append.write_all(&body.as_bytes()[10..]).await.unwrap();
    assert_eq!(answer(&mut append).await.0, 201, "a request under way is answered");
    assert_eq!(answer(&mut waiting).await.0, 200, "a waiting request is answered at once");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "a stream ends");
    stopping.await.unwrap();
    drop(idle);
    assert!(TcpStream::connect(address).await.is_err(), "no connection is accepted");
    assert_eq!(store.head(log).await.unwrap().size.get(), before + 1);
}

#[tokio::test]
async fn simultaneous_bodies_do_not_deadlock() {
    let options = HttpOptions::default()
        .with_max_body(200_000)
        .with_body_memory(400_000)
        .with_request_timeout(Duration::from_secs(20));
    let server = Server::start(options).await;
    let event = r#"{"action": "a", "actor": {"kind": "user"}}"#;
    let body = format!("{{\"events\": [{}]{}}}", event, " ".repeat(190_000));
    let head = POST.replace("EVENTS", "EVENTS/batch");
    let mut clients = Vec::new();
    for _ in 0..16 {
        let length = body.len();
        clients.push(server.connect(&format!("{head}\r\nContent-Length: {length}")).await);
    }
    // Each sends a half before any sends the rest.
    let (first, rest) = body.split_at(body.len() / 2);
    for part in [first, rest] {
        for client in &mut clients {
            client.write_all(part.as_bytes()).await.unwrap();
        }
    }
    for mut client in clients {
        assert_eq!(answer(&mut client).await.0, 201);
    }
    server.stop().await;
}
