//! A property of every form: the event can be read back from it.

use audit_core::{Actor, AuditEvent, Log, NewEvent, Sequence, Target, Timestamp, json};
use audit_export::{Syslog, cef, cloud_event, json_line, otlp};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[|=\\\\\"\\] \n\r\t{}a]{0,12}", "\\PC{0,8}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), value, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn event() -> impl Strategy<Value = AuditEvent> {
    let texts = (text(), text(), text(), text());
    (texts, value(), 1_u64..=u64::from(u32::MAX), any::<i64>()).prop_map(
        |((action, name, ip, reason), value, sequence, nanos)| {
            let actor = Actor::user("u").name(name).ip(ip.clone());
            let mut event = NewEvent::new(format!("a{action}"), actor)
                .occurred_at(Timestamp::from_nanos(nanos))
                .add_target(Target::named(reason.clone()).name(ip))
                .message(reason);
            event.change.new = Some(value.clone());
            event.metadata.insert("m".to_owned(), value);
            let sequence = Sequence::new(sequence).unwrap();
            AuditEvent::new(Log::Platform, sequence, Timestamp::MAX, event)
        },
    )
}

fn read(text: &str) -> AuditEvent {
    json::from_slice(text.as_bytes()).unwrap()
}

/// Returns the value of the last key of a line of CEF, without its escapes.
fn last_of_cef(line: &str, key: &str) -> String {
    let (_, value) = line.rsplit_once(&format!(" {key}=")).unwrap();
    let (mut text, mut escaped) = (String::new(), false);
    for c in value.chars() {
        match c {
            'n' if escaped => text.push('\n'),
            'r' if escaped => text.push('\r'),
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '=' => {
                assert!(escaped, "an equals sign begins a key");
                text.push('=');
            }
            c => text.push(c),
        }
        escaped = false;
    }
    text
}

/// Returns the JSON of a value of the OpenTelemetry protocol.
fn of_otlp(value: &Value) -> Value {
    let Some((kind, value)) = value.as_object().unwrap().iter().next() else { return Value::Null };
    match kind.as_str() {
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "arrayValue" => value["values"].as_array().unwrap().iter().map(of_otlp).collect(),
        "kvlistValue" => {
            let pairs = value["values"].as_array().unwrap().iter();
            let pair =
                |pair: &Value| (pair["key"].as_str().unwrap().to_owned(), of_otlp(&pair["value"]));
            Value::Object(pairs.map(pair).collect::<Map<_, _>>())
        }
        _ => value.clone(),
    }
}

proptest! {
    #[test]
    fn the_event_can_be_read_back_from_every_form(event in event()) {
        let line = json_line(&event).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(&read(&line), &event);

        let form = cloud_event(&event).unwrap();
        prop_assert_eq!(&read(&form["data"].to_string()), &event);

        let line = cef(&event).unwrap();
        prop_assert!(!line.contains(['\n', '\r']));
        prop_assert_eq!(&read(&last_of_cef(&line, "cs6")), &event);

        let message = Syslog::new("h", "a").unwrap().message(&event).unwrap();
        prop_assert!(!message.contains('\n'));
        prop_assert_eq!(&read(message.split_once('\u{feff}').unwrap().1), &event);

        let request = otlp([&event]).unwrap();
        let body = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"];
        prop_assert_eq!(&read(&of_otlp(body).to_string()), &event);
    }
}
