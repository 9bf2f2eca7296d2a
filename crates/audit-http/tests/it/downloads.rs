//! Downloads: exactly the filtered view, as a file, while the client takes it.

use crate::common::{Key, Service, by, request};
use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, Log, Message, NewEvent, TenantStore as _,
};
use audit_export::{Encoder, Format, Ocsf};
use audit_http::HttpOptions;
use axum::body::Body;
use axum::http::{Method, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

fn events(key: &Key) -> String {
    format!("/v1/organizations/{}/events", key.key.organization_id)
}

/// Appends events of two actions, each of about two kilobytes, so that a file has several pieces.
async fn fill(service: &Service, log: Log, count: usize) {
    let text = "=x ".repeat(700);
    let event = |number: usize| {
        let action = if number.is_multiple_of(3) { "a.b" } else { "b.c" };
        NewEvent::new(action, Actor::user("u")).message(Message::text(format!("{number}{text}")))
    };
    service.store.append(log, (0..count).map(event).collect()).await.unwrap();
}

/// Returns the events that pages list under a query.
async fn listed(service: &Service, key: &Key, query: &str) -> Vec<Value> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("{}?limit=7&{query}{token}", events(key));
        let page = service.get(key, &path).await.expect(200);
        all.extend(page["events"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => token = format!("&token={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn a_download_has_exactly_the_listed_events_in_their_order() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    fill(&service, acme.id.into(), 120).await;
    for query in ["", "order=newest&action=a.*", "order=oldest&action=b.c", "order=sequence"] {
        let answer = service.get(&member, &format!("{}/export?{query}", events(&member))).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/jsonl; charset=utf-8");
        let name = format!("attachment; filename=\"audit-{}.jsonl\"", acme.id);
        assert_eq!(answer.header("content-disposition"), name);
        let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert_eq!(lines, listed(&service, &member, query).await, "{query}");
    }
    let none = service.get(&member, &format!("{}/export?action=none", events(&member))).await;
    assert_eq!((none.status.as_u16(), none.body.len()), (200, 0));
}

#[tokio::test]
async fn a_download_is_in_every_format_as_the_library_writes_it() {
    let ocsf = Ocsf::new("shop", "Example");
    let service = Service::with_options(HttpOptions::default().with_ocsf(ocsf.clone()));
    let (acme, [member, ..]) = service.tenant("Acme").await;
    fill(&service, acme.id.into(), 3).await;
    let query = audit_core::EventQuery::new(acme.id);
    let all = service.store.page(&query).await.unwrap().events;
    for format in Format::ALL {
        let encoder = Encoder::new(format).with_ocsf(ocsf.clone());
        let mut expected = Vec::new();
        encoder.begin(&mut expected);
        for event in &all {
            encoder.write(event, &mut expected).unwrap();
        }
        let path = format!("{}/export?format={format}", events(&member));
        let answer = service.get(&member, &path).await;
        assert_eq!(answer.body, expected, "{format}");
        assert_eq!(answer.header("content-type"), format.media_type());
        assert!(
            answer.header("content-disposition").ends_with(&format!(".{}\"", format.extension()))
        );
    }
    let path = format!("{}/export?format=csv", events(&member));
    let plain = service.get(&member, &path).await.body;
    let marked = service.get(&member, &format!("{path}&bom=true")).await.body;
    assert_eq!(marked, [b"\xef\xbb\xbf", plain.as_slice()].concat());
}

#[tokio::test]
async fn a_download_is_for_those_who_may_list() {
    let service = Service::new();
    let (acme, [member, _, operator]) = service.tenant("Acme").await;
    let (_, [stranger, ..]) = service.tenant("Other").await;
    fill(&service, acme.id.into(), 1).await;
    let path = format!("{}/export", events(&member));
    service.send(request(Method::GET, &path, None, None)).await.expect(401);
    service.get(&stranger, &path).await.expect(404);
    service.get(&member, "/v1/platform/events/export").await.expect(403);
    assert_eq!(service.get(&operator, "/v1/platform/events/export").await.status, 200);
    let foreign = format!("{}/export", events(&stranger));
    assert_eq!(service.get(&operator, &foreign).await.status, 200);
    let last = service.get(&operator, "/v1/platform/events?limit=1").await.expect(200);
    assert_eq!(last["events"][0]["request"]["path"], foreign, "the read is recorded");
    for (query, field) in [
        ("format=xml", "format"),
        ("format=jsonl&bom=true", "bom"),
        ("bom=yes", "bom"),
        ("order=up", "order"),
        ("limit=3", "limit"),
        ("token=x", "token"),
        ("action=", "action"),
    ] {
        let refused = service.get(&member, &format!("{path}?{query}")).await.expect(400);
        assert_eq!(refused["field"], field, "{query}: {refused}");
    }
}

/// Takes the rest of a body piece by piece, as a connection does. Returns its size.
async fn taken(mut body: Body) -> Result<usize, axum::Error> {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        size += frame?.into_data().unwrap().len();
    }
    Ok(size)
}

#[tokio::test]
async fn a_download_ends_with_the_key_and_holds_one_piece_of_memory() {
    // Memory for one piece, and one turn to read.
    let options = HttpOptions::default().with_answer_memory(256 << 10).with_max_reads(1);
    let service = Service::with_options(options);
    let (acme, [member, admin, _]) = service.tenant("Acme").await;
    fill(&service, acme.id.into(), 500).await;
    let path = format!("{}/export", events(&member));
    let download = || async {
        let request = request(Method::GET, &path, Some(&member), None);
        service.router.clone().oneshot(request).await.unwrap()
    };
    let response = download().await;
    assert!(!response.headers().contains_key(header::CONTENT_LENGTH), "more than one piece");
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    // A client that has taken a part hinders nobody, and one that leaves ends its download.
    assert_eq!(service.get(&admin, &format!("{}?limit=1", events(&admin))).await.status, 200);
    drop(body);
    let size = taken(download().await.into_body()).await.unwrap();
    assert!(size > 1_000_000, "{size}");

    let mut body = download().await.into_body();
    body.frame().await.unwrap().unwrap();
    service.store.revoke_api_key(member.key.id, by()).await.unwrap();
    assert!(taken(body).await.is_err(), "the file is cut");
}
