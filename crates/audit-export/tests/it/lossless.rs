//! A property of every form: the event can be read back from it.

use audit_core::{
    Actor, AuditEvent, Log, NewEvent, Outcome, Sequence, Target, Timestamp, Trace, json,
};
use audit_export::{Syslog, cef, cloud_event, csv_header, csv_row, json_line, otlp};
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

/// An action of each kind, or any.
fn action() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("user.login".to_owned()),
        Just("user.created".to_owned()),
        Just("group.deleted".to_owned()),
        text().prop_map(|text| format!("a{text}")),
    ]
}

fn target() -> impl Strategy<Value = Option<Target>> {
    let kind =
        prop::option::of(prop_oneof![Just("user".to_owned()), Just("group".to_owned()), text()]);
    (kind, prop::option::of(text()), prop::option::of(text()))
        .prop_map(|(kind, id, name)| Target::from_parts(kind, id, name))
}

fn actor() -> impl Strategy<Value = Actor> {
    let kind =
        prop_oneof![Just("user".to_owned()), Just("system".to_owned()), Just("x".to_owned())];
    let email = prop_oneof![Just("ana@example.org".to_owned()), text()];
    let ip = prop_oneof![
        Just("192.0.2.7".to_owned()),
        Just("[2001:db8::7]:443".to_owned()),
        Just("192.0.2.7:0443".to_owned()),
        text(),
    ];
    let texts = || prop::option::of(text());
    (
        (kind, texts(), texts(), prop::option::of(email)),
        (prop::option::of(ip), texts(), texts(), any::<bool>()),
    )
        .prop_map(|((kind, id, name, email), (ip, session, agent, is_for_another))| {
            let mut actor = Actor::new(kind);
            (actor.id, actor.name, actor.email) = (id, name, email);
            (actor.ip, actor.session_id, actor.user_agent) = (ip, session, agent);
            if is_for_another {
                actor = actor.on_behalf_of(Actor::user("b"));
            }
            actor
        })
}

pub(crate) fn event() -> impl Strategy<Value = AuditEvent> {
    let texts = (action(), text(), text(), text());
    let parts = (texts, actor(), prop::collection::vec(target(), 0..3), value());
    let outcome = prop_oneof![Just("denied"), Just("unknown"), Just("success"), Just("later")];
    let rest =
        (prop::option::of(outcome), 1_u64..=u64::from(u32::MAX), any::<i64>(), any::<bool>());
    (parts, rest).prop_map(|(((action, name, key, reason), actor, targets, value), rest)| {
        let (outcome, sequence, nanos, is_traced) = rest;
        let mut event = NewEvent::new(action, actor)
            .occurred_at(Timestamp::from_nanos(nanos))
            .reason(reason)
            .attribute("k", key.clone())
            .request("GET", name.clone())
            .message(name);
        event.outcome = outcome.map(|result| Outcome::new(result).code(key));
        event.targets = targets.into_iter().flatten().collect();
        event.scope.service = Some("s".to_owned()).filter(|_| is_traced);
        event.trace =
            is_traced.then(|| Trace::new("0af7651916cd43dd8448eb211c80319c".parse().unwrap()));
        event.change.new = Some(value.clone());
        event.metadata.insert("m".to_owned(), value);
        let sequence = Sequence::new(sequence).unwrap();
        AuditEvent::new(Log::Platform, sequence, Timestamp::MAX, event)
    })
}

/// Returns the path of a value of `event` that `form` does not have.
pub(crate) fn is_carried(event: &Value, form: &Value) -> Result<(), String> {
    match (event, form) {
        (Value::Object(fields), Value::Object(others)) => {
            fields.iter().try_for_each(|(key, value)| {
                let other = others.get(key).ok_or_else(|| key.clone())?;
                is_carried(value, other).map_err(|path| format!("{key}.{path}"))
            })
        }
        (value, other) if value == other => Ok(()),
        (value, other) => Err(format!(" {value} is {other}")),
    }
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

/// Removes differences that cells do not keep: empty texts, and apostrophes.
fn in_cells(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(in_cells);
            fields.retain(|_, field| field != "" && *field != Value::Object(Map::new()));
        }
        Value::String(text) => *text = text.replace('\'', ""),
        _ => {}
    }
}

/// Returns the JSON of the event in a row.
fn of_csv(event: &AuditEvent) -> Value {
    let text = format!("{}\r\n{}\r\n", csv_header(), csv_row(event).unwrap());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let cells = reader.records().next().unwrap().unwrap();
    let mut json = Value::Object(Map::new());
    for (column, cell) in columns.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty()) {
        let mut place = &mut json;
        for key in column.split('.') {
            let fields = place.as_object_mut().unwrap();
            place = fields.entry(key).or_insert_with(|| Value::Object(Map::new()));
        }
        *place = match column {
            "targets" | "change" | "metadata" | "attributes" | "actor.onBehalfOf" | "sequence" => {
                serde_json::from_str(cell).unwrap()
            }
            _ => cell.into(),
        };
    }
    json
}

proptest! {
    #[test]
    fn the_event_can_be_read_back_from_every_form(event in event()) {
        let line = json_line(&event).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(&read(&line), &event);

        let (mut json, mut cells) = (serde_json::to_value(&event).unwrap(), of_csv(&event));
        in_cells(&mut json);
        in_cells(&mut cells);
        prop_assert_eq!(is_carried(&json, &cells), Ok(()));

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
