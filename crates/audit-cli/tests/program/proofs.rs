//! Checkpoints, evidence and verification, and what tampering looks like.

use std::fs;

use crate::place::{Place, SIGNING, json, lines, payments};

/// The record of a payment, in SQL.
fn record(number: u32) -> String {
    format!(r#"CAST(record AS TEXT) LIKE '%"inv_{number}"%'"#)
}

/// A place with a log of an organization: 100 payments behind the event of its creation.
fn place() -> (Place, String, String) {
    let place = Place::new();
    let log = place.organization();
    place.record(&log, &payments(0..100));
    let key = place.checkpoint_key();
    (place, log, key)
}

fn event_id(place: &Place, log: &str, number: u32) -> String {
    let invoice = format!("inv_{number}");
    let list = ["list", "--organization", log, "--target-id", &invoice, "--json"];
    json(&place.ok(&list))["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_is_made_once_and_only_its_owner_reads_it() {
    let place = Place::new();
    let key = place.checkpoint_key();
    assert!(key.starts_with("audit.example.com+"), "{key}");
    assert_eq!(place.ok(&["checkpoint-key", "show", "audit.key"]).trim_end(), key);
    let secret = fs::read_to_string(place.path("audit.key")).unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+audit.example.com+"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(place.path("audit.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = ["checkpoint-key", "create", "audit.example.com", "--output", "audit.key"];
    assert!(place.fails(2, &again).contains("is there already"));
    assert_eq!(fs::read_to_string(place.path("audit.key")).unwrap(), secret);
    place.file("audit.pub", &[&key]);
    for (file, told) in [("audit.pub", "is not a private key"), ("none", "checkpoint-key create")] {
        let error = place.fails(2, &["checkpoint-key", "show", file]);
        assert!(error.contains(told) && !error.contains("PRIVATE"), "{error}");
    }
}

#[test]
fn evidence_is_checked_with_nothing_but_the_key() {
    let (place, log, key) = place();
    let id = event_id(&place, &log, 17);
    let prove = ["prove", &id, "--organization", &log];
    place.ok(&[&prove[..], &SIGNING, &["--output", "paid.tlog-proof"]].concat());
    let elsewhere = Place::new();
    fs::copy(place.path("paid.tlog-proof"), elsewhere.path("paid.tlog-proof")).unwrap();
    let check = ["check", "paid.tlog-proof", "--key", &key];
    let shown = elsewhere.ok(&check);
    assert!(shown.starts_with("PROVED\nThe owner of the log audit.example.com/"), "{shown}");
    assert!(shown.contains("ana@x.example") && shown.contains(&id), "{shown}");
    let proved = json(&elsewhere.ok(&[&check[..], &["--json"]].concat()));
    assert_eq!(proved["event"]["targets"][0]["id"], "inv_17");
    assert_eq!((&proved["size"], &proved["personal"]), (&101.into(), &"intact".into()));
    assert_eq!(elsewhere.ok(&["check", "paid.tlog-proof", "--verifier", &key]), shown);
    let names: Vec<_> = fs::read_dir(elsewhere.path("")).unwrap().collect();
    assert_eq!(names.len(), 1, "no store is made: {names:?}");

    // Under a checkpoint that was signed before, and without the personal data.
    fs::write(elsewhere.path("monday"), place.checkpoint(&log)).unwrap();
    fs::copy(elsewhere.path("monday"), place.path("monday")).unwrap();
    let redacted = ["--checkpoint", "monday", "--without-personal"];
    let evidence = place.ok(&[&prove[..], &redacted].concat());
    fs::write(elsewhere.path("redacted"), &evidence).unwrap();
    let proved = json(&elsewhere.ok(&["check", "redacted", "--key", &key, "--json"]));
    assert_eq!(proved["personal"], "absent");
    assert!(proved["event"]["actor"].get("email").is_none());

    // Nothing else is proved by it.
    let other = Place::new().checkpoint_key();
    let altered = evidence.replacen("extra YX", "extra YY", 1);
    fs::write(elsewhere.path("altered"), altered).unwrap();
    for (file, key) in [("redacted", &other), ("altered", &key), ("monday", &key)] {
        let error = elsewhere.fails(1, &["check", file, "--key", key]);
        assert!(error.starts_with("NOT PROVED: "), "{error}");
    }
    elsewhere.fails(2, &["check", "none", "--key", &key]);
    elsewhere.fails(2, &["check", "redacted", "--key", "key"]);

    place.record(&log, &payments(100..101));
    let later = event_id(&place, &log, 100);
    let error =
        place.fails(2, &["prove", &later, "--organization", &log, "--checkpoint", "monday"]);
    assert!(error.contains("the checkpoint is older than event"), "{error}");
    let error = place.fails(2, &["prove", &log, "--organization", &log, "--checkpoint", "monday"]);
    assert!(error.contains("there is no event"), "{error}");
}

#[test]
fn what_is_done_behind_the_back_is_found_and_named() {
    let (place, log, key) = place();
    fs::write(place.path("monday"), place.checkpoint(&log)).unwrap();
    let verify = ["verify", "--organization", &log, "--checkpoint", "monday", "--key", &key];
    let intact = place.ok(&verify);
    assert!(intact.contains(": intact\n") && intact.contains("proved:  up to event 101"));
    place.back_up();
    for (sql, told) in [
        (
            format!(
                "UPDATE audit_event SET record = CAST(replace(record, 'invoice.paid', \
                 'invoice.void') AS BLOB) WHERE {}",
                record(41)
            ),
            "wrong:   the record of event 43 was changed",
        ),
        (format!("DELETE FROM audit_event WHERE {}", record(41)), "event 43 is missing"),
        (
            format!(
                "UPDATE audit_event SET personal = zeroblob(length(personal)) WHERE {}",
                record(41)
            ),
            "the personal data of event 43 was changed",
        ),
        (
            format!("UPDATE audit_event SET personal = NULL WHERE {}", record(41)),
            "personal data is missing without a recorded erasure: of 1 events from event 43",
        ),
        (
            "DELETE FROM audit_event WHERE event_key & 0xffffff > 90".to_owned(),
            "the log has 90 events",
        ),
    ] {
        assert!(place.sql(&sql) > 0, "{sql}");
        let ran = place.run(&verify);
        assert_eq!(ran.code, Some(1), "{sql}: {ran:?}");
        assert!(ran.out.contains("NOT INTACT") && ran.out.contains(told), "{sql}: {ran:?}");
        let ran = place.run(&[&verify[..], &["--json"]].concat());
        let verdict = json(&ran.out);
        assert_eq!((ran.code, &verdict["intact"]), (Some(1), &false.into()));
        assert_eq!(verdict["findings"].as_array().unwrap().len(), 1, "{verdict}");
        place.restore("copy.db");
    }
    assert_eq!(place.ok(&verify), intact);
}

#[test]
fn only_what_is_behind_a_checkpoint_is_read_and_all_logs_are() {
    let (place, log, key) = place();
    fs::write(place.path("monday"), place.checkpoint(&log)).unwrap();
    place.record(&log, &payments(100..110));
    let since = ["verify", "--organization", &log, "--since", "monday", "--key", &key];
    let verdict = json(&place.ok(&[&since[..], &["--json"]].concat()));
    assert_eq!((&verdict["from"], &verdict["to"]), (&101.into(), &111.into()));
    assert_eq!(verdict["proved"], 101);
    let shown = place.ok(&since);
    assert!(shown.contains("events 102 to 111 only by the store's own head"), "{shown}");

    let signed = place.ok(&[&["checkpoint", "--all"], &SIGNING[..]].concat());
    assert_eq!(signed.lines().count(), 2, "the organization's and the platform's: {signed}");
    let all = ["verify", "--all", "--checkpoints", "checkpoints", "--key", &key, "--json"];
    let verdicts = lines(&place.ok(&all));
    assert_eq!(verdicts.len(), 2);
    assert!(verdicts.iter().all(|v| v["intact"] == true && v["proved"] == v["to"]));
    // A log that is gone as a whole is missed.
    assert!(place.sql("DELETE FROM audit_log WHERE name <> x''") == 1);
    assert_eq!(place.run(&all).code, Some(1));

    let platform = place.ok(&["verify", "--organization", "platform"]);
    assert!(platform.contains("proved:  nothing; without a kept checkpoint"), "{platform}");
    for (arguments, told) in [
        (&["--all", "--checkpoint", "monday"][..], "--key"),
        (&["--all", "--checkpoint", "none", "--key", &key], "cannot read none"),
        (&["--all", "--checkpoint", "audit.key", "--key", &key], "audit.key is not a checkpoint"),
        (&["--organization", "platform", "--since", "monday", "--key", &key], "is another log"),
        (
            &["--organization", "platform", "--checkpoint", "monday", "--key", &key],
            "is another log",
        ),
        (&["--checkpoint", "monday", "--key", &key], "--organization"),
    ] {
        let error = place.fails(2, &[&["verify"], arguments].concat());
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}

#[test]
fn a_restored_backup_is_not_signed() {
    let (place, log, key) = place();
    place.back_up();
    place.record(&log, &payments(100..110));
    let last = place.checkpoint(&log);
    assert_eq!(place.checkpoint(&log), last, "nothing was appended");
    place.restore("copy.db");
    let again = [&["checkpoint", "--organization", &log], &SIGNING[..]].concat();
    let error = place.fails(1, &again);
    assert!(error.contains("was cut: it has 101 events, and its latest checkpoint 111"), "{error}");
    assert!(error.contains("hint: if an old backup was restored"), "{error}");
    // Other events came since.
    place.record(&log, &payments(200..220));
    let error = place.fails(1, &again);
    assert!(error.contains("was rewritten"), "{error}");
    let id = event_id(&place, &log, 210);
    let prove = [&["prove", &id, "--organization", &log], &SIGNING[..]].concat();
    assert!(place.fails(2, &prove).contains("was rewritten"));
    let file = format!("checkpoints/{log}.checkpoint");
    assert_eq!(fs::read_to_string(place.path(&file)).unwrap(), last);
    let verify = ["verify", "--organization", &log, "--checkpoint", &file, "--key", &key];
    assert_eq!(place.run(&verify).code, Some(1));
    // The other logs are signed all the same.
    let all = place.run(&[&["checkpoint", "--all"], &SIGNING[..]].concat());
    assert_eq!((all.code, all.out.lines().count()), (Some(1), 1), "{all:?}");

    // Another key has another directory.
    place.ok(&["checkpoint-key", "create", "other", "--output", "other.key"]);
    let other = ["--checkpoint-key", "other.key", "--checkpoints", "checkpoints"];
    let error = place.fails(2, &[&["checkpoint", "--organization", &log], &other[..]].concat());
    assert!(error.contains("was not signed with this key"), "{error}");
}
