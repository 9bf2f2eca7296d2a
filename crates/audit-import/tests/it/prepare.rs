//! Mappings with a program.

use std::path::Path;

use audit_core::{EventId, Result};
use audit_import::{DELIVERY, FORMAT, Mapping, limits};
use serde_json::{Value, json};

/// A mapping with this program, and these lines.
fn mapping(program: &str, lines: &str) -> Mapping {
    let start = "system = \"s\"\nmarks = \"/m\"\ntime = \"/t\"\naction = \"/a\"\n";
    Mapping::parse(&format!("{start}prepare = '''\n{program}\n'''\n{lines}")).unwrap()
}

fn id(mapping: &Mapping, record: &Value) -> EventId {
    mapping.read_one(record.to_string().as_bytes(), None).unwrap().id
}

#[test]
fn the_example_of_the_reference_reads_its_record() {
    let (_, section) = FORMAT.split_once("## A program").unwrap();
    let (_, rest) = section.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let (_, rest) = section.split_once("like\n`").unwrap();
    let (record, _) = rest.split_once('`').unwrap();
    let read = Mapping::parse(text).unwrap().read(record.as_bytes(), None);
    let [Ok(mapped)] = &read[..] else { panic!("{read:?}") };
    let event = serde_json::to_value(&mapped.event).unwrap();
    assert_eq!(event["action"], "billing.update");
    assert_eq!(event["change"]["diff"], json!([{"field": "plan", "old": "free", "new": "pro"}]));
    assert_eq!(
        event["metadata"],
        json!({"at": 1_710_514_131, "module": "Billing", "verb": "update"})
    );
    assert!((10..1_000).contains(&mapped.steps), "{}", mapped.steps);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/in-and-out.md");
    assert!(std::fs::read_to_string(path).unwrap().contains(text), "the same example");
}

#[test]
fn a_list_of_pairs_becomes_an_action_of_optional_parts() {
    // The names of the parts are in the record, and which are there differs.
    let program = r#"
        (.parts | map({key: "\(.scope)/\(.name)", value}) | from_entries) as $part
        | .a = ([$part["object/kind"], $part["object/sub"], $part["request/verb"] | values] | join("."))
        | .user = first(.parts[] | select(.name | test("^user(name)?$"; "i")) | .value)
    "#;
    let mapping = mapping(program, "[actor]\nid = \"/user\"");
    let read = |parts: Value| {
        let record = json!({"m": 1, "t": 0, "parts": parts});
        let event = mapping.read_one(record.to_string().as_bytes(), None).unwrap();
        assert_eq!(event.metadata["parts"], parts, "what was only read stays");
        (event.action.as_str().to_owned(), event.actor.id)
    };
    let (action, actor) = read(json!([
        {"scope": "request", "name": "verb", "value": "exec"},
        {"scope": "object", "name": "sub", "value": "log"},
        {"scope": "object", "name": "kind", "value": "pod"},
        {"scope": "x", "name": "UserName", "value": "ana"},
    ]));
    assert_eq!((action.as_str(), actor.as_deref()), ("pod.log.exec", Some("ana")));
    let (action, actor) = read(json!([
        {"scope": "request", "name": "verb", "value": "list"},
        {"scope": "x", "name": "user", "value": "bo"},
    ]));
    assert_eq!((action.as_str(), actor.as_deref()), ("list", Some("bo")));
}

#[test]
fn a_record_that_is_delivered_again_is_one_event() {
    // The program copies what only one delivery has, and the order of keys, into texts.
    let mapping = mapping(".s = tojson | .by = .p_source", "id = \"/id\"");
    let lines = [
        r#"{"m": 1, "t": 0, "a": "x", "id": "7", "n": 500, "o": {"x": 1, "y": 2}}"#,
        r#"{"o": {"y": 2, "x": 1.0}, "n": 5e2, "id": "7", "a": "x", "t": 0, "m": 1}"#,
        r#"{"m": 1, "t": 0, "a": "x", "id": "7", "n": 500.0, "o": {"x": 1, "y": 2}, "p_source": "s3"}"#,
    ];
    let events: Vec<_> =
        lines.iter().map(|line| mapping.read_one(line.as_bytes(), None).unwrap()).collect();
    assert_eq!(events[0].metadata["s"], events[1].metadata["s"], "whatever its spelling");
    assert_ne!(events[0].metadata["s"], events[2].metadata["s"], "the envelope is the program's");
    assert!(events.iter().all(|event| event.id == events[0].id));
    let other = json!({"m": 1, "t": 0, "a": "x", "id": "7", "n": 501});
    assert_ne!(id(&mapping, &other), events[0].id);
}

#[test]
fn a_change_of_the_program_is_no_new_event() {
    let record = json!({"m": 1, "t": 0, "a": "x", "id": "7", "list": [{"n": 1}, {"n": 2}]});
    let without =
        Mapping::parse("system = \"s\"\nmarks = \"/m\"\ntime = \"/t\"\naction = \"/a\"").unwrap();
    let first = id(&without, &record);
    for program in [".", ".a = \"y\"", ".x = 1", "{t, a}"] {
        assert_eq!(id(&mapping(program, ""), &record), first, "{program}");
    }
    // The time and the source's own id are those of the event.
    assert_ne!(id(&mapping(".t += 1", ""), &record), first);
    assert_ne!(id(&mapping(".", "id = \"/id\""), &record), first);
    assert_ne!(
        id(&mapping(".", "id = \"/id\""), &record),
        id(&mapping(".id += \"0\"", "id = \"/id\""), &record)
    );
}

#[test]
fn the_items_of_a_split_record_are_events() {
    let ids = |program: &str| -> Vec<EventId> {
        let mapping = mapping(program, "split = \"/list\"");
        let record = json!({"m": 1, "t": 0, "a": "x", "by": {"k": {"n": 1}, "l": {"n": 2}}});
        let read = mapping.read(record.to_string().as_bytes(), None);
        read.into_iter().map(|mapped| mapped.unwrap().event.id).collect()
    };
    let first = ids(".list = (.by | to_entries)");
    assert_eq!(first.len(), 2);
    assert_ne!(first[0], first[1]);
    assert_eq!(ids(".list = (.by | to_entries) | .other = 1"), first);
    let other = ids(".list = (.by | to_entries | map(.value.n *= 10))");
    assert!(other.iter().all(|id| !first.contains(id)), "the item counts");
}

#[test]
fn marks_and_deliveries_are_of_the_record_as_delivered() {
    let mapping = mapping(".m = null | .around = .m", "unwrap = \"/box\"\nlocation = \"^/region\"");
    assert!(mapping.recognizes(br#"{"box": {"m": 1, "t": 0, "a": "x"}}"#).unwrap());
    let event = mapping
        .read_one(br#"{"box": {"m": 1, "t": 0, "a": "x"}, "region": "eu", "page": 1}"#, None)
        .unwrap();
    assert_eq!(event.location.as_deref(), Some("eu"));
    assert_eq!(event.metadata[DELIVERY], json!({"page": 1, "region": "eu"}));
    let missing = mapping.read_one(br#"{"t": 0, "a": "x"}"#, None).unwrap_err();
    assert_eq!(missing.field(), Some("m"), "without a mark, no program runs");
}

#[test]
fn a_refusal_is_of_one_record_and_names_the_cause() {
    let mapping = mapping("if .bad then error(\"bad: \\(.bad)\") else . end", "");
    let text = br#"[{"m":1,"t":0,"a":"x"},{"m":1,"t":0,"a":"x","bad":"y"},{"m":1,"t":0,"a":"z"}]"#;
    let read = mapping.read(text, None);
    let words: Vec<_> =
        read.iter().map(|mapped| mapped.as_ref().err().map(ToString::to_string)).collect();
    let refusal =
        "invalid input: `prepare` must be a program that does not fail on the record (bad: y)";
    assert_eq!(words, [None, Some(refusal.to_owned()), None]);
}

#[test]
fn the_words_of_the_limits_are_those_of_the_limits() {
    let endless = mapping("last(range(1e18)) | {}", "");
    let error = endless.read_one(br#"{"m":1,"t":0,"a":"x"}"#, None).unwrap_err();
    let steps = limits::MAX_PREPARE_STEPS;
    assert!(error.to_string().contains(&format!("within {steps} steps")), "{error}");
    for (number, text) in [
        (steps.to_string(), "1,000,000 steps"),
        ((limits::MAX_PREPARE_BYTES >> 10).to_string(), "16 KiB"),
        (limits::MAX_PREPARE_NESTING.to_string(), "200 operators"),
        ((limits::MAX_PREPARE_VALUE_BYTES >> 20).to_string(), "8 MiB"),
        (limits::MAX_PREPARE_DEPTH.to_string(), "128 levels"),
    ] {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits, number);
        assert!(FORMAT.contains(text), "{text}");
    }
}

#[test]
fn a_fault_of_the_program_is_named_with_both_places() -> Result<()> {
    let start = "system = \"s\"\nmarks = \"/m\"\ntime = \"/t\"\naction = \"/a\"\n";
    let error = Mapping::parse(&format!("{start}prepare = '''\n.a |\n  now\n'''")).unwrap_err();
    assert_eq!(error.field(), Some("line 5: prepare"));
    let words = "line 2, column 3 of the program: `now` is left out: it depends on a clock";
    assert!(error.to_string().contains(words), "{error}");
    assert!(Mapping::parse(&format!("{start}prepare = 7")).is_err());
    Mapping::parse(&format!("{start}prepare = '.'")).map(drop)
}
