//! A queue of its own in a server of its own, which delivers twice.

use std::sync::atomic::{AtomicBool, Ordering};

use audit_core::{Accepted, ErrorKind, OrganizationId, Result};
use audit_postgres_server::{Database, Server};
use audit_testing::{assert_audited, assert_not_audited};

use super::*;

const TENANT: OrganizationId = OrganizationId::from_uuid(Uuid::from_u128(7));

/// A store of which the first answer is lost: its caller does not know that the event is recorded.
#[derive(Debug)]
struct LosesAnAnswer {
    store: MemoryStore,
    has_lost: AtomicBool,
}

#[async_trait::async_trait]
impl Recorder for LosesAnAnswer {
    async fn accept(&self, log: Log, events: Vec<NewEvent>) -> Result<Accepted> {
        let accepted = self.store.accept(log, events).await?;
        if self.has_lost.swap(true, Ordering::SeqCst) {
            return Ok(accepted);
        }
        Err(audit_core::Error::new(ErrorKind::Unavailable))
    }
}

fn shared() -> (MemoryStore, Shared) {
    let store = MemoryStore::new().unwrap();
    let recorder = LosesAnAnswer { store: store.clone(), has_lost: AtomicBool::new(false) };
    (store, Shared { recorder: Arc::new(recorder), keys: ContextKeys::from_secret([7; 32]) })
}

fn receipt(keys: &ContextKeys) -> Dispatched<SendReceipt> {
    let job = SendReceipt { id: Uuid::from_u128(9), invoice: "inv_9".to_owned() };
    let request = AuditContext::new(Actor::user("u_7")).log(TENANT).request_id("req-1");
    request.sync_scope(|| Dispatched::new(keys, &job)).unwrap()
}

fn database() -> Database {
    Server::shared().unwrap().database().unwrap()
}

/// Returns the number of jobs in the queue, of which all are due then.
fn due(database: &Database) -> String {
    database.sql("UPDATE graphile_worker._private_jobs SET run_at = now()").unwrap();
    database.sql("SELECT count(*) FROM graphile_worker._private_jobs").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_delivered_twice_is_recorded_once_for_its_user() {
    let (database, (store, shared)) = (database(), shared());
    let worker = worker(database.url(), shared.clone()).await.unwrap();
    worker.create_utils().add_job(receipt(&shared.keys), JobSpec::default()).await.unwrap();
    worker.run_once().await.unwrap();
    assert_audited!(&store, TENANT, action = Mail::RECEIPT_SENT, count = 1);
    // For the queue, the job has failed: it delivers it again.
    assert_eq!(due(&database), "1");
    worker.run_once().await.unwrap();
    assert_eq!(due(&database), "0");
    let event = assert_audited!(&store, TENANT, action = Mail::RECEIPT_SENT, count = 1);
    let ids: Vec<_> = event.actor.chain().filter_map(|actor| actor.id.as_deref()).collect();
    assert_eq!(ids, ["receipts", "u_7"]);
    assert_eq!(event.request.id.as_deref(), Some("req-1"));
    assert_eq!(event.targets[0].id.as_deref(), Some("inv_9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_somebody_put_into_the_queue_is_not_done() {
    let (database, (store, shared)) = (database(), shared());
    let worker = worker(database.url(), shared.clone()).await.unwrap();
    let strangers = ContextKeys::from_secret([8; 32]);
    worker.create_utils().add_job(receipt(&strangers), JobSpec::default()).await.unwrap();
    worker.run_once().await.unwrap();
    assert_eq!(due(&database), "1");
    assert_not_audited!(&store, TENANT, action = Mail::RECEIPT_SENT);
}
