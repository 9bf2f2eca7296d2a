//! Statements about several contracts, and those that no other file tests.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Answer, Key, Service, by, request};
use audit_contracts::audit_log_items::AuditLogType;
use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, Error, ErrorKind, Log, NewApiKey, NewEvent,
    NewOrganization, OrganizationId, Role, Scope, TenantStore as _, TokenKeys,
};
use audit_http::{ApiKeyAuthenticator, Authenticator, HttpOptions, Principal};
use audit_memory::{MemoryOptions, MemoryStore};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, header};
use futures_util::stream;
use serde_json::{Value, json};

const CONTEXT: &str = "af5fbd30-7ce7-4548-8b30-4cd59cb2aba1";

/// Returns the path of the list of each contract, A to E.
fn lists(id: impl std::fmt::Display) -> [(char, String); 5] {
    [
        ('A', format!("/v1/organizations/{id}/activities")),
        ('B', format!("/v1/organizations/{id}/auditlogs")),
        ('C', format!("/api/v1.0/organizations/{id}/audit-trails")),
        ('D', "/api/audit-logs".to_owned()),
        ('E', "/super-admins/audit-logs".to_owned()),
    ]
}

async fn send(service: &Service, method: Method, key: Option<&Key>, path: &str) -> Answer {
    let mut request = request(method, path, key, None);
    request.headers_mut().insert("SlashID-OrgID", CONTEXT.parse().unwrap());
    service.send(request).await
}

async fn get(service: &Service, key: &Key, path: &str) -> Answer {
    send(service, Method::GET, Some(key), path).await
}

async fn send_raw(service: &Service, method: Method, key: &Key, path: &str, body: Body) -> Answer {
    let mut request = request(method, path, Some(key), Some(&json!(0)));
    *request.body_mut() = body;
    service.send(request).await
}

/// Checks the status and that the body has the form of the contract's errors.
#[track_caller]
fn assert_refused(contract: char, answer: &Answer, status: u16) {
    let body = answer.expect(status);
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let (media, said) = match contract {
        'A' => {
            assert_eq!(keys, ["error", "requestId", "status"]);
            assert_eq!(body["status"], status);
            ("application/json", &body["error"])
        }
        'B' | 'C' => {
            let members = keys.iter().filter(|key| contract == 'C' || **key != "field");
            let members: Vec<_> = members.copied().collect();
            assert_eq!(members, ["detail", "instance", "status", "title", "type"]);
            assert_eq!(body["status"], status);
            ("application/problem+json", &body["detail"])
        }
        'D' => {
            assert_eq!(body, json!({"error": {"message": body["error"]["message"]}}));
            ("application/json", &body["error"]["message"])
        }
        _ => {
            let errors = json!([{"httpcode": status, "message": body["errors"][0]["message"]}]);
            let none = json!({"pagination": {"limit": 0, "offset": 0, "total_count": 0}});
            assert_eq!(body, json!({"meta": none, "errors": errors}));
            ("application/json", &body["errors"][0]["message"])
        }
    };
    assert_eq!(answer.header("content-type"), media, "{contract}");
    assert!(said.as_str().is_some_and(|text| !text.is_empty()), "{contract}: {body}");
}

#[tokio::test]
async fn a_missing_key_and_a_wrong_method_are_rejected_in_each_contracts_form() {
    let service = Service::new();
    let (acme, [.., root]) = service.tenant("Acme").await;
    for (contract, path) in lists(acme.id) {
        let answer = send(&service, Method::GET, None, &path).await;
        assert_refused(contract, &answer, 401);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("Basic") && challenge.contains("Bearer"), "{challenge}");
        let answer = send(&service, Method::DELETE, Some(&root), &path).await;
        assert_refused(contract, &answer, 405);
        assert_eq!(answer.header("allow"), "GET,HEAD");
    }
}

#[tokio::test]
async fn too_many_requests_are_429_in_every_contract() {
    let service = Service::with_options(HttpOptions::default().with_rate_limit(1));
    let (acme, [.., root]) = service.tenant("Acme").await;
    for (contract, path) in lists(acme.id) {
        let mut answer = get(&service, &root, &path).await;
        for _ in 0..1_000 {
            if answer.status == 429 {
                break;
            }
            assert_ne!(answer.header("x-rate-limit-reset"), "", "the header is in every response");
            answer = get(&service, &root, &path).await;
        }
        assert_refused(contract, &answer, 429);
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.header("x-rate-limit-remaining"), "0");
    }
}

/// Fails to authenticate, as with a store that fails.
#[derive(Debug)]
struct Failing(ErrorKind);

#[async_trait::async_trait]
impl Authenticator for Failing {
    async fn authenticate(&self, _: &Parts) -> audit_core::Result<Option<Principal>> {
        Err(Error::new(self.0))
    }
}

#[tokio::test]
async fn a_store_that_fails_is_5xx_in_every_contract() {
    for (kind, status, retry) in [
        (ErrorKind::StorageFull, 507, "1"),
        (ErrorKind::Unavailable, 503, "1"),
        (ErrorKind::ReadOnly, 503, ""),
        (ErrorKind::Corrupt, 500, ""),
    ] {
        let store = MemoryStore::new().unwrap();
        let service = Service::over(store, Arc::new(Failing(kind)), HttpOptions::default());
        for (contract, path) in lists(OrganizationId::new()) {
            let answer = send(&service, Method::GET, None, &path).await;
            assert_refused(contract, &answer, status);
            assert_eq!(answer.header("retry-after"), retry, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn bodies_are_complete_json_within_size_and_time() {
    let options = HttpOptions::default()
        .with_max_body(1_000)
        .with_request_timeout(Duration::from_millis(100));
    let service = Service::with_options(options);
    let (acme, [_, admin, _]) = service.tenant("Acme").await;
    for (contract, method, path) in [
        ('A', Method::PATCH, format!("/v1/organizations/{}", acme.id)),
        ('D', Method::POST, "/api/organisations".to_owned()),
        ('D', Method::PUT, "/api/organisation".to_owned()),
    ] {
        let named = json!({"name": "n"});
        let mut plain = request(method.clone(), &path, Some(&admin), Some(&named));
        plain.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        assert_refused(contract, &service.send(plain).await, 415);
        let long = json!({"name": "n".repeat(1_000)});
        let answer = service.put(method.clone(), &admin, &path, &long).await;
        assert_refused(contract, &answer, 413);
        let never = stream::pending::<Result<String, std::io::Error>>();
        let answer =
            send_raw(&service, method.clone(), &admin, &path, Body::from_stream(never)).await;
        assert_refused(contract, &answer, 408);
        for cut in ["", "{", r#"{"name": "a", "name": "b"}"#, "{\"name\": \"\u{fffd}"] {
            let answer = send_raw(&service, method.clone(), &admin, &path, Body::from(cut)).await;
            assert_refused(contract, &answer, 400);
        }
    }
    assert_eq!(service.store.organization(acme.id).await.unwrap(), acme);
}

#[tokio::test]
async fn numbers_in_bodies_are_from_minus_2_63_to_2_64_minus_1() {
    let service = Service::new();
    let (_, [_, admin, _]) = service.tenant("Acme").await;
    for (number, status) in [
        ("-9223372036854775808", 200),
        ("18446744073709551615", 200),
        ("0.1", 200),
        ("1.8e19", 200),
        ("-9.3e18", 400),
        ("1.9e19", 400),
        ("1e300", 400),
        ("-9223372036854775809", 400),
        ("18446744073709551616", 400),
    ] {
        let body = format!(r#"{{"settings": {{"n": [{number}]}}}}"#);
        let answer =
            send_raw(&service, Method::PUT, &admin, "/api/organisation", Body::from(body)).await;
        assert_eq!(answer.status, status, "{number}");
    }
}

#[tokio::test]
async fn a_malformed_id_is_404_like_an_unknown_one() {
    let service = Service::new();
    let (acme, [_, admin, _]) = service.tenant("Acme").await;
    let answered = async |contract: char, path: &str| {
        let answer = get(&service, &admin, path).await;
        assert_refused(contract, &answer, 404);
        let mut body = answer.json();
        for own in ["requestId", "instance"] {
            body.as_object_mut().unwrap().remove(own);
        }
        body
    };
    let unknown = OrganizationId::new().to_string();
    let simple = unknown.replace('-', "");
    for (n, (contract, path)) in lists(&unknown)[..3].iter().enumerate() {
        let expected = answered(*contract, path).await;
        for id in ["acme", "%20", &simple, &format!("org_{simple}")] {
            let (_, path) = &lists(id)[n];
            assert_eq!(answered(*contract, path).await, expected, "{path}");
        }
    }
    let activity = format!("/v1/organizations/{}/activities", acme.id);
    let expected = answered('A', &format!("{activity}/{unknown}")).await;
    assert_eq!(answered('A', &format!("{activity}/%2F%00")).await, expected);
}

#[tokio::test]
async fn an_unknown_parameter_is_ignored_except_by_the_native_api() {
    let service = Service::new();
    let (acme, [.., root]) = service.tenant("Acme").await;
    for (_, path) in lists(acme.id) {
        get(&service, &root, &format!("{path}?unknown=1")).await.expect(200);
    }
    let events = format!("/v1/organizations/{}/events", acme.id);
    for path in [
        &events,
        &format!("{events}/follow"),
        "/v1/platform/events",
        "/v1/platform/events/follow",
        "/v1/platform/organizations",
    ] {
        let answer = get(&service, &root, &format!("{path}?unknown=1")).await;
        assert_eq!(answer.expect(400)["field"], "unknown");
    }
}

#[tokio::test]
async fn checks_are_in_the_order_401_404_403_400() {
    let service = Service::new();
    let (acme, [member, admin, _]) = service.tenant("Acme").await;
    let (other, _) = service.tenant("Other").await;
    let [own, foreign] = [acme.id, other.id].map(|id| format!("/v1/organizations/{id}"));
    let bad = json!({"name": 7});
    let patch = async |key: Option<&Key>, path: &str| {
        service.send(request(Method::PATCH, path, key, Some(&bad))).await.status.as_u16()
    };
    assert_eq!(patch(None, &foreign).await, 401);
    assert_eq!(patch(Some(&member), &foreign).await, 404);
    assert_eq!(patch(Some(&member), &own).await, 403);
    assert_eq!(patch(Some(&admin), &own).await, 400);
    for (contract, query) in [("activities", "limit=0"), ("auditlogs", "productId=x")] {
        get(&service, &member, &format!("{foreign}/{contract}?{query}")).await.expect(404);
        get(&service, &member, &format!("{own}/{contract}?{query}")).await.expect(400);
    }
    service.put(Method::PUT, &member, "/api/organisation", &bad).await.expect(403);
    service.put(Method::PUT, &admin, "/api/organisation", &bad).await.expect(400);
    let path = "/super-admins/audit-logs?limit=0";
    service.send(request(Method::GET, path, Some(&admin), None)).await.expect(403);
    let mut plain = request(Method::PATCH, &foreign, Some(&member), Some(&bad));
    plain.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    service.send(plain).await.expect(404);
    // Except for invalid UTF-8, which is rejected first.
    get(&service, &member, &format!("{foreign}/activities?limit=%ff")).await.expect(400);
    get(&service, &member, "/v1/organizations/%ff").await.expect(400);
}

#[tokio::test]
async fn a_token_of_a_longer_log_is_409() {
    let secret = TokenKeys::generate_secret().unwrap();
    let id = OrganizationId::new();
    let copy = async |events: u32| {
        let options = MemoryOptions::default().with_token_keys(TokenKeys::from_secret(secret));
        let store = MemoryStore::with_options(options).unwrap();
        store.create_organization(NewOrganization::new("Acme").id(id), by()).await.unwrap();
        let new = NewApiKey::new(id, Role::Member, "ana@acme.com");
        let (key, secret) = store.create_api_key(new, by()).await.unwrap();
        let events = (0..events).map(|n| NewEvent::new("a.b", Actor::user(n.to_string())));
        store.append(id.into(), events.collect()).await.unwrap();
        let keys = ApiKeyAuthenticator::new(store.clone());
        (Service::over(store, keys, HttpOptions::default()), Key { key, secret })
    };
    let ((whole, its_key), (restored, key)) = (copy(3).await, copy(1).await);
    let [_, _, (contract, path), ..] = lists(id);
    let page = get(&whole, &its_key, &path).await.expect(200);
    let next = format!("{path}?continuationToken={}", page["continuationToken"].as_str().unwrap());
    get(&whole, &its_key, &next).await.expect(200);
    assert_refused(contract, &get(&restored, &key, &next).await, 409);
}

#[tokio::test]
async fn lists_have_the_default_limit_of_their_contract() {
    let service = Service::new();
    let (acme, [.., root]) = service.tenant("Acme").await;
    for log in [acme.id.into(), Log::Platform] {
        let events = (0..1_001).map(|n| NewEvent::new("a.b", Actor::user(n.to_string())));
        service.store.append(log, events.collect()).await.unwrap();
    }
    let count = async |path: &str, at: &str| {
        let body = get(&service, &root, path).await.expect(200);
        let rows = body.pointer(at).and_then(Value::as_array).expect("a list").len();
        (rows, body)
    };
    let [activities, items, trails, logs, admins] = lists(acme.id).map(|(_, path)| path);
    assert_eq!(count(&activities, "/result").await.0, 100);
    assert_eq!(count(&format!("{activities}?limit=1000"), "/result").await.0, 1_000);
    assert_eq!(count(&items, "").await.0, 1_000);
    assert_eq!(count(&trails, "/responseData").await.0, 99);
    assert_eq!(count(&logs, "/data").await.0, 50);
    assert_eq!(count(&format!("{logs}?limit=200"), "/data").await.0, 200);
    let (rows, body) = count(&admins, "/result").await;
    assert_eq!((rows, &body["errors"]), (100, &json!([])));
    assert_eq!(body["meta"]["pagination"]["limit"], 100);
    assert_eq!(body["meta"]["pagination"]["offset"], 0);
    assert_eq!(count(&format!("{admins}?limit=1000"), "/result").await.0, 1_000);
}

#[tokio::test]
async fn pages_end_at_a_mebibyte_except_where_offsets_count() {
    let service = Service::new();
    let (acme, [.., root]) = service.tenant("Acme").await;
    for log in [acme.id.into(), Log::Platform] {
        for n in 0..9 {
            let mut event = NewEvent::new("tagAdded", Actor::user(n.to_string()));
            event.metadata.insert("text".into(), "x".repeat(400 << 10).into());
            service.store.record(log, event).await.unwrap();
        }
    }
    let [activities, items, trails, logs, admins] = lists(acme.id).map(|(_, path)| path);
    let list = async |path: &str, at: &str| {
        let answer = get(&service, &root, path).await;
        let body = answer.expect(200);
        let rows = body.pointer(at).and_then(Value::as_array).expect("a list").len();
        (rows, body, answer.header("link").to_owned())
    };
    let (rows, body, _) = list(&activities, "/result").await;
    assert!(rows < 9 && body["nextCursor"].is_string(), "{rows}");
    let (rows, _, link) = list(&items, "").await;
    assert!(rows < 9 && link.contains("rel=\"next\""), "{rows}");
    let (first, body, _) = list(&trails, "/responseData").await;
    let token = body["continuationToken"].as_str().unwrap();
    let (second, ..) = list(&format!("{trails}?continuationToken={token}"), "/responseData").await;
    assert!(first < 9 && second > 0, "{first}, {second}");
    assert_eq!(list(&format!("{logs}?limit=9"), "/data").await.0, 9);
    assert_eq!(list(&format!("{admins}?limit=9"), "/result").await.0, 9);
}

#[tokio::test]
async fn the_keys_of_a_deleted_organization_get_one_answer_from_every_route() {
    let service = Service::new();
    let (other, _) = service.tenant("Other").await;
    let (acme, keys) = service.tenant("Acme").await;
    service.put(Method::DELETE, &keys[1], "/api/organisation", &json!({})).await.expect(204);
    let size = service.store.head(audit_core::Log::Platform).await.unwrap().size;
    let event = json!({"action": "a", "actor": {"kind": "user"}});
    for key in &keys {
        for (method, path, body) in [
            (Method::GET, "/v1/organizations".to_owned(), None),
            (Method::GET, "/api/organisations".to_owned(), None),
            (Method::GET, format!("/v1/organizations/{}/events", acme.id), None),
            (Method::GET, format!("/v1/organizations/{}/events", other.id), None),
            (Method::GET, "/v1/platform/events".to_owned(), None),
            (Method::GET, "/v1/platform/organizations".to_owned(), None),
            (Method::GET, "/super-admins/audit-logs".to_owned(), None),
            (Method::POST, "/v1/platform/events".to_owned(), Some(&event)),
            (Method::POST, "/api/organisations".to_owned(), Some(&json!({"name": "x"}))),
            (
                Method::PATCH,
                format!("/v1/platform/organizations/{}", other.id),
                Some(&json!({"name": "mine"})),
            ),
        ] {
            let answer = match body {
                Some(body) => service.put(method, key, &path, body).await,
                None => service.get(key, &path).await,
            };
            answer.expect(404);
            let text = String::from_utf8(answer.body).unwrap();
            assert!(text.contains("not found: `organization`"), "{path}: {text}");
        }
    }
    let after = service.store.head(audit_core::Log::Platform).await.unwrap().size;
    assert_eq!(after, size, "nothing was recorded");
}

/// The types in the order of the source.
const TYPES: &str = "productCreated productChanged productOwnershipTransferred productDeleted \
    productsReordered teamMemberInvited teamMemberInvitationRevoked teamMemberJoined \
    teamMemberPermissionGroupChanged teamMemberRemoved teamMemberLeft teamMemberInvitationChanged \
    teamMemberInvitationResent teamMemberInvitationRejected configCreated configChanged \
    configDeleted configsReordered environmentCreated environmentChanged environmentDeleted \
    environmentsReordered settingCreated settingChanged settingDeleted settingsReordered \
    settingValueChanged webHookCreated webHookChanged webHookDeleted permissionGroupCreated \
    permissionGroupChanged permissionGroupDeleted permissionGroupDefault apiKeyAdded apiKeyRemoved \
    integrationAdded integrationChanged integrationRemoved apiKeyConnected integrationLinkAdded \
    integrationLinkRemoved organizationAdded organizationRemoved organizationChanged \
    organizationSubscriptionTypeChanged organizationAdminChanged organizationAdminLeft \
    twoFactorDisabledForMember tagAdded tagChanged tagRemoved settingTagAdded settingTagRemoved \
    publicApiAccessTokenAdded publicApiAccessTokenRemoved domainAdded domainVerified domainRemoved \
    domainSamlConfigured domainSamlDeleted autoProvisioningConfigurationChanged \
    samlIdpConfigurationAdded samlIdpConfigurationRemoved samlIdpConfigurationUpdated \
    autoProvisioningEnabledChanged organizationMemberJoined organizationMemberProductJoinRequested \
    organizationMemberProductJoinRequestRejected organizationMemberProductJoinRequestApproved \
    organizationMemberRemoved codeReferencesUploaded codeReferenceDeleted \
    codeReferenceStaleBranchDeleted segmentCreated segmentChanged segmentDeleted \
    webhookSigningKeyDeleted webhookSigningKeyCreated userProvisioningConfigurationChanged \
    syncGroupProvisioningRuleChanged syncGroupsReordered syncUserProvisioningEnabled \
    syncUserProvisioningDisabled userEmailChanged userFullNameChanged userDisabled";

#[test]
fn b_has_the_exact_types_of_the_source() {
    let known = AuditLogType::KNOWN.iter().map(AuditLogType::as_str);
    assert!(known.eq(TYPES.split_whitespace()));
}

#[tokio::test]
async fn b_ranges_are_half_open_and_links_repeat_the_filters() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let product = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let at = |text: &str| {
        let scope = Scope::default().product(product);
        NewEvent::new("tagAdded", Actor::user("u")).occurred_at(text.parse().unwrap()).scope(scope)
    };
    let mut events = vec![at("2024-03-01T00:00:00Z"), at("2024-03-02T00:00:00Z")];
    let path = format!(
        "/v1/organizations/{}/auditlogs?productId={product}&auditLogType=tagAdded\
         &fromUtcDateTime=2024-03-01T00:00:00Z&toUtcDateTime=2024-03-02T01:00:00%2B01:00",
        acme.id
    );
    service.store.append(acme.id.into(), events.clone()).await.unwrap();
    let answer = service.get(&member, &path).await;
    let items = answer.expect(200);
    assert_eq!(items[0]["auditLogDateTime"], "2024-03-01T00:00:00.000Z");
    assert_eq!((items.as_array().unwrap().len(), answer.header("link")), (1, ""));
    let day = path.replace("T00:00:00Z", "").replace("02T01:00:00%2B01:00", "01");
    assert!(day.ends_with("fromUtcDateTime=2024-03-01&toUtcDateTime=2024-03-01"));
    assert_eq!(service.get(&member, &day).await.expect(200), items);
    events = (0..1_000).map(|_| at("2024-03-01T12:00:00Z")).collect();
    service.store.append(acme.id.into(), events).await.unwrap();
    let answer = service.get(&member, &path).await;
    let link = answer.header("link").replace("%2D", "-").replace("%3A", ":").replace("%2E", ".");
    for stated in [
        format!("productId={product}&"),
        "auditLogType=tagAdded&".into(),
        "fromUtcDateTime=2024-03-01T00:00:00.000000Z&".into(),
        "toUtcDateTime=2024-03-02T00:00:00.000000Z&".into(),
        "token=".into(),
    ] {
        assert!(link.contains(&stated), "{stated}: {link}");
    }
}

#[tokio::test]
async fn d_accepts_ten_scopes_ten_times_and_an_action_prefix() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    for n in [7, 99, 100] {
        let scope = Scope::default().surface(format!("s{n}"));
        let event = NewEvent::new("team.member.added", Actor::user("u")).scope(scope);
        service.store.record(acme.id, event).await.unwrap();
    }
    let include = |first: u32, count: u32| {
        let scopes: Vec<_> = (first..first + count).map(|n| format!("s{n}")).collect();
        format!("include={}", scopes.join(","))
    };
    let total = async |query: String, status: u16| {
        let answer = service.get(&member, &format!("/api/audit-logs?{query}")).await;
        if status != 200 {
            assert_refused('D', &answer, status);
        }
        answer.expect(status)["pagination"]["total"].clone()
    };
    let hundred = (0..10).map(|n| include(10 * n, 10)).collect::<Vec<_>>().join("&");
    assert_eq!(total(hundred, 200).await, 2);
    total(include(0, 11), 400).await;
    total((0..11).map(|n| include(n, 1)).collect::<Vec<_>>().join("&"), 400).await;
    assert_eq!(total("action=team.*".into(), 200).await, 3);
    assert_eq!(total("action=team".into(), 200).await, 0);
}

#[tokio::test]
async fn d_finds_an_email_address_in_any_case() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let actor = Actor::user("u").email("Ana@Acme.example");
    service.store.record(acme.id, NewEvent::new("team.created", actor)).await.unwrap();
    for (email, total) in [
        ("Ana@Acme.example", 1),
        ("ana@acme.example", 1),
        ("ANA@ACME.EXAMPLE", 1),
        ("ana@acme.com", 0),
    ] {
        let path = format!("/api/audit-logs?email={email}");
        let page = service.get(&member, &path).await.expect(200);
        assert_eq!(page["pagination"]["total"], total, "{email}");
        if total == 1 {
            assert_eq!(page["data"][0]["email"], "Ana@Acme.example", "printed as it was recorded");
        }
    }
}

/// The classes in the order of the source, and an unknown one.
const CLASSES: &str = "unknown identity credential policy resource application \
    canonical_application sensor aClassOfNextYear";

#[tokio::test]
async fn e_accepts_the_organization_id_of_d_and_prints_each_class() {
    let service = Service::new();
    let (_, [_, admin, root]) = service.tenant("Acme").await;
    let id = service.get(&admin, "/api/organisation").await.expect(200)["data"]["id"].clone();
    let path = format!("/super-admins/audit-logs?organization_id={}", id.as_str().unwrap());
    let found = get(&service, &root, &path).await.expect(200);
    assert_eq!(found["meta"]["pagination"]["total_count"], 4, "the organization and three keys");
    for refused in ["org_acme001", &id.as_str().unwrap()[4..]] {
        let path = format!("/super-admins/audit-logs?organization_id={refused}");
        assert_refused('E', &get(&service, &root, &path).await, 400);
    }
    for class in CLASSES.split(' ') {
        let actor = Actor::user(class).email(format!("{class}@platform.com")).entity_class(class);
        service.store.record(Log::Platform, NewEvent::new("x", actor)).await.unwrap();
        let path = format!("/super-admins/audit-logs?super_admin_email={class}@platform.com");
        let found = get(&service, &root, &path).await.expect(200);
        assert_eq!(found["result"][0]["super_admin"]["entity_class"], class);
        let upper = path.replace("@platform", "@Platform");
        let again = get(&service, &root, &upper).await.expect(200);
        assert_eq!(again["result"], found["result"], "an address is found in any case");
    }
}

#[tokio::test]
async fn e_lists_each_read_of_another_tenant_and_the_changes_of_its_admins() {
    let service = Service::new();
    let (other, [_, admin, _]) = service.tenant("Other").await;
    let (_, [.., root]) = service.tenant("Acme").await;
    let events = format!("/v1/organizations/{}/events", other.id);
    let one = service.get(&root, &format!("{events}?limit=1")).await.expect(200);
    let event = format!("{events}/{}", one["events"][0]["id"].as_str().unwrap());
    let follow = format!("{events}/follow?limit=1");
    for path in [&event, &follow] {
        service.get(&root, path).await.expect(200);
    }
    let new = json!({"name": "New"});
    let created = service.post(&admin, "/api/organisations", &new).await.expect(201);
    let list = get(&service, &root, "/super-admins/audit-logs?limit=4").await.expect(200);
    let entries: Vec<_> = list["result"].as_array().unwrap().iter().rev().collect();
    for (entry, path) in entries.iter().zip([&events, &event, &follow.replace("?limit=1", "")]) {
        assert_eq!(entry["request_path"], **path);
        assert_eq!(entry["super_admin"]["identifier"], "super-admin@acme.com");
        assert_eq!(entry["organization_id"], other.id.to_string());
        assert_eq!(entry["organization_name"], "Other");
    }
    assert_eq!(entries[3]["super_admin"]["identifier"], "admin@acme.com");
    assert_eq!(entries[3]["super_admin"]["entity_class"], "credential");
    let id = entries[3]["organization_id"].as_str().unwrap().replace('-', "");
    assert_eq!(created["data"]["id"], format!("org_{id}"));
}
