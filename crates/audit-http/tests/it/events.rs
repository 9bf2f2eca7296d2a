//! The native API: append, look up, list, follow, and rejections.

use std::time::Duration;

use crate::common::{Key, Service, request, resolve};
use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, Facet, NewEvent, Scope, TenantStore as _, limits,
};
use audit_http::HttpOptions;
use axum::body::Body;
use axum::http::{Method, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

fn events(key: &Key) -> String {
    format!("/v1/organizations/{}/events", key.key.organization_id)
}

#[tokio::test]
async fn an_event_is_appended_once_and_read_back_equal() {
    let service = Service::new();
    let (_, [_, admin, _]) = service.tenant("Acme").await;
    let event = json!({
        "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "occurredAt": "2024-03-15T14:48:51.123456Z",
        "action": "invoice.paid", "category": "billing",
        "actor": {"kind": "user", "id": "u_7", "email": "ana@acme.example"},
        "targets": [{"type": "invoice", "id": "inv_9"}], "scope": {"surface": "cost"},
        "change": {"old": null, "diff": [{"field": "paid", "old": false, "new": true}]},
        "metadata": {"n": 9_007_199_254_740_993_u64, "nested": [{"a": null}]},
    });
    let first = service.post(&admin, &events(&admin), &event).await;
    let receipt = first.expect(201);
    assert_eq!(receipt["redelivered"], false);
    let location = resolve(&events(&admin), first.header("location"));
    let again = service.post(&admin, &events(&admin), &event).await.expect(200);
    assert_eq!(again["redelivered"], true);
    assert_eq!(again["sequence"], receipt["sequence"]);
    let mut read = service.get(&admin, &location).await.expect(200);
    let object = read.as_object_mut().unwrap();
    assert_eq!(object.remove("sequence"), Some(receipt["sequence"].clone()));
    assert_eq!(object.remove("recordedAt"), Some(receipt["recordedAt"].clone()));
    assert_eq!(object.remove("log"), Some(json!(admin.key.organization_id)));
    assert_eq!(object.remove("submittedBy"), Some(json!(admin.key.id)));
    assert_eq!(read, event);

    let mut other = event.clone();
    other["action"] = json!("invoice.refunded");
    let conflict = service.post(&admin, &events(&admin), &other).await;
    assert_eq!(conflict.expect(409)["status"], 409);
}

#[tokio::test]
async fn an_event_says_which_key_sent_it_and_whether_the_store_wrote_it() {
    let service = Service::new();
    let (acme, [member, admin, operator]) = service.tenant("Acme").await;
    // In anybody's name, and like an event of the store.
    let forged = json!({
        "action": "api_key.revoked", "actor": {"kind": "user", "id": "victim"},
        "targets": [{"type": "api_key", "id": member.key.id}],
    });
    let batch = json!({"events": [forged.clone()]});
    service.post(&admin, &events(&admin), &forged).await.expect(201);
    service.post(&admin, &format!("{}/batch", events(&admin)), &batch).await.expect(201);
    service.post(&operator, "/v1/platform/events", &forged).await.expect(201);
    for (field, value) in [("submittedBy", json!(member.key.id)), ("byStore", json!(true))] {
        let mut event = forged.clone();
        event[field] = value;
        let refused = service.post(&admin, &events(&admin), &event).await.expect(400);
        assert_eq!(refused["field"], field, "a caller cannot set it");
    }
    // Events of the store have the mark, and the key of the request that caused them.
    let name = json!({"name": "Umbrella"});
    let path = format!("/v1/organizations/{}", acme.id);
    service.put(Method::PATCH, &admin, &path, &name).await.expect(200);
    let foreign = service.organization("Other").await;
    let read = format!("/v1/organizations/{}/events", foreign.id);
    service.get(&operator, &read).await.expect(200);

    let own = service.get(&member, &format!("{}?order=sequence", events(&member))).await;
    let own = own.expect(200)["events"].clone();
    let platform = service.get(&operator, "/v1/platform/events?order=sequence").await;
    let platform = platform.expect(200)["events"].clone();
    let marks = |events: &Value| -> Vec<(String, Value, bool)> {
        let events = events.as_array().unwrap().iter();
        let mark = |event: &Value| {
            let action = event["action"].as_str().unwrap().to_owned();
            (action, event["submittedBy"].clone(), event["byStore"] == true)
        };
        events.map(mark).collect()
    };
    let expected = |action: &str, key: Option<&Key>, by_store| {
        (action.to_owned(), key.map_or(Value::Null, |key| json!(key.key.id)), by_store)
    };
    assert_eq!(
        marks(&own)[..4],
        [
            expected("organization.created", None, true),
            expected("api_key.created", None, true),
            expected("api_key.created", None, true),
            expected("api_key.created", None, true),
        ]
    );
    assert_eq!(
        marks(&own)[4..],
        [
            expected("api_key.revoked", Some(&admin), false),
            expected("api_key.revoked", Some(&admin), false),
            expected("organization.updated", Some(&admin), true),
        ]
    );
    assert_eq!(
        marks(&platform)[4..7],
        [
            expected("api_key.revoked", Some(&operator), false),
            expected("organization.updated", Some(&admin), true),
            expected("organization.created", None, true),
        ]
    );
    let reads = &marks(&platform)[7];
    assert_eq!((&reads.1, reads.2), (&json!(operator.key.id), false), "a read names its key");
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let service = Service::new();
    let (acme, [member, admin, _]) = service.tenant("Acme").await;
    let path = format!("{}/batch", events(&admin));
    let good = json!({"action": "a.b", "actor": {"kind": "user"}});
    let bad = json!({"action": "a.b", "actor": {"kind": ""}});
    let before = service.store.head(acme.id.into()).await.unwrap().size;
    let answer = service.post(&admin, &path, &json!({"events": [good, bad]})).await.expect(400);
    assert_eq!(answer["field"], "events[1].actor.kind");
    service.post(&member, &path, &json!({"events": [good]})).await.expect(403);
    let many = vec![good.clone(); limits::MAX_BATCH_EVENTS + 1];
    let answer = service.post(&admin, &path, &json!({"events": many})).await.expect(400);
    assert_eq!(answer["field"], "events");
    assert_eq!(service.store.head(acme.id.into()).await.unwrap().size, before);
    let answer = service.post(&admin, &path, &json!({"events": [good, good]})).await.expect(201);
    assert_eq!(answer["receipts"].as_array().unwrap().len(), 2);
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn every_filter_of_the_model_is_a_parameter() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let set = uuid::Uuid::now_v7();
    let scope =
        Scope::default().service("v").product("v").config("v").environment("v").surface("v");
    let actor = Actor::new("v").id("v").email("v").ip("v").session_id("v");
    let trace_id = TRACE.parse().unwrap();
    let mut event = NewEvent::new("v", actor.on_behalf_of(Actor::user("v")))
        .category("v")
        .outcome(audit_core::Outcome::new("v"))
        .severity("v")
        .request_id("v")
        .trace(audit_core::Trace::new(trace_id))
        .source("v", "v")
        .attribute("v", "v")
        .target("v", "v")
        .scope(scope)
        .change_set_id(set);
    event.organization = Some(audit_core::OrganizationRef::new("v"));
    let wanted = event.id.to_string();
    service.store.record(acme.id, event).await.unwrap();
    for facet in Facet::ALL {
        let (name, value) = match facet {
            Facet::ChangeSet => ("changeSetId", set.to_string().to_uppercase()),
            Facet::Attribute | Facet::Source | Facet::Target => (facet.name(), "v=v".to_owned()),
            Facet::Trace => ("traceId", TRACE.to_uppercase()),
            other => (other.name(), "v".to_owned()),
        };
        let none = match facet {
            Facet::Attribute | Facet::Source | Facet::Target => "none=v",
            Facet::Trace => "0000000000000000000000000000000f",
            _ => &*uuid::Uuid::nil().to_string(),
        };
        let path = format!("{}?{name}={value}&{name}={none}", events(&member));
        let page = service.get(&member, &path).await.expect(200);
        let ids: Vec<_> = page["events"].as_array().unwrap().iter().map(|e| &e["id"]).collect();
        assert_eq!(ids, [&json!(wanted)], "{name}");
    }
}

#[tokio::test]
async fn a_walk_continues_by_token_in_every_order() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let events_ = (0..25).map(|n| NewEvent::new("a.b", Actor::user(n.to_string())));
    service.store.append(acme.id.into(), events_.collect()).await.unwrap();
    for order in ["newest", "oldest", "sequence"] {
        let path = format!("{}?order={order}&action=a.*&limit=7&total=true", events(&member));
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let page = service.get(&member, &format!("{path}{next}")).await.expect(200);
            assert_eq!((&page["total"], &page["size"]), (&json!(25), &json!(29)));
            seen.extend(
                page["events"].as_array().unwrap().iter().map(|e| e["sequence"].as_u64().unwrap()),
            );
            match page["next"].as_str() {
                Some(token) => next = format!("&token={token}"),
                None => break,
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (5..=29).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_page_can_be_around_an_event_and_pages_go_back() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let all = (0..25).map(|n| NewEvent::new("a.b", Actor::user(n.to_string())));
    let receipts = service.store.append(acme.id.into(), all.collect()).await.unwrap();
    let (id, sequence) = (receipts[12].id, receipts[12].sequence);
    let page = async |parameters: String| {
        let path = format!("{}?order=oldest&action=a.*&limit=5{parameters}", events(&member));
        let page = service.get(&member, &path).await.expect(200);
        let numbers = page["events"].as_array().unwrap().iter().map(|e| e["sequence"].as_u64());
        (numbers.collect::<Option<Vec<_>>>().unwrap(), page["previous"].clone(), page)
    };
    let (by_id, previous, body) = page(format!("&around={id}")).await;
    let (by_sequence, ..) = page(format!("&around={sequence}")).await;
    assert_eq!(by_id, by_sequence);
    assert!(by_id.len() == 5 && by_id.contains(&sequence.get()), "{by_id:?}");
    let (before, further, _) = page(format!("&token={}", previous.as_str().unwrap())).await;
    let (after, back, _) = page(format!("&token={}", body["next"].as_str().unwrap())).await;
    let walked: Vec<_> = [before, by_id.clone(), after].concat();
    assert!(walked.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{walked:?}");
    let (again, ..) = page(format!("&token={}", back.as_str().unwrap())).await;
    assert_eq!(again, by_id, "back on the page around the event");
    assert!(further.is_string());
    let (_, first, _) = page(String::new()).await;
    assert!(first.is_null(), "the first page has no previous one");
    for (parameters, field) in [("around=x", "around"), ("around=3&offset=1", "offset")] {
        let answer = service.get(&member, &format!("{}?{parameters}", events(&member))).await;
        assert_eq!(answer.expect(400)["field"], field);
    }
}

#[tokio::test]
async fn an_error_names_the_field() {
    let service = Service::new();
    let many = (0..=limits::MAX_FILTER_VALUES)
        .fold(String::new(), |all, n| all + &format!("&actorId={n}"));
    let (_, [_, admin, _]) = service.tenant("Acme").await;
    for (query, field) in [
        ("unknown=1", "unknown"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=1&limit=2", "limit"),
        ("order=up", "order"),
        ("total=yes", "total"),
        ("since=now", "since"),
        ("since=2024-03-16&until=2024-03-15", "until"),
        ("since=2024-03-15T12:00:00Z&until=2024-03-15T12:00:00Z", "until"),
        ("since=2300-01-01", "since"),
        ("outcome=", "outcome"),
        ("attribute==pro", "attribute"),
        ("changeSetId=x", "changeSetId"),
        ("offset=-1", "offset"),
        ("actorId=%ff", "actorId"),
        (&format!("action={}", "x".repeat(257)), "action"),
        ("action=", "action"),
        ("action=a.b&actorEmail=", "actorEmail"),
        ("namedOrganizationId", "namedOrganizationId"),
        (&many, "actorId"),
    ] {
        let answer = service.get(&admin, &format!("{}?{query}", events(&admin))).await;
        let problem = answer.expect(400);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(problem["field"], field, "{problem}");
    }
    let token = service.get(&admin, &format!("{}?limit=1", events(&admin))).await.expect(200);
    let token = token["next"].as_str().unwrap();
    let mut refusals = Vec::new();
    for query in [
        format!("token={token}&actorId=x"),
        format!("token={token}&order=oldest"),
        "token=x".into(),
    ] {
        let answer = service.get(&admin, &format!("{}?{query}", events(&admin))).await.expect(409);
        refusals.push((answer["detail"].clone(), answer["field"].clone()));
    }
    assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{refusals:?}");
    for (body, status) in [
        (r#"{"action": "a", "action": "b", "actor": {"kind": "user"}}"#, 400),
        (r#"{"action": "a", "actor": {"kind": "user"}, "x": 1}"#, 400),
        (
            r#"{"action": "a", "actor": {"kind": "user"}, "metadata": {"n": 123456789012345678901234567890}}"#,
            400,
        ),
        (r#"{"action": "a", "actor": {"kind": "user"}, "metadata": {"n": 1e300}}"#, 400),
        (r#"{"action": "\ud800", "actor": {"kind": "user"}}"#, 400),
        (r#"{"action": "a", "actor": ["user"]}"#, 400),
        ("", 400),
        ("[]", 400),
        (&"[".repeat(1_000_000), 400),
        (
            &format!(
                r#"{{"action": "a", "actor": {{"kind": "user"}}, "metadata": {{"x": {}}}}}"#,
                "[".repeat(100) + &"]".repeat(100)
            ),
            400,
        ),
    ] {
        let mut request = request(Method::POST, &events(&admin), Some(&admin), Some(&json!(0)));
        *request.body_mut() = Body::from(body.to_owned());
        let answer = service.send(request).await;
        assert_eq!(answer.status, status, "{}", &body[..body.len().min(100)]);
        answer.json();
    }
    let mut request = request(Method::POST, &events(&admin), Some(&admin), Some(&json!({})));
    request.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    service.send(request).await.expect(415);
}

#[tokio::test]
async fn a_feed_waits_for_new_events_and_continues_by_token() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let path = format!("{}/follow?action=a.*", events(&member));
    let page = service.get(&member, &path).await.expect(200);
    assert_eq!((&page["events"], &page["caughtUp"]), (&json!([]), &json!(true)));
    let token = page["token"].as_str().unwrap().to_owned();
    let append = async {
        for action in ["other", "a.b"] {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let event = NewEvent::new(action, Actor::user("u"));
            service.store.record(acme.id, event).await.unwrap();
        }
    };
    let path = format!("{path}&wait=8&token={token}");
    let (answer, ()) = tokio::join!(service.get(&member, &path), append);
    let page = answer.expect(200);
    assert_eq!(
        page["events"][0]["action"], "a.b",
        "an event that does not match does not end the wait"
    );
    let next = page["token"].as_str().unwrap();
    let path = format!("{}/follow?action=a.*&token={next}", events(&member));
    assert_eq!(service.get(&member, &path).await.expect(200)["events"], json!([]));
    for (query, field) in
        [("wait=9", "wait"), ("start=x", "start"), ("start=-1", "start"), ("order=newest", "order")]
    {
        let path = format!("{}/follow?{query}", events(&member));
        assert_eq!(service.get(&member, &path).await.expect(400)["field"], field);
    }
    let path = format!("{}/follow?start=1000", events(&member));
    service.get(&member, &path).await.expect(409);
}

/// Reads the message with which a stream without events begins. Returns its id.
async fn first_id(body: &mut Body) -> String {
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let text = std::str::from_utf8(&frame).unwrap();
    let id = text.strip_prefix("id:").and_then(|rest| rest.strip_suffix("\n\n"));
    id.expect("an id alone").trim().to_owned()
}

/// Reads `count` server-sent events. Returns their ids and data.
async fn read_stream(body: Body, count: usize) -> Vec<(String, Value)> {
    let (mut body, mut text) = (body, String::new());
    loop {
        let parts: Vec<_> = text.split("\n\n").filter(|part| part.contains("data:")).collect();
        if parts.len() >= count && text.ends_with("\n\n") {
            let field = |part: &str, name: &str| {
                let line = part.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap().trim().to_owned()
            };
            let event = |part: &&str| {
                assert_eq!(field(part, "event:"), "audit-event");
                (field(part, "id:"), serde_json::from_str(&field(part, "data:")).unwrap())
            };
            return parts.iter().take(count).map(event).collect();
        }
        let frame = body.frame().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn a_stream_sends_new_events_and_resumes_after_the_last_id() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let open = async |query: &str, last: Option<&str>| {
        let path = format!("{}/follow?{query}", events(&member));
        let mut request = request(Method::GET, &path, Some(&member), None);
        request.headers_mut().insert(header::ACCEPT, "text/event-stream".parse().unwrap());
        if let Some(last) = last {
            request.headers_mut().insert("Last-Event-ID", last.parse().unwrap());
        }
        service.router.clone().oneshot(request).await.unwrap()
    };
    let stream = open("action=a.*&start=now", None).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let append = async |range: std::ops::Range<u32>| {
        for n in range {
            let action = if n % 2 == 0 { "a.b" } else { "other" };
            let event = NewEvent::new(action, Actor::user(n.to_string()));
            service.store.record(acme.id, event).await.unwrap();
        }
    };
    let mut body = stream.into_body();
    let begun = first_id(&mut body).await;
    let numbers = |seen: &[(String, Value)]| -> Vec<_> {
        seen.iter().map(|(_, event)| event["sequence"].as_u64().unwrap()).collect()
    };
    let (seen, ()) = tokio::join!(read_stream(body, 3), append(0..6));
    assert_eq!(numbers(&seen), [5, 7, 9]);

    append(6..10).await; // while no client is connected
    for (last, expected) in
        [(&begun, [5, 7, 9]), (&seen[0].0, [7, 9, 11]), (&seen[2].0, [11, 13, 15])]
    {
        let stream = open("action=a.*&start=now", Some(last)).await;
        let (seen, ()) = tokio::join!(read_stream(stream.into_body(), 3), append(10..12));
        assert_eq!(numbers(&seen), expected, "each event is sent once");
    }
    let poll = format!("{}/follow?action=a.*&token={}", events(&member), seen[2].0);
    let polled = service.get(&member, &poll).await.expect(200);
    assert_eq!(polled["events"][0]["sequence"], 11, "an id is a token of the feed");
    for (query, last) in [("action=a.*", "x"), ("action=a.*", "9"), ("", begun.as_str())] {
        assert_eq!(open(query, Some(last)).await.status(), 409, "{last}");
    }
    assert_eq!(open("wait=3", None).await.status(), 400);
}

#[tokio::test]
async fn places_of_a_lost_history_are_rejected_everywhere() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let append = async |service: &Service, count: u32| {
        for _ in 0..count {
            let event = NewEvent::new("a.b", Actor::user("u"));
            service.store.record(acme.id, event).await.unwrap();
        }
    };
    append(&service, 5).await;
    let restored = service.fork();
    append(&service, 9).await;
    let (list, trails) = (
        format!("{}?limit=2", events(&member)),
        format!("/api/v1.0/organizations/{}/audit-trails", acme.id),
    );
    let text = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
    let walk = text(&service.get(&member, &list).await.expect(200), "next");
    let feed = text(
        &service.get(&member, &format!("{}/follow?start=now", events(&member))).await.expect(200),
        "token",
    );
    let trail = text(&service.get(&member, &trails).await.expect(200), "continuationToken");
    for grown in [0, 4, 30] {
        append(&restored, grown).await;
        for path in [
            format!("{list}&token={walk}"),
            format!("{}/follow?token={feed}", events(&member)),
            format!("{trails}?continuationToken={trail}"),
        ] {
            let refused = restored.get(&member, &path).await.expect(409);
            let detail = text(&refused, "detail");
            assert!(detail.contains("the history of the log has changed"), "{detail}");
        }
        let mut request =
            request(Method::GET, &format!("{}/follow", events(&member)), Some(&member), None);
        request.headers_mut().insert(header::ACCEPT, "text/event-stream".parse().unwrap());
        request.headers_mut().insert("Last-Event-ID", feed.parse().unwrap());
        let refused = restored.router.clone().oneshot(request).await.unwrap();
        assert_eq!(refused.status(), 409, "a stream is rejected before it begins");
    }
}

#[tokio::test]
async fn a_stream_ends_after_its_time() {
    let options = HttpOptions::default().with_stream_duration(Duration::from_millis(50));
    let service = Service::with_options(options);
    let (_, [member, ..]) = service.tenant("Acme").await;
    let path = format!("{}/follow", events(&member));
    let mut request = request(Method::GET, &path, Some(&member), None);
    request.headers_mut().insert(header::ACCEPT, "text/event-stream".parse().unwrap());
    // `send` reads the body to its end.
    let answer = service.send(request).await;
    assert_eq!(String::from_utf8(answer.body).unwrap().matches("data:").count(), 4);
}

#[tokio::test]
async fn super_admins_manage_organizations() {
    let service = Service::new();
    let (acme, [_, admin, root]) = service.tenant("Acme").await;
    let path = "/v1/platform/organizations";
    service.get(&admin, path).await.expect(403);
    let body = json!({"name": "New", "externalId": "x", "settings": {"a": [1]}});
    let created = service.post(&root, path, &body).await.expect(201);
    assert_eq!(created["createdBy"], "super-admin@acme.com");
    let one = format!("{path}/{}", created["id"].as_str().unwrap());
    assert_eq!(service.get(&root, &one).await.expect(200), created);
    let update = json!({"name": "Newer", "addEndpoints": [{"id": "e"}]});
    let updated = service.put(Method::PATCH, &root, &one, &update).await.expect(200);
    assert_eq!((&updated["name"], &updated["settings"]), (&json!("Newer"), &json!({"a": [1]})));
    service.put(Method::PATCH, &root, &one, &json!({"settings": null})).await.expect(400);

    let first = service.get(&root, &format!("{path}?limit=1")).await.expect(200);
    assert_eq!(first["organizations"][0]["id"], json!(acme.id));
    let next = format!("{path}?limit=1&after={}", first["next"].as_str().unwrap());
    assert_eq!(service.get(&root, &next).await.expect(200)["organizations"][0], updated);

    service.put(Method::DELETE, &root, &one, &json!({})).await.expect(204);
    service.get(&root, &one).await.expect(404);
    let again = json!({"id": created["id"], "name": "Again"});
    assert_eq!(service.post(&root, path, &again).await.expect(409)["field"], "id");
    let log = format!("/v1/organizations/{}/events?total=true", created["id"].as_str().unwrap());
    assert_eq!(service.get(&root, &log).await.expect(200)["total"], 3);
}

#[tokio::test]
async fn a_redelivered_event_without_a_time_is_recognized() {
    let service = Service::new();
    let (_, [_, admin, _]) = service.tenant("Acme").await;
    let event = |action: &str| {
        let id = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
        json!({"id": id, "action": action, "actor": {"kind": "user"}})
    };
    let first = service.post(&admin, &events(&admin), &event("a")).await.expect(201);
    let again = service.post(&admin, &events(&admin), &event("a")).await.expect(200);
    assert_eq!(again["sequence"], first["sequence"]);
    service.post(&admin, &events(&admin), &event("b")).await.expect(409);
    let mut timed = event("a");
    timed["occurredAt"] = json!("2024-03-15T14:48:51Z");
    service.post(&admin, &events(&admin), &timed).await.expect(409);

    let batch = format!("{}/batch", events(&admin));
    let other = json!({"id": uuid::Uuid::now_v7(), "action": "c", "actor": {"kind": "user"}});
    let body = json!({"events": [other, event("a"), other]});
    let receipts = service.post(&admin, &batch, &body).await.expect(201);
    let redelivered: Vec<_> =
        receipts["receipts"].as_array().unwrap().iter().map(|r| r["redelivered"].clone()).collect();
    assert_eq!(redelivered, [json!(false), json!(true), json!(true)]);
    service.post(&admin, &batch, &body).await.expect(200);
}

#[tokio::test]
async fn a_batch_can_have_ten_thousand_events_of_several_objects_each() {
    let service = Service::new();
    let (_, [_, admin, _]) = service.tenant("Acme").await;
    let event = json!({
        "action": "invoice.paid", "actor": {"kind": "user", "id": "u_1"},
        "targets": [{"type": "invoice", "id": "i_1"}, {"type": "account", "id": "a_1"}],
        "scope": {"service": "billing"}, "message": {"text": "Ana paid invoice 1"},
        "change": {"diff": [{"field": "state", "old": "open", "new": "paid"}]},
        "request": {"method": "POST", "path": "/invoices/1/pay"},
        "metadata": {"amount": {"value": 100, "currency": "EUR"}},
    });
    let body = json!({"events": vec![event; 10_000]});
    let size = body.to_string().len();
    assert!((3 << 20..4 << 20).contains(&size), "{size}");
    let batch = format!("{}/batch", events(&admin));
    let receipts = service.post(&admin, &batch, &body).await.expect(201);
    assert_eq!(receipts["receipts"].as_array().unwrap().len(), 10_000);
}

#[tokio::test]
async fn bodies_that_expand_in_memory_are_rejected_and_pages_are_bounded() {
    let service = Service::new();
    let (acme, [member, admin, _]) = service.tenant("Acme").await;
    let bomb = vec![json!({"": 0}); 250_000];
    let event = json!({"action": "a", "actor": {"kind": "user"}, "metadata": {"x": bomb}});
    service.post(&admin, &events(&admin), &event).await.expect(413);
    let key = "k".repeat(1_000_000);
    let refused = service.post(&admin, &events(&admin), &json!({key: 1})).await;
    refused.expect(400);
    assert!(refused.body.len() < 5_000, "the response does not repeat the request");

    let large = (0..10).map(|n| {
        NewEvent::new("large", Actor::user(n.to_string()))
            .metadata("x", "x".repeat(600_000))
            .scope(Scope::default().surface("cost"))
    });
    service.store.append(acme.id.into(), large.collect()).await.unwrap();
    let mut path = format!("{}?action=large&total=true", events(&member));
    let mut sizes = Vec::new();
    loop {
        let page = service.get(&member, &path).await.expect(200);
        assert_eq!(page["total"], 10);
        sizes.push(page["events"].as_array().unwrap().len());
        let Some(token) = page["next"].as_str() else { break };
        path = format!("{}?action=large&total=true&token={token}", events(&member));
    }
    assert_eq!(sizes, [2; 5], "each page ends at a mebibyte");
    // A page with an offset ends only at its limit.
    let page =
        service.get(&member, "/api/audit-logs?include=cost&limit=7&page=2").await.expect(200);
    assert_eq!(
        (page["data"].as_array().unwrap().len(), &page["pagination"]["total"]),
        (3, &json!(10))
    );
    let page = service.get(&member, "/api/audit-logs?include=cost&limit=7").await.expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn a_stream_ends_when_its_key_is_revoked_or_its_organization_deleted() {
    let service = Service::new();
    for revoke in [true, false] {
        let (acme, [member, ..]) = service.tenant("Acme").await;
        let path = format!("{}/follow?start=now", events(&member));
        let mut request = request(Method::GET, &path, Some(&member), None);
        request.headers_mut().insert(header::ACCEPT, "text/event-stream".parse().unwrap());
        let stream = service.router.clone().oneshot(request).await.unwrap();
        if revoke {
            service.store_revoke(&member).await;
        } else {
            service.store.delete_organization(acme.id, crate::common::by()).await.unwrap();
        }
        service.store.record(acme.id, NewEvent::new("secret", Actor::user("u"))).await.unwrap();
        let body = stream.into_body().collect().await.unwrap().to_bytes();
        assert!(
            !String::from_utf8_lossy(&body).contains("secret"),
            "an event was sent after the end"
        );
    }
}

#[tokio::test]
async fn the_streams_of_a_caller_are_limited_and_take_no_place_for_work() {
    let service = Service::with_options(HttpOptions::default().with_max_requests_per_caller(1));
    let (_, [member, admin, _]) = service.tenant("Acme").await;
    let path = format!("{}/follow?start=now", events(&member));
    let stream = |key: &Key| {
        let mut stream = request(Method::GET, &path, Some(key), None);
        stream.headers_mut().insert(header::ACCEPT, "text/event-stream".parse().unwrap());
        stream
    };
    let first = service.router.clone().oneshot(stream(&member)).await.unwrap();
    assert_eq!(first.status(), 200);
    let refused = service.send(stream(&member)).await;
    refused.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(service.router.clone().oneshot(stream(&admin)).await.unwrap().status(), 200);
    service.get(&member, &events(&member)).await.expect(200);
    drop(first);
    assert_eq!(service.router.clone().oneshot(stream(&member)).await.unwrap().status(), 200);
}
