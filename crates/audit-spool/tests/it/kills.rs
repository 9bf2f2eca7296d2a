//! Processes that are killed while they spool and drain. What was accepted is in the store, once.
//!
//! ```text
//! AUDIT_SPOOL_KILLS=200 cargo test --release -p audit-spool --test it kills -- --nocapture
//! ```

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use audit_core::{
    Accepted, Actor, AuditStore as _, AuditStoreExt as _, Error, ErrorKind, EventQuery, Log,
    NewEvent, Order, Recorder, Result,
};
use audit_spool::{Spool, SpoolOptions};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use futures_util::TryStreamExt as _;

const LOG: Log = Log::Platform;
const PATH: &str = "AUDIT_SPOOL_PATH";

/// A store that is away for some calls, and for others records and says that it failed.
#[derive(Debug)]
struct Flaky(SqliteStore, std::sync::atomic::AtomicU64);

#[async_trait]
impl Recorder for Flaky {
    async fn accept(&self, log: Log, events: Vec<NewEvent>) -> Result<Accepted> {
        let call = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let away = || Err(Error::new(ErrorKind::Unavailable));
        if call % 7 < 3 {
            return away();
        }
        let receipts = self.0.append(log, events).await?;
        if call % 7 == 3 { away() } else { Ok(Accepted::Recorded(receipts)) }
    }
}

fn open(directory: &Path) -> Spool {
    let store = SqliteStore::open(directory.join("audit.db")).unwrap();
    let options = SpoolOptions::default().with_retry_interval(Duration::from_millis(1));
    Spool::open_with(directory.join("spool"), Flaky(store, 0.into()), options).unwrap()
}

/// The process of the next test: records numbers from the given one on, and reports each that is
/// accepted.
#[test]
#[ignore = "run by another test"]
fn service() {
    let Some(path) = env::var_os(PATH) else { return };
    let (directory, first) = (PathBuf::from(path), env::var("AUDIT_SPOOL_FIRST").unwrap());
    let spool = open(&directory);
    println!();
    for number in first.parse::<u64>().unwrap().. {
        let event = NewEvent::new("counted", Actor::system()).target("number", number.to_string());
        block_on(spool.accept(LOG, vec![event])).unwrap();
        let line = format!("accepted {number}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

/// Returns the numbers in the store, in its order.
fn recorded(directory: &Path) -> Vec<u64> {
    let store = SqliteStore::open(directory.join("audit.db")).unwrap();
    let query = EventQuery::new(LOG).order(Order::Sequence).limit(1_000);
    let events: Vec<_> = block_on(store.walk(query).try_collect()).unwrap();
    events.iter().map(|event| event.targets[0].id.as_ref().unwrap().parse().unwrap()).collect()
}

#[test]
fn what_was_accepted_is_recorded_once_and_in_order_whatever_is_killed() {
    let kills = env::var("AUDIT_SPOOL_KILLS").map_or(3, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (mut accepted, mut first) = (Vec::new(), 0);
    for kill in 0..kills {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kills::service", "--ignored", "--nocapture"])
            .env(PATH, directory.path())
            .env("AUDIT_SPOOL_FIRST", first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut numbers = output.lines().map_while(std::result::Result::ok).filter_map(|line| {
            line.strip_prefix("accepted ").map(|number| number.parse::<u64>().unwrap())
        });
        accepted.extend(numbers.by_ref().take(10 + 3 * (kill % 20)));
        process.kill().unwrap();
        process.wait().unwrap();
        accepted.extend(numbers);
        first = accepted.last().unwrap() + 1_000; // what was not reported can be recorded, too
    }
    let spool = open(directory.path());
    block_on(spool.drained());
    drop(spool);
    let recorded = recorded(directory.path());
    assert!(recorded.is_sorted_by(|a, b| a < b), "twice, or out of order");
    let lost: Vec<_> = accepted.iter().filter(|n| recorded.binary_search(n).is_err()).collect();
    assert_eq!(lost, Vec::<&u64>::new());
    println!("{kills} kills, {} accepted, none lost, none twice", accepted.len());
}
