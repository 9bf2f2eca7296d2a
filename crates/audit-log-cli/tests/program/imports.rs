//! Imports: records that are recorded, redelivered or refused.

use std::fs::File;
use std::process::Stdio;

use crate::sandbox::{Ran, Sandbox, json, keys, lines};
use serde_json::{Value, json as value};

/// Returns a record of each format.
fn records() -> [(&'static str, Value); 7] {
    [
        (
            "cloudtrail",
            value!({
                "eventID": "1", "eventTime": "2024-03-15T14:48:51Z", "eventName": "GetObject",
                "eventSource": "s3.amazonaws.com", "userIdentity": {"type": "Root"},
            }),
        ),
        (
            "github-events",
            value!({
                "id": "1", "type": "PushEvent", "created_at": "2024-03-15T14:48:51Z",
                "actor": {"id": 1, "login": "ana"}, "repo": {"id": 2, "name": "acme/app"},
            }),
        ),
        (
            "okta",
            value!({
                "uuid": "1", "published": "2024-03-15T14:48:51Z", "eventType": "user.session.start",
                "actor": {"id": "00u1", "type": "User"},
            }),
        ),
        (
            "jira",
            value!({"id": 1, "created": "2024-03-15T14:48:51.000+0000", "summary": "User added"}),
        ),
        (
            "slack",
            value!({
                "id": "1", "date_create": 1_710_514_131, "action": "user_login",
                "actor": {"type": "user", "user": {"id": "W1"}},
            }),
        ),
        (
            "github-audit",
            value!({"@timestamp": 1_710_514_131_000_i64, "action": "repo.create", "actor": "ana"}),
        ),
        (
            "native",
            value!({
                "action": "user.login", "actor": {"kind": "user", "id": "u_1"},
                "occurredAt": 1_710_514_131,
            }),
        ),
    ]
}

#[test]
fn each_format_is_recorded_once() {
    let sandbox = Sandbox::new();
    let id = sandbox.organization();
    for (format, record) in records() {
        let file = sandbox.file(&format!("{format}.jsonl"), &[record]);
        let import = ["import", "--organization", &id, "--from", format, "--json", &file];
        for (recorded, redelivered) in [(1, 0), (0, 1)] {
            let tally = json(&sandbox.ok(&import));
            assert_eq!(keys(&tally), ["read", "recorded", "redelivered", "refused"]);
            assert_eq!(
                tally,
                value!({"read": 1, "recorded": recorded, "redelivered": redelivered, "refused": 0}),
                "{format}"
            );
        }
    }
    let events = lines(&sandbox.ok(&["list", "--organization", &id, "--json"]));
    assert_eq!(events.len(), records().len() + 1);
}

#[test]
fn a_refused_record_is_reported_with_its_line() {
    let sandbox = Sandbox::new();
    let good = r#"{"action":"a","actor":{"kind":"user"},"occurredAt":0}"#;
    let bad = r#"{"action":"a","actor":{"kind":"user","a\u001b\ngep":7}}"#;
    let first = sandbox.file("first.jsonl", &[good, "", bad, "{"]);
    let second = sandbox.file("second.jsonl", &[&*good.replace("\"a\"", "\"b\""), good]);
    let import = ["import", "--organization", "platform", "--from", "native", &first, &second];

    let ran = sandbox.run(&[&import[..], &["--json"]].concat());
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        json(&ran.out),
        value!({
            "read": 5, "recorded": 2, "redelivered": 1, "refused": 2,
            "refusals": {
                "`actor.a\u{1b}\ngep` is not a known field": 1, "must be well-formed JSON": 1,
            },
        }),
        "one object for both files"
    );
    let refusals: Vec<_> = ran.err.lines().collect();
    assert_eq!(refusals.len(), 2, "{}", ran.err);
    assert!(refusals[0].starts_with(r"first.jsonl:3: invalid input: `actor.a\u{1b}\ngep`"));
    assert!(refusals[1].starts_with("first.jsonl:4: invalid input: "));

    let ran = sandbox.run(&import);
    assert_eq!(
        ran.out,
        "first.jsonl: 3 read, 0 recorded, 1 redelivered, 2 refused\n  \
           1 refused: `actor.a\\u{1b}\\ngep` is not a known field\n  \
           1 refused: must be well-formed JSON\n\
         second.jsonl: 2 read, 0 recorded, 2 redelivered, 0 refused\n\
         all: 5 read, 0 recorded, 3 redelivered, 2 refused\n"
    );
}

#[test]
fn imported_events_are_verified() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("events.jsonl", &[records()[6].1.clone()]);
    let import = ["import", "--organization", "platform", "--from", "native", "--verify", &file];
    let ran = sandbox.run(&import);
    assert_eq!((ran.code, ran.err.lines().count()), (Some(0), 6), "{ran:?}");
    for line in ran.err.lines() {
        let found = "1 events, 1 of the files, 0 missing, 0 differing, 0 repeated, 0 misplaced";
        assert!(line.starts_with("verified ") && line.ends_with(found), "{line}");
    }
}

#[test]
fn the_time_of_receipt_is_an_option() {
    let sandbox = Sandbox::new();
    let record = value!({"action": "repo.create", "actor": "ana", "org": "acme"});
    let file = sandbox.file("audit.jsonl", &[record]);
    let at = "2020-01-02T03:04:05.000000Z";
    let import = ["import", "--organization", "platform", "--from", "github-audit"];
    sandbox.ok(&[&import[..], &["--received", at, &file]].concat());
    let event = json(&sandbox.ok(&["list", "--organization", "platform", "--json"]));
    assert_eq!(
        (&event["occurredAt"], &event["metadata"]["occurredAtSource"]),
        (&value!(at), &value!("received"))
    );
}

#[test]
fn the_standard_input_can_be_imported() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("events.jsonl", &[records()[6].1.clone()]);
    let mut command =
        sandbox.command(&["import", "--organization", "platform", "--from", "native", "-"]);
    command.stdin(Stdio::from(File::open(sandbox.path(&file)).unwrap()));
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.out, "-: 1 read, 1 recorded, 0 redelivered, 0 refused\n", "{ran:?}");
}

#[test]
fn a_missing_log_or_file_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.organization();
    let file = sandbox.file("events.jsonl", &[records()[6].1.clone()]);
    let nobody = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let from = ["--from", "native", &file];
    let error = sandbox.fails(2, &[&["import", "--organization", nobody], &from[..]].concat());
    assert!(error.contains(&format!("organizations create --name NAME --id {nobody}")), "{error}");
    // No file is imported if one is missing.
    let platform = ["import", "--organization", "platform"];
    let error = sandbox.fails(2, &[&platform[..], &from[..], &["no-such.jsonl"]].concat());
    assert!(error.starts_with("error: cannot read no-such.jsonl: "), "{error}");
    let error = sandbox.fails(2, &[&platform[..], &["--from", "syslog", &file]].concat());
    assert!(error.contains("[possible values: ") && error.contains("okta"), "{error}");
    let events = lines(&sandbox.ok(&["list", "--organization", "platform", "--json"]));
    assert_eq!(events.len(), 1, "the organization's creation");
}

#[test]
fn two_processes_share_a_store() {
    const EVENTS: usize = 3_000;
    let sandbox = Sandbox::new();
    let id = sandbox.organization();
    let event = |n| value!({"action": "a", "actor": {"kind": "user"}, "occurredAt": n});
    let file = sandbox.file("many.jsonl", &(0..EVENTS).map(event).collect::<Vec<_>>());
    let mut command =
        sandbox.command(&["import", "--organization", &id, "--from", "native", &file]);
    let mut import = command.stdout(Stdio::null()).spawn().unwrap();
    let list = ["list", "--organization", &id, "--order", "sequence", "--all", "--json"];
    loop {
        let done = import.try_wait().unwrap();
        let events = lines(&sandbox.ok(&list));
        let numbers = events.iter().map(|event| event["sequence"].as_u64().unwrap());
        assert!(numbers.eq(1..=events.len() as u64), "each number once, in order");
        if let Some(status) = done {
            assert!(status.success());
            assert_eq!(events.len(), EVENTS + 1);
            return;
        }
    }
}
