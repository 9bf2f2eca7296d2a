//! Jobs of `graphile_worker`, a queue in PostgreSQL, audited as done by a worker for the user who asked, in
//! that request, and once. The example `jobs` is the same by hand, without a database.
//!
//! ```sh
//! DATABASE_URL=postgres://… cargo run --manifest-path examples/queue/Cargo.toml
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `main.rs` | the job, its worker, and a request that asks for it |
//! | `dispatched.rs` | a job with its context, on the way through any queue |

mod dispatched;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use audit_core::{
    Actor, AuditContext, AuditStoreExt as _, ContextKeys, EventId, EventQuery, Log, NewEvent,
    Outcome, Recorder, TokenKeys,
};
use audit_derive::AuditAction;
use audit_memory::MemoryStore;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, TaskHandler, Worker, WorkerContext, WorkerOptions,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::dispatched::Dispatched;

/// The namespace of the ids of events of jobs: generated once, and never changed.
const JOBS: Uuid = Uuid::from_u128(0x1f0d_9a52_7c3e_4b6a_8d21_5e4f_90ab_cd37);

#[derive(AuditAction)]
enum Mail {
    /// A receipt was sent to a customer.
    #[audit(action = "receipt.sent")]
    ReceiptSent {
        #[audit(target = "invoice")]
        invoice: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct SendReceipt {
    /// The same at each delivery.
    id: Uuid,
    invoice: String,
}

/// The state that the workers share.
#[derive(Clone, Debug)]
struct Shared {
    /// A store, or a spool in front of it.
    recorder: Arc<dyn Recorder>,
    keys: ContextKeys,
}

impl TaskHandler for Dispatched<SendReceipt> {
    const IDENTIFIER: &'static str = "send_receipt";

    async fn run(self, worker: WorkerContext) -> impl IntoTaskHandlerResult {
        let shared = worker.get_ext::<Shared>().ok_or("no `Shared`").map_err(text)?;
        let (mut context, job) = self.open(&shared.keys).map_err(text)?;
        context.actor = Actor::new("service").id("receipts").on_behalf_of(context.actor);
        context.scope(send(shared, job)).await.map_err(text)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Does the job in the context of the user who asked.
async fn send(shared: &Shared, job: SendReceipt) -> Result<(), audit_core::Error> {
    // The receipt is sent here, with `job.id` as the key that makes it idempotent.
    let event = NewEvent::here(Mail::ReceiptSent { invoice: job.invoice })?
        .id(EventId::derived(JOBS, job.id.as_bytes())) // recorded once
        .outcome(Outcome::success());
    let log = AuditContext::current().and_then(|context| context.log);
    shared.recorder.accept(log.unwrap_or(Log::Platform), vec![event]).await?;
    Ok(())
}

async fn worker(url: &str, shared: Shared) -> Result<Worker, Box<dyn Error>> {
    let options = WorkerOptions::default().database_url(url).concurrency(2);
    let options = options.define_job::<Dispatched<SendReceipt>>().add_extension(shared);
    Ok(options.init().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = MemoryStore::new()?;
    // From the configuration of both programs.
    let keys = ContextKeys::from_secret(TokenKeys::generate_secret()?);
    let shared = Shared { recorder: Arc::new(store.clone()), keys };
    let worker = worker(&std::env::var("DATABASE_URL")?, shared.clone()).await?;

    // The request. `audit-tower` opens this scope for each one.
    let request = AuditContext::new(Actor::user("u_7")).request("POST", "/pay").request_id("req-1");
    let job = SendReceipt { id: Uuid::now_v7(), invoice: "inv_9".to_owned() };
    let dispatched = request.sync_scope(|| Dispatched::new(&shared.keys, &job))?;
    worker.create_utils().add_job(dispatched, JobSpec::default()).await?;

    worker.run_once().await?;
    for event in store.page(&EventQuery::new(Log::Platform)).await?.events {
        let ids: Vec<_> = event.actor.chain().filter_map(|actor| actor.id.as_deref()).collect();
        println!("#{} {} by {}", event.sequence, event.action, ids.join(" for "));
    }
    Ok(())
}
