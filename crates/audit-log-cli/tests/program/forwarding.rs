//! `audit forward`: events to sinks, and what operators see and ask for.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::sandbox::{Sandbox, json, lines, payments, signal};

const SINKS: &str = "[[sink]]\nname = \"archive\"\nfile = { path = \"out.jsonl\" }\n";

/// A forwarder that runs. It is killed when this is dropped.
struct Forwarder(Child);

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Forwarder {
    fn start(sandbox: &Sandbox, options: &[&str]) -> Self {
        fs::write(sandbox.path("sinks.toml"), SINKS).unwrap();
        let mut command = sandbox.command(&[&["forward", "run", "sinks.toml"], options].concat());
        command.stderr(File::create(sandbox.path("log")).unwrap()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn end(mut self) {
        signal(&self.0, "TERM");
        assert!(self.0.wait().unwrap().success());
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    let mut rounds = 0..60_000;
    while !is_so() {
        assert!(rounds.next().is_some(), "it never was so");
        sleep(Duration::from_millis(2));
    }
}

fn delivered(sandbox: &Sandbox) -> Vec<Value> {
    lines(&fs::read_to_string(sandbox.path("out.jsonl")).unwrap_or_default())
}

#[test]
fn events_are_forwarded_and_the_state_is_shown_paused_and_replayed() {
    events_are_forwarded(&Sandbox::new());
    #[cfg(feature = "postgres")]
    events_are_forwarded(&Sandbox::of_postgres());
}

fn events_are_forwarded(sandbox: &Sandbox) {
    sandbox.record("platform", &payments(0..5));
    let running = Forwarder::start(sandbox, &[]);
    wait_until(|| delivered(sandbox).len() == 5);
    let status = || json(&sandbox.ok(&["forward", "status", "archive", "--json"]));
    wait_until(|| status()["logs"][0]["lagEvents"] == 0);
    let shown = status();
    assert_eq!((&shown["name"], &shown["paused"]), (&"archive".into(), &false.into()));
    assert_eq!((&shown["logs"][0]["delivered"], &shown["logs"][0]["dead"]), (&5.into(), &0.into()));
    let table = sandbox.ok(&["forward", "status"]);
    assert!(table.starts_with("archive: served") && table.contains("platform"), "{table}");
    sandbox.ok(&["forward", "pause", "archive"]);
    running.end();
    sandbox.record("platform", &payments(5..7));
    assert_eq!(status()["logs"][0]["lagEvents"], 2);
    let running = Forwarder::start(sandbox, &[]);
    wait_until(|| status()["servedAt"] != Value::Null);
    assert_eq!(delivered(sandbox).len(), 5);
    sandbox.ok(&["forward", "resume", "archive"]);
    wait_until(|| delivered(sandbox).len() == 7);
    let replay = ["forward", "replay", "archive", "--organization", "platform", "--sequence", "6"];
    assert_eq!(sandbox.ok(&replay), "archive: platform from 6 on\n");
    wait_until(|| delivered(sandbox).len() == 9);
    running.end();
    let sequences: Vec<_> = delivered(sandbox).iter().map(|e| e["sequence"].clone()).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6, 7, 6, 7]);
    assert_eq!(sandbox.ok(&["forward", "dead", "list", "archive", "--json"]), "");
}

#[cfg(feature = "postgres")]
#[test]
fn a_database_that_is_away_loses_and_reorders_nothing() {
    let server = audit_postgres_server::Server::start().unwrap();
    let sandbox = Sandbox::of_database(server.database().unwrap());
    sandbox.record("platform", &payments(0..500));
    let running = Forwarder::start(&sandbox, &[]);
    wait_until(|| !delivered(&sandbox).is_empty());
    for from in [500, 600] {
        server.kill().unwrap();
        sleep(Duration::from_millis(300));
        server.resume().unwrap();
        sandbox.record("platform", &payments(from..from + 100));
    }
    let status = || json(&sandbox.ok(&["forward", "status", "archive", "--json"]));
    wait_until(|| status()["logs"][0]["delivered"] == 700);
    running.end();
    let delivered = delivered(&sandbox);
    let sequences = delivered.iter().map(|event| event["sequence"].as_u64().unwrap());
    // A batch can come again whose position was not stored, but none comes before its time.
    let last = sequences.fold(0, |last, sequence| {
        assert!(sequence <= last + 1, "{sequence} follows {last}");
        last.max(sequence)
    });
    assert_eq!(last, 700);
}

#[test]
fn metrics_and_readiness_are_served() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &payments(0..3));
    let running = Forwarder::start(&sandbox, &["--metrics-listen", "127.0.0.1:0"]);
    let address = || {
        let log = fs::read_to_string(sandbox.path("log")).unwrap();
        let (_, rest) = log.split_once("local=")?;
        Some(rest.split_whitespace().next()?.to_owned())
    };
    wait_until(|| address().is_some());
    let address = address().unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/readyz").starts_with("HTTP/1.1 200 "));
    let all = "audit_forward_delivered_events_total{sink=\"archive\"} 3";
    wait_until(|| get("/metrics").contains(all));
    wait_until(|| get("/metrics").contains("audit_forward_lag_events{sink=\"archive\"} 0"));
    running.end();
}

#[test]
fn what_is_wrong_is_named() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &payments(0..1));
    let error = sandbox.fails(2, &["forward", "pause", "archive"]);
    assert!(error.contains("no sink archive was ever served"), "{error}");
    fs::write(sandbox.path("bad.toml"), SINKS.replace("archive", "Archive")).unwrap();
    let error = sandbox.fails(2, &["forward", "run", "bad.toml"]);
    assert!(error.contains("bad.toml") && error.contains("`sink[0].name`"), "{error}");
    let error = sandbox.fails(2, &["forward", "run", "none.toml"]);
    assert!(error.contains("cannot read none.toml"), "{error}");
    assert_eq!(sandbox.ok(&["forward", "status", "--json"]), "");
}
