//! The cost of hashing, verifying and proving: `cargo run --release -p audit-merkle --example measure`.
//!
//! Events of 700 bytes; each figure beside plain SHA-256 of the same bytes in the same run.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use audit_core::tree::NodeId;
use audit_core::{
    Actor, AuditStore as _, EntriesRequest, Log, NewEvent, Result, Sequence, Timestamp,
    backend::{PreparedEvent, StoredEvent},
    tree::LogEntry,
};
use audit_memory::MemoryStore;
use audit_merkle::{
    Frontier, LeafHash, LogVerifier, NodeHash, VerifyExt as _, consistency_proof, frontier_at,
    inclusion_proof,
};
use futures_executor::block_on;
use sha2::{Digest, Sha256};

const EVENTS: u64 = 1_000_000;
const PROOFS: u64 = 20_000;

fn main() -> Result<()> {
    hashing()?;
    events()?;
    store()?;
    proving()
}

fn sequence(number: u64) -> Result<Sequence> {
    Sequence::new(number)
}

/// A record of 700 bytes.
fn record(index: u64) -> Vec<u8> {
    let mut record = vec![b'r'; 700];
    record[..8].copy_from_slice(&index.to_be_bytes());
    record
}

type Map = HashMap<NodeId, NodeHash>;

/// All nodes of a log, and its frontier.
fn tree(records: &[Vec<u8>]) -> Result<(Frontier, Map)> {
    let mut frontier = Frontier::new();
    let mut nodes = HashMap::new();
    for (index, record) in (0..).zip(records) {
        let leaf = LeafHash::of(record);
        nodes.insert(NodeId::new(0, index), leaf.into());
        for node in frontier.append(leaf)? {
            nodes.insert(node.id, node.hash);
        }
    }
    Ok((frontier, nodes))
}

fn hashing() -> Result<()> {
    let records: Vec<_> = (0..EVENTS).map(record).collect();
    let plain = best(|| {
        for record in &records {
            black_box(Sha256::digest(record));
        }
        Ok(())
    })?;
    report("plain SHA-256 of the records", plain, plain);

    let append = best(|| {
        let mut frontier = Frontier::new();
        for record in &records {
            black_box(frontier.append(LeafHash::of(record))?);
        }
        Ok(())
    })?;
    report("append to the frontier, with all nodes", append, plain);

    let (frontier, nodes) = tree(&records)?;
    let head = frontier.head();
    let audit = best(|| {
        let mut verifier = LogVerifier::new([head]);
        for (number, record) in (1..).zip(&records) {
            verifier.record(sequence(number)?, record)?;
        }
        assert!(verifier.finish().is_intact());
        Ok(())
    })?;
    report("verification of the records", audit, plain);
    let audit = best(|| {
        let mut verifier = LogVerifier::new([head]).with_nodes(&nodes);
        for (number, record) in (1..).zip(&records) {
            verifier.record(sequence(number)?, record)?;
        }
        assert!(verifier.finish().is_intact());
        Ok(())
    })?;
    report("verification with all nodes in a map", audit, plain);
    Ok(())
}

/// An event of 700 bytes in both parts together.
fn content() -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"))
        .target("invoice", "inv_9")
        .category("x".repeat(200))
        .message("y".repeat(90))
}

fn events() -> Result<()> {
    let event = |number: u64| -> Result<StoredEvent> {
        let event = PreparedEvent::new(&content())?;
        Ok(event.into_stored(Log::Platform, sequence(number)?, Timestamp::now()))
    };
    let events: Vec<_> = (1..=EVENTS / 4).map(event).collect::<Result<_>>()?;
    let size = |event: &StoredEvent| {
        let personal = event.personal.as_ref().map_or(0, |part| part.salt.len() + part.bytes.len());
        event.record.len() + personal
    };
    println!("\nevents of {} bytes, both parts", size(&events[0]));
    let plain = 4 * best(|| {
        for event in &events {
            black_box(Sha256::digest(&event.record));
            let part = event.personal.as_ref();
            black_box(part.map(|part| Sha256::new().chain_update(&part.bytes).finalize()));
        }
        Ok(())
    })?;
    report("plain SHA-256 of both parts", plain, plain);
    let audit = 4 * best(|| {
        let mut verifier = LogVerifier::new([]);
        for (number, event) in (1..).zip(&events) {
            verifier.event(sequence(number)?, event)?;
        }
        assert!(verifier.finish().is_intact());
        Ok(())
    })?;
    report("verification of both parts", audit, plain);
    Ok(())
}

/// The whole verification of a log in the in-memory store.
fn store() -> Result<()> {
    let (store, log) = (MemoryStore::new()?, Log::Platform);
    for _ in 0..EVENTS / 4 / 1_000 {
        block_on(store.append(log, (0..1_000).map(|_| content()).collect()))?;
    }
    let head = block_on(store.tree_head(log))?;
    println!("\na log of {} such events in the in-memory store", head.size);
    let read = || -> Result<Vec<Vec<LogEntry>>> {
        let (mut slices, mut at) = (Vec::new(), Sequence::ZERO);
        while at.get() < head.size.get() {
            let slice = block_on(
                store.entries(log, EntriesRequest::default().after(at).limit(1_000).bytes(4 << 20)),
            )?;
            at = slice.last().map_or(Sequence::MAX, |entry| entry.sequence);
            slices.push(slice);
        }
        Ok(slices)
    };
    let plain = 4 * best(|| {
        for LogEntry { event, .. } in read()?.iter().flatten() {
            black_box(Sha256::digest(&event.record));
            let part = event.personal.as_ref();
            black_box(part.map(|part| Sha256::new().chain_update(&part.bytes).finalize()));
        }
        Ok(())
    })?;
    report("reading and plain SHA-256 of both parts", plain, plain);
    let verify = 4 * best(|| {
        let report = block_on(store.verify(log).against([head]).into_future())?;
        assert!(report.is_intact() && report.proved == head.size);
        Ok(())
    })?;
    report("verification", verify, plain);
    Ok(())
}

fn proving() -> Result<()> {
    let records: Vec<_> = (0..EVENTS).map(record).collect();
    let (frontier, nodes) = tree(&records)?;
    let head = frontier.head();
    println!("\nproofs of a log of {EVENTS} events, its nodes in a map");
    let size = Sequence::new(EVENTS)?;
    let numbers = || (0..PROOFS).map(|n| n * 48_271 % EVENTS + 1);
    let mut proofs = Vec::new();
    let make = best(|| {
        proofs.clear();
        for number in numbers() {
            proofs.push(inclusion_proof(&nodes, sequence(number)?, size)?);
        }
        Ok(())
    })?;
    each("make a proof of inclusion", make);
    let leaves: Vec<_> =
        proofs.iter().map(|proof| LeafHash::of(&record(proof.sequence().get() - 1))).collect();
    let verify = best(|| {
        proofs.iter().zip(&leaves).try_for_each(|(proof, leaf)| proof.verify(*leaf, &head))
    })?;
    each("verify it", verify);
    let mut proofs = Vec::new();
    let make = best(|| {
        proofs.clear();
        for number in numbers() {
            proofs.push(consistency_proof(&nodes, Sequence::new(number)?, size)?);
        }
        Ok(())
    })?;
    each("make a proof of consistency", make);
    let heads = proofs
        .iter()
        .map(|proof| Ok(frontier_at(&nodes, proof.from())?.head()))
        .collect::<Result<Vec<_>>>()?;
    let verify =
        best(|| proofs.iter().zip(&heads).try_for_each(|(proof, old)| proof.verify(old, &head)))?;
    each("verify it", verify);
    Ok(())
}

/// The shortest of some runs.
fn best(mut run: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        run()?;
        shortest = shortest.min(start.elapsed());
    }
    Ok(shortest)
}

#[allow(clippy::cast_precision_loss)]
fn report(what: &str, time: Duration, plain: Duration) {
    let rate = EVENTS as f64 / time.as_secs_f64();
    let ratio = time.as_secs_f64() / plain.as_secs_f64();
    println!("{what:<48} {rate:>12.0} a second  {ratio:.2} times as long");
}

#[allow(clippy::cast_precision_loss)]
fn each(what: &str, time: Duration) {
    let micros = time.as_secs_f64() * 1e6 / PROOFS as f64;
    println!("{what:<48} {micros:>12.2} µs");
}
