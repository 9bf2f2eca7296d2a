//! Checkpoints, evidence and verification, also after tampering.

use std::fs;

use crate::sandbox::{SIGNING, Sandbox, json, lines, payments};

/// Returns the SQL condition that selects the record of a payment.
fn record(number: u32) -> String {
    format!(r#"CAST(record AS TEXT) LIKE '%"inv_{number}"%'"#)
}

/// Returns a sandbox with an organization, its log and the verifier key. The log has the event of
/// its creation and 100 payments.
fn sandbox() -> (Sandbox, String, String) {
    let sandbox = Sandbox::new();
    let log = sandbox.organization();
    sandbox.record(&log, &payments(0..100));
    let key = sandbox.checkpoint_key();
    (sandbox, log, key)
}

fn event_id(sandbox: &Sandbox, log: &str, number: u32) -> String {
    let invoice = format!("inv_{number}");
    let list = ["list", "--organization", log, "--target-id", &invoice, "--json"];
    json(&sandbox.ok(&list))["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_file_is_not_replaced_and_only_its_owner_can_read_it() {
    let sandbox = Sandbox::new();
    let key = sandbox.checkpoint_key();
    assert!(key.starts_with("audit.example.com+"), "{key}");
    assert_eq!(sandbox.ok(&["checkpoint-key", "show", "audit.key"]).trim_end(), key);
    let secret = fs::read_to_string(sandbox.path("audit.key")).unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+audit.example.com+"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(sandbox.path("audit.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = ["checkpoint-key", "create", "audit.example.com", "--output", "audit.key"];
    assert!(sandbox.fails(2, &again).contains("already exists"));
    assert_eq!(fs::read_to_string(sandbox.path("audit.key")).unwrap(), secret);
    sandbox.file("audit.pub", &[&key]);
    for (file, message) in
        [("audit.pub", "is not a private key"), ("none", "checkpoint-key create")]
    {
        let error = sandbox.fails(2, &["checkpoint-key", "show", file]);
        assert!(error.contains(message) && !error.contains("PRIVATE"), "{error}");
    }
}

#[test]
fn evidence_is_verified_with_only_the_key() {
    let (sandbox, log, key) = sandbox();
    let id = event_id(&sandbox, &log, 17);
    let prove = ["prove", &id, "--organization", &log];
    sandbox.ok(&[&prove[..], &SIGNING, &["--output", "paid.tlog-proof"]].concat());
    let elsewhere = Sandbox::new();
    fs::copy(sandbox.path("paid.tlog-proof"), elsewhere.path("paid.tlog-proof")).unwrap();
    let check = ["check", "paid.tlog-proof", "--key", &key];
    let shown = elsewhere.ok(&check);
    assert!(shown.starts_with("PROVED\nThe owner of the log audit.example.com/"), "{shown}");
    assert!(shown.contains("ana@x.example") && shown.contains(&id), "{shown}");
    let proved = json(&elsewhere.ok(&[&check[..], &["--json"]].concat()));
    assert_eq!(proved["event"]["targets"][0]["id"], "inv_17");
    assert_eq!((&proved["size"], &proved["personal"]), (&101.into(), &"intact".into()));
    assert_eq!(elsewhere.ok(&["check", "paid.tlog-proof", "--verifier", &key]), shown);
    let names: Vec<_> = fs::read_dir(elsewhere.path("")).unwrap().collect();
    assert_eq!(names.len(), 1, "a store was created: {names:?}");

    // Under a kept checkpoint, and without the personal data.
    fs::write(elsewhere.path("monday"), sandbox.checkpoint(&log)).unwrap();
    fs::copy(elsewhere.path("monday"), sandbox.path("monday")).unwrap();
    let redacted = ["--checkpoint", "monday", "--without-personal"];
    let evidence = sandbox.ok(&[&prove[..], &redacted].concat());
    fs::write(elsewhere.path("redacted"), &evidence).unwrap();
    let proved = json(&elsewhere.ok(&["check", "redacted", "--key", &key, "--json"]));
    assert_eq!(proved["personal"], "absent");
    assert!(proved["event"]["actor"].get("email").is_none());

    // Another key, altered evidence and a bare checkpoint are rejected.
    let other = Sandbox::new().checkpoint_key();
    let altered = evidence.replacen("extra YX", "extra YY", 1);
    fs::write(elsewhere.path("altered"), altered).unwrap();
    for (file, key) in [("redacted", &other), ("altered", &key), ("monday", &key)] {
        let error = elsewhere.fails(1, &["check", file, "--key", key]);
        assert!(error.starts_with("NOT PROVED: "), "{error}");
    }
    elsewhere.fails(2, &["check", "none", "--key", &key]);
    elsewhere.fails(2, &["check", "redacted", "--key", "key"]);

    sandbox.record(&log, &payments(100..101));
    let later = event_id(&sandbox, &log, 100);
    let error =
        sandbox.fails(2, &["prove", &later, "--organization", &log, "--checkpoint", "monday"]);
    assert!(error.contains("the checkpoint is older than event"), "{error}");
    let error =
        sandbox.fails(2, &["prove", &log, "--organization", &log, "--checkpoint", "monday"]);
    assert!(error.contains("there is no event"), "{error}");
}

#[test]
fn a_change_of_the_file_is_a_finding_that_names_the_event() {
    let (sandbox, log, key) = sandbox();
    fs::write(sandbox.path("monday"), sandbox.checkpoint(&log)).unwrap();
    let verify = ["verify", "--organization", &log, "--checkpoint", "monday", "--key", &key];
    let intact = sandbox.ok(&verify);
    assert!(intact.contains(": intact\n") && intact.contains("proved:  up to event 101"));
    sandbox.back_up();
    for (sql, finding) in [
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
        assert!(sandbox.sql(&sql) > 0, "{sql}");
        let ran = sandbox.run(&verify);
        assert_eq!(ran.code, Some(1), "{sql}: {ran:?}");
        assert!(ran.out.contains("NOT INTACT") && ran.out.contains(finding), "{sql}: {ran:?}");
        let ran = sandbox.run(&[&verify[..], &["--json"]].concat());
        let verdict = json(&ran.out);
        assert_eq!((ran.code, &verdict["intact"]), (Some(1), &false.into()));
        assert_eq!(verdict["findings"].as_array().unwrap().len(), 1, "{verdict}");
        sandbox.restore("copy.db");
    }
    assert_eq!(sandbox.ok(&verify), intact);
}

#[test]
fn since_reads_only_later_events_and_all_reads_every_log() {
    let (sandbox, log, key) = sandbox();
    fs::write(sandbox.path("monday"), sandbox.checkpoint(&log)).unwrap();
    sandbox.record(&log, &payments(100..110));
    let since = ["verify", "--organization", &log, "--since", "monday", "--key", &key];
    let verdict = json(&sandbox.ok(&[&since[..], &["--json"]].concat()));
    assert_eq!((&verdict["from"], &verdict["to"]), (&101.into(), &111.into()));
    assert_eq!(verdict["proved"], 101);
    let shown = sandbox.ok(&since);
    assert!(shown.contains("events 102 to 111 only by the store's own head"), "{shown}");

    let signed = sandbox.ok(&[&["checkpoint", "--all"], &SIGNING[..]].concat());
    assert_eq!(signed.lines().count(), 2, "the organization's and the platform's: {signed}");
    let all = ["verify", "--all", "--checkpoints", "checkpoints", "--key", &key, "--json"];
    let verdicts = lines(&sandbox.ok(&all));
    assert_eq!(verdicts.len(), 2);
    assert!(verdicts.iter().all(|v| v["intact"] == true && v["proved"] == v["to"]));
    // A deleted log is a finding.
    assert!(sandbox.sql("DELETE FROM audit_log WHERE name <> x''") == 1);
    assert_eq!(sandbox.run(&all).code, Some(1));

    let platform = sandbox.ok(&["verify", "--organization", "platform"]);
    assert!(platform.contains("proved:  nothing; without a kept checkpoint"), "{platform}");
    for (arguments, message) in [
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
        let error = sandbox.fails(2, &[&["verify"], arguments].concat());
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
}

#[test]
fn a_restored_backup_is_not_signed() {
    let (sandbox, log, key) = sandbox();
    sandbox.back_up();
    sandbox.record(&log, &payments(100..110));
    let last = sandbox.checkpoint(&log);
    assert_eq!(sandbox.checkpoint(&log), last, "nothing was appended");
    sandbox.restore("copy.db");
    let again = [&["checkpoint", "--organization", &log], &SIGNING[..]].concat();
    let error = sandbox.fails(1, &again);
    assert!(
        error.contains("was cut: it has 101 events, and its latest checkpoint has 111"),
        "{error}"
    );
    assert!(error.contains("hint: if an old backup was restored"), "{error}");
    // Other events were recorded since.
    sandbox.record(&log, &payments(200..220));
    let error = sandbox.fails(1, &again);
    assert!(error.contains("was rewritten"), "{error}");
    let id = event_id(&sandbox, &log, 210);
    let prove = [&["prove", &id, "--organization", &log], &SIGNING[..]].concat();
    assert!(sandbox.fails(2, &prove).contains("was rewritten"));
    let file = format!("checkpoints/{log}.checkpoint");
    assert_eq!(fs::read_to_string(sandbox.path(&file)).unwrap(), last);
    let verify = ["verify", "--organization", &log, "--checkpoint", &file, "--key", &key];
    assert_eq!(sandbox.run(&verify).code, Some(1));
    // The other logs are still signed.
    let all = sandbox.run(&[&["checkpoint", "--all"], &SIGNING[..]].concat());
    assert_eq!((all.code, all.out.lines().count()), (Some(1), 1), "{all:?}");

    // Another key has another directory.
    sandbox.ok(&["checkpoint-key", "create", "other", "--output", "other.key"]);
    let other = ["--checkpoint-key", "other.key", "--checkpoints", "checkpoints"];
    let error = sandbox.fails(2, &[&["checkpoint", "--organization", &log], &other[..]].concat());
    assert!(error.contains("was not signed with this key"), "{error}");
}

#[test]
fn nothing_verified_is_not_intact() {
    let (sandbox, log, key) = sandbox();
    fs::create_dir(sandbox.path("empty")).unwrap();
    fs::write(sandbox.path("of-the-platform"), sandbox.checkpoint("platform")).unwrap();
    fs::create_dir(sandbox.path("other")).unwrap();
    fs::copy(sandbox.path("of-the-platform"), sandbox.path("other/platform.checkpoint")).unwrap();
    for directory in ["empty", "other"] {
        let given = ["--checkpoints", directory, "--key", &key];
        let one = ["verify", "--organization", &log];
        let shown = sandbox.fails(3, &[&one[..], &given].concat());
        assert_eq!(shown, "", "the result is not an error");
        sandbox.fails(3, &[&["verify", "--all"], &given[..]].concat());
    }
    let empty = Sandbox::new();
    empty.organization();
    empty.sql("DELETE FROM audit_organization");
    empty.sql("DELETE FROM audit_log");
    assert!(empty.fails(3, &["verify", "--all"]).contains("nothing was verified"));
    // A finding outweighs it.
    sandbox.sql("UPDATE audit_event SET record = CAST(record || ' ' AS BLOB)");
    sandbox.fails(1, &["verify", "--all", "--checkpoints", "empty", "--key", &key]);
}

#[test]
fn a_lost_checkpoint_is_signed_again_only_on_request() {
    let (sandbox, log, _) = sandbox();
    let sign = ["checkpoint", "--organization", &log];
    let sign: Vec<_> = [&sign[..], &SIGNING].concat();
    let first = sandbox.ok(&sign);
    let file = sandbox.path("checkpoints").join(format!("{log}.checkpoint"));
    fs::remove_file(&file).unwrap();
    let error = sandbox.fails(1, &sign);
    assert!(error.contains("was signed before") && error.contains("--first"), "{error}");
    assert!(!file.exists());
    assert_eq!(sandbox.ok(&[&sign[..], &["--first"]].concat()), first);
    assert_eq!(sandbox.ok(&sign), first);
}
