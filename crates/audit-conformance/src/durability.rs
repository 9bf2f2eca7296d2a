//! Events that a process acknowledged before it was killed are in the store afterwards.

use std::env;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{BufRead as _, BufReader, Write as _, stdout};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use audit_core::{
    Actor, AuditStoreExt as _, ErrorKind, EventId, EventQuery, Filter, Log, NewEvent,
    OrganizationId, Receipt,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::samples::{At as _, redelivered};
use crate::subject::{Subject, refused};
use crate::{DurableHarness, Harness, NewHarness};

/// The number of processes that are killed, unless [`KILLS_VARIABLE`] sets another.
const KILLS: u64 = 8;
const KILLS_VARIABLE: &str = "AUDIT_CONFORMANCE_KILLS";
/// The threads of a process that append.
const WRITERS: u64 = 4;

/// The environment variables of a process that appends until it is killed.
const PLACE_VARIABLE: &str = "AUDIT_CONFORMANCE_PLACE";
const RUN_VARIABLE: &str = "AUDIT_CONFORMANCE_RUN";
/// The prefix of a line that acknowledges a batch; other lines are the test runner's.
const ACKNOWLEDGED: &str = "acknowledged ";

fn log_of(writer: u64) -> Log {
    let id = OrganizationId::from_uuid(Uuid::from_u128(7));
    if writer.is_multiple_of(2) { Log::Platform } else { Log::organization(id) }
}

/// Returns the `number`th batch of a writer, the same in every process.
fn batch(run: u64, writer: u64, number: u64) -> Vec<NewEvent> {
    let event = |n: u64| {
        let name = format!("{run} {writer} {number} {n}");
        NewEvent::new("task.step", Actor::user(format!("writer_{writer}")).name(&name))
            .id(EventId::derived(Uuid::nil(), name.as_bytes()))
            .at(i64::try_from(number % 50).unwrap_or_default())
            .message(name)
    };
    (0..=number % 7).map(event).collect()
}

/// Appends to the store that `open` opens until the process is killed, and reports each receipt.
#[doc(hidden)]
pub fn append_until_killed(open: &dyn Fn(&OsStr) -> Box<dyn Harness>) {
    let variable = |name| env::var_os(name).expect("this process is started by another test");
    let run = variable(RUN_VARIABLE).to_string_lossy().parse().expect("a number");
    let subject = Subject::<dyn Harness>::new(&|| open(&variable(PLACE_VARIABLE)));
    // Ends the line that the test runner has begun.
    println!();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let subject = &subject;
            scope.spawn(move || {
                for number in 0.. {
                    let receipts = subject.append(log_of(writer), batch(run, writer, number));
                    let receipts = receipts.expect("an append must succeed");
                    let json = serde_json::to_string(&(writer, receipts)).expect("it has JSON");
                    // In one write, so that a kill cuts at most the last line.
                    let line = format!("{ACKNOWLEDGED}{json}\n");
                    stdout().lock().write_all(line.as_bytes()).expect("the parent reads");
                }
            });
        }
    });
}

/// Starts the test `writer` of this program in a process of its own, kills it once it has
/// acknowledged `count` batches, and returns all that it acknowledged, by writer.
fn kill_after<T: DeserializeOwned + Debug>(
    place: &OsStr,
    writer: &str,
    run: u64,
    count: u64,
) -> Vec<(u64, T)> {
    let mut child = Command::new(env::current_exe().expect("a program has a path"))
        .args(["--exact", writer, "--ignored", "--nocapture"])
        .env(PLACE_VARIABLE, place)
        .env(RUN_VARIABLE, run.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let (mut found, mut line) = (Vec::new(), String::new());
    while lines.read_line(&mut line).expect("its output is readable") > 0 {
        let json = line.strip_prefix(ACKNOWLEDGED).and_then(|rest| rest.strip_suffix('\n'));
        found.extend(json.map(|json| serde_json::from_str(json).expect("a whole line")));
        if found.len() as u64 == count {
            // What it reports after this is read as well.
            child.kill().expect("it can be killed");
        }
        line.clear();
    }
    let status = child.wait().expect("it has ended");
    assert!(!status.success() && found.len() as u64 >= count, "the process failed: {status}");
    found
}

/// Kills processes that append to a store, and requires that all they acknowledged is in it.
///
/// `writer` is the path of the test that calls [`append_until_killed`].
#[doc(hidden)]
pub fn acknowledged_appends_survive_kills(new: NewHarness<'_, dyn DurableHarness>, writer: &str) {
    let kills = env::var(KILLS_VARIABLE).map_or(KILLS, |text| text.parse().expect("a number"));
    // Without the name of the crate, as the test runner has it.
    let writer = writer.split_once("::").map_or(writer, |(_, path)| path);
    let harness: Arc<dyn DurableHarness> = new().into();
    let (mut counts, mut acknowledged) = (vec![0; usize::try_from(WRITERS).unwrap()], 0);
    for run in 0..kills {
        let receipts: Vec<(u64, Vec<Receipt>)> =
            kill_after(&harness.place(), writer, run, 1 + run * 5);
        acknowledged += receipts.len();
        let subject = Subject::of(Arc::clone(&harness));
        for (writer, count) in (0..).zip(&mut counts) {
            let own = receipts.iter().filter(|(by, _)| *by == writer).map(|(_, receipts)| receipts);
            let own: Vec<_> = own.collect();
            *count += check_writer(&subject, run, writer, &own);
        }
        check_logs(&subject, &counts);
    }
    println!("{kills} kills, {acknowledged} batches acknowledged, none lost, none twice");
}

/// Checks the events of a writer after it was killed, delivers again what it may not know about,
/// and returns how many events it has recorded.
fn check_writer(
    subject: &Subject<dyn DurableHarness>,
    run: u64,
    writer: u64,
    acknowledged: &[&Vec<Receipt>],
) -> u64 {
    let log = log_of(writer);
    for (number, receipts) in (0..).zip(acknowledged) {
        for (event, receipt) in batch(run, writer, number).iter().zip(*receipts) {
            let found = subject.get(log, event.id).expect("an acknowledged event survives a kill");
            let as_acknowledged =
                (found.sequence, found.recorded_at) == (receipt.sequence, receipt.recorded_at);
            assert!(
                as_acknowledged && !receipt.redelivered,
                "it is as its receipt says: {found:?}"
            );
            assert!(found.has_content(event), "it has the content that was acknowledged");
        }
    }
    // The batch that was under way, and the one before, which may have been delivered.
    let next = acknowledged.len() as u64;
    let under_way = batch(run, writer, next);
    let found = under_way.iter().filter(|event| subject.get(log, event.id).is_ok()).count();
    assert!(found == 0 || found == under_way.len(), "a batch is recorded whole or not at all");
    let receipts = subject.append(log, under_way.clone()).expect("it can be delivered again");
    let is_known = receipts.iter().all(|receipt| receipt.redelivered == (found > 0));
    assert!(is_known, "what was recorded is known after a kill");
    if let Some(first) = acknowledged.last() {
        let again = subject.append(log, batch(run, writer, next - 1));
        let expected: Vec<_> = first.iter().copied().map(redelivered).collect();
        assert_eq!(again.ok(), Some(expected), "a redelivery returns the first receipts");
    }
    let beyond = batch(run, writer, next + 1)[0].id;
    refused(subject.get(log, beyond), ErrorKind::NotFound, "a batch that was never begun");
    (0..=next).map(|number| batch(run, writer, number).len() as u64).sum()
}

/// Requires that the logs hold what the writers have recorded, in order, proved and indexed.
fn check_logs(subject: &Subject<dyn DurableHarness>, counts: &[u64]) {
    let counts: Vec<_> = (0..).zip(counts.iter().copied()).collect();
    for log in [log_of(0), log_of(1)] {
        let own = counts.iter().filter(|(writer, _)| log_of(*writer) == log);
        let size: u64 = own.clone().map(|(_, count)| count).sum();
        assert_eq!(subject.head(log).size.get(), size, "nothing is lost, and nothing is twice");
        let events = subject.events(log);
        let numbers = events.iter().map(|event| event.sequence.get());
        assert!(numbers.eq(1..=size), "a log has no gap after a kill");
        let tree = subject.tree(log);
        assert_eq!(subject.frontier(log).head(), tree.head(size), "the tree is the records'");
        for (writer, count) in own {
            let filter = Filter::new().actor_id(format!("writer_{writer}"));
            let query = EventQuery::new(log).filter(filter);
            let found = subject.block_on(subject.store().count(&query));
            assert_eq!(found.ok(), Some(*count), "every event is in the index after a kill");
        }
    }
}
