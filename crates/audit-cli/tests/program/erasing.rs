//! Erasure: what is asked before, what is left, and that it is no tampering.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::place::{Place, Ran, json, lines, payments};

fn place() -> (Place, String) {
    let place = Place::new();
    let log = place.organization();
    place.record(&log, &payments(0..90));
    (place, log)
}

/// Runs the program and answers what it asks.
fn answer(place: &Place, arguments: &[&str], answer: &str) -> Ran {
    let mut command = place.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

fn of_one(place: &Place, log: &str) -> Vec<serde_json::Value> {
    lines(&place.ok(&["list", "--organization", log, "--actor-id", "u_1", "--all", "--json"]))
}

#[test]
fn nothing_is_erased_before_somebody_says_yes() {
    let (place, log) = place();
    let erase = ["erase", "--organization", &log, "--actor-id", "u_1", "--reason", "request 4711"];
    let ran = place.run(&[&erase[..], &["--dry-run"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    assert!(ran.err.ends_with("that match: 30\n"), "{ran:?}");
    for no in ["", "\n", "n\n", "yess\n"] {
        let ran = answer(&place, &erase, no);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("[y/N]") && ran.err.contains("nothing was erased"), "{ran:?}");
    }
    assert!(of_one(&place, &log).iter().all(|event| event["erased"].is_null()));

    let ran = answer(&place, &erase, "y\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "events erased: 30\n"), "{ran:?}");
    let left = of_one(&place, &log);
    assert_eq!(left.len(), 30);
    for event in left {
        assert_eq!((&event["erased"], &event["actor"]["email"]), (&true.into(), &().into()));
    }
    let told = place.ok(&["list", "--organization", &log, "--action", "log.erased", "--json"]);
    assert_eq!(json(&told)["reason"], "request 4711");
    let again = json(&place.ok(&[&erase[..], &["--yes", "--json"]].concat()));
    assert_eq!(again, serde_json::json!({"matched": 30, "erased": 0}));

    let verdict = json(&place.ok(&["verify", "--organization", &log, "--json"]));
    assert_eq!((&verdict["erased"], &verdict["declaredErased"]), (&30.into(), &30.into()));
}

#[test]
fn what_was_erased_is_no_tampering_and_evidence_of_before_is_good() {
    let (place, log) = place();
    let key = place.checkpoint_key();
    fs::write(place.path("monday"), place.checkpoint(&log)).unwrap();
    let id = of_one(&place, &log)[0]["id"].as_str().unwrap().to_owned();
    let prove = ["prove", &id, "--organization", &log, "--checkpoint", "monday", "--output"];
    place.ok(&[&prove[..], &["before"]].concat());
    let by = ["--actor-id", "u_1", "--reason", "request 4711", "--yes"];
    place.ok(&[&["erase", "--organization", &log], &by[..]].concat());
    place.ok(&[&prove[..], &["after"]].concat());
    for (file, personal) in [("before", "intact"), ("after", "absent")] {
        let proved = json(&place.ok(&["check", file, "--key", &key, "--json"]));
        assert_eq!(proved["personal"], personal);
    }
    let verify = ["verify", "--organization", &log, "--checkpoint", "monday", "--key", &key];
    let shown = place.ok(&verify);
    assert!(shown.starts_with(&format!("{log}: intact\n")), "{shown}");
    assert!(shown.contains("proved:  up to event 91, by a kept checkpoint"), "{shown}");
    assert!(shown.ends_with("erased:  30 events; the log records 30\n"), "{shown}");
    // Who takes one more away is found.
    let sql = "UPDATE audit_event SET personal = NULL WHERE event_key & 0xffffff = 91";
    assert_eq!(place.sql(sql), 1);
    assert_eq!(place.run(&verify).code, Some(1));
}

#[test]
fn single_events_are_erased_by_their_ids() {
    let (place, log) = place();
    let events = of_one(&place, &log);
    let id = |n: usize| events[n]["id"].as_str().unwrap();
    let erase = ["erase", "--organization", &log, "--reason", "a password", "--yes", "--id"];
    let done = place.ok(&[&erase[..], &[id(0), "--id", id(1), "--id", id(0), "--json"]].concat());
    assert_eq!(json(&done), serde_json::json!({"matched": 2, "erased": 2}));
    for (arguments, told) in [
        (&["--id", &*log, "--reason", "x"][..], "cannot erase event"),
        (&["--id", id(2), "--actor-id", "u_1", "--reason", "x"], "give no filter"),
        (&["--reason", "x"], "that would be the whole log"),
        (&["--actor-id", "u_1"], "--reason"),
    ] {
        let error =
            place.fails(2, &[&["erase", "--yes", "--organization", &log], arguments].concat());
        assert!(error.contains(told), "{error}");
    }
    let erased = of_one(&place, &log).iter().filter(|event| event["erased"] == true).count();
    assert_eq!(erased, 2);
}
