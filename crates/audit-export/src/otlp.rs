//! Logs of the OpenTelemetry protocol, in its JSON encoding.

use audit_core::{AuditEvent, Result, Severity};
use serde_json::{Map, Value, json};

/// Returns the events as an `ExportLogsServiceRequest`, the body of a `POST` to `/v1/logs`.
///
/// The name of each log record is the action, its body all of the event; its attributes are the log and the
/// sequence. The severity is that of the event; without one, or of another, it is unspecified. Integers
/// above 2^63, which the protocol does not have, are texts.
///
/// # Errors
/// Fails as [`json_line`](crate::json_line) does.
pub fn otlp<'a>(events: impl IntoIterator<Item = &'a AuditEvent>) -> Result<Value> {
    let records = events.into_iter().map(record).collect::<Result<Vec<_>>>()?;
    Ok(json!({"resourceLogs": [{
        "resource": {"attributes": [attribute("service.name", "audit")]},
        "scopeLogs": [{
            "scope": {"name": "audit-export", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": records,
        }],
    }]}))
}

fn record(event: &AuditEvent) -> Result<Value> {
    let (number, text) = severity(event.severity.as_ref());
    let mut record = json!({
        "timeUnixNano": event.occurred_at.as_nanos().to_string(),
        "observedTimeUnixNano": event.recorded_at.as_nanos().to_string(),
        "severityNumber": number,
        "eventName": event.action.as_str(),
        "body": any_value(crate::json(event)?),
        "attributes": [
            attribute("audit.log", &event.log.to_string()),
            {"key": "audit.sequence", "value": {"intValue": event.sequence.to_string()}},
        ],
    });
    if let Some(text) = text {
        record["severityText"] = text.into();
    }
    if let Some(trace) = &event.trace {
        record["traceId"] = trace.trace_id.to_string().into();
        if let Some(span) = &trace.span_id {
            record["spanId"] = span.to_string().into();
        }
    }
    Ok(record)
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// Returns a JSON value as the protocol's; a null is a value of no type.
fn any_value(value: Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => json!({"intValue": integer.to_string()}),
            None if number.is_f64() => json!({"doubleValue": number}),
            None => json!({"stringValue": number.to_string()}),
        },
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(items) => {
            let values: Vec<_> = items.into_iter().map(any_value).collect();
            json!({"arrayValue": {"values": values}})
        }
        Value::Object(fields) => json!({"kvlistValue": {"values": key_values(fields)}}),
    }
}

fn key_values(fields: Map<String, Value>) -> Vec<Value> {
    let pair = |(key, value)| json!({"key": key, "value": any_value(value)});
    fields.into_iter().map(pair).collect()
}

fn severity(severity: Option<&Severity>) -> (u8, Option<&str>) {
    let Some(severity) = severity else { return (0, None) };
    let number = match severity.as_str() {
        "informational" => 9,
        "low" => 10,
        "medium" => 13,
        "high" => 17,
        "critical" => 18,
        "fatal" => 21,
        _ => 0,
    };
    (number, Some(severity.as_str()))
}
