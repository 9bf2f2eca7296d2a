//! Signals that end an import or an export: the program says what was done, and how to go on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use serde_json::{Value, json as value};

use crate::sandbox::{Ran, Sandbox, json, lines, payments, signal};

const SIGNALS: [(&str, i32); 3] = [("HUP", 129), ("INT", 130), ("TERM", 143)];

/// Returns the number of events in the platform's log.
fn count(sandbox: &Sandbox) -> usize {
    let list = ["list", "--organization", "platform", "--total", "--limit", "1", "--json"];
    let ran = sandbox.run(&list);
    let total = ran.err.lines().find_map(|line| line.strip_prefix("total: "));
    total.map_or(0, |total| total.parse().unwrap())
}

#[test]
fn an_interrupted_import_keeps_what_was_read_and_a_second_run_imports_the_rest() {
    for (name, code) in SIGNALS {
        let sandbox = Sandbox::new();
        let records = sandbox.file("all.jsonl", &payments(0..1_500));
        let text = std::fs::read_to_string(sandbox.path(&records)).unwrap();
        let import = ["import", "--organization", "platform", "--from", "native", "--json"];
        let import = [&import[..], &["--received", "modified"]].concat();
        let mut command = sandbox.command(&[&import[..], &["-"]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The input stays open, so that the import cannot end by itself.
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        while count(&sandbox) < 1_000 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        signal(&child, name);
        let ran = Ran::from(child.wait_with_output().unwrap());
        drop(input);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.err.contains("interrupted in -: run the command again"), "{ran:?}");
        let tally = json(&ran.out);
        assert_eq!(tally["read"], tally["recorded"], "{tally}");
        assert_eq!(tally["recorded"], count(&sandbox));

        let again = json(&sandbox.ok(&[&import[..], &[&records]].concat()));
        assert_eq!(again["redelivered"], tally["recorded"]);
        assert_eq!(count(&sandbox), 1_500);
    }
}

#[test]
fn an_interrupted_export_has_whole_events_and_goes_on_after_the_last() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &payments(0..3_000));
    let export = ["export", "--organization", "platform", "--format", "jsonl"];
    let whole = sandbox.ok(&export);
    for (name, code) in SIGNALS {
        let mut command = sandbox.command(&export);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        // The pipe is full long before the end.
        let mut text = String::new();
        output.read_line(&mut text).unwrap();
        signal(&child, name);
        output.read_to_string(&mut text).unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let written = lines(&text).len();
        assert!((1..3_000).contains(&written), "{written}");
        let hint = format!("{written} events were written; to go on, add --after {written}\n");
        assert!(ran.err.ends_with(&hint), "{ran:?}");
        let rest = sandbox.ok(&[&export[..], &["--after", &written.to_string()]].concat());
        assert_eq!(text + &rest, whole);
    }
}

#[test]
fn a_signal_ends_an_export_that_nobody_reads() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &payments(0..3_000));
    let mut command = sandbox.command(&["export", "--organization", "platform", "--format", "csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0]).unwrap();
    signal(&child, "TERM");
    let ran = Ran::from(child.wait_with_output().unwrap());
    drop(output);
    assert_eq!(ran.code, Some(143), "{ran:?}");
    assert!(ran.err.contains("interrupted"), "{ran:?}");
}

#[test]
fn a_service_ends_with_grace_after_each_signal() {
    for (name, _) in SIGNALS {
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("listening on ") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it did not start");
        }
        signal(&child, name);
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
        assert!(ran.err.contains("ending"), "{name}: {ran:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_hangup_that_is_ignored_at_the_start_stays_ignored() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &payments(0..1));
    let audit = env!("CARGO_BIN_EXE_audit");
    let script = format!("trap '' HUP; exec {audit} tail -f --json --organization platform");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(sandbox.path("")).env_remove("AUDIT_STORE");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Option<Value> {
        events.next().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
    };
    assert_eq!(next().unwrap()["sequence"], 1);
    signal(&child, "HUP");
    sandbox.record("platform", &[value!({"action": "a", "actor": {"kind": "user"}})]);
    assert_eq!(next().unwrap()["sequence"], 2, "it still follows");
    signal(&child, "TERM");
    assert_eq!(next(), None);
    assert!(child.wait().unwrap().success());
}
