//! What a mapping can say, what is wrong with one, and what it refuses.

use audit_core::{NewEvent, Result, Timestamp, Violation, limits};
use audit_import::{DELIVERY, FORMAT, Mapping, TIME_SOURCE, TimeOrigin};
use serde_json::{Value, json};

use crate::coverage;

/// A mapping with the lines that every one needs, and these.
fn mapping(lines: &str) -> Mapping {
    Mapping::parse(&format!("system = \"s\"\nmarks = \"/m\"\ntime = \"/t\"\n{lines}")).unwrap()
}

fn read(lines: &str, mut record: Value) -> Value {
    record["m"] = json!(true);
    record["t"] = json!(0);
    let text = record.to_string();
    let event = mapping(lines).read_one(text.as_bytes(), None).unwrap();
    assert_eq!(coverage::missing(&record, &event), Vec::<String>::new(), "{lines}");
    let mut fields = serde_json::to_value(event).unwrap();
    for key in ["m", "t"] {
        fields["metadata"].as_object_mut().unwrap().remove(key);
    }
    fields
}

/// The action that the expression gives.
fn action(expr: &str, record: Value) -> Value {
    read(&format!("action = {expr}"), record)["action"].clone()
}

#[test]
fn expressions() {
    for (expr, record, expected) in [
        (r#""/a""#, json!({"a": "x"}), "x"),
        (r#""/a/0/b""#, json!({"a": [{"b": 7}]}), "7"),
        (r#""/a~1b/~0""#, json!({"a/b": {"~": "x"}}), "x"),
        (r#"["/a", "/b"]"#, json!({"a": "-", "b": "x"}), "x"),
        (r#"["/a", { const = "c" }]"#, json!({"a": true}), "c"),
        (r#""/{/k}/v""#, json!({"k": "u", "u": {"v": "x"}}), "x"),
        (r#""a.{/b}.{/c|/d}""#, json!({"b": "x", "d": 1.5}), "a.x.1.5"),
        (r#""{/b}.{/c}.{/d}""#, json!({"c": "x"}), "x"),
        (r#""{/b}.{/c}.{/d}""#, json!({"b": "x", "d": false}), "x.false"),
        (r#"["{/b!}.{/c}", { const = "c" }]"#, json!({"c": "x"}), "c"),
        (r#"{ from = "/a", map = { "*.com" = "<$1>", "x" = "y" } }"#, json!({"a": "b.com"}), "<b>"),
        (r#"{ from = "/a", map = { x = "y" }, else = "z" }"#, json!({"a": "b"}), "z"),
        (r#"{ from = "/a", map = { x = "y" }, absent = "n" }"#, json!({}), "n"),
        (r#"{ from = "/a", map = { true = "y" } }"#, json!({"a": true}), "y"),
        (r#"{ from = "/a", map = { "*@*" = "$0" } }"#, json!({"a": "b@c"}), "b@c"),
        (r#"{ from = "/a", as = "term" }"#, json!({"a": "User Added!"}), "user_added_"),
        (r#"[{ from = "/a", if = "/b" }, "/c"]"#, json!({"a": "x", "c": "y"}), "y"),
        (
            r#"[{ from = "/a", if = { at = "/b", is = ["x", "1*"] } }]"#,
            json!({"a": "y", "b": 12}),
            "y",
        ),
        (r#"[{ from = "/a", if = { at = "/b", not = "x" } }]"#, json!({"a": "y", "b": "z"}), "y"),
        (
            r#"[{ from = "/a", if = { absent = ["/b", "/c"] } }, "/b"]"#,
            json!({"a": "y", "b": "z"}),
            "z",
        ),
        (r#"[{ from = "/a", if = { all = ["/a", "/b"] } }]"#, json!({"a": "y", "b": "z"}), "y"),
    ] {
        assert_eq!(action(expr, record.clone()), expected, "{expr} {record}");
    }
    let named = "action = \"{$x}!\"\n[values]\nx = \"/a\"";
    assert_eq!(read(named, json!({"a": "b"}))["action"], "b!");
}

#[test]
fn a_moved_text_goes_and_a_copied_one_stays() {
    let lines = "action = \"/a/b\"\nreason = { copy = \"/c\" }\nlocation = \"/d/0\"";
    let event = read(lines, json!({"a": {"b": "x"}, "c": "y", "d": ["z"]}));
    assert_eq!(event["metadata"], json!({"c": "y", "d": ["z"]}));
    // Whatever the order of the lines is: the key is named by what the line before moves.
    let lines = "action = \"/k\"\nreason = \"/{/k}/v\"";
    let event = read(lines, json!({"k": "u", "u": {"v": "x"}}));
    assert_eq!((&event["reason"], &event["metadata"]), (&json!("x"), &json!({})));
}

#[test]
fn the_example_of_the_reference_reads_its_record() {
    let (_, rest) = FORMAT.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let (_, rest) = FORMAT.split_once("reads `").unwrap();
    let (record, _) = rest.split_once('`').unwrap();
    let event = Mapping::parse(text).unwrap().read_one(record.as_bytes(), None).unwrap();
    assert_eq!((event.action.as_str(), event.actor.id.as_deref()), ("shop.buy", Some("u_7")));
    assert_eq!(event.targets[0].id.as_deref(), Some("x"));
}

#[test]
fn a_change_has_a_condition_and_its_values_can_stay() {
    let lines = r#"
        action = { const = "a" }
        change = { new = "/body", if = { at = "/verb", is = "put" } }
        [[diff]]
        each = "/members"
        if = { at = "/op", is = "add" }
        field = "/role"
        new = "/who"
        [[diff]]
        each = "/members"
        if = { at = "/op", is = "remove" }
        field = { copy = "/role" }
        old = { copy = "/who" }
    "#;
    let members =
        json!([{"op": "add", "role": "r", "who": "u"}, {"op": "remove", "role": "s", "who": "v"}]);
    let event = read(lines, json!({"verb": "put", "body": {"x": 1}, "members": members}));
    assert_eq!(
        event["change"],
        json!({
            "new": {"x": 1},
            "diff": [{"field": "r", "new": "u"}, {"field": "s", "old": "v"}],
        })
    );
    assert_eq!(
        event["metadata"],
        json!({"verb": "put", "members": [{"op": "add"}, {"op": "remove", "role": "s", "who": "v"}]})
    );
    let event = read(lines, json!({"verb": "get", "body": {"x": 1}}));
    assert_eq!((&event["change"], &event["metadata"]["body"]), (&json!(null), &json!({"x": 1})));
}

#[test]
fn keys_in_another_case_are_found_where_the_exact_one_is_absent() {
    let lines = "ignoreCase = true\naction = \"/someThing/inIt\"\nreason = \"/other\"";
    let event = read(lines, json!({"something": {"INIT": "x"}, "other": "y", "Other": "z"}));
    assert_eq!((&event["action"], &event["reason"]), (&json!("x"), &json!("y")));
    assert_eq!(event["metadata"], json!({"Other": "z"}));
}

#[test]
fn lists_of_names_and_values_are_read_like_objects_and_kept_as_they_are() {
    let lines = "entries = { at = \"/p\", key = \"name\", value = [\"value\", \"n\"] }\n\
                 action = \"/p/what\"\nreason = \"/p/why\"\nchange = { new = \"/p/list\" }";
    let list = json!([{"name": "what", "value": "x"}, {"name": "why", "n": 7}, {"name": "list", "n": [1]}]);
    let event = read(lines, json!({"p": list}));
    assert_eq!((&event["action"], &event["reason"]), (&json!("x"), &json!("7")));
    assert_eq!((&event["change"]["new"], &event["metadata"]["p"]), (&json!([1]), &list));
}

#[test]
fn each_item_is_a_target_or_a_changed_field() {
    let lines = r#"
        action = { const = "a" }
        [[targets]]
        each = "/things"
        if = { at = "/kind", is = "user" }
        type = "/kind"
        id = "/id"
        name = "^/of"
        [[targets]]
        ids = { "/r/one" = "first", "/r/two" = "second", "/three" = "third" }
        [[diff]]
        each = "/changes"
        field = "/f"
        old = "/o"
        new = "/n"
        [[diff]]
        keys = { "was_*" = "$1" }
        [[diff]]
        field = { const = "head" }
        old = "/before"
    "#;
    let event = read(
        lines,
        json!({
            "things": [{"kind": "user", "id": "u"}, {"kind": "none", "id": "x"}, 5], "of": "acme",
            "r": {"two": "2", "one": 1}, "three": null,
            "changes": [{"f": "x", "o": null, "n": [1]}, {"f": "y"}],
            "was_z": 1, "z": 2, "before": "b",
        }),
    );
    assert_eq!(
        event["targets"],
        json!([
            {"type": "user", "id": "u", "name": "acme"},
            {"type": "first", "id": "1"}, {"type": "second", "id": "2"},
        ])
    );
    assert_eq!(
        event["change"]["diff"],
        json!([
            {"field": "x", "old": null, "new": [1]}, {"field": "y"},
            {"field": "z", "old": 1, "new": 2}, {"field": "head", "old": "b"},
        ])
    );
    assert_eq!(
        event["metadata"],
        json!({
            "things": [{}, {"kind": "none", "id": "x"}, 5], "of": "acme", "r": {"one": 1},
            "three": null, "z": 2,
        })
    );
}

#[test]
fn a_delivery_is_taken_apart_down_to_its_records() {
    let mapping = mapping("unwrap = \"/in\"\naction = \"/m\"\nlocation = \"^/where\"");
    let actions = |delivery: Value| -> Vec<String> {
        let events = mapping.read(delivery.to_string().as_bytes(), None);
        events.into_iter().map(|event| event.unwrap().event.action.as_str().to_owned()).collect()
    };
    let record = |action: &str| json!({"m": action, "t": 0});
    let text = record("c").to_string();
    for (delivery, expected) in [
        (record("a"), vec!["a"]),
        (json!([record("a"), record("b")]), vec!["a", "b"]),
        (json!({"Records": [record("a"), {"message": text}], "next": 1}), vec!["a", "c"]),
        (json!({"logEvents": [{"id": 1, "message": text}]}), vec!["c"]),
        (json!({"entries": []}), vec![]),
        // The mapping's own are looked into first, the others only for want of marks.
        (json!({"m": "no", "in": record("a"), "Records": [record("b")]}), vec!["a"]),
        // A record is no delivery of something else.
        (json!({"m": "a", "t": 0, "in": {"x": 1}}), vec!["a"]),
        (json!({"m": "a", "t": 0, "in": []}), vec!["a"]),
        (json!({"m": "a", "t": 0, "Records": [record("b")]}), vec!["a"]),
    ] {
        assert_eq!(actions(delivery.clone()), expected, "{delivery}");
    }
    let enveloped = json!({"detail": record("a"), "where": "here"}).to_string();
    let event = mapping.read_one(enveloped.as_bytes(), None).unwrap();
    assert_eq!(event.location.as_deref(), Some("here"));
    assert_eq!(event.metadata[DELIVERY], json!({"where": "here"}));
    // The envelope is no part of what the event is.
    let plain = mapping.read_one(record("a").to_string().as_bytes(), None).unwrap();
    assert_eq!(event.id, plain.id);
}

#[test]
fn each_part_of_a_record_is_an_event() {
    let lines = "split = \"/parts\"\nid = \"{/m}/{#}\"\naction = \"/parts/name\"";
    let text = br#"{"m": 1, "t": 0, "parts": [{"name": "a"}, {"name": "b"}]}"#;
    let events = mapping(lines).read(text, None);
    let events: Vec<NewEvent> = events.into_iter().map(|event| event.unwrap().event).collect();
    let ids: Vec<_> = events.iter().map(|event| event.source.clone().unwrap().id).collect();
    assert_eq!(ids, ["1/0", "1/1"]);
    assert_eq!(events[1].action.as_str(), "b");
    assert_ne!(events[0].id, events[1].id);
}

#[test]
fn carriers_have_the_time_where_the_record_has_none() {
    let mapping = mapping("action = \"/m\"");
    let read = |record: Value| mapping.read(record.to_string().as_bytes(), None).remove(0);
    let mapped = read(json!({"m": "a", "t": null, "p_event_time": 7})).unwrap();
    assert_eq!(mapped.time, TimeOrigin::Carrier("p_event_time".to_owned()));
    assert_eq!(read(json!({"m": "a", "t": 7})).unwrap().time, TimeOrigin::Record);
    let error = read(json!({"m": "a"})).unwrap_err();
    assert_eq!((error.field(), error.violation()), (Some("t"), Some(&Violation::Missing)));
    let at = |time| mapping.read(br#"{"m":"a"}"#, Some(time)).remove(0).unwrap();
    let (first, second) = (at(Timestamp::MIN), at(Timestamp::MAX));
    assert_eq!(
        (&first.time, first.event.occurred_at),
        (&TimeOrigin::Received, Some(Timestamp::MIN))
    );
    assert_eq!(first.event.metadata[TIME_SOURCE], "received");
    // The time of receipt is no part of the record, so both are deliveries of one.
    assert_eq!(first.event.id, second.event.id);
}

#[test]
fn a_place_of_the_time_can_have_a_condition() {
    let start = "system = \"s\"\nmarks = \"/m\"\naction = \"/m\"\n";
    let times = "time = [{ from = \"/local\", if = { at = \"/local\", is = \"*Z\" } }, \"/t\"]";
    let mapping = Mapping::parse(&format!("{start}{times}")).unwrap();
    for (record, expected) in [
        (json!({"m": "a", "local": "2024-03-15T14:48:51Z", "t": 7}), "2024-03-15T14:48:51Z"),
        (json!({"m": "a", "local": "2024-03-15T14:48:51", "t": 7}), "1970-01-01T00:00:07Z"),
    ] {
        let event = mapping.read_one(record.to_string().as_bytes(), None).unwrap();
        assert_eq!(event.occurred_at, Some(expected.parse().unwrap()));
    }
    let error = mapping.read_one(br#"{"m":"a","local":"2024-03-15T14:48:51"}"#, None).unwrap_err();
    let expected = "a time that meets the condition of the mapping";
    let violation = Violation::Malformed { expected };
    assert_eq!((error.field(), error.violation()), (Some("local"), Some(&violation)));
    let error = mapping.read_one(br#"{"m":"a"}"#, None).unwrap_err();
    assert_eq!((error.field(), error.violation()), (Some("local"), Some(&Violation::Missing)));
    let unknown = format!("{start}time = {{ from = \"/t\", unless = \"/a\" }}");
    assert_eq!(Mapping::parse(&unknown).unwrap_err().field(), Some("line 4: time.unless"));
}

#[test]
fn a_value_over_a_limit_stays_and_is_named() {
    let lines = "action = \"/m\"\nid = \"/id\"\n[actor]\nip = \"/ip\"\n[[targets]]\nid = \"/of\"";
    let (id, long) = ("i".repeat(limits::MAX_ID_BYTES + 1), "가".repeat(200));
    let record = json!({"m": long, "t": 0, "id": id, "ip": id, "of": id});
    let mapped = mapping(lines).read(record.to_string().as_bytes(), None).remove(0).unwrap();
    let mut fields = mapped.too_large.clone();
    fields.sort();
    assert_eq!(fields, ["action", "actor.ip", "source.id", "targets.id"]);
    assert_eq!(Value::Object(mapped.event.metadata), record);
    assert_eq!(mapped.event.action.as_str(), "가".repeat(85), "cut at a whole letter");
}

#[test]
fn what_cannot_be_kept_is_refused_with_its_field() {
    let mapping = mapping("action = \"/m\"");
    let refused = |text: &[u8]| mapping.read(text, None).remove(0).unwrap_err();
    for (text, field, violation) in [
        (&br#"{"m":"a","x":{"k":1,"k":2}}"#[..], "x", Violation::DuplicateKey),
        (br#"{"m":"a","n":123456789012345678901}"#, "", Violation::Inexact),
        (b"1", "", Violation::Malformed { expected: "a JSON object" }),
        (br#"{"t":1}"#, "m", Violation::Missing),
        (br#"{"t":1,"m":["a"]}"#, "m", Violation::Malformed { expected: "a text" }),
    ] {
        let error = refused(text);
        assert_eq!((error.field(), error.violation()), (Some(field), Some(&violation)));
    }
    let marked = "system = \"s\"\nmarks = { at = \"/kind\", is = \"audit\" }\ntime = \"/t\"\naction = \"/m\"";
    let marked = Mapping::parse(marked).unwrap();
    let expected = Violation::Malformed { expected: "as records of this system have it" };
    for (text, violation) in
        [(&br#"{"m":"a"}"#[..], Violation::Missing), (br#"{"m":"a","kind":"access"}"#, expected)]
    {
        let error = marked.read(text, None).remove(0).unwrap_err();
        assert_eq!((error.field(), error.violation()), (Some("kind"), Some(&violation)));
    }
    for text in [&b"{\"m\":\"\xff\"}"[..], br#"{"m":"\ud800"}"#, b"{"] {
        assert!(matches!(refused(text).violation(), Some(Violation::Malformed { .. })));
    }
}

#[test]
fn a_fault_of_a_mapping_is_named_with_its_line_and_key() {
    let fault = |text: &str| -> Result<Mapping> { Mapping::parse(text) };
    let start = "system = \"s\"\nmarks = \"/m\"\ntime = \"/t\"\n";
    for (lines, field, words) in [
        ("action = \"/a\"\naction = \"/b\"", "line 5", "duplicate key"),
        ("action = \"/a\"\nactoin = \"/b\"", "line 5: actoin", "not a known key"),
        (
            "action = \"/a\"\nrequest.route = \"/b\"",
            "line 5: request.route",
            "`method`, `path`, `id`",
        ),
        ("action = \"/a\"\norganization = \"/b\"", "line 5: organization", "are `id`, `name`"),
        ("action = \"a\"", "line 4: action", "{ const = \"a\" }"),
        ("action = \"/~2\"", "line 4: action", "neither ~0 nor ~1"),
        ("action = \"a{/b\"", "line 4: action", "not closed"),
        ("action = \"$x\"", "line 4: action", "`x` is not among the `values`"),
        ("action = 7", "line 4: action", "is not a place"),
        ("action = { from = \"/a\", maps = {} }", "line 4: action.maps", "not a known key"),
        ("action = \"/a\"\n[actor]\n\nname = \"/A\"", "line 7: actor.name", "`action` moves too"),
        ("action = \"/a/b\"\nchange.new = \"/a\"", "line 5: change.new", "`action` moves too"),
        (
            "action = \"/a/b\"\n[[targets]]\neach = \"/a\"\nid = \"/c\"",
            "line 4: action",
            "`targets[0].each` takes apart",
        ),
        ("action = \"/a\"\nreason = [\"/b\", \"/a\"]", "line 5: reason", "{ copy = \"/a\" }"),
    ] {
        let error = fault(&format!("{start}{lines}")).unwrap_err();
        assert_eq!(error.field(), Some(field), "{lines}: {error}");
        assert!(error.to_string().contains(words), "{lines}: {error}");
    }
    assert!(fault("system = \"s\"\ntime = \"/t\"\naction = \"/a\"").is_err(), "no marks");
    // Alternatives of one field are no collision, nor is a copy.
    assert!(
        fault(&format!("{start}action = [\"/a\", \"/a\"]\nreason = {{ copy = \"/a\" }}")).is_ok()
    );
}

#[cfg(not(feature = "jq"))]
#[test]
fn a_program_needs_a_build_that_can_run_it() {
    let text = "system = \"s\"\nmarks = \"/m\"\ntime = \"/t\"\naction = \"/a\"\nprepare = \".\"";
    let error = Mapping::parse(text).unwrap_err();
    assert_eq!(error.field(), Some("line 5: prepare"));
    assert!(error.to_string().contains("feature `jq`"), "{error}");
}

#[test]
fn a_record_is_guessed_by_its_marks() {
    for (record, expected) in [
        (json!({"eventName": "N", "eventSource": "s", "eventType": "t"}), Some("cloudtrail")),
        (json!({"Records": [{"eventName": "N", "eventSource": "s"}]}), Some("cloudtrail")),
        (json!({"eventType": "t", "uuid": "u"}), Some("okta")),
        (json!({"a": 1}), None),
    ] {
        let guess = Mapping::guess(record.to_string().as_bytes()).map(Mapping::system);
        assert_eq!(guess, expected, "{record}");
    }
    assert!(Mapping::guess(b"{").is_none());
}
