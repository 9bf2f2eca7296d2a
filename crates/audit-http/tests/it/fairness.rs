//! One organization cannot take what all share: places, waits, memory of bodies and of answers.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Key, Service, by, request};
use crate::server::{POST, Server, answer};
use async_trait::async_trait;
use audit_core::backend::delegate;
use audit_core::{
    Actor, AuditStore, Message, NewEvent, Result, Role, Scan, ScanResult, TenantStore as _,
};
use audit_http::{ApiKeyAuthenticator, HttpOptions};
use audit_memory::MemoryStore;
use axum::http::{Method, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

const EVENT: &str = r#"{"action": "a", "actor": {"kind": "user"}}"#;
const POLL: &str = "GET EVENTS/follow?start=now&wait=8 HTTP/1.1\r\nConnection: close";
const PAGE: &str = "GET EVENTS HTTP/1.1\r\nConnection: close";

/// Returns the key of an admin of another organization.
async fn other(server: &Server) -> Key {
    let (_, [_, admin, _]) = server.service.tenant("Other").await;
    admin
}

async fn page(server: &Server, key: &Key) -> (u16, Value) {
    answer(&mut server.connect_with(key, PAGE).await).await
}

async fn append(server: &Server, key: &Key) -> u16 {
    let head = format!("{POST}\r\nContent-Length: {}", EVENT.len());
    let mut stream = server.connect_with(key, &head).await;
    stream.write_all(EVENT.as_bytes()).await.unwrap();
    answer(&mut stream).await.0
}

/// Waits until a request that was sent has reached the service.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// A store whose scans wait until they are let through.
#[derive(Debug)]
struct HeldStore {
    store: MemoryStore,
    begun: Semaphore,
    gate: Semaphore,
}

#[async_trait]
impl AuditStore for HeldStore {
    delegate!(store: token_keys, append, get, head, logs, wait_for_append, frontier, nodes, entries);

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        self.begun.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.store.scan(scan).await
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_of_all_are_503() {
    let store = MemoryStore::new().unwrap();
    let (begun, gate) = (Semaphore::new(0), Semaphore::new(0));
    let held = Arc::new(HeldStore { store: store.clone(), begun, gate });
    let keys = ApiKeyAuthenticator::new(store.clone());
    let options = HttpOptions::default().with_max_requests(1);
    let service = Service { store, router: audit_http::router(held.clone(), keys, options) };
    let (_, [acme, ..]) = service.tenant("Acme").await;
    let (_, [other, ..]) = service.tenant("Other").await;
    let page = async |key: &Key| {
        service.get(key, &format!("/v1/organizations/{}/events", key.key.organization_id)).await
    };
    let meanwhile = async {
        held.begun.acquire().await.unwrap().forget();
        let refused = tokio::select! {
            refused = page(&other) => refused,
            _ = held.begun.acquire() => panic!("a second request is at work"),
        };
        held.gate.add_permits(1);
        refused
    };
    let (first, refused) = tokio::join!(page(&acme), meanwhile);
    first.expect(200);
    refused.expect(503);
    assert_eq!(refused.header("retry-after"), "1");
    held.gate.add_permits(1);
    page(&other).await.expect(200);
}

#[tokio::test]
async fn a_poll_or_stream_that_waits_takes_no_place() {
    let server = Server::start(HttpOptions::default().with_max_requests(1)).await;
    let mut poll = server.connect(POLL).await;
    let stream = "GET EVENTS/follow?start=now HTTP/1.1\r\nAccept: text/event-stream";
    let mut stream = server.connect(stream).await;
    settle().await;
    assert_eq!(page(&server, &server.key).await.0, 200);
    assert_eq!(append(&server, &server.key).await, 201);
    let (status, page) = answer(&mut poll).await;
    assert_eq!((status, page["events"].as_array().unwrap().len()), (200, 1));
    let mut text = String::new();
    while !text.contains("audit-event") {
        let mut bytes = [0; 4_096];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    server.stop().await;
}

#[tokio::test]
async fn an_organization_has_its_share_of_the_waits() {
    let server = Server::start(HttpOptions::default().with_max_followers(4)).await;
    let other = other(&server).await;
    let more = server.service.store.organization(server.key.key.organization_id).await.unwrap();
    let second_key = server.service.key(&more, Role::Member).await;
    let polls = [server.connect(POLL).await, server.connect_with(&second_key, POLL).await];
    settle().await;
    let (status, refused) = answer(&mut server.connect(POLL).await).await;
    assert_eq!(status, 429, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("this organization"), "{refused}");
    let mut waiting = server.connect_with(&other, POLL).await;
    settle().await;
    assert_eq!(append(&server, &other).await, 201);
    assert_eq!(answer(&mut waiting).await.0, 200);
    // A client that leaves ends its wait.
    drop(polls);
    settle().await;
    let mut again = server.connect(POLL).await;
    settle().await;
    assert_eq!(append(&server, &server.key).await, 201);
    assert_eq!(answer(&mut again).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_closes_its_half_gets_the_answer_to_its_poll_at_once() {
    let server = Server::start(HttpOptions::default()).await;
    let mut poll = server.connect(POLL).await;
    settle().await;
    poll.shutdown().await.unwrap();
    let (status, page) = answer(&mut poll).await;
    assert_eq!((status, &page["events"]), (200, &json!([])));
    server.stop().await;
}

#[tokio::test]
async fn an_organization_has_its_share_of_the_bodies_on_their_way() {
    let server = Server::start(HttpOptions::default().with_max_requests(4)).await;
    let other = other(&server).await;
    let slow = format!("{POST}\r\nContent-Length: 100");
    let mut bodies = [server.connect(&slow).await, server.connect(&slow).await];
    settle().await;
    let (status, refused) = answer(&mut server.connect(&slow).await).await;
    assert_eq!(status, 429, "{refused}");
    assert_eq!(page(&server, &server.key).await.0, 200, "a body on its way takes no place");
    assert_eq!(append(&server, &other).await, 201);
    for body in &mut bodies {
        body.write_all(&[b' '; 100]).await.unwrap();
        assert_eq!(answer(body).await.0, 400);
    }
    assert_eq!(append(&server, &server.key).await, 201);
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_come_take_no_memory() {
    let options = HttpOptions::default().with_max_body(1 << 20).with_body_memory(1 << 20);
    let server = Server::start(options).await;
    let mut bodies: Vec<TcpStream> = Vec::new();
    for length in ["Content-Length: 1048576", "Transfer-Encoding: chunked"].repeat(4) {
        bodies.push(server.connect(&format!("{POST}\r\n{length}")).await);
    }
    settle().await;
    let large = format!("{EVENT}{}", " ".repeat(100_000));
    let mut stream = server.connect(&format!("{POST}\r\nContent-Length: {}", large.len())).await;
    stream.write_all(large.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 201);
    drop(bodies);
    server.stop().await;
}

/// Appends `count` events of 10 KB.
async fn fill(service: &Service, key: &Key, count: usize) {
    let events = (0..count)
        .map(|_| NewEvent::new("a.b", Actor::user("u")).message(Message::text("x".repeat(10_000))));
    service.store.append(key.key.organization_id.into(), events.collect()).await.unwrap();
}

/// Reads a response piece by piece, as a connection does.
async fn read(response: axum::response::Response) -> Vec<u8> {
    let (mut body, mut text) = (response.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    text
}

#[tokio::test]
async fn answers_that_are_not_read_take_a_share_of_the_memory() {
    let options = HttpOptions::default().with_answer_memory(400_000).with_rate_limit(10_000);
    let service = Service::with_options(options);
    let (_, [member, ..]) = service.tenant("Acme").await;
    let (_, [stranger, ..]) = service.tenant("Other").await;
    fill(&service, &member, 200).await;
    fill(&service, &stranger, 3).await;
    let send = |key: &Key, path: &str| {
        service.router.clone().oneshot(request(Method::GET, path, Some(key), None))
    };
    // The first piece of each page is held: of 64 KB and more.
    let path = "/api/audit-logs?limit=200";
    let held = [send(&member, path).await.unwrap(), send(&member, path).await.unwrap()];
    let waiting = tokio::spawn(send(&member, path));
    let waiting_too = tokio::spawn(send(&member, "/api/audit-logs?limit=1"));
    let page = service.get(&stranger, path).await.expect(200);
    assert_eq!(page["pagination"]["total"], 7, "with those of the organization and of its keys");
    assert!(!waiting.is_finished() && !waiting_too.is_finished());
    for held in held {
        let page: Value = serde_json::from_slice(&read(held).await).unwrap();
        assert_eq!(page["data"].as_array().unwrap().len(), 200);
    }
    read(waiting.await.unwrap().unwrap()).await;
    waiting_too.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_page_of_many_pieces_is_whole_and_ends_with_the_key() {
    let service = Service::new();
    let (_, [member, _, admin]) = service.tenant("Acme").await;
    fill(&service, &member, 250).await;
    let page = service.get(&member, "/api/audit-logs?limit=200&action=a.b").await;
    assert!(!page.headers.contains_key(header::CONTENT_LENGTH), "more than one piece");
    let page = page.expect(200);
    assert_eq!(page["pagination"], json!({"page": 1, "limit": 200, "total": 250}));
    let ids: std::collections::BTreeSet<_> =
        page["data"].as_array().unwrap().iter().map(|entry| entry["id"].to_string()).collect();
    assert_eq!(ids.len(), 200);
    let rest =
        service.get(&member, "/api/audit-logs?limit=200&page=2&action=a.b").await.expect(200);
    assert_eq!(rest["data"].as_array().unwrap().len(), 50);
    // HEAD reads one piece and sends none.
    let head = request(Method::HEAD, "/api/audit-logs?limit=200", Some(&admin), None);
    let head = service.send(head).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));

    let path = "/api/audit-logs?limit=200";
    let begun = request(Method::GET, path, Some(&member), None);
    let begun = service.router.clone().oneshot(begun).await.unwrap();
    service.store.revoke_api_key(member.key.id, by()).await.unwrap();
    assert!(begun.into_body().collect().await.is_err(), "the rest was sent to a revoked key");
}

#[tokio::test]
async fn the_rate_of_an_organization_is_that_of_all_its_keys() {
    let service = Service::with_options(HttpOptions::default().with_organization_rate_limit(2));
    let (_, [member, admin, _]) = service.tenant("Acme").await;
    let (_, [stranger, ..]) = service.tenant("Other").await;
    let path = "/api/audit-logs";
    let left = service.get(&member, path).await;
    assert_eq!((left.status.as_u16(), left.header("x-rate-limit-remaining")), (200, "1"));
    service.get(&admin, path).await.expect(200);
    let refused = service.get(&member, path).await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.expect(429);
    service.get(&stranger, path).await.expect(200);
}
