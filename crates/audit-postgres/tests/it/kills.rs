//! One of several processes is killed while it appends, and the others go on.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _, stdout};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use audit_core::{
    Actor, AuditStoreExt as _, EventId, EventQuery, Log, NewEvent, Order, OrganizationId,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::common::{database, open};

/// The number of processes that are killed, unless [`KILLS_VARIABLE`] sets another.
const KILLS: usize = 4;
const KILLS_VARIABLE: &str = "AUDIT_POSTGRES_KILLS";
const PROCESSES: usize = 4;
/// The callers of a process.
const CALLERS: usize = 8;

const URL: &str = "AUDIT_POSTGRES_TEST_URL";
/// The prefix of a line that acknowledges an event; other lines are the test runner's.
const ACKNOWLEDGED: &str = "acknowledged ";

fn logs() -> [Log; 2] {
    [Log::Platform, Log::organization(OrganizationId::from_uuid(Uuid::from_u128(7)))]
}

#[test]
#[ignore = "run by the other test, in processes of its own"]
fn append_until_killed() {
    let url = env::var(URL).expect("this process is started by another test");
    let options = PostgresOptions::default().with_timeout(Duration::from_secs(60));
    let store = block_on(PostgresStore::open_with(&url, options)).expect("the store opens");
    // Ends the line that the test runner has begun.
    println!();
    block_on(join_all((0..CALLERS).map(async |caller| {
        let at = usize::from(caller.is_multiple_of(4));
        loop {
            let id = EventId::new();
            let event = NewEvent::new("task.step", Actor::user(format!("u_{caller}"))).id(id);
            let receipt = store.record(logs()[at], event).await.expect("it is recorded");
            // In one write, so that a kill cuts at most the last line.
            let line = format!("{ACKNOWLEDGED}{at} {id} {}\n", receipt.sequence);
            stdout().lock().write_all(line.as_bytes()).expect("the other test reads");
        }
    })));
}

/// An event that a process has acknowledged.
struct Acknowledged {
    log: Log,
    id: EventId,
    sequence: u64,
}

impl Acknowledged {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(ACKNOWLEDGED)?.split(' ');
        let log = logs()[words.next()?.parse::<usize>().ok()?];
        let id = words.next()?.parse().ok()?;
        Some(Self { log, id, sequence: words.next()?.parse().ok()? })
    }
}

struct Process {
    child: Child,
    /// What it acknowledges, and when this is read.
    lines: Receiver<(Acknowledged, Instant)>,
    acknowledged: Vec<Acknowledged>,
}

impl Process {
    fn start(database: &Database) -> Self {
        let mut child = Command::new(env::current_exe().expect("a program has a path"))
            .args(["--exact", "kills::append_until_killed", "--ignored", "--nocapture"])
            .env(URL, database.url())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (send, lines) = channel();
        thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            for found in lines.filter_map(|line| Acknowledged::parse(&line)) {
                let _ = send.send((found, Instant::now()));
            }
        });
        Self { child, lines, acknowledged: Vec::new() }
    }

    /// Waits until this many more events are acknowledged, after `since`. Returns when they were.
    fn wait_for(&mut self, count: usize, since: Instant) -> Instant {
        let mut found = 0;
        loop {
            let (acknowledged, at) = self.lines.recv().expect("the process goes on");
            self.acknowledged.push(acknowledged);
            found += usize::from(at > since);
            if found == count {
                return at;
            }
        }
    }

    /// Kills the process as by `kill -9`, and returns all that it acknowledged.
    fn kill(mut self) -> Vec<Acknowledged> {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.acknowledged.extend(self.lines.iter().map(|(acknowledged, _)| acknowledged));
        self.acknowledged
    }
}

/// Requires that a log has no gap, no event twice, and all that was acknowledged. Returns its size.
fn check(store: &PostgresStore, log: Log, acknowledged: &[Acknowledged]) -> usize {
    let query = EventQuery::new(log).order(Order::Sequence).limit(1_000);
    let mut found = HashMap::new();
    let mut page = block_on(store.page(&query)).expect("it is read");
    loop {
        for event in page.events {
            assert!(found.insert(event.id, event.sequence.get()).is_none(), "it is twice");
            assert_eq!(event.sequence.get(), found.len() as u64, "the log has a gap");
        }
        let Some(next) = page.next else { break };
        page = block_on(store.next_page(&query, &next)).expect("it is read");
    }
    for Acknowledged { id, sequence, .. } in acknowledged.iter().filter(|of| of.log == log) {
        assert_eq!(found.get(id), Some(sequence), "what was acknowledged is there");
    }
    found.len()
}

#[test]
fn the_others_go_on_when_a_process_is_killed() {
    let kills = env::var(KILLS_VARIABLE).map_or(KILLS, |text| text.parse().expect("a number"));
    let database = database();
    let store = open(&database);
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| Process::start(&database)).collect();
    let (mut acknowledged, mut pauses) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        let all_run = Instant::now();
        for process in &mut processes {
            process.wait_for(2 * CALLERS, all_run);
        }
        let killed_at = Instant::now();
        acknowledged.extend(processes.remove(0).kill());
        for process in &mut processes {
            // More than can have been under way.
            pauses.push(process.wait_for(CALLERS + 1, killed_at) - killed_at);
        }
        processes.push(Process::start(&database));
    }
    acknowledged.extend(processes.into_iter().flat_map(Process::kill));
    let size: usize = logs().map(|log| check(&store, log, &acknowledged)).into_iter().sum();
    let most = (kills + PROCESSES) * CALLERS;
    assert!(size - acknowledged.len() <= most, "the others were under way");
    pauses.sort();
    println!(
        "{kills} kills, {} appends acknowledged, none lost, none twice; the others went on after \
         {:.2?}, at most {:.2?}",
        acknowledged.len(),
        pauses[pauses.len() / 2],
        pauses[pauses.len() - 1],
    );
}
