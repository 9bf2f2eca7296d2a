//! Test processes that end, in whatever way. Each runs this binary again with the name of a test.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use audit_postgres_server::Server;

/// Set in the processes that the tests start: how they end.
const END: &str = "AUDIT_POSTGRES_SERVER_TEST_END";

/// Starts a server, prints its directory and the id of its process, and ends as its argument says.
#[test]
fn process_with_a_server() {
    let Ok(end) = std::env::var(END) else { return };
    let server = Server::start().unwrap();
    let directory = server.sql("SHOW unix_socket_directories").unwrap();
    let id = fs::read_to_string(Path::new(&directory).join("data/postmaster.pid")).unwrap();
    println!("\nserver {directory} {}", id.lines().next().unwrap());
    match &end[..] {
        "exit" => std::process::exit(1),
        "drop" => drop(server),
        _ => sleep(Duration::from_secs(600)),
    }
}

fn run(end: &str) -> (Child, PathBuf, PathBuf) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes::process_with_a_server", "--nocapture"]);
    command.env(END, end).env_remove("AUDIT_POSTGRES_URL").stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let lines = output.by_ref().lines().map(Result::unwrap);
    let line = lines.into_iter().find(|line| line.starts_with("server ")).unwrap();
    let fields: Vec<&str> = line.split(' ').collect();
    // What it prints further is read when it is waited for.
    process.stdout = Some(output.into_inner());
    (process, fields[1].into(), Path::new("/proc").join(fields[2]))
}

/// Waits until the process is gone. One that nobody has waited for has no command line any more.
fn is_gone(process: &Path) -> bool {
    fs::read(process.join("cmdline")).map_or(true, |line| line.is_empty())
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(120), "{what}");
        sleep(Duration::from_millis(20));
    }
}

fn nothing_is_left_after(end: &str) {
    let (mut process, directory, server) = run(end);
    if end == "kill" {
        assert!(directory.exists());
        assert!(!cfg!(target_os = "linux") || !is_gone(&server));
        process.kill().unwrap();
    }
    process.wait_with_output().unwrap();
    wait_for("the directory of the server is left", || !directory.exists());
    wait_for("the server is left", || is_gone(&server));
}

#[test]
fn no_server_is_left_of_a_process_that_is_killed() {
    nothing_is_left_after("kill");
}

#[test]
fn no_server_is_left_of_a_process_that_exits() {
    nothing_is_left_after("exit");
}

#[test]
fn no_server_is_left_that_is_dropped() {
    nothing_is_left_after("drop");
}
