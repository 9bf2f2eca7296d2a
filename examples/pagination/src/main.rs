//! Walks a large log by token while others append to it, then follows what they appended.
//!
//! `cargo run --release -p example-pagination [EVENTS]`
//!
//! A walk answers from the log as it was when it began: what comes meanwhile does not move, repeat
//! or hide anything. The feed that begins where the walk's snapshot ends brings the rest.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread;

use audit_core::{
    Actor, AuditStore, AuditStoreExt, EventQuery, FeedStart, Filter, Log, NewEvent, OrganizationId,
    Result,
};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;

const BATCH: usize = 1_000;
const LATER: usize = 500;

fn main() -> ExitCode {
    let events = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(20_000);
    match block_on(run(events)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pagination: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(count: usize) -> Result<()> {
    let path = std::env::temp_dir().join(format!("pagination-{}.db", std::process::id()));
    let store = SqliteStore::open(&path)?;
    let log = Log::organization(OrganizationId::new());
    for first in (0..count).step_by(BATCH) {
        let batch = (first..count.min(first + BATCH)).map(event);
        store.append(log, batch.collect()).await?;
    }
    println!("recorded {count} events");

    // Another part of the service goes on recording while the walk is under way.
    let writer = thread::spawn({
        let store = store.clone();
        move || {
            block_on(async {
                for number in count..count + LATER {
                    store.record(log, event(number)).await?;
                }
                Ok::<_, audit_core::Error>(())
            })
        }
    });

    let query = EventQuery::new(log).filter(Filter::new().action("report.*")).with_total();
    let mut seen = BTreeSet::new();
    let (mut pages, mut page) = (1, store.page(&query.clone().limit(100)).await?);
    let (bound, total) = (page.bound, page.total.unwrap_or_default());
    loop {
        for event in &page.events {
            assert!(seen.insert(event.sequence), "an event came twice");
        }
        let Some(token) = page.next else { break };
        // The page size may change on the way; the filter and the order may not.
        page = store.next_page(&query.clone().limit(100 + pages % 400), &token).await?;
        pages += 1;
    }
    println!(
        "walked {} of the first {bound} events in {pages} pages; the count says {total}",
        seen.len()
    );
    assert_eq!(seen.len() as u64, total);

    let mut page = store.feed(&query, FeedStart::After(bound)).await?;
    let last = (0..count + LATER).rev().find(|number| is_report(*number));
    let mut followed = 0;
    loop {
        followed += page.events.len();
        let newest = page.events.last().and_then(|event| event.targets[0].id.clone());
        if last.is_some_and(|last| newest == Some(last.to_string())) {
            break;
        }
        // An empty page has a token, too. This waits until there is something to see.
        page = store.wait_feed(&query, &page.token).await?;
    }
    println!("followed {followed} more as they came");

    if let Ok(result) = writer.join() {
        result?;
    }
    drop(store);
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        let _ = std::fs::remove_file(file); // closing the store has removed some
    }
    Ok(())
}

fn is_report(number: usize) -> bool {
    number.is_multiple_of(3)
}

fn event(number: usize) -> NewEvent {
    let action = if is_report(number) { "report.viewed" } else { "user.login" };
    NewEvent::new(action, Actor::user(format!("u_{}", number % 100)))
        .target("report", number.to_string())
}
