//! Imports of files as systems deliver them, and of files of another system than the named one.

use std::io::Write as _;

use crate::sandbox::{Sandbox, json, lines};
use serde_json::{Value, json as value};

fn call(number: u32) -> Value {
    value!({
        "eventID": format!("{number}"), "eventTime": "2024-03-15T14:48:51Z",
        "eventName": "GetObject", "eventSource": "s3.amazonaws.com",
        "userIdentity": {"type": "IAMUser", "userName": "ana"},
    })
}

/// Imports the file as CloudTrail, and returns the counts.
fn import(sandbox: &Sandbox, file: &str) -> Value {
    let import = ["import", "--organization", "platform", "--from", "cloudtrail", "--json"];
    json(&sandbox.run(&[&import[..], &[file]].concat()).out)
}

fn write(sandbox: &Sandbox, name: &str, bytes: &[u8]) {
    std::fs::write(sandbox.path(name), bytes).unwrap();
}

#[test]
fn a_delivered_file_has_its_records_however_it_is_packed() {
    let records = value!({"Records": [call(1), call(2)]});
    let packed = records.to_string().into_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&packed).unwrap();
    let gzip = gzip.finish().unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstandard = ruzstd::encoding::compress_to_vec(&*packed, level);
    let pretty = serde_json::to_vec_pretty(&records).unwrap();
    for (name, bytes) in [
        ("page.json", packed.clone()),
        ("pretty.json", pretty),
        ("list.json", records["Records"].to_string().into_bytes()),
        ("joined.json", format!("{}{}", call(1), call(2)).into_bytes()),
        ("file.json.gz", gzip.clone()),
        ("file.json.zst", zstandard.clone()),
        ("several.zst", [&*zstandard, &*zstandard].concat()),
    ] {
        let sandbox = Sandbox::new();
        write(&sandbox, name, &bytes);
        let counts = import(&sandbox, name);
        assert_eq!((&counts["recorded"], &counts["refused"]), (&value!(2), &value!(0)), "{name}");
    }
    let sandbox = Sandbox::new();
    write(&sandbox, "cut.json.gz", &gzip[..gzip.len() - 9]);
    let import = ["import", "--organization", "platform", "--from", "cloudtrail", "cut.json.gz"];
    assert!(sandbox.fails(2, &import).contains("cannot read cut.json.gz"));
}

#[test]
fn a_directory_has_the_files_in_it_and_below_it() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("AWSLogs/2024")).unwrap();
    write(&sandbox, "AWSLogs/2024/b.json", call(1).to_string().as_bytes());
    write(&sandbox, "AWSLogs/a.json", call(2).to_string().as_bytes());
    write(&sandbox, "AWSLogs/.hidden", b"no record");
    assert_eq!(import(&sandbox, "AWSLogs")["recorded"], 2);
}

#[test]
fn a_file_of_another_system_is_refused_before_anything_is_recorded() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("calls.jsonl", &(0..300).map(call).collect::<Vec<_>>());
    let ran =
        sandbox.run(&["import", "--organization", "platform", "--from", "okta", "--json", &file]);
    let counts = json(&ran.out);
    assert_eq!((ran.code, &counts["recorded"]), (Some(1), &value!(0)), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    assert!(ran.err.starts_with("calls.jsonl:1: ") && ran.err.contains("`cloudtrail`"), "{ran:?}");

    // One of another system among those of the named one is refused alone.
    let stray = value!({"action": "a", "actor": {"kind": "user"}});
    let file = sandbox.file("mixed.jsonl", &[stray, call(1)]);
    let counts = import(&sandbox, &file);
    assert_eq!((&counts["recorded"], &counts["refused"]), (&value!(1), &value!(1)));
}

#[test]
fn what_is_not_as_usual_is_counted_and_the_rest_is_left_in_a_file() {
    let sandbox = Sandbox::new();
    let mut carried = call(1);
    carried.as_object_mut().unwrap().remove("eventTime");
    let mut timeless = carried.clone();
    carried["@timestamp"] = value!("2024-03-15T14:48:52.000Z");
    timeless["eventID"] = value!("2");
    let mut large = call(3);
    large["recipientAccountId"] = value!("1".repeat(2_000));
    let file = sandbox.file("calls.jsonl", &[carried, timeless.clone(), large]);
    let import = ["import", "--organization", "platform", "--from", "cloudtrail", "--json"];
    let import = [&import[..], &["--refused", "left.jsonl", &file]].concat();
    let ran = sandbox.run(&import);
    assert_eq!(
        json(&ran.out),
        value!({
            "read": 3, "recorded": 2, "redelivered": 0, "refused": 1,
            "times": {"@timestamp": 1}, "tooLarge": {"organization.id": 1},
            "refusals": {"`eventTime` is missing": 1},
        })
    );
    let left = std::fs::read_to_string(sandbox.path("left.jsonl")).unwrap();
    assert_eq!(lines(&left), [timeless]);
    let events = lines(&sandbox.ok(&["list", "--organization", "platform", "--json"]));
    assert!(events.iter().any(|event| event["occurredAt"] == "2024-03-15T14:48:52.000000Z"));
    assert!(events.iter().any(|event| event["metadata"]["recipientAccountId"].is_string()));
    assert!(sandbox.fails(2, &import).contains("left.jsonl already exists"));
}

#[test]
fn a_mapping_of_ones_own_is_a_file() {
    let sandbox = Sandbox::new();
    let mapping = [
        "system = \"shop\"",
        "marks = \"/did\"",
        "time = \"/at\"",
        "action = \"shop.{/did}\"",
        "actor = { kind = { const = \"user\" }, id = \"/who\" }",
    ];
    let mapping = sandbox.file("shop.toml", &mapping);
    let file =
        sandbox.file("shop.jsonl", &[value!({"did": "buy", "at": 1_710_514_131, "who": "u"})]);
    let import = ["import", "--organization", "platform", "--from", &mapping];
    sandbox.ok(&[&import[..], &[&file]].concat());
    let event = json(&sandbox.ok(&["list", "--organization", "platform", "--json"]));
    assert_eq!((&event["action"], &event["actor"]["id"]), (&value!("shop.buy"), &value!("u")));
    let wrong = sandbox.file("wrong.toml", &["system = \"s\"", "action = \"word\""]);
    let error =
        sandbox.fails(2, &["import", "--organization", "platform", "--from", &wrong, &file]);
    assert!(error.contains("`line 1` must be valid in a mapping (`marks` is missing)"), "{error}");
}

#[test]
fn mappings_are_listed_shown_and_tested() {
    let sandbox = Sandbox::new();
    assert!(sandbox.ok(&["mappings", "list"]).contains("okta               Okta system log\n"));
    let shown = sandbox.ok(&["mappings", "show", "okta"]);
    let mapping = sandbox.file("own.toml", &shown.lines().collect::<Vec<_>>());
    let known = value!({
        "uuid": "1", "published": "2024-03-15T14:48:51Z", "eventType": "e", "version": "0",
        "target": [{"id": "a", "x": 1}, {"id": "b", "x": 2}],
    });
    let file = sandbox.file("okta.jsonl", &[known, value!({"uuid": "2", "eventType": "e"})]);
    let ran = sandbox.run(&["mappings", "test", &mapping, &file]);
    assert_eq!(
        (ran.code, ran.out.lines().collect::<Vec<_>>()),
        (
            Some(1),
            vec![
                "2 read, 1 become events, 1 refused",
                "  1 refused: `published` is missing",
                "fields:",
                "       1 action",
                "       1 actor.kind",
                "       1 occurredAt",
                "       1 source.id",
                "       1 source.system",
                "       1 targets[].id",
                "left in the metadata:",
                "       1 published",
                "       1 target[].x",
                "       1 version",
            ]
        )
    );
    assert_eq!(ran.err, "okta.jsonl:2: invalid input: `published` is missing\n");
    assert!(sandbox.fails(2, &["mappings", "show", "none"]).contains("audit mappings list"));
    assert!(sandbox.ok(&["mappings", "format"]).starts_with("# The format of a mapping\n"));
}

#[test]
fn a_program_of_a_mapping_is_tested_and_refuses_single_records() {
    let sandbox = Sandbox::new();
    let lines = [
        "system = \"s\"",
        "marks = [\"/at\"]",
        "prepare = '''",
        ".did = ([.module, .verb | values] | join(\".\"))",
        "| if .verb == \"secret\" then error(\"not for us\") else . end",
        "| if .verb == \"endless\" then last(range(1e18)) else . end",
        "'''",
        "time = \"/at\"",
        "action = \"/did\"",
    ];
    let mapping = sandbox.file("own.toml", &lines);
    let record = |verb: &str| value!({"at": 0, "module": "shop", "verb": verb});
    let records = [record("buy"), record("secret"), record("endless"), record("sell")];
    let file = sandbox.file("own.jsonl", &records);
    let ran = sandbox.run(&["mappings", "test", &mapping, &file]);
    let out: Vec<_> = ran.out.lines().take(4).collect();
    assert_eq!(
        (ran.code, &out[..3]),
        (
            Some(1),
            &[
                "4 read, 2 become events, 2 refused",
                "  1 refused: `prepare` must be a program that does not fail on the record",
                "  1 refused: `prepare` must be a program that ends within 1000000 steps",
            ][..]
        )
    );
    assert!(out[3].starts_with("  the program takes at most "), "{}", out[3]);
    assert!(ran.err.starts_with("own.jsonl:2: "), "{}", ran.err);
    assert!(ran.err.contains("(not for us)\nown.jsonl:3: "), "{}", ran.err);

    let import = ["import", "--organization", "platform", "--from", &mapping, &file];
    assert_eq!(sandbox.run(&import).code, Some(1));
    let again = sandbox.run(&import);
    assert!(
        again.out.contains("0 recorded, 2 redelivered, 2 refused"),
        "{}{}",
        again.out,
        again.err
    );
}
