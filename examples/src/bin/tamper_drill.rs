//! What becomes of an audit log that somebody changes behind the library's back, with plain SQL.
//!
//! `cargo run -p audit-examples --bin tamper_drill` shows it;
//! `cargo test -p audit-examples --bin tamper_drill` holds it to its word.
//!
//! The checkpoint is what the log's owner signed, and what an auditor keeps elsewhere.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use audit_core::{
    Actor, Attribution, AuditStore, AuditStoreExt, Erasure, Filter, Log, NewEvent, OrganizationId,
};
use audit_merkle::{CheckpointSigner, Notary, ProvableExt as _, Report, TreeHead};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;

/// What is done to the file, and in which words.
const TAMPERINGS: [(&str, &str); 4] = [
    (
        "Event 42 is made one of another invoice",
        "UPDATE audit_event SET record = CAST(replace(record, 'inv_41', 'inv_14') AS BLOB)
         WHERE place & 0xffffffffff = 42",
    ),
    ("Event 42 is deleted", "DELETE FROM audit_event WHERE place & 0xffffffffff = 42"),
    ("The last 10 events are cut off", "DELETE FROM audit_event WHERE place & 0xffffffffff > 90"),
    (
        "Events 42 and 77 change places",
        "UPDATE audit_event SET (record, salt, personal) =
             (SELECT record, salt, personal FROM audit_event AS other
              WHERE other.place = audit_event.place + 42 + 77
                  - 2 * (audit_event.place & 0xffffffffff))
         WHERE place & 0xffffffffff IN (42, 77)",
    ),
];

fn main() -> ExitCode {
    match block_on(drill(&mut |line| println!("{line}"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tamper_drill: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn drill(say: &mut dyn FnMut(String)) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let (original, copy) = (directory.path().join("audit.db"), directory.path().join("copy.db"));
    let log = Log::organization(OrganizationId::new());

    let store = SqliteStore::open(&original)?;
    store.append(log, (0..100).map(paid).collect()).await?;
    let signer = CheckpointSigner::generate("audit.example.com")?;
    let notary = Notary::new(signer, directory.path().join("checkpoints"))?;
    let signed = notary.checkpoint(&store, log).await?;
    say(format!("100 payments are recorded, and their checkpoint is signed and kept:\n\n{signed}"));

    // Whoever keeps it trusts the key, not the store.
    let kept = *notary.verifier(log).verify(&signed)?.head();
    for (what, sql) in TAMPERINGS {
        store.backup(&copy).await?;
        Connection::open(&copy)?.execute(sql, [])?;
        say(verdict(what, &verify(&copy, log, kept).await?));
        std::fs::remove_file(&copy)?;
    }

    // What the log itself tells of is no tampering.
    let of_ana = Erasure::matching(Filter::new().actor_id("u_ana"));
    let by = Attribution::new(Actor::user("u_dpo")).reason("request 4711");
    store.erase(log, of_ana, by).await?;
    say(verdict("Ana's personal data is erased", &verify(&original, log, kept).await?));
    Ok(())
}

fn paid(number: u32) -> NewEvent {
    let name = if number.is_multiple_of(4) { "ana" } else { "ben" };
    let actor = Actor::user(format!("u_{name}")).email(format!("{name}@acme.example"));
    NewEvent::new("invoice.paid", actor).target("invoice", format!("inv_{number}"))
}

async fn verify(path: &Path, log: Log, kept: TreeHead) -> audit_core::Result<Report> {
    SqliteStore::open(path)?.verify(log, &[kept], None, &mut |_| ()).await
}

fn verdict(what: &str, report: &Report) -> String {
    let found = match &report.fault {
        Some(fault) => format!("NOT INTACT: {fault}"),
        None => format!(
            "intact: the first {} events are those of the checkpoint; {} are erased, as the log tells",
            report.proved, report.erased
        ),
    };
    format!("{what}\n  {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tampering_is_found_and_placed_and_an_erasure_is_none() {
        let mut said = Vec::new();
        block_on(drill(&mut |line| said.push(line))).unwrap();
        let found = [
            "NOT INTACT: the record of event 42 was changed",
            "NOT INTACT: event 42 is missing",
            "NOT INTACT: there are 90 events, and a checkpoint states 100",
            "NOT INTACT: the record of event 42 says that it is event 77",
            "intact: the first 100 events are those of the checkpoint; 25 are erased",
        ];
        assert_eq!(said.len(), found.len() + 1);
        for (said, found) in said[1..].iter().zip(found) {
            assert!(said.contains(found), "{said}");
        }
    }
}
