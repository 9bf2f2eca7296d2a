//! A drill: what somebody who can write the file does to a log, and how an auditor finds it.
//!
//! `cargo run -p example-tamper-drill`

use std::path::Path;

use audit_core::{Actor, AuditStore as _, Erasure, Filter, Log, NewEvent, RetentionStoreExt as _};
use audit_merkle::{
    CheckpointDirectory, CheckpointSigner, Notary, Report, TreeHead, VerifyExt as _,
};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// A change of the file, in words and in SQL.
const DRILLS: [(&str, &str); 6] = [
    (
        "invoice 7 becomes invoice 8",
        "UPDATE audit_event SET record = CAST(replace(record, 'inv_7', 'inv_8') AS BLOB)
         WHERE instr(record, '\"inv_7\"')",
    ),
    ("an event is deleted", "DELETE FROM audit_event WHERE event_key & 0xffff = 9"),
    ("the end is cut off", "DELETE FROM audit_event WHERE event_key & 0xffff > 40"),
    (
        "two events change places",
        "UPDATE audit_event SET (leaf, record) = (SELECT leaf, record FROM audit_event AS other
         WHERE other.event_key = audit_event.event_key + CASE audit_event.event_key & 0xffff
         WHEN 3 THEN 1 ELSE -1 END) WHERE event_key & 0xffff IN (3, 4)",
    ),
    (
        "what a person did is made anonymous, without a word",
        "UPDATE audit_event SET personal = NULL WHERE event_key & 0xffff = 12",
    ),
    (
        "a personal part is put to another event",
        "UPDATE audit_event SET (sealing_key, personal) = (SELECT sealing_key, personal FROM audit_event
         WHERE event_key & 0xffff = 20) WHERE event_key & 0xffff = 21",
    ),
];

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    block_on(drill(directory.path()))
}

async fn drill(directory: &Path) -> Result<()> {
    let path = directory.join("audit.db");
    let store = SqliteStore::open(&path)?;
    let paid = |n| {
        let actor = Actor::user(format!("u_{}", n % 5)).name(format!("Person {}", n % 5));
        NewEvent::new("invoice.paid", actor).target("invoice", format!("inv_{n}"))
    };
    store.append(Log::Platform, (1..=50).map(paid).collect()).await?;
    // Kept where nobody who can write the file can write.
    let signer = CheckpointSigner::generate("audit.acme.example")?;
    let notary = Notary::new(signer, CheckpointDirectory::open(directory.join("published"))?)?;
    let signed = notary.checkpoint(&store, Log::Platform).await?;
    let kept = *notary.verifier(Log::Platform).verify(&signed)?.head();
    println!("50 events were recorded, and a checkpoint was kept:\n\n{signed}");

    // An erasure is not tampering: the log records it.
    let of_one = Erasure::matching(Filter::new().actor_id("u_3"));
    let erased = store.erase(Log::Platform, of_one, Actor::system().into()).await?.events;
    let report = verify(&store, kept).await?;
    println!("\n{erased} events are erased, on request:\n{report}");
    assert!(report.is_intact());
    drop(store);

    for (name, sql) in DRILLS {
        let copy = directory.join("copy.db");
        std::fs::copy(&path, &copy)?;
        let changed = Connection::open(&copy)?.execute(sql, [])?;
        let report = verify(&SqliteStore::open(&copy)?, kept).await?;
        println!("\n{name} ({changed} rows):\n{report}");
        assert!(changed > 0 && !report.is_intact());
        std::fs::remove_file(&copy)?;
    }
    Ok(())
}

async fn verify(store: &SqliteStore, kept: TreeHead) -> audit_core::Result<Report> {
    store.verify(Log::Platform).against([kept]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drill_is_noticed() -> Result<()> {
        main()
    }
}
