//! Exports: complete files, exact lines, and rows without formulas.

use std::collections::BTreeMap;

use crate::sandbox::{Sandbox, lines};
use serde_json::{Value, json as value};

const EXPORT: [&str; 4] = ["export", "--organization", "platform", "--format"];

fn full() -> Value {
    value!({
        "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "occurredAt": "2024-03-15T14:48:51.123456Z",
        "action": "user.update",
        "actor": {"kind": "user", "id": "", "name": "Ана 한국어 👩‍👧", "organization": {"id": "o"}},
        "targets": [{"type": "user", "id": "1"}, {"name": "x"}],
        "change": {"old": null, "diff": [{"field": "n", "old": 9_007_199_254_740_993_i64}]},
        "message": {"text": "\u{1b}[0m \u{feff}\u{0}\r\n,\"", "params": ""},
        "metadata": {"a.b $": [1.5, null, {"k": 18_446_744_073_709_551_615_u64}]},
    })
}

#[test]
fn an_export_can_be_imported_without_loss() {
    let (sandbox, other) = (Sandbox::new(), Sandbox::new());
    let plain = |n| value!({"action": "a", "actor": {"kind": "user"}, "reason": format!("{n}")});
    let mut events: Vec<_> = (0..250).map(plain).collect();
    events.push(full());
    sandbox.record("platform", &events);
    let exported = sandbox.ok(&[&EXPORT[..], &["jsonl"]].concat());
    assert_eq!(exported.lines().count(), 251);

    let file = other.file("export.jsonl", &exported.lines().collect::<Vec<_>>());
    let import = ["import", "--organization", "platform", "--from", "native", "--verify", &file];
    assert!(other.ok(&import).ends_with("251 read, 251 recorded, 0 redelivered, 0 refused\n"));
    assert!(other.ok(&import).ends_with("251 read, 0 recorded, 251 redelivered, 0 refused\n"));

    let again = other.ok(&[&EXPORT[..], &["jsonl"]].concat());
    let content = |text: &str| {
        let mut events = lines(text);
        for event in &mut events {
            event.as_object_mut().unwrap().remove("recordedAt").unwrap();
        }
        events
    };
    assert_eq!(content(&exported), content(&again));
    let mut last = lines(&again).pop().unwrap();
    for key in ["log", "sequence", "recordedAt"] {
        last.as_object_mut().unwrap().remove(key).unwrap();
    }
    assert_eq!(last, full());
}

fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

#[test]
fn a_row_has_every_field() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[full()]);
    let text = sandbox.ok(&[&EXPORT[..], &["csv"]].concat());
    assert!(text.starts_with("log,sequence,recordedAt,erased,id,occurredAt,action,category,"));
    assert!(text.ends_with("\r\n"));
    let row = &rows(&text)[0];
    let full = full();
    for (column, cell) in [
        ("log", "platform"),
        ("sequence", "1"),
        ("erased", "false"),
        ("id", "3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        ("actor.name", "Ана 한국어 👩‍👧"),
        ("actor.organization.id", "o"),
        ("category", ""),
        ("message.text", "\u{1b}[0m \u{feff}\u{0}\r\n,\""),
    ] {
        assert_eq!(row[column], cell, "{column}");
    }
    for column in ["targets", "change", "metadata"] {
        assert_eq!(serde_json::from_str::<Value>(&row[column]).unwrap(), full[column]);
    }
}

#[test]
fn no_cell_is_a_formula() {
    let sandbox = Sandbox::new();
    let texts = [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("  =cmd|' /C calc'!A0", "'  =cmd|' /C calc'!A0"),
        ("＝1", "'＝1"),
        ("＠x", "'＠x"),
        ("=\"\",\n=2", "'=\"\",\n'=2"),
        ("x;=1+1;y", "x;'=1+1;y"),
        ("x;\t@SUM(1)|+1", "x;\t'@SUM(1)|'+1"),
        ("a\"\";=1+1;\"b", "a\"\";'=1+1;\"b"),
        ("{\"=\":1}", "{\"'=\":1}"),
        ("1+1", "1+1"),
        ("a=b; c", "a=b; c"),
        ("ana@acme.example", "ana@acme.example"),
        ("'=1", "'=1"),
    ];
    let event = |(text, _): &(&str, &str)| {
        value!({
            "action": text, "actor": {"kind": text, "id": text, "email": text},
            "targets": [{"id": text}], "reason": text, "metadata": {*text: text},
        })
    };
    sandbox.record("platform", &texts.iter().map(event).collect::<Vec<_>>());
    let text = sandbox.ok(&[&EXPORT[..], &["csv"]].concat());
    let rows = rows(&text);
    assert_eq!(rows.len(), texts.len());
    for (row, (text, inert)) in rows.iter().zip(texts) {
        for column in ["action", "actor.kind", "actor.id", "actor.email", "reason"] {
            assert_eq!(row[column], inert);
        }
        let nested: Value = serde_json::from_str(&row["metadata"]).unwrap();
        assert_eq!(nested[text], text, "nested values are exact");
    }
    // Whatever separates the cells, and with or without quotation marks.
    for cell in text.split([',', ';', '|', '\t', '\r', '\n', '"']) {
        assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＠']), "{cell}");
    }
}

#[test]
fn csv_can_begin_with_a_byte_order_mark() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[full()]);
    let plain = sandbox.ok(&[&EXPORT[..], &["csv"]].concat());
    let marked = sandbox.ok(&[&EXPORT[..], &["csv", "--bom"]].concat());
    assert_eq!(marked, format!("\u{feff}{plain}"));
    sandbox.ok(&[&EXPORT[..], &["csv", "--bom", "--output", "marked.csv"]].concat());
    assert_eq!(std::fs::read_to_string(sandbox.path("marked.csv")).unwrap(), marked);
    let error = sandbox.fails(2, &[&EXPORT[..], &["jsonl", "--bom"]].concat());
    assert!(error.contains("--bom is for --format csv"), "{error}");
}

#[test]
fn an_export_goes_on_after_an_event_and_says_if_there_is_none() {
    let sandbox = Sandbox::new();
    let event = |action| value!({"action": action, "actor": {"kind": "user"}});
    sandbox.record("platform", &[event("a.b"), event("b.c"), event("a.c")]);
    let after = |sequence: &str| {
        let ran = sandbox
            .run(&[&EXPORT[..], &["jsonl", "--action", "a.*", "--after", sequence]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let numbers: Vec<_> =
            lines(&ran.out).iter().map(|event| event["sequence"].clone()).collect();
        (numbers, ran.err)
    };
    assert_eq!(after("0"), (vec![1.into(), 3.into()], String::new()));
    assert_eq!(after("1"), (vec![3.into()], String::new()));
    assert_eq!(after("3"), (vec![], "no events match\n".to_owned()));
    let error = sandbox.fails(2, &[&EXPORT[..], &["jsonl", "--after", "4"]].concat());
    assert_eq!(error, "error: --after 4 is beyond the log, which has 3 events\n");
    sandbox.fails(2, &[&EXPORT[..], &["jsonl", "--after", "x"]].concat());
}

#[test]
fn filters_select_the_exported_events() {
    let sandbox = Sandbox::new();
    let event = |action| value!({"action": action, "actor": {"kind": "user"}});
    sandbox.record("platform", &[event("a.b"), event("b.c")]);
    let select = |format| sandbox.ok(&[&EXPORT[..], &[format, "--action", "a.*"]].concat());
    assert_eq!(lines(&select("jsonl")).len(), 1);
    assert_eq!(rows(&select("csv")).len(), 1);
}

#[test]
fn a_file_is_complete_or_absent() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[full()]);
    let export = |path: &str| {
        [&EXPORT[..], &["jsonl", "--output", path]]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let run =
        |path: &str| sandbox.run(&export(path).iter().map(String::as_str).collect::<Vec<_>>());
    let names = || {
        let entries = std::fs::read_dir(sandbox.path("")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    };
    let before = names();

    let ran = run("out.jsonl");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let written = std::fs::read_to_string(sandbox.path("out.jsonl")).unwrap();
    assert_eq!(written, sandbox.ok(&[&EXPORT[..], &["jsonl"]].concat()));

    let mut after = before.clone();
    after.push("out.jsonl".to_owned());
    after.sort_unstable();
    assert_eq!(names(), after, "no other file");

    sandbox.record("platform", &[value!({"action": "a", "actor": {"kind": "user"}})]);
    let ran = run("out.jsonl");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("error: out.jsonl already exists"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(sandbox.path("out.jsonl")).unwrap(), written);

    assert_eq!(run("no-such-directory/out.jsonl").code, Some(2));
    let nobody = ["export", "--organization", "3fa85f64-5717-4562-b3fc-2c963f66afa6"];
    sandbox.fails(2, &[&nobody[..], &["--format", "csv", "--output", "none.csv"]].concat());
    assert_eq!(names(), after, "a failure leaves no file");
}

#[test]
fn every_line_format_has_a_line_for_each_event() {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &[full(), value!({"action": "a", "actor": {"kind": "user"}})]);
    let events = lines(&sandbox.ok(&[&EXPORT[..], &["jsonl"]].concat()));
    let exported = sandbox.ok(&[&EXPORT[..], &["cloudevents"]].concat());
    let data: Vec<_> = lines(&exported).iter().map(|form| form["data"].clone()).collect();
    assert_eq!(data, events);
    for (format, start) in
        [("cef", "CEF:0|audit|audit|"), ("syslog", "<"), ("otlp", "{\"resourceLogs\":[{")]
    {
        let exported = sandbox.ok(&[&EXPORT[..], &[format]].concat());
        assert_eq!(exported.lines().count(), 2, "{format}");
        assert!(exported.lines().all(|line| line.starts_with(start)), "{format}: {exported}");
    }
}
