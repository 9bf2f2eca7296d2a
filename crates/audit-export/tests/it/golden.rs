//! One event in every form.

use audit_core::{
    Actor, AuditEvent, Log, NewEvent, Outcome, Sequence, Severity, Target, Timestamp, Trace,
    Violation,
};
use audit_export::{Syslog, cef, cloud_event, json_line, otlp};
use serde_json::{Value, json};

fn event() -> AuditEvent {
    let actor = Actor::user("u|7").email("a=b@example.org").ip("192.0.2.7").session_id("s1");
    let mut event = NewEvent::new("user.login", actor)
        .id("3fa85f64-5717-4562-b3fc-2c963f66afa6".parse::<audit_core::EventId>().unwrap())
        .occurred_at("2024-03-15T14:48:51.123456789Z".parse().unwrap())
        .outcome(Outcome::denied())
        .severity(Severity::HIGH)
        .add_target(Target::named("nobody"))
        .target("door", "d 1")
        .message("back\\slash\nand line");
    let trace = Trace::new("0af7651916cd43dd8448eb211c80319c".parse().unwrap());
    event.trace = Some(trace.span_id("b7ad6b7169203331".parse().unwrap()));
    let recorded: Timestamp = "2024-03-15T14:48:52Z".parse().unwrap();
    AuditEvent::new(Log::Platform, Sequence::new(42).unwrap(), recorded, event)
}

#[test]
fn a_cloud_event_has_the_attributes_of_version_1() {
    let event = event();
    let mut form = cloud_event(&event).unwrap();
    let data = form.as_object_mut().unwrap().remove("data").unwrap();
    assert_eq!(data, serde_json::to_value(&event).unwrap());
    assert_eq!(
        form,
        json!({
            "specversion": "1.0",
            "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "source": "/logs/platform",
            "type": "user.login",
            "time": "2024-03-15T14:48:51.123456789Z",
            "subject": "door/d 1",
            "sequence": "00000000000000000042",
            "partitionkey": "platform",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "datacontenttype": "application/json",
        })
    );
    // Names of attributes are of lower-case letters and digits.
    let names = form.as_object().unwrap().keys();
    assert!(names.flat_map(|name| name.bytes()).all(|byte| byte.is_ascii_lowercase()));
}

#[test]
fn cef_escapes_what_separates_its_parts() {
    let mut event = event();
    event.action = "a|b\\c".into();
    let line = cef(&event).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let start = format!(
        "CEF:0|audit|audit|{version}|a\\|b\\\\c|a\\|b\\\\c|8|rt=1710514132000 start=1710514131123 \
         externalId=3fa85f64-5717-4562-b3fc-2c963f66afa6 act=a|b\\\\c outcome=denied \
         msg=back\\\\slash\\nand line suid=u|7 suser=a\\=b@example.org src=192.0.2.7 duser=nobody \
         cn1Label=sequence cn1=42 cs1Label=log cs1=platform cs2Label=session cs2=s1 cs6Label=event cs6={{"
    );
    assert!(line.starts_with(&start), "{line}");
    assert!(!line.contains('\n'));
    for (address, field) in [
        ("2001:db8::7", " c6a2Label=Source IPv6 Address c6a2=2001:db8::7 "),
        ("192.0.2.7:443", " shost=192.0.2.7:443 "),
    ] {
        event.actor.ip = Some(address.to_owned());
        assert!(cef(&event).unwrap().contains(field), "{address}");
    }
    event.severity = None;
    assert!(cef(&event).unwrap().contains("|Unknown|rt="));
}

#[test]
fn a_syslog_message_has_the_header_of_rfc_5424() {
    let mut event = event();
    let sender = Syslog::new("web-1", "shop").unwrap();
    let json = json_line(&event).unwrap();
    assert_eq!(
        sender.message(&event).unwrap(),
        format!(
            "<107>1 2024-03-15T14:48:51.123456Z web-1 shop - user.login [meta sequenceId=\"42\"] \
             \u{feff}{json}"
        )
    );
    event.action = "an action with spaces".into();
    event.severity = None;
    let message = sender.message(&event).unwrap();
    assert!(message.starts_with("<110>1 ") && message.contains(" shop - - [meta "), "{message}");
    for (hostname, app_name, violation) in [
        ("", "a", Violation::Empty),
        ("a b", "a", Violation::Malformed { expected: "visible ASCII without spaces" }),
        ("a", &"a".repeat(49), Violation::TooLong { limit: 48, actual: 49 }),
    ] {
        let error = Syslog::new(hostname, app_name).unwrap_err();
        assert_eq!(error.violation(), Some(&violation));
    }
}

#[test]
fn otlp_is_a_request_of_log_records() {
    let event = event();
    let request = otlp([&event, &event]).unwrap();
    let records = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    assert_eq!(records.as_array().unwrap().len(), 2);
    let mut record = records[0].clone();
    let body = record.as_object_mut().unwrap().remove("body").unwrap();
    assert!(body["kvlistValue"]["values"].is_array());
    assert_eq!(
        record,
        json!({
            "timeUnixNano": "1710514131123456789", "observedTimeUnixNano": "1710514132000000000",
            "severityNumber": 17, "severityText": "high", "eventName": "user.login",
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
            "attributes": [
                {"key": "audit.log", "value": {"stringValue": "platform"}},
                {"key": "audit.sequence", "value": {"intValue": "42"}},
            ],
        })
    );
    assert_eq!(request["resourceLogs"][0]["resource"]["attributes"][0]["key"], "service.name");
    assert!(otlp([]).unwrap() != Value::Null);
}
