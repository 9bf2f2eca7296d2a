//! Retention and pruning, and that what is left is proved.

use std::fs;

use crate::place::{Place, SIGNING, json, lines, payments};
use serde_json::json as value;

#[test]
fn what_is_not_named_stays_as_it_is() {
    let place = Place::new();
    let log = place.organization();
    let show = || json(&place.ok(&["retention", "show", "--organization", &log, "--json"]));
    let set = |bounds: &[&str]| {
        place.ok(&[&["retention", "set", "--organization", &log], bounds].concat())
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
    let told = place.ok(&["list", "--organization", &log, "--action", action, "--json"]);
    assert_eq!(lines(&told).len(), 4);
    for bounds in [
        &[][..],
        &["--max-age", "1y"],
        &["--max-events", "0"],
        &["--keep-everything", "--max-events", "1"],
    ] {
        place.fails(2, &[&["retention", "set", "--organization", &log], bounds].concat());
    }
}

#[test]
fn a_legal_hold_forbids_to_prune_and_to_erase() {
    let place = Place::new();
    let log = place.organization();
    place.record(&log, &payments(0..100));
    let bounds = ["--max-events", "1", "--legal-hold", "on"];
    place.ok(&[&["retention", "set", "--organization", &log], &bounds[..]].concat());
    let erase = ["erase", "--organization", &log, "--actor-id", "u_1", "--reason", "x", "--yes"];
    for arguments in [&["prune", "--organization", &log][..], &erase] {
        let error = place.fails(2, arguments);
        assert!(error.contains("a legal hold forbids removing data\nhint: "), "{error}");
        assert!(error.contains("--legal-hold off"), "{error}");
    }
    let all = place.ok(&["prune", "--all"]);
    assert!(all.contains(&format!("{log}: nothing removed, by a legal hold")), "{all}");
    assert!(all.contains("platform: nothing to remove"), "{all}");
}

#[test]
fn what_pruning_leaves_is_proved_as_before() {
    let place = Place::new();
    let log = place.organization();
    place.record(&log, &payments(0..100));
    let key = place.checkpoint_key();
    fs::write(place.path("monday"), place.checkpoint(&log)).unwrap();
    let list = ["list", "--organization", &log, "--all", "--order", "sequence", "--json"];
    let events = lines(&place.ok(&list));
    place.ok(&["retention", "set", "--organization", &log, "--max-events", "10"]);
    let prune = ["prune", "--organization", &log];
    let told = place.ok(&prune);
    assert_eq!(told, format!("{log}: 64 events removed; those up to 64 are gone\n"));
    assert_eq!(place.ok(&prune), format!("{log}: nothing to remove\n"));

    let verify = ["verify", "--organization", &log, "--checkpoint", "monday", "--key", &key];
    let verdict = json(&place.ok(&[&verify[..], &["--json"]].concat()));
    assert_eq!(
        (&verdict["from"], &verdict["pruned"], &verdict["proved"]),
        (&64.into(), &64.into(), &101.into())
    );
    assert!(place.ok(&verify).contains("pruned:  events 1 to 64\n"));
    place.checkpoint(&log);

    let id = |n: usize| events[n - 1]["id"].as_str().unwrap();
    let prove = |n| ["prove", id(n), "--organization", &log, "--checkpoint", "monday"];
    fs::write(place.path("left"), place.ok(&prove(65))).unwrap();
    assert!(place.ok(&["check", "left", "--key", &key]).starts_with("PROVED\n"));
    let error = place.fails(2, &prove(64));
    assert!(error.contains("the first 64 events were pruned; it may be one of them"), "{error}");
}

#[test]
fn what_was_pruned_unsigned_cannot_be_signed_behind() {
    let place = Place::new();
    let log = place.organization();
    let key = place.checkpoint_key();
    let first = place.checkpoint(&log);
    fs::write(place.path("first"), &first).unwrap();
    place.record(&log, &payments(0..100));
    place.ok(&["retention", "set", "--organization", &log, "--max-events", "1"]);
    place.ok(&["prune", "--organization", &log]);
    let again = [&["checkpoint", "--organization", &log], &SIGNING[..]].concat();
    let error = place.fails(1, &again);
    assert!(error.contains("were pruned before a checkpoint of them was signed"), "{error}");
    let since = ["verify", "--organization", &log, "--since", "first", "--key", &key];
    assert!(place.fails(2, &since).contains("name a later one"));
    let shown =
        place.ok(&["verify", "--organization", &log, "--checkpoint", "first", "--key", &key]);
    assert!(shown.contains("the checkpoint of 1 events is too old to be compared"), "{shown}");
}

#[test]
fn a_compacted_store_is_small_and_proved_as_before() {
    let place = Place::new();
    let log = place.organization();
    place.record(&log, &payments(0..3_000));
    place.checkpoint_key();
    let checkpoint = place.checkpoint(&log);
    place.ok(&["retention", "set", "--organization", &log, "--max-events", "3000"]);
    let first = json(&place.ok(&["compact", "--json"]));
    let bounds = ["--max-age", "365d", "--max-events", "100"];
    place.ok(&[&["retention", "set", "--organization", &log], &bounds[..]].concat());
    place.ok(&["prune", "--organization", &log]);
    let second = json(&place.ok(&["compact", "--json"]));
    assert!(second["after"].as_u64() < first["after"].as_u64().map(|bytes| bytes / 4));
    fs::write(place.path("kept"), checkpoint).unwrap();
    let verify = ["verify", "--organization", &log, "--json"];
    assert_eq!(json(&place.ok(&verify))["pruned"], 2_880);
    let told = place.ok(&["compact"]);
    assert!(told.contains(" bytes before, ") && told.ends_with(" now\n"), "{told}");

    let elsewhere = place.path("none.db").display().to_string();
    let error = place.fails(2, &["compact", "--store", &format!("sqlite:{elsewhere}")]);
    assert!(error.contains("there is no store at "), "{error}");
    assert!(!place.path("none.db").exists());
    let error = place.fails(2, &["compact", "--store", "memory:"]);
    assert!(error.contains("a store in memory has no file to compact"), "{error}");
}
