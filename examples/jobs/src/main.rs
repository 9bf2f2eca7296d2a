//! Jobs in a queue, audited as done by a worker for the user who asked, in that request, and once.
//!
//! ```sh
//! cargo run -p example-jobs
//! ```
//!
//! The queue is a channel of texts. With any other, the payload is the same.

use std::error::Error;
use std::sync::mpsc;

use audit_core::{
    Actor, AuditContext, AuditStoreExt as _, ContextKeys, EventId, EventQuery, Log, NewEvent,
    Outcome, SignedContext, TokenKeys,
};
use audit_memory::MemoryStore;
use futures_executor::block_on;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The namespace of the ids of events of jobs: generated once, and never changed.
const JOBS: Uuid = Uuid::from_u128(0x1f0d_9a52_7c3e_4b6a_8d21_5e4f_90ab_cd37);

/// The payload of the queue: the job as text, and the context in which it was asked for, signed for that
/// text.
#[derive(Serialize, Deserialize)]
struct Message {
    job: String,
    context: SignedContext,
}

#[derive(Serialize, Deserialize)]
struct SendReceipt {
    /// The same at each delivery.
    id: Uuid,
    invoice: String,
}

/// Returns the message of a job, in the context of the running request.
fn dispatch(keys: &ContextKeys, job: &SendReceipt) -> Result<String> {
    let job = serde_json::to_string(job)?;
    let context = AuditContext::current().ok_or("a job is dispatched outside a request")?;
    let context = context.sign(keys, job.as_bytes())?;
    Ok(serde_json::to_string(&Message { job, context })?)
}

/// Does a job, and records it.
async fn work(store: &MemoryStore, keys: &ContextKeys, message: &str) -> Result<()> {
    let Message { job, context } = serde_json::from_str(message)?;
    // Somebody who can write to the queue cannot invent a user, nor exchange the job.
    let mut context = context.verify(keys, job.as_bytes())?;
    context.actor = Actor::new("service").id("receipts").on_behalf_of(context.actor);
    let log = context.log.unwrap_or(Log::Platform);
    let job: SendReceipt = serde_json::from_str(&job)?;
    context
        .scope(async {
            // The receipt is sent here, with `job.id` as the key that makes it idempotent.
            let event = NewEvent::here("receipt.sent")?
                .id(EventId::derived(JOBS, job.id.as_bytes())) // recorded once
                .target("invoice", job.invoice)
                .outcome(Outcome::success());
            store.record(log, event).await?;
            Ok(())
        })
        .await
}

fn main() -> Result<()> {
    let store = MemoryStore::new()?;
    // From the configuration of both programs.
    let keys = ContextKeys::from_secret(TokenKeys::generate_secret()?);
    let (queue, jobs) = mpsc::channel();

    // The request. `audit-tower` opens this scope for each one.
    let request = AuditContext::new(Actor::user("u_7")).request("POST", "/pay").request_id("req-1");
    let job = SendReceipt { id: Uuid::now_v7(), invoice: "inv_9".to_owned() };
    let message = request.sync_scope(|| dispatch(&keys, &job))?;
    queue.send(message.clone())?;
    queue.send(message)?; // queues deliver twice
    drop(queue);

    for message in jobs {
        block_on(work(&store, &keys, &message))?;
    }
    for event in block_on(store.page(&EventQuery::new(Log::Platform)))?.events {
        let ids: Vec<_> = event.actor.chain().filter_map(|actor| actor.id.as_deref()).collect();
        let request = event.request.id.unwrap_or_default();
        println!(
            "#{} {} by {} in request {request}",
            event.sequence,
            event.action,
            ids.join(" for ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    // A test that cannot set itself up fails.
    #![allow(clippy::unwrap_used)]

    use super::*;
    use audit_testing::{assert_audited, assert_not_audited};

    fn message(keys: &ContextKeys) -> String {
        let job = SendReceipt { id: Uuid::from_u128(7), invoice: "inv_9".to_owned() };
        AuditContext::new(Actor::user("u_7")).sync_scope(|| dispatch(keys, &job)).unwrap()
    }

    #[test]
    fn a_job_that_is_delivered_twice_is_recorded_once_for_its_user() {
        let (store, keys) = (MemoryStore::new().unwrap(), ContextKeys::from_secret([7; 32]));
        for _ in 0..2 {
            block_on(work(&store, &keys, &message(&keys))).unwrap();
        }
        let event = assert_audited!(&store, Log::Platform, action = "receipt.sent", count = 1);
        let ids: Vec<_> = event.actor.chain().filter_map(|actor| actor.id.as_deref()).collect();
        assert_eq!(ids, ["receipts", "u_7"]);
    }

    #[test]
    fn a_job_of_a_stranger_is_not_done() {
        let (store, keys) = (MemoryStore::new().unwrap(), ContextKeys::from_secret([7; 32]));
        let forged = message(&keys).replace("inv_9", "inv_1");
        assert!(block_on(work(&store, &keys, &forged)).is_err());
        let strangers = ContextKeys::from_secret([8; 32]);
        assert!(block_on(work(&store, &keys, &message(&strangers))).is_err());
        assert_not_audited!(&store, Log::Platform, action = "receipt.sent");
    }

    #[test]
    fn a_job_without_a_user_is_not_dispatched() {
        let job = SendReceipt { id: Uuid::nil(), invoice: String::new() };
        assert!(dispatch(&ContextKeys::from_secret([7; 32]), &job).is_err());
    }
}
