//! Erasure: confirmation, the events that remain, and verification.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::sandbox::{Ran, Sandbox, json, lines, payments};

fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let log = sandbox.organization();
    sandbox.record(&log, &payments(0..90));
    (sandbox, log)
}

/// Runs the program with `answer` on its standard input.
fn answer(sandbox: &Sandbox, arguments: &[&str], answer: &str) -> Ran {
    let mut command = sandbox.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

fn of_one(sandbox: &Sandbox, log: &str) -> Vec<serde_json::Value> {
    lines(&sandbox.ok(&["list", "--organization", log, "--actor-id", "u_1", "--all", "--json"]))
}

#[test]
fn nothing_is_erased_without_confirmation() {
    let (sandbox, log) = sandbox();
    let erase = ["erase", "--organization", &log, "--actor-id", "u_1", "--reason", "request 4711"];
    let ran = sandbox.run(&[&erase[..], &["--dry-run"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    assert!(ran.err.ends_with("that match: 30\n"), "{ran:?}");
    for no in ["", "\n", "n\n", "yess\n"] {
        let ran = answer(&sandbox, &erase, no);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("[y/N]") && ran.err.contains("nothing was erased"), "{ran:?}");
    }
    assert!(of_one(&sandbox, &log).iter().all(|event| event["erased"].is_null()));

    let ran = answer(&sandbox, &erase, "y\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "events erased: 30\n"), "{ran:?}");
    let left = of_one(&sandbox, &log);
    assert_eq!(left.len(), 30);
    for event in left {
        assert_eq!((&event["erased"], &event["actor"]["email"]), (&true.into(), &().into()));
    }
    let recorded =
        sandbox.ok(&["list", "--organization", &log, "--action", "log.erased", "--json"]);
    assert_eq!(json(&recorded)["reason"], "request 4711");
    let again = json(&sandbox.ok(&[&erase[..], &["--yes", "--json"]].concat()));
    assert_eq!(again, serde_json::json!({"matched": 30, "erased": 0, "keys": 0, "damaged": []}));

    let verdict = json(&sandbox.ok(&["verify", "--organization", &log, "--json"]));
    assert_eq!((&verdict["erased"], &verdict["declaredErased"]), (&30.into(), &30.into()));
}

#[test]
fn an_erased_log_is_intact_and_earlier_evidence_stays_valid() {
    let (sandbox, log) = sandbox();
    let key = sandbox.checkpoint_key();
    fs::write(sandbox.path("monday"), sandbox.checkpoint(&log)).unwrap();
    let id = of_one(&sandbox, &log)[0]["id"].as_str().unwrap().to_owned();
    let prove = ["prove", &id, "--organization", &log, "--checkpoint", "monday", "--output"];
    sandbox.ok(&[&prove[..], &["before"]].concat());
    let by = ["--actor-id", "u_1", "--reason", "request 4711", "--yes"];
    sandbox.ok(&[&["erase", "--organization", &log], &by[..]].concat());
    sandbox.ok(&[&prove[..], &["after"]].concat());
    for (file, personal) in [("before", "intact"), ("after", "absent")] {
        let proved = json(&sandbox.ok(&["check", file, "--key", &key, "--json"]));
        assert_eq!(proved["personal"], personal);
    }
    let verify = ["verify", "--organization", &log, "--checkpoint", "monday", "--key", &key];
    let shown = sandbox.ok(&verify);
    assert!(shown.starts_with(&format!("{log}: intact\n")), "{shown}");
    assert!(shown.contains("proved:  up to event 91, by a kept checkpoint"), "{shown}");
    assert!(shown.ends_with("erased:  30 events; the log records 30\n"), "{shown}");
    // One more deleted part is a finding.
    let sql = "UPDATE audit_event SET personal = NULL WHERE event_key & 0xffffff = 91";
    assert_eq!(sandbox.sql(sql), 1);
    assert_eq!(sandbox.run(&verify).code, Some(1));
}

#[test]
fn single_events_are_erased_by_their_ids() {
    let (sandbox, log) = sandbox();
    let events = of_one(&sandbox, &log);
    let id = |n: usize| events[n]["id"].as_str().unwrap();
    let erase = ["erase", "--organization", &log, "--reason", "a password", "--yes", "--id"];
    let done = sandbox.ok(&[&erase[..], &[id(0), "--id", id(1), "--id", id(0), "--json"]].concat());
    assert_eq!(
        json(&done),
        serde_json::json!({"matched": 2, "erased": 2, "keys": 0, "damaged": []})
    );
    for (arguments, message) in [
        (&["--id", &*log, "--reason", "x"][..], "cannot erase event"),
        (&["--id", id(2), "--actor-id", "u_1", "--reason", "x"], "give no filter"),
        (&["--reason", "x"], "this selects the whole log"),
        (&["--actor-id", "u_1"], "--reason"),
    ] {
        let error =
            sandbox.fails(2, &[&["erase", "--yes", "--organization", &log], arguments].concat());
        assert!(error.contains(message), "{error}");
    }
    let erased = of_one(&sandbox, &log).iter().filter(|event| event["erased"] == true).count();
    assert_eq!(erased, 2);
}
