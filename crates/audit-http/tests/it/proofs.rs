//! The proofs of a log are served to its readers, who verify them without the service.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Answer, Key, Service, by, resolve};
use audit_core::{
    Actor, AuditStore, LeafHash, Log, NewEvent, OrganizationId, Receipt, Retention,
    RetentionStore as _, TenantStore, TreeHead,
};
use audit_http::HttpOptions;
use audit_memory::MemoryStore;
use audit_merkle::{
    CheckpointVerifier, ConsistencyProof, Evidence, InclusionProof, MemoryCheckpointStore, Notary,
    SignedCheckpoint,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

fn signing() -> (TempDir, Arc<Notary>, Service) {
    let directory = tempfile::tempdir().unwrap();
    let notary = crate::common::notary(&directory);
    let options = HttpOptions::default().with_notary(Arc::clone(&notary));
    (directory, notary, Service::with_options(options))
}

/// Returns the file of the latest checkpoint of `log`.
fn published(directory: &TempDir, log: Log) -> PathBuf {
    directory.path().join(format!("{log}.checkpoint"))
}

async fn append(service: &Service, log: impl Into<Log>, events: u64) -> Vec<Receipt> {
    let paid = |n| {
        NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"))
            .target("invoice", format!("inv_{n}"))
    };
    service.store.append(log.into(), (0..events).map(paid).collect()).await.unwrap()
}

#[track_caller]
fn text(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    String::from_utf8(answer.body.clone()).unwrap()
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[tokio::test]
async fn evidence_is_verified_with_the_key_of_the_log() {
    let (directory, notary, service) = signing();
    let (acme, [member, _, root]) = service.tenant("Acme").await;
    let of_acme = append(&service, acme.id, 20).await;
    let of_platform = append(&service, Log::Platform, 3).await;
    let logs = [
        (Log::from(acme.id), format!("/v1/organizations/{}", acme.id), &member, &of_acme[7]),
        (Log::Platform, "/v1/platform".to_owned(), &root, &of_platform[1]),
    ];
    for (log, base, key, receipt) in logs {
        // The verifier has the key as text.
        let origin = format!("audit.example.com/{log}");
        let verifier: CheckpointVerifier = notary.verifier(log).to_string().parse().unwrap();
        let verifier = verifier.with_origin(origin);
        let path = format!("{base}/events/{}/evidence", receipt.id);
        let evidence: Evidence = text(&service.get(key, &path).await).parse().unwrap();
        let proved = evidence.verify(&verifier).unwrap();
        assert_eq!((proved.event.id, proved.event.sequence), (receipt.id, receipt.sequence));
        assert_eq!(LeafHash::of(&evidence.unverified().record), receipt.leaf);
        assert_eq!(proved.event.actor.email.as_deref(), Some("ana@acme.example"));
        let signed = text(&service.get(key, &format!("{base}/checkpoint")).await);
        let signed: SignedCheckpoint = signed.parse().unwrap();
        assert_eq!(&signed, evidence.checkpoint());
        assert_eq!(
            std::fs::read_to_string(published(&directory, log)).unwrap(),
            signed.to_string()
        );
        let head: TreeHead =
            read(&service.get(key, &format!("{base}/tree-head")).await.expect(200));
        assert_eq!(verifier.verify(&signed).unwrap().head(), &head);
    }
    // Readers of an organization's log cannot read the platform's.
    for path in ["checkpoint", "tree-head", "consistency-proof?from=0"] {
        service.get(&member, &format!("/v1/platform/{path}")).await.expect(403);
    }
}

#[tokio::test]
async fn proofs_are_verified_with_their_heads() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let receipts = append(&service, acme.id, 40).await;
    let base = format!("/v1/organizations/{}", acme.id);
    let now: TreeHead = read(&service.get(&member, &format!("{base}/tree-head")).await.expect(200));
    let size = now.size.get();
    for receipt in &receipts {
        for size in [None, Some(receipt.sequence.get()), Some(size - 1), Some(size)] {
            let size = size.filter(|size| *size >= receipt.sequence.get());
            let query = size.map_or(String::new(), |size| format!("?size={size}"));
            let path = format!("{base}/events/{}/inclusion-proof{query}", receipt.id);
            let answer = service.get(&member, &path).await.expect(200);
            let (head, proof): (TreeHead, InclusionProof) =
                (read(&answer["head"]), read(&answer["proof"]));
            assert_eq!(read::<LeafHash>(&answer["leaf"]), receipt.leaf);
            proof.verify(receipt.leaf, &head).unwrap();
            assert_eq!(proof.sequence(), receipt.sequence);
            assert!(size.is_some() || head == now);
        }
    }
    for from in 0..=size {
        let path = format!("{base}/consistency-proof?from={from}&to={size}");
        let answer = service.get(&member, &path).await.expect(200);
        let old: TreeHead = read(&answer["old"]);
        let proof: ConsistencyProof = read(&answer["proof"]);
        proof.verify(&old, &now).unwrap();
        assert_eq!((read::<TreeHead>(&answer["new"]), old.size.get()), (now, from));
        let path = format!("{base}/tree-head?size={from}");
        assert_eq!(service.get(&member, &path).await.expect(200), answer["old"]);
    }
}

#[tokio::test]
async fn a_proof_that_cannot_be_made_is_rejected() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let receipt = append(&service, acme.id, 9).await.pop().unwrap();
    let size = receipt.sequence.get();
    let (event, other) = (receipt.id, audit_core::EventId::new());
    let get = async |path: String| {
        service.get(&member, &format!("/v1/organizations/{}/{path}", acme.id)).await
    };
    // The service has no notary.
    for path in ["checkpoint".to_owned(), format!("events/{event}/evidence")] {
        let problem = get(path).await;
        assert_eq!(problem.header("content-type"), "application/problem+json");
        assert_eq!(problem.expect(404)["detail"], "this service signs no checkpoints");
    }
    let field = async |path: String, status: u16| get(path).await.expect(status)["field"].clone();
    let beyond = size + 1;
    for (path, status, at) in [
        (format!("events/{event}/inclusion-proof?size={}", size - 1), 400, json!("size")),
        (format!("events/{event}/inclusion-proof?size=x"), 400, json!("size")),
        (format!("events/{event}/inclusion-proof?siz=1"), 400, json!("siz")),
        (format!("events/{event}/inclusion-proof?size={beyond}"), 409, Value::Null),
        (format!("events/{other}/inclusion-proof"), 404, json!("event")),
        ("events/x/inclusion-proof".to_owned(), 404, json!("event")),
        (format!("tree-head?size={beyond}"), 409, Value::Null),
        ("tree-head?size=9223372036854775808".to_owned(), 400, json!("size")),
        ("consistency-proof".to_owned(), 400, json!("from")),
        (format!("consistency-proof?from={size}&to={}", size - 1), 400, json!("from")),
        (format!("consistency-proof?from=0&to={beyond}"), 409, Value::Null),
        (format!("consistency-proof?from={beyond}"), 400, json!("from")),
    ] {
        assert_eq!(field(path.clone(), status).await, at, "{path}");
    }
    // Reserved events are rejected.
    let (_, admin) = (member.clone(), service.key(&acme, audit_core::Role::Admin).await);
    let path = format!("/v1/organizations/{}/events", acme.id);
    for action in ["log.erased", "log.pruned", "log.retention_changed"] {
        let event = json!({"action": action, "actor": {"kind": "user"}});
        assert_eq!(service.post(&admin, &path, &event).await.expect(400)["field"], "action");
        let batch = json!({"events": [{"action": "a", "actor": {"kind": "user"}}, event]});
        let answer = service.post(&admin, &format!("{path}/batch"), &batch).await;
        assert_eq!(answer.expect(400)["field"], "events[1].action");
    }
}

/// Prunes the log of `id` to `most` events.
async fn prune(store: &MemoryStore, id: OrganizationId, most: u64) {
    let retention = Retention::default().max_events(most);
    store.set_retention(id.into(), retention, by()).await.unwrap();
    assert!(store.prune(id.into(), by().into()).await.unwrap().events > 0);
}

#[tokio::test]
async fn pruned_events_are_410_in_each_style() {
    let (_directory, _, service) = signing();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let receipts = append(&service, acme.id, 1_100).await;
    let native = format!("/v1/organizations/{}", acme.id);
    let c = format!("/api/v1.0/organizations/{}/audit-trails", acme.id);
    let token = async |path: &str, name: &str| {
        let page = service.get(&member, path).await.expect(200);
        page[name].as_str().unwrap().to_owned()
    };
    let cursor = token(&format!("{native}/activities?limit=1000"), "nextCursor").await;
    let next = token(&format!("{native}/events?limit=1000"), "next").await;
    let feed = token(&format!("{native}/events/follow?limit=9"), "token").await;
    let trail = token(&c, "continuationToken").await;
    let link = service.get(&member, &format!("{native}/auditlogs")).await;
    let link = link.header("link").strip_prefix('<').and_then(|link| link.split_once('>'));
    let items = resolve(&format!("{native}/auditlogs"), link.unwrap().0);
    let (evidence, proof) = (
        format!("{native}/events/{}/evidence", receipts[9].id),
        format!("{native}/consistency-proof?from=50"),
    );
    service.get(&member, &evidence).await;
    prune(&service.store, acme.id, 500).await;

    let gone = async |key: &Key, path: String| {
        let answer = service.get(key, &path).await;
        assert_eq!(answer.status, 410, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer
    };
    let a = gone(&member, format!("{native}/activities?limit=1000&cursor={cursor}")).await;
    assert_eq!(a.json()["status"], 410);
    assert!(a.json()["error"].as_str().unwrap().contains("retention removed"));
    let problems = [
        (items, json!("token")),
        (format!("{native}/events?limit=1000&token={next}"), json!("token")),
        (format!("{native}/events/follow?token={feed}"), json!("token")),
        (format!("{native}/events/follow?start=5"), Value::Null),
        (proof, Value::Null),
        // Contract C has no member for the field.
        (format!("{c}?continuationToken={trail}"), Value::Null),
    ];
    for (path, field) in problems {
        let answer = gone(&member, path.clone()).await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["status"], 410);
        assert_eq!(answer.json()["title"], "Gone");
        assert_eq!(answer.json()["field"], field, "{path}");
    }
    // A pruned event is not found; proofs of the others stay valid.
    service.get(&member, &evidence).await.expect(404);
    let kept = format!("{native}/events/{}/evidence", receipts[1_050].id);
    assert_eq!(service.get(&member, &kept).await.status, 200);
}

#[tokio::test]
async fn a_log_that_contradicts_its_checkpoint_is_not_signed() {
    let (directory, notary, service) = signing();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let path = format!("/v1/organizations/{}/checkpoint", acme.id);
    text(&service.get(&member, &path).await);
    let kept = std::fs::read_to_string(published(&directory, acme.id.into())).unwrap();
    // The log of another service, as if an old backup were restored.
    let other = MemoryStore::new().unwrap();
    let wrong = Log::from(acme.id);
    other.append(wrong, vec![NewEvent::new("a", Actor::user("u"))]).await.unwrap();
    assert!(notary.checkpoint(&other, wrong).await.is_err());
    // A foreign checkpoint is not continued, and the cause is not shown to callers.
    let foreign = Notary::new(
        audit_merkle::CheckpointSigner::generate("audit.example.com").unwrap(),
        MemoryCheckpointStore::new(),
    )
    .unwrap();
    let foreign = foreign.checkpoint(&service.store, wrong).await.unwrap().to_string();
    std::fs::write(published(&directory, wrong), &foreign).unwrap();
    let problem = service.get(&member, &path).await.expect(500);
    assert_eq!(problem["detail"], "no checkpoint can be signed");
    std::fs::write(published(&directory, wrong), &kept).unwrap();
    assert_eq!(text(&service.get(&member, &path).await), kept);
}

#[tokio::test]
async fn checkpoints_of_all_logs_are_published_at_intervals() {
    let (_directory, notary, service) = signing();
    let (acme, _) = service.tenant("Acme").await;
    let (other, [_, admin, _]) = service.tenant("Other").await;
    let store: Arc<dyn TenantStore> = Arc::new(service.store.clone());
    let every = Duration::from_millis(5);
    let publishing =
        tokio::spawn(audit_http::publish_checkpoints(store, Arc::clone(&notary), every));
    let published = async |log: Log| {
        let size = service.store.head(log).await.unwrap().size.get();
        loop {
            let latest = notary.latest(log).await.unwrap();
            if latest.is_some_and(|latest| latest.unverified().size().get() == size) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let all = [Log::Platform, acme.id.into(), other.id.into()];
    for log in all {
        published(log).await;
    }
    append(&service, acme.id, 5).await;
    published(acme.id.into()).await;
    // A log whose organization the store does not know is signed too.
    let own = audit_core::OrganizationId::new();
    append(&service, own, 5).await;
    published(own.into()).await;
    // The last events of a deleted organization are signed too.
    service.put(axum::http::Method::DELETE, &admin, "/api/organisation", &json!({})).await;
    for log in all {
        published(log).await;
    }
    publishing.abort();
}
