//! Retention, pruning and compaction.

use std::fs;

use crate::sandbox::{SIGNING, Sandbox, json, lines, payments};
use serde_json::json as value;

#[test]
fn bounds_that_are_not_given_do_not_change() {
    let sandbox = Sandbox::new();
    let log = sandbox.organization();
    let show = || json(&sandbox.ok(&["retention", "show", "--organization", &log, "--json"]));
    let set = |bounds: &[&str]| {
        sandbox.ok(&[&["retention", "set", "--organization", &log], bounds].concat())
    };
    assert_eq!(show(), value!({"log": log, "legalHold": false}));
    set(&["--max-age", "365d"]);
    set(&["--max-events", "1000", "--legal-hold", "on", "--reason", "case 11"]);
    let all =
        value!({"log": log, "maxAgeSeconds": 31_536_000, "maxEvents": 1000, "legalHold": true});
    assert_eq!(show(), all);
    let shown = set(&["--keep-everything"]);
    let words = "max age:      unbounded\nmax events:   unbounded\nlegal hold:   on\n";
    assert!(shown.ends_with(words), "{shown}");
    set(&["--legal-hold", "off"]);
    assert_eq!(show(), value!({"log": log, "legalHold": false}));
    let action = "log.retention_changed";
    let changes = sandbox.ok(&["list", "--organization", &log, "--action", action, "--json"]);
    assert_eq!(lines(&changes).len(), 4);
    for bounds in [
        &[][..],
        &["--max-age", "1y"],
        &["--max-events", "0"],
        &["--keep-everything", "--max-events", "1"],
    ] {
        sandbox.fails(2, &[&["retention", "set", "--organization", &log], bounds].concat());
    }
}

#[test]
fn a_legal_hold_forbids_pruning_and_erasing() {
    let sandbox = Sandbox::new();
    let log = sandbox.organization();
    sandbox.record(&log, &payments(0..100));
    let bounds = ["--max-events", "1", "--legal-hold", "on"];
    sandbox.ok(&[&["retention", "set", "--organization", &log], &bounds[..]].concat());
    let erase = ["erase", "--organization", &log, "--actor-id", "u_1", "--reason", "x", "--yes"];
    for arguments in [&["prune", "--organization", &log][..], &erase] {
        let error = sandbox.fails(2, arguments);
        assert!(error.contains("a legal hold forbids removing data\nhint: "), "{error}");
        assert!(error.contains("--legal-hold off"), "{error}");
    }
    let all = sandbox.ok(&["prune", "--all"]);
    assert!(all.contains(&format!("{log}: nothing removed, because of a legal hold")), "{all}");
    assert!(all.contains("platform: nothing to remove"), "{all}");
}

#[test]
fn proofs_stay_valid_after_pruning() {
    let sandbox = Sandbox::new();
    let log = sandbox.organization();
    sandbox.record(&log, &payments(0..100));
    let key = sandbox.checkpoint_key();
    fs::write(sandbox.path("monday"), sandbox.checkpoint(&log)).unwrap();
    let list = ["list", "--organization", &log, "--all", "--order", "sequence", "--json"];
    let events = lines(&sandbox.ok(&list));
    sandbox.ok(&["retention", "set", "--organization", &log, "--max-events", "10"]);
    let prune = ["prune", "--organization", &log];
    let pruned = sandbox.ok(&prune);
    assert_eq!(pruned, format!("{log}: 64 events removed, up to event 64\n"));
    assert_eq!(sandbox.ok(&prune), format!("{log}: nothing to remove\n"));

    let verify = ["verify", "--organization", &log, "--checkpoint", "monday", "--key", &key];
    let verdict = json(&sandbox.ok(&[&verify[..], &["--json"]].concat()));
    assert_eq!(
        (&verdict["from"], &verdict["pruned"], &verdict["proved"]),
        (&64.into(), &64.into(), &101.into())
    );
    assert!(sandbox.ok(&verify).contains("pruned:  events 1 to 64\n"));
    sandbox.checkpoint(&log);

    let id = |n: usize| events[n - 1]["id"].as_str().unwrap();
    let prove = |n| ["prove", id(n), "--organization", &log, "--checkpoint", "monday"];
    fs::write(sandbox.path("left"), sandbox.ok(&prove(65))).unwrap();
    assert!(sandbox.ok(&["check", "left", "--key", &key]).starts_with("PROVED\n"));
    let error = sandbox.fails(2, &prove(64));
    assert!(
        error.contains("the first 64 events were pruned; the event may be one of them"),
        "{error}"
    );
}

#[test]
fn a_log_is_not_signed_after_unsigned_events_were_pruned() {
    let sandbox = Sandbox::new();
    let log = sandbox.organization();
    let key = sandbox.checkpoint_key();
    let first = sandbox.checkpoint(&log);
    fs::write(sandbox.path("first"), &first).unwrap();
    sandbox.record(&log, &payments(0..100));
    sandbox.ok(&["retention", "set", "--organization", &log, "--max-events", "1"]);
    sandbox.ok(&["prune", "--organization", &log]);
    let again = [&["checkpoint", "--organization", &log], &SIGNING[..]].concat();
    let error = sandbox.fails(1, &again);
    assert!(error.contains("were pruned before a checkpoint of them was signed"), "{error}");
    let since = ["verify", "--organization", &log, "--since", "first", "--key", &key];
    assert!(sandbox.fails(2, &since).contains("give a later checkpoint"));
    let verify = ["verify", "--organization", &log, "--checkpoint", "first", "--key", &key];
    let ran = sandbox.run(&verify);
    assert_eq!(ran.code, Some(3), "nothing was compared: {ran:?}");
    let shown = ran.out;
    assert!(shown.contains("the checkpoint of 1 events is too old to be compared"), "{shown}");
    sandbox.ok(&[&again[..], &["--first"]].concat());
}

#[test]
fn a_compacted_store_is_smaller_and_its_proofs_stay_valid() {
    let sandbox = Sandbox::new();
    let log = sandbox.organization();
    sandbox.record(&log, &payments(0..3_000));
    sandbox.checkpoint_key();
    let checkpoint = sandbox.checkpoint(&log);
    sandbox.ok(&["retention", "set", "--organization", &log, "--max-events", "3000"]);
    let first = json(&sandbox.ok(&["compact", "--json"]));
    let bounds = ["--max-age", "365d", "--max-events", "100"];
    sandbox.ok(&[&["retention", "set", "--organization", &log], &bounds[..]].concat());
    sandbox.ok(&["prune", "--organization", &log]);
    let second = json(&sandbox.ok(&["compact", "--json"]));
    assert!(second["after"].as_u64() < first["after"].as_u64().map(|bytes| bytes / 4));
    fs::write(sandbox.path("kept"), checkpoint).unwrap();
    let verify = ["verify", "--organization", &log, "--json"];
    assert_eq!(json(&sandbox.ok(&verify))["pruned"], 2_880);
    let sizes = sandbox.ok(&["compact"]);
    assert!(sizes.contains(" bytes before, ") && sizes.ends_with(" now\n"), "{sizes}");

    let elsewhere = sandbox.path("none.db").display().to_string();
    let error = sandbox.fails(2, &["compact", "--store", &format!("sqlite:{elsewhere}")]);
    assert!(error.contains("there is no store at "), "{error}");
    assert!(!sandbox.path("none.db").exists());
    let error = sandbox.fails(2, &["compact", "--store", "memory:"]);
    assert!(error.contains("a store in memory has no file"), "{error}");
}
