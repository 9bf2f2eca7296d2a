//! `CloudEvents` 1.0 in JSON.

use audit_core::{AuditEvent, Result};
use serde_json::{Map, Value};

use crate::json;

/// Returns the event as a `CloudEvent` in the JSON format, `application/cloudevents+json`.
///
/// | attribute | value |
/// |---|---|
/// | `id` | the id of the event, which is unique in its log |
/// | `source` | `/logs/LOG` |
/// | `type` | the action |
/// | `time` | the time of the event |
/// | `subject` | `TYPE/ID` of the first target with an id |
/// | `sequence` | the sequence, with 20 digits, so that it is ordered as a text |
/// | `partitionkey` | the log, in which events are ordered |
/// | `traceparent` | the trace, if it has a span |
/// | `data` | all of the event |
///
/// # Errors
/// Fails as [`json_line`](crate::json_line) does.
pub fn cloud_event(event: &AuditEvent) -> Result<Value> {
    let mut form = Map::new();
    let mut set = |key: &str, value: String| form.insert(key.to_owned(), value.into());
    set("specversion", "1.0".to_owned());
    set("id", event.id.to_string());
    set("source", format!("/logs/{}", event.log));
    set("type", event.action.as_str().to_owned());
    set("time", event.occurred_at.to_string());
    if let Some((kind, id)) =
        event.targets.iter().find_map(|target| Some((&target.kind, target.id.as_ref()?)))
    {
        set("subject", kind.as_ref().map_or_else(|| id.clone(), |kind| format!("{kind}/{id}")));
    }
    set("sequence", format!("{:020}", event.sequence.get()));
    set("partitionkey", event.log.to_string());
    if let Some(trace) = &event.trace
        && let Some(span) = &trace.span_id
    {
        set("traceparent", format!("00-{}-{span}-01", trace.trace_id));
    }
    set("datacontenttype", "application/json".to_owned());
    form.insert("data".to_owned(), json(event)?);
    Ok(form.into())
}
