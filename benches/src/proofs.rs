//! Measures proofs as the log grows, the verification of a whole log, and erasure.

use std::path::Path;
use std::time::{Duration, Instant};

use audit_core::{
    Actor, AuditContext, AuditStore as _, EntriesRequest, Erasure, Filter, LeafHash,
    RetentionStoreExt as _, Sequence,
};
use audit_merkle::VerifyExt as _;
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use rusqlite::Connection;
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};

use crate::Result;
use crate::events::{events, log};
use crate::loads::BATCH;
use crate::rows::{Bar, Row, median, micros, rate};

/// The number of proofs for each size.
const PROOFS: u64 = 500;

/// Measures every row, for logs of a thousand up to `most` events.
pub(crate) fn measure(directory: &Path, most: u64) -> Result<Vec<Row>> {
    let directory = tempfile::Builder::new().prefix("proofs").tempdir_in(directory)?;
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path)?;
    let (mut rows, mut size) = (Vec::new(), 0);
    let mut next = 1_000;
    while next <= most {
        while size < next {
            let end = next.min(size + BATCH);
            block_on(store.append(log(0), events(size..end)))?;
            size = end;
        }
        rows.extend(proofs(&store, size)?);
        next *= 10;
    }
    rows.extend(verification(&store, &path, size)?);
    rows.push(erasure(&store)?);
    Ok(rows)
}

/// Makes and verifies proofs of random events, timed from the store to the verdict.
fn proofs(store: &SqliteStore, size: u64) -> Result<Vec<Row>> {
    let head = block_on(store.tree_head(log(0)))?;
    let (mut inclusion, mut consistency) = (Vec::new(), Vec::new());
    for number in 0..PROOFS {
        let sequence = Sequence::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size + 1)?;
        let entry = block_on(store.entries(
            log(0),
            EntriesRequest::default().after(sequence.previous()).limit(1).bytes(1),
        ))?
        .remove(0);
        let leaf = LeafHash::of(&entry.event.record);
        let start = Instant::now();
        let proof = block_on(store.inclusion_proof(log(0), sequence, head.size))?;
        proof.verify(leaf, &head)?;
        inclusion.push(micros(start.elapsed()));

        let from = Sequence::new(sequence.get())?;
        let old = block_on(store.tree_head_at(log(0), from))?;
        let start = Instant::now();
        let proof = block_on(store.consistency_proof(log(0), from, head.size))?;
        proof.verify(&old, &head)?;
        consistency.push(micros(start.elapsed()));
    }
    let row = |what: &str, times| {
        let work = format!("{what}, made and verified, among {size} events");
        Row::new(work, "µs", median(times)).bar(Some(Bar::AtMost(200.0)))
    };
    Ok(vec![row("proof of inclusion", inclusion), row("proof of consistency", consistency)])
}

/// Verifies the whole log, beside a reader that hashes the same bytes and compares nothing.
fn verification(store: &SqliteStore, path: &Path, size: u64) -> Result<Vec<Row>> {
    let head = block_on(store.tree_head(log(0)))?;
    let (mut ours, mut of_core, mut limit) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let (start, spent) = (Instant::now(), time_of_cores()?);
        let report = block_on(store.verify(log(0)).against([head]).into_future())?;
        ours.push(rate(size, start.elapsed()));
        of_core.push(rate(size, time_of_cores()?.saturating_sub(spent)));
        if !report.is_intact() || report.proved != head.size {
            return Err(report.to_string().into());
        }
        let start = Instant::now();
        let connection = Connection::open(path)?;
        let sql = "SELECT record, personal FROM audit_event ORDER BY event_key";
        let mut statement = connection.prepare(sql)?;
        let mut read = statement.query([])?;
        let mut sum = 0_u8;
        while let Some(row) = read.next()? {
            for column in 0..2 {
                sum ^= Sha256::digest(row.get_ref(column)?.as_blob()?)[0];
            }
        }
        std::hint::black_box(sum);
        limit.push(rate(size, start.elapsed()));
    }
    let work = "verification of the whole log, beside reading and hashing the same bytes";
    let beside = Row::new(work, "events/s", median(ours)).limit(median(limit));
    // One core reads and another one hashes.
    let work = "verification of the whole log, for each second of one core";
    let of_core = Row::new(work, "events/s", median(of_core)).bar(Some(Bar::AtLeast(300_000.0)));
    Ok(vec![of_core, beside])
}

/// Returns the time that all cores have spent on this process.
pub(crate) fn time_of_cores() -> Result<Duration> {
    Ok(clock_gettime(ClockId::ProcessCPUTime).try_into()?)
}

/// Erases the events of one actor, until none of their personal data is left in any file.
fn erasure(store: &SqliteStore) -> Result<Row> {
    let actor = block_on(
        store.entries(log(0), EntriesRequest::default().after(Sequence::ZERO).limit(1).bytes(1)),
    )?
    .remove(0)
    .event
    .decode()?
    .actor;
    let of_one = Erasure::matching(Filter::new().actor_id(actor.id.unwrap_or_default()));
    let start = Instant::now();
    let by = AuditContext::new(Actor::system());
    let erased = block_on(store.erase(log(0), of_one, by))?.events;
    let work = format!("erasure of one actor's {erased} events");
    Ok(Row::new(work, "events/s", rate(erased, start.elapsed())))
}
