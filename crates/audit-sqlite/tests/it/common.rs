//! What these tests share: running one of them as a process of its own, and listening to it.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use audit_core::{AuditStoreExt, EventQuery, Log, Order};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use futures_util::TryStreamExt;

/// How often something is done: so often unless the environment variable says otherwise.
pub(crate) fn times(variable: &str, usual: usize) -> usize {
    env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

/// Says that `what` is left out, and why. Not with a macro: the test runner keeps what those print
/// to itself unless the test fails.
pub(crate) fn unchecked(what: &str, why: &str) {
    let line = format!("NOT checked, {why}: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Where the process is to work.
const PATH: &str = "AUDIT_SQLITE_PATH";

/// The path that the process was given.
pub(crate) fn path() -> PathBuf {
    env::var_os(PATH).unwrap().into()
}

/// Returns a command that runs this program again, for the ignored test `test` alone.
///
/// The name includes the module: `processes::writer`.
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

/// How a line begins that tells something; others are the test runner's.
const TELLS: &str = "acknowledged ";

/// Ends the line that the test runner has begun.
pub(crate) fn begin() {
    println!();
}

/// Tells the parent, in one write, so that a kill cuts at most the last line.
pub(crate) fn tell(what: impl std::fmt::Display) {
    let line = format!("{TELLS}{what}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// What the process tells in whole lines, until it ends.
pub(crate) fn told(output: impl Read) -> Vec<String> {
    let mut reader = BufReader::new(output);
    let mut told = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        let what = line.strip_prefix(TELLS).and_then(|rest| rest.strip_suffix('\n'));
        told.extend(what.map(str::to_owned));
        line.clear();
    }
    told
}

/// Starts it, kills it after `delay`, and returns what it told.
pub(crate) fn kill_after(mut command: Command, delay: std::time::Duration) -> Vec<String> {
    let mut child: Child = command.spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || told(output));
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// The numbers of the events of `log` as a walk returns them.
pub(crate) fn recorded(store: &SqliteStore, log: Log) -> Vec<u64> {
    let query = EventQuery::new(log).order(Order::Sequence).limit(1_000);
    let numbers = store.walk(query).map_ok(|event| event.sequence.get());
    block_on(numbers.try_collect()).unwrap()
}

/// Fails unless the numbers are 1, 2, 3 ….
pub(crate) fn assert_dense(numbers: &[u64]) {
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
}
