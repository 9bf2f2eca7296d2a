//! Shared by these tests: runs one of them in its own process and reads the lines that it reports.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use audit_core::{AuditStoreExt, EventQuery, Log, Order};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use futures_util::TryStreamExt;

/// Returns the number of rounds: `usual`, unless the environment variable sets another.
pub(crate) fn times(variable: &str, usual: usize) -> usize {
    env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

/// Reports that the check `what` is left out, and why. Does not use `eprintln!`, whose output the test
/// runner shows only if the test fails.
pub(crate) fn unchecked(what: &str, why: &str) {
    let line = format!("NOT checked, {why}: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The environment variable with the path for the process.
const PATH: &str = "AUDIT_SQLITE_PATH";

/// Returns the path that the process was started with.
pub(crate) fn path() -> PathBuf {
    env::var_os(PATH).unwrap().into()
}

/// Returns a command that runs this program again, for the ignored test `test` only. The name
/// includes the module: `processes::writer`.
pub(crate) fn this_program(test: &str, path: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    as_test(&mut command, test, path);
    command
}

/// Returns the same command, run by `by`.
pub(crate) fn this_program_under(mut by: Command, test: &str, path: &Path) -> Command {
    by.arg(env::current_exe().unwrap());
    as_test(&mut by, test, path);
    by
}

fn as_test(command: &mut Command, test: &str, path: &Path) {
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped());
}

/// The prefix of a reported line; other lines are the test runner's.
const REPORT: &str = "acknowledged ";

/// Ends the line that the test runner has begun.
pub(crate) fn begin() {
    println!();
}

/// Reports to the parent process in one write, so that a kill cuts at most the last line.
pub(crate) fn report(what: impl std::fmt::Display) {
    let line = format!("{REPORT}{what}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// Returns what the process reports in complete lines, until it ends.
pub(crate) fn reported(output: impl Read) -> Vec<String> {
    let mut reader = BufReader::new(output);
    let mut reported = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        let what = line.strip_prefix(REPORT).and_then(|rest| rest.strip_suffix('\n'));
        reported.extend(what.map(str::to_owned));
        line.clear();
    }
    reported
}

/// Starts the command, kills it after `delay`, and returns what it reported.
pub(crate) fn kill_after(mut command: Command, delay: std::time::Duration) -> Vec<String> {
    let mut child: Child = command.spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || reported(output));
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Returns the sequences of the events of `log`, in the order of a walk.
pub(crate) fn recorded(store: &SqliteStore, log: Log) -> Vec<u64> {
    let query = EventQuery::new(log).order(Order::Sequence).limit(1_000);
    let numbers = store.walk(query).map_ok(|event| event.sequence.get());
    block_on(numbers.try_collect()).unwrap()
}

/// Fails unless the numbers are 1, 2, 3 ….
pub(crate) fn assert_dense(numbers: &[u64]) {
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
}
